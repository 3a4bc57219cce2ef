"""The figures of `measures` over arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec
import numpy as np

from rynek.indicators.definition import Computation, Condition
from rynek.indicators.kpi.measures import UNTIL, WEIGHED
from rynek.indicators.kpi.moves import STEPS
from rynek.indicators.kpi.period import HOUR_US

__all__ = ["Rows", "Steps", "Weighing", "within"]

_DAY_US: Final = 24 * HOUR_US


class Steps(msgspec.Struct, frozen=True):
    """Of readings: `us`, the number `before` (NaN: none) with its time, when the value before was
    `seen` last, whether a reading begins there (None: in all rows), and since when a step `grows`
    (never before `before_us`)."""

    us: Any
    before: Any
    before_us: Any
    seen: Any
    began: Any
    grows: Any


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Arrays of one length: `weight` (µs), the `number` and whether it is `valid`, the place of the
    `text` among `texts` (-1: none), and whether it is `deleted`. None: all are valid, none deleted.
    """

    weight: Any
    number: Any
    valid: Any
    text: Any
    texts: Any
    deleted: Any
    steps: Steps | None = None


class Weighing(msgspec.Struct, dict=True):
    """Sums of rows by groups: `add` gives those of an array with a value for each row."""

    rows: Rows
    add: Callable[[Any], Any]

    @cached_property
    def _there(self) -> Any:
        return None if self.rows.deleted is None else ~self.rows.deleted

    @cached_property
    def _numbers(self) -> Any:
        return within(self.rows.valid, self._there)

    @cached_property
    def _texts(self) -> Any:
        return within(self.rows.text >= 0, self._there)

    def _sum(self, values: Any, where: Any) -> Any:
        if where is None:
            return self.add(values)
        # Not by a product: what is left out may be no number.
        return self.add(np.where(where, values, values.dtype.type(0)))

    @cached_property
    def observed(self) -> Any:
        """The time that a value was there."""
        if self.rows.valid is None:
            return self._weight
        return self._sum(self.rows.weight, self._numbers | self._texts)

    @cached_property
    def gone(self) -> Any:
        """The time that the thing or the attribute was not there."""
        if self.rows.deleted is None:
            return np.zeros_like(self._weight)
        return self._sum(self.rows.weight, self.rows.deleted)

    @cached_property
    def _weight(self) -> Any:
        return self._sum(self.rows.weight, self._numbers)

    @cached_property
    def _product(self) -> Any:
        return self._sum(self.rows.number * self.rows.weight, self._numbers)

    def figures(self, wanted: Sequence[Computation], *, states: bool = True) -> dict[str, Any]:
        """`n<i>` and `d<i>` for the i-th computation; without `states`, what steps alone add."""
        told: dict[str, Any] = {}
        for number, one in enumerate(wanted):
            above, below = self._weights(one) if states else (None, None)
            if self.rows.steps is not None and one.measure in STEPS:
                more = self._steps(one, self.rows.steps)
                above = more[0] if more[0] is not None else above
                below = more[1] if more[1] is not None else below
            nothing = np.zeros(len(self._weight))
            told[f"n{number}"] = nothing if above is None else above.astype(np.float64)
            told[f"d{number}"] = nothing if below is None else below.astype(np.float64)
        return told

    def _weights(self, one: Computation) -> tuple[Any, Any]:
        """What states add above and below the line, None where nothing."""
        if one.measure == "share":
            assert one.condition is not None
            by_text = bool(one.condition.equals)
            valid = self._texts if by_text else self._numbers
            met = within(_meets(self.rows, one.condition), valid)
            whole = self._sum(self.rows.weight, valid) if by_text else self._weight
            return self._sum(self.rows.weight, met), whole
        if one.measure in WEIGHED:
            return self._product, self._weight
        return None, self._weight / UNTIL[one.measure] if one.measure in UNTIL else None

    def _steps(self, one: Computation, steps: Steps) -> tuple[Any, Any]:
        """See `step_ratio`."""
        change = self.rows.number - steps.before
        step = within(within(~np.isnan(change), self._numbers), steps.began)
        if one.measure in {"falls", "before_fall"}:
            fall = step & (change <= -(one.by or 0.0))
            count = self.add(fall.astype(np.int64))
            return (
                (count, None) if one.measure == "falls" else (self._sum(steps.before, fall), count)
            )
        if one.measure == "growth":
            grew = step & (change >= 0) & (steps.us > steps.before_us)
            length = np.where(grew, steps.us - steps.before_us, 1)
            inside = np.where(grew, steps.us - steps.grows, 0)
            return self._sum(change * inside / length, grew), self.add(inside) / _DAY_US
        step &= (change != 0) & (steps.us - steps.seen <= HOUR_US)
        size = np.abs(change)
        jump = step & (size >= one.by)
        if one.measure == "jumps":
            return self.add(jump.astype(np.int64)), None
        if one.measure == "jump_share":
            return self._sum(size, jump), self._sum(size, step)
        return self._sum(size, step & ~jump & (change < 0)), None


def within(test: Any, other: Any) -> Any:
    """Both tests; None: all pass."""
    if test is None or other is None:
        return other if test is None else test
    return test & other


def _meets(rows: Rows, condition: Condition) -> Any:
    if condition.equals is not None:
        place = rows.texts.index(condition.equals).as_py()
        return rows.text == place if place >= 0 else np.zeros(len(rows.text), np.bool_)
    if condition.at_most is not None:
        return rows.number <= condition.at_most
    if condition.at_least is not None:
        return rows.number >= condition.at_least
    if condition.between is not None:
        return (rows.number >= condition.between[0]) & (rows.number <= condition.between[1])
    return rows.number > condition.above
