"""A compact timetable (version 3: one JSON file for each kind of day) → the tables of a schedule.

`routes` hold a name and a GTFS route_type; `stops` hold columns with degrees times 1e5;
`patterns` hold a route `r`, stop rows `s`, running times between stops `p` (several profiles,
seconds), waits at stops `d` (a list for each profile, or none) and departures `t` of
[seconds after midnight, profile].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np
import orjson
import pyarrow as pa

from rynek.base.typed import convert

_EPOCH = date(1970, 1, 1)
_WEEKDAYS = {"workday": (0, 1, 2, 3, 4), "saturday": (5,), "sunday": (6,)}
MAX_TRIPS = 2_000_000


class _Route(msgspec.Struct):
    n: str
    t: int


class _Stops(msgspec.Struct):
    name: list[str]
    lat: list[int]
    lon: list[int]


class _Pattern(msgspec.Struct):
    r: int
    s: list[int]
    p: list[list[int]]
    t: list[tuple[int, int]]
    d: list[list[int] | int | None] | None = None


class _Day(msgspec.Struct):
    version: int
    day: str
    date: str
    routes: list[_Route]
    stops: _Stops
    patterns: list[_Pattern]


def compact_tables(
    files: Iterable[bytes], zone: str, scope: str, first: date, last: date
) -> dict[str, pa.Table]:
    """The tables that Timetable reads, for the days from `first` to `last`.

    Each file holds for its days of the week (holidays are not known). ValueError when a file is
    not of this format.
    """
    builder = _Builder()
    for data in files:
        try:
            day = convert(orjson.loads(data), _Day)
        except (msgspec.ValidationError, ValueError) as error:
            raise ValueError(f"not a compact timetable: {error}") from error
        if day.version != 3 or day.day not in _WEEKDAYS:
            raise ValueError(f"not a compact timetable of version 3: {day.version} {day.day!r}")
        builder.add(day)
    return builder.tables(zone, scope, first, last)


class _Builder:
    def __init__(self) -> None:
        self._routes: dict[str, int] = {}
        self._stops: dict[tuple[str, int, int], int] = {}
        self._trips: dict[str, list[Any]] = {"trip_id": [], "route_id": [], "service_id": []}
        self._times: dict[str, list[Any]] = {
            name: [] for name in ("trip", "stop", "sequence", "arrival", "departure")
        }
        self._services: list[str] = []

    def add(self, day: _Day) -> None:
        self._services.append(day.day)
        stops = [
            self._stops.setdefault(key, len(self._stops))
            for key in zip(day.stops.name, day.stops.lon, day.stops.lat, strict=True)
        ]
        for route in day.routes:
            self._routes.setdefault(route.n, route.t)
        for number, pattern in enumerate(day.patterns):
            _check(pattern, len(day.routes), len(stops))
            rows = np.array([stops[row] for row in pattern.s], dtype=np.int32)
            offsets = [_offsets(pattern, profile) for profile in range(len(pattern.p))]
            for start, profile in pattern.t:
                trip_id = f"{day.day}:{number}:{start}"
                self._trip(trip_id, day.routes[pattern.r].n, day.day, rows, start, offsets[profile])

    def _trip(
        self, trip_id: str, route: str, service: str, rows: Any, start: int,
        offsets: tuple[Any, Any],
    ) -> None:  # fmt: skip
        count = len(self._trips["trip_id"])
        if count >= MAX_TRIPS:
            raise ValueError(f"more than {MAX_TRIPS} trips")
        for name, value in (("trip_id", trip_id), ("route_id", route), ("service_id", service)):
            self._trips[name].append(value)
        self._times["trip"].append(np.full(len(rows), count, dtype=np.int32))
        self._times["stop"].append(rows)
        self._times["sequence"].append(np.arange(len(rows), dtype=np.int32))
        self._times["arrival"].append(offsets[0] + np.int32(start))
        self._times["departure"].append(offsets[1] + np.int32(start))

    def tables(self, zone: str, scope: str, first: date, last: date) -> dict[str, pa.Table]:
        """What was added, as Arrow tables."""
        count = len(self._trips["trip_id"])
        nulls = pa.nulls(count, pa.string())
        days = [
            (service, (day - _EPOCH).days)
            for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
            for service in self._services
            if day.weekday() in _WEEKDAYS[service]
        ]
        keys = list(self._stops)
        return {
            "feed": pa.table({"scope": [scope], "zone": [zone]}),
            "routes": _columns(
                route_id=list(self._routes),
                short_name=list(self._routes),
                long_name=[None] * len(self._routes),
                color=[None] * len(self._routes),
            ).append_column("route_type", pa.array(list(self._routes.values()), pa.int32())),
            "stops": _columns(
                stop_id=[str(row) for row in range(len(keys))], name=[key[0] for key in keys]
            )
            .append_column("lon", pa.array([key[1] / 1e5 for key in keys], pa.float64()))
            .append_column("lat", pa.array([key[2] / 1e5 for key in keys], pa.float64())),
            "trips": _columns(**self._trips)
            .append_column("headsign", nulls)
            .append_column("direction_id", pa.array(np.full(count, -1), pa.int8()))
            .append_column("shape_id", nulls),
            "stop_times": pa.table(
                {
                    name: np.concatenate(parts) if parts else np.array([], dtype=np.int32)
                    for name, parts in self._times.items()
                }
            ),
            "service_days": _columns(service_id=[name for name, _ in days]).append_column(
                "day", pa.array([day for _, day in days], pa.int32())
            ),
            "shapes": _columns(shape_id=[])
            .append_column("lon", pa.array([], pa.float64()))
            .append_column("lat", pa.array([], pa.float64())),
        }


def _columns(**columns: Sequence[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _check(pattern: _Pattern, routes: int, stops: int) -> None:
    legs = len(pattern.s) - 1
    fits = (
        0 <= pattern.r < routes
        and all(0 <= row < stops for row in pattern.s)
        and all(len(profile) == legs for profile in pattern.p)
        and all(0 <= profile < len(pattern.p) for _, profile in pattern.t)
    )
    if not fits:
        raise ValueError("not a compact timetable: a pattern refers to what is not there")


def _offsets(pattern: _Pattern, profile: int) -> tuple[Any, Any]:
    """Arrival and departure at each stop, in seconds after the start."""
    legs = np.array([0, *pattern.p[profile]], dtype=np.int32)
    waits = np.zeros(len(pattern.s), dtype=np.int32)
    given = pattern.d[profile] if pattern.d is not None and profile < len(pattern.d) else None
    if isinstance(given, list) and len(given) == len(waits):
        waits = np.array(given, dtype=np.int32)
    departures = np.cumsum(legs + waits).astype(np.int32)
    return (departures - waits).astype(np.int32), departures
