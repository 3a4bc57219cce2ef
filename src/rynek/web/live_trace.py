"""Where vehicles have been: a drawing of the streets they use, made from what they report."""

from __future__ import annotations

import hashlib
import math
from typing import Any, Final

import numpy as np
import orjson

from rynek.base.clock import MICRO

__all__ = ["MAX_STEPS", "Trace", "dots"]

MAX_STEPS: Final = 10_000
_SHORTEST_M: Final = 25.0
_LONGEST_M: Final = 650.0  # a longer step would cut across blocks
_LONGEST: Final = 150 * MICRO
_METRES: Final = 111_320.0
_GRID: Final = 5000  # steps to a degree: ends are the same within about twenty metres

_DOTS_FROM: Final = 1000  # fewer things are drawn themselves
_MAX_DOTS: Final = 12_000
_DOT_GRID: Final = 2500  # to a degree: about forty metres

Step = tuple[float, float, float, float]


class Trace:
    """The steps vehicles took, each place once; the newest MAX_STEPS are kept.

    A step goes from one reported place to the next of the same vehicle. Of steps that are long
    in space or time only the ends are kept: nothing is known of the way between.
    """

    def __init__(self) -> None:
        self._steps: dict[tuple[int, int, int, int], Step] = {}
        self._places: dict[tuple[int, int], None] = {}
        self._version = 0
        self._made: tuple[tuple[int, int], bytes, str] = ((-1, 0), b"", "")

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, start: tuple[float, float], end: tuple[float, float], took: int) -> None:
        """Remember that something went from `start` to `end` (lon, lat) in `took` microseconds."""
        dx = (end[0] - start[0]) * math.cos(math.radians(end[1])) * _METRES
        dy = (end[1] - start[1]) * _METRES
        length = math.hypot(dx, dy)
        if length < _SHORTEST_M or took <= 0:
            return
        if took > _LONGEST or length > _LONGEST_M:
            self._visit(start)
            self._visit(end)
            return
        a, b = sorted((start, end))
        key = (round(a[0] * _GRID), round(a[1] * _GRID), round(b[0] * _GRID), round(b[1] * _GRID))
        if key in self._steps or key[:2] == key[2:]:
            return
        if len(self._steps) >= MAX_STEPS:
            del self._steps[next(iter(self._steps))]
        self._steps[key] = (*a, *b)
        self._version += 1

    def _visit(self, place: tuple[float, float]) -> None:
        if len(self._places) < _MAX_DOTS:
            self._places[round(place[0] * _DOT_GRID), round(place[1] * _DOT_GRID)] = None

    def geojson(self, places: list[list[float]] | None = None) -> tuple[bytes, str]:
        """A MultiLineString and a MultiPoint (of `places`, marked with `dots`) as a
        FeatureCollection, and a hash for its ETag."""
        places = (places or []) + [
            [round(x / _DOT_GRID, 5), round(y / _DOT_GRID, 5)] for x, y in self._places
        ]
        version = (self._version, len(places))
        if self._made[0] != version:
            ways = [
                [[round(a, 5), round(b, 5)], [round(c, 5), round(d, 5)]]
                for a, b, c, d in self._steps.values()
            ]
            geometry = {"type": "MultiLineString", "coordinates": ways}
            feature: dict[str, Any] = {"type": "Feature", "properties": {}, "geometry": geometry}
            features = [feature] if ways else []
            if places:
                many = {"type": "MultiPoint", "coordinates": places}
                features.append({"type": "Feature", "properties": {"dots": True}, "geometry": many})
            body = orjson.dumps({"type": "FeatureCollection", "features": features})
            self._made = version, body, hashlib.sha256(body).hexdigest()[:16]
        return self._made[1:]


def dots(lon: Any, lat: Any) -> list[list[float]]:
    """Where very many things stand (numpy columns of degrees, NaN where unknown), as distinct
    [lon, lat] on a grid; empty where they are few, at most _MAX_DOTS."""
    known = np.isfinite(lon) & np.isfinite(lat)
    if int(known.sum()) < _DOTS_FROM:
        return []
    places = np.column_stack([lon[known], lat[known]])
    distinct = np.unique(np.round(places * _DOT_GRID), axis=0) / _DOT_GRID
    made: list[list[float]] = np.round(distinct[:_MAX_DOTS], 5).tolist()
    return made
