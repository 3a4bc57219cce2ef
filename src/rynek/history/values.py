"""Tests of values as SQL over the columns of the table (CIM 009 §4.9, §4.10).

Of each test there are two conditions: rows that surely pass it, and rows that may, because their
value stands in a column that SQL does not look into.
"""

from __future__ import annotations

from typing import Final

from rynek.context import Only, ValueTest

_TYPED: Final = "coalesce(contains(meta, '\"value_type\"'), false)"
_INSIDE: Final = f"(json IS NOT NULL OR {_TYPED})"
_WORDS: Final = "kind IN ('Property', 'VocabProperty')"


def sure_of_number(test: ValueTest) -> str:
    """The condition that rows pass the test, where all values are numbers without metadata; not
    for `any` and `box`."""
    if test.op == "exists":
        return "true"
    if _column(test) == "text":
        return "true" if test.op == "!=" else "false"
    values = [_literal(value) for value in test.values]
    if test.op == "range":
        return f"number BETWEEN {values[0]} AND {values[1]}"
    if test.op in {"==", "!="}:
        return f"number {'IN' if test.op == '==' else 'NOT IN'} ({', '.join(values)})"
    return f"number {test.op} {values[0]}"


def sure(test: ValueTest) -> str:
    """The condition that rows surely pass the test."""
    match test.op:
        case "exists":
            return "json IS NULL"
        case "any" | "box":
            return "false"
        case "range":
            low, high = map(_literal, test.values)
            inner = f"number BETWEEN {low} AND {high}"
        case "!=":
            inner = _unlike(test)
        case "==":
            column = _column(test)
            inner = f"{column} IN ({', '.join(map(_literal, test.values))})"
        case _:
            column = _column(test)
            inner = f"{column} {test.op} {_literal(test.values[0])}"
            if column == "text":
                inner = f"{_WORDS} AND {inner}"
    return f"(NOT {_TYPED} AND coalesce({inner}, false))"


def _unlike(test: ValueTest) -> str:
    values = ", ".join(map(_literal, test.values))
    if _column(test) == "number":
        return f"(number NOT IN ({values}) OR text IS NOT NULL)"
    return f"(text NOT IN ({values}) OR number IS NOT NULL)"


def unsure(test: ValueTest) -> str:
    """The condition that rows may pass the test, though not surely."""
    match test.op:
        case "any":
            return "true"
        case "exists":
            return "json IS NOT NULL"
        case "box":
            west, south, east, north = map(_literal, test.values)
            inside = f"(lon BETWEEN {west} AND {east} AND lat BETWEEN {south} AND {north})"
            return f"(json IS NOT NULL OR coalesce({inside}, false))"
        case "!=":
            return f"({_INSIDE} OR lon IS NOT NULL)"
    return _INSIDE


def may_pass(only: Only) -> str:
    """The condition of rows that are of another attribute, or may pass the tests of theirs."""
    tests = [f"({sure(test)} OR {unsure(test)})" for test in only.tests]
    joint = " AND " if only.every else " OR "
    return f"(attr <> {_literal(only.attr)} OR (NOT deleted AND ({joint.join(tests)})))"


def _column(test: ValueTest) -> str:
    return "text" if isinstance(test.values[0], str) else "number"


def _literal(value: float | str) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"CAST({value!r} AS DOUBLE)"
