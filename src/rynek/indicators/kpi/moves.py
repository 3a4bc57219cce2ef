"""What is measured of steps from one reading to the next: falls, jumps, what is taken, growth.

A step of which the earlier value was last seen over an hour before tells of no single move; that
counts for jumps and what is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rynek.indicators.definition import Computation
from rynek.indicators.kpi.period import HOUR_US

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["STEPS", "step_ratio"]

STEPS: Final = ("falls", "before_fall", "jumps", "jump_share", "taken", "growth")
_DAY_US: Final = 24 * HOUR_US


def step_ratio(rows: ir.Table, one: Computation, start: Any) -> tuple[Any, Any]:
    """What steps add above and below the line, None where nothing. `rows` have `us`, `number`,
    `deleted`, `previous_us`, the number `before` with its time `before_us`, and `began`: whether a
    reading begins there. Of a step that began before `start` (µs) only the part after it grows."""
    import ibis

    step = rows.number.notnull() & ~rows.deleted & rows.began
    change = rows.number - rows.before
    if one.measure in {"falls", "before_fall"}:
        fall = step & (change <= -(one.by or 0.0))
        return (
            (fall.sum(), None)
            if one.measure == "falls"
            else (rows.before.sum(where=fall), fall.sum())
        )
    if one.measure == "growth":
        began = ibis.greatest(rows.before_us, start)
        length = (rows.us - rows.before_us).cast("float64")
        inside = (rows.us - began).cast("float64")
        grew = step & (change >= 0) & (rows.us > rows.before_us)
        return (change * inside / length).sum(where=grew), inside.sum(where=grew) / _DAY_US
    size = change.abs()
    seen = ibis.greatest(rows.before_us, rows.previous_us.coalesce(rows.before_us))
    step &= (change != 0) & (rows.us - seen <= HOUR_US)
    jump = step & (size >= one.by)
    if one.measure == "jumps":
        return jump.sum(), None
    if one.measure == "jump_share":
        return size.sum(where=jump), size.sum(where=step)
    return size.sum(where=step & ~jump & (change < 0)), None
