"""Types, scopes, projection, ids: the small languages."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.errors import BadRequestData, Problem, TooComplexQuery
from rynek.context.query import (
    parse_attrs,
    parse_ids,
    parse_projection,
    parse_scope,
    parse_types,
)


def expand(name: str) -> str:
    return f"https://example.org/{name}" if ":" not in name else name


@pytest.mark.parametrize(
    ("text", "types", "selected"),
    [
        ("Building|House", ["House"], True),
        ("Building,House", ["Building"], True),
        ("Building,House", ["Tent"], False),
        ("(Home;Vehicle)", ["Home"], False),
        ("(Home;Vehicle)", ["Vehicle", "Home", "Toy"], True),
        ("(Home;Vehicle)|Motorhome", ["Motorhome"], True),
        ("(Home;Vehicle),Motorhome", ["Vehicle"], False),
        ("Home;(Vehicle|Boat)", ["Home", "Boat"], True),
        ("Home;(Vehicle|Boat)", ["Boat"], False),
        ("*", ["Anything"], True),
        ("https://example.org/House", ["House"], True),
    ],
)
def test_types(text: str, types: list[str], selected: bool) -> None:
    assert parse_types(text, expand).matches([expand(name) for name in types]) is selected


def test_type_alternatives_are_sets_that_must_all_be_there() -> None:
    found = parse_types("A;(B|C),A", expand).alternatives()
    names = [{iri.rsplit("/", 1)[1] for iri in option} for option in found]
    assert names == [{"A", "B"}, {"A", "C"}, {"A"}]


@pytest.mark.parametrize(
    ("text", "position"), [("", 0), ("A,", 2), ("(A;B", 4), ("A B", 2), ("A)", 1), ("*,A", 1)]
)
def test_bad_types_name_the_position(text: str, position: int) -> None:
    with pytest.raises(BadRequestData, match=f"type: expected .* at position {position}"):
        parse_types(text, expand)


@pytest.mark.parametrize(
    "text", ["A" * 20_000, "(" * 100 + "A", "A," * 300 + "A", ";".join(["(A|B)"] * 30)]
)
def test_types_are_bounded(text: str) -> None:
    with pytest.raises(TooComplexQuery):
        parse_types(text, expand)


@pytest.mark.parametrize(
    ("text", "scopes", "selected"),
    [
        ("/Madrid", ["/Madrid"], True),
        ("/Madrid", ["Madrid"], True),
        ("/Madrid", ["/Madrid/Gardens"], False),
        ("/Madrid/Gardens/#", ["/Madrid/Gardens"], True),
        ("/Madrid/Gardens/#", ["/Madrid/Gardens/ParqueNorte/Parterre1"], True),
        ("/Madrid/Gardens/#", ["/Madrid/GardensX"], False),
        ("/Madrid/+/ParqueNorte", ["/Madrid/Sights/ParqueNorte"], True),
        ("/Madrid/+/ParqueNorte", ["/Madrid/ParqueNorte"], False),
        ("/Madrid/ / /#,/Brno/ ", ["/Madrid/Sights/ParqueNorte"], True),
        ("/Madrid/ / /#,/Brno/ ", ["/Madrid/Sights"], False),
        ("/Madrid/ / /#,/Brno/ ", ["/Brno/A"], True),
        ("(/Madrid/Districts;/CompanyA)", ["/Madrid/Districts"], False),
        ("(/Madrid/Districts;/CompanyA)", ["/CompanyA", "/Madrid/Districts"], True),
        ("(/Madrid/Districts;/CompanyA)|CompanyB", ["/CompanyB"], True),
        ("(/Madrid/Districts;/CompanyA),CompanyB", ["/CompanyA"], False),
        ('"/Madrid/Centro,/Madrid/Cortes"', ["/Madrid/Cortes"], True),
        ("/#", ["/x"], True),
        ("/#", [], False),
        ("/#", None, False),
        ("/Київ/#", ["/Київ/Поділ"], True),
    ],
)
def test_scopes(text: str, scopes: list[str] | None, selected: bool) -> None:
    assert parse_scope(text).matches(scopes) is selected


@pytest.mark.parametrize(
    "text", ["", "/", "//a", "/a/", "/1a", "/a/#/b", "/a b", "(/a", "/a-b", '"', '""', '"/a']
)
def test_bad_scopes(text: str) -> None:
    with pytest.raises(BadRequestData, match="scopeQ: expected"):
        parse_scope(text)


LEVEL = st.sampled_from(["A", "B", "Long_1"])
SCOPE = st.lists(LEVEL, min_size=1, max_size=4).map(lambda levels: "/" + "/".join(levels))
PATTERN = st.builds(
    lambda levels, end: "/" + "/".join(levels) + end,
    st.lists(LEVEL | st.just("+"), min_size=1, max_size=3),
    st.sampled_from(["", "/#"]),
)


@given(st.lists(PATTERN, min_size=1, max_size=3), st.sampled_from([",", ";"]), st.lists(SCOPE))
def test_scope_prefixes_cover_every_match(
    patterns: list[str], joint: str, scopes: list[str]
) -> None:
    parsed = parse_scope(joint.join(patterns))
    if parsed.matches(scopes):
        assert any(
            scope == prefix or scope.startswith(prefix + "/")
            for prefix in parsed.prefixes()
            for scope in scopes
        )
    for option in parsed.alternatives():
        for pattern in option:
            for scope in scopes:
                if pattern.exact:
                    assert pattern.matches(scope) is (scope == pattern.prefix)


def test_projection() -> None:
    picked = parse_projection("pick", "id,type|temperature,@id, humidity", expand)
    assert picked.members == {"id", "type"}
    assert picked.attrs == {expand("temperature"), expand("humidity")}
    assert picked.keeps(expand("humidity"))
    assert not picked.keeps("humidity")
    assert parse_attrs("b,a,b", expand) == [expand("b"), expand("a")]


def test_projection_of_linked_entities_needs_a_join() -> None:
    text = "id,observation{temperature,at{name|id}},a,observation{humidity}"
    with pytest.raises(BadRequestData, match=r"omit: the braces .* parameter join"):
        parse_projection("omit", text, expand)
    with pytest.raises(BadRequestData, match="2 deep, joinLevel is 1"):
        parse_projection("pick", text, expand, 1)
    picked = parse_projection("pick", text, expand, 2)
    assert picked.attrs == {expand("observation"), expand("a")}
    inner = picked.linked[expand("observation")]
    assert inner.attrs == {expand("temperature"), expand("at"), expand("humidity")}
    assert inner.linked[expand("at")].members == {"id"}
    assert inner.linked[expand("at")].attrs == {expand("name")}
    with pytest.raises(BadRequestData, match="attrs: expected attribute names only"):
        parse_attrs("a,b{c}", expand)


@pytest.mark.parametrize("text", ["", ",", "a,", "a b", "a}", "a{", "a{}", "a{b", "a{b}}", "a{b}c"])
def test_bad_projections(text: str) -> None:
    with pytest.raises(BadRequestData, match="pick: expected"):
        parse_projection("pick", text, expand, 1)


def test_ids() -> None:
    assert parse_ids("urn:a:1, urn:a:2,urn:a:1") == ["urn:a:1", "urn:a:2"]
    for bad in ("", "a", "urn:a:1,", "urn:", "1:a", "urn:a b"):
        with pytest.raises(BadRequestData, match="id"):
            parse_ids(bad)


PARSERS: list[Callable[[str], object]] = [
    lambda text: parse_types(text, expand),
    parse_scope,
    lambda text: parse_attrs(text, expand),
    lambda text: parse_projection("pick", text, expand, 9),
    parse_ids,
]


@given(st.sampled_from(PARSERS), st.text() | st.text("Aa/+#,;|(){}:* ", max_size=30))
def test_parsers_raise_nothing_but_problems(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(Problem):
        parse(text)
