from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from rynek.context.model import Entity, Instance
from rynek.context.query import (
    AnyOf,
    Comparison,
    Hint,
    Key,
    KeyRange,
    comparisons,
    compile_q,
    hints,
    index_keys,
    key_ranges,
    parse_q,
)


def expand(name: str) -> str:
    return f"https://example.org/{name}"


def only(text: str) -> Comparison:
    (found,) = comparisons(parse_q(text, expand))
    return found


def test_top_level_conjuncts_are_found() -> None:
    found = comparisons(
        parse_q('a==1;b!=2;c;(d>3;e.f[g]~="^x");modifiedAt>2026-01-01T00:00:00Z', expand)
    )
    assert [(c.attr, c.path, c.op) for c in found] == [
        (expand("a"), (), "=="),
        (expand("d"), (), ">"),
        (expand("e"), ("." + expand("f"), "[g"), "~="),
    ]
    assert only("a.observedAt>2026-01-01T00:00:00Z").path == ("@observedAt",)


def test_disjunctions_are_unions_only_when_every_branch_is_indexable() -> None:
    (union,) = hints(parse_q("a==1|b>2;c;d<3", expand))
    assert isinstance(union, AnyOf)
    assert [
        [h.attr[-1] for h in branch if isinstance(h, Comparison)] for branch in union.branches
    ] == [
        ["a"],
        ["b", "d"],
    ]
    assert hints(parse_q("a==1|b", expand)) == []
    assert hints(parse_q("a==1|b!=2", expand)) == []
    nested = hints(parse_q("z==1;(a==1|(b==2;(c==3|d==4)))", expand))
    assert [type(hint) for hint in nested] == [Comparison, AnyOf]


def test_index_keys() -> None:
    assert index_keys(Instance("Property", 5), ()) == [5]
    several = Instance("Property", [1, "a", True, None, {}])
    assert index_keys(several, ()) == [1, "a", b"\x01", b"\x05"]
    assert index_keys(Instance("Property", {"x": {"y": 2}}), ("[x", "[y")) == [2]
    assert index_keys(Instance("Property", {"x": 1}), ()) == [b"\x05"]
    assert index_keys(Instance("Property", {"x": 1}), ("[y",)) == []
    text, moment = index_keys(Instance("Property", "1970-01-01T00:00:00Z"), ())
    assert (text, moment) == ("1970-01-01T00:00:00Z", b"\x02\x80" + bytes(7))
    assert index_keys(Instance("LanguageProperty", {"en": "red", "de": ["rot"]}), ()) == [
        "red",
        "rot",
    ]
    assert index_keys(Instance("Relationship", ["urn:a:1"]), ()) == ["urn:a:1", b"\x05"]
    sub = Instance("Property", 1, subs={expand("f"): [Instance("Property", 2)]})
    assert index_keys(sub, ("." + expand("f"),)) == [2]
    assert index_keys(Instance("Property", 10**400), ()) == [float("inf")]
    assert index_keys(Instance("Property", "x" * 500), ()) == ["x" * 200]


def test_key_ranges() -> None:
    assert key_ranges(only("a==5")) == [(5, True, 5, True)]
    assert key_ranges(only("a>5")) == [(5, False, "", False)]
    assert key_ranges(only('a<="b"')) == [("", True, "b", True)]
    assert key_ranges(only("a==1..2")) == [(1, True, 2, True)]
    assert key_ranges(only('a~="^abc+d"')) == [("ab", True, "ac", False)]
    assert key_ranges(only('a~="abc"')) == [("", True, b"", False)]
    assert key_ranges(only("a==true")) == [(b"\x01", True, b"\x01", True)]
    assert len(key_ranges(only('a==1,"x",2026-01-01T00:00:00Z,1'))) == 3


# A store compares keys in SQL, so the property is tested in SQL.
DATABASE = sqlite3.connect(":memory:")


