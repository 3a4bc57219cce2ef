"""Indicators on one scale, higher is better (OECD/JRC handbook, step 5, table 15)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rynek.indicators.arrays import Floats
from rynek.indicators.index.ranks import positions

__all__ = ["CATEGORIES", "normalise", "positive"]

CATEGORIES: Final = ((0.05, 20), (0.15, 40), (0.35, 50), (0.65, 60), (0.85, 80), (0.95, 100))
"""Points of the categorical scale from a percentile rank on; below the first there are none."""
_FLOOR: Final = 0.01


def normalise(values: Floats, how: str, goals: Floats | None = None) -> Floats:
    """Values (indicators × units), each row oriented so that more is better, on the scale `how`.

    minmax: 0 to 1. zscore: standard deviations (n − 1) from the mean. rank: 0 to 1 by rank.
    percentile: share of units that are not better, by rank, as in the handbook. categorical: points
    of its bands, over 100. target: 1 at `goals` (NaN: the best), falling by the distance as a share
    of the goal. NaN stays NaN. A row whose values are all the same (an error that was drawn can do
    that) parts nobody: the same value for all, the middle of the scale.
    """
    if how == "minmax":
        low = np.fmin.reduce(values, axis=1, keepdims=True)
        wide = np.fmax.reduce(values, axis=1, keepdims=True) - low
        return _same(np.asarray((values - low) / _some(wide)), wide, 0.5)
    if how == "zscore":
        gaps = bool(np.isnan(values).any())
        mean, deviation = (np.nanmean, np.nanstd) if gaps else (np.mean, np.std)
        low = np.fmin.reduce(values, axis=1, keepdims=True)
        wide = np.fmax.reduce(values, axis=1, keepdims=True) - low
        centred = values - mean(values, axis=1, keepdims=True)
        spread = deviation(values, axis=1, keepdims=True, ddof=1)
        return _same(np.asarray(centred / _some(spread)), wide, 0.0)
    if how == "target":
        best = np.fmax.reduce(values, axis=1, keepdims=True)
        at = best if goals is None else np.where(np.isnan(goals), best, goals)
        return 1 + (values - at) / _some(np.abs(at))
    ranked, many = _ranked(values)
    if how == "rank":
        return (ranked - 1) / (many - 1)
    share = ranked / many
    if how == "percentile":
        return share
    points = np.zeros_like(share)
    for least, value in CATEGORIES:
        points[share >= least] = value / 100
    points[np.isnan(share)] = np.nan
    return points


def _some(divisor: Floats) -> Floats:
    """The divisor, 1 where there is none."""
    return np.where(divisor > 0, divisor, np.asarray(1, dtype=divisor.dtype))


def _same(scaled: Floats, wide: Floats, middle: float) -> Floats:
    """`scaled` with rows that are constant (`wide` 0) at the middle; gaps stay."""
    still = np.flatnonzero(wide[:, 0] == 0)
    if len(still):
        rows = scaled[still]
        scaled[still] = np.where(np.isnan(rows), rows, np.asarray(middle, dtype=rows.dtype))
    return scaled


def _ranked(values: Floats) -> tuple[Floats, Floats]:
    """Ranks along each row and how many values it has; a gap sorts last and stays a gap."""
    gaps = np.isnan(values)
    ranked = positions(values, lowest=True)
    if not gaps.any():
        return ranked, np.full((len(values), 1), values.shape[1], dtype=values.dtype)
    ranked[gaps] = np.nan
    return ranked, (~gaps).sum(axis=1, keepdims=True).astype(values.dtype)


def positive(values: Floats, how: str) -> Floats:
    """Normalised values as the geometric mean needs them, above 0: z-scores around 1 with a
    standard deviation of 0.1 (as 100 ± 10), others from 0.01 on, so that a last place costs much
    and not all."""
    shifted = 1 + values / 10 if how == "zscore" else _FLOOR + (1 - _FLOOR) * values
    return np.maximum(shifted, np.asarray(_FLOOR, dtype=values.dtype))
