from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.errors import BadRequestData, Problem, TooComplexQuery
from rynek.context.query import And, Linked, Or, QNode, Term, format_q, parse_q


def expand(name: str) -> str:
    return f"https://example.org/{name}"


def term(text: str) -> Term:
    node = parse_q(text, expand)
    assert isinstance(node, Term)
    return node


def test_and_binds_tighter_than_or() -> None:
    node = parse_q("a;b|c;(d|e)", expand)
    assert isinstance(node, Or)
    left, right = node.nodes
    assert isinstance(left, And)
    assert isinstance(right, And)
    assert [type(part) for part in right.nodes] == [Term, Or]
    assert format_q(node) == "a;b|c;(d|e)"


def test_paths() -> None:
    path = term("sensor.rawdata[airquality.particulate]==40").path
    assert path.attr == expand("sensor")
    assert path.subs == (expand("rawdata"),)
    assert path.trail == ("airquality", "particulate")
    assert path.text == "sensor.rawdata[airquality.particulate]"
    observed = term("temperature.observedAt>=2017-12-24T12:00:00Z").path
    assert (observed.subs, observed.member) == ((), "observedAt")
    assert term("modifiedAt>2017-12-24T12:00:00Z").path.attr == "@modifiedAt"
    assert term("observedAt").path.attr == expand("observedAt")
    assert term("schema:name[en-GB]").path.trail == ("en-GB",)
    assert term("température").path.attr == expand("température")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1", "number", 1),
        ("-1.5e2", "number", -150.0),
        ('"a\\"b\\u017c"', "text", 'a"bż'),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("1970-01-01T00:00:01Z", "datetime", 1_000_000),
        ("1970-01-01T02:00:00.5+02:00", "datetime", 500_000),
        ("2026-11-22", "date", "2026-11-22"),
        ("00:01:00,25Z", "time", 60_250_000),
        ("urn:ngsi-ld:A:1", "uri", "urn:ngsi-ld:A:1"),
        ("https://example.org/x?y=1#z", "uri", "https://example.org/x?y=1#z"),
    ],
)
def test_values(text: str, kind: str, value: object) -> None:
    (literal,) = term(f"a=={text}").values
    assert (literal.kind, literal.value) == (kind, value)


def test_lists_ranges_and_patterns() -> None:
    assert [v.value for v in term('a!="black", "red",3').values] == ["black", "red", 3]
    span = term("a==-1..2.5")
    assert span.low is not None
    assert span.high is not None
    assert (span.low.value, span.high.value) == (-1, 2.5)
    days = term("a==2026-01-01..2026-02-01")
    assert days.high is not None
    assert days.high.value == "2026-02-01"
    assert term('a~="^M(a|b);"').pattern == "^M(a|b);"
    both = parse_q("a~=^M(a|b)[;|].*;b", expand)
    assert isinstance(both, And)
    assert isinstance(both.nodes[0], Term)
    assert both.nodes[0].pattern == "^M(a|b)[;|].*"


def test_expand_values() -> None:
    (value,) = _values(parse_q("gender==Male", expand, ["gender"]))
    assert value == expand("Male")
    assert _values(parse_q('gender=="Male";x=="Male"', expand, ["gender"])) == [
        expand("Male"),
        "Male",
    ]


def _values(node: QNode) -> list[object]:
    if isinstance(node, Term):
        return [value.value for value in node.values]
    assert isinstance(node, And | Or)
    return [value for part in node.nodes for value in _values(part)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an attribute name at position 0, found the end"),
        ("!a", "no negation"),
        ("1a", "an attribute name at position 0"),
        ("a.", "an attribute name at position 2"),
        ("a==", "a value at position 3"),
        ("a==Male", "URI at position 3, found 'Male'"),
        ("a=1", "an operator"),
        ("a b", "an operator"),
        ("a==1x", "URI at position 3"),
        ("a==1.5.2", "URI at position 3"),
        ("(a", r"'\)' at position 2"),
        ("a)", "the end at position 1"),
        ("a;", "an attribute name at position 2"),
        ("a[", r"'\]' at position 2"),
        ("a[]", "member names"),
        ("a[b..c]", "member names"),
        ("a[b][c]", "one pair"),
        ('a=="x', "a closed JSON string at position 3"),
        ('a=="\\x"', "a valid JSON string"),
        ('a=="\\ud800"', "a valid JSON string"),
        ("a>true", "after '>' at position 2"),
        ("a>urn:x:y", "after '>'"),
        ("a>1,2", "';', '|' or the end at position 3"),
        ("a>1..2", "at position 3"),
        ("a==1..", "a value at position 6"),
        ('a==1.."b"', "same kind as the lower .number. at position 6"),
        ("a==true..false", "URI at position 3"),
        ("a==true ..false", "as lower end at position 3"),
        ("a==2026-02-30", "a date that exists at position 3"),
        ("a==2026-01-01T25:00:00Z", "a datetime that exists"),
        ("a==25:00:00Z", "a time that exists"),
        ("a==1e999", "a double"),
        ("a~=", "a regular expression at position 3"),
        ('a~="("', "bad pattern"),
        ("\ud800", "Unicode"),
    ],
)
def test_errors_say_where_and_what(text: str, message: str) -> None:
    with pytest.raises(BadRequestData, match=message):
        parse_q(text, expand)


