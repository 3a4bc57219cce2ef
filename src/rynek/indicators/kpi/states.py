"""How long which value of an attribute held, summed up day by day and joined over days.

A value holds until the next reading, at most so long after it was last seen. Between a reading and
the last time that its value was seen again unchanged it is taken to have held. What lies between
two readings of one day is told from that day alone (`inner`, `long_gaps`, `gaps`,
`shorts`); what lies
between the last reading of a day and the first of a later one is told from their `ends`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from rynek.indicators.definition import Computation
from rynek.indicators.kpi.measures import figures, kinds

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "BUCKETS",
    "DAY_US",
    "HOUR_US",
    "LOOK_US",
    "Variant",
    "ends",
    "gaps",
    "inner",
    "long_gaps",
    "shorts",
]

DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000
LOOK_US: Final = 35 * DAY_US
"""So far before a period the value that it begins with is looked for, and so long after it the
reading that says how long its last value was seen."""
BUCKETS: Final = "buckets"
STRETCH: Final = 1.1
COUNTED: Final = ("readings", "first", "last")


class Variant(msgspec.Struct, frozen=True):
    """What is summed up in one go: computations by days (P1D) or hours (PT1H), where a value holds
    `micros` after it was last seen; `follow`: or 1.1 times the usual interval of the thing's
    readings, where that is longer (at most LOOK_US)."""

    micros: int
    follow: bool
    bucket: str
    asked: tuple[Computation, ...]

    @property
    def short(self) -> int:
        """An interval up to which 1.1 times it is no longer than `micros`."""
        return int(self.micros / STRETCH)


def inner(pairs: ir.Table, variant: Variant) -> ir.Table:
    """The sums of what lies between two readings of a day, by series, day and bucket. What is in
    `long_gaps` has no weight here."""
    import ibis

    rows = _held(pairs, variant)
    every = _by_hours(rows) if variant.bucket == "PT1H" else rows.mutate(began=ibis.literal(True))
    told: dict[str, Any] = {
        # Of readings of one moment only the last one counts.
        "readings": (every.began & ~every.deleted)
        .ifelse(every.next.isnull() | (every.next > every.us), False)
        .sum(),
        "first": every.us.min(where=every.began),
        "last": every.us.max(where=every.began),
    }
    told |= figures(every, variant.asked, steps=True)
    grouped = every.group_by("series", "day", "bucket").aggregate(**told)
    return grouped.cast(dict.fromkeys(COUNTED, "int64") | kinds(variant.asked))


def _held(pairs: ir.Table, variant: Variant) -> ir.Table:
    """With the bucket of the day and the time that each value held, as far as the day can tell."""
    import ibis

    end = ibis.least(pairs.next, pairs.seen + variant.micros)
    end = ibis.cases((pairs.deleted, pairs.next), else_=end)
    elsewhere = pairs.next.isnull()
    if variant.follow:
        elsewhere |= _is_long(pairs, variant)
    rows = pairs.mutate(b=ibis.cases((elsewhere, pairs.us), else_=end), bucket=pairs.day)
    return rows.mutate(weight=rows.b - rows.us)


def _is_long(pairs: ir.Table, variant: Variant) -> Any:
    return ~pairs.deleted & (pairs.next - pairs.seen > variant.micros)


def _by_hours(rows: ir.Table) -> ir.Table:
    """Cut at the ends of hours (of UTC)."""
    import ibis

    buckets = ibis.table({"bucket": "int64", "first": "int64", "last": "int64"}, name=BUCKETS)
    low, high = _hour(rows.us), _hour(ibis.greatest(rows.b - 1, rows.us))
    rows = rows.mutate(bucket=low, high=high)
    whole = rows.filter(rows.bucket == rows.high).mutate(began=ibis.literal(True)).drop("high")
    cut = rows.filter(rows.bucket != rows.high).rename(low="bucket")
    cut = cut.join(buckets, [cut.low <= buckets.bucket, cut.high >= buckets.bucket])
    piece = ibis.least(cut.b, cut["last"]) - ibis.greatest(cut.us, cut["first"])
    cut = cut.mutate(weight=piece, began=cut.low == cut.bucket)
    return whole.union(cut.select(whole.columns))


def _hour(us: Any) -> Any:
    # A remainder of whole numbers: dividing them would be done with fractions.
    return us - (us % HOUR_US + HOUR_US) % HOUR_US


def long_gaps(pairs: ir.Table, variant: Variant) -> ir.Table:
    """The readings after which nothing came for longer than a value surely holds: how long each
    held only the thing's usual interval can say."""
    rows = pairs.filter(_is_long(pairs, variant))
    return rows.select("series", "day", "us", "seen", "next", "number", "text")


def gaps(pairs: ir.Table, variant: Variant) -> ir.Table:
    """How often which interval came that is not short."""
    gap = pairs.next - pairs.seen
    rows = pairs.filter(~pairs.deleted & (gap > variant.short)).mutate(gap=gap)
    counted = rows.group_by("series", "day", "gap").aggregate(count=rows.count())
    return counted.cast({"count": "int64", "gap": "int64"})


def shorts(pairs: ir.Table, variant: Variant) -> ir.Table:
    """The number of intervals that are short, and the longest of those."""
    gap = pairs.next - pairs.seen
    rows = pairs.filter(~pairs.deleted & (gap > 0) & (gap <= variant.short)).mutate(gap=gap)
    told = rows.group_by("series", "day").aggregate(number=rows.count(), longest=rows.gap.max())
    return told.cast({"number": "int64", "longest": "int64"})


def ends(pairs: ir.Table) -> ir.Table:
    """The first and the last reading of each day."""
    rows = pairs.filter(pairs.is_first | pairs.next.isnull())
    first, last = rows.is_first, rows.next.isnull()
    return rows.group_by("series", "day").aggregate(
        first_us=rows.us.min(where=first),
        first_previous=rows.previous_us.max(where=first),
        first_number=rows.number.max(where=first),
        last_us=rows.us.max(where=last),
        last_number=rows.number.max(where=last),
        last_text=rows.text.max(where=last),
        last_unit=rows.unit_code.max(where=last),
        last_deleted=(rows.deleted & last).any(),
    )
