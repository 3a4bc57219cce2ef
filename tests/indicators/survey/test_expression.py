"""XLSForm's expressions: values by XPath 1.0, and what is refused with what words."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.errors import BadRequestData
from rynek.indicators.survey.expression import parse_expression
from rynek.indicators.survey.functions import Value, as_number, as_text


class Scope:
    own = "7"
    today = "2026-11-26"
    known: dict[str, Value] = {"a": "3", "text": "Ruse", "many": "x y", "list": ["1", "", "5"], "empty": "", "day": "2026-11-25"}  # fmt: skip

    def value(self, name: str) -> Value:
        return self.known[name]

    def column(self, name: str) -> Value:
        return f"<{name}>"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3 - -1", 10.0),
        ("${a} + 1 = 4 and not(${a} > 3)", True),
        ("${a} = '3'", True),
        ("${empty} > 0 or ${empty} <= 0", False),
        ("${empty} = ''", True),
        (". >= 5 and .<8", True),
        ("7 div 2", 3.5),
        ("-7 mod 3", -1.0),
        ("selected(${many}, 'y') and not(selected(${many}, 'z'))", True),
        ("count-selected(${many})", 2.0),
        ("sum(${list})", 6.0),
        ("count(${list})", 2.0),
        ("max(${list}, 2)", 5.0),
        ("if(${a} > 2, 'yes', 1 div 0)", "yes"),
        ("coalesce(${empty}, ${text})", "Ruse"),
        ("regex(${text}, '[A-Z][a-z]+')", True),
        ("regex(${text}, 'us')", False),
        ("string-length(${text})", 4.0),
        ("${day} < today()", True),
        ("today() - ${day}", 1.0),
        ("round(2.675, 1)", 2.7),
        ("int(-2.5)", -2.0),
        ("concat(${text}, ' ', 2)", "Ruse 2"),
        ("1 = true()", True),
        ("selected(../many, 'x')", True),
        ("date(${day} + 1)", "2026-11-26"),
    ],
)
def test_values(text: str, value: Value) -> None:
    assert parse_expression(text).run(Scope()) == value


def test_nothing_is_a_number_by_chance() -> None:
    for text in ("nan", "inf", "Infinity", "1_000", "", "٣", "0x1f"):
        assert math.isnan(as_number(text)), text
    assert math.isnan(parse_expression("0 div 0").run(Scope()))  # type: ignore[arg-type]
    assert as_text(parse_expression("1 div 0").run(Scope())) == "Infinity"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${a} +", "ends too early"),
        ("${a} = yes", "'yes' at character 8 is no function"),
        ("pulldata('x', 'y', 'z', 1)", "the function pulldata() is not supported"),
        ("/data/a = 1", "a path at character 1 is not supported"),
        ("not(1", "')' is expected before the end"),
        ("not(1, 2)", "not() takes 1 value, not 2"),
        ("1 2", "'2' at character 3 is not expected"),
        ("(" * 60 + "1" + ")" * 60, "nested at most 40 deep"),
        ("1" * 5000, "at most 4000 characters"),
        ("${a} & 1", "'& 1' at character"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadRequestData) as refused:
        parse_expression(text)
    assert words in refused.value.detail


def test_names_that_it_needs() -> None:
    found = parse_expression("${a} > 1 and ${ b } = '${c}'")
    assert found.references == {"a", "b"}
    assert parse_expression("kind = ${a}", columns=True).columns == {"kind"}


@given(st.text(alphabet="${}ab.'\"()+-*<>=! 1,;/[]\nnotand", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_expression(text)
    except BadRequestData:
        return


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "<": operator.lt, ">=": operator.ge,
    "=": operator.eq, "and": lambda a, b: bool(a) and bool(b), "or": lambda a, b: bool(a) or bool(b),
}  # fmt: skip
_trees = st.recursive(
    st.integers(0, 9).map(lambda n: (str(n), float(n))),
    lambda inner: st.tuples(inner, st.sampled_from(sorted(_OPERATORS)), inner).map(
        lambda t: (f"({t[0][0]} {t[1]} {t[2][0]})", _combined(t[1], t[0][1], t[2][1]))
    ),
    max_leaves=12,
)


def _combined(sign: str, left: Any, right: Any) -> Any:
    if sign == "=" and isinstance(left, bool) != isinstance(right, bool):
        return bool(left) == bool(right)
    found = _OPERATORS[sign](left, right)
    return found if isinstance(found, bool) else float(found)


@given(_trees)
def test_trees_are_worth_what_python_says(tree: tuple[str, Any]) -> None:
    text, value = tree
    assert parse_expression(text).run(Scope()) == value
