"""Which subscriptions a change could concern: costs by what could match, not by how many there are.

A subscription stands under the ids or the types it selects (or under "any"), below that under each
attribute it watches (or "any"), and below that under one condition that every match must meet: a
comparison of `q`, or the cells of a grid that its area covers. What is found may still not match.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from rynek.base.geo import bbox
from rynek.context.model import Instance
from rynek.context.query import (
    Comparison,
    Key,
    KeyRange,
    comparisons,
    index_keys,
    key_ranges,
)
from rynek.context.query.hints import KEY_CHARACTERS
from rynek.context.store.written import Written
from rynek.context.subscriptions.delta import Delta, delta_of
from rynek.context.subscriptions.known import Known, Subscriptions
from rynek.context.subscriptions.model import Selector, Subscription

__all__ = ["SubscriptionIndex"]

_ANY: Final = ""
_CELL_DEGREES: Final = 0.05
_MAX_CELLS: Final = 256
_Cell = tuple[int, int]


class SubscriptionIndex:
    """Subscriptions by what could concern them."""

    def __init__(self) -> None:
        self._by_id: dict[str, _Watched] = {}
        self._by_type: dict[str, _Watched] = {}
        self._known = Known()
        self.all: Subscriptions = {}

    def __len__(self) -> int:
        return len(self.all)

    def put(self, one: Subscription) -> None:
        """Add a subscription, in the place of the one with its id."""
        self.remove(one.id)
        self.all[one.id] = one
        self._known.forget()
        for table, key in self._places(one):
            table.setdefault(key, _Watched()).put(one)

    def remove(self, subscription_id: str) -> None:
        """Take a subscription out; a no-op when there is none."""
        gone = self.all.pop(subscription_id, None)
        if gone is None:
            return
        self._known.forget()
        for table, key in self._places(gone):
            if table[key].remove(gone):
                del table[key]

    def _places(self, one: Subscription) -> list[tuple[dict[str, _Watched], str]]:
        if not one.selectors:
            return [(self._by_type, _ANY)]
        places = {
            (id(table), key): (table, key)
            for selector in one.selectors
            for table, key in self._selected(selector)
        }
        return list(places.values())

    def _selected(self, selector: Selector) -> Iterator[tuple[dict[str, _Watched], str]]:
        if selector.ids is not None:
            for one in selector.ids:
                yield self._by_id, one
        elif selector.types is None:
            yield self._by_type, _ANY
        else:
            for option in selector.types.alternatives():
                yield self._by_type, min(option) if option else _ANY

    def candidates(self, written: Written) -> tuple[Delta, list[Subscription]] | None:
        """What changed, and whom it could concern; None when it concerns nobody."""
        if not written.there:
            return None
        places = []
        found = self._by_id.get(written.id)
        if found is not None:
            places.append(found)
        for key in (_ANY, *written.types):
            found = self._by_type.get(key)
            if found is not None:
                places.append(found)
        if not places:
            return None
        delta = delta_of(written)
        if delta.empty:
            return None
        subscriptions: Subscriptions = {}
        for place in places:
            place.find(delta, subscriptions, self._known)
        return (delta, list(subscriptions.values())) if subscriptions else None


class _Watched:
    """Subscriptions by the attributes that they watch."""

    def __init__(self) -> None:
        self._by_attr: dict[str, _Conditions] = {}

    def put(self, one: Subscription) -> None:
        for attr in one.watched or (_ANY,):
            self._by_attr.setdefault(attr, _Conditions()).put(one)

    def remove(self, one: Subscription) -> bool:
        """Take one out; whether none is left."""
        for attr in one.watched or (_ANY,):
            if self._by_attr[attr].remove(one):
                del self._by_attr[attr]
        return not self._by_attr

    def find(self, delta: Delta, found: Subscriptions, known: Known) -> None:
        by_attr = self._by_attr
        unwatched = by_attr.get(_ANY)
        if unwatched is not None:
            unwatched.find(delta, found, known)
            if len(by_attr) == 1:
                return
        for attr in delta.names:
            place = by_attr.get(attr)
            if place is not None:
                place.find(delta, found, known)


class _Conditions:
    """Subscriptions by one condition that each match meets."""

    def __init__(self) -> None:
        self._plain: Subscriptions = {}
        self._values: dict[tuple[str, tuple[str, ...]], _Values] = {}
        self._areas: dict[str, dict[_Cell, Subscriptions]] = {}

    def put(self, one: Subscription) -> None:
        self._apply(one, _put)

    def remove(self, one: Subscription) -> bool:
        """Take one out; whether none is left."""
        self._apply(one, _remove)
        return not (self._plain or self._values or self._areas)

    def _apply(
        self, one: Subscription, change: Callable[[Subscriptions, Subscription], None]
    ) -> None:
        condition = _condition(one)
        if condition is None:
            change(self._plain, one)
        elif isinstance(condition, Comparison):
            key = condition.attr, condition.path
            values = self._values.setdefault(key, _Values())
            values.apply(key_ranges(condition), one, change)
            if values.empty:
                del self._values[key]
        else:
            attr, cells = condition
            area = self._areas.setdefault(attr, {})
            for cell in cells:
                place = area.setdefault(cell, {})
                change(place, one)
                if not place:
                    del area[cell]
            if not area:
                del self._areas[attr]

    def find(self, delta: Delta, found: Subscriptions, known: Known) -> None:
        found.update(self._plain)
        for (attr, path), values in self._values.items():
            # Further inside there are times, which are not stored with the rest.
            stored = None if path else delta.stored(attr)
            there = None if stored is None else known.find(values, stored)
            if there is None:
                there = {}
                for instance in delta.instances(attr):
                    values.find_in(instance, path, there)
                if stored is not None:
                    known.note(values, stored, there)
            if there:
                found.update(there)
        for attr, area in self._areas.items():
            stored = delta.stored(attr)
            there = None if stored is None else known.find((self, attr), stored)
            if there is None:
                there = {}
                for instance in delta.instances(attr):
                    if instance.kind == "GeoProperty":
                        _find_cells(area, instance.value, there)
                if stored is not None:
                    known.note((self, attr), stored, there)
            if there:
                found.update(there)


def _put(place: Subscriptions, one: Subscription) -> None:
    place[one.id] = one


def _remove(place: Subscriptions, one: Subscription) -> None:
    place.pop(one.id, None)


def _condition(one: Subscription) -> Comparison | tuple[str, list[_Cell]] | None:
    """The most telling condition: an equality, an area, an order; None without any."""
    query = one.query
    found = comparisons(query.q) if query.q is not None else []
    for comparison in found:
        if all(low == high for low, _, high, _ in key_ranges(comparison)):
            return comparison
    if query.geo is not None:
        box = query.geo.box()
        cells = None if box is None else _cells(box)
        if cells is not None:
            return query.geo.geoproperty, cells
    return found[0] if found else None


def _cells(box: tuple[float, float, float, float]) -> list[_Cell] | None:
    """The cells of the grid that a box touches; None when they are too many."""
    west, south, east, north = (math.floor(side / _CELL_DEGREES) for side in box)
    if east < west or (east - west + 1) * (north - south + 1) > _MAX_CELLS:
        return None
    return [(x, y) for x in range(west, east + 1) for y in range(south, north + 1)]


def _find_cells(area: dict[_Cell, Subscriptions], geometry: Any, found: Subscriptions) -> None:
    try:
        cells: Iterable[_Cell] | None
        if geometry["type"] == "Point":
            x, y = geometry["coordinates"][:2]
            cells = ((math.floor(x / _CELL_DEGREES), math.floor(y / _CELL_DEGREES)),)
        else:
            cells = _cells(bbox(geometry))
    except (KeyError, TypeError, IndexError, ValueError):
        return  # no geometry: it is nowhere
    for cell in area if cells is None else cells:
        there = area.get(cell)
        if there is not None:
            found.update(there)


class _Values:
    """Subscriptions by ranges of one value. Keys of different types are never compared."""

    def __init__(self) -> None:
        self._points: dict[Key, Subscriptions] = {}
        self._ranges: dict[type, _Ranges] = {}
        # Whether texts have to be read as times (whose keys are bytes): it costs more.
        self._times = False

    @property
    def empty(self) -> bool:
        return not (self._points or self._ranges)

    def apply(
        self,
        ranges: list[KeyRange],
        one: Subscription,
        change: Callable[[Subscriptions, Subscription], None],
    ) -> None:
        for low, _, high, _ in ranges:
            self._times = self._times or type(low) is bytes
            if low == high:
                place = self._points.setdefault(low, {})
                change(place, one)
                if not place:
                    del self._points[low]
            else:
                kind = _kind(low)
                found = self._ranges.setdefault(kind, _Ranges())
                found.apply(low, high, one, change)
                if found.empty:
                    del self._ranges[kind]

    def find_in(self, instance: Instance, path: tuple[str, ...], found: Subscriptions) -> None:
        value = instance.value
        if not path and type(value) is str and instance.value_type is None and not self._times:
            self.find(value[:KEY_CHARACTERS], found)  # a text, read as nothing else
            return
        for key in index_keys(instance, path):
            self.find(key, found)

    def find(self, key: Key, found: Subscriptions) -> None:
        there = self._points.get(key)
        if there is not None:
            found.update(there)
        if self._ranges:
            ranges = self._ranges.get(_kind(key))
            if ranges is not None:
                ranges.find(key, found)


def _kind(key: Key) -> type:
    return float if type(key) is int else type(key)


class _Ranges:
    """Ranges of keys of one type. One that is open below is found by its upper end, any other by
    its lower end: half of the ranges are passed over in each search, at the least."""

    def __init__(self) -> None:
        self._lows: list[Any] = []
        self._by_low: dict[Any, Subscriptions] = {}
        self._highs: list[Any] = []
        self._by_high: dict[Any, Subscriptions] = {}
        self._always: Subscriptions = {}

    @property
    def empty(self) -> bool:
        return not (self._by_low or self._by_high or self._always)

    def apply(
        self, low: Any, high: Any, one: Subscription,
        change: Callable[[Subscriptions, Subscription], None],
    ) -> None:  # fmt: skip
        if low not in (float("-inf"), "", b""):
            _apply_sorted(self._lows, self._by_low, low, one, change)
        elif _kind(high) is _kind(low):
            _apply_sorted(self._highs, self._by_high, high, one, change)
        else:
            change(self._always, one)

    def find(self, key: Any, found: Subscriptions) -> None:
        if self._always:
            found.update(self._always)
        end = bisect.bisect_right(self._lows, key)
        if end:
            for low in self._lows[:end]:
                found.update(self._by_low[low])
        begin = bisect.bisect_left(self._highs, key)
        if begin < len(self._highs):
            for high in self._highs[begin:]:
                found.update(self._by_high[high])


def _apply_sorted(
    ends: list[Any],
    by_end: dict[Any, Subscriptions],
    end: Any,
    one: Subscription,
    change: Callable[[Subscriptions, Subscription], None],
) -> None:
    place = by_end.get(end)
    if place is None:
        place = by_end[end] = {}
        bisect.insort(ends, end)
    change(place, one)
    if not place:
        del by_end[end]
        ends.pop(bisect.bisect_left(ends, end))
