"""A local level with a regression and autoregressive errors, its posterior on a grid, not drawn.

Brodersen et al. 2015 with errors that may depend on the one before. Given the level's share of the
errors and their autocorrelation everything is normal (`level_filter`); what is left, three numbers,
is summed over a grid that is refined where the posterior lies. So there is no noise of sampling, and
the same data give the same answer.

Outcome and regressors are standardised over the fit periods. Priors: the variance of what is new in
each error such that the regression explains four fifths (worth 50 observations) and β worth a
hundredth of one, as in that paper's software; the level's as `LevelPrior` says, and the
autocorrelation's so that none is preferred to some.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.practices.arrays import Array
from rynek.practices.level_filter import Cells, Filter
from rynek.practices.mixture import Mixture

__all__ = ["Learned", "LevelPrior", "forecasts", "learn"]

_LEVEL_WORTH: Final = 32.0
_NOISE_WORTH: Final = 50.0
_NOISE_VARIANCE: Final = 0.2
# Beyond the upper one errors cannot be told from a level that moves.
_HANGS: Final = (-0.45, 0.95)
_FAR: Final = math.log(20) / math.sqrt(-math.log(1 - 0.9**2))
_STEPS: Final = 17
_FIRST: Final = (24, 12)
_NODES: Final = np.linspace(-4.5, 4.5, 9)
_REACH: Final = 5.0


@dataclass(frozen=True)
class LevelPrior:
    """Of the level's standard deviation, in units of the outcome's: about `scale` (an inverse gamma
    distribution of the variance, worth 32 observations), or where it is `wide` anything from 0 on
    with the mean `scale` (exponential, which prefers a level that does not move; Simpson, Rue,
    Riebler, Martins & Sørbye 2017)."""

    scale: float
    wide: bool = False

    def density(self, logs: Array) -> Array:
        """Log density of the standard deviation's logarithm."""
        if self.wide:
            found: Array = logs - math.log(self.scale) - np.exp(logs) / self.scale
            return found
        half = _LEVEL_WORTH / 2
        rate = half * self.scale**2
        constant = math.log(2) + half * math.log(rate) - math.lgamma(half)
        narrow: Array = constant - _LEVEL_WORTH * logs - rate * np.exp(-2 * logs)
        return narrow

    def ratios(self) -> tuple[float, float]:
        """Logarithms between which its share of the errors lies, whatever these are."""
        middle = math.log(self.scale)
        return (middle - 4.5, middle + 4.5) if self.wide else (middle - 0.8, middle + 3.7)


@dataclass(frozen=True)
class Learned:
    """The posterior from the fit periods: `weights` of cells and, within each, of the errors'
    standard deviations `noise`, both (cells × nodes); `evidence` is the log likelihood of the
    outcome with everything integrated out, the sum over forecasts one step ahead."""

    outcome: Array
    columns: Array
    fit: int
    centre: float
    size: float
    cells: Cells
    weights: Array
    noise: Array
    evidence: float

    def mean_over(self, later: Array) -> Mixture:
        """Of the mean over the periods `later`, all after the fit periods."""
        steps = np.sort(later - self.fit).astype(np.float64)
        found = _ahead(self.cells, self.weights, self.noise, self.columns[later], steps)
        return Mixture(
            found.weights, self.centre + self.size * found.centres, self.size * found.scales
        )

    @property
    def slopes(self) -> Array:
        """Of each regressor, standardised."""
        found: Array = self.weights.sum(axis=1) @ self.cells.slopes
        return found

    @property
    def autocorrelation(self) -> float:
        """Of the errors, its mean."""
        return float(self.weights.sum(axis=1) @ self.cells.hangs)

    def path(self) -> Array:
        """Expected of every period: one step ahead while it was seen, from the last level then."""
        weights = self.weights.sum(axis=1)
        found = _path(
            self.outcome,
            self.columns,
            self.slopes,
            float(weights @ self.cells.ratio),
            self.autocorrelation,
        )
        expected: Array = self.centre + self.size * found
        return expected


def learn(
    outcome: Array, regressors: Array, fit: int, prior: LevelPrior, steps: int = _STEPS
) -> Learned:
    """The posterior from the first `fit` values of `outcome` (NaN where nothing was seen) and of
    `regressors` (periods × columns, complete); `steps` squared are the cells of the grid."""
    centre, size, scaled, columns = _standardised(outcome, regressors, fit)
    rows = np.column_stack([scaled, columns[:fit]])
    ratios, hangs = prior.ratios(), _HANGS
    for many in (_FIRST, (steps, steps)):
        first, second = (_middles(*one) for one in zip((ratios, hangs), many, strict=True))
        logs, places = (one.ravel() for one in np.meshgrid(first, second, indexing="ij"))
        run = Filter(np.exp(logs), places, columns[:fit])
        run.advance(rows)
        cells = run.cells()
        weights, noise, total = _weighed(cells, prior)
        area = (first[1] - first[0]) * (second[1] - second[0])
        each = weights.sum(axis=1)
        ratios = _around(logs, each, first[1] - first[0], prior.ratios())
        hangs = _around(places, each, second[1] - second[0], _HANGS)
    keep = each > each.max() * 1e-9
    weights = weights[keep] / weights[keep].sum()
    evidence = total + math.log(area)
    return Learned(
        scaled, columns, fit, centre, size, cells.only(keep), weights, noise[keep], evidence
    )


