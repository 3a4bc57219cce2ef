"""Regions as populations of cities: parametric empirical Bayes (Morris 1983, JASA 78:47-55).

A region's mean of few cities says less than one of many, so it is drawn towards the mean of all
regions, the more the fewer its cities and the less regions differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.indicators.arrays import Array, Indexes

__all__ = ["Shrunk", "region_means", "shrink"]

_ROUNDS: Final = 50
_LEAST: Final = 4


@dataclass(frozen=True)
class Shrunk:
    """For each row of means: what regions come to (`mean`), the variance left (`variance`), and the
    share by which each was drawn in (`factor`, 0 not at all, 1 wholly)."""

    mean: Array
    variance: Array
    factor: Array


def region_means(scores: Array, group: Indexes, many: int, weight: Array) -> tuple[Array, Array]:
    """Means of `many` groups over their units' `scores`, and the variances of these means if units
    are draws from a population of such units: one spread within groups, pooled, over the effective
    number of units. Groups without units are NaN."""
    total = np.bincount(group, weight, many)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.bincount(group, weight * scores, many) / total
        size = total**2 / np.bincount(group, weight**2, many)
    left = scores - means[group]
    freedom = len(scores) - int((total > 0).sum())
    pooled = float((left**2).sum()) / freedom if freedom > 0 else 0.0
    return means, pooled / size


def shrink(means: Array, variances: Array) -> Shrunk:
    """Shrink (rows × regions) of means with their known variances towards the mean of each row.

    With equal variances this is the James-Stein estimator with k − 3 (Efron and Morris 1975). Fewer
    than four regions are left as they are: there is nothing to learn their spread from.
    """
    k = means.shape[-1]
    if k < _LEAST:
        return Shrunk(means, variances, np.zeros(means.shape))
    between = np.zeros((*means.shape[:-1], 1))
    spread = np.maximum(variances, 1e-300)
    for _ in range(_ROUNDS):
        w = 1 / (spread + between)
        centre = (w * means).sum(axis=-1, keepdims=True) / w.sum(axis=-1, keepdims=True)
        square = k / (k - 1) * (means - centre) ** 2 - spread
        found = np.maximum((w * square).sum(axis=-1, keepdims=True), 0) / w.sum(
            axis=-1, keepdims=True
        )
        done = np.allclose(found, between, rtol=1e-10, atol=0)
        between = found
        if done:
            break
    w = 1 / (spread + between)
    centre = (w * means).sum(axis=-1, keepdims=True) / w.sum(axis=-1, keepdims=True)
    factor = (k - 3) / (k - 1) * spread * w
    average = (w * spread).sum(axis=-1, keepdims=True) / w.sum(axis=-1, keepdims=True)
    doubt = 2 / (k - 3) * factor**2 * (average + between) * w
    variance = spread * (1 - (k - 1) / k * factor) + doubt * (means - centre) ** 2
    return Shrunk((1 - factor) * means + factor * centre, variance, factor)
