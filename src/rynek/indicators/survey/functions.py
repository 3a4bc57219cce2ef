"""The functions of XLSForm's expressions, and how text, numbers and truth become each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from typing import Any, Final, Protocol

import msgspec
import re2

from rynek.base.errors import BadRequestData

__all__ = ["FUNCTIONS", "Function", "Scope", "Value", "as_number", "as_text", "as_truth"]

Value = str | float | bool | list[str]
_EPOCH: Final = date(1970, 1, 1).toordinal()
_MAX_PATTERN: Final = 500
_options = re2.Options()
_options.log_errors = False


class Scope(Protocol):
    """What an expression sees: the answers around it, its own, and which day it is."""

    own: str
    today: str

    def value(self, name: str) -> Value:
        """The answer to a question; a list where it is in a repeat that one looks at from outside."""
        ...

    def column(self, name: str) -> Value:
        """A column of the choice that a filter looks at."""
        ...


def as_text(value: Value) -> str:
    """XPath's string(); of a list its first."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return value[0] if value else ""
    if isinstance(value, float):
        if math.isfinite(value):
            return str(int(value)) if value == int(value) and abs(value) < 1e16 else repr(value)
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124
    return value


def as_number(value: Value) -> float:
    """XPath's number(); a date is its day since 1970, as ODK has it; NaN for what is no number."""
    if isinstance(value, bool | float):
        return float(value)
    text = as_text(value).strip()
    if not text or len(text) > 40 or not text.isascii():
        return math.nan
    try:
        if len(text) == 10 and text[4] == text[7] == "-":
            return float(date.fromisoformat(text).toordinal() - _EPOCH)
        return (
            math.nan
            if text.lower().strip("+-")[:1] in ("i", "n", "_") or "_" in text
            else float(text)
        )
    except ValueError:
        return math.nan


def as_truth(value: Value) -> bool:
    """XPath's boolean()."""
    if isinstance(value, float) and not isinstance(value, bool):
        return not math.isnan(value) and value != 0
    return bool(value)


class Function(msgspec.Struct, frozen=True):
    """A function by its work and how many values it takes."""

    work: Callable[..., Value]
    least: int
    most: int
    lazy: bool = False

    def counts(self) -> str:
        """How many values it takes, in words."""
        if self.least == self.most:
            return f"{self.least} value" + ("" if self.least == 1 else "s")
        return f"{self.least} to {self.most} values"


def compiled(pattern: str) -> Any:
    """A pattern in linear time. BadRequestData."""
    if len(pattern) > _MAX_PATTERN:
        raise BadRequestData(f"a pattern has at most {_MAX_PATTERN} characters")
    try:
        return re2.compile(pattern, _options)
    except re2.error as error:
        raise BadRequestData(
            f"the pattern {pattern[:60]!r} is none that is supported: {error}"
        ) from None


def _texts(value: Value) -> list[str]:
    return value if isinstance(value, list) else [as_text(value)]


def _answered(value: Value) -> list[float]:
    """The numbers among the answers: an unanswered question is not a nought."""
    numbers = [as_number(each) for each in _texts(value)]
    return [each for each in numbers if not math.isnan(each)]


def _selected(_: Scope, answer: Value, choice: Value) -> bool:
    return as_text(choice) in as_text(answer).split()


def _extreme(work: Callable[..., float]) -> Callable[..., Value]:
    def found(_: Scope, *values: Value) -> Value:
        numbers = [each for value in values for each in _answered(value)]
        return work(numbers) if numbers else math.nan

    return found


def _rounded(_: Scope, value: Value, digits: Value = 0.0) -> Value:
    number, places = as_number(value), as_number(digits)
    if not math.isfinite(number) or not abs(places) <= 20:
        return math.nan
    factor = 10.0 ** int(places)
    scaled = number * factor + 0.5
    return math.floor(scaled) / factor if math.isfinite(scaled) else number


def _whole(_: Scope, value: Value) -> Value:
    number = as_number(value)
    return float(math.trunc(number)) if math.isfinite(number) else number


def _coalesced(_: Scope, *values: Value) -> Value:
    return next((each for each in values if as_text(each)), "")


def _count(_: Scope, values: Value) -> Value:
    return float(sum(1 for each in _texts(values) if each))


def _is_like(_: Scope, text: Value, pattern: Value) -> bool:
    return bool(compiled(as_text(pattern)).fullmatch(as_text(text)))


def _lengthened(_: Scope, *parts: Value) -> Value:
    return "".join(each for part in parts for each in _texts(part))[:100_000]


def _dated(_: Scope, value: Value) -> Value:
    """A date from its text or its day since 1970."""
    number = as_number(value)
    if math.isnan(number) or not 1 <= number + _EPOCH <= 3_650_000:
        return ""
    return date.fromordinal(int(number) + _EPOCH).isoformat()


FUNCTIONS: Final[dict[str, Function]] = {
    "selected": Function(_selected, 2, 2),
    "count-selected": Function(lambda _, value: float(len(as_text(value).split())), 1, 1),
    "not": Function(lambda _, value: not as_truth(value), 1, 1),
    "true": Function(lambda _: True, 0, 0),
    "false": Function(lambda _: False, 0, 0),
    "if": Function(_coalesced, 3, 3, lazy=True),
    "coalesce": Function(_coalesced, 2, 20),
    "regex": Function(_is_like, 2, 2),
    "string-length": Function(lambda _, value: float(len(as_text(value))), 1, 1),
    "contains": Function(lambda _, text, part: as_text(part) in as_text(text), 2, 2),
    "starts-with": Function(lambda _, text, part: as_text(text).startswith(as_text(part)), 2, 2),
    "ends-with": Function(lambda _, text, part: as_text(text).endswith(as_text(part)), 2, 2),
    "normalize-space": Function(lambda _, value: " ".join(as_text(value).split()), 1, 1),
    "concat": Function(_lengthened, 1, 20),
    "number": Function(lambda _, value: as_number(value), 1, 1),
    "string": Function(lambda _, value: as_text(value), 1, 1),
    "boolean": Function(lambda _, value: as_truth(value), 1, 1),
    "int": Function(_whole, 1, 1),
    "round": Function(_rounded, 1, 2),
    "abs": Function(lambda _, value: abs(as_number(value)), 1, 1),
    "sum": Function(lambda _, value: math.fsum(_answered(value)), 1, 1),
    "count": Function(_count, 1, 1),
    "count-non-empty": Function(_count, 1, 1),
    "min": Function(_extreme(min), 1, 20),
    "max": Function(_extreme(max), 1, 20),
    "today": Function(lambda scope: scope.today, 0, 0),
    "date": Function(_dated, 1, 1),
}
