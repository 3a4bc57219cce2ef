"""What indicators count (OECD/JRC handbook, step 6)."""

from __future__ import annotations

from typing import Final

import numpy as np

from rynek.indicators.arrays import Array

__all__ = ["concentration", "correlations", "pca_weights", "varimax"]

_ENOUGH_EXPLAINED: Final = 0.6


def correlations(values: Array) -> Array:
    """Pearson correlations of rows (indicators × units), over the units both have."""
    there = ~np.isnan(values)
    k = len(values)
    if there.all() and (values.std(axis=1) > 0).all():
        return np.asarray(np.corrcoef(values)).reshape(k, k)
    found = np.eye(k)
    for i in range(k):
        for j in range(i):
            both = there[i] & there[j]
            pair = values[:, both][[i, j]]
            if both.sum() > 2 and (pair.std(axis=1) > 0).all():
                found[i, j] = found[j, i] = float(np.asarray(np.corrcoef(pair))[0, 1])
    return found


def varimax(loadings: Array, rounds: int = 500) -> Array:
    """Loadings (indicators × factors) rotated so that squares differ as much as can be (Kaiser
    1958, with his normalisation of rows)."""
    length = np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    length[length == 0] = 1
    scaled = loadings / length
    k, m = scaled.shape
    turn = np.eye(m)
    before = 0.0
    for _ in range(rounds):
        turned = scaled @ turn
        gradient = scaled.T @ (turned**3 - turned * (turned**2).sum(axis=0) / k)
        u, s, vt = np.linalg.svd(gradient)
        turn = u @ vt
        if s.sum() < before * (1 + 1e-12):
            break
        before = float(s.sum())
    return np.asarray(scaled @ turn * length)


def pca_weights(correlation: Array, factors: int | None = None) -> Array:
    """Weights that sum to 1 from rotated principal components (Nicoletti et al. 2000): each
    indicator counts by its squared loading on the factor that it loads highest on, each factor by
    the variance it explains. Without `factors` those with an eigenvalue above 1 are kept, and more
    until they explain 60 %."""
    values, vectors = np.linalg.eigh(correlation)
    values, vectors = values[::-1], vectors[:, ::-1]
    if factors is None:
        explained = np.cumsum(values) / values.sum()
        factors = max(int((values > 1).sum()), int((explained < _ENOUGH_EXPLAINED).sum()) + 1)
    factors = min(factors, len(values))
    loadings = vectors[:, :factors] * np.sqrt(np.maximum(values[:factors], 0))
    squares = varimax(loadings) ** 2 if factors > 1 else loadings**2
    variance = squares.sum(axis=0)
    own = squares.argmax(axis=1)
    rows = np.arange(len(squares))
    found = squares[rows, own] / variance[own] * (variance[own] / variance.sum())
    return np.asarray(found / found.sum())


def concentration(many: int, uncertainty: float) -> float:
    """The sum of a Dirichlet's parameters for which a weight of 1 / `many` has `uncertainty` as
    its standard deviation, relative to itself."""
    return (many - 1) / uncertainty**2 - 1
