"""Whether an area may hold a location that a geoquery selects (CIM 009 §5.10.2.4)."""

from __future__ import annotations

from typing import Any

import shapely
from shapely.errors import ShapelyError

from rynek.context.query.geo import GeoQuery
from rynek.context.query.shapes import BadShape, DistanceMap, build

__all__ = ["possible"]


def possible(geo: GeoQuery, space: Any) -> bool:
    """Whether `space` (GeoJSON geometry) matches itself or something inside of it could."""
    if geo.matches(space):
        return True
    try:
        return _near(geo, space) if geo.georel == "near" else _related(geo, space)
    except (BadShape, ShapelyError, KeyError, TypeError, ValueError):
        return False


def _near(geo: GeoQuery, space: dict[str, Any]) -> bool:
    distances = DistanceMap(geo.geometry)
    most, least = geo.max_distance_m, geo.min_distance_m
    return (most is None or distances.nearest(space) <= most) and (
        least is None or distances.farthest(space) > least
    )


def _related(geo: GeoQuery, space: dict[str, Any]) -> bool:
    """Something within the space is within, intersects or overlaps the reference when the two
    meet; it equals or contains the reference only when the space covers all of that; it is
    disjoint from it when some of the space lies outside."""
    area, reference = build(space), build(geo.geometry)
    if geo.georel in ("equals", "contains"):
        return bool(shapely.covers(area, reference))
    if geo.georel == "disjoint":
        return not shapely.covers(reference, area)
    return bool(shapely.intersects(area, reference))