def forecasts(
    outcome: Array, regressors: Array, fit: int, prior: LevelPrior, origins: Sequence[int], far: int
) -> Iterator[float]:
    """For each of the `far` periods after each origin, all before `fit`, the probability that
    the forecast from the periods before the origin gave to less than what was seen."""
    _, _, scaled, columns = _standardised(outcome, regressors, fit)
    rows = np.column_stack([scaled, columns[:fit]])
    first, second = (_middles(*one) for one in zip((prior.ratios(), _HANGS), _FIRST, strict=True))
    logs, places = (one.ravel() for one in np.meshgrid(first, second, indexing="ij"))
    run, done = Filter(np.exp(logs), places, columns[:fit]), 0
    for origin in origins:
        run.advance(rows[done:origin])
        done = origin
        cells = run.cells()
        weights, noise, _ = _weighed(cells, prior)
        keep = weights.sum(axis=1) > 1e-4
        kept, some = weights[keep] / weights[keep].sum(), cells.only(keep)
        for one in range(origin, min(origin + far, fit)):
            if not math.isnan(scaled[one]):
                step = np.array([float(one - origin)])
                found = _ahead(some, kept, noise[keep], columns[one : one + 1], step, 1e-4)
                yield found.below(float(scaled[one]))


def _standardised(outcome: Array, regressors: Array, fit: int) -> tuple[float, float, Array, Array]:
    """Centre and size of the outcome before the start, it and the regressors by theirs."""
    before, ours = regressors[:fit], outcome[:fit]
    centre, size = float(np.nanmean(ours)), float(np.nanstd(ours)) or 1.0
    spread = before.std(axis=0)
    columns: Array = (regressors - before.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return centre, size, (ours - centre) / size, columns


def _middles(reach: tuple[float, float], steps: int) -> Array:
    """The middles of `steps` equal parts."""
    low, high = reach
    found: Array = low + (high - low) * (np.arange(steps) + 0.5) / steps
    return found


def _around(
    values: Array, weights: Array, step: float, within: tuple[float, float]
) -> tuple[float, float]:
    """A narrower range about where the weight lies."""
    mean = float(weights @ values)
    spread = math.sqrt(max(float(weights @ (values - mean) ** 2), (step / 3) ** 2))
    return max(mean - _REACH * spread, within[0]), min(mean + _REACH * spread, within[1])


def _weighed(cells: Cells, prior: LevelPrior) -> tuple[Array, Array, float]:
    """Weights and the errors' standard deviations (cells × nodes), and the log of the weights' sum
    before they add up to one. Without the level's prior the variance has an inverse gamma
    distribution; the nodes lie about its mode."""
    worth = cells.count + _NOISE_WORTH
    # What is new in an error is 1 − ρ² of its variance.
    new = 1 - cells.hangs**2
    squares = cells.squares + _NOISE_WORTH * _NOISE_VARIANCE / new
    spread = 1 / math.sqrt(2 * worth)
    logs = np.log(squares / worth)[:, None] / 2 + spread * _NODES
    density = cells.likelihood[:, None] - worth * logs - squares[:, None] / 2 * np.exp(-2 * logs)
    density = density - _NOISE_WORTH / 2 * np.log(new)[:, None]
    density = density + prior.density(np.log(cells.ratio)[:, None] + logs)
    density = density + _hanging(cells.hangs)[:, None]
    top = float(density.max())
    weights = np.exp(density - top)
    total = float(weights.sum())
    return weights / total, np.exp(logs), top + math.log(total)


def _hanging(hangs: Array) -> Array:
    """Log density of the autocorrelation, which prefers none: exponential in the distance from it,
    √(−log(1 − ρ²)), beyond ±0.9 with a probability of one in twenty (Sørbye & Rue 2017)."""
    distance = np.sqrt(-np.log1p(-(hangs**2)))
    # |ρ| / distance is one where ρ is none.
    shape = np.where(distance > 1e-6, np.abs(hangs) / np.maximum(distance, 1e-6), 1.0)
    found: Array = np.log(_FAR / 2) - _FAR * distance + np.log(shape) - np.log1p(-(hangs**2))
    return found


def _ahead(
    cells: Cells, weights: Array, noise: Array, columns: Array, steps: Array, least: float = 1e-7
) -> Mixture:
    """The mean of periods `steps` ahead; parts that weigh less than the share `least` of the
    heaviest are left out."""
    centres, variance = cells.mean_ahead(columns, steps)
    scales = np.sqrt(variance)[:, None] * noise
    keep = weights > weights.max() * least
    kept = weights[keep] / weights[keep].sum()
    return Mixture(kept, np.broadcast_to(centres[:, None], weights.shape)[keep], scales[keep])


def _path(outcome: Array, columns: Array, slopes: Array, ratio: float, hangs: float) -> Array:
    rest = outcome - columns[: len(outcome)] @ slopes
    run = Filter(np.array([ratio]), np.array([hangs]), columns[:0, :0])
    found = columns @ slopes
    for place in range(len(columns)):
        level, error = run.state()
        found[place] += level + error
        run.advance(rest[place : place + 1, None] if place < len(rest) else np.full((1, 1), np.nan))
    return found
