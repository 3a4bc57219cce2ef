"""The ways that lines take, from the shapes in the live picture: what streets a map can draw."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import pairwise
from typing import Any, Final

import numpy as np
import orjson
import shapely

from rynek.context import LOCATION
from rynek.web.live import LiveHub

__all__ = ["lines_of"]

MAX_SHAPES: Final = 5000
_TOLERANCE: Final = 0.00004  # degrees, about four metres
_kept: dict[int, tuple[tuple[int, int], bytes, str]] = {}


def _rows(hub: LiveHub) -> Any:
    table = hub.table
    if "GtfsShape" not in table.kinds:
        return np.empty(0, dtype=np.int64)
    kind = table.kinds.index("GtfsShape")
    return np.flatnonzero(table.alive[: table.size] & (table.kind[: table.size] == kind))


async def lines_of(hub: LiveHub) -> tuple[bytes, str]:
    """GeoJSON of all shapes as one MultiLineString of distinct segments, and a hash for its ETag.

    Made again only when the number of shapes changed; at most MAX_SHAPES are looked at.
    """
    rows = _rows(hub)[:MAX_SHAPES]
    state = (len(rows), int(rows.sum()) if len(rows) else 0)
    kept = _kept.get(id(hub))
    if kept is not None and kept[0] == state:
        return kept[1], kept[2]
    shapes: list[Any] = []
    for i, row in enumerate(rows.tolist()):
        shapes += _parts(hub.context.get(hub.table.ids[row]))
        if i % 50 == 0:
            await asyncio.sleep(0)
    body = orjson.dumps(await asyncio.to_thread(_collection, shapes))
    tag = hashlib.sha256(body).hexdigest()[:16]
    _kept[id(hub)] = (state, body, tag)
    return body, tag


def _parts(entity: Any) -> list[list[list[float]]]:
    instance = entity.default(LOCATION) if entity is not None else None
    value = instance.value if instance is not None else None
    if not isinstance(value, dict):
        return []
    coordinates = value.get("coordinates") or []
    if value.get("type") == "LineString":
        return [coordinates]
    return list(coordinates) if value.get("type") == "MultiLineString" else []


def _collection(shapes: list[list[list[float]]]) -> dict[str, Any]:
    """Distinct steps of all shapes, joined to long lines again: what overlaps is drawn once."""
    steps: set[tuple[tuple[float, float], tuple[float, float]]] = set()
    for shape in shapes:
        points = [(round(p[0], 5), round(p[1], 5)) for p in shape if len(p) >= 2]
        for a, b in pairwise(points):
            if a != b:
                steps.add((a, b) if a < b else (b, a))
    if not steps:
        return {"type": "FeatureCollection", "features": []}
    merged = shapely.line_merge(shapely.multilinestrings([list(step) for step in steps]))
    simple = shapely.simplify(merged, _TOLERANCE)
    parts = list(simple.geoms) if simple.geom_type == "MultiLineString" else [simple]
    geometry = {
        "type": "MultiLineString",
        "coordinates": [[[round(x, 5), round(y, 5)] for x, y in part.coords] for part in parts],
    }
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {}, "geometry": geometry}],
    }
