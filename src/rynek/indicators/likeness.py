"""How alike cities are in what was measured: Gower's coefficient over the indicators both have, each
by a robust measure of how cities differ in it.

    alike(a, b) = mean over themes of the mean over indicators of 1 − min(1, |a − b| / (3 · s))

`s` is the spread of the indicator over all cities known: 1.4826 times the median absolute deviation,
and where more than half are the same 1.2533 times the mean one (Iglewicz and Hoaglin, How to Detect
and Handle Outliers, 1993), so that no single odd city sets the measure. Of what compares by ratio
(population) the logarithms are taken. Every theme counts the same,
however many of its indicators are measured (Gower, A General Coefficient of Similarity, 1971).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

__all__ = ["FEWEST_CITIES", "FEWEST_SHARED", "LABELS", "Alike", "Likeness", "Measured", "Shared"]

LABELS: Final = ("P365D", "P30D", "P7D")
"""Periods of which values are kept, the longest first: two cities are compared in the same one."""
FEWEST_SHARED: Final = 3
"""So many indicators must be shared before two cities are called alike or not."""
FEWEST_CITIES: Final = 4
"""Of so many cities a value must be known before its spread says anything."""
_APART: Final = 3.0
_TO_SD: Final = 1.4826
_MEAN_TO_SD: Final = 1.2533

Why = Literal["", "self", "own", "other", "few"]


class Measured(msgspec.Struct, frozen=True):
    """What is measured of a city: `values` by indicator and period (one of LABELS), `themes` of the
    indicators, `years` of those that tables tell, `by_ratio` which compare so."""

    values: dict[str, dict[str, float]]
    themes: dict[str, str] = {}
    years: dict[str, int] = {}
    by_ratio: frozenset[str] = frozenset()


class Shared(msgspec.Struct, frozen=True):
    """An indicator that both have: of which period, both values, how alike they are (0 to 1), and
    of which years they are where tables tell them."""

    indicator: str
    label: str
    own: float
    other: float
    alike: float
    own_year: int | None = None
    other_year: int | None = None


class Alike(msgspec.Struct, frozen=True):
    """How alike two cities are: from 0 to 1, None with the reason where it cannot be said. `own`:
    nothing is measured of the one that asks, `other`: of the other, `few`: too little of both."""

    share: float | None
    shared: tuple[Shared, ...] = ()
    why: Why = ""

    @property
    def count(self) -> int:
        """How many indicators both have and could be compared in."""
        return len(self.shared)


class Likeness:
    """The spread of each indicator over `cities`, and how alike any two of them are by it."""

    def __init__(self, cities: Iterable[Measured]) -> None:
        known: dict[tuple[str, str], list[float]] = {}
        self._themes: dict[str, str] = {}
        for city in cities:
            self._themes |= city.themes
            for indicator, by_label in city.values.items():
                for label, value in by_label.items():
                    if (placed := _placed(city, indicator, value)) is not None:
                        known.setdefault((indicator, label), []).append(placed)
        self._spread = {
            key: spread
            for key, values in known.items()
            if len(values) >= FEWEST_CITIES and (spread := _spread(values)) > 0
        }

    def of(self, own: Measured | None, other: Measured | None) -> Alike:
        """How alike two cities are."""
        if own is None or not own.values:
            return Alike(None, why="own")
        if other is None or not other.values:
            return Alike(None, why="other")
        shared = tuple(
            one
            for indicator in sorted(own.values.keys() & other.values.keys())
            if (one := self._shared(indicator, own, other))
        )
        if len(shared) < FEWEST_SHARED:
            return Alike(None, shared, "few")
        by_theme: dict[str, list[float]] = {}
        for one in shared:
            by_theme.setdefault(self._themes.get(one.indicator, ""), []).append(one.alike)
        return Alike(statistics.fmean(map(statistics.fmean, by_theme.values())), shared)

    def _shared(self, indicator: str, own: Measured, other: Measured) -> Shared | None:
        first, second = own.values[indicator], other.values[indicator]
        for label in LABELS:
            spread = self._spread.get((indicator, label))
            if spread is None or label not in first or label not in second:
                continue
            places = [
                _placed(city, indicator, city.values[indicator][label]) for city in (own, other)
            ]
            if None in places:
                continue
            apart = abs(places[0] - places[1]) / (_APART * spread)  # type: ignore[operator]
            return Shared(
                indicator,
                label,
                first[label],
                second[label],
                1 - min(1.0, apart),
                own.years.get(indicator),
                other.years.get(indicator),
            )
        return None


def _placed(city: Measured, indicator: str, value: float) -> float | None:
    """Where a value stands on the scale that it compares on; None where it has no place there."""
    if indicator not in city.by_ratio:
        return value
    return math.log(value) if value > 0 else None


def _spread(values: list[float]) -> float:
    """A robust standard deviation; 0 where all are the same."""
    middle = statistics.median(values)
    apart = [abs(value - middle) for value in values]
    return _TO_SD * statistics.median(apart) or _MEAN_TO_SD * statistics.fmean(apart)
