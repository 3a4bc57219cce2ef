"""What is measured of states: what is added up above and below the line for each computation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rynek.indicators.definition import Computation, Condition
from rynek.indicators.kpi.moves import STEPS, step_ratio

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["STATE_MEASURES", "UNTIL", "WEIGHED", "figures", "has_steps", "kinds", "stepped"]

WEIGHED: Final = frozenset({"share", "mean", "total", "exceedances"})
STATE_MEASURES: Final = WEIGHED | frozenset(STEPS)
_DAY_US: Final = 86_400_000_000
UNTIL: Final = {"falls": 7 * _DAY_US, "jumps": 7 * _DAY_US, "taken": _DAY_US}
"""What the time observed is divided by, of measures that are so many in a week or day."""


def figures(rows: ir.Table, wanted: Sequence[Computation], *, steps: bool) -> dict[str, Any]:
    """Of rows with `number`, `text`, `unit_code`, `deleted` and a `weight` (µs): the sums
    `observed` and `gone` (µs), the units, and for the i-th computation a numerator `n<i>` and a
    denominator `d<i>`; the value is 100, `scale` … times their ratio. `steps`: with what steps add
    (`step_ratio`), all of them after the beginning of the period."""
    import ibis

    there = (rows.number.notnull() | rows.text.notnull()) & ~rows.deleted
    nothing = rows.weight.sum(where=ibis.literal(False))
    told: dict[str, Any] = {
        "observed": rows.weight.sum(where=there),
        "gone": rows.weight.sum(where=rows.deleted),
        "unit_low": rows.unit_code.min(),
        "unit_high": rows.unit_code.max(),
    }
    for number, one in enumerate(wanted):
        above, below = _weights(rows, one)
        if steps and one.measure in STEPS:
            stepped_above, stepped_below = step_ratio(rows, one, rows.before_us)
            above = stepped_above if stepped_above is not None else above
            below = stepped_below if stepped_below is not None else below
        told[f"n{number}"] = nothing if above is None else above
        told[f"d{number}"] = nothing if below is None else below
    return told


def has_steps(wanted: Sequence[Computation]) -> bool:
    """Whether steps add to any of the computations."""
    return any(one.measure in STEPS for one in wanted)


def stepped(rows: ir.Table, wanted: Sequence[Computation], start: Any) -> dict[str, Any]:
    """What steps add to `n<i>` and `d<i>`, where they do (see `step_ratio`)."""
    told: dict[str, Any] = {}
    for number, one in enumerate(wanted):
        if one.measure in STEPS:
            above, below = step_ratio(rows, one, start)
            told[f"n{number}"] = above
            if below is not None:
                told[f"d{number}"] = below
    return told


def kinds(wanted: Sequence[Computation]) -> dict[str, str]:
    """The types of the sums of `figures`: databases differ in those."""
    numbers = [f"{side}{number}" for number in range(len(wanted)) for side in "nd"]
    return {"observed": "int64", "gone": "int64"} | dict.fromkeys(numbers, "float64")


def _weights(rows: ir.Table, one: Computation) -> tuple[Any, Any]:
    """What states add above and below the line, None where nothing."""
    numbers = rows.number.notnull() & ~rows.deleted
    if one.measure == "share":
        assert one.condition is not None
        valid = rows.text.notnull() & ~rows.deleted if one.condition.equals else numbers
        met = valid & _meets(rows, one.condition)
        return rows.weight.sum(where=met), rows.weight.sum(where=valid)
    if one.measure in WEIGHED:
        product = (rows.number * rows.weight.cast("float64")).sum(where=numbers)
        return product, rows.weight.sum(where=numbers)
    if one.measure in UNTIL:
        return None, rows.weight.sum(where=numbers) / UNTIL[one.measure]
    return None, None


def _meets(rows: ir.Table, condition: Condition) -> Any:
    if condition.equals is not None:
        return rows.text == condition.equals
    if condition.at_most is not None:
        return rows.number <= condition.at_most
    if condition.at_least is not None:
        return rows.number >= condition.at_least
    if condition.between is not None:
        return rows.number.between(*condition.between)
    return rows.number > condition.above
