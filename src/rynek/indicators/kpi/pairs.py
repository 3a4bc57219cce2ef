"""Readings of days beside the ones that follow them: what everything else is summed up from.

A day is told from its own readings alone: what follows the last reading of a day stands in another
(see `days`). So a late reading changes one day, and days can be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["PAIRS", "READINGS", "paired"]

READINGS: Final = {
    "series": "int64",
    "day": "int64",
    "us": "int64",
    "seq": "int64",
    "number": "float64",
    "text": "string",
    "unit_code": "string",
    "deleted": "boolean",
    "previous_us": "int64",
    "previous_count": "int32",
}
"""Readings of whole series, numbered, with the `day` (its beginning, epoch µs) that each is in."""
PAIRS: Final = READINGS | {
    "next": "int64",
    "seen": "int64",
    "times": "int32",
    "before": "float64",
    "before_us": "int64",
    "is_first": "boolean",
}
"""With the time of the `next` reading of the series on that day (null: there is none), when the
value was last `seen` before it and how many `times`, the number `before` on that day with its
time, and whether it is the first of that day."""


def paired(readings: ir.Table) -> ir.Table:
    """PAIRS of READINGS, as an expression for any database."""
    import ibis

    window = ibis.window(group_by=["series", "day"], order_by=["us", "seq"])
    rows = readings.mutate(
        next=readings.us.lead().over(window),
        again=readings.previous_us.lead().over(window),
        times=readings.previous_count.lead().over(window),
        before=readings.number.lag().over(window),
        before_us=readings.us.lag().over(window),
    )
    rows = rows.mutate(is_first=rows.before_us.isnull())
    seen = ibis.least(ibis.greatest(rows.us, rows.again.coalesce(rows.us)), rows.next)
    seen = ibis.cases((rows.next.isnull(), rows.us), else_=seen)
    return rows.mutate(seen=seen).drop("again")
