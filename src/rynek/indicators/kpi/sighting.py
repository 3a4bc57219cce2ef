"""Days of sightings joined to a period, as arrays: what `ages` and `heard` say as expressions, where
no thing was deleted. Tests compare the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from rynek.indicators.kpi.coding import filled
from rynek.indicators.kpi.period import Period

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Sighted", "ages_of", "heard_of", "sighted_days", "watched"]

_FAR: Final = 1 << 62
Days = Sequence[tuple[int, int]]


class Sighted(msgspec.Struct, frozen=True, kw_only=True):
    """`sighted` in order of series and day, with the `thing` of each series; and what lies between
    the last reading of each day and the first of the next one: `until` it came (FAR: none), when
    the value was `seen` last, and how many `times`."""

    series: Any
    thing: Any
    inside: Any
    readings: Any
    first: Any
    last: Any
    area: Any
    until: Any
    seen: Any
    times: Any


def sighted_days(tables: Mapping[str, pa.Table]) -> tuple[Sighted, pa.Array]:
    """The tables that `ages` names, but for `marks` and `period`; and the names of things."""
    rows = tables["sighted"]
    series = rows.column("series").to_numpy()
    order = np.lexsort((rows.column("day").to_numpy(), series))
    series = series[order]

    def column(name: str) -> Any:
        return filled(rows.column(name))[order]

    count = len(tables["names"])
    until, often = np.zeros(count, np.int64), np.zeros(count, np.int64)
    runs = tables["open_runs"]
    place = runs.column("series").to_numpy()
    until[place], often[place] = (filled(runs.column(name)) for name in ("until", "count"))
    inside = series[1:] == series[:-1]
    first, last = column("first_us"), column("last_us")
    again, times, following = until[series], often[series], np.full(len(series), _FAR)
    following[:-1][inside] = first[1:][inside]
    again[:-1][inside] = column("first_previous")[1:][inside]
    times[:-1][inside] = column("first_times")[1:][inside]
    things, names = _things(tables["names"])
    told = Sighted(
        series=series, thing=things, inside=column("inside"), readings=column("readings"),
        first=first, last=last, area=column("area"), until=following,
        seen=np.minimum(np.maximum(last, again), following), times=np.maximum(times, 1),
    )  # fmt: skip
    return told, names


def _things(names: pa.Table) -> tuple[Any, pa.Array]:
    """The place of each series' thing, and the things in order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = names.column("entity_id").unique()
    known = known.take(pc.sort_indices(known)).cast(pa.string())
    series, thing = names.column("series").to_numpy(), pc.index_in(names.column("entity_id"), known)
    places = np.zeros(len(series), np.int64)
    places[series] = thing.to_numpy()
    return places, known


def ages_of(told: Sighted, names: pa.Array, period: Period) -> pa.Table:
    """See `ages`."""
    count = len(told.thing)
    inside = np.flatnonzero(told.inside)
    area, observed = _between(told, period)
    area[inside] += told.area[inside]
    observed[inside] += told.last[inside] - told.first[inside]
    areas = np.bincount(told.series, area, count)
    # Whole µs below 2^53: exact.
    lengths = np.bincount(told.series, observed, count)
    most = np.zeros(len(names))
    np.maximum.at(most, told.thing, lengths)
    known = lengths * 2 >= most[told.thing]
    age = np.divide(areas, lengths, out=np.full(count, float(_FAR)), where=lengths > 0)
    order = np.lexsort((np.arange(count), age, ~known, told.thing))
    best = order[np.unique(told.thing[order], return_index=True)[1]]
    series = np.bincount(told.series[inside], told.readings[inside], count)
    readings = np.zeros(len(names))
    np.maximum.at(readings, told.thing, series)
    return _table(names, told, {
        "n0": areas[best], "d0": lengths[best], "observed": lengths[best],
        "gone": np.zeros(len(names)), "readings": readings,
    })  # fmt: skip


def watched(rows: pa.Table, tables: Mapping[str, pa.Table], period: Period) -> pa.Table:
    """The figures of `ages` with no more time `observed` than somebody was there to look: a thing's
    first reading may be of long before that (a station tells when it reported last). It is taken to
    have begun when half of the things had been heard of; `tables` has `sighted` and `names`."""
    import pyarrow as pa

    places, names = _things(tables["names"])
    if not len(names):
        return rows
    first = np.full(len(names), _FAR)
    series = tables["sighted"].column("series").to_numpy()
    np.minimum.at(first, places[series], filled(tables["sighted"].column("first_us")))
    since = int(np.sort(first)[(len(first) - 1) // 2])
    most = max(period.end - max(since, period.start), 0)
    observed = np.minimum(rows.column("observed").to_numpy(), most)
    place = rows.schema.get_field_index("observed")
    return rows.set_column(place, "observed", pa.array(observed))


def _between(told: Sighted, period: Period) -> tuple[Any, Any]:
    """What the time between days adds to the integral of the age and to the time observed."""
    stop = np.minimum(period.end, told.until)
    run_a, run_b = np.maximum(told.last, period.start), np.minimum(told.seen, stop)
    a = np.maximum(told.seen, period.start)
    run, gap = np.maximum(run_b - run_a, 0), np.maximum(stop - a, 0)
    spacing = (told.seen - told.last).astype(np.float64) / told.times
    late = (stop - told.seen).astype(np.float64)
    early = (a - told.seen).astype(np.float64)
    silent = np.where(gap > 0, (late * late - early * early) / 2, 0.0)
    return run * spacing / 2 + silent, run + gap


def heard_of(told: Sighted, names: pa.Array, days: Days) -> pa.Table:
    """See `heard`; `days` are the whole days of the period, ascending."""
    firsts, lasts = (np.array([day[place] for day in days], np.int64) for place in (0, 1))
    thing = told.thing[told.series]
    met = np.zeros((len(names), len(days) + 1), np.int64)
    # A day is met from the one on in which a run begins to the one in which it ends.
    low = np.searchsorted(lasts, told.last, "right")
    high = np.searchsorted(firsts, told.seen, "right")
    own = np.searchsorted(firsts, told.last, "right")
    high = np.where(told.seen > told.last, high, own)
    some = high > low
    np.add.at(met, (thing[some], low[some]), 1)
    np.add.at(met, (thing[some], high[some]), -1)
    heard = (np.cumsum(met, axis=1)[:, :-1] > 0).sum(axis=1)
    known = np.full(len(names), _FAR)
    np.minimum.at(known, thing, told.first)
    inside = np.flatnonzero(told.inside)
    readings = np.bincount(thing[inside], told.readings[inside], len(names))
    return _table(
        names, told, {"known": known, "heard": heard, "gone": 0 * heard, "readings": readings}
    )


def _table(names: pa.Array, told: Sighted, columns: dict[str, Any]) -> pa.Table:
    """With the first and the last reading of the period."""
    import pyarrow as pa

    inside = np.flatnonzero(told.inside)
    thing = told.thing[told.series[inside]]
    first, last = np.full(len(names), _FAR), np.full(len(names), -_FAR)
    np.minimum.at(first, thing, told.first[inside])
    np.maximum.at(last, thing, told.last[inside])
    ends = {
        "first": pa.array(first, mask=first == _FAR),
        "last": pa.array(last, mask=last == -_FAR),
    }
    return pa.table({"entity_id": names} | columns | ends)
