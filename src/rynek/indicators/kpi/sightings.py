"""When things were heard of at all: how old their newest reading is, and whole days of silence.

As with states, each day is told from its own readings (`sighted`), series by series, and days are
joined by what each begins and ends with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["ages", "heard", "sighted"]

_FAR: Final = 1 << 62
_SIGHTED: Final = {
    "series": "int64",
    "day": "int64",
    "readings": "int64",
    "first_us": "int64",
    "first_previous": "int64",
    "first_times": "int64",
    "last_us": "int64",
    "area": "float64",
}
_NAMES: Final = {"series": "int64", "entity_id": "string"}
_MARKS: Final = {"entity_id": "string", "us": "int64"}


def sighted(pairs: ir.Table) -> ir.Table:
    """Of each series and day: the readings, the first and the last, and the integral of the age of
    the newest one from the first to the last (µs²).

    Between a reading and the last time that its value was seen again, sightings are taken to have
    come evenly.
    """
    first, told = pairs.is_first, pairs.next.notnull()
    area = _area(pairs.us, pairs.seen, pairs.next, pairs.times)
    rows = pairs.group_by("series", "day").aggregate(
        readings=pairs.count(),
        first_us=pairs.us.min(),
        first_previous=pairs.previous_us.max(where=first),
        first_times=pairs.previous_count.max(where=first),
        last_us=pairs.us.max(),
        area=area.sum(where=told).coalesce(0.0),
    )
    return rows.cast({"series": "int64", "readings": "int64", "first_times": "int64"})


def _area(us: Any, seen: Any, until: Any, times: Any) -> Any:
    import ibis

    run, gap = (seen - us).cast("float64"), (until - seen).cast("float64")
    return run * run / ibis.greatest(times.coalesce(1), 1) / 2 + gap * gap / 2


def ages() -> ir.Table:
    """For each thing: the integral of the age of its newest reading over the period (µs²) as `n0`,
    the time that it is about as `d0` and `observed`, `gone`, `readings`, `first`, `last`.

    It is that of one series: of those known for half as long as the one known longest, the one
    whose readings are youngest. The tables: `sighted` of days up to LOOK_US before and after the
    period (those `inside` are of it), `names` of series, `marks` of deletions, `open_runs`
    (`series`, `until`, `count`), and `period` with one row (`start`, `stop`).
    """
    import ibis

    days = ibis.table(_SIGHTED | {"inside": "boolean"}, name="sighted")
    within = days.filter(days.inside)
    area, length = within.area, within.last_us - within.first_us
    inner: Any = within.select(
        "series", "readings", area=area, observed=length, gone=ibis.literal(0, "int64"),
        first="first_us", last="last_us",
    )  # fmt: skip
    kinds = {"readings": "int64", "observed": "int64", "gone": "int64", "area": "float64"}
    every = inner.cast(kinds).union(_between(_links(days)).cast(kinds))
    summed = every.group_by("series").aggregate(
        n0=every.area.sum().cast("float64"),
        observed=every.observed.sum().cast("int64"),
        gone=every.gone.sum().cast("int64"),
        readings=every.readings.sum().cast("int64"),
        first=every["first"].min(),
        last=every["last"].max(),
    )
    return _youngest(summed.join(ibis.table(_NAMES, name="names"), "series"))


def _youngest(rows: ir.Table) -> ir.Table:
    """One series of each thing."""
    import ibis

    things = ibis.window(group_by="entity_id")
    rows = rows.mutate(
        known=rows.observed * 2 >= rows.observed.max().over(things),
        age=ibis.cases((rows.observed > 0, rows.n0 / rows.observed), else_=float(_FAR)),
    )
    order = [ibis.desc("known"), "age", "series"]
    ranked = rows.mutate(
        rank=ibis.row_number().over(ibis.window(group_by="entity_id", order_by=order)),
        readings=rows.readings.max().over(things),
        first=rows["first"].min().over(things),
        last=rows["last"].max().over(things),
    )
    rows = ranked.filter(ranked["rank"] == 0).mutate(d0=ranked.observed.cast("float64"))
    columns = ("entity_id", "n0", "d0", "observed", "gone", "readings", "first", "last")
    return rows.select(*columns).order_by("entity_id")


def _links(days: ir.Table) -> ir.Table:
    """From the last reading of each day to the first of the next one: `us`, `seen`, `times`,
    `until` (null: nothing came after it), and when the thing was `lost` in between."""
    import ibis

    along = ibis.window(group_by="series", order_by="day")
    rows = days.mutate(
        next=days.first_us.lead().over(along),
        again=days.first_previous.lead().over(along),
        often=days.first_times.lead().over(along),
    )
    runs = ibis.table({"series": "int64", "until": "int64", "count": "int64"}, name="open_runs")
    rows = rows.left_join(runs, "series").drop("series_right")
    is_last = rows.next.isnull()
    seen = ibis.cases((is_last, rows.until), else_=rows.again).coalesce(rows.last_us)
    times = ibis.cases((is_last, rows["count"]), else_=rows.often)
    until = rows.next.coalesce(_FAR)
    links = rows.select(
        "series", us="last_us", until=until, times=times,
        seen=ibis.least(ibis.greatest(rows.last_us, seen), until),
    )  # fmt: skip
    names, marks = ibis.table(_NAMES, name="names"), ibis.table(_MARKS, name="marks")
    marked = links.join(names, "series").join(marks, "entity_id")
    marked = marked.filter((marked.us_right >= marked.us) & (marked.us_right < marked.until))
    lost = marked.group_by("series", "us").aggregate(lost=marked.us_right.min())
    return links.left_join(lost, ["series", "us"]).drop("series_right", "us_right")


def _between(links: ir.Table) -> ir.Table:
    """What the links add to the sums of a period."""
    import ibis

    period = ibis.table({"start": "int64", "stop": "int64"}, name="period")
    rows = links.cross_join(period)
    stop = ibis.least(rows.stop, rows.until, rows.lost.coalesce(_FAR))
    rows = rows.mutate(
        run_a=ibis.greatest(rows.us, rows.start),
        run_b=ibis.least(rows.seen, stop),
        a=ibis.greatest(rows.seen, rows.start),
        b=stop,
        away_a=ibis.greatest(rows.lost, rows.start),
        away_b=ibis.least(rows.stop, rows.until),
    )
    times = ibis.greatest(rows.times.coalesce(1), 1)
    spacing = (rows.seen - rows.us).cast("float64") / times
    run, gap = rows.run_b > rows.run_a, rows.b > rows.a
    late = (rows.b - rows.seen).cast("float64")
    early = (rows.a - rows.seen).cast("float64")
    steady = ibis.cases((run, (rows.run_b - rows.run_a).cast("float64") * spacing / 2), else_=0.0)
    silent = ibis.cases((gap, (late * late - early * early) / 2), else_=0.0)
    ran = ibis.cases((run, rows.run_b - rows.run_a), else_=0)
    gone = rows.lost.notnull() & (rows.away_b > rows.away_a)
    return rows.select(
        "series",
        readings=ibis.literal(0, "int64"),
        area=steady + silent,
        observed=ran + ibis.cases((gap, rows.b - rows.a), else_=0),
        gone=ibis.cases((gone, rows.away_b - rows.away_a), else_=0),
        first=ibis.null("int64"),
        last=ibis.null("int64"),
    )


def heard() -> ir.Table:
    """For each thing: on how many whole days of the period it was seen (`heard`), since when it is
    known (`known`, µs), how many of them it was gone, and `readings`, `first`, `last`.

    The tables are those of `ages`, and `days` (`first`, `last`): the whole days of the period.
    """
    import ibis

    rows = ibis.table(_SIGHTED | {"inside": "boolean"}, name="sighted")
    names = ibis.table(_NAMES, name="names")
    whole = ibis.table({"first": "int64", "last": "int64"}, name="days")
    links = _links(rows)
    far: Any = links.filter(links.seen > links.us)
    runs = far.join(whole, [far.us < whole["last"], far.seen >= whole["first"]])
    own = rows.join(whole, [rows.last_us >= whole["first"], rows.last_us < whole["last"]])
    met = runs.select("series", day="first").union(own.select("series", day="first"))
    met = met.join(names, "series").select("entity_id", "day").distinct()
    count = met.group_by("entity_id").aggregate(heard=met.count().cast("int64"))
    lost = _lost_days(rows, names, whole)
    every = rows.join(names, "series")
    about = every.group_by("entity_id").aggregate(
        known=every.first_us.min(),
        readings=every.readings.sum(where=every.inside).cast("int64"),
        first=every.first_us.min(where=every.inside),
        last=every.last_us.max(where=every.inside),
    )
    about = about.left_join(count, "entity_id").drop("entity_id_right")
    about = about.left_join(lost, "entity_id").drop("entity_id_right")
    return about.order_by("entity_id")


def _lost_days(rows: ir.Table, names: ir.Table, whole: ir.Table) -> ir.Table:
    """On how many whole days each thing was gone from beginning to end."""
    import ibis

    marks = ibis.table(_MARKS, name="marks")
    seen = rows.join(names, "series").select("entity_id", "first_us", "last_us")
    back = marks.join(seen, "entity_id")
    # A day may have begun before the mark and gone on after it.
    again = ibis.cases(
        (back.first_us > back.us, back.first_us), (back.last_us > back.us, back.us), else_=_FAR
    )
    until = back.mutate(again=again).group_by("entity_id", "us").aggregate(until=ibis._.again.min())
    gone = until.join(whole, [until.us <= whole["first"], until.until >= whole["last"]])
    return gone.group_by("entity_id").aggregate(gone=gone["first"].nunique().cast("int64"))
