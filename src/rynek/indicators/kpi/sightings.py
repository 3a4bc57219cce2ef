"""When things were heard of at all: how old their newest reading is, and whole days of silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rynek.indicators.kpi.period import Marks, Period
from rynek.indicators.kpi.states import BUCKETS

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["ages", "heard"]


def _sightings(readings: ir.Table) -> ir.Table:
    """When things were seen: [us, seen] (µs) with `times` sightings after the first, `reach`: up to
    when the thing was seen by the readings before, `gone`: it was deleted."""
    import ibis

    series = ibis.window(group_by=["entity_id", "attr", "dataset_id"], order_by=["us", "seq"])
    texts = dict.fromkeys(("entity_id", "attr", "dataset_id"), "string")
    runs = ibis.table(texts | {"until": "int64", "count": "int64"}, name="open_runs")
    rows = readings.filter(readings.observed | (readings.attr == ""))
    rows = rows.select(
        "entity_id", "attr", "dataset_id", "us", "seq", "previous_us", "previous_count"
    )
    rows = rows.mutate(
        next=rows.us.lead().over(series),
        again=rows.previous_us.lead().over(series),
        times=rows.previous_count.lead().over(series),
        dataset=rows.dataset_id.coalesce(""),
    )
    runs = runs.select("entity_id", "attr", "until", "count", dataset=runs.dataset_id.coalesce(""))
    rows = rows.left_join(runs, ["entity_id", "attr", "dataset"])
    last = ibis.cases((rows.next.isnull(), rows.until), else_=rows.again)
    often = ibis.cases((rows.next.isnull(), rows["count"]), else_=rows.times.cast("int64"))
    rows = rows.select(
        "entity_id",
        "us",
        "seq",
        seen=ibis.greatest(rows.us, last.coalesce(rows.us)),
        times=ibis.greatest(often.coalesce(1), 1),
        gone=rows.attr == "",
    )
    # A deletion after what was seen at the same time.
    order = ["us", "gone", "seen", "seq"]
    before = ibis.window(group_by="entity_id", order_by=order, preceding=(None, 1))
    along = ibis.window(group_by="entity_id", order_by=order)
    return rows.mutate(reach=rows.seen.max().over(before), next=rows.us.lead().over(along))


def ages(readings: ir.Table, period: Period) -> ir.Table:
    """For each thing: the integral of the age of its newest reading over the period (µs²) as `n0`,
    the time that it is about as `d0` and `observed`, `gone`, `readings`, `first`, `last`.

    Between a reading and the last time that its value was seen again, sightings are taken to have
    come evenly.
    """
    import ibis

    rows = _sightings(readings)
    # Where it goes on from this row without news: after all that was seen so far.
    silent = ibis.greatest(rows.seen, rows.reach.coalesce(rows.seen))
    rows = rows.mutate(
        a=ibis.greatest(silent, period.start),
        b=ibis.least(rows.next.coalesce(period.end), period.end),
        run_a=ibis.greatest(rows.us, rows.reach.coalesce(rows.us), period.start),
        run_b=ibis.least(rows.seen, period.end),
        silent=silent,
        spacing=(rows.seen - rows.us).cast("float64") / rows.times,
    )
    late = (rows.b - rows.silent).cast("float64")
    early = (rows.a - rows.silent).cast("float64")
    gap = (rows.b > rows.a) & ~rows.gone
    run = rows.run_b > rows.run_a
    area = (late * late - early * early) / 2
    steady = (rows.run_b - rows.run_a).cast("float64") * rows.spacing / 2
    began = (rows.us >= period.start) & (rows.us < period.end) & ~rows.gone
    observed = (rows.b - rows.a).sum(where=gap).coalesce(0) + (rows.run_b - rows.run_a).sum(
        where=run
    ).coalesce(0)
    grouped = rows.group_by("entity_id").aggregate(
        n0=area.sum(where=gap).coalesce(0.0) + steady.sum(where=run).coalesce(0.0),
        observed=observed.cast("int64"),
        gone=(rows.b - rows.a).sum(where=(rows.b > rows.a) & rows.gone).cast("int64"),
        readings=began.sum().cast("int64"),
        first=rows.us.min(where=began),
        last=rows.us.max(where=began),
    )
    return grouped.mutate(d0=grouped.observed.cast("float64")).order_by("entity_id")


def heard(readings: ir.Table, marks: Marks, period: Period) -> ir.Table:
    """For each thing: on how many whole days of the period it was seen (`heard`), since when it is
    known (`known`, µs), how many days it was gone, and `readings`, `first`, `last`."""
    import ibis

    rows = _sightings(readings)
    days = ibis.table({"bucket": "int64", "first": "int64", "last": "int64"}, name=BUCKETS)
    whole = days.bucket.isin(marks.whole)
    days = days.filter(whole)
    seen = rows.filter(~rows.gone)
    met = seen.join(days, [seen.us < days.last, seen.seen >= days.first])
    count: Any = met.group_by("entity_id").aggregate(heard=met.bucket.nunique().cast("int64"))
    away = rows.filter(rows.gone).mutate(until=rows.next.coalesce(period.end))
    lost = away.join(days, [away.us <= days.first, away.until >= days.last])
    lost_days = lost.group_by("entity_id").aggregate(gone=lost.bucket.nunique().cast("int64"))
    began = (rows.us >= period.start) & (rows.us < period.end) & ~rows.gone
    about = rows.group_by("entity_id").aggregate(
        known=rows.us.min(),
        readings=began.sum().cast("int64"),
        first=rows.us.min(where=began),
        last=rows.us.max(where=began),
    )
    about = about.left_join(count, "entity_id").drop("entity_id_right")
    about = about.left_join(lost_days, "entity_id").drop("entity_id_right")
    return about.order_by("entity_id")
