"""Outlines and courses of things that are more than a point, for views that show few of them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import shapely
from shapely.errors import ShapelyError

from rynek.context import LOCATION

__all__ = ["AREA", "COURSE", "MAX_SHAPES", "POINT", "Shapes", "extent"]

POINT, COURSE, AREA = range(3)
MAX_SHAPES: Final = 500
_KEPT: Final = 4000
_MOST_VERTICES: Final = 300
_TOLERANCE: Final = 0.00002  # degrees, about two metres
_EXTENTS: Final = {
    "LineString": COURSE,
    "MultiLineString": COURSE,
    "Polygon": AREA,
    "MultiPolygon": AREA,
}


def extent(value: Any) -> int:
    """POINT, COURSE or AREA: how far a GeoJSON geometry reaches."""
    return _EXTENTS.get(str(value.get("type")), POINT) if isinstance(value, dict) else POINT


class Shapes:
    """The geometries of a tenant's things as GeoJSON, read when asked for; the last few are kept."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._kept: OrderedDict[str, dict[str, Any] | None] = OrderedDict()

    def forget(self, entity_id: str) -> None:
        """The thing has changed."""
        self._kept.pop(entity_id, None)

    def of(self, entity_id: str) -> dict[str, Any] | None:
        """The thing's outline or course, simplified where it is long; None where it has none."""
        if entity_id in self._kept:
            self._kept.move_to_end(entity_id)
            return self._kept[entity_id]
        entity = self._context.get(entity_id)
        instance = entity.default(LOCATION) if entity is not None else None
        made = self._kept[entity_id] = _simple(instance.value if instance is not None else None)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made


def _simple(value: Any) -> dict[str, Any] | None:
    if extent(value) == POINT:
        return None
    try:
        shape = shapely.geometry.shape(value)
        if shapely.get_num_coordinates(shape) > _MOST_VERTICES:
            shape = shapely.simplify(shape, _TOLERANCE)
        made: dict[str, Any] = shapely.geometry.mapping(shape)
    except (ShapelyError, LookupError, ValueError, TypeError, AttributeError):
        return None
    return made if made.get("coordinates") else None
