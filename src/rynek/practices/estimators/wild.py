"""The wild bootstrap of a difference of means of clusters, as a check of its clustered error."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from rynek.practices.arrays import Array
from rynek.practices.estimate import Check
from rynek.practices.saying import say

__all__ = ["wild_bootstrap"]

_DRAWS: Final = 1999


def wild_bootstrap(
    ours: Array, theirs: Array, p_value: float, confidence: float, seed: int
) -> Check:
    """Signs of the residuals of clusters drawn anew (Rademacher) with no effect imposed: how often
    is the statistic as large? (Cameron, Gelbach & Miller 2008.) Passed where it judges at
    `confidence` as the clustered error's `p_value` does."""
    every = np.concatenate([ours, theirs])
    rest = every - every.mean()
    many = len(ours)
    statistic = _statistic(rest[None], many)[0]
    signs = _signs(len(rest), seed)
    drawn = np.abs(_statistic(rest * signs, many))
    # What is equal up to rounding is equal: the signs that were, and all turned round.
    found = float((1 + (drawn >= abs(statistic) * (1 - 1e-9)).sum()) / (len(signs) + 1))
    alpha = 1 - confidence
    same = (found <= alpha) == (p_value <= alpha)
    return Check(
        "wild bootstrap",
        "passed" if same else "failed",
        say("wild-p", p=found, clustered=p_value),
        {"p_value": found, "draws": len(signs)},
    )


def _signs(clusters: int, seed: int) -> Array:
    """Draws × clusters; each way once where these are fewer than the draws."""
    if clusters <= math.log2(_DRAWS):
        bits = np.arange(1, 2**clusters)[:, None] >> np.arange(clusters) & 1
        return np.where(bits == 1, -1.0, 1.0)
    return np.random.default_rng(seed).choice((-1.0, 1.0), size=(_DRAWS, clusters))


def _statistic(values: Array, many: int) -> Array:
    """Difference of the means of the first `many` and the rest, over its error."""
    ours, theirs = values[:, :many], values[:, many:]
    error = np.sqrt(
        ours.var(axis=1, ddof=1) / ours.shape[1] + theirs.var(axis=1, ddof=1) / theirs.shape[1]
    )
    found: Array = (ours.mean(axis=1) - theirs.mean(axis=1)) / np.maximum(error, 1e-300)
    return found
