"""The entity ordering language: what is parsed, and which entity comes first (CIM 009 §4.23)."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rynek.base.collation import sort_keys
from rynek.base.errors import BadRequestData, Problem
from rynek.context.model import Entity, Instance
from rynek.context.query import Ordering, parse_ordering


def expand(name: str) -> str:
    return f"https://example.org/{name}"


def parse(text: str, **more: Any) -> Ordering:
    return parse_ordering(text, expand, **more)


def entity(name: str, *instances: Instance, **attrs: Instance) -> Entity:
    found = {expand(key): [one] for key, one in attrs.items()}
    if instances:
        found[expand("a")] = list(instances)
    return Entity(name, [expand("T")], found)


def prop(value: Any, **more: Any) -> Instance:
    return Instance("Property", value, **more)


def names(entities: list[Entity], ordering: Ordering) -> str:
    ranks = [ordering.ranks(one, lambda iri: iri.rsplit("/", 1)[1]) for one in entities]
    texts = ordering.texts(ranks)
    keys = dict(zip(texts, sort_keys(texts, ordering.collation), strict=True))
    return "".join(entities[position].id for position in ordering.arrange(ranks, keys))


def test_terms() -> None:
    first, second, third, own, time = parse(
        "name , b.observedAt;desc,address[city.name]; asc,id;desc,createdAt"
    ).terms
    assert (first.path.attr, first.descending, first.by_distance) == (expand("name"), False, False)
    assert (second.path.member, second.descending) == ("observedAt", True)
    assert (third.path.trail, third.descending) == (("city", "name"), False)
    assert (own.path.attr, own.descending, time.path.attr) == ("@id", True, "@createdAt")
    near = parse("location;dist-desc", coordinates="[8,40]")
    assert (near.terms[0].by_distance, near.terms[0].descending) == (True, True)
    assert near.reference == {"type": "Point", "coordinates": [8, 40]}


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("", {}, "orderBy: expected an attribute name"),
        ("a,", {}, "orderBy: expected an attribute name"),
        ("a;up", {}, "orderBy: expected asc, desc, dist-asc, dist-desc at position 2, found 'up'"),
        ("a;", {}, "orderBy: expected asc"),
        ("a b", {}, "orderBy: expected ','"),
        ("a;asc;desc", {}, "orderBy: expected ','"),
        ("!a", {}, "orderBy: expected an attribute name"),
        ("a;dist-asc", {}, "needs orderFrom"),
        ("a", {"collation": "klingon"}, "collation: 'klingon'"),
        ("a", {"coordinates": "[8"}, "orderGeometry, orderFrom: not a JSON array"),
        ("a", {"coordinates": "[8,400]", "geometry": "Cube"}, "orderGeometry, orderFrom"),
        ("a", {"coordinates": "[]", "geometry": "GeometryCollection"}, "orderGeometry"),
        ("a", {"geometry": "Point"}, "needs the coordinates"),
    ],
)
def test_errors_say_what_is_wrong(text: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequestData) as raised:
        parse(text, **more)
    assert message in str(raised.value)


@given(st.text() | st.text("ab.;,[]dist-asc ", max_size=30))
def test_the_parser_raises_nothing_but_problems(text: str) -> None:
    with contextlib.suppress(Problem):
        parse(text)


MIXED = [
    entity("g", prop("2026-01-01")),
    entity("j"),
    entity("c", prop({"x": 1})),
    entity("i", prop({"@type": "@json", "@value": None})),
    entity("a", prop(7)),
    entity("e", prop(True)),
    entity("h", prop("2026-01-01T00:00:00Z")),
    entity("b", prop("text")),
    entity("f", prop("10:00:00Z")),
    entity("d", prop([1])),
]


def test_data_types_have_an_order() -> None:
    assert names(MIXED, parse("a")) == "abcdefghij"
    assert names(MIXED, parse("a;desc")) == "hgfedcbaij"  # what is missing stays last


def test_values_compare_within_their_type() -> None:
    numbers = [entity("a", prop(10)), entity("b", prop(9.5)), entity("c", prop(-1))]
    assert names(numbers, parse("a")) == "cba"
    texts = [entity("a", prop("Zoo")), entity("b", prop("ähm")), entity("c", prop("apple"))]
    assert names(texts, parse("a")) == "bca"
    assert names(texts, parse("a", collation="sv")) == "cab"
    times = [
        entity("a", prop(0, observed_at="2026-01-01T12:00:00+02:00")),
        entity("b", prop(0, observed_at="2026-01-01T11:00:00Z")),
        entity("c", prop(0)),
    ]
    assert names(times, parse("a.observedAt")) == "abc"
    assert names(times, parse("a.observedAt;desc")) == "bac"
    typed = [entity("a", prop("05", value_type="DateTime")), entity("b", prop(False))]
    assert names(typed, parse("a")) == "ab"


def test_several_terms_and_stability() -> None:
    rows = [
        entity("a", prop(1), b=prop("x")),
        entity("b", prop(2), b=prop("x")),
        entity("c", prop(1), b=prop("y")),
        entity("d", prop(2), b=prop("x")),
    ]
    assert names(rows, parse("a,b;desc")) == "cabd"
    assert names(rows, parse("b;desc,a;desc")) == "cbda"
    assert names(rows, parse("a;desc")) == "bdac"
    assert names(rows, parse("type,id;desc")) == "dcba"


def test_instances_languages_and_targets() -> None:
    two = entity("a", prop(9, dataset_id="urn:d:1"), prop(5))
    other = entity("b", prop(1, dataset_id="urn:d:1"), prop(6, dataset_id="urn:d:2"))
    assert names([two, other], parse("a")) == "ba"
    langs = [
        entity("a", Instance("LanguageProperty", {"en": "z", "pl": "a"})),
        entity("b", Instance("LanguageProperty", {"en": "m", "pl": "m"})),
    ]
    assert names(langs, parse("a", lang="en")) == "ba"
    assert names(langs, parse("a", lang="pl")) == "ab"
    assert names(langs, parse("a[en]")) == "ba"
    objects = [
        entity("a", Instance("Relationship", "urn:b")),
        entity("b", Instance("Relationship", "urn:a")),
    ]
    assert names(objects, parse("a")) == "ba"
    cities = [entity("a", prop({"city": "Łódź"})), entity("b", prop({"city": "Lublin"}))]
    assert names(cities, parse("a[city]")) == "ab"
    assert names(cities, parse("a[none],a[city];desc")) == "ba"


def test_distance() -> None:
    def place(name: str, lon: float) -> Entity:
        return entity(name, Instance("GeoProperty", {"type": "Point", "coordinates": [lon, 50]}))

    line = {"type": "LineString", "coordinates": [[10, 50], [10, 51]]}
    rows = [
        entity("x"),
        entity("w", prop(5)),
        place("c", 13),
        place("a", 8.5),
        place("b", 7),
        entity("d", Instance("GeoProperty", line)),
    ]
    at = {"coordinates": [8, 50]}
    assert names(rows, parse("a;dist-asc", **at)) == "abdcwx"
    assert names(rows, parse("a;dist-desc", **at)) == "cdbawx"
    from_line = {"coordinates": "[[13,49],[13,51]]", "geometry": "LineString"}
    assert names(rows, parse("a;dist-asc", **from_line)) == "cdabwx"


VALUE = st.one_of(
    st.integers(-5, 5), st.floats(-5, 5), st.booleans(), st.none(),
    st.sampled_from(["a", "B", "ą", "", "2026-01-01", "2026-01-01T00:00:00Z"]),
    st.lists(st.integers(0, 2), max_size=2), st.dictionaries(st.just("x"), st.integers(0, 2)),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.tuples(VALUE, VALUE), max_size=12), st.booleans(), st.booleans())
def test_it_is_one_total_order(values: list[tuple[Any, Any]], up: bool, down: bool) -> None:
    """Sorting by two terms is sorting by pairwise comparison, and every pair is comparable."""
    rows = [entity(chr(97 + i), prop(a), b=prop(b)) for i, (a, b) in enumerate(values)]
    ordering = parse(f"a{';desc' * up},b{';desc' * down}")
    result = names(rows, ordering)

    def compare(x: Entity, y: Entity) -> int:
        if names([x, y], ordering) == y.id + x.id:
            return 1
        return -1 if names([y, x], ordering) == x.id + y.id else 0

    assert result == "".join(one.id for one in sorted(rows, key=functools.cmp_to_key(compare)))
