"""The Kalman filter of a local level with autoregressive errors, for many parameters side by side.

y_t = x_t'β + μ_t + u_t, μ_t+1 = μ_t + η_t, u_t+1 = ρ·u_t + ξ_t (Durbin & Koopman 2012, ch. 3 and 4).
It runs over the outcome and each column of x, so that β follows from one small linear system and is
integrated out. All variances are in units of the errors' own, which then is a factor that can be
summed out without another run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.practices.arrays import Array

__all__ = ["Cells", "Filter"]

_START: Final = 10.0
_SLOPE_WORTH: Final = 0.01
_CHUNK: Final = 64


@dataclass(frozen=True)
class Cells:
    """What is known after some periods, for each pair of parameters: `ratio` (the level's standard
    deviation by the errors') and `hangs` (ρ). `likelihood` is without the factors of the errors'
    variance s², which are s^−count · exp(−squares / 2s²); `slopes` and `covariance` are those of β;
    `state` (level, error; each as a function of β) and `variance` (of level and of error, and
    their covariance) belong to the period that comes next."""

    ratio: Array
    hangs: Array
    likelihood: Array
    squares: Array
    count: int
    slopes: Array
    covariance: Array
    state: Array
    variance: tuple[Array, Array, Array]

    def only(self, keep: np.ndarray) -> Cells:
        """Some of them."""
        level, error, both = self.variance
        return Cells(
            self.ratio[keep],
            self.hangs[keep],
            self.likelihood[keep],
            self.squares[keep],
            self.count,
            self.slopes[keep],
            self.covariance[keep],
            self.state[keep],
            (level[keep], error[keep], both[keep]),
        )

    def mean_ahead(self, columns: Array, steps: Array) -> tuple[Array, Array]:
        """Centre and variance (in units of s²) of the mean over the periods that come `steps`
        after the next, with the regressors `columns` (periods × columns) there."""
        many = len(steps)
        # The mean of a random walk at these steps: Σᵢⱼ min(i, j) / n².
        walk = float(np.minimum.outer(steps, steps).sum()) / many**2
        powers = _power(self.hangs[:, None], steps[None, :]).mean(axis=1)
        apart = np.abs(np.subtract.outer(steps, steps))
        distances, place = np.unique(apart, return_inverse=True)
        often = np.bincount(place.ravel())
        together = _power(self.hangs[:, None], distances[None, :]) @ often / many**2
        level, error, both = self.variance
        weight = (
            columns.mean(axis=0) - self.state[:, 0, 1:] - powers[:, None] * self.state[:, 1, 1:]
        )
        centres = self.state[:, 0, 0] + powers * self.state[:, 1, 0]
        centres = centres + np.einsum("ci,ci->c", weight, self.slopes)
        variance = np.einsum("ci,cij,cj->c", weight, self.covariance, weight)
        variance = variance + level + powers**2 * error + 2 * powers * both
        variance = variance + self.ratio**2 * walk + together - powers**2
        return centres, np.maximum(variance, 1e-12)


def _power(base: Array, exponents: Array) -> Array:
    """Whole powers of what may be negative."""
    found: Array = np.power(base, np.round(exponents))
    return found


class Filter:
    """Takes rows (outcome and regressors; the outcome NaN where nothing was seen) as they come."""

    def __init__(self, ratio: Array, hangs: Array, columns: Array) -> None:
        """For pairs of parameters, each (cells); `columns` are the regressors that β's prior is
        worth a hundredth of one observation of."""
        count, width = len(ratio), columns.shape[1]
        self._ratio, self._hangs = ratio, hangs
        squares = columns.T @ columns / max(len(columns), 1)
        self._prior = _SLOPE_WORTH * (squares + np.diag(np.diag(squares))) / 2
        self._state = np.zeros((count, 2, 1 + width))
        self._level, self._error = np.full(count, _START), np.ones(count)
        self._both = np.zeros(count)
        self._products = np.zeros((count, 1 + width, 1 + width))
        self._logs = np.zeros(count)
        self._count = 0

    def advance(self, rows: Array) -> None:
        """The next periods."""
        for start in range(0, len(rows), _CHUNK):
            self._advance(rows[start : start + _CHUNK])

    def _advance(self, rows: Array) -> None:
        surprises = []
        hangs, drift, fresh = self._hangs, self._ratio**2, 1 - self._hangs**2
        level, error, both = self._level, self._error, self._both
        for row in rows:
            if not math.isnan(row[0]):
                total = level + error + 2 * both
                gain_level, gain_error = (level + both) / total, (error + both) / total
                surprise = row - self._state[:, 0] - self._state[:, 1]
                surprises.append(surprise / np.sqrt(total)[:, None])
                self._state[:, 0] += gain_level[:, None] * surprise
                self._state[:, 1] += gain_error[:, None] * surprise
                self._logs += np.log(total)
                self._count += 1
                both = both - gain_level * gain_error * total
                level = level - gain_level**2 * total
                error = error - gain_error**2 * total
            self._state[:, 1] *= hangs[:, None]
            level, error, both = level + drift, error * hangs**2 + fresh, both * hangs
        self._level, self._error, self._both = level, error, both
        if surprises:
            scaled = np.stack(surprises, axis=1)
            self._products += scaled.transpose(0, 2, 1) @ scaled

    def state(self) -> tuple[float, float]:
        """Level and error of the next period, of the first pair and without regressors."""
        return float(self._state[0, 0, 0]), float(self._state[0, 1, 0])

    def cells(self) -> Cells:
        """What is known now."""
        products, prior = self._products, self._prior
        crossed = products[:, 1:, 0]
        precision = prior + products[:, 1:, 1:]
        covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        slopes = np.einsum("cij,cj->ci", covariance, crossed)
        squares = products[:, 0, 0] - np.einsum("ci,ci->c", crossed, slopes)
        determinants = np.linalg.slogdet(precision)[1] - np.linalg.slogdet(prior)[1]
        return Cells(
            self._ratio,
            self._hangs,
            -(self._logs + determinants) / 2,
            np.maximum(squares, 1e-12),
            self._count,
            slopes,
            covariance,
            self._state.copy(),
            (self._level, self._error, self._both),
        )
