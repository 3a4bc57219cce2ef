"""The short way of a write leaves the same state, indexes, log and answers as the long way."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from rynek.base.errors import Problem
from rynek.context import NULL, Txn, core_context, decode, operations, parse_fragment, parse_partial
from rynek.context.changes import Change
from rynek.context.store import writer
from rynek.context.store.indexes import Indexes
from rynek.context.store.sqlite import SqliteStore
from rynek.context.store.txn import GroupTxn
from rynek.context.store.written import Written
from rynek.context.subscriptions.delta import Delta, delta_of

LD = core_context()
TYPE = "https://uri.etsi.org/ngsi-ld/default-context/Vehicle"
_IDS = [f"urn:ngsi-ld:Vehicle:{n}" for n in range(3)]
_TABLES = ("entity_type", "entity_scope", "place", "place_slot", "value_index", "type_attr")


class _Ticks:
    """A clock that tells every group its own time, the same in both stores."""

    def __init__(self) -> None:
        self._now = 1_764_000_000_000_000

    def now(self) -> int:
        """Epoch microseconds."""
        self._now += 1_000
        return self._now


_numbers = st.sampled_from([0, 1, 1.0, True, -3, 2.5, 10**20, "1", NULL, [1, 2], [], None])
_places = st.builds(
    lambda lon, lat: {"type": "Point", "coordinates": [lon, lat]},
    st.sampled_from([16.93, 16.9301, 17.2, 181.0]),
    st.sampled_from([52.41, 52.6]),
)
_metadata = st.fixed_dictionaries(
    {},
    optional={
        "observedAt": st.sampled_from(
            ["2026-11-22T10:00:00Z", "2026-11-22T10:00:01Z", "2026-11-22T10:00:01,5Z", "soon", NULL]
        ),
        "unitCode": st.sampled_from(["KMH", "MTR", NULL]),
    },
)
_more = st.one_of(
    *[st.just({})] * 6,
    st.sampled_from(
        [
            {"datasetId": "urn:ngsi-ld:Dataset:1"},
            {"accuracy": {"type": "Property", "value": 3}},
            {"expiresAt": "2036-01-01T00:00:00Z"},
            {"valueType": "Thing"},
            {"createdAt": "2020-01-01T00:00:00Z"},
            {"object": "urn:ngsi-ld:Route:1"},
        ]
    ),
)


def _instance(kind: str, member: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda value, metadata, more: {"type": kind, member: value} | metadata | more,
        values,
        _metadata,
        _more,
    )


_speed = st.one_of(
    _instance("Property", "value", _numbers),
    _instance("Property", "value", st.integers(0, 5)),
    st.builds(lambda value: {"value": value}, _numbers),
    st.builds(lambda value, kind: {"value": value, "type": kind}, _numbers, st.just("Property")),
    _instance("Relationship", "object", st.just("urn:ngsi-ld:Route:2")),
    st.integers(0, 5),
    st.just([{"type": "Property", "value": 1}, {"value": 2, "datasetId": "urn:ngsi-ld:Dataset:1"}]),
)
_attrs: dict[str, st.SearchStrategy[Any]] = {
    "speed": _speed,
    "location": _instance("GeoProperty", "value", _places),
    "route": _instance("Relationship", "object", st.sampled_from(["urn:a:1", "urn:a:2", NULL])),
    "state": st.builds(
        lambda words: {"type": "VocabProperty", "vocab": words}, st.sampled_from(["on", ["off"]])
    ),
    "name": st.builds(
        lambda text: {"type": "LanguageProperty", "languageMap": {"pl": text}},
        st.sampled_from(["rynek", "plac", NULL]),
    ),
}
_ATTRS = [LD.attribute(name) for name in _attrs]
_some = st.fixed_dictionaries({}, optional=_attrs)
_whole = st.fixed_dictionaries({name: _attrs[name] for name in ("speed", "location", "route")})


def _document(entity_id: str, attrs: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {"id": entity_id, "type": "Vehicle"} | attrs | more


_documents = st.builds(
    _document,
    st.sampled_from(_IDS),
    st.one_of(_whole, _whole, _some),
    st.one_of(
        *[st.just({})] * 8,
        st.sampled_from([{"scope": "/a"}, {"type": ["Vehicle", "Bus"]}, {"@context": "x"}]),
    ),
)
_read = st.lists(_documents, min_size=1, max_size=3)
_steps = st.one_of(
    st.tuples(st.just("ingest"), _read),
    st.tuples(st.just("upsert"), _read),
    st.tuples(st.just("upsert:update"), st.lists(_documents, min_size=1, max_size=2)),
    st.tuples(st.sampled_from(["update", "append", "merge"]), st.sampled_from(_IDS), _some),
    st.tuples(st.just("partial"), st.sampled_from(_IDS), _speed),
    st.tuples(st.just("delete"), st.sampled_from(_IDS)),
    st.tuples(st.just("fail")),
)
_groups = st.lists(st.lists(st.lists(_steps, max_size=3), max_size=3), min_size=2, max_size=6)


_times = st.sampled_from(
    [{}, {"observedAt": "2026-11-22T10:00:00Z"}, {"observedAt": "2026-11-22T10:00:00.5Z"},
     {"observedAt": "2026-11-22T10:00:01Z"}, {"observedAt": "2026-11-22T11:00:01+01:00"}]
)  # fmt: skip
_feeds = st.builds(
    lambda entity_id, speed, unit, lon, route, times, more: _document(
        entity_id,
        {
            "speed": {"type": "Property", "value": speed} | unit | times[0],
            "location": {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": [lon, 52]},
            }
            | times[1],
            "route": {"type": "Relationship", "object": route} | times[2],
        },
        more,
    ),
    st.just(_IDS[0]),
    st.sampled_from([1, 1, 1, 1, 1, 2, 1.0]),
    st.sampled_from([*[{"unitCode": "KMH"}] * 6, {}]),
    st.sampled_from([*[16.93] * 6, 17.2]),
    st.sampled_from([*["urn:a:1"] * 6, "urn:a:2"]),
    st.tuples(_times, _times, _times),
    st.one_of(*[st.just({})] * 9, _some),
)
"""What a feed says again and again."""
_polls = st.lists(
    st.one_of(*[st.tuples(st.just("ingest"), st.lists(_feeds, min_size=1, max_size=3))] * 9, _steps)
    .map(lambda step: [[step]]),
    min_size=4,
    max_size=10,
)  # fmt: skip


def _step(txn: Txn, step: tuple[Any, ...]) -> object:
    """Carry out one step; what it answers."""
    name, *args = step
    if name == "ingest":
        documents = msgspec.json.decode(msgspec.json.encode(args[0]))
        report = operations.IngestReport()
        operations.ingest(txn, documents, LD, "feed:a", report)
        return msgspec.to_builtins(report)
    if name.startswith("upsert"):
        items = [operations.Unread(msgspec.json.decode(msgspec.json.encode(one)), LD, one["id"])
                 for one in args[0]]  # fmt: skip
        result = operations.BatchResult()
        operations.upsert_all(txn, items, result, replace=name == "upsert")
        errors = [(one, problem.body()) for one, problem in result.errors]
        return [result.created, result.updated, errors]
    if name == "delete":
        operations.delete(txn, args[0])
        return None
    if name == "fail":
        raise Problem("this job takes everything back")
    entity_id, body = args
    if name == "partial":
        iri = LD.attribute("speed")
        part = parse_partial(body, LD, now=0, name="speed", iri=iri)
        operations.partial_update(txn, entity_id, iri, part, LD)
        return None
    nulls = name != "append"
    fragment = parse_fragment(body, LD, now=0, allow_null=nulls, partial=name == "merge")
    verb: Callable[..., Any] = getattr(operations, name)
    done = verb(txn, entity_id, fragment, LD)
    return done.body() if done is not None else None


def _job(steps: list[tuple[Any, ...]], seen: list[Any]) -> Callable[[GroupTxn], None]:
    def job(txn: GroupTxn) -> None:
        seen.extend(_step(txn, step) for step in steps)
        # What a subscription would look at.
        seen.append([_told(one) for one in txn.written()])

    return job


def _told(one: Written) -> Any:
    """An entity before and after; what is asked for without decoding it is just the same."""
    delta = delta_of(one) if one.there else None
    lazily = {attr: list(delta.instances(attr)) for attr in _ATTRS} if delta is not None else {}
    pair = [_plain(one.before), _plain(one.after)]
    if delta is not None:
        whole = Delta(one.before, one.after)
        assert lazily == {attr: list(whole.instances(attr)) for attr in _ATTRS}
        assert (delta.id, delta.types, delta.empty) == (whole.id, whole.types, whole.empty)
        assert (delta.came, delta.went) == (whole.came, whole.went)
        assert set(delta.names) == set(whole.names)
        assert sorted(delta.updated, key=repr) == sorted(whole.updated, key=repr)
        # In whichever order: an upsert may have moved members, of which a decoded entity tells nothing.
        assert delta.went or _json(delta.body(LD)) == _json(whole.body(LD))
    return pair


_json = msgspec.json.decode


def _plain(entity: Any) -> Any:
    return None if entity is None else msgspec.to_builtins(entity)


def _untimed(change: Change) -> Any:
    """A row of the log without the times that its instances may have or not: it has its own."""
    for instances in change.attrs.values():
        for one in instances:
            one.created_at = one.modified_at = 0
    change.deleted.sort(key=repr)  # an upsert may have moved members
    return msgspec.to_builtins(change)


async def _play(folder: Path, groups: list[list[list[tuple[Any, ...]]]]) -> dict[str, Any]:
    """Carry the groups out, each as one commit; what is there afterwards."""
    store = SqliteStore(folder, _Ticks())
    seen: list[Any] = []
    try:
        for n, jobs in enumerate(groups):
            answers = await asyncio.gather(
                *(store.write(_job(steps, seen)) for steps in jobs), return_exceptions=True
            )
            seen += [one.body() if isinstance(one, Problem) else repr(one) for one in answers]
            if n == 0:
                await _index(store)
        return _state(store) | {"seen": seen}
    finally:
        await store.close()


async def _index(store: SqliteStore) -> None:
    indexes: Indexes = store._indexes
    if TYPE in indexes.terms.by_iri:
        t = indexes.terms.number(TYPE)
        await store._builder.ensure([(t, LD.attribute("speed"), ()), (t, LD.attribute("name"), ())])


def _state(store: SqliteStore) -> dict[str, Any]:
    read = store._reading.execute
    rows = read("SELECT n, id, created, modified, expires, body, times, ctx FROM entity ORDER BY n")
    entities = []
    for n, entity_id, created, modified, expires, body, times, ctx in rows.fetchall():
        whole = decode(body, times, store._indexes.contexts.compiled(ctx))
        assert store.get(entity_id) == whole
        entities.append((n, created, modified, expires, body, _plain(whole)))
    changes = [_untimed(one) for one in store.changes.read(0, 10_000)]
    tables = {name: sorted(read(f"SELECT * FROM {name}").fetchall(), key=repr) for name in _TABLES}
    return {"entities": entities, "changes": changes, **tables}


_VEHICLE = {"speed": {"type": "Property", "value": 1}, "location": {
    "type": "GeoProperty", "value": {"type": "Point", "coordinates": [16.93, 52.41]}}}  # fmt: skip
_FASTER = _VEHICLE | {"speed": {"type": "Property", "value": 2}}


@given(groups=_groups | _polls)
@example(groups=[
    [[("upsert", [_document(_IDS[0], _VEHICLE, {})])]],
    [[("upsert", [_document(_IDS[0], _FASTER, {})])], [("merge", _IDS[0], {"speed": 3})]],
    [[("update", _IDS[0], {"speed": {"value": 4}}), ("fail",)], [("delete", _IDS[0])]],
])  # fmt: skip
@settings(max_examples=examples(25), deadline=None)
def test_both_ways_come_to_the_same(groups: list[list[list[tuple[Any, ...]]]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as steady:
        steady.setattr(writer, "_GROUP_SECONDS", 1e9)  # both have the same groups, however slow
        short = asyncio.run(_play(Path(folder, "short"), groups))
        with pytest.MonkeyPatch.context() as patched:
            # Looked up all the same: that decides in which order new entities are numbered.
            patched.setattr(GroupTxn, "sheet", lambda txn, one, _: txn.get(one) and None)
            long = asyncio.run(_play(Path(folder, "long"), groups))
    for name, found in long.items():
        assert short[name] == found, name


def test_what_repeats_is_written_the_short_way(tmp_path: Path) -> None:
    taken: list[str] = []
    alter = GroupTxn.alter

    def noting(self: GroupTxn, entity_id: str, *args: Any, **more: Any) -> None:
        taken.append(entity_id)
        alter(self, entity_id, *args, **more)

    groups: list[list[list[tuple[Any, ...]]]] = [
        [[("upsert", [_document(one, _VEHICLE, {})])]] for one in _IDS
    ]
    groups += [
        [[("upsert", [_document(_IDS[0], _FASTER, {})])]],
        [[("update", _IDS[1], {"speed": {"type": "Property", "value": 5}})]],
        [[("merge", _IDS[2], {"speed": {"value": 6}})]],
        [[("partial", _IDS[0], {"value": 7})]],
        [[("ingest", [_document(_IDS[1], _FASTER, {})])]],
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(GroupTxn, "alter", noting)
        asyncio.run(_play(tmp_path, groups))
    assert taken == [_IDS[0], _IDS[1], _IDS[2], _IDS[0], _IDS[1]]
