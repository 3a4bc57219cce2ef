"""Vehicles where the timetable says they should be: scheduled, not observed, never stored."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from typing import Any, Final

from rynek.base.clock import MICRO
from rynek.feeds import ScheduledVehicle, Timetable
from rynek.web.live_view import Box

__all__ = ["MAX_SCHEDULED", "Scheduled"]

_logger = logging.getLogger(__name__)
MAX_SCHEDULED: Final = 1500
_FRESH_S: Final = 1.0
_LOOK_AGAIN_S: Final = 30.0


class Scheduled:
    """The timetables of one tenant; loaded in a thread when they are first asked for.

    A schedule that arrives or changes later is noticed within half a minute.
    """

    def __init__(self, tenant: Any) -> None:
        self._tenant = tenant
        self._tables: dict[str, tuple[str, Timetable]] = {}
        self._looked = -math.inf
        self._loading: asyncio.Task[None] | None = None
        self._now: tuple[float, list[tuple[str, ScheduledVehicle]]] = (-math.inf, [])

    def versions(self) -> dict[str, str]:
        """The version of each schedule that the tenant's feeds brought, by feed."""
        names: dict[str, None] = {}
        for config in self._tenant.feeds.configs():
            if config.kind == "gtfs":
                names[config.name] = None
            if schedule := str(config.options.get("schedule") or ""):
                names[schedule] = None
        found = {name: self._tenant.reference.version(f"gtfs:{name}") for name in names}
        return {name: version for name, version in found.items() if version is not None}

    @property
    def available(self) -> bool:
        """Whether there is a schedule at all."""
        return bool(self._tables) or bool(self.versions())

    async def vehicles(self, box: Box | None) -> dict[str, Any]:
        """GeoJSON of the scheduled vehicles in `box` at the tenant's time, MAX_SCHEDULED at most.

        `total` counts all that are under way, `loaded` is false while a timetable is read.
        """
        self._look()
        now = time.monotonic()
        if now - self._now[0] > _FRESH_S:
            at = self._tenant.clock.now()
            under_way = [
                (feed, vehicle)
                for feed, (_, table) in self._tables.items()
                for vehicle in table.active_trips(at)
            ]
            self._now = (now, under_way)
        inside = [pair for pair in self._now[1] if _within(pair[1], box)]
        return {
            "type": "FeatureCollection",
            "features": _features(inside[:MAX_SCHEDULED], self._tenant.clock.now()),
            "total": len(self._now[1]),
            "loaded": self._loading is None or self._loading.done(),
        }

    def _look(self) -> None:
        now = time.monotonic()
        busy = self._loading is not None and not self._loading.done()
        if busy or now - self._looked < _LOOK_AGAIN_S:
            return
        self._looked = now
        wanted = self.versions()
        if {name: kept[0] for name, kept in self._tables.items()} != wanted:
            self._loading = asyncio.create_task(self._load(wanted))

    async def _load(self, wanted: dict[str, str]) -> None:
        tables: dict[str, tuple[str, Timetable]] = {}
        for name, version in wanted.items():
            kept = self._tables.get(name)
            if kept is not None and kept[0] == version:
                tables[name] = kept
                continue
            try:
                read = await asyncio.to_thread(Timetable.load, self._tenant.reference, name)
            except Exception:
                _logger.exception("%s: the timetable %s cannot be read", self._tenant.name, name)
                continue
            tables[name] = (version, read)
        self._tables = tables
        self._now = (-math.inf, [])


def _within(vehicle: ScheduledVehicle, box: Box | None) -> bool:
    if box is None:
        return True
    west, south, east, north = box
    between = (
        west <= vehicle.lon <= east
        if west <= east
        else (vehicle.lon >= west or vehicle.lon <= east)
    )
    return between and south <= vehicle.lat <= north


def _features(vehicles: Sequence[tuple[str, ScheduledVehicle]], now: int) -> list[dict[str, Any]]:
    return [
        {
            "type": "Feature",
            "id": i,
            "geometry": {"type": "Point", "coordinates": [vehicle.lon, vehicle.lat]},
            "properties": {
                "id": f"scheduled:{feed}:{vehicle.trip_id}",
                "theme": "transport",
                "type": "Vehicle",
                "status": "parked" if vehicle.stopped else "moving",
                "scheduled": True,
                "label": vehicle.line,
                "name": vehicle.headsign,
                "seen": now // (MICRO // 1000),
            }
            | ({} if vehicle.bearing is None else {"bearing": vehicle.bearing}),
        }
        for i, (feed, vehicle) in enumerate(vehicles)
    ]
