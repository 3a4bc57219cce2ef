"""Does the set of indicators hang together: correlations, Cronbach's alpha (handbook, step 4)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from rynek.indicators.arrays import Array
from rynek.indicators.index.weights import correlations

__all__ = ["audit", "cronbach_alpha"]

_REDUNDANT: Final = 0.9
_AGAINST: Final = -0.4


def cronbach_alpha(correlation: Array) -> float | None:
    """Cronbach's alpha of standardised indicators, from their correlations; None for one."""
    k = len(correlation)
    if k < 2:
        return None
    mean = float((correlation.sum() - np.trace(correlation)) / (k * (k - 1)))
    below = 1 + (k - 1) * mean
    return k * mean / below if below else None


def audit(names: list[str], values: Array, scores: Array) -> dict[str, Any]:
    """What a reader should know of the set: `values` (indicators × units) are treated and oriented
    so that more is better. Pairs that say nearly the same are counted twice by an index; pairs that
    go against each other cancel out in it."""
    table = correlations(values)
    alpha = cronbach_alpha(table)
    k = len(names)
    pairs = [(i, j, float(table[i, j])) for i in range(k) for j in range(i + 1, k)]
    influence = [_with(values[n], scores) for n in range(k)]
    without = [cronbach_alpha(np.delete(np.delete(table, n, 0), n, 1)) for n in range(k)]
    return {
        "cronbach_alpha": _rounded(alpha),
        "reliability": _reliability(alpha),
        "alpha_without": {name: _rounded(x) for name, x in zip(names, without, strict=True)},
        "correlations": {
            name: {other: _rounded(float(table[i, j])) for j, other in enumerate(names)}
            for i, name in enumerate(names)
        },
        "redundant_pairs": [
            {"indicators": [names[i], names[j]], "correlation": _rounded(r)}
            for i, j, r in pairs
            if abs(r) >= _REDUNDANT
        ],
        "opposed_pairs": [
            {"indicators": [names[i], names[j]], "correlation": _rounded(r)}
            for i, j, r in pairs
            if r <= _AGAINST
        ],
        "correlation_with_index": {
            name: _rounded(x) for name, x in zip(names, influence, strict=True)
        },
    }


def _reliability(alpha: float | None) -> str:
    if alpha is None:
        return "one indicator: nothing to compare"
    if alpha >= 0.7:
        return "the indicators measure one thing well enough (alpha from 0.7 on; Nunnally 1978)"
    return (
        "the indicators measure several things: the index is a sum of them, not one quality"
        " (alpha below 0.7; Nunnally 1978)"
    )


def _with(values: Array, scores: Array) -> float | None:
    there = ~np.isnan(values)
    if there.sum() < 3 or np.std(values[there]) == 0 or np.std(scores[there]) == 0:
        return None
    return float(np.corrcoef(values[there], scores[there])[0, 1])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
