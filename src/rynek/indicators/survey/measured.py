"""Figures that were measured already, which a respondent confirms or contests instead of guessing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rynek.indicators.survey.model import Element

__all__ = [
    "CONFIRMED",
    "CONTESTED",
    "MEASURED",
    "REASON",
    "SOURCE",
    "TOLD",
    "Measured",
    "beside",
    "text_of",
]

# Beside an answer `name` there stand `name~told` and so on: no name of an XLSForm has a tilde.
TOLD: Final = "~told"
REASON: Final = "~reason"
MEASURED: Final = "~measured"
SOURCE: Final = "~source"
CONFIRMED: Final = "confirmed"
CONTESTED: Final = "contested"
_PLACES: Final = 6


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """A figure with where it comes from: `source` names the indicator or the reference table and
    its version, `coverage` the share of the period that was observed, `low` and `high` its 95 %
    interval."""

    value: float
    source: str
    unit: str = ""
    period: str = ""
    coverage: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def origin(self) -> str:
        """Where it comes from, in one line."""
        return ", ".join(part for part in (self.source, self.period) if part)


def text_of(element: Element, found: Mapping[str, Measured]) -> str:
    """The measured figure of a question as an answer has it; "" without one."""
    one = found.get(element.indicator) if element.indicator else None
    if one is None or not math.isfinite(one.value):
        return ""
    if element.kind == "integer":
        return str(round(one.value))
    text = f"{one.value:.{_PLACES}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def beside(name: str, answers: Mapping[str, Any], mark: str) -> str:
    """What stands beside an answer under a mark; "" for nothing."""
    given = answers.get(name + mark, "")
    return given if isinstance(given, str) else ""
