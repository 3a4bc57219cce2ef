"""The index finds every subscription that a change concerns, and few others."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from rynek.context import Entity, core_context, parse_entity
from rynek.context.formats import encode_body, encode_times, open_sheet
from rynek.context.operations.same import unchanged
from rynek.context.store.pending import State
from rynek.context.store.written import Written
from rynek.context.subscriptions import index as module
from rynek.context.subscriptions import plan
from rynek.context.subscriptions.delta import Delta
from rynek.context.subscriptions.index import SubscriptionIndex
from rynek.context.subscriptions.match import concerns
from rynek.context.subscriptions.model import Member, Subscription
from rynek.context.subscriptions.parse import assemble
from rynek.context.subscriptions.ranges import Values

LD = core_context()
NOTIFICATION = {"endpoint": {"uri": "http://a/b"}}


def subscription(n: int, **members: Any) -> Subscription:
    """A subscription with these members."""
    given = {"notification": NOTIFICATION, "localOnly": True} | members
    return assemble(
        f"urn:s:{n}",
        {name: Member(value, LD) for name, value in given.items() if value is not None},
        notify_ld=LD,
        link="",
    )


def entity(document: dict[str, Any] | None) -> Entity | None:
    """An entity, or none."""
    return None if document is None else parse_entity(document, LD, now=1)


def bus(**attrs: Any) -> dict[str, Any]:
    """A bus."""
    return {"id": "urn:b:1", "type": "Bus"} | attrs


def found(index: SubscriptionIndex, before: Any, after: Any) -> set[str]:
    """The ids that a change could concern."""
    got = index.candidates(Written("urn:b:1", State(LD, entity(before)), State(LD, entity(after))))
    return set() if got is None else {one.id for one in got[1]}


def at(x: float, y: float) -> dict[str, Any]:
    """A place."""
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [x, y]}}


def test_a_change_is_compared_with_what_could_match_only() -> None:
    index = SubscriptionIndex()
    buses = [{"type": "Bus"}]
    for n in range(1000):
        index.put(subscription(n, entities=buses, q=f'stop=="s{n}"'))
        index.put(subscription(1000 + n, entities=buses, watchedAttributes=[f"a{n}"]))
        index.put(subscription(2000 + n, entities=[{"type": "Bus", "id": f"urn:b:{n}"}]))
        index.put(subscription(3000 + n, entities=[{"type": f"T{n}"}]))
        place = {"georel": "near;maxDistance==100", "geometry": "Point",
                 "coordinates": [n / 10 - 50, 50.025]}  # fmt: skip
        index.put(subscription(4000 + n, entities=buses, geoQ=place))
        index.put(subscription(5000 + n, entities=buses, q=f"load>{n};stop"))
    before = bus(stop="s1", a7=1, load=5.5, location=at(0.0, 50.025))
    after = bus(stop="s2", a7=2, load=5.5, location=at(0.1, 50.025))
    names = {"urn:s:2", "urn:s:1007", "urn:s:2001", "urn:s:4501"}
    assert found(index, before, after) == names | {f"urn:s:{5000 + n}" for n in range(6)}
    assert found(index, after, after) == set()
    for one in list(index.all):
        index.remove(one)
    assert found(index, before, after) == set()
    assert not index._by_id
    assert not index._by_type


def altered(before: dict[str, Any], attr: str, value: Any) -> Written:
    """One attribute of a stored entity is written alone."""
    was, now = entity(before), entity(before | {attr: value})
    assert was is not None
    assert now is not None
    iri = LD.attribute(attr)
    before_state, after_state = (
        State(LD, parts=open_sheet(encode_body(one, LD), encode_times(one), LD))
        for one in (was, now)
    )
    moved = {iri: (was.attrs[iri][0], now.attrs[iri][0])}
    return Written(was.id, before_state, after_state, moved)


def told(index: SubscriptionIndex, *written: Any) -> set[str]:
    """Whom a write of one attribute could concern."""
    got = index.candidates(altered(*written))
    return set() if got is None else {one.id for one in got[1]}


def test_what_an_entity_keeps_is_looked_up_once_until_it_or_a_subscription_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[Any] = []
    find_in = Values.find_in

    def look(*args: Any) -> None:
        looked.append(args)
        find_in(*args)

    monkeypatch.setattr(Values, "find_in", look)
    index = SubscriptionIndex()
    buses = [{"type": "Bus"}]
    near = {"georel": "near;maxDistance==100", "geometry": "Point", "coordinates": [0.0, 50.025]}
    index.put(subscription(1, entities=buses, q='stop=="s1"'))
    index.put(subscription(2, entities=buses, q='stop=="s2"'))
    index.put(subscription(3, entities=buses, geoQ=near))
    first = bus(stop="s1", location=at(0.0, 50.025), a=1)
    second = first | {"stop": "s2"}
    for value in range(2, 9):
        assert told(index, first, "a", value) == {"urn:s:1", "urn:s:3"}
    assert len(looked) == 1
    # What is written itself is looked at each time, the rest anew for another kind of change.
    assert told(index, first, "stop", "s2") == {"urn:s:2", "urn:s:3"}
    assert told(index, second, "stop", "s1") == {"urn:s:1", "urn:s:3"}
    assert len(looked) == 3
    assert told(index, first, "stop", "s2") == {"urn:s:2", "urn:s:3"}
    assert told(index, second, "a", 2) == {"urn:s:2", "urn:s:3"}
    assert told(index, second, "a", 3) == {"urn:s:2", "urn:s:3"}
    assert len(looked) == 5
    # An entity that was written as a whole, and a group that came to nothing.
    assert found(index, second, first) >= {"urn:s:1", "urn:s:3"}
    assert told(index, first, "a", 2) == {"urn:s:1", "urn:s:3"}
    index.forget()
    assert told(index, second, "a", 2) == {"urn:s:2", "urn:s:3"}
    index.put(subscription(4, entities=buses, q='stop=="s2"'))
    index.remove("urn:s:2")
    assert told(index, second, "a", 3) == {"urn:s:3", "urn:s:4"}


def test_a_change_of_all_that_conditions_are_about_forgets_what_was_known_before() -> None:
    index = SubscriptionIndex()
    index.put(subscription(1, entities=[{"type": "Bus"}], q='stop=="s1"'))
    assert told(index, bus(stop="s1", a=1), "a", 2) == {"urn:s:1"}
    assert told(index, bus(stop="s1", a=2), "stop", "s2") == set()
    assert told(index, bus(stop="s2", a=2), "a", 3) == set()


@pytest.mark.parametrize("conditions", [1_000, 1])
def test_what_is_kept_of_entities_has_bounded_bytes(
    conditions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_MAX_BYTES", 1 << 16)
    index = SubscriptionIndex()
    for n in range(conditions):
        index.put(subscription(n, entities=[{"type": "Bus"}], q='state!="x"'))
        index.put(subscription(conditions + n, entities=[{"type": "Bus"}], q='state=="open"'))
    tracemalloc.start()
    try:
        for number in range(600):
            one = bus(state="open", a=1) | {"id": f"urn:b:{number}"}
            assert len(told(index, one, "a", 2)) == 2 * conditions
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1 << 19


def test_plans_have_bounded_bytes_however_many_kinds_of_change_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MAX_PLANNED", 20_000)
    index = SubscriptionIndex()
    for n in range(2_000):
        index.put(subscription(n, entities=[{"type": "Bus"}]))
    tracemalloc.start()
    try:
        for number in range(150):
            one = bus(**{f"a{number}": 1}) | {"type": ["Bus", f"T{number}"]}
            assert len(found(index, None, one)) == 2_000
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 4 << 20


def test_one_put_again_is_found_by_what_it_says_now() -> None:
    index = SubscriptionIndex()
    index.put(subscription(1, entities=[{"type": "Bus"}], q="speed>5"))
    index.put(subscription(1, entities=[{"type": "Tram"}]))
    assert found(index, None, bus(speed=9)) == set()
    assert len(index) == 1


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one], lambda one: {"a": [0, one]}])
def test_true_is_not_one_however_deep_it_stands(wrap: Callable[[Any], Any]) -> None:
    index = SubscriptionIndex()
    index.put(subscription(1, entities=[{"type": "Bus"}]))
    one, true, same = (bus(state={"value": wrap(value)}) for value in (1, True, 1.0))
    assert found(index, one, true) == {"urn:s:1"}
    assert found(index, one, same) == set()
    was, now = (entity(each) for each in (one, true))
    assert was is not None
    assert now is not None
    iri = LD.attribute("state")
    assert not unchanged(was.attrs[iri][0], now.attrs[iri][0])


_values = st.one_of(
    st.integers(-3, 3),
    st.sampled_from(["a", "b", "2026-01-01T00:00:00Z"]),
    st.booleans(),
    st.floats(-2, 2, allow_nan=False),
)
_places = st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)).map(lambda xy: at(*xy))
_attrs = st.fixed_dictionaries(
    {},
    optional={
        "speed": _values.map(lambda v: {"value": v}),
        "name": _values.map(lambda v: {"value": v, "sub": {"value": 1}}),
        "location": _places,
    },
)
_entities = st.builds(
    lambda kind, attrs: {"id": "urn:b:1", "type": kind} | attrs,
    st.sampled_from(["Bus", "Tram", ["Bus", "Tram"]]),
    _attrs,
)
_members = st.fixed_dictionaries(
    {},
    optional={
        "entities": st.lists(
            st.sampled_from(
                [
                    {"type": "Bus"},
                    {"type": "Tram;Bus"},
                    {"type": "Tram|Bus"},
                    {"type": "*"},
                    {"type": "Bus", "id": "urn:b:1"},
                    {"type": "Bus", "id": ["urn:b:2"]},
                    {"type": "Tram", "idPattern": "1$"},
                ]
            ),
            min_size=1,
            max_size=2,
        ),
        "watchedAttributes": st.lists(
            st.sampled_from(["speed", "name", "location"]), min_size=1, max_size=2
        ),
        "q": st.sampled_from(
            ["speed>1", "speed<=0", "speed==2", 'speed=="a"', "speed==1,2", "speed==0..1",
             "speed!=1", "name.sub==1;speed>=0", "speed>2|name", 'name~="^a"', "speed==true",
             'name<"b"', "speed>2026-01-01T00:00:00Z", "speed>=2026-01-01"]
        ),
        "geoQ": st.builds(
            lambda x, y, r: {
                "georel": f"near;maxDistance=={r}", "geometry": "Point", "coordinates": [x, y]
            },
            st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.sampled_from([100, 5000, 100_000]),
        ),
        "notificationTrigger": st.lists(
            st.sampled_from(
                ["entityCreated", "entityDeleted", "entityUpdated", "attributeDeleted"]
            ),
            min_size=1,
        ),
    },
)  # fmt: skip


@settings(max_examples=examples(120), deadline=None)
@given(
    st.lists(_members, max_size=8),
    st.one_of(st.none(), _entities),
    st.one_of(st.none(), _entities),
)
def test_no_subscription_that_a_change_concerns_is_passed_over(
    members: list[dict[str, Any]], before: Any, after: Any
) -> None:
    index = SubscriptionIndex()
    for n, given_members in enumerate(members):
        index.put(subscription(n, **given_members))
    candidates = found(index, before, after)
    if before is None and after is None:
        assert candidates == set()
        return
    delta = Delta(entity(before), entity(after))
    for one in index.all.values():
        if not delta.empty and concerns(one, delta, lambda _: None):
            assert one.id in candidates
    for one in list(index.all.values()):
        index.remove(one.id)
    assert not index._by_type
    assert not index._by_id