def found_in(keys: list[Key], ranges: list[KeyRange]) -> bool:
    sql = "SELECT ?1 {} ?2 AND ?1 {} ?3"
    return any(
        DATABASE.execute(
            sql.format(">=" if low_in else ">", "<=" if high_in else "<"), (key, low, high)
        ).fetchone()[0]
        for key in keys
        for low, low_in, high, high_in in ranges
    )


MOMENTS = st.sampled_from(
    [
        "2026-11-22T10:00:00Z",
        "2026-11-22T12:00:00+02:00",
        "1969-01-01T00:00:00.000001Z",
        "2026-11-22",
        "2026-11-23",
        "10:00:00Z",
        "10:00:00.0Z",
        "23:59:59Z",
    ]
)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, -(2**63) - 1, 10**30, 10**30 + 1]),
    st.sampled_from([0.5, -0.0, 1.0, 2.0**63, 1e300, -1e300]),
)
TEXTS = st.one_of(
    st.text("ab", max_size=3),
    st.sampled_from(["", "é", "z\U0010ffff", "a" * 199, "a" * 200, "a" * 201, "a" * 200 + "b"]),
    MOMENTS,
    st.just("urn:x:1"),
)
SCALARS = st.one_of(
    NUMBERS,
    TEXTS,
    st.booleans(),
    st.none(),
    st.builds(
        lambda kind, value: {"@type": kind, "@value": value},
        st.sampled_from(["DateTime", "Date", "Time", "x"]),
        TEXTS,
    ),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.sampled_from(["en", "m"]), SCALARS, max_size=2),
)
LEAVES = st.one_of(
    st.builds(
        Instance,
        kind=st.sampled_from(["Property", "JsonProperty", "ListProperty"]),
        value=VALUES,
        observed_at=st.none() | MOMENTS,
        unit_code=st.none() | TEXTS,
        value_type=st.sampled_from([None, "DateTime", "Date", "Time"]),
        created_at=st.sampled_from([0, 1, 1_795_341_600_000_000]),
    ),
    st.builds(
        Instance,
        kind=st.just("LanguageProperty"),
        value=st.dictionaries(
            st.sampled_from(["en", "EN", "m"]), TEXTS | st.lists(TEXTS, max_size=2), max_size=3
        ),
    ),
    st.builds(
        Instance,
        kind=st.sampled_from(["Relationship", "ListRelationship", "VocabProperty"]),
        value=TEXTS | st.lists(TEXTS | st.just({"object": "urn:x:1"}), max_size=2),
    ),
)


def with_sub(leaf: Instance, sub: Instance | None) -> Instance:
    leaf.subs = None if sub is None else {expand("s"): [sub]}
    return leaf


