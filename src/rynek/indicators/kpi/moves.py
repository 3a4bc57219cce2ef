"""What is measured of steps from one reading to the next: jumps, what is taken, growth of meters.

A step of which the earlier value was last seen over an hour before tells of no single move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rynek.indicators.definition import Computation
from rynek.indicators.kpi.period import HOUR_US, Period

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["STEPS", "step_ratio"]

STEPS: Final = ("jumps", "jump_share", "taken", "growth")
_DAY_US: Final = 24 * HOUR_US


def step_ratio(rows: ir.Table, one: Computation, numbers: Any, period: Period) -> tuple[Any, Any]:
    """What is added up above and below the line, of states cut into buckets (`in_buckets`);
    `numbers`: where a number holds. A move is where a piece begins with a reading."""
    import ibis

    change = rows.number - rows.before
    size = change.abs()
    if one.measure == "growth":
        # Of a step that began before the period only the part within it.
        began = ibis.greatest(rows.before_us, period.start)
        length = (rows.us - rows.before_us).cast("float64")
        inside = (rows.us - began).cast("float64")
        step = numbers & rows.began & (change >= 0) & (rows.us > rows.before_us)
        return (change * inside / length).sum(where=step), inside.sum(where=step) / _DAY_US
    seen = ibis.greatest(rows.before_us, rows.previous_us.coalesce(rows.before_us))
    step = numbers & rows.began & (change != 0) & (rows.us - seen <= HOUR_US)
    jump = step & (size >= one.by)
    observed = rows.weight.sum(where=numbers)
    if one.measure == "jumps":
        return jump.sum(), observed / (7 * _DAY_US)
    if one.measure == "jump_share":
        return size.sum(where=jump), size.sum(where=step)
    taken = step & ~jump & (change < 0)
    return size.sum(where=taken), observed / _DAY_US
