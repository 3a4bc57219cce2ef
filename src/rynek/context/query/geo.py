"""The geoquery (CIM 009 §4.10): `georel`, `geometry`, `coordinates`, `geoproperty`.

Topological relations are planar in longitude and latitude, as GeoJSON lines are (RFC 7946 §3.1.1),
by shapely. Distances are on the sphere (rynek.base.geo): exact between positions; between a line or
an area and anything else they are taken in an azimuthal equidistant map centred on the reference.
`near;maxDistance` selects what lies within the buffer as a whole, `near;minDistance` what has no
part in it, as the clause words it; for a point both are the plain distance.
"""

# georel = "near" 1*( ";" ("maxDistance" / "minDistance") "==" positive number )
#        / "within" / "contains" / "intersects" / "equals" / "disjoint" / "overlaps"

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData, TooComplexQuery
from rynek.base.geo import (
    WORLD,
    Box,
    bbox,
    box_around,
    haversine_m,
    positions,
    validate_geometry,
)
from rynek.context.model import LOCATION
from rynek.context.query.shapes import (
    BadShape,
    DistanceMap,
    build,
    relation_test,
)

__all__ = ["GeoQuery", "parse_geo", "parse_geometry"]

MAX_COORDINATES_BYTES: Final = 256 * 1024
MAX_POSITIONS: Final = 10_000
_NEAR: Final = "near"
_MODIFIER: Final = re.compile(
    r"(maxDistance|minDistance)==((?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)", re.ASCII
)
_RELATIONS: Final = frozenset(
    {"within", "contains", "intersects", "equals", "disjoint", "overlaps"}
)
_HALF_EARTH_M: Final = 20_016_000.0


@dataclass(frozen=True)
class GeoQuery:
    """A relation to a reference geometry; distances (metres) only with `near`."""

    georel: str
    geometry: dict[str, Any]
    geoproperty: str = LOCATION
    max_distance_m: float | None = None
    min_distance_m: float | None = None

    def box(self) -> Box | None:
        """A box that every match intersects; None when no box narrows the search."""
        if self.georel == _NEAR:
            return self._near_box()
        return None if self.georel == "disjoint" else bbox(self.geometry)

    def _near_box(self) -> Box | None:
        if self.max_distance_m is None or self.max_distance_m >= _HALF_EARTH_M:
            return None
        west, south, east, north = bbox(self.geometry)
        if self.geometry["type"] == "Point":
            return box_around(west, south, self.max_distance_m)
        # The distance map is not exact away from its centre, hence one per cent more.
        reach = self.max_distance_m * 1.01 + 1
        corners = [box_around(x, y, reach) for x in (west, east) for y in (south, north)]
        whole = any(corner[0] <= WORLD[0] or corner[2] >= WORLD[2] for corner in corners)
        return (
            WORLD[0] if whole else min(corner[0] for corner in corners),
            min(corner[1] for corner in corners),
            WORLD[2] if whole else max(corner[2] for corner in corners),
            max(corner[3] for corner in corners),
        )

    def matches(self, geometry: Any) -> bool:
        """Whether this target geometry (GeoJSON) is selected; False when it is none."""
        try:
            return self._test(geometry)
        except (KeyError, TypeError, IndexError, ValueError, BadShape):
            return False

    @cached_property
    def _test(self) -> Callable[[dict[str, Any]], bool]:
        if self.georel != _NEAR:
            return relation_test(self.georel, self.geometry)
        if self.geometry["type"] == "Point":
            return self._near_point()
        return self._near_shape(DistanceMap(self.geometry))

    @cached_property
    def near_test(self) -> Callable[[float, float], bool] | None:
        """The test of a point (longitude, latitude), for near a point; None for all else."""
        if self.georel != _NEAR or self.geometry["type"] != "Point":
            return None
        lon, lat = self.geometry["coordinates"][:2]
        most, least = self.max_distance_m, self.min_distance_m

        def test(x: float, y: float) -> bool:
            metres = haversine_m(lon, lat, x, y)
            return (most is None or metres <= most) and (least is None or metres > least)

        return test

    def _near_point(self) -> Callable[[dict[str, Any]], bool]:
        """Plain haversine for point targets: no shape is ever built."""
        lon, lat = self.geometry["coordinates"][:2]
        most, least = self.max_distance_m, self.min_distance_m
        point = self.near_test
        assert point is not None

        def test(target: dict[str, Any]) -> bool:
            if target["type"] == "Point":
                x, y = target["coordinates"][:2]
                return point(x, y)
            if most is not None and any(
                haversine_m(lon, lat, x, y) > most for x, y in positions(target)
            ):
                return False
            return least is None or self._point_map.nearest(target) > least

        return test

    @cached_property
    def _point_map(self) -> DistanceMap:
        return DistanceMap(self.geometry)

    def _near_shape(self, distances: DistanceMap) -> Callable[[dict[str, Any]], bool]:
        most, least = self.max_distance_m, self.min_distance_m

        def test(target: dict[str, Any]) -> bool:
            if most is not None and distances.farthest(target) > most:
                return False
            return least is None or distances.nearest(target) > least

        return test


