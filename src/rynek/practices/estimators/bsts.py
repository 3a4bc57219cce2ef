"""Bayesian structural time series: a local level with untreated series as regressors.

Brodersen, Gallusser, Koehler, Remy & Scott 2015. How much the level may move is a prior that decides
how wide the interval is. So it is set by rolling forecasts over the time before the start: the
smallest for which at least nine in ten periods lay inside their 95 % intervals. Where none does,
the design is refused.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array, Indexes, bridged, mean_of
from rynek.practices.estimate import Check, Estimate
from rynek.practices.local_level import Learned, learn
from rynek.practices.mixture import Mixture
from rynek.practices.saying import say
from rynek.practices.task import Task
from rynek.practices.times import YEARS

NAME = "bsts"
_LEVELS: Final = (0.01, 0.03, 0.1, 0.3)
_COVERED: Final = 0.9
_BLOCKS: Final = 6
_FEWEST: Final = 12
_COARSE: Final = 15
# Fewer periods than this for each regressor learn the noise instead.
_PERIODS_EACH: Final = 4
# Its time grows with the periods and with the square of the series.
_MOST_SERIES: Final = 20
_MOST_PERIODS: Final = 3000


class BayesianSeries:
    """The contract's `Design`."""

    name = NAME

    def refuses(self, task: Task) -> Message | None:
        """Needs untreated series, enough periods for them, and forecasts that hold before."""
        if len(task.cohorts) > 1:
            return say("different-starts")
        series = _series(task)
        width = series.regressors.shape[1]
        if not width:
            return say("bsts-nothing")
        if series.fit < max(_FEWEST, _PERIODS_EACH * width):
            needed = max(_FEWEST, _PERIODS_EACH * width)
            return say("bsts-few", periods=series.fit, series=width, needed=needed)
        if width > _MOST_SERIES or len(series.outcome) > _MOST_PERIODS:
            return say(
                "bsts-many",
                series=width,
                periods=len(series.outcome),
                most_series=_MOST_SERIES,
                most_periods=_MOST_PERIODS,
            )
        if np.isnan(series.regressors).any():
            return say("bsts-gaps")
        if float(np.nanstd(series.outcome[: series.fit])) == 0:
            return say("never-changes-before")
        if task.spec.prior_level_sd is None and _level(series) is None:
            return say("bsts-unexplained")
        return None

    def effect(self, task: Task) -> float:
        """The effect alone."""
        series = _series(task)
        level = task.spec.prior_level_sd or _level(series) or _LEVELS[-1]
        learned = learn(series.outcome, series.regressors, series.fit, level, _COARSE)
        return series.observed - learned.mean_over(series.later).mean

    def estimate(self, task: Task) -> Estimate:
        """The effect: what was observed less the forecast, averaged over the effect periods."""
        series = _series(task)
        level = task.spec.prior_level_sd or _level(series) or _LEVELS[-1]
        learned = learn(series.outcome, series.regressors, series.fit, level)
        found = learned.mean_over(series.later)
        tail = (1 - task.spec.confidence) / 2
        return Estimate(
            NAME,
            series.observed - found.mean,
            series.periods,
            tuple(map(float, series.outcome)),
            tuple(map(float, learned.path())),
            standard_error=found.spread,
            interval=(
                series.observed - found.quantile(1 - tail),
                series.observed - found.quantile(tail),
            ),
            p_value=found.p_value(series.observed),
            uncertainty=say("sure-bsts", level=level),
            weights=_slopes(series, learned) if task.donors else None,
            checks=(_prior_check(series, level, found),),
        )


@dataclass(frozen=True)
class _Series:
    """The treated series and its regressors over `periods` of the panel: `fit` of them before."""

    periods: tuple[int, ...]
    outcome: Array
    regressors: Array
    names: tuple[str, ...]
    fit: int
    later: Array

    @property
    def observed(self) -> float:
        """The mean over the effect periods."""
        return float(self.outcome[self.later].mean())


