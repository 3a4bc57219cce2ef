"""From readings to states: how long which value held, cut at the ends of days.

A value holds until the next reading, at most so long after it was last seen. Between a reading and
the last time that its value was seen again unchanged (`previous_until`) it is taken to have held.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from rynek.indicators.kpi.period import Marks, Period

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["BUCKETS", "DAY_US", "LOOK_US", "Holding", "in_buckets", "states"]

DAY_US: Final = 86_400_000_000
LOOK_US: Final = 35 * DAY_US
"""So far before a period the value that it begins with is looked for, and so long after it the
reading that says how long its last value was seen."""
BUCKETS: Final = "buckets"
_FAR: Final = 1 << 62
_STRETCH: Final = 1.1
_FEW: Final = 3


class Holding(msgspec.Struct, frozen=True):
    """How long a value holds after it was last seen (µs); `follow`: or 1.1 times the usual interval
    of the thing's readings, where that is longer (at most LOOK_US)."""

    micros: int
    follow: bool


def states(readings: ir.Table, period: Period, holding: Holding) -> ir.Table:
    """One row for each value that held in the period: `entity_id`, `number`, `text`, `before` (the
    number before it, read at `before_us`), `deleted`, `us` and [a, b) in µs. A deleted value holds
    for good.

    `readings` are those of one attribute, with the marks of deletions.
    """
    import ibis

    window = ibis.window(group_by="entity_id", order_by=["us", "seq"])
    runs = ibis.table({"entity_id": "string", "until": "int64"}, name="open_runs")
    rows = readings.select(
        "entity_id", "us", "seq", "number", "text", "unit_code", "deleted", "previous_us"
    )
    rows = rows.mutate(
        next=rows.us.lead().over(window),
        seen_again=rows.previous_us.lead().over(window),
        before=rows.number.lag().over(window),
        before_us=rows.us.lag().over(window),
    )
    rows = rows.left_join(runs, "entity_id").drop("entity_id_right")
    last = ibis.cases((rows.next.isnull(), rows.until), else_=rows.seen_again)
    rows = rows.mutate(seen=ibis.greatest(rows.us, last.coalesce(rows.us)))
    rows = rows.mutate(after=rows.next.coalesce(_FAR))
    rows = rows.mutate(seen=ibis.least(rows.seen, rows.after))
    held = ibis.literal(holding.micros)
    if holding.follow:
        rows = _with_usual(rows)
        # At most LOOK_US: beyond it, nothing is looked for.
        held = ibis.least(ibis.greatest(held, rows.usual.coalesce(0)), LOOK_US)
    end = ibis.least(rows.after, rows.seen + held)
    end = ibis.cases((rows.deleted, rows.after), else_=end)
    rows = rows.mutate(
        a=ibis.greatest(rows.us, period.start).cast("int64"),
        b=ibis.least(end, period.end).cast("int64"),
    )
    began = (rows.us >= period.start) & (rows.us < period.end)
    return rows.filter((rows.b > rows.a) | began)


def _with_usual(rows: ir.Table) -> ir.Table:
    """With 1.1 times the median interval of each thing's readings; null where there are few."""
    gaps = rows.filter(rows.next.notnull() & (rows.next > rows.seen))
    usual = gaps.group_by("entity_id").aggregate(
        usual=((gaps.next - gaps.seen).median() * _STRETCH).floor().cast("int64"),
        count=gaps.count(),
    )
    usual = usual.filter(usual["count"] >= _FEW).drop("count")
    return rows.left_join(usual, "entity_id").drop("entity_id_right")


def in_buckets(rows: ir.Table, marks: Marks, period: Period) -> ir.Table:
    """The states cut at the ends of buckets: `bucket`, `weight` (µs of it in the bucket), and
    `began`: whether this piece holds the reading itself."""
    import ibis

    low, high = marks.key(rows.a), marks.key(ibis.greatest(rows.b - 1, rows.a))
    rows = rows.mutate(low=low, high=high)
    inside = rows.filter(rows.low == rows.high)
    inside = inside.mutate(bucket=inside.low, piece_a=inside.a, piece_b=inside.b)
    table = ibis.table({"bucket": "int64", "first": "int64", "last": "int64"}, name=BUCKETS)
    across = rows.filter(rows.low != rows.high)
    across = across.join(table, [across.low <= table.bucket, across.high >= table.bucket])
    across = across.mutate(
        piece_a=ibis.greatest(across.a, across.first), piece_b=ibis.least(across.b, across.last)
    ).drop("first", "last")
    every: Any = inside.union(across.select(inside.columns))
    return every.mutate(
        weight=ibis.greatest(every.piece_b - every.piece_a, 0),
        began=(every.piece_a == every.us) & (every.us >= period.start),
    )