def parse_geo(
    georel: str | None,
    geometry: str | None,
    coordinates: str | list[Any] | None,
    geoproperty: str | None = None,
    expand: Callable[[str], str] | None = None,
) -> GeoQuery | None:
    """The geoquery of these parameters; None when there is none of the first three.

    `coordinates` is JSON text, or the array itself in a request body. Raises BadRequestData saying
    which parameter is missing or wrong, TooComplexQuery beyond the bounds.
    """
    if georel is None and geometry is None and coordinates is None:
        return None
    if georel is None or geometry is None or coordinates is None:
        raise BadRequestData("a geoquery needs georel, geometry and coordinates together")
    relation, most, least = _parse_georel(georel)
    shape = parse_geometry(geometry, coordinates, "geometry, coordinates")
    attr = LOCATION
    if geoproperty:
        attr = geoproperty if expand is None else expand(geoproperty)
    return GeoQuery(relation, shape, attr, most, least)


def parse_geometry(kind: str, coordinates: str | list[Any], parameter: str) -> dict[str, Any]:
    """The GeoJSON geometry of a type and coordinates (JSON text, or the array itself).

    Raises BadRequestData naming `parameter`, TooComplexQuery beyond the bounds.
    """
    shape = {"type": kind, "coordinates": _parse_coordinates(coordinates, parameter)}
    try:
        validate_geometry(shape, MAX_POSITIONS)
        if kind not in ("Point", "MultiPoint"):
            build(shape, check=True)  # points cannot be wrong in more ways than were checked
    except (ValueError, BadShape) as error:
        raise BadRequestData(f"{parameter}: {error}") from error
    return shape


def _parse_georel(text: str) -> tuple[str, float | None, float | None]:
    relation, *modifiers = (part.strip() for part in text[:256].split(";"))
    if relation in _RELATIONS and not modifiers:
        return relation, None, None
    if relation != _NEAR or not modifiers:
        names = ", ".join(sorted(_RELATIONS))
        raise BadRequestData(
            f"georel: expected near;maxDistance==N, near;minDistance==N or one of {names}, "
            f"found {text[:64]!r}"
        )
    found: dict[str, float] = {}
    for modifier in modifiers:
        match = _MODIFIER.fullmatch(modifier)
        metres = float(match.group(2)) if match else 0.0
        if match is None or match.group(1) in found or not 0 < metres < float("inf"):
            raise BadRequestData(
                "georel: expected maxDistance==N or minDistance==N once, with N metres above 0, "
                f"found {modifier[:64]!r}"
            )
        found[match.group(1)] = metres
    return _NEAR, found.get("maxDistance"), found.get("minDistance")


def _parse_coordinates(coordinates: str | list[Any], parameter: str) -> Any:
    if not isinstance(coordinates, str):
        return coordinates
    if len(coordinates) > MAX_COORDINATES_BYTES:
        raise TooComplexQuery(f"{parameter}: longer than {MAX_COORDINATES_BYTES} characters")
    try:
        return msgspec.json.decode(coordinates)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise BadRequestData(f"{parameter}: not a JSON array ({error})") from error
