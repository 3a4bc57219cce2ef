"""Shapes of trips: how far along its shape each stop lies, and the point at a distance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_STEP = 1e-4
"""Degrees (about 10 m) over which the direction of travel is taken."""


class Paths:
    """The shapes of a schedule; coordinates are scaled so that distances are even in both axes."""

    def __init__(self, shapes: pa.Table, of_trip: list[str | None]) -> None:
        lon, lat = shapes["lon"].to_numpy(), shapes["lat"].to_numpy()
        self._scale = float(np.cos(np.radians(lat.mean()))) if len(lat) else 1.0
        names: dict[str, int] = {}
        ids = shapes["shape_id"].to_pylist()
        rows: Ints = np.array([names.setdefault(n, len(names)) for n in ids], dtype=np.int64)
        counts = np.bincount(rows)
        points = np.column_stack([lon * self._scale, lat])
        kept = counts[rows] >= 2 if rows.size else np.array([], dtype=bool)
        lines = np.full(len(names), None, dtype=object)
        if kept.any():
            # linestrings() wants groups numbered from 0 without gaps.
            groups, inverse = np.unique(rows[kept], return_inverse=True)
            lines[groups] = shapely.linestrings(points[kept], indices=inverse)
        self._lines = lines
        known = {name: row for name, row in names.items() if lines[row] is not None}
        self._of_trip = np.array([known.get(n, -1) if n else -1 for n in of_trip], dtype=np.int64)

    def locate(self, trip: Ints, lon: Floats, lat: Floats) -> Floats:
        """How far along the shape of its trip each stop lies, never less than the stop before it;
        NaN for trips without a shape."""
        found = np.full(len(trip), np.nan)
        if not len(self._of_trip):
            return found
        rows = np.flatnonzero(self._of_trip[trip] >= 0)
        if not rows.size:
            return found
        lines = self._lines[self._of_trip[trip[rows]]]
        points = shapely.points(lon[rows] * self._scale, lat[rows])
        along = shapely.line_locate_point(lines, points)
        # Never backwards within a trip: lift each trip above all others, then take the maximum.
        lift = trip[rows] * 1e4
        found[rows] = np.maximum.accumulate(along + lift) - lift
        return found

    def at(self, trip: Ints, along: Floats) -> tuple[Floats, Floats, Floats]:
        """Longitude, latitude and bearing at a distance along the shape of each trip."""
        lines = self._lines[self._of_trip[trip]]
        here = shapely.get_coordinates(shapely.line_interpolate_point(lines, along))
        back = shapely.get_coordinates(
            shapely.line_interpolate_point(lines, np.maximum(along - _STEP, 0.0))
        )
        on = shapely.get_coordinates(shapely.line_interpolate_point(lines, along + _STEP))
        lon, lat = here[:, 0] / self._scale, here[:, 1]
        angle = bearings(back[:, 0] / self._scale, back[:, 1], on[:, 0] / self._scale, on[:, 1])
        return lon, lat, angle


def bearings(lon1: Floats, lat1: Floats, lon2: Floats, lat2: Floats) -> Floats:
    """Degrees clockwise from north from one point to the other; NaN where they are the same."""
    middle = np.radians((lat1 + lat2) / 2)
    x, y = (lon2 - lon1) * np.cos(middle), lat2 - lat1
    angle = np.degrees(np.arctan2(x, y)) % 360.0
    return np.where((x == 0) & (y == 0), np.nan, angle)
