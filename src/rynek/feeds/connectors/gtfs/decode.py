"""A GTFS zip → reference tables and the rows that become entities."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rynek.feeds.connectors.gtfs import checks
from rynek.feeds.connectors.gtfs.frequencies import expanded
from rynek.feeds.connectors.gtfs.services import Pairs, days_in_trip_ids, service_days
from rynek.feeds.connectors.gtfs.tables import (
    floats,
    integers,
    open_zip,
    positions_in,
    read_table,
    seconds,
)
from rynek.feeds.contract import Situation
from rynek.feeds.kit.schedule import group_of

COLUMNS = {
    "agency": ["agency_id", "agency_name", "agency_url", "agency_timezone", "agency_lang",
               "agency_phone"],
    "routes": ["route_id", "agency_id", "route_short_name", "route_long_name", "route_type",
               "route_url", "route_color", "route_text_color"],
    "stops": ["stop_id", "stop_code", "stop_name", "stop_lat", "stop_lon", "zone_id",
              "location_type", "parent_station", "wheelchair_boarding", "platform_code"],
    "trips": ["route_id", "service_id", "trip_id", "trip_headsign", "trip_short_name",
              "direction_id", "shape_id"],
    "stop_times": ["trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence"],
    "calendar": ["service_id", "monday", "tuesday", "wednesday", "thursday", "friday",
                 "saturday", "sunday", "start_date", "end_date"],
    "calendar_dates": ["service_id", "date", "exception_type"],
    "shapes": ["shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"],
    "feed_info": ["feed_publisher_name", "feed_start_date", "feed_end_date", "feed_version"],
    "frequencies": ["trip_id", "start_time", "end_time", "headway_secs"],
}  # fmt: skip


class Row(msgspec.Struct):
    """One agency, route, stop or shape; `values` are the columns of its file (a shape has
    `points`, an array of longitude and latitude)."""

    what: str
    values: dict[str, Any]


def decode(data: bytes, situation: Situation) -> Iterator[Row]:
    """Check the schedule, put its tables into the reference store, then yield the rows."""
    options, findings = situation.config.options, situation.findings
    files = open_zip(data, int(options.get("max_unpacked", 2**30)))
    limit = int(options.get("max_rows", 20_000_000))
    raw = {
        name: read_table(name, files.get(name, b"\n"), columns, findings, limit)
        if name in files
        else _nothing(columns)
        for name, columns in COLUMNS.items()
    }
    checks.files(set(files), findings)
    tables = _tables(raw, situation)
    checks.content(raw, tables, situation)
    if raw["frequencies"].num_rows:
        tables["trips"], tables["stop_times"] = expanded(
            raw["frequencies"], tables["trips"], tables["stop_times"], findings
        )
    if situation.reference is not None:
        scope = str(options.get("scope") or situation.config.name)
        version = hashlib.sha256(data + b"\0" + scope.encode()).hexdigest()[:32]
        situation.reference.put(group_of(situation.config.name), version, tables)
    return _rows(raw, tables, situation)


def _nothing(columns: list[str]) -> pa.Table:
    return pa.table({column: pa.array([], pa.string()) for column in columns})


def _tables(raw: dict[str, pa.Table], situation: Situation) -> dict[str, pa.Table]:
    """The tables of the reference group, as kit/timetable.py and kit/schedule.py read them."""
    routes, stops = raw["routes"], raw["stops"]
    trips, days = _services(raw, situation)
    services, day_rows, day_values = days
    return {
        "feed": _feed(raw, situation),
        "routes": pa.table(
            {
                "route_id": routes["route_id"],
                "short_name": routes["route_short_name"],
                "long_name": routes["route_long_name"],
                "route_type": pa.array(integers(routes["route_type"], 3), pa.int32()),
                "color": routes["route_color"],
            }
        ),
        "stops": pa.table(
            {
                "stop_id": stops["stop_id"],
                "name": stops["stop_name"],
                "lon": pa.array(floats(stops["stop_lon"]), pa.float64()),
                "lat": pa.array(floats(stops["stop_lat"]), pa.float64()),
            }
        ),
        "trips": trips,
        "stop_times": _stop_times(raw, situation),
        "service_days": pa.table(
            {
                "service_id": pa.DictionaryArray.from_arrays(
                    pa.array(day_rows), pa.array(services, pa.string())
                ).cast(pa.string()),
                "day": pa.array(day_values, pa.int32()),
            }
        ),
        "shapes": _shapes(raw["shapes"]),
    }


def _services(raw: dict[str, pa.Table], situation: Situation) -> tuple[pa.Table, Pairs]:
    trips = raw["trips"]
    service_ids: pa.ChunkedArray | pa.Array = trips["service_id"]
    if raw["calendar"].num_rows or raw["calendar_dates"].num_rows:
        days = service_days(raw["calendar"], raw["calendar_dates"], situation.findings)
    else:
        named, days = days_in_trip_ids(trips["trip_id"].to_pylist())
        service_ids = pa.array(named, pa.string())
        if days[0]:
            situation.findings.add("days-from-trip-ids", "info", days[0][0], len(days[0]))
    table = pa.table(
        {
            "trip_id": trips["trip_id"],
            "route_id": trips["route_id"],
            "service_id": service_ids,
            "headsign": trips["trip_headsign"],
            "direction_id": pa.array(integers(trips["direction_id"], -1), pa.int8()),
            "shape_id": trips["shape_id"],
        }
    )
    return table, days


def _stop_times(raw: dict[str, pa.Table], situation: Situation) -> pa.Table:
    """Stop times by trip and sequence; `trip` and `stop` are rows of those tables. Rows of
    unknown trips or stops are counted and left out."""
    times, findings = raw["stop_times"], situation.findings
    trip = positions_in(times["trip_id"], raw["trips"]["trip_id"])
    stop = positions_in(times["stop_id"], raw["stops"]["stop_id"])
    for code, found, column in (
        ("trip-unknown", trip, "trip_id"),
        ("stop-unknown", stop, "stop_id"),
    ):
        given = ~times[column].is_null().to_numpy(zero_copy_only=False)
        absent = int((~given).sum())
        if absent:
            findings.add("stop-time-without-place", "info", f"stop_times.txt {column}", absent)
        wrong = np.flatnonzero((found < 0) & given)
        if wrong.size:
            example = times[column][int(wrong[0])].as_py()
            findings.add(code, "error", f"stop_times.txt: {example}", int(wrong.size))
    arrival, bad_arrivals = seconds(times["arrival_time"])
    departure, bad_departures = seconds(times["departure_time"])
    if bad_arrivals + bad_departures:
        findings.add("time-wrong", "warning", "stop_times.txt", bad_arrivals + bad_departures)
    sequence = integers(times["stop_sequence"], 0)
    kept = (trip >= 0) & (stop >= 0)
    order = np.lexsort((sequence, trip))
    order = order[kept[order]]
    columns = {"trip": trip, "stop": stop, "sequence": sequence}
    made = {name: pa.array(values[order].astype(np.int32)) for name, values in columns.items()}
    made["arrival"] = pa.array(np.where(arrival < 0, departure, arrival)[order].astype(np.int32))
    made["departure"] = pa.array(
        np.where(departure < 0, arrival, departure)[order].astype(np.int32)
    )
    return pa.table(made)


def _shapes(raw: pa.Table) -> pa.Table:
    """Points by shape and sequence, those without a position left out."""
    lon, lat = floats(raw["shape_pt_lon"]), floats(raw["shape_pt_lat"])
    encoded = raw["shape_id"].combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    shape = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    order = np.lexsort((integers(raw["shape_pt_sequence"], 0), shape))
    order = order[(np.isfinite(lon) & np.isfinite(lat) & (shape >= 0))[order]]
    return pa.table(
        {
            "shape_id": raw["shape_id"].take(pa.array(order)).combine_chunks(),
            "lon": pa.array(lon[order]),
            "lat": pa.array(lat[order]),
        }
    )


def _feed(raw: dict[str, pa.Table], situation: Situation) -> pa.Table:
    config = situation.config
    zones = [zone for zone in raw["agency"]["agency_timezone"].to_pylist() if zone]
    return pa.table(
        {
            "scope": [str(config.options.get("scope") or config.name)],
            "zone": [zones[0] if zones else config.zone],
        }
    )


def _rows(
    raw: dict[str, pa.Table], tables: dict[str, pa.Table], situation: Situation
) -> Iterator[Row]:
    ids = raw["agency"]["agency_id"].to_pylist()
    situation.memory["agency"] = (ids[0] or "1") if len(ids) == 1 else None
    for what in ("agency", "routes", "stops"):
        for batch in raw[what].to_batches(max_chunksize=1000):
            for values in batch.to_pylist():
                yield Row(what, values)
    if situation.config.options.get("shapes", True):
        yield from _shape_rows(tables["shapes"])


def _shape_rows(shapes: pa.Table) -> Iterator[Row]:
    if not shapes.num_rows:
        return
    ids = shapes["shape_id"].combine_chunks().dictionary_encode()
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    rows = ids.indices.to_numpy(zero_copy_only=False)
    points = np.column_stack([shapes["lon"].to_numpy(), shapes["lat"].to_numpy()])
    starts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        name = ids.dictionary[int(rows[start])].as_py()
        yield Row("shapes", {"shape_id": name, "points": points[start:end]})
