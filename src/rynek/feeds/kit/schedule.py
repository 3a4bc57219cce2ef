"""A published schedule as live feeds look things up in it: routes, trips, stops by their ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from rynek.context import ReferenceStore

_DAY_SUFFIX = re.compile(r"_(?:19|20)\d{6}\Z")
ROUTE_KINDS = {0: "tram", 1: "metro", 2: "rail", 3: "bus", 4: "ferry", 5: "tram", 6: "aerialLift",
               7: "funicular", 11: "trolleybus", 12: "monorail"}  # fmt: skip
_EXTENDED = {1: "rail", 2: "bus", 4: "metro", 5: "metro", 6: "metro", 7: "bus", 8: "trolleybus",
             9: "tram", 10: "ferry", 11: "air", 12: "ferry", 13: "aerialLift", 14: "funicular",
             15: "taxi"}  # fmt: skip


class Route(msgspec.Struct, frozen=True):
    """One line: `short` is what people call it, `kind` the number GTFS calls route_type."""

    route_id: str
    short: str
    long: str
    kind: int


class Trip(msgspec.Struct, frozen=True):
    """One run of a line."""

    trip_id: str
    route_id: str
    headsign: str


def group_of(feed: str) -> str:
    """The reference group that a feed of kind gtfs keeps its schedule in."""
    return f"gtfs:{feed}"


def route_kind(route_type: int) -> str:
    """A GTFS route_type, basic or extended (100-1700), as a word: tram, bus, rail …; or other."""
    if route_type >= 100:
        return _EXTENDED.get(route_type // 100, "other")
    return ROUTE_KINDS.get(route_type, "other")


def cut_day(trip_id: str) -> str:
    """A trip id without the `_YYYYMMDD` that some railways append for the day it runs."""
    return _DAY_SUFFIX.sub("", trip_id)


class Schedule:
    """Routes, trips and stops of one schedule, in memory."""

    def __init__(
        self,
        scope: str,
        routes: Mapping[str, Route],
        trips: Mapping[str, Trip],
        stops: Mapping[str, str],
    ) -> None:
        self.scope = scope
        self.routes = routes
        self.trips = trips
        self.stops = stops
        self._cut = {cut_day(trip_id): trip for trip_id, trip in trips.items()}

    @classmethod
    def load(cls, store: ReferenceStore, feed: str) -> Schedule:
        """The newest schedule of the feed; KeyError when there is none."""
        group = group_of(feed)
        scope = str(store.get(group, "feed", ["scope"]).column("scope")[0].as_py())
        routes = _rows(
            store, group, "routes", ["route_id", "short_name", "long_name", "route_type"]
        )
        trips = _rows(store, group, "trips", ["trip_id", "route_id", "headsign"])
        stops = _rows(store, group, "stops", ["stop_id", "name"])
        return cls(
            scope,
            {row[0]: Route(row[0], row[1] or "", row[2] or "", row[3]) for row in routes},
            {row[0]: Trip(row[0], row[1], row[2] or "") for row in trips},
            {row[0]: row[1] or "" for row in stops},
        )

    def trip(self, trip_id: str) -> tuple[Trip | None, bool]:
        """The trip, and whether it was found only after cutting `_YYYYMMDD` from either side."""
        exact = self.trips.get(trip_id)
        if exact is not None:
            return exact, False
        found = self._cut.get(cut_day(trip_id))
        return found, found is not None


def schedule_for(
    memory: dict[str, Any], store: ReferenceStore | None, feed: str
) -> Schedule | None:
    """The schedule of `feed`, kept in the reader's memory until a newer version appears."""
    if store is None or not feed:
        return None
    version = store.version(group_of(feed))
    if version is None:
        return None
    kept = memory.get("schedule")
    if kept is None or kept[0] != version:
        kept = memory["schedule"] = (version, Schedule.load(store, feed))
    schedule: Schedule = kept[1]
    return schedule


def _rows(
    store: ReferenceStore, group: str, table: str, columns: list[str]
) -> list[tuple[Any, ...]]:
    found = store.get(group, table, columns)
    return list(zip(*(found.column(name).to_pylist() for name in columns), strict=True))
