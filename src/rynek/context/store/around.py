"""Boxes around a point in SQL: which can hold something near it, and which only such things."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

from rynek.base.geo import Box
from rynek.context.query import GeoQuery

_FLAT_METRES: Final = 20_000.0
_FLAT_LATITUDE: Final = 75.0
_METRES_A_DEGREE: Final = 111_195.0
# What the scale may be off by within _FLAT_METRES and below _FLAT_LATITUDE, and the rounding of
# boxes to 32 bits.
_MARGIN: Final = 0.02
_ROUNDING: Final = 1e-5


class Around(NamedTuple):
    """Conditions on a box of the table `p` for near a point, with their parameters numbered after
    those that a statement has already.

    `nearby` (with an AND before it) leaves out boxes in the corners around the circle; `inside` is
    1 for a box that lies in the circle as a whole, so that whatever it holds matches; `square` (none
    where empty) holds for boxes that lie in the square within the circle: read first, they fill most
    pages, what they hold matches, and the corners are never looked at.
    """

    nearby: str = ""
    inside: str = "0"
    square: str = ""
    args: tuple[float, ...] = ()


def around(geo: GeoQuery, box: Box, before: int) -> Around:
    """The conditions for a geoquery with that box, after `before` other parameters; nothing is
    said where degrees cannot be scaled at the point: for long distances, near the poles and across 180°."""
    metres = geo.max_distance_m
    if geo.georel != "near" or geo.geometry["type"] != "Point" or metres is None:
        return Around()
    lon, lat = geo.geometry["coordinates"][:2]
    if metres > _FLAT_METRES or abs(lat) > _FLAT_LATITUDE or box[0] <= -180.0 or box[2] >= 180.0:
        return Around()
    squeeze = math.cos(math.radians(lat))
    outer = metres * (1 + _MARGIN) / _METRES_A_DEGREE + _ROUNDING
    inner = metres * (1 - _MARGIN) / _METRES_A_DEGREE - _ROUNDING
    nearby, inside, square = _conditions(before)
    circle = (lon, lat, squeeze, outer * outer)
    if geo.min_distance_m is not None or inner <= 0:
        return Around(nearby, args=circle)
    half = inner / math.sqrt(2)
    wide = half / squeeze
    bounds = (lon + wide, lon - wide, lat + half, lat - half)
    return Around(nearby, inside, square, (*circle, inner * inner, *bounds))


@lru_cache(maxsize=64)
def _conditions(before: int) -> tuple[str, str, str]:
    x, y, s, o, i, east, west, north, south = (f"?{before + k}" for k in range(1, 10))
    nearby = (
        f" AND power(max(p.west - {x}, {x} - p.east, 0.0) * {s}, 2)"
        f" + power(max(p.south - {y}, {y} - p.north, 0.0), 2) <= {o}"
    )
    inside = (
        f"power(max(p.east - {x}, {x} - p.west) * {s}, 2)"
        f" + power(max(p.north - {y}, {y} - p.south), 2) <= {i}"
    )
    square = f"p.west >= {west} AND p.east <= {east} AND p.south >= {south} AND p.north <= {north}"
    return nearby, inside, square
