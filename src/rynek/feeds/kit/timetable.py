"""Where vehicles should be by the published timetable: scheduled, not observed, never stored."""

from __future__ import annotations

from datetime import date, timedelta
from math import isnan

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rynek.base.clock import MICRO
from rynek.context import ReferenceStore
from rynek.feeds.kit.paths import Paths, bearings
from rynek.feeds.kit.schedule import group_of
from rynek.feeds.kit.times import local_day, service_midnight

_EPOCH = date(1970, 1, 1)
_DAY = 86_400
_KEPT_DAYS = 8
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_TABLES = ("feed", "routes", "stops", "trips", "stop_times", "service_days", "shapes")


class ScheduledVehicle(msgspec.Struct, frozen=True):
    """Where the vehicle of one trip should be. `bearing` is degrees clockwise from north, None
    while it stands at a stop it does not leave in any direction; `headsign` is where it goes."""

    trip_id: str
    route_id: str
    line: str
    route_type: int
    lon: float
    lat: float
    bearing: float | None
    headsign: str
    stopped: bool


class Timetable:
    """One schedule, ready to be asked for any moment.

    `tables` are those of a reference group `gtfs:<feed>` (see docs/feeds.md). Trips without two
    timed stops that have positions are left out.
    """

    def __init__(self, tables: dict[str, pa.Table]) -> None:
        self.zone = str(tables["feed"]["zone"][0].as_py())
        self._lon = tables["stops"]["lon"].to_numpy()
        self._lat = tables["stops"]["lat"].to_numpy()
        self._read_times(tables)
        self._read_trips(tables)
        self._read_days(tables)
        self._paths = Paths(tables["shapes"], tables["trips"]["shape_id"].to_pylist())
        self._along = self._paths.locate(self._trip, self._lon[self._stop], self._lat[self._stop])

    @classmethod
    def load(cls, store: ReferenceStore, feed: str) -> Timetable:
        """The timetable of the schedule that the feed of kind gtfs published; KeyError when
        there is none."""
        return cls({name: store.get(group_of(feed), name) for name in _TABLES})

    @property
    def trips(self) -> int:
        """How many trips can be placed."""
        return len(self._rows)

    def active_trips(self, at: int, zone: str | None = None) -> list[ScheduledVehicle]:
        """Every trip under way at `at` (epoch microseconds); `zone` replaces the schedule's own.

        GTFS times count from noon minus twelve hours of the service day, and may exceed 24 hours,
        so that trips of days before can still be running.
        """
        where = zone or self.zone
        today = local_day(at, where)
        found: list[ScheduledVehicle] = []
        # A day later too: on the day clocks go forward, noon minus 12 h lies before midnight.
        for back in range(-1, self._days_over + 1):
            day = today - timedelta(days=back)
            seconds = (at - service_midnight(day, where)) / MICRO
            rows = self._running((day - _EPOCH).days)
            under_way = rows[(self._begin[rows] <= seconds) & (seconds <= self._end[rows])]
            if under_way.size:
                found += self._place(under_way, seconds)
        return found

    def _read_times(self, tables: dict[str, pa.Table]) -> None:
        times = tables["stop_times"]
        trip = times["trip"].to_numpy().astype(np.int64)
        stop = times["stop"].to_numpy().astype(np.int64)
        arrival, departure = (
            times[name].to_numpy().astype(np.float64) for name in ("arrival", "departure")
        )
        usable = np.isfinite(self._lon[stop]) & np.isfinite(self._lat[stop])
        trip, stop, arrival, departure = (c[usable] for c in (trip, stop, arrival, departure))
        arrival, departure = _between(trip, arrival), _between(trip, departure)
        timed = (arrival >= 0) & (departure >= 0)
        self._trip, self._stop = trip[timed], stop[timed]
        # Times that go back within a trip wait for the latest one before them.
        base = self._trip * float(_DAY * 20)
        flat = np.column_stack([base + arrival[timed], base + departure[timed]]).ravel()
        flat = np.maximum.accumulate(flat) if flat.size else flat
        self._arrival, self._departure = flat[0::2] - base, flat[1::2] - base
        self._keys = flat[1::2]

    def _read_trips(self, tables: dict[str, pa.Table]) -> None:
        count = tables["trips"].num_rows
        first = np.searchsorted(self._trip, np.arange(count))
        last = np.searchsorted(self._trip, np.arange(count), side="right") - 1
        self._first, self._last = first, last
        self._rows = np.flatnonzero(last > first)
        self._begin, self._end = np.full(count, np.inf), np.full(count, -np.inf)
        self._begin[self._rows] = self._departure[first[self._rows]]
        self._end[self._rows] = self._arrival[last[self._rows]]
        latest = float(self._end[self._rows].max()) if self._rows.size else 0.0
        self._days_over = int(latest // _DAY)
        routes = {row["route_id"]: row for row in tables["routes"].to_pylist()}
        names = tables["stops"]["name"].to_pylist()
        self._about = [
            self._trip_facts(row, number, routes, names)
            for number, row in enumerate(tables["trips"].to_pylist())
        ]

    def _trip_facts(
        self, row: dict[str, object], number: int, routes: dict[object, dict[str, object]],
        names: list[str | None],
    ) -> tuple[str, str, str, int, str]:  # fmt: skip
        route = routes.get(row["route_id"], {})
        line = route.get("short_name") or route.get("long_name") or row["route_id"] or ""
        headsign = row["headsign"]
        if not headsign and self._last[number] >= self._first[number]:
            headsign = names[int(self._stop[self._last[number]])]
        kind = route.get("route_type", 3)
        return (
            str(row["trip_id"]),
            str(row["route_id"] or ""),
            str(line),
            kind if isinstance(kind, int) else 3,
            str(headsign or ""),
        )

    def _read_days(self, tables: dict[str, pa.Table]) -> None:
        names = {name: n for n, name in enumerate(
            dict.fromkeys(tables["service_days"]["service_id"].to_pylist())
        )}  # fmt: skip
        ids = tables["trips"]["service_id"].to_pylist()
        self._service = np.array([names.get(name, -1) for name in ids], dtype=np.int64)
        days = tables["service_days"]["day"].to_numpy()
        rows = np.array(
            [names[name] for name in tables["service_days"]["service_id"].to_pylist()], np.int64
        )
        order = np.argsort(days, kind="stable")
        self._days, self._day_services = days[order], rows[order]
        self._services = len(names)
        self._cache: dict[int, Ints] = {}

    def _running(self, day: int) -> Ints:
        """Rows of the trips of one service day."""
        known = self._cache.get(day)
        if known is None:
            low, high = np.searchsorted(self._days, [day, day + 1])
            runs = np.zeros(self._services + 1, dtype=bool)
            runs[self._day_services[low:high]] = True
            known = self._rows[runs[self._service[self._rows]]]
            if len(self._cache) >= _KEPT_DAYS:
                self._cache.pop(next(iter(self._cache)))
            self._cache[day] = known
        return known

    def _place(self, rows: Ints, seconds: float) -> list[ScheduledVehicle]:
        here = np.searchsorted(self._keys, rows * float(_DAY * 20) + seconds, side="right") - 1
        here = np.clip(here, self._first[rows], self._last[rows] - 1)
        there = here + 1
        span = self._arrival[there] - self._departure[here]
        share = np.clip((seconds - self._departure[here]) / np.where(span > 0, span, 1.0), 0.0, 1.0)
        share = np.where(seconds >= self._arrival[there], 1.0, share)
        stopped = (share <= 0.0) | (share >= 1.0)
        lon, lat, bearing = self._interpolate(rows, here, there, share)
        about = self._about
        return [
            ScheduledVehicle(
                trip, route, line, kind, x, y, None if isnan(angle) else angle, headsign, still
            )
            for (trip, route, line, kind, headsign), x, y, angle, still in zip(
                [about[row] for row in rows.tolist()],
                np.round(lon, 6).tolist(),
                np.round(lat, 6).tolist(),
                np.round(bearing, 1).tolist(),
                stopped.tolist(),
                strict=True,
            )
        ]

    def _interpolate(
        self, rows: Ints, here: Ints, there: Ints, share: Floats
    ) -> tuple[Floats, Floats, Floats]:
        a, b = self._stop[here], self._stop[there]
        lon = self._lon[a] + (self._lon[b] - self._lon[a]) * share
        lat = self._lat[a] + (self._lat[b] - self._lat[a]) * share
        bearing = bearings(self._lon[a], self._lat[a], self._lon[b], self._lat[b])
        along_a, along_b = self._along[here], self._along[there]
        on_path = np.flatnonzero(along_b > along_a)
        if on_path.size:
            placed = self._paths.at(
                rows[on_path],
                along_a[on_path] + (along_b - along_a)[on_path] * share[on_path],
            )
            lon[on_path], lat[on_path], bearing[on_path] = placed
        return lon, lat, bearing


def _between(trip: Ints, times: Floats) -> Floats:
    """Times with gaps (-1) filled evenly between the timed stops of the same trip; -1 remains
    before the first and after the last."""
    known = times >= 0
    if known.all() or not known.any():
        return times
    at = np.flatnonzero(known)
    missing = np.flatnonzero(~known)
    after = np.searchsorted(at, missing)
    before = after - 1
    inside = (before >= 0) & (after < len(at))
    low, high = at[np.clip(before, 0, None)], at[np.clip(after, None, len(at) - 1)]
    inside &= (trip[low] == trip[missing]) & (trip[high] == trip[missing])
    share = (missing - low) / np.where(high > low, high - low, 1)
    filled = times.copy()
    filled[missing] = np.where(inside, times[low] + (times[high] - times[low]) * share, -1.0)
    return filled
