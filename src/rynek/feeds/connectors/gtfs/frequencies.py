"""Trips that run every so many minutes (frequencies.txt) → one trip for each departure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rynek.feeds.connectors.gtfs.tables import Ints, integers, positions_in, seconds
from rynek.feeds.contract import Findings

MAX_DEPARTURES = 1_000_000
MAX_TIMES = 10_000_000
"""Stop times of those departures, of 100 bytes each while they are made."""


def expanded(
    raw: pa.Table, trips: pa.Table, times: pa.Table, findings: Findings
) -> tuple[pa.Table, pa.Table]:
    """`trips` and `stop_times` with a trip for each departure, called `<trip_id>@H:MM:SS`. The trips
    that say how long a run takes stay, without times: they run at no time of their own."""
    begins, _ = seconds(raw["start_time"])
    ends, _ = seconds(raw["end_time"])
    headways = integers(raw["headway_secs"], 0)
    of_trip = positions_in(raw["trip_id"], trips["trip_id"])
    good = (of_trip >= 0) & (begins >= 0) & (ends > begins) & (headways > 0)
    if not good.all():
        example = raw["trip_id"][int(np.flatnonzero(~good)[0])].as_py()
        findings.add("frequency-wrong", "warning", f"trip {example}", int((~good).sum()))
    rows = np.flatnonzero(good)
    counts = -(-(ends[rows] - begins[rows]) // headways[rows])
    if counts.sum() > MAX_DEPARTURES:
        raise ValueError(f"frequencies.txt: more than {MAX_DEPARTURES} departures")
    stops = np.bincount(times["trip"].to_numpy(), minlength=len(trips))
    if (counts * stops[of_trip[rows]]).sum() > MAX_TIMES:
        raise ValueError(f"frequencies.txt: more than {MAX_TIMES} stop times")
    template = np.repeat(of_trip[rows], counts)
    nth = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    departs = np.repeat(begins[rows], counts) + nth * np.repeat(headways[rows], counts)
    if not len(template):
        return trips, times
    # Rows of one trip may overlap; no trip leaves twice at one time.
    _, once = np.unique(np.stack([template, departs]), axis=1, return_index=True)
    if len(once) < len(template):
        findings.add("frequency-wrong", "warning", "departures twice", len(template) - len(once))
        template, departs = template[once], departs[once]
    findings.add("frequencies-expanded", "info", "frequencies.txt", len(template))
    return _more_trips(trips, template, departs), _more_times(times, template, departs, len(trips))


def _more_trips(trips: pa.Table, template: Ints, departs: Ints) -> pa.Table:
    copies = trips.take(pa.array(template))
    names = [
        f"{trip}@{at // 3600}:{at // 60 % 60:02d}:{at % 60:02d}"
        for trip, at in zip(copies["trip_id"].to_pylist(), departs.tolist(), strict=True)
    ]
    place = trips.schema.get_field_index("trip_id")
    copies = copies.set_column(place, "trip_id", pa.array(names, pa.string()))
    return pa.concat_tables([trips, copies.cast(trips.schema)])


def _more_times(times: pa.Table, template: Ints, departs: Ints, first: int) -> pa.Table:
    trip = times["trip"].to_numpy()
    low = np.searchsorted(trip, template)
    high = np.searchsorted(trip, template, side="right")
    lengths = high - low
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rows = np.repeat(low, lengths) + within
    copies = times.take(pa.array(rows))
    starts = _starts(times, low, high)
    shift = np.repeat(departs - starts, lengths)
    made = {name: copies[name].to_numpy() for name in ("stop", "sequence")}
    for name in ("arrival", "departure"):
        values = copies[name].to_numpy()
        made[name] = np.where(values < 0, -1, values + shift)
    made["trip"] = np.repeat(np.arange(first, first + len(template)), lengths)
    added = pa.table({n: pa.array(made[n].astype(np.int32)) for n in times.column_names})
    kept = times.filter(
        pc.invert(pc.is_in(times["trip"], pa.array(np.unique(template), pa.int32())))
    )
    return pa.concat_tables([kept, added])


def _starts(times: pa.Table, low: Ints, high: Ints) -> Ints:
    """When each template leaves its first stop; 0 where it has no times."""
    departure = times["departure"].to_numpy().astype(np.int64)
    there = high > low
    starts = np.zeros(len(low), np.int64)
    starts[there] = np.maximum(departure[low[there]], 0)
    return starts
