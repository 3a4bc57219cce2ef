"""What stands for a missing value, and how wrong it may be (OECD/JRC handbook, step 3)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rynek.indicators.arrays import Array, Flags, Indexes

__all__ = ["impute"]

_LEAST_OF_GROUP: Final = 3


def impute(values: Array, group: Indexes, how: str) -> tuple[Array, Array]:
    """Values (indicators × units) with their gaps filled by `how`, and the standard error of what
    was filled (0 elsewhere): the spread of observed values around what the same rule says of them.
    `available` and `drop` fill nothing."""
    gaps = np.isnan(values)
    errors = np.zeros(values.shape)
    if how in ("available", "drop") or not gaps.any():
        return values, errors
    filled = values.copy()
    for row in np.flatnonzero(gaps.any(axis=1)):
        said = _said(values, int(row), group, how)
        there = ~gaps[row]
        filled[row, gaps[row]] = said[gaps[row]]
        errors[row, gaps[row]] = float(np.std(values[row, there] - said[there]))
    return filled, errors


def _said(values: Array, row: int, group: Indexes, how: str) -> Array:
    """What the rule says of every unit's value of one indicator, known or not."""
    own = values[row]
    there = ~np.isnan(own)
    if how == "mean":
        return np.full(len(own), float(own[there].mean()))
    middle = np.full(len(own), float(np.median(own[there])))
    if how == "group_median":
        for one in np.unique(group):
            known = there & (group == one)
            if known.sum() >= _LEAST_OF_GROUP:
                middle[group == one] = float(np.median(own[known]))
        return middle
    if how == "regression":
        return _regressed(values, row, there)
    return middle


def _regressed(values: Array, row: int, there: Flags) -> Array:
    """Least squares on the other indicators (their own gaps at their mean), within what was seen."""
    others = np.delete(values, row, axis=0)
    centre = np.nanmean(others, axis=1, keepdims=True)
    spread = np.nanstd(others, axis=1, keepdims=True)
    scaled = np.nan_to_num((others - centre) / np.where(spread > 0, spread, 1.0))
    design = np.vstack([np.ones(values.shape[1]), scaled]).T
    own = values[row]
    fit, *_ = np.linalg.lstsq(design[there], own[there], rcond=1e-8)
    found: Array = np.clip(design @ fit, own[there].min(), own[there].max())
    return found
