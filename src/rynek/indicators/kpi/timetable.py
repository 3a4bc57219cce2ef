"""Published timetables (feeds of kind gtfs) for departures: what should have been when.

A feed of kind gtfs keeps its schedule as reference tables beside the history (docs/feeds.md), only the
newest version; it says nothing of days before its calendar begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from rynek.base.ids import urn
from rynek.history import ParquetReference
from rynek.indicators.kpi.period import HOUR_US, Period

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DAYS", "TIMES", "Planned", "Timetable"]

TIMES: Final = "scheduled_times"
"""The table of stop times: `trip` and `stop` (URNs), `run` (the trip's id as vehicles tell it), `place`
in the trip, `arrival` and `departure` (s of the service day), `service`."""
DAYS: Final = "service_days"
"""The table of the days (since 1970) of each service, and when they begin (`midnight`, epoch µs)."""
_PREFIX: Final = "gtfs:"
_MOST_TIMES: Final = 5_000_000
_MOST_DAYS: Final = 400
_SERVICES: Final = 1 << 32
_HOUR_S: Final = 3600
_EPOCH_DAY: Final = date(1970, 1, 1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)


class Planned(NamedTuple):
    """Scheduled headways that end in one hour at a stop of a line: how many, their sum (µs) and the
    sum of their squares (µs²)."""

    many: int
    time: float
    squares: float


class Timetable:
    """The stop times of a city's timetables, together with the days of a period on which they run."""

    def __init__(self, reference: ParquetReference, period: Period) -> None:
        self._reference = reference
        self._period = period
        self.versions: list[str] = []
        """Which timetables in which versions, as `feed version`."""
        self.problem = ""
        self._lines: list[Any] = []
        self._parts: list[dict[str, pa.Table]] = []
        self._load()

    def __bool__(self) -> bool:
        """Whether anything was to run in the period."""
        return bool(self._parts) and self.days.num_rows > 0

    def _load(self) -> None:
        read = 0
        for group in self._reference.groups():
            if not group.startswith(_PREFIX):
                continue
            try:
                names = ("feed", "routes", "stops", "trips", "stop_times", "service_days")
                tables = {name: self._reference.get(group, name) for name in names}
            except KeyError:
                continue  # it is being replaced, or was never whole
            read += tables["stop_times"].num_rows
            if read > _MOST_TIMES:
                self._parts, self.versions = [], []
                self.problem = f"the timetables have over {_MOST_TIMES:,} stop times: not used"
                return
            self._parts.append(tables)
            self.versions.append(f"{group} {self._reference.version(group) or ''}")

    @cached_property
    def times(self) -> pa.Table:
        """Every stop time (TIMES); trips whose id stands in two timetables have no `run`."""
        import pyarrow as pa

        made = [self._times_of(n, tables) for n, tables in enumerate(self._parts)]
        return pa.concat_tables(made)

    def _times_of(self, number: int, tables: dict[str, pa.Table]) -> pa.Table:
        import pyarrow as pa

        scope = str(tables["feed"]["scope"][0].as_py())
        times, trips = tables["stop_times"], tables["trips"]
        trip, stop = times["trip"].to_numpy(), times["stop"].to_numpy()
        ids = trips["trip_id"].to_pylist()
        others = {
            name
            for n, part in enumerate(self._parts)
            if n != number
            for name in part["trips"]["trip_id"].to_pylist()
        }
        service = self._service_codes(number, tables)

        def named(texts: list[str | None], rows: Any) -> pa.Array:
            return pa.array(np.array(texts, dtype=object)[rows], pa.string())

        return pa.table(
            {
                "trip": named([_urn("GtfsTrip", scope, one) for one in ids], trip),
                "run": named([None if one in others else one for one in ids], trip),
                "stop": named(
                    [
                        _urn("GtfsStop", scope, one)
                        for one in tables["stops"]["stop_id"].to_pylist()
                    ],
                    stop,
                ),
                "place": times["sequence"].cast("float64"),
                "arrival": times["arrival"].cast("int64"),
                "departure": times["departure"].cast("int64"),
                "service": pa.array(service[trip]),
            }
        ).filter(pa.array(times["departure"].to_numpy() >= 0))

    def _service_codes(self, number: int, tables: dict[str, pa.Table]) -> Any:
        """The number of each trip's service; -1 for those that never run."""
        known = {
            name: number * _SERVICES + n
            for n, name in enumerate(
                dict.fromkeys(tables["service_days"]["service_id"].to_pylist())
            )
        }
        ids = tables["trips"]["service_id"].to_pylist()
        return np.array([known.get(name, -1) for name in ids], dtype=np.int64)

    @cached_property
    def days(self) -> pa.Table:
        """The services of each day of the period and of the days beside it (DAYS)."""
        import pyarrow as pa

        low, high = self._span()
        rows: dict[str, list[int]] = {"day": [], "service": [], "midnight": []}
        for number, tables in enumerate(self._parts):
            zone = str(tables["feed"]["zone"][0].as_py())
            codes: dict[str, int] = {}
            pairs = zip(
                tables["service_days"]["service_id"].to_pylist(),
                tables["service_days"]["day"].to_pylist(),
                strict=True,
            )
            for name, day in pairs:
                code = codes.setdefault(name, number * _SERVICES + len(codes))
                if low <= day <= high:
                    rows["day"].append(day)
                    rows["service"].append(code)
                    rows["midnight"].append(_midnight(day, zone))
        return pa.table({name: pa.array(values, pa.int64()) for name, values in rows.items()})

    def _span(self) -> tuple[int, int]:
        zone = ZoneInfo(self._period.zone)
        ends = (self._period.start, max(self._period.end - 1, self._period.start))
        low, high = (
            ((_EPOCH + us * _MICRO).astimezone(zone).date() - _EPOCH_DAY).days for us in ends
        )
        return max(low, high - _MOST_DAYS) - 1, high + 1

    def headways(self, wanted: set[tuple[str, str]]) -> dict[tuple[str, str, int], Planned]:
        """The scheduled headways of lines at stops (`wanted`: line and the stop's URN) by hour since
        1970. The first departure of a service day ends none."""
        found: dict[tuple[str, str, int], Planned] = {}
        rows = self._rows_of(wanted)
        midnights: dict[tuple[int, int], list[int]] = {}
        for row in self.days.to_pylist():
            key = (row["day"], row["midnight"])
            midnights.setdefault(key, []).append(row["service"])
        known: dict[tuple[Any, ...], list[tuple[str, str, int, Planned]]] = {}
        for (_, midnight), services in midnights.items():
            offset = midnight // 1_000_000 % _HOUR_S
            shape = (offset, *sorted(services))
            if shape not in known:
                known[shape] = list(_by_hour(rows, set(services), offset))
            first = midnight // HOUR_US
            for line, stop, hour, planned in known[shape]:
                at = (line, stop, first + hour)
                before = found.get(at)
                # Two timetables may serve a line at a stop, one a day before and over midnight.
                found[at] = planned if before is None else _added(before, planned)
        return found

    def _rows_of(self, wanted: set[tuple[str, str]]) -> list[tuple[str, str, int, int]]:
        """Line, stop, departure (s) and service of every stop time that is wanted."""
        names = {line for line, _ in wanted}
        found = []
        every = self.times
        lines = np.concatenate([_line_of(tables) for tables in self._parts])
        columns = zip(
            lines.tolist(), every["stop"].to_pylist(), every["departure"].to_pylist(),
            every["service"].to_pylist(), strict=True,
        )  # fmt: skip
        for line, stop, departure, service in columns:
            if line in names and (line, stop) in wanted and service >= 0:
                found.append((line, stop, departure, service))
        found.sort()
        return found


def _line_of(tables: dict[str, pa.Table]) -> Any:
    """The line of every timed stop time, called as feeds call it (its short name, else the long)."""
    routes = tables["routes"]
    named = zip(
        routes["route_id"].to_pylist(), routes["short_name"].to_pylist(),
        routes["long_name"].to_pylist(), strict=True,
    )  # fmt: skip
    names = {route: short or long or route for route, short, long in named}
    of_trip = [names.get(one, one) for one in tables["trips"]["route_id"].to_pylist()]
    times = tables["stop_times"]
    timed = times["departure"].to_numpy() >= 0
    return np.array(of_trip, dtype=object)[times["trip"].to_numpy()[timed]]


def _by_hour(
    rows: list[tuple[str, str, int, int]], services: set[int], offset: int
) -> Iterator[tuple[str, str, int, Planned]]:
    """Of rows by line, stop and time those of some services: their headways by hour, counted from the
    full hour (UTC) before their midnight."""
    last: tuple[str, str, int] | None = None
    sums: dict[tuple[str, str, int], list[float]] = {}
    for line, stop, departure, service in rows:
        if service not in services:
            continue
        if last is not None and last[:2] == (line, stop) and departure > last[2]:
            gap = float(departure - last[2]) * 1e6
            told = sums.setdefault((line, stop, (departure + offset) // _HOUR_S), [0.0, 0.0, 0.0])
            for n, part in enumerate((1.0, gap, gap * gap)):
                told[n] += part
        last = (line, stop, departure)
    for (line, stop, hour), (many, time, squares) in sums.items():
        yield line, stop, hour, Planned(int(many), time, squares)


def _added(one: Planned, other: Planned) -> Planned:
    return Planned(one.many + other.many, one.time + other.time, one.squares + other.squares)


def _urn(kind: str, scope: str, own: str | None) -> str | None:
    return urn(kind, scope, own) if own else None


def _midnight(day: int, zone: str) -> int:
    """What times of a service day count from: noon minus 12 hours."""
    date_of = _EPOCH_DAY + timedelta(days=day)
    noon = datetime(date_of.year, date_of.month, date_of.day, 12, tzinfo=ZoneInfo(zone))
    return (noon - _EPOCH) // _MICRO - 12 * HOUR_US
