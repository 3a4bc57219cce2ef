"""Merging parts of an entity (CIM 009 §4.5.5.3, §4.3.6.2)."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from rynek.base.clock import to_iso
from rynek.context.distribution.merge import expired, merge, supplement, undecided, without
from rynek.context.model import Entity, Instance

NOW = 1_000_000_000_000_000
A, B = "https://x.test/a", "https://x.test/b"


def prop(value: object, **members: object) -> Instance:
    return Instance("Property", value, **members)  # type: ignore[arg-type]


def part(**attrs: list[Instance]) -> Entity:
    return Entity(
        "urn:x:1", ["T"], {f"https://x.test/{name}": found for name, found in attrs.items()}
    )


times = st.integers(min_value=0, max_value=5).map(lambda n: n * 1_000_000)
moments = st.one_of(st.none(), times.map(to_iso))


@st.composite
def instances(draw: st.DrawFn) -> list[Instance]:
    datasets = draw(
        st.lists(st.sampled_from([None, "urn:d:1", "urn:d:2"]), unique=True, min_size=1)
    )
    return [
        prop(
            draw(st.integers(0, 3)),
            dataset_id=dataset,
            observed_at=draw(moments),
            modified_at=draw(times),
            expires_at=draw(st.sampled_from([None, to_iso(NOW - 1), to_iso(NOW + 1)])),
        )
        for dataset in datasets
    ]


entities = st.builds(
    Entity,
    st.just("urn:x:1"),
    st.lists(st.sampled_from("TUV"), unique=True, min_size=1),
    st.dictionaries(st.sampled_from([A, B]), instances()),
    st.one_of(st.none(), st.lists(st.sampled_from(["/a", "/b"]), unique=True, min_size=1)),
    st.sampled_from([None, to_iso(NOW + 1), to_iso(NOW + 2)]),
    times,
    times,
)


def slots(entity: Entity) -> set[tuple[str, str | None]]:
    return {(attr, one.dataset_id) for attr, found in entity.attrs.items() for one in found}


def by_slot(entity: Entity) -> dict[tuple[str, str | None], Instance]:
    return {(attr, one.dataset_id): one for attr, found in entity.attrs.items() for one in found}


def ranks(entity: Entity) -> dict[tuple[str, str | None], tuple[str | None, int]]:
    """What decides between rivals, of every instance."""
    return {slot: (one.observed_at, one.modified_at) for slot, one in by_slot(entity).items()}


@given(st.lists(entities, min_size=1, max_size=4))
def test_nothing_is_lost_but_what_has_expired(parts: list[Entity]) -> None:
    merged = merge(parts, NOW)
    everything = set().union(*(slots(one) for one in parts))
    alive = {
        (attr, one.dataset_id)
        for entity in parts
        for attr, found in entity.attrs.items()
        for one in found
        if one.expires_at != to_iso(NOW - 1)
    }
    assert alive <= slots(merged) <= everything
    assert set(merged.types) == {name for one in parts for name in one.types}
    assert set(merged.scopes or ()) == {name for one in parts for name in one.scopes or ()}
    given_ = [one for entity in parts for found in entity.attrs.values() for one in found]
    assert all(one in given_ for found in merged.attrs.values() for one in found)


@given(entities, entities, entities)
def test_the_order_of_merging_changes_nothing_that_is_decided(
    a: Entity, b: Entity, c: Entity
) -> None:
    at_once = merge([a, b, c], NOW)
    left = merge([merge([a, b], NOW), c], NOW)
    right = merge([a, merge([b, c], NOW)], NOW)
    assert by_slot(left) == by_slot(right) == by_slot(at_once)
    assert left.expires_at == right.expires_at == at_once.expires_at
    for some in permutations([a, b, c]):
        other = merge(list(some), NOW)
        assert ranks(other) == ranks(at_once)
        assert other.expires_at == at_once.expires_at
        assert (other.created_at, other.modified_at) == (at_once.created_at, at_once.modified_at)


@given(entities)
def test_a_part_merged_with_itself_stays_as_it_is(one: Entity) -> None:
    merged = merge([one, one], NOW)
    alive = {
        (attr, i.dataset_id)
        for attr, found in one.attrs.items()
        for i in found
        if i.expires_at != to_iso(NOW - 1)
    }
    assert slots(merged) == alive
    assert merged.types == one.types


@given(entities, st.lists(entities, max_size=3))
def test_auxiliary_parts_change_nothing_that_is_there(one: Entity, extras: list[Entity]) -> None:
    together = supplement(one, extras, NOW)
    assert together is not None
    assert {attr: together.attrs[attr] for attr in one.attrs} == one.attrs
    assert set(together.attrs) <= set(one.attrs).union(*(extra.attrs for extra in extras))
    assert together.types == one.types


def test_the_latest_observation_wins_then_the_latest_change_then_the_first_part() -> None:
    early, late = to_iso(NOW - 20), to_iso(NOW - 10)
    one = part(a=[prop(1, observed_at=early, modified_at=9)], b=[prop(1, modified_at=1)])
    two = part(a=[prop(2, observed_at=late, modified_at=1)], b=[prop(2, modified_at=2)])
    merged = merge([one, two], NOW)
    assert [merged.attrs[attr][0].value for attr in (A, B)] == [2, 2]
    unknown = merge([part(a=[prop(1)]), part(a=[prop(2)])], NOW)
    assert unknown.attrs[A][0].value == 1


def test_expired_rivals_are_discarded_first() -> None:
    gone = prop(1, observed_at=to_iso(NOW - 1), expires_at=to_iso(NOW - 1))
    kept = prop(2, observed_at=to_iso(NOW - 9))
    assert merge([part(a=[gone]), part(a=[kept])], NOW).attrs[A] == [kept]


def test_an_entity_expires_when_all_say_so_and_then_at_the_latest() -> None:
    def until(text: str | None) -> Entity:
        return Entity("urn:x:1", ["T"], {}, None, text)

    one, two = to_iso(NOW + 1), to_iso(NOW + 2)
    assert merge([until(one), until(two)], NOW).expires_at == two
    assert merge([until(one), until(None)], NOW).expires_at is None
    assert expired(until(to_iso(NOW - 1)), NOW) and not expired(until(one), NOW)


def test_undecided_is_what_only_unknown_times_could_decide() -> None:
    at = to_iso(NOW)
    assert undecided([part(a=[prop(1)]), part(a=[prop(2)])], NOW)
    assert undecided([part(a=[prop(1, modified_at=5)]), part(a=[prop(2)])], NOW)
    for left, right in (
        (prop(1), prop(1)),
        (prop(1, modified_at=5), prop(2, modified_at=6)),
        (prop(1, observed_at=at), prop(2)),
        (prop(1, dataset_id="urn:d:1"), prop(2)),
    ):
        assert not undecided([part(a=[left]), part(a=[right])], NOW)
    assert not undecided([part(a=[prop(1)]), part(b=[prop(2)])], NOW)


def test_attributes_that_others_hold_are_taken_out() -> None:
    entity = part(a=[prop(1)], b=[prop(2)])
    assert set(without(entity, frozenset((A,))).attrs) == {B}
    assert without(entity, frozenset(("https://x.test/z",))) is entity
    assert A in entity.attrs
