"""Geometry on the sphere: distances, boxes, and the check of GeoJSON geometries (RFC 7946).

Positions are (longitude, latitude) in degrees, WGS 84; distances are metres on a sphere of the
mean Earth radius, within 0.6 % of those on the ellipsoid. Boxes are (west, south, east, north).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

__all__ = [
    "EARTH_RADIUS_M",
    "GEOMETRY_TYPES",
    "WORLD",
    "Box",
    "bbox",
    "box_around",
    "box_of_positions",
    "haversine_m",
    "positions",
    "validate_geometry",
]

Box = tuple[float, float, float, float]

EARTH_RADIUS_M: Final = 6_371_008.8
WORLD: Final[Box] = (-180.0, -90.0, 180.0, 90.0)
MAX_POSITIONS: Final = 100_000

# Type → how many arrays its positions lie in (RFC 7946 §3.1).
GEOMETRY_TYPES: Final[dict[str, int]] = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
_MIN_LINE: Final = 2
_MIN_RING: Final = 4
_DIMENSIONS: Final = (2, 3)
# Degrees added to a box so that rounding never leaves a point of the circle outside.
_PAD: Final = 1e-7


def haversine_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Great-circle distance of two positions in metres."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half_phi = math.sin((phi2 - phi1) / 2)
    half_lambda = math.sin(math.radians(lon2 - lon1) / 2)
    a = half_phi * half_phi + math.cos(phi1) * math.cos(phi2) * half_lambda * half_lambda
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(a) if a < 1 else 1.0)


def box_around(lon: float, lat: float, metres: float) -> Box:
    """The box of the circle of that radius; all longitudes when it holds a pole or crosses 180°."""
    angle = metres / EARTH_RADIUS_M
    reach = math.degrees(angle) + _PAD
    south, north = max(-90.0, lat - reach), min(90.0, lat + reach)
    if south <= -90 or north >= 90:
        return (-180.0, south, 180.0, north)
    ratio = math.sin(math.radians(reach)) / math.cos(math.radians(lat))
    if ratio >= 1:
        return (-180.0, south, 180.0, north)
    across = math.degrees(math.asin(ratio)) + _PAD
    if lon - across < -180 or lon + across > 180:
        return (-180.0, south, 180.0, north)
    return (lon - across, south, lon + across, north)


def positions(geometry: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """All (longitude, latitude) of a valid geometry, altitudes left out."""
    depth = GEOMETRY_TYPES[geometry["type"]]
    return _positions(geometry["coordinates"], depth)


def _positions(coordinates: Any, depth: int) -> Iterator[tuple[float, float]]:
    if depth == 0:
        yield (coordinates[0], coordinates[1])
        return
    for part in coordinates:
        yield from _positions(part, depth - 1)


def box_of_positions(points: Iterator[tuple[float, float]]) -> Box:
    """The smallest box around at least one position; ValueError when there is none."""
    lons, lats = zip(*points, strict=True)
    return (min(lons), min(lats), max(lons), max(lats))


def bbox(geometry: dict[str, Any]) -> Box:
    """The box of a valid geometry, never across 180° (RFC 7946 §3.1.9 asks to cut there)."""
    if geometry["type"] == "Point":
        lon, lat = geometry["coordinates"][:2]
        return (lon, lat, lon, lat)
    return box_of_positions(positions(geometry))


def validate_geometry(geometry: Any, max_positions: int = MAX_POSITIONS) -> None:
    """Raise ValueError, saying why, unless this is a GeoJSON geometry that NGSI-LD takes.

    Checked: one of six types (no GeometryCollection), nesting, two or three finite numbers a
    position, longitude and latitude in range, closed rings, lines of two, bounded size (§4.7).
    """
    if not isinstance(geometry, dict):
        raise ValueError("a geometry is a JSON object with type and coordinates")  # noqa: TRY004
    kind = geometry.get("type")
    if kind == "Point" and _is_plain_position(geometry.get("coordinates")):
        return
    if not isinstance(kind, str) or kind not in GEOMETRY_TYPES:
        allowed = ", ".join(GEOMETRY_TYPES)
        raise ValueError(f"geometry type {str(kind)[:40]!r} is none of {allowed}")
    count = _check(geometry.get("coordinates"), kind, GEOMETRY_TYPES[kind], max_positions)
    if count > max_positions:
        raise ValueError(f"more than {max_positions} positions")


def _is_plain_position(position: Any) -> bool:
    """Whether this is a pair of floats in range: most geometries are such a point."""
    if type(position) is not list or len(position) != 2:
        return False
    lon, lat = position
    return type(lon) is type(lat) is float and -180 <= lon <= 180 and -90 <= lat <= 90


def _check(coordinates: Any, kind: str, depth: int, left: int) -> int:
    """Check one level of arrays; the number of positions in it."""
    if depth == 0:
        _check_position(coordinates)
        return 1
    if not isinstance(coordinates, list) or not coordinates:
        raise ValueError(f"{kind}: coordinates are {depth} levels of non-empty arrays of positions")
    if len(coordinates) > left:
        raise ValueError("more positions than allowed")
    count = 0
    if depth == 1:
        count = len(coordinates)
        for position in coordinates:
            if not _is_plain_position(position):
                _check_position(position)
    else:
        for part in coordinates:
            count += _check(part, kind, depth - 1, left - count)
            if count > left:
                raise ValueError("more positions than allowed")
    if depth == 1 and kind.endswith("LineString") and len(coordinates) < _MIN_LINE:
        raise ValueError(f"{kind}: a line has at least two positions")
    if depth == 1 and kind.endswith("Polygon"):
        _check_ring(coordinates)
    return count


def _check_ring(ring: list[Any]) -> None:
    if len(ring) < _MIN_RING:
        raise ValueError("a ring has at least four positions")
    if ring[0] != ring[-1]:
        raise ValueError("a ring ends where it began")


def _check_position(position: Any) -> None:
    if not isinstance(position, list) or len(position) not in _DIMENSIONS:
        raise ValueError("a position is an array of longitude, latitude and perhaps altitude")
    for number in position:
        if type(number) not in (int, float) or not math.isfinite(number):
            raise ValueError("a position holds finite numbers only")
    lon, lat = position[0], position[1]
    if not -180 <= lon <= 180:
        raise ValueError(f"longitude {lon} is not within -180 and 180")
    if not -90 <= lat <= 90:
        raise ValueError(f"latitude {lat} is not within -90 and 90")
