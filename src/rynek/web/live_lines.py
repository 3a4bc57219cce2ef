"""The ways that lines take: what streets a map can draw from a schedule alone."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import shapely

from rynek.context import LOCATION
from rynek.web.live import LiveHub
from rynek.web.live_schedule import Scheduled

__all__ = ["Lines"]

_logger = logging.getLogger(__name__)
MAX_SHAPES: Final = 5000
_TOLERANCE: Final = 0.00003  # degrees, about three metres
_EMPTY: Final = b'{"type":"FeatureCollection","features":[]}'

Steps = npt.NDArray[np.float64]
"""n x 4: longitude and latitude of both ends of a step."""


class Lines:
    """The ways of one tenant's lines as GeoJSON; made again when a schedule or shape came."""

    def __init__(self, hub: LiveHub, scheduled: Scheduled, reference: Any) -> None:
        self._hub = hub
        self._scheduled = scheduled
        self._reference = reference
        self._state: object = None
        self._made = (_EMPTY, hashlib.sha256(_EMPTY).hexdigest()[:16])
        self._lock = asyncio.Lock()

    async def geojson(self) -> tuple[bytes, str]:
        """One MultiLineString of distinct ways, and a hash for its ETag.

        Taken from the shapes of the schedules, where they have none from the steps between their
        stops, and without any schedule from `GtfsShape` entities (MAX_SHAPES at most).
        """
        async with self._lock:
            versions = self._scheduled.versions()
            rows = _shape_rows(self._hub)[:MAX_SHAPES] if not versions else []
            state = (versions, len(rows))
            if state != self._state:
                body = await self._make(list(versions), rows)
                self._made = (body, hashlib.sha256(body).hexdigest()[:16])
                self._state = state
            return self._made

    async def _make(self, feeds: list[str], rows: list[int]) -> bytes:
        steps: list[Steps] = []
        for feed in feeds:
            try:
                steps.append(await asyncio.to_thread(_scheduled_steps, self._reference, feed))
            except (KeyError, ValueError):
                _logger.exception("the ways of the lines of %s cannot be read", feed)
        for count, row in enumerate(rows):
            steps += _shape_steps(self._hub.context.get(self._hub.table.ids[row]))
            if count % 50 == 0:
                await asyncio.sleep(0)
        return await asyncio.to_thread(_collection, steps)


def _shape_rows(hub: LiveHub) -> list[int]:
    table = hub.table
    if "GtfsShape" not in table.kinds:
        return []
    kind = table.kinds.index("GtfsShape")
    here = table.alive[: table.size] & (table.kind[: table.size] == kind)
    return list(np.flatnonzero(here).tolist())


def _scheduled_steps(reference: Any, feed: str) -> Steps:
    """Steps along a schedule's shapes; between its stops where it has no shapes."""
    group = f"gtfs:{feed}"
    shapes = reference.get(group, "shapes")
    if shapes.num_rows:
        names = shapes["shape_id"].combine_chunks().dictionary_encode().indices.to_numpy()
        points = np.column_stack([shapes["lon"].to_numpy(), shapes["lat"].to_numpy()])
        return _joined(points, np.asarray(names))
    stops = reference.get(group, "stops")
    places = np.column_stack([stops["lon"].to_numpy(), stops["lat"].to_numpy()])
    times = reference.get(group, "stop_times", ["trip", "stop"])
    trip, stop = times["trip"].to_numpy(), times["stop"].to_numpy()
    pairs = np.column_stack([stop[:-1], stop[1:]])[trip[:-1] == trip[1:]]
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    return np.hstack([places[pairs[:, 0]], places[pairs[:, 1]]])


def _joined(points: Any, group: Any) -> Steps:
    same = group[:-1] == group[1:]
    return np.hstack([points[:-1][same], points[1:][same]])


def _shape_steps(entity: Any) -> list[Steps]:
    instance = entity.default(LOCATION) if entity is not None else None
    value = instance.value if instance is not None else None
    if not isinstance(value, dict):
        return []
    coordinates = value.get("coordinates") or []
    kind = value.get("type")
    parts = {"LineString": [coordinates], "MultiLineString": coordinates}.get(str(kind), [])
    made = []
    for part in parts:
        points = np.array([point[:2] for point in part if len(point) >= 2], dtype=np.float64)
        if len(points) > 1:
            made.append(np.hstack([points[:-1], points[1:]]))
    return made


def _collection(steps: list[Steps]) -> bytes:
    """Distinct steps, joined to long lines again: what many lines share is drawn once."""
    if not steps:
        return _EMPTY
    every = np.round(np.vstack(steps), 5)
    every = every[np.isfinite(every).all(axis=1)]
    back = (every[:, 0] > every[:, 2]) | (
        (every[:, 0] == every[:, 2]) & (every[:, 1] > every[:, 3])
    )
    every[back] = every[back][:, [2, 3, 0, 1]]
    distinct = np.unique(every, axis=0)
    distinct = distinct[(distinct[:, :2] != distinct[:, 2:]).any(axis=1)]
    if not len(distinct):
        return _EMPTY
    merged = shapely.line_merge(shapely.multilinestrings(distinct.reshape(-1, 2, 2)))
    simple = shapely.get_parts(shapely.simplify(merged, _TOLERANCE))
    ways = [np.round(shapely.get_coordinates(part), 5).tolist() for part in simple]
    geometry = {"type": "MultiLineString", "coordinates": ways}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    return orjson.dumps({"type": "FeatureCollection", "features": [feature]})
