"""What is measured of states: sums by thing and bucket, several indicators in one scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rynek.indicators.definition import Computation, Condition
from rynek.indicators.kpi.moves import STEPS, step_ratio
from rynek.indicators.kpi.period import Marks, Period
from rynek.indicators.kpi.states import DAY_US, Holding, in_buckets, states

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["sums"]


def sums(
    readings: ir.Table,
    period: Period,
    holding: Holding,
    marks: Marks,
    wanted: Sequence[Computation],
) -> ir.Table:
    """For each thing and bucket: `observed` and `gone` (µs), `readings`, `first` and `last` (their
    times), the units, and for the i-th computation a numerator `n<i>` and a denominator `d<i>`."""
    rows = in_buckets(states(readings, period, holding), marks, period)
    there = (rows.number.notnull() | rows.text.notnull()) & ~rows.deleted
    columns: dict[str, Any] = {
        "observed": rows.weight.sum(where=there),
        "gone": rows.weight.sum(where=rows.deleted),
        # Of readings of one moment only the last one counts.
        "readings": rows.began.sum(where=~rows.deleted & (rows.after > rows.us)),
        "first": rows.us.min(where=rows.began),
        "last": rows.us.max(where=rows.began),
        "unit_low": rows.unit_code.min(),
        "unit_high": rows.unit_code.max(),
    }
    for number, one in enumerate(wanted):
        columns[f"n{number}"], columns[f"d{number}"] = _ratio(rows, one, period)
    grouped = rows.group_by("entity_id", "bucket").aggregate(**columns)
    kinds = {name: "float64" for name in columns if name[0] in "nd"}
    kinds |= dict.fromkeys(("observed", "gone", "readings"), "int64")
    return grouped.cast(kinds).order_by("entity_id", "bucket")


def _ratio(rows: ir.Table, one: Computation, period: Period) -> tuple[Any, Any]:
    """What is added up above and below the line; the value is 100, `scale` … times their ratio."""
    numbers = rows.number.notnull() & ~rows.deleted
    match one.measure:
        case "share":
            assert one.condition is not None
            valid = rows.text.notnull() & ~rows.deleted if one.condition.equals else numbers
            met = valid & _meets(rows, one.condition)
            return rows.weight.sum(where=met), rows.weight.sum(where=valid)
        case "mean" | "exceedances" | "total":
            return _product(rows, numbers), rows.weight.sum(where=numbers)
    if one.measure in STEPS:
        return step_ratio(rows, one, numbers, period)
    fall = numbers & rows.began & (rows.before - rows.number >= one.by)
    if one.measure == "falls":
        return fall.sum(), rows.weight.sum(where=numbers) / (7 * DAY_US)
    return rows.before.sum(where=fall), fall.sum()


def _product(rows: ir.Table, valid: Any) -> Any:
    return (rows.number * rows.weight.cast("float64")).sum(where=valid)


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