def _series(task: Task) -> _Series:
    cohort = task.cohorts[0]
    first, last = cohort.fit[0], cohort.effect[-1]
    where = np.arange(first, last + 1)
    raw = mean_of(task.seen[list(cohort.units)], axis=0)[where]
    used = np.array(sorted({*cohort.fit, *cohort.effect})) - first
    outcome = np.full(len(where), np.nan)
    outcome[used] = raw[used]
    columns = [task.outcome[one, where] for one in task.donors]
    columns += [
        bridged(mean_of(one[list(cohort.units)], axis=0))[where] for one in task.covariates.values()
    ]
    if not task.donors:
        columns += _year(task, where, cohort.start)
    width = len(columns)
    regressors = np.array(columns).T if width else np.zeros((len(where), 0))
    return _Series(
        tuple(int(one) for one in where),
        outcome,
        regressors,
        tuple(task.names(task.donors)),
        cohort.start - first,
        np.array(cohort.effect) - first,
    )


def _year(task: Task, where: Indexes, start: int) -> list[Array]:
    """Two waves a year where covariates alone are compared and there are two years to learn them
    from; donors bring their season along."""
    year = YEARS.get(task.panel.clock.kind)
    numbers = task.panel.times[where]
    if (
        year is None
        or task.spec.season is not None
        or task.panel.times[start] - numbers[0] < 2 * year
    ):
        return []
    return [
        wave(2 * np.pi * turns * numbers / year) for turns in (1, 2) for wave in (np.sin, np.cos)
    ]


def _level(series: _Series) -> float | None:
    """How much the level may move, by rolling forecasts of the time before the start; None where
    forecasts did not hold."""
    before = slice(series.fit)
    return _chosen(
        series.outcome[before].tobytes(),
        series.regressors[before].tobytes(),
        series.fit,
        len(series.later),
    )


@functools.lru_cache(maxsize=64)
def _chosen(outcome: bytes, regressors: bytes, fit: int, later: int) -> float | None:
    """Asked several times of the same series: by refusal, estimate and checks.

    The effect is a mean over periods, so the level is judged by forecasts of means as long as the
    effect's (at most a quarter of the time before): of the candidates the most likely, among those
    for which nine in ten single periods lay inside their intervals."""
    rows, columns = np.frombuffer(outcome), np.frombuffer(regressors).reshape(fit, -1)
    length = max(2, min(later, fit // 4))
    found = {one: _forecast(rows, columns, one, length) for one in _LEVELS}
    held = {one: score for one, (covered, score) in found.items() if covered >= _COVERED}
    return max(held, key=lambda one: held[one]) if held else None


def _forecast(outcome: Array, regressors: Array, level: float, length: int) -> tuple[float, float]:
    """From origins in the later half before the start: the share of periods inside their 95 %
    intervals, and the log likelihood of the means over the next `length` periods."""
    origins = np.linspace(len(outcome) // 2, len(outcome) - length, _BLOCKS).astype(np.intp)
    inside = total = 0
    score = 0.0
    for origin in np.unique(origins):
        seen = [one for one in range(origin, origin + length) if not np.isnan(outcome[one])]
        if not seen:
            continue
        learned = learn(outcome, regressors, int(origin), level, _COARSE)
        for one in seen:
            below = learned.mean_over(np.array([one])).below(float(outcome[one]))
            inside += 0.025 <= below <= 0.975
            total += 1
        together = learned.mean_over(np.array(seen))
        size = max(together.spread, 1e-12)
        score -= math.log(size) + (float(outcome[seen].mean()) - together.mean) ** 2 / size**2 / 2
    return (inside / total if total else 0.0), score


def _prior_check(series: _Series, level: float, found: Mixture) -> Check:
    """Whether another prior of the level would say something else."""
    name = "prior of the level"
    effects = {}
    for factor in (0.5, 2.0):
        learned = learn(series.outcome, series.regressors, series.fit, level * factor, _COARSE)
        effects[f"{level * factor:g}"] = series.observed - learned.mean_over(series.later).mean
    effect = series.observed - found.mean
    moved = max(abs(one - effect) for one in effects.values())
    reason = say("prior-moved", level=level, moved=moved)
    good = moved <= found.spread
    return Check(name, "passed" if good else "failed", reason, effects)


def _slopes(series: _Series, learned: Learned) -> dict[str, float]:
    """Standardised slopes: what each donor counts for; covariates come after them."""
    slopes = learned.weights @ learned.cells.slopes
    return dict(zip(series.names, map(float, slopes), strict=False))
