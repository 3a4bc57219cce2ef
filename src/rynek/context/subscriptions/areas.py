"""Subscriptions by the cells of a grid that their areas cover."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from rynek.base.geo import bbox
from rynek.context.model import Instance
from rynek.context.subscriptions.model import Subscription
from rynek.context.subscriptions.plan import Subscriptions

__all__ = ["Area", "Cell", "cells"]

_CELL_DEGREES: Final = 0.05
_MAX_CELLS: Final = 256
Cell = tuple[int, int]


class Area:
    """Those of one GeoProperty."""

    def __init__(self) -> None:
        self._cells: dict[Cell, Subscriptions] = {}

    @property
    def empty(self) -> bool:
        """Whether none is left."""
        return not self._cells

    def apply(
        self,
        where: Iterable[Cell],
        one: Subscription,
        change: Callable[[Subscriptions, Subscription], None],
    ) -> None:
        """Put a subscription into cells, or take it out."""
        for cell in where:
            place = self._cells.setdefault(cell, {})
            change(place, one)
            if not place:
                del self._cells[cell]

    def find_in(self, instance: Instance, _: tuple[str, ...], found: Subscriptions) -> None:
        """Add those whose cells a geometry touches."""
        if instance.kind != "GeoProperty":
            return
        there = _touched(instance.value)
        if there is None:
            there = self._cells
        for cell in there:
            place = self._cells.get(cell)
            if place is not None:
                found.update(place)


def cells(box: tuple[float, float, float, float]) -> list[Cell] | None:
    """The cells of the grid that a box touches; None when they are too many."""
    west, south, east, north = (math.floor(side / _CELL_DEGREES) for side in box)
    if east < west or (east - west + 1) * (north - south + 1) > _MAX_CELLS:
        return None
    return [(x, y) for x in range(west, east + 1) for y in range(south, north + 1)]


def _touched(geometry: Any) -> Iterable[Cell] | None:
    """The cells that a geometry touches: none where it is no geometry; None when too many."""
    try:
        if geometry["type"] == "Point":
            x, y = geometry["coordinates"][:2]
            return ((math.floor(x / _CELL_DEGREES), math.floor(y / _CELL_DEGREES)),)
        return cells(bbox(geometry))
    except (KeyError, TypeError, IndexError, ValueError):
        return ()
