"""Types of numeric arrays, and small arithmetic that knows missing values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Indexes", "bridged", "mean_of", "same_record", "spread"]

_FEWEST_ALIKE = 5
# Of a range: conversions are rounded.
_ALIKE = 1e-4

Array = NDArray[np.float64]
Indexes = NDArray[np.intp]


def mean_of(values: Array, axis: int) -> Array:
    """Means over `axis` of what is there; NaN where nothing is."""
    there = ~np.isnan(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    with np.errstate(invalid="ignore"):
        found: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def bridged(values: Array) -> Array:
    """A series with its gaps filled between their neighbours in a line, ends as the nearest; as it
    is where nothing is there."""
    gaps = np.isnan(values)
    if not gaps.any() or gaps.all():
        return values
    filled = values.copy()
    places = np.arange(len(values))
    filled[gaps] = np.interp(places[gaps], places[~gaps], values[~gaps])
    return filled


def same_record(one: Array, other: Array) -> bool:
    """Whether a series says what another does, on its scale or on another: not where it is still."""
    if float(np.ptp(one)) == 0 or float(np.ptp(other)) == 0:
        return False
    scaled = [(part - part.mean()) / np.abs(part - part.mean()).max() for part in (one, other)]
    gap = min(np.abs(scaled[0] - sign * scaled[1]).max() for sign in (1.0, -1.0))
    return len(one) > _FEWEST_ALIKE and float(gap) < _ALIKE


def spread(values: Array) -> float:
    """The standard deviation over the values themselves (no degrees of freedom taken off), as
    placebo standard errors are defined (Arkhangelsky et al. 2021, algorithm 4)."""
    return float(np.std(values))