INSTANCES = st.builds(with_sub, LEAVES, st.none() | LEAVES)
PATHS = st.sampled_from(
    ["a", "a[en]", "a[m]", "a[*]", "a.s", "a.s[m]", "a.observedAt", "a.createdAt", "a.unitCode"]
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


COMPARABLES = st.one_of(NUMBERS.map(repr), TEXTS.map(quoted), MOMENTS)
EQUALS = COMPARABLES | st.sampled_from(["true", "false", "urn:x:1"])
OPERANDS = st.one_of(
    st.builds("{}{}".format, st.sampled_from([">", ">=", "<", "<="]), COMPARABLES),
    st.lists(EQUALS, min_size=1, max_size=3).map(lambda values: "==" + ",".join(values)),
    st.builds("=={}..{}".format, NUMBERS.map(repr), NUMBERS.map(repr)),
    st.builds("=={}..{}".format, TEXTS.map(quoted), TEXTS.map(quoted)),
    st.just("==2026-11-22T10:00:00Z..2026-11-22T10:00:00Z"),
    st.just("==10:00:00Z..23:59:59Z"),
    st.sampled_from(['~="^ab"', '~="^a?b"', '~="^a|b"', '~="b$"', '~="^urn:x"', '~="^a{0}"']),
)


@settings(max_examples=examples(120), deadline=None)
@given(PATHS, OPERANDS, st.lists(INSTANCES, min_size=1, max_size=2))
def test_every_match_is_found_by_the_index(
    path: str, operand: str, instances: list[Instance]
) -> None:
    node = parse_q(path + operand, expand)
    entity = Entity("urn:x:1", [], {expand("a"): instances})
    (hint,) = comparisons(node)
    keys = [key for instance in instances for key in index_keys(instance, hint.path)]
    if compile_q(node)(entity):
        assert found_in(keys, key_ranges(hint))


BIG = [0, 1, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, -(2**63) - 1, 10**30, 10**30 + 1, 10**350]
FLOATS = [0.5, -0.0, 1.0, 2.0**53, 2.0**63, 1e30, 1.7e308, -1.7e308]
LONG = ["", "a", "b", "é", "z\U0010ffff", "a" * 199, "a" * 200, "a" * 201, "a" * 200 + "b"]
TIMES = [
    "2026-11-22T10:00:00Z",
    "2026-11-22T12:00:00.000+02:00",
    "1969-01-01T00:00:00.000001Z",
    "2026-11-22",
    "10:00:00Z",
    "10:00:00.00Z",
]
ORDERS = ["==", ">", ">=", "<", "<="]


@pytest.mark.parametrize("operator", ORDERS)
def test_every_pair_of_numbers(operator: str) -> None:
    check_pairs([f"a{operator}{n!r}" for n in BIG + FLOATS], [*BIG, *FLOATS, True, "1"])


@pytest.mark.parametrize("operator", ORDERS)
def test_every_pair_of_texts_and_times(operator: str) -> None:
    texts = LONG + TIMES
    typed = [
        {"@type": kind, "@value": text} for kind in ("DateTime", "Date", "Time") for text in TIMES
    ]
    operands = [f'"{text}"' for text in texts] + TIMES
    matched = check_pairs([f"a{operator}{one}" for one in operands], [*texts, *typed, 1, [*texts]])
    assert matched > len(texts)


def test_every_pair_of_texts_and_patterns() -> None:
    patterns = ["^a", "^ab*", "^ab?", "^ab+", "^ab{0}", "^a{0}b", "^a|b", "b$", "^[ab]", "^a.c"]
    queries = [f'a~="{pattern}"' for pattern in patterns]
    assert check_pairs(queries, ["", "a", "ab", "abb", "b", "ac", "abc", "é", *LONG]) > 20


def check_pairs(queries: list[str], values: list[Any]) -> int:
    """How many pairs matched; each of them is found in the index."""
    matched = 0
    for text in queries:
        node = parse_q(text, expand)
        test, ranges = compile_q(node), key_ranges(only(text))
        for value in values:
            instance = Instance("Property", value)
            if test(Entity("urn:x:1", [], {expand("a"): [instance]})):
                matched += 1
                assert found_in(index_keys(instance, ()), ranges), (text, value)
    return matched


def satisfied(hint: Hint, entity: Entity) -> bool:
    if isinstance(hint, AnyOf):
        return any(all(satisfied(h, entity) for h in branch) for branch in hint.branches)
    keys = [k for i in entity.attrs.get(hint.attr, ()) for k in index_keys(i, hint.path)]
    return found_in(keys, key_ranges(hint))


TERMS = st.sampled_from(["a==1", "b>1", "c", "a!=1", 'b=="x"', "c<3", 'a~="^x"'])
TREES = st.recursive(
    TERMS,
    lambda inner: st.builds(
        lambda parts, joint: joint.join(f"({part})" for part in parts),
        st.lists(inner, min_size=2, max_size=3),
        st.sampled_from([";", "|"]),
    ),
    max_leaves=6,
)
SMALL: st.SearchStrategy[Any] = st.sampled_from([0, 1, 2, 5, "x", "xy", ["x", 1]])


@given(TREES, st.dictionaries(st.sampled_from("abc"), SMALL))
def test_every_match_satisfies_all_hints_of_a_tree(text: str, values: dict[str, Any]) -> None:
    node = parse_q(text, expand)
    attrs = {expand(name): [Instance("Property", value)] for name, value in values.items()}
    entity = Entity("urn:x:1", [], attrs)
    if compile_q(node)(entity):
        assert all(satisfied(hint, entity) for hint in hints(node))
