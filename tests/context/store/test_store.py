"""One suite for every implementation of the store's contract."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rynek.base.clock import SystemClock
from rynek.base.errors import AlreadyExists, ResourceNotFound, Unavailable
from rynek.base.http import Guard
from rynek.base.sqlite import connect, migrate
from rynek.context import (
    Context,
    ContextResolver,
    Query,
    Txn,
    core_context,
    open_context,
    operations,
    parse_entity,
    parse_fragment,
    parse_geo,
    parse_q,
    parse_scope,
    parse_types,
)
from rynek.context.store import build, sqlite
from rynek.context.store.schema import MIGRATIONS

LD = core_context()
EXPAND = LD.expand_term


def bus(number: int, **attrs: Any) -> dict[str, Any]:
    """A vehicle document."""
    return {"id": f"urn:ngsi-ld:Vehicle:{number}", "type": "Vehicle"} | attrs


def at(lon: float, lat: float) -> dict[str, Any]:
    """A GeoProperty."""
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}


def open_store(folder: Path) -> Context:
    """The implementation under test: SQLite."""
    return open_context(
        folder,
        SystemClock(),
        lambda stored: ContextResolver(stored, Guard()),
    )


def run(folder: Path, test: Callable[[Context], Awaitable[None]]) -> None:
    """Run `test` on a store in `folder` and close it."""

    async def body() -> None:
        context = open_store(folder)
        try:
            await test(context)
        finally:
            await context.close()

    asyncio.run(body())


async def create(context: Context, *documents: dict[str, Any]) -> None:
    """Create entities in one batch; all of them must succeed."""
    items = [operations.Item(parse_entity(doc, LD, now=0), LD) for doc in documents]
    result = operations.BatchResult()
    await context.write(lambda txn: operations.create_all(txn, items, result))
    assert not result.errors


async def append(context: Context, number: int, fragment: Any) -> None:
    """Append to one vehicle."""
    entity_id = f"urn:ngsi-ld:Vehicle:{number}"
    await context.write(lambda txn: operations.append(txn, entity_id, fragment, LD))


def _delete(number: int, txn: Txn) -> None:
    operations.delete(txn, f"urn:ngsi-ld:Vehicle:{number}")


async def ids(context: Context, **parts: Any) -> list[str]:
    """The last parts of the ids that a query selects, in order."""
    page = await context.select(Query(**parts), limit=1000)
    return [row.body.split(b'"', 4)[3].decode().rsplit(":", 1)[1] for row in page.rows]


def test_an_acknowledged_write_is_there_after_reopening(tmp_path: Path) -> None:
    async def write(context: Context) -> None:
        await create(context, bus(1, speed={"value": 30}))

    async def read(context: Context) -> None:
        entity = context.get("urn:ngsi-ld:Vehicle:1")
        assert entity is not None
        assert entity.default(EXPAND("speed")).value == 30  # type: ignore[union-attr]
        assert context.changes.head() == 1

    run(tmp_path, write)
    run(tmp_path, read)


def test_seq_and_entities_never_come_back_after_a_delete(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        await create(context, bus(1))
        await context.write(lambda txn: operations.delete(txn, "urn:ngsi-ld:Vehicle:1"))
        assert context.get("urn:ngsi-ld:Vehicle:1") is None
        assert [change.op for change in context.changes.read(0)] == ["create", "delete"]
        assert context.types() == []

    async def again(context: Context) -> None:
        await create(context, bus(1))
        assert context.changes.read(0)[-1].seq == 3

    run(tmp_path, test)
    run(tmp_path, again)


def test_a_job_that_fails_leaves_its_neighbours_in_the_same_group(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        def entity(number: int) -> Any:
            return parse_entity(bus(number), LD, now=0)

        def half_done(txn: Any) -> None:
            operations.create(txn, entity(2), LD)
            operations.create(txn, entity(1), LD)

        results = await asyncio.gather(
            context.write(lambda txn: operations.create(txn, entity(1), LD)),
            context.write(half_done),
            context.write(lambda txn: operations.create(txn, entity(3), LD)),
            return_exceptions=True,
        )
        assert results[0] is None
        assert isinstance(results[1], AlreadyExists)
        assert results[2] is None
        found = await ids(context, types=parse_types("Vehicle", EXPAND))
        assert found == ["1", "3"]
        assert [c.entity_id for c in context.changes.read(0)] == [
            "urn:ngsi-ld:Vehicle:1",
            "urn:ngsi-ld:Vehicle:3",
        ]

    run(tmp_path, test)


def test_a_job_in_steps_is_one_job(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        def steps(txn: Txn, first: int, *, fails: bool) -> Iterator[None]:
            for number in range(first, first + 3):
                operations.create(txn, parse_entity(bus(number), LD, now=0), LD)
                yield
            if fails:
                raise ResourceNotFound("no fourth one")

        # The second one's first step is undone with it, the others stay.
        jobs = (partial(steps, first=first, fails=first == 4) for first in (1, 4, 7))
        done = asyncio.gather(*map(context.write, jobs), return_exceptions=True)
        while not done.done():
            assert len(await ids(context)) in (0, 3, 6)  # none of a job before all of it
            await asyncio.sleep(0)
        told = [type(one) for one in await done]
        assert told == [type(None), ResourceNotFound, type(None)]
        assert await ids(context) == ["1", "2", "3", "7", "8", "9"]
        assert context.changes.head() == 6

    run(tmp_path, test)


def test_jobs_of_a_group_see_each_other(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        await create(context, bus(1, count={"value": 0}))
        attr = EXPAND("count")

        def increment(txn: Any) -> None:
            old = txn.get("urn:ngsi-ld:Vehicle:1").default(attr).value
            fragment = parse_fragment({"count": {"value": old + 1}}, LD, now=0)
            operations.append(txn, "urn:ngsi-ld:Vehicle:1", fragment, LD)

        await asyncio.gather(*(context.write(increment) for _ in range(50)))
        assert context.get("urn:ngsi-ld:Vehicle:1").default(attr).value == 50  # type: ignore[union-attr]
        assert context.changes.head() == 51

    run(tmp_path, test)


def test_the_log_wakes_readers_and_keeps_cursors(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        waiting = asyncio.create_task(context.changes.wait(0, 5.0))
        await asyncio.sleep(0)
        await create(context, bus(1))
        assert await waiting == 1
        context.changes.acknowledge("reader", 1)
        context.changes.pin("beginner", 1)
        assert context.changes.cursor("beginner") == 1
        await create(context, bus(2))

    async def later(context: Context) -> None:
        assert context.changes.cursor("reader") == 1
        assert context.changes.cursor("nobody") is None
        assert context.changes.cursor("beginner") is None, "it held for one process"
        assert await context.changes.wait(2, 0.01) == 2

    run(tmp_path, test)
    run(tmp_path, later)


def test_pages_follow_one_order_and_end(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        await create(context, *[bus(n) for n in range(130)])
        query = Query(types=parse_types("Vehicle", EXPAND))
        seen: list[bytes] = []
        offset = 0
        while True:
            page = await context.select(query, limit=50, offset=offset, count=True)
            assert page.count == 130
            seen += [row.body for row in page.rows]
            offset += 50
            if not page.more:
                break
        assert len(seen) == len(set(seen)) == 130

    run(tmp_path, test)


def test_indexed_and_scanned_answers_are_the_same(tmp_path: Path) -> None:
    """Above the size where a value index is used, and below it, before and after updates."""
    rng = random.Random(5)

    async def test(context: Context) -> None:
        speeds = {n: rng.choice([0, 1, 2.5, 50, 99, "fast", True]) for n in range(600)}
        await create(context, *[bus(n, speed={"value": speeds[n]}) for n in speeds])
        types = parse_types("Vehicle", EXPAND)
        queries = ["speed>2", "speed<=2.5", "speed==50", 'speed=="fast"', "speed==true", "speed!=0"]
        queries += ["speed==0|speed>60", 'speed<2;(speed==1|speed=="fast")', "speed>2|missing==1"]

        async def check() -> None:
            for text in queries:
                query = Query(types=types, q=parse_q(text, EXPAND))
                found = set(await ids(context, types=types, q=parse_q(text, EXPAND)))
                everything = context.scan(0, 10_000)
                expected = {e.id.rsplit(":", 1)[1] for _, e in everything if query.matches(e)}
                assert found == expected, text
                page = await context.select(query, limit=0, count=True)
                assert page.count == len(expected), text

        await check()
        for n in rng.sample(sorted(speeds), 200):
            fragment = parse_fragment({"speed": {"value": rng.choice([0, 50, "fast"])}}, LD, now=0)
            await append(context, n, fragment)
        await check()
        for n in range(0, 600, 7):
            await context.write(partial(_delete, n))
        await check()

    run(tmp_path, test)


def test_an_index_survives_reopening_and_an_unfinished_one_is_built_anew(tmp_path: Path) -> None:
    async def fill(context: Context) -> None:
        await create(context, *[bus(n, speed={"value": n}) for n in range(300)])
        assert len(await ids(context, types=TYPES, q=parse_q("speed<10", EXPAND))) == 10

    async def read(context: Context) -> None:
        await create(context, bus(1000, speed={"value": 5}))
        assert len(await ids(context, types=TYPES, q=parse_q("speed<10", EXPAND))) == 11

    run(tmp_path, fill)
    run(tmp_path, read)


def test_an_index_is_right_about_what_is_written_while_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_READ_ENTITIES", 40)
    monkeypatch.setattr(build, "_WRITE_VALUES", 60)
    rng = random.Random(3)
    speeds: dict[int, Any] = {n: rng.choice([n, f"s{n}", [n, n + 1]]) for n in range(900)}

    async def change(context: Context, step: int) -> None:
        n = step % 950
        if n in speeds and step % 5 == 0:
            del speeds[n]
            await context.write(partial(_delete, n))
        elif n not in speeds:
            speeds[n] = n
            await create(context, bus(n, speed={"value": n}))
        else:
            speeds[n] = rng.choice([n + 0.5, f"t{n}", [n + 1, n + 2]])
            fragment = parse_fragment({"speed": {"value": speeds[n]}}, LD, now=0)
            await append(context, n, fragment)

    async def test(context: Context) -> None:
        await create(context, *[bus(n, speed={"value": v}) for n, v in speeds.items()])
        asking = asyncio.ensure_future(ids(context, **fast))
        steps = 0
        while not asking.done():
            await change(context, rng.randrange(950))
            steps += 1
        assert steps > 5

    async def again(context: Context) -> None:
        await ids(context, **fast)

    fast = {"types": TYPES, "q": parse_q("speed>5", EXPAND)}
    run(tmp_path, test)
    kept = _indexed(tmp_path, forget=True)
    run(tmp_path, again)
    assert kept == _indexed(tmp_path)
    assert len(kept) > 800


def _indexed(folder: Path, *, forget: bool = False) -> list[Any]:
    """The rows of the value indexes, which are deleted afterwards where it is so wanted."""
    connection = connect(folder / "state.db")
    try:
        rows = connection.execute("SELECT v, n FROM value_index ORDER BY v, n").fetchall()
        if forget:
            connection.execute("DELETE FROM value_index; DELETE FROM value_key")
        return rows
    finally:
        connection.close()


TYPES = parse_types("Vehicle", EXPAND)


def test_places_are_found_after_they_moved(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        await create(context, *[bus(n, location=at(16.9 + n / 1000, 52.4)) for n in range(300)])
        near = {"types": TYPES, "geo": _near(16.9, 52.4, 100)}
        assert await ids(context, **near) == ["0", "1"]
        for lon in (16.9005, 16.95, 17.5):
            fragment = parse_fragment({"location": at(lon, 52.4)}, LD, now=0)
            await append(context, 7, fragment)
            found = await ids(context, types=TYPES, geo=_near(lon, 52.4, 10))
            assert "7" in found
        assert "7" not in await ids(context, **near)

    run(tmp_path, test)


def _near(lon: float, lat: float, metres: int) -> Any:
    return parse_geo(f"near;maxDistance=={metres}", "Point", f"[{lon},{lat}]", None, EXPAND)


def test_types_scopes_ids_and_patterns_select(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        await create(
            context,
            bus(1, scope="/city/north"),
            bus(2, scope=["/city/south", "/depot"]) | {"type": ["Vehicle", "Tram"]},
            {"id": "urn:ngsi-ld:Stop:3", "type": "Stop", "name": {"value": "Rynek"}},
        )
        assert await ids(context, types=parse_types("Vehicle;Tram", EXPAND)) == ["2"]
        assert await ids(context, types=parse_types("Stop|Tram", EXPAND)) == ["2", "3"]
        assert await ids(context, scope=parse_scope("/city/#"), types=TYPES) == ["1", "2"]
        assert await ids(context, ids=["urn:ngsi-ld:Stop:3", "urn:ngsi-ld:Stop:4"]) == ["3"]
        assert await ids(context, id_pattern="Stop:[0-9]$") == ["3"]
        assert await ids(context, attrs=[EXPAND("name")]) == ["3"]
        assert await ids(context, q=parse_q('name=="Rynek"', EXPAND)) == ["3"]
        summary = {one.type: one for one in context.types()}
        assert summary[EXPAND("Vehicle")].entities == 2
        assert summary[EXPAND("Stop")].attrs == {EXPAND("name"): (1, ["Property"])}

    run(tmp_path, test)


def test_ingest_writes_only_what_is_new(tmp_path: Path) -> None:
    def doc(speed: float, time: str) -> dict[str, Any]:
        return bus(1, speed={"value": speed, "observedAt": time}, name={"value": "Bus 1"})

    async def test(context: Context) -> None:
        t1, t2, t3 = (f"2026-01-01T10:0{n}:00Z" for n in (1, 2, 3))
        assert (await context.ingest([doc(5, t1)], "feed:a")).created == 1
        assert (await context.ingest([doc(5, t1)], "feed:a")).unchanged == 1
        assert (await context.ingest([doc(5, t2)], "feed:a")).observed == 1
        assert (await context.ingest([doc(6, t3)], "feed:a")).updated == 1
        assert (await context.ingest([doc(9, t1)], "feed:a")).late == 1
        # A time with a fraction is after the same second without one.
        half = "2026-01-01T10:03:00.500Z"
        assert (await context.ingest([doc(6, half)], "feed:a")).observed == 1
        assert (await context.ingest([doc(9, t3)], "feed:a")).late == 1
        # A correction at the very time, written otherwise, is none that comes late.
        for value, time in ((7, half.replace("500", "5")), (6, half)):
            assert (await context.ingest([doc(value, time)], "feed:a")).updated == 1
        rejected = await context.ingest([{"id": "no uri", "type": "Vehicle"}], "feed:a")
        assert len(rejected.rejected) == 1
        changes = context.changes.read(0)
        ops = ["create", "observe", "update", "observe", "update", "update"]
        assert [c.op for c in changes] == ops
        assert list(changes[2].attrs) == [EXPAND("speed")]
        assert {c.source for c in changes} == {"feed:a"}
        speed = context.get("urn:ngsi-ld:Vehicle:1").default(EXPAND("speed"))  # type: ignore[union-attr]
        assert (speed.value, speed.observed_at) == (6, half)  # type: ignore[union-attr]

    run(tmp_path, test)


def test_ingest_refuses_what_is_wrong_and_takes_the_rest(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]

    async def test(context: Context) -> None:
        sound = bus(1, speed={"value": 5})
        assert (await context.ingest([sound], "feed:a")).created == 1
        wrong = [
            bus(1, speed={"type": "Property", "value": deep}),
            bus(
                1, speed={"type": "Property", "value": 5, "observedAt": "9999-12-31T23:59:59-01:00"}
            ),
            bus(2, expiresAt="9999-12-31T23:59:59-01:00"),
            bus(2, expiresAt="0001-01-01T00:00:00+01:00"),
            bus(2, a=[{"https://example.org/a": []}] * 2, speed={"type": "Property"}),
        ]
        report = await context.ingest([*wrong, bus(3)], "feed:a")
        assert (report.created, len(report.rejected)) == (1, len(wrong))

    run(tmp_path, test)


def test_ingest_keeps_the_time_of_creation(tmp_path: Path) -> None:
    """createdAt is of the first document, modifiedAt of the last that changed the value (§4.8)."""

    def doc(speed: float, time: str) -> dict[str, Any]:
        sure = {"value": 1, "observedAt": time}
        return bus(1, speed={"value": speed, "observedAt": time, "sure": sure})

    async def test(context: Context) -> None:
        def times() -> list[tuple[int, int]]:
            entity = context.get("urn:ngsi-ld:Vehicle:1")
            assert entity is not None
            speed = entity.attrs[EXPAND("speed")][0]
            assert speed.subs is not None
            (sure,) = speed.subs[EXPAND("sure")]
            return [(one.created_at, one.modified_at) for one in (entity, speed, sure)]

        await context.ingest([doc(5, "2026-01-01T10:01:00Z")], "feed:a")
        first = times()
        assert len({time for pair in first for time in pair}) == 1
        await context.ingest([doc(5, "2026-01-01T10:02:00Z")], "feed:a")
        assert times() == first
        await context.ingest([doc(6, "2026-01-01T10:03:00Z")], "feed:a")
        (created, changed), speed, _ = times()
        assert created == first[0][0] < changed
        assert speed == (created, changed)
        more = doc(6, "2026-01-01T10:03:00Z") | {"type": ["Vehicle", "Bus"]}
        await context.ingest([more], "feed:a")
        assert times()[0][1] > changed

    run(tmp_path, test)


def test_queries_over_a_small_and_a_large_type_and_over_many_scopes(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        large = [bus(n, speed={"value": n}, scope=f"/line/l{n % 40}/x") for n in range(400)]
        small = [
            {"id": f"urn:ngsi-ld:Tram:{n}", "type": "Tram", "speed": {"value": n}}
            for n in range(1000, 1010)
        ]
        await create(context, *large, *small)
        both = parse_types("Vehicle,Tram", EXPAND)
        fast = await ids(context, types=both, q=parse_q("speed>=398", EXPAND))
        assert sorted(fast) == sorted(["398", "399", *(str(n) for n in range(1000, 1010))])
        found = await ids(context, types=both, scope=parse_scope("/line/l7/#"))
        assert found == [str(n) for n in range(400) if n % 40 == 7]
        assert await ids(context, types=both, scope=parse_scope("/line/+/y")) == []

    run(tmp_path, test)


def test_verbs_on_what_is_not_there(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        with pytest.raises(ResourceNotFound):
            await context.write(lambda txn: operations.delete(txn, "urn:ngsi-ld:Vehicle:1"))
        assert context.changes.head() == 0

    run(tmp_path, test)


def test_a_closed_store_refuses(tmp_path: Path) -> None:
    async def body() -> None:
        context = open_store(tmp_path)
        await create(context, bus(1))
        await context.close()
        with pytest.raises(Unavailable):
            await context.write(partial(_delete, 1))

    asyncio.run(body())


def test_documents_are_kept_with_the_write_that_kept_them(tmp_path: Path) -> None:
    async def test(context: Context) -> None:
        await context.write(lambda txn: txn.keep("subscription", "urn:1", b"one"))
        await context.write(lambda txn: txn.keep("subscription", "urn:2", b"two"))
        await context.write(lambda txn: txn.keep("subscription", "urn:1", b"uno"))
        await context.write(lambda txn: txn.keep("registration", "urn:1", b"other"))
        documents = context.store.documents
        assert documents.list("subscription") == [("urn:1", b"uno"), ("urn:2", b"two")]
        assert documents.find("registration", "urn:1") == b"other"
        await context.write(lambda txn: txn.forget("subscription", "urn:1"))
        assert documents.find("subscription", "urn:1") is None
        assert documents.list("subscription") == [("urn:2", b"two")]

    run(tmp_path, test)


def test_a_job_that_fails_keeps_no_document_and_harms_no_neighbour(tmp_path: Path) -> None:
    def failing(txn: Txn) -> None:
        txn.keep("subscription", "urn:bad", b"bad")
        raise AlreadyExists("no")

    async def test(context: Context) -> None:
        good = context.write(lambda txn: txn.keep("subscription", "urn:good", b"good"))
        results = await asyncio.gather(good, context.write(failing), return_exceptions=True)
        assert isinstance(results[1], AlreadyExists)
        assert [one for one, _ in context.store.documents.list("subscription")] == ["urn:good"]

    run(tmp_path, test)


def test_a_folder_of_the_previous_format_opens_and_keeps_what_it_held(tmp_path: Path) -> None:
    """Format 1 had no documents beside the entities."""
    old = connect(tmp_path / "state.db")
    migrate(old, MIGRATIONS[:1], "the test")
    body = b'{"id":"urn:ngsi-ld:Vehicle:1","type":"Vehicle"}'
    row = (1, "urn:ngsi-ld:Vehicle:1", 0, 5, 5, None, body, b"[5,5]")
    old.execute("INSERT INTO entity VALUES(?, ?, ?, ?, ?, ?, ?, ?)", row)
    old.close()

    async def test(context: Context) -> None:
        await context.write(lambda txn: txn.keep("subscription", "urn:1", b"one"))
        assert context.store.documents.find("subscription", "urn:1") == b"one"
        assert int(connect(tmp_path / "state.db").pragma("user_version")) == len(MIGRATIONS)

    run(tmp_path, test)


def test_the_write_ahead_log_begins_anew_under_steady_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_UPKEEP_SECONDS", 0.001)
    monkeypatch.setattr(sqlite, "_LONG_WAL", 64)

    async def body(context: Context) -> None:
        frames = 0
        for value in range(400):
            fragment = parse_fragment({"speed": value, "name": "x" * 3000}, LD, now=0)
            if value == 0:
                await create(context, bus(1))
            await append(context, 1, fragment)
            frames += 2  # at the least: a page of the entity and one of the log
        assert (tmp_path / "state.db-wal").stat().st_size < frames * 4096 / 2
        held = context.get("urn:ngsi-ld:Vehicle:1")
        assert held is not None
        assert held.attrs[EXPAND("speed")][0].value == 399

    run(tmp_path, body)