@pytest.mark.parametrize("text", ["sensor{humidity}==40", "sensor{Device:humidity}", "a;b{c}"])
def test_linked_entities_need_a_join(text: str) -> None:
    with pytest.raises(BadRequestData, match="linked"):
        parse_q(text, expand)
    assert format_q(parse_q(text, expand, links=1)) == text


def test_conditions_on_linked_entities() -> None:
    node = parse_q(" at{ Room , Hall : in{House:size[m2.net]} } > 4 ;b", expand, links=2)
    assert isinstance(node, And)
    outer = node.nodes[0]
    assert isinstance(outer, Linked)
    assert outer.relationship == expand("at")
    assert outer.types == (expand("Room"), expand("Hall"))
    assert outer.depth == 2
    inner = outer.node
    assert isinstance(inner, Linked)
    assert (inner.relationship, inner.types) == (expand("in"), (expand("House"),))
    assert isinstance(inner.node, Term)
    assert inner.node.path.trail == ("m2", "net")
    assert (inner.node.op, inner.node.values[0].value) == (">", 4)
    with pytest.raises(BadRequestData, match=r"'in{…}' at position 3 .* joinLevel is 1"):
        parse_q("at{in{size}}", expand, links=1)
    for bad in ("at{size", "at{}", "at{:a}", "at{a}}", "at{a}.b==1", "{a}", "at.x{a}"):
        with pytest.raises(BadRequestData, match="q: expected"):
            parse_q(bad, expand, links=3)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 20_000,
        ";".join(["a"] * 257),
        "a==" + ",".join(["1"] * 300),
        "(" * 65 + "a" + ")" * 65,
        'a~="' + "x" * 2_000 + '"',
    ],
)
def test_queries_are_bounded(text: str) -> None:
    with pytest.raises(TooComplexQuery):
        parse_q(text, expand)


def test_depth_of_64_is_allowed() -> None:
    assert parse_q("(" * 64 + "a" + ")" * 64, expand) == term("a")


NAME = st.sampled_from(["a", "speed", "x1_", "schema:name", "ż"])
PATH = st.builds(
    lambda names, trail: ".".join(names) + (f"[{'.'.join(trail)}]" if trail else ""),
    st.lists(NAME | st.just("observedAt"), min_size=1, max_size=3),
    st.lists(st.sampled_from(["en", "*", "a b", "id"]), max_size=2),
)
QUOTED = st.text(st.characters(codec="utf-8"), max_size=6).map(
    lambda text: format_q(Term(term("a").path, "~=", pattern=text))[3:]
)
COMPARABLE = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    QUOTED,
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.dates().map(str),
    st.times().map(lambda time: time.isoformat() + "Z"),
)
VALUE = COMPARABLE | st.sampled_from(["true", "false", "urn:a:b", "http://x.y/z"])
TERM = st.one_of(
    PATH,
    st.builds("{}{}{}".format, PATH, st.sampled_from([">", ">=", "<", "<="]), COMPARABLE),
    st.builds(
        "{}{}{}".format,
        PATH,
        st.sampled_from(["==", "!="]),
        st.lists(VALUE, min_size=1, max_size=3).map(",".join),
    ),
    st.builds("{}=={}..{}".format, PATH, st.integers(), st.integers()),
    st.builds('{}{}"{}"'.format, PATH, st.sampled_from(["~=", "!~="]), st.just("^a.*[b;]$")),
)
QUERY = st.recursive(
    TERM,
    lambda inner: st.builds(
        lambda parts, joint, brackets: (
            joint.join(f"({part})" for part in parts) if brackets else joint.join(parts)
        ),
        st.lists(inner, min_size=1, max_size=3),
        st.sampled_from([";", "|"]),
        st.booleans(),
    ),
    max_leaves=8,
)


@given(QUERY)
def test_round_trip(text: str) -> None:
    node = parse_q(text, expand)
    again = parse_q(format_q(node), expand)
    assert again == node
    assert format_q(again) == format_q(node)


@given(st.text() | st.text('aż.[]{}()=!<>~,;|"\\1-:TZ ue+*', max_size=40) | QUERY, st.randoms())
def test_parser_raises_nothing_but_problems(text: str, random: object) -> None:
    pick = random.randrange  # type: ignore[attr-defined]
    if text:
        cut = pick(len(text))
        text = text[:cut] + text[cut + pick(3) :]
    with contextlib.suppress(Problem):
        parse_q(text, expand)
