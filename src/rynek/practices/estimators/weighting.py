"""Donors' weights for given weights of predictors, and how the outcome's misfit follows these.

Weights of donors in use follow from one small linear system. While the same donors stay in use that
system is all that is solved, so that a search over predictors' weights costs little. Where a mixture
meets all predictors that count, many do: the one that meets the outcome best is taken.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from rynek.practices.arrays import Array, Indexes
from rynek.practices.simplex import least_distance, simplex_quadratic

__all__ = ["Weighting"]

_MET: Final = 1e-18
_COUNTS: Final = 1e-12
_FIRMLY: Final = 1e5
_TOLERANCE: Final = 1e-10


class Weighting:
    """Of one treated unit: what each candidate misses of its predictors, `gaps` (predictors ×
    candidates), and of its outcome, `missed` (periods × candidates)."""

    def __init__(self, gaps: Array, missed: Array) -> None:
        """Nothing is in use yet."""
        from scipy.linalg.lapack import dpotrf, dpotrs

        self._gaps = gaps
        self._both = np.vstack([gaps, missed])
        self._factored, self._solved = dpotrf, dpotrs
        self._ones = np.ones(gaps.shape[1])
        self._used: Indexes | None = None
        self._some = self._both

    def forget(self) -> None:
        """Start without any donor in use, so that a search does not depend on the one before."""
        self._used = None

    def weights(self, shares: Array) -> Array:
        """Of donors, for predictors' `shares`."""
        self.forget()
        found, _, _, _ = self._solve(shares)
        weights = np.zeros(self._gaps.shape[1])
        weights[self._used] = found
        return weights

    def misfit(self, shares: Array) -> tuple[float, Array]:
        """The mean square of what is missed of the outcome, and its slopes by `shares`. Both are
        as they would be for shares of the same proportions; slopes are 0 where none is known."""
        if not 0 < float(shares.max()) < math.inf:
            return math.inf, np.zeros(len(shares))
        _, rest, factor, ones = self._solve(shares)
        many = len(shares)
        periods = len(rest) - many
        missed = rest[many:]
        value = float(missed @ missed) / periods
        if factor is None:
            return value, np.zeros(many)
        turned, _ = self._solved(factor, missed @ self._some[many:], lower=1)
        some = self._ones[: len(ones)]
        turned -= ones * (float(turned @ some) / float(ones @ some))
        return value, (-2 / periods) * (self._some[:many] @ turned) * rest[:many]

    def _solve(self, shares: Array) -> tuple[Array, Array, Any, Array]:
        """Weights of those in use, what these miss of predictors and outcome, the factor of their
        products (None where weights do not follow from it), and its solution for ones."""
        if self._used is not None:
            kept = self._kept(shares)
            if kept is not None:
                return kept
        found = self._afresh(shares)
        rest = self._some @ found
        factor, ones, size = self._factor(shares)
        many = len(shares)
        if float((shares * rest[:many]) @ rest[:many]) <= _MET * size:
            found = self._met(shares)
            return found, self._some @ found, None, ones
        return found, rest, factor if len(found) > 1 else None, ones

    def _kept(self, shares: Array) -> tuple[Array, Array, Any, Array] | None:
        """The same with the donors that were in use; None where others are."""
        factor, ones, size = self._factor(shares)
        if factor is None or not float(ones.min()) > 0:
            return None
        found = ones / float(ones @ self._ones[: len(ones)])
        rest = self._some @ found
        ours = rest[: len(shares)]
        weighed = shares * ours
        level = float(weighed @ ours)
        if level <= _MET * size or float((weighed @ self._gaps).min()) < level - _TOLERANCE * (
            level + size
        ):
            return None
        return found, rest, factor if len(found) > 1 else None, ones

    def _factor(self, shares: Array) -> tuple[Any, Array, float]:
        """Of products with as much added to all, which moves no weights that add up to one."""
        some = self._some[: len(shares)]
        products = some.T @ (some * shares[:, None])
        size = float(products.trace()) / len(products)
        factor, failed = self._factored(products + size, lower=1, overwrite_a=1)
        ones = self._ones[: len(products)]
        if failed:
            return None, ones, size
        return factor, self._solved(factor, ones, lower=1)[0], size

    def _afresh(self, shares: Array) -> Array:
        scaled = self._gaps * np.sqrt(shares)[:, None]
        found = least_distance(scaled)
        if found is None:
            found = simplex_quadratic(scaled.T @ scaled, np.zeros(scaled.shape[1]))
        return self._use(found)

    def _met(self, shares: Array) -> Array:
        """Of the mixtures that meet every predictor that counts, the one for the outcome."""
        counts = shares > _COUNTS * float(shares.max())
        missed = self._both[len(shares) :]
        firm = _FIRMLY * (float(np.abs(missed).max()) or 1.0)
        found = least_distance(np.vstack([firm * self._gaps[counts], missed]))
        if found is None:
            return self._afresh(shares)
        return self._use(found)

    def _use(self, weights: Array) -> Array:
        self._used = weights.nonzero()[0]
        self._some = self._both[:, self._used]
        return weights[self._used]
