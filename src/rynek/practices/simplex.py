"""Least squares with weights that are not negative and add up to one, solved exactly.

Where there are few rows for each candidate it is a problem without the sum: with b the target, the
mixture nearest to it is the point of least norm among those of A − b, which Lawson & Hanson's solver
for weights that are not negative finds once a row of ones is put below (1974, ch. 23: least distance
programming).

Else an active-set method over the matrix of products: weights that are in use come from one small linear system, one more enters
while that improves the fit, and those that would turn negative leave. It ends at the optimum up to
rounding, unlike gradient methods that stop early. It starts from what is left when negative weights
are dropped all at once, which mostly is the answer.
"""

from __future__ import annotations

import math

import numpy as np

from rynek.practices.arrays import Array

__all__ = ["least_distance", "simplex_least_squares", "simplex_quadratic"]

_TOLERANCE = 1e-10
_TINY = 1e-13
_DROPS = 12
# With more rows for each candidate than this, products of candidates are cheaper in large tables.
_TALL = 4
_SMALL = 20_000


def simplex_least_squares(
    columns: Array, target: Array, ridge: float = 0.0, near: Array | None = None
) -> Array:
    """The weights w that minimise |columns·w − target|² + ridge·|w|², w ≥ 0, Σw = 1.

    `columns` is (rows × candidates), `target` (rows).
    """
    few = columns.size <= _SMALL or columns.shape[0] <= _TALL * columns.shape[1]
    if few and not ridge and near is None:
        found = least_distance(columns - target[:, None])
        if found is not None:
            return found
    linear = columns.T @ target
    gram = columns.T @ columns
    if ridge:
        gram = gram + ridge * np.eye(len(gram))
    if near is None and (ridge or columns.shape[0] > columns.shape[1]):
        near = _dropped(gram, linear)
    return _solve(gram, linear, near)


def simplex_quadratic(
    gram: Array, linear: Array, near: Array | None = None, *, definite: bool = False
) -> Array:
    """The weights w that minimise w'·gram·w − 2·linear'·w, w ≥ 0, Σw = 1. Those of a problem
    like it (`near`) make it quicker, and to know that `gram` is positive definite."""
    if near is None and definite:
        near = _dropped(gram, linear)
    return _solve(gram, linear, near)


def least_distance(gaps: Array) -> Array | None:
    """The weights w that minimise |gaps·w|², w ≥ 0, Σw = 1, of `gaps` (rows × candidates) between
    candidates and their target; None where the solver does not end."""
    from scipy.optimize import nnls

    rows, many = gaps.shape
    # As large as the others, so that neither is lost in rounding.
    size = math.sqrt(float(np.vdot(gaps, gaps)) / (rows * many)) or 1.0
    system = np.empty((rows + 1, many))
    system[:rows] = gaps
    system[rows] = size
    right = np.zeros(rows + 1)
    right[rows] = size
    try:
        found, _ = nnls(system, right)
    except RuntimeError:
        return None
    total = float(found.sum())
    if not 0 < total < math.inf:
        return None
    weights: Array = found / total
    return weights


def _dropped(gram: Array, linear: Array) -> Array | None:
    """A start: the optimum without bounds, again without those that it makes negative."""
    used = list(range(len(linear)))
    for _ in range(_DROPS):
        found = _equality(gram[used][:, used], linear[used])
        kept = [one for one, weight in zip(used, found, strict=True) if weight > 0]
        if len(kept) in {0, len(used)}:
            break
        used = kept
    weights = np.zeros(len(linear))
    weights[used] = 1.0 / len(used)
    return weights


def _solve(gram: Array, linear: Array, near: Array | None) -> Array:
    count = len(linear)
    weights = np.zeros(count)
    if near is None:
        used = [int(np.argmin(np.diag(gram) - 2 * linear))]
    else:
        used = near.nonzero()[0].tolist()
    weights[used] = 1.0 / len(used)
    # Of what the values are like: outcomes may be in any unit.
    limit = -_TOLERANCE * max(float(np.abs(linear).max()), float(np.diag(gram).max()))
    for _ in range(50 * count):
        used = _settle(gram, linear, weights, used)
        slope = gram @ weights - linear
        # Equal for all in use, up to rounding: the multiplier of Σw = 1.
        level = float(slope[used[0]])
        slope[used] = level
        enters = int(slope.argmin())
        if slope[enters] - level >= limit:
            break
        used.append(enters)
    return weights


def _settle(gram: Array, linear: Array, weights: Array, used: list[int]) -> list[int]:
    """Move to the optimum over the weights in use; those that would turn negative leave."""
    while True:
        wanted = _equality(gram[used][:, used], linear[used])
        if wanted.min() > 0 or len(used) == 1:
            weights[:] = 0.0
            weights[used] = wanted
            return used
        now = weights[used]
        falling = wanted <= 0
        step = float(np.min(now[falling] / np.maximum(now[falling] - wanted[falling], 1e-300)))
        moved = now + min(step, 1.0) * (wanted - now)
        stays = ~(falling & (moved <= _TINY))
        if stays.all():
            stays[int(np.argmin(moved))] = False
        weights[:] = 0.0
        used = [one for one, kept in zip(used, stays, strict=True) if kept]
        weights[used] = np.maximum(moved[stays], 0.0)
        weights /= weights.sum()


def _equality(gram: Array, linear: Array) -> Array:
    """The optimum with Σw = 1 alone."""
    size = len(linear)
    system = np.ones((size + 1, size + 1))
    system[:size, :size] = gram
    system[size, size] = 0.0
    right = np.ones(size + 1)
    right[:size] = linear
    try:
        found = np.asarray(np.linalg.solve(system, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        found = np.asarray(np.linalg.lstsq(system, right, rcond=None)[0], dtype=np.float64)
    weights: Array = found[:size]
    return weights
