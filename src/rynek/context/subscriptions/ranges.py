"""Subscriptions by ranges of a value: which of them one value meets."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Any, Final

from rynek.context.model import Instance
from rynek.context.query import Key, KeyRange, index_keys
from rynek.context.query.hints import KEY_CHARACTERS
from rynek.context.subscriptions.model import Subscription
from rynek.context.subscriptions.plan import Subscriptions

__all__ = ["Values"]

# Below that an integer is the same number as a float.
_EXACT: Final = 1 << 53


class Values:
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
        if not path and instance.value_type is None:
            kind = type(value)
            if kind is float or (kind is int and -_EXACT < value < _EXACT):
                if self._points:
                    there = self._points.get(value)
                    if there is not None:
                        found.update(there)
                ranges = self._ranges.get(float)
                if ranges is not None:
                    ranges.find(value, found)
                return
            if kind is str and not self._times:
                self.find(value[:KEY_CHARACTERS], found)  # a text, read as nothing else
                return
        for key in index_keys(instance, path):
            self.find(key, found)

    def find(self, key: Key, found: Subscriptions) -> None:
        if self._points:
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
        lows, highs = self._lows, self._highs
        if lows and lows[0] <= key:
            for low in lows[: bisect.bisect_right(lows, key)]:
                found.update(self._by_low[low])
        if highs and highs[-1] >= key:
            for high in highs[bisect.bisect_left(highs, key) :]:
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
