"""Matching of registrations against a reference written from the words of CIM 009 §5.12."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rynek.context import RegistrationSpec, parse_geo, parse_scope, parse_types
from rynek.context.registrations import (
    EntityInfo,
    Interval,
    Registration,
    RegistrationIndex,
    RegistrationInfo,
    TemporalSpan,
    match,
)

TYPES = ["t:A", "t:B", "t:C"]
IDS = ["urn:x:1", "urn:x:2", "urn:y:1"]
PATTERNS = ["^urn:x", "1$", "^urn:z"]
ATTRS = ["a:p", "a:q", "a:r"]

entity_infos = st.builds(
    EntityInfo,
    st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True).map(tuple),
    st.none() | st.sampled_from(IDS),
    st.none() | st.sampled_from(PATTERNS),
)
infos = st.builds(
    RegistrationInfo,
    st.lists(entity_infos, max_size=2).map(tuple),
    st.lists(st.sampled_from(ATTRS), max_size=2, unique=True).map(tuple),
    st.lists(st.sampled_from(ATTRS), max_size=1).map(tuple),
)
informations = st.lists(infos, min_size=1, max_size=3).map(tuple)
selectors = st.none() | st.sampled_from(["t:A", "t:A,t:B", "t:A;t:B", "*", "(t:A;t:C),t:B"])
specs = st.builds(
    lambda types, ids, id_pattern, attrs, datasets: RegistrationSpec(
        types=None if types is None else parse_types(types, str),
        ids=ids,
        id_pattern=id_pattern,
        attrs=attrs,
        dataset_ids=datasets,
    ),
    selectors,
    st.none() | st.lists(st.sampled_from(IDS), min_size=1, max_size=2, unique=True),
    st.none() | st.sampled_from(PATTERNS),
    st.lists(st.sampled_from(ATTRS), max_size=2, unique=True),
    st.none() | st.lists(st.sampled_from(["@none", "urn:d:1"]), min_size=1, unique=True),
)


def registration(
    number: int, information: tuple[RegistrationInfo, ...], **more: Any
) -> Registration:
    """A registration that has nothing but what matching looks at."""
    return Registration(
        id=f"urn:reg:{number}", endpoint="http://a.test", information=information, **more
    )


def entity_matches(spec: RegistrationSpec, info: EntityInfo) -> bool:
    """ "An Entity specification … matches an EntityInfo element if …" """
    if spec.types is not None and not spec.types.matches(info.types):
        return False
    if spec.ids is None and spec.id_pattern is None:
        return True
    ids = spec.ids or []
    return (
        (info.id is None and info.id_pattern is None)
        or info.id in ids
        or (
            info.id is None  # "id takes precedence over idPattern" (§5.2.8)
            and info.id_pattern is not None
            and any(re.search(info.id_pattern, one) for one in ids)
        )
        or (
            spec.id_pattern is not None
            and info.id is not None
            and re.search(spec.id_pattern, info.id) is not None
        )
        or (spec.id_pattern is not None and info.id is None and info.id_pattern is not None)
    )


def info_matches(spec: RegistrationSpec, info: RegistrationInfo) -> bool:
    """ "… matches a RegistrationInfo if the following conditions hold" """
    names = {*info.properties, *info.relationships}
    return (not info.entities or any(entity_matches(spec, one) for one in info.entities)) and (
        not spec.attrs or not names or any(name in names for name in spec.attrs)
    )


def reference(spec: RegistrationSpec, one: Registration) -> bool:
    """At least one RegistrationInfo matches, and the dataset ids have one in common."""
    datasets = (
        not spec.dataset_ids
        or not one.dataset_ids
        or bool(set(spec.dataset_ids) & set(one.dataset_ids))
    )
    return datasets and any(info_matches(spec, info) for info in one.information)


@given(
    st.lists(st.tuples(informations, st.none() | st.just(("urn:d:1",))), max_size=8),
    st.lists(st.integers(0, 7), max_size=4),
    specs,
)
def test_the_index_finds_what_the_words_of_the_standard_say(
    given_ones: list[tuple[Any, Any]], gone: list[int], spec: RegistrationSpec
) -> None:
    index = RegistrationIndex()
    kept: dict[str, Registration] = {}
    for number, (information, datasets) in enumerate(given_ones):
        one = registration(number, information, dataset_ids=datasets)
        index.put(one)
        kept[one.id] = one
    for number in gone:
        index.remove(f"urn:reg:{number}")
        kept.pop(f"urn:reg:{number}", None)
    found = [one.registration.id for one in index.matching(spec)]
    assert found == [one.id for one in kept.values() if reference(spec, one)]
    assert index.empty is (not kept)
    assert len(index) == len(kept)


@given(informations, informations, specs)
def test_a_registration_that_changes_is_found_by_what_it_is_now(
    before: Any, after: Any, spec: RegistrationSpec
) -> None:
    index = RegistrationIndex()
    index.put(registration(1, before))
    index.put(registration(1, after))
    expected = reference(spec, registration(1, after))
    assert bool(index.matching(spec)) is expected


@given(informations, specs)
def test_the_parts_say_which_entities_and_attributes(
    information: Any, spec: RegistrationSpec
) -> None:
    found = match(registration(1, information), spec)
    if found is None:
        return
    assert [part.info for part in found.parts] == [
        info for info in information if info_matches(spec, info)
    ]
    for part in found.parts:
        names = {*part.info.properties, *part.info.relationships}
        assert part.attrs == ((names & set(spec.attrs) if spec.attrs else names) if names else None)
        assert (part.entities is None) is (not part.info.entities)
        for one in part.entities or ():
            assert entity_matches(spec, one)


def test_the_types_of_one_entity_hold_all_types_that_are_registered() -> None:
    information = (RegistrationInfo((EntityInfo(("t:A", "t:B")),)),)
    one = registration(1, information)
    assert match(one, RegistrationSpec(entity_types=("t:A", "t:B", "t:C"), ids=("urn:x:1",)))
    assert not match(one, RegistrationSpec(entity_types=("t:A",), ids=("urn:x:1",)))


def test_a_source_that_the_request_has_passed_does_not_match() -> None:
    one = registration(1, (RegistrationInfo(properties=("a:p",)),), context_source_alias="me")
    assert match(one, RegistrationSpec(via=("other",)))
    assert not match(one, RegistrationSpec(via=("other", "me")))


def test_latest_and_temporal_registrations_are_apart() -> None:
    info = (RegistrationInfo(properties=("a:p",)),)
    now = registration(1, info)
    past = registration(2, info, observation_interval=Interval("", 100, "", 200))
    open_end = registration(3, info, management_interval=Interval("", 100))
    assert match(now, RegistrationSpec())
    assert not match(past, RegistrationSpec())
    spans = {
        (None, 99): False,
        (None, 100): True,
        (200, None): True,
        (201, None): False,
        (150, 160): True,
        (0, 50): False,
    }
    for (start, end), expected in spans.items():
        spec = RegistrationSpec(temporal=TemporalSpan(start, end))
        assert bool(match(past, spec)) is expected
        assert not match(now, spec)
        assert not match(open_end, spec)
    assert match(open_end, RegistrationSpec(temporal=TemporalSpan(10**9, None, observed=False)))


def test_places_and_scopes_narrow_where_a_registration_has_them() -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]}
    info = (RegistrationInfo(properties=("a:p",)),)
    there = registration(1, info, location=square, scopes=("/a/b",))
    nowhere = registration(2, info)
    geo = parse_geo("near;maxDistance==1000", "Point", "[1,1]")
    far = parse_geo("near;maxDistance==1000", "Point", "[9,9]")
    assert match(there, RegistrationSpec(geo=geo))
    assert not match(there, RegistrationSpec(geo=far))
    assert match(nowhere, RegistrationSpec(geo=geo))
    assert not match(nowhere, RegistrationSpec(geo=geo, strict=True))
    assert match(there, RegistrationSpec(scope=parse_scope("/a/#")))
    assert not match(there, RegistrationSpec(scope=parse_scope("/b")))
    assert match(nowhere, RegistrationSpec(scope=parse_scope("/b")))
    assert not match(nowhere, RegistrationSpec(scope=parse_scope("/b"), strict=True))
