"""Shapely behind the geoquery: GeoJSON → shapes, topological relations, distances in metres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import ShapelyError
from shapely.geometry import shape as to_shape
from shapely.geometry.base import BaseGeometry

from rynek.base.geo import EARTH_RADIUS_M, bbox

_Floats = NDArray[np.float64]

# Lines are cut into pieces of at most this many degrees before they are mapped, so that a
# straight line on the map stays within metres of the straight line in longitude and latitude …
_PIECE_DEGREES: Final = 0.1
# … but no geometry becomes more than about this many positions longer.
_MAX_PIECES: Final = 5_000
_MANY: Final = 64


class BadShape(ValueError):
    """The geometry is valid GeoJSON but no valid shape (a ring crosses itself …)."""


def build(geometry: dict[str, Any], *, check: bool = False) -> BaseGeometry:
    """A flat shape of a GeoJSON geometry; BadShape when it can't be made or `check` fails."""
    try:
        made = _large_polygon(geometry) or shapely.force_2d(to_shape(geometry))
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BadShape(f"no geometry: {error}") from error
    if check and not shapely.is_valid(made):
        raise BadShape(str(shapely.is_valid_reason(made)))
    return made


def _large_polygon(geometry: dict[str, Any]) -> BaseGeometry | None:
    """A polygon of flat positions of which there are many, in few steps; None for all else."""
    if geometry["type"] != "Polygon" or len(geometry["coordinates"][0]) < _MANY:
        return None
    try:
        rings = [np.asarray(ring, np.float64) for ring in geometry["coordinates"]]
    except ValueError:  # positions of several lengths
        return None
    if any(ring.ndim != 2 or ring.shape[1] != 2 for ring in rings):
        return None
    shell, *holes = (shapely.linearrings(ring) for ring in rings)
    made: BaseGeometry = shapely.polygons(shell, holes or None)
    return made


_RELATIONS: Final[dict[str, Callable[[BaseGeometry, BaseGeometry], Any]]] = {
    # Always the prepared reference first, then the target: "target within reference" is
    # "reference contains target".
    "within": shapely.contains,
    "contains": shapely.within,
    "intersects": shapely.intersects,
    "equals": shapely.equals,
    "disjoint": shapely.disjoint,
    "overlaps": shapely.overlaps,
}


def relation_test(georel: str, reference: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
    """The test of targets for a topological relation to `reference`."""
    shape = build(reference)
    shapely.prepare(shape)
    relation = _RELATIONS[georel]
    with_point = {"within": shapely.contains_xy, "intersects": shapely.intersects_xy}.get(georel)

    def test(target: dict[str, Any]) -> bool:
        try:
            if with_point is not None and target["type"] == "Point":
                lon, lat = target["coordinates"][:2]
                return bool(with_point(shape, lon, lat))
            return bool(relation(shape, build(target)))
        except ShapelyError as error:
            raise BadShape(str(error)) from error

    return test


class DistanceMap:
    """Distances in metres from a reference geometry, on a map centred on it."""

    def __init__(self, reference: dict[str, Any]) -> None:
        west, south, east, north = bbox(reference)
        self._lon = np.radians((west + east) / 2)
        self._lat = np.radians((south + north) / 2)
        self._shape = self._map(reference)
        shapely.prepare(self._shape)

    def nearest(self, target: dict[str, Any]) -> float:
        """From the reference to the closest part of the target; 0 when they meet."""
        return float(shapely.distance(self._shape, self._map(target)))

    def farthest(self, target: dict[str, Any]) -> float:
        """From the reference to the position of the target that is farthest from it."""
        points = shapely.points(shapely.get_coordinates(self._map(target)))
        return float(np.max(shapely.distance(self._shape, points)))

    def _map(self, geometry: dict[str, Any]) -> BaseGeometry:
        shape = build(geometry)
        try:
            # A line of no length can't be cut; it is a position on the map.
            if geometry["type"] not in ("Point", "MultiPoint") and shape.length > 0:
                piece = max(_PIECE_DEGREES, shape.length / _MAX_PIECES)
                shape = shapely.segmentize(shape, piece)
        except ShapelyError as error:
            raise BadShape(str(error)) from error
        return shapely.transform(shape, self._project)

    def _project(self, degrees: _Floats) -> _Floats:
        """Azimuthal equidistant projection: true distance and direction from the centre."""
        lon, lat = np.radians(degrees[:, 0]) - self._lon, np.radians(degrees[:, 1])
        sin_lat, cos_lat = np.sin(lat), np.cos(lat)
        sin_c, cos_c = np.sin(self._lat), np.cos(self._lat)
        half = np.sin((lat - self._lat) / 2) ** 2 + cos_c * cos_lat * np.sin(lon / 2) ** 2
        angle = 2 * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
        east, north = cos_lat * np.sin(lon), cos_c * sin_lat - sin_c * cos_lat * np.cos(lon)
        length = np.hypot(east, north)
        scale = np.divide(angle, length, out=np.ones_like(angle), where=length > 0)
        return np.column_stack((east * scale, north * scale)) * EARTH_RADIUS_M
