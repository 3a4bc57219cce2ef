"""Days of states joined to a period: what held over midnight, and how long things usually rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rynek.indicators.kpi.measures import figures, has_steps, kinds, stepped
from rynek.indicators.kpi.states import BUCKETS, LOOK_US, STRETCH, Variant

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["inner_days", "joined", "pieces"]

_FAR: Final = 1 << 62
_FEW: Final = 3
_ENDS: Final = {
    "series": "string",
    "day": "int64",
    "first_us": "int64",
    "first_previous": "int64",
    "first_number": "float64",
    "last_us": "int64",
    "last_number": "float64",
    "last_text": "string",
    "last_unit": "string",
    "last_deleted": "boolean",
}
_LONG: Final = {
    "series": "string",
    "us": "int64",
    "seen": "int64",
    "next": "int64",
    "number": "float64",
    "text": "string",
}
_GAPS: Final = {"series": "string", "gap": "int64", "count": "int64"}
_SHORTS: Final = {"series": "string", "number": "int64", "longest": "int64"}
_PIECES: Final = {
    "series": "string",
    "bucket": "int64",
    "number": "float64",
    "text": "string",
    "unit_code": "string",
    "deleted": "boolean",
    "weight": "int64",
}
_UNITS: Final = {"unit_low": "string", "unit_high": "string"}
_BUCKETS: Final = {"bucket": "int64", "first": "int64", "last": "int64"}


def pieces(variant: Variant) -> ir.Table:
    """What held over midnight, or for long, in each bucket of a period: `number`, `text`,
    `unit_code`, `deleted` and the `weight` (µs).

    The tables: `ends` of days and, where a variant follows, `shorts`, `long_gaps` and `gaps` as
    `states` makes them, up to LOOK_US before and after the period (`long_gaps` of the period
    alone); `buckets` of the period and `open_runs` (`series`, `until`). Of variants nothing counts
    but how long a value holds.
    """
    import ibis

    links = _links(ibis.table(_ENDS, name="ends"))
    usual = _usual(links, variant) if variant.follow else None
    if variant.follow:
        long = ibis.table(_LONG, name="long_gaps")
        empty = {"unit_code": ibis.null("string"), "deleted": ibis.literal(False)}
        links = links.union(long.mutate(**empty).select(links.columns))
    return _cut(links, usual, variant)


def joined(variant: Variant) -> ir.Table:
    """For each thing and bucket of a period: `observed` and `gone` (µs), `readings`, `first` and
    `last` (their times), the units, and `n<i>` and `d<i>` for the i-th computation.

    The tables: `inner_days` (`inner` of the days of the period), `pieces`, `ends`, `buckets` and
    `period` with one row (`start`, `stop`).
    """
    import ibis

    held = ibis.table(_PIECES, name="pieces")
    told = figures(held, variant.asked, steps=False)
    tables = [
        ibis.table(inner_days(variant), name="inner_days"),
        held.group_by("series", "bucket").aggregate(**told),
    ]
    if has_steps(variant.asked):
        tables.append(_first_steps(variant))
    return _summed(tables, variant)


def inner_days(variant: Variant) -> dict[str, str]:
    """The columns of `inner_days`, in this order."""
    return {"series": "string", "bucket": "int64"} | _summed_columns(variant)


def _summed_columns(variant: Variant) -> dict[str, str]:
    counted = dict.fromkeys(("readings", "first", "last"), "int64")
    return counted | _UNITS | kinds(variant.asked)


def _links(ends: ir.Table) -> ir.Table:
    """The last reading of each day with the time of the `next` one (null: there is none)."""
    import ibis

    along = ibis.window(group_by="series", order_by="day")
    days = ends.mutate(
        next=ends.first_us.lead().over(along), again=ends.first_previous.lead().over(along)
    )
    runs = ibis.table({"series": "string", "until": "int64"}, name="open_runs")
    rows = days.left_join(runs, "series").drop("series_right")
    again = ibis.cases((rows.next.isnull(), rows.until), else_=rows.again)
    seen = ibis.greatest(rows.last_us, again.coalesce(rows.last_us))
    return rows.select(
        "series",
        us=rows.last_us,
        seen=ibis.least(seen, rows.next.coalesce(_FAR)),
        next=rows.next,
        number=rows.last_number,
        text=rows.last_text,
        unit_code=rows.last_unit,
        deleted=rows.last_deleted,
    )


def _usual(links: ir.Table, variant: Variant) -> ir.Table:
    """1.1 times the median interval of each thing's readings, where that is not short.

    Of short intervals the number is known, and the longest: enough for a median that is none.
    """
    import ibis

    over = links.filter(links.next.notnull() & ~links.deleted & (links.next > links.seen))
    over = over.select("series", gap=over.next - over.seen, count=ibis.literal(1, "int64"))
    every = ibis.table(_GAPS, name="gaps").union(over)
    is_short = every.gap <= variant.short
    brief = every.filter(is_short).group_by("series")
    brief = brief.aggregate(number=every["count"].sum(), longest=every.gap.max())
    days = ibis.table(_SHORTS, name="shorts")
    brief = days.union(brief.cast({"number": "int64", "longest": "int64"})).group_by("series")
    shorts: Any = brief.aggregate(number=ibis._.number.sum(), longest=ibis._.longest.max())
    rest = every.filter(~is_short).group_by("series", "gap").aggregate(count=every["count"].sum())
    upto = ibis.window(group_by="series", order_by="gap", preceding=None, following=0)
    whole = ibis.window(group_by="series")
    rest = rest.mutate(
        upto=rest["count"].sum().over(upto).cast("int64"),
        all=rest["count"].sum().over(whole).cast("int64"),
    )
    rows = rest.left_join(shorts, "series").drop("series_right")
    number = rows.number.coalesce(0)
    rows = rows.mutate(number=number, total=number + rows["all"])
    half = (rows.total - rows.total % 2) // 2
    # The places of the two in the middle among those that are not short.
    rows = rows.mutate(high=half - rows.number, low=half - 1 + rows.total % 2 - rows.number)
    found = rows.group_by("series").aggregate(
        upper=rows.gap.min(where=(rows.upto > rows.high) & (rows.high >= 0)),
        lower=rows.gap.min(where=(rows.upto > rows.low) & (rows.low >= 0)),
        longest=rows.longest.max(),
        total=rows.total.max(),
    )
    middle = (found.upper + found.lower.coalesce(found.longest)) / 2
    found = found.mutate(usual=(middle * STRETCH).floor().cast("int64"))
    return found.filter((found.total >= _FEW) & found.upper.notnull()).select("series", "usual")


def _cut(links: ir.Table, usual: ir.Table | None, variant: Variant) -> ir.Table:
    """What held in each bucket."""
    import ibis

    held: Any = ibis.literal(variant.micros)
    rows = links
    if usual is not None:
        rows = rows.left_join(usual, "series").drop("series_right")
        # At most LOOK_US: beyond it, nothing is looked for.
        held = ibis.least(ibis.greatest(held, rows.usual.coalesce(0)), LOOK_US)
    after = rows.next.coalesce(_FAR)
    end = ibis.least(after, rows.seen + held)
    rows = rows.mutate(end=ibis.cases((rows.deleted, after), else_=end))
    buckets = ibis.table(_BUCKETS, name=BUCKETS)
    cut = rows.join(buckets, [rows.us < buckets["last"], rows.end > buckets["first"]])
    weight = ibis.least(cut.end, cut["last"]) - ibis.greatest(cut.us, cut["first"])
    return cut.mutate(weight=weight).select(*_PIECES)


def _first_steps(variant: Variant) -> ir.Table:
    """What steps from the last reading of a day to the first of a later one add."""
    import ibis

    ends = ibis.table(_ENDS, name="ends")
    along = ibis.window(group_by="series", order_by="day")
    days = ends.select(
        "series",
        us=ends.first_us,
        number=ends.first_number,
        previous_us=ends.first_previous,
        before=ends.last_number.lag().over(along),
        before_us=ends.last_us.lag().over(along),
        deleted=ibis.literal(False),
        began=ibis.literal(True),
    )
    buckets = ibis.table(_BUCKETS, name=BUCKETS)
    period = ibis.table({"start": "int64", "stop": "int64"}, name="period")
    rows = days.cross_join(period)
    rows = rows.join(buckets, [rows.us >= buckets["first"], rows.us < buckets["last"]])
    told = stepped(rows, variant.asked, rows.start)
    return rows.group_by("series", "bucket").aggregate(**told)


def _summed(tables: list[ir.Table], variant: Variant) -> ir.Table:
    """The sums of tables, each with some of the columns."""
    import ibis

    columns = _summed_columns(variant)
    aligned = [
        table.select(
            "series", "bucket",
            **{name: table[name].cast(kind) if name in table.columns else ibis.null(kind)
               for name, kind in columns.items()},
        )
        for table in tables
    ]  # fmt: skip
    every: Any = ibis.union(*aligned)
    by = {"first": "min", "unit_low": "min", "last": "max", "unit_high": "max"}
    told = {name: getattr(every[name], by.get(name, "sum"))() for name in columns}
    grouped = every.group_by("series", "bucket").aggregate(**told)
    return grouped.cast(columns).rename(entity_id="series").order_by("entity_id", "bucket")
