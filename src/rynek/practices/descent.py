"""A search downhill for functions with slopes that may have kinks.

BFGS with a line search that asks for less than the usual one (weak Wolfe conditions), which goes on
where a search for smooth functions stops (Lewis & Overton 2013). For a handful of numbers, where a
general library's own time would be most of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from rynek.practices.arrays import Array

__all__ = ["End", "descend"]

_ENOUGH: Final = 1e-4
_CURVED: Final = 0.9
_TRIES: Final = 20
_FIRST: Final = 0.1

Sloped = Callable[[Array], tuple[float, Array]]


class End(NamedTuple):
    """Where a search ended: the smallest value, its place and the slopes there."""

    value: float
    place: Array
    slopes: Array


def descend(function: Sloped, start: Array, rounds: int, gain: float, patience: int = 2) -> End:
    """From `start` down; ends after `rounds`, or once `patience` rounds in a row gained less than
    the share `gain` of the value. `function` gives the value at a place and its slopes."""
    now = End(*_at(function, start))
    inverse: Array | None = None
    idle = 0
    for _ in range(rounds):
        way = -now.slopes if inverse is None else -(inverse @ now.slopes)
        found = _line(function, now, way, first=inverse is None)
        if found is None:
            if inverse is None:
                break
            inverse = None
            continue
        inverse = _curvature(inverse, found.place - now.place, found.slopes - now.slopes)
        idle = idle + 1 if now.value - found.value <= gain * now.value else 0
        now = found
        if idle >= patience:
            break
    return now


def _at(function: Sloped, place: Array) -> tuple[float, Array, Array]:
    value, slopes = function(place)
    return value, place, slopes


def _line(function: Sloped, now: End, way: Array, *, first: bool) -> End | None:
    """A lower place along a way; None where there is none."""
    slope = float(now.slopes @ way)
    if not slope < 0:
        return None
    step = min(1.0, _FIRST / math.sqrt(float(way @ way))) if first else 1.0
    low, high = 0.0, math.inf
    found: End | None = None
    for _ in range(_TRIES):
        place = now.place + step * way
        value, slopes = function(place)
        if not value <= now.value + _ENOUGH * step * slope:
            high = step
        else:
            found = End(value, place, slopes)
            if float(slopes @ way) >= _CURVED * slope:
                break
            low = step
        step = (low + high) / 2 if high < math.inf else 2 * low
    return found


def _curvature(inverse: Array | None, step: Array, change: Array) -> Array | None:
    """The inverse of the matrix of second slopes, brought up to date."""
    along = float(step @ change)
    if not along > 0:
        return inverse
    if inverse is None:
        inverse = np.eye(len(step)) * (along / float(change @ change))
    turned = inverse @ change
    half = ((along + float(change @ turned)) / (2 * along * along)) * step - turned / along
    part = half[:, None] * step
    found: Array = inverse + part + part.T
    return found
