"""A local level with a regression, its posterior computed on a grid instead of drawn.

y_t = x_t'β + μ_t + ε_t, μ_t+1 = μ_t + η_t (Brodersen et al. 2015). Given the two standard deviations
everything is normal: the Kalman filter over y and every column of x gives the likelihood with β
integrated out, and the forecast. What is left, two numbers, is summed over a grid that is refined
where the posterior lies. So there is no noise of sampling, and the same data give the same answer.

Outcome and regressors are standardised over the fit periods. Priors as in that paper's software:
the level's standard deviation about `level_sd` (worth 32 observations), the noise such that the
regression explains four fifths (worth 50), β worth a hundredth of one observation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.practices.arrays import Array
from rynek.practices.mixture import Mixture

__all__ = ["Learned", "learn"]

_LEVEL_WORTH: Final = 32.0
_NOISE_WORTH: Final = 50.0
_NOISE_VARIANCE: Final = 0.2
_SLOPE_WORTH: Final = 0.01
_STEPS: Final = 33
_ROUNDS: Final = 3


@dataclass(frozen=True)
class Learned:
    """The posterior from the fit periods: cells of the grid with their weights."""

    outcome: Array
    columns: Array
    fit: int
    centre: float
    size: float
    cells: _Cells
    weights: Array

    def mean_over(self, later: Array) -> Mixture:
        """Of the mean over the periods `later`, all after the fit periods."""
        centres, spreads = _predicted(self.cells, self.columns, self.fit, later)
        return Mixture(self.weights, self.centre + self.size * centres, self.size * spreads)

    def path(self) -> Array:
        """Expected of every period: one step ahead while it was seen, from the last level then."""
        found = _path(self.outcome, self.columns, self.cells, self.weights)
        expected: Array = self.centre + self.size * found
        return expected


def learn(
    outcome: Array, regressors: Array, fit: int, level_sd: float, steps: int = _STEPS
) -> Learned:
    """The posterior from the first `fit` values of `outcome` (NaN where nothing was seen) and of
    `regressors` (periods × columns, complete); `steps` squared are the cells of the grid."""
    before = outcome[:fit]
    centre, size = float(np.nanmean(before)), float(np.nanstd(before)) or 1.0
    columns = _standardised(regressors, fit)
    scaled = (before - centre) / size
    log_level = _range(math.log(level_sd), 2.5, steps)
    log_noise = _range(math.log(0.4), 3.0, steps)
    for last in range(_ROUNDS):
        level, noise = (one.ravel() for one in np.meshgrid(log_level, log_noise, indexing="ij"))
        cells = _filter(scaled, columns[:fit], np.exp(level), np.exp(noise))
        density = cells.likelihood + _prior(level, noise, level_sd)
        weights = np.exp(density - density.max())
        weights /= weights.sum()
        if last < _ROUNDS - 1:
            log_level = _around(level, weights, steps)
            log_noise = _around(noise, weights, steps)
    keep = weights > weights.max() * 1e-9
    kept = weights[keep] / weights[keep].sum()
    return Learned(scaled, columns, fit, centre, size, cells.only(keep), kept)


def _standardised(regressors: Array, fit: int) -> Array:
    before = regressors[:fit]
    spread = before.std(axis=0)
    found: Array = (regressors - before.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return found


def _range(middle: float, reach: float, steps: int) -> Array:
    return np.linspace(middle - reach, middle + reach, steps)


def _around(values: Array, weights: Array, steps: int) -> Array:
    """A narrower range about where the weight lies."""
    mean = float(weights @ values)
    spread = math.sqrt(max(float(weights @ (values - mean) ** 2), 1e-6))
    return _range(mean, 5 * spread, steps)


def _prior(level: Array, noise: Array, level_sd: float) -> Array:
    """Log density of both in logarithms: inverse gamma distributions of the variances."""
    found: Array = (
        -_LEVEL_WORTH * level
        - _LEVEL_WORTH * level_sd**2 / 2 * np.exp(-2 * level)
        - _NOISE_WORTH * noise
        - _NOISE_WORTH * _NOISE_VARIANCE / 2 * np.exp(-2 * noise)
    )
    return found


@dataclass(frozen=True)
class _Cells:
    """One filter a cell of the grid: log likelihood, posterior of β (mean, covariance), the level
    at the end as a function of β, its variance, and the two standard deviations."""

    likelihood: Array
    slopes: Array
    covariance: Array
    end: Array
    end_variance: Array
    level: Array
    noise: Array

    def only(self, keep: np.ndarray) -> _Cells:
        """Some cells."""
        return _Cells(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


def _filter(outcome: Array, columns: Array, level: Array, noise: Array) -> _Cells:
    """The Kalman filter of every cell side by side, over the outcome and each regressor."""
    count, width = len(level), columns.shape[1]
    state = np.zeros((count, 1 + width))
    variance = np.ones(count)
    products = np.zeros((count, 1 + width, 1 + width))
    logs = np.zeros(count)
    drift, error = level**2, noise**2
    rows = np.column_stack([outcome, columns])
    for row in rows:
        if not math.isnan(row[0]):
            total = variance + error
            surprise = row - state
            products += (surprise[:, :, None] * surprise[:, None, :]) / total[:, None, None]
            logs += np.log(total)
            gain = variance / total
            state += gain[:, None] * surprise
            variance = variance * (1 - gain)
        variance = variance + drift
    return _cells(columns, products, logs, state, variance, level, noise)


def _cells(
    columns: Array,
    products: Array,
    logs: Array,
    state: Array,
    variance: Array,
    level: Array,
    noise: Array,
) -> _Cells:
    width = columns.shape[1]
    if not width:
        likelihood = -(logs + products[:, 0, 0]) / 2
        empty = np.zeros((len(level), 0))
        return _Cells(
            likelihood, empty, np.zeros((len(level), 0, 0)), state, variance, level, noise
        )
    squares = columns.T @ columns / len(columns)
    known = _SLOPE_WORTH * (squares + np.diag(np.diag(squares))) / 2
    prior = known[None] / (noise**2)[:, None, None]
    precision = prior + products[:, 1:, 1:]
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    slopes = np.einsum("cij,cj->ci", covariance, products[:, 1:, 0])
    explained = np.einsum("ci,ci->c", products[:, 1:, 0], slopes)
    determinants = np.linalg.slogdet(precision)[1] - np.linalg.slogdet(prior)[1]
    likelihood = -(logs + products[:, 0, 0] - explained + determinants) / 2
    return _Cells(likelihood, slopes, covariance, state, variance, level, noise)


def _predicted(cells: _Cells, columns: Array, fit: int, later: Array) -> tuple[Array, Array]:
    """Centre and spread of the mean over `later`, in each cell."""
    many = len(later)
    ahead = np.sort(later - fit).astype(np.float64)
    # The mean of a random walk at these steps: Σᵢⱼ min(i, j) / n².
    walk = float(np.minimum.outer(ahead, ahead).sum()) / many**2
    mean_columns = columns[later].mean(axis=0)
    weight = mean_columns - cells.end[:, 1:]
    centres = cells.end[:, 0] + np.einsum("ci,ci->c", weight, cells.slopes)
    variance = np.einsum("ci,cij,cj->c", weight, cells.covariance, weight)
    variance = variance + cells.end_variance + cells.level**2 * walk + cells.noise**2 / many
    return centres, np.sqrt(variance)


def _path(outcome: Array, columns: Array, cells: _Cells, weights: Array) -> Array:
    level, noise = float(weights @ cells.level), float(weights @ cells.noise)
    slopes = weights @ cells.slopes
    rest = outcome - columns[: len(outcome)] @ slopes
    found = columns @ slopes
    state, variance = 0.0, 1.0
    for place in range(len(columns)):
        found[place] += state
        if place < len(outcome) and not math.isnan(rest[place]):
            gain = variance / (variance + noise**2)
            state += gain * (rest[place] - state)
            variance *= 1 - gain
        if place < len(outcome):
            variance += level**2
    return found
