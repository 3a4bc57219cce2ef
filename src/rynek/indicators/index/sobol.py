"""Sensitivity analysis: Sobol's first-order and total indices, for thousands of outputs at once.

SALib (MIT) computes the same for one output a call, with matplotlib and pandas behind it; 1,500
ranks with resampled intervals take it minutes. The estimators are the same, tests compare them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rynek.indicators.arrays import Array, Floats

__all__ = ["Indices", "design", "indices"]


@dataclass(frozen=True)
class Indices:
    """First-order and total indices (factors × outputs), and half the width of their intervals at
    95 %; NaN where an output does not vary."""

    first: Array
    total: Array
    first_half: Array
    total_half: Array


def design(samples: int, factors: int, seed: int) -> tuple[Array, Array]:
    """Two matrices A and B (samples × factors) in the unit cube, from one scrambled Sobol sequence
    (Owen 1998; `samples` a power of two)."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(2 * factors, scramble=True, rng=np.random.default_rng(seed))
    points = sequence.random_base2(samples.bit_length() - 1)
    return points[:, :factors], points[:, factors:]


def indices(
    a: Floats, b: Floats, mixed: Callable[[int], Floats], factors: int, resamples: int, seed: int
) -> Indices:
    """Indices from outputs (samples × outputs) at A, at B, and at `mixed(i)`: A with factor i from
    B. First order by Saltelli et al. (2010, table 2 b), total by Jansen (1999); intervals by
    drawing rows again."""
    samples = len(a)
    centre = np.concatenate([a, b]).mean(axis=0, dtype=np.float64)
    a, b = a - centre, b - centre
    counts = np.random.default_rng(seed).multinomial(
        samples, np.full(samples, 1 / samples), size=resamples
    )
    rows = np.vstack([np.ones(samples), counts]) / samples
    mean = (rows @ a + rows @ b) / 2
    variance = (rows @ a**2 + rows @ b**2) / 2 - mean**2
    # What differs by rounding alone does not vary.
    floor = 1e-12 * np.maximum(centre**2, 1e-12)
    variance[:, variance[0] <= floor] = np.nan
    variance[variance <= 0] = np.nan
    found: list[Array] = []
    for n in range(factors):
        c = mixed(n) - centre
        found.append(rows @ (b * (c - a)) / variance)
        found.append(rows @ ((a - c) ** 2) / (2 * variance))
    first, total = np.array(found[::2]), np.array(found[1::2])
    return Indices(
        first=first[:, 0],
        total=total[:, 0],
        first_half=1.96 * first[:, 1:].std(axis=1, ddof=1),
        total_half=1.96 * total[:, 1:].std(axis=1, ddof=1),
    )
