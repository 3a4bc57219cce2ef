"""Bayesian structural time series: a local level with untreated series as regressors, and errors
that may depend on the one before.

Brodersen, Gallusser, Koehler, Remy & Scott 2015; the autocorrelation is integrated out. How much the
level may move is a prior that decides how wide the interval is. So it is set by forecasts over the
time before the start: wide, and only where forecasts one step ahead were better by more than
`_CLEARLY` with a level that hardly moves (the software's prior), that one. Where nine in ten periods
did not lie inside their 95 % intervals, forecast from several earlier origins, the design is refused.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array, Indexes, bridged, mean_of
from rynek.practices.estimate import Check, Estimate
from rynek.practices.estimators.its import SEASONS, levels
from rynek.practices.local_level import Learned, LevelPrior, forecasts, learn
from rynek.practices.mixture import Mixture
from rynek.practices.saying import say
from rynek.practices.task import Task
from rynek.practices.times import YEARS

NAME = "bsts"
_NARROW: Final = LevelPrior(0.01)
_WIDE: Final = LevelPrior(0.1, wide=True)
# Of the log likelihood. A series of some dozens of periods hardly tells a level that moves from one
# that does not: to prefer the better one whatever the difference gives intervals that are too
# narrow, never to prefer the narrow one such that are too wide.
_CLEARLY: Final = 0.6
_COVERED: Final = 0.9
_BLOCKS: Final = 6
_FEWEST: Final = 12
_COARSE: Final = 11
# Fewer periods than this for each regressor learn the noise instead.
_PERIODS_EACH: Final = 4
# Its time grows with the periods and with the square of the series: ten years of days.
_MOST_SERIES: Final = 20
_MOST_PERIODS: Final = 4000
_IN_A_YEAR: Final = {"month": 12, "quarter": 4}
_LEVELS: Final = ("month", "quarter", "day")


class BayesianSeries:
    """The contract's `Design`."""

    name = NAME

    def refuses(self, task: Task) -> Message | None:
        """Needs untreated series, enough periods for them, and forecasts that hold before."""
        if len(task.cohorts) > 1:
            return say("different-starts")
        series = _series(task)
        width = series.regressors.shape[1]
        if not (task.donors or task.covariates):
            return say("bsts-nothing")
        if series.fit < max(_FEWEST, _PERIODS_EACH * width):
            needed = max(_FEWEST, _PERIODS_EACH * width)
            return say("bsts-few", periods=series.fit, series=width, needed=needed)
        asked = width - series.waves
        if asked > _MOST_SERIES or len(series.outcome) > _MOST_PERIODS:
            return say(
                "bsts-many",
                series=asked,
                periods=len(series.outcome),
                most_series=_MOST_SERIES,
                most_periods=_MOST_PERIODS,
            )
        if np.isnan(series.regressors).any():
            return say("bsts-gaps")
        if (np.ptp(series.regressors[: series.fit], axis=0) == 0).any():
            return say("bsts-constant")
        if float(np.nanstd(series.outcome[: series.fit])) == 0:
            return say("never-changes-before")
        if task.spec.prior_level_sd is None and _chosen(series) is None:
            return say("bsts-unexplained")
        return None

    def effect(self, task: Task) -> float:
        """The effect alone."""
        series = _series(task)
        return series.observed - _learned(series, _prior(task, series)).mean_over(series.later).mean

    def estimate(self, task: Task) -> Estimate:
        """The effect: what was observed less the forecast, averaged over the effect periods."""
        series = _series(task)
        prior = _prior(task, series)
        learned = _learned(series, prior)
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
            uncertainty=say("sure-bsts", level=prior.scale, hangs=learned.autocorrelation),
            weights=_slopes(series, learned) if task.donors else None,
            checks=(_prior_check(series, prior, found),),
        )


@dataclass(frozen=True)
class _Series:
    """The treated series and its regressors over `periods` of the panel: `fit` of them before.
    The last `waves` of the regressors nobody asked for."""

    periods: tuple[int, ...]
    outcome: Array
    regressors: Array
    names: tuple[str, ...]
    fit: int
    later: Array
    waves: int

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
    waves = [] if task.donors else _season(task, where, cohort.start, len(columns))
    columns += waves
    width = len(columns)
    regressors = np.array(columns).T if width else np.zeros((len(where), 0))
    return _Series(
        tuple(int(one) for one in where),
        outcome,
        regressors,
        tuple(task.names(task.donors)),
        cohort.start - first,
        np.array(cohort.effect) - first,
        len(waves),
    )


def has_season(task: Task) -> bool:
    """Whether a season is learnt beside the covariates: there may be too few periods for it."""
    return _series(task).waves > 0


def _season(task: Task, where: Indexes, start: int, given: int) -> list[Array]:
    """Where covariates alone are compared (donors bring their season along) and there are two years
    to learn it from: a level for each month, quarter or day of the week, where there are periods
    enough for so many beside the `given` covariates, and two waves a year in what is shorter than
    months."""
    numbers = task.panel.times[where]
    kind, before = task.panel.clock.kind, start - int(where[0])
    if task.spec.season is not None:
        length = task.spec.season
        if length < 2 or before < 2 * length:
            return []
        return _afford(levels(where % length, length), given, before)
    year = YEARS.get(kind, _IN_A_YEAR.get(kind))
    if year is None or task.panel.times[start] - numbers[0] < 2 * year:
        return []
    waves = [
        wave(2 * np.pi * turns * numbers / year)
        for turns in (1, 2)
        for wave in (np.sin, np.cos)
        if kind in YEARS
    ]
    length = SEASONS.get(kind, 1)
    places = np.floor(numbers).astype(np.intp) % length
    found = levels(places, length) if kind in _LEVELS else []
    return [*_afford(found, given + len(waves), before), *waves]


def _afford(columns: list[Array], given: int, before: int) -> list[Array]:
    """The columns, or none where they would be too many beside those that are given."""
    width = given + len(columns)
    return columns if width <= _MOST_SERIES and before >= _PERIODS_EACH * width else []


def _prior(task: Task, series: _Series) -> LevelPrior:
    """As the specification says, or as forecasts have it."""
    asked = task.spec.prior_level_sd
    return (_chosen(series) or _WIDE) if asked is None else LevelPrior(asked)


def _learned(series: _Series, prior: LevelPrior) -> Learned:
    outcome = series.outcome[: series.fit].tobytes()
    return _remembered(outcome, series.regressors.tobytes(), series.regressors.shape[1], prior)


@functools.lru_cache(maxsize=8)
def _remembered(outcome: bytes, regressors: bytes, width: int, prior: LevelPrior) -> Learned:
    """Asked several times of the same series: by refusal, estimate and checks."""
    rows = np.frombuffer(outcome)
    return learn(rows, np.frombuffer(regressors).reshape(-1, width), len(rows), prior)


def _chosen(series: _Series) -> LevelPrior | None:
    """How much the level may move, by forecasts of the time before the start; None where these did
    not hold."""
    narrow, wide = (_learned(series, one) for one in (_NARROW, _WIDE))
    clear = narrow.evidence > wide.evidence + _CLEARLY
    return next(
        (one for one in ((_NARROW, _WIDE) if clear else (_WIDE,)) if _held(series, one)), None
    )


def _held(series: _Series, prior: LevelPrior) -> bool:
    """Whether nine in ten periods lay inside their 95 % intervals, from origins in the later half
    before the start, each as far ahead as the effect's periods reach (at most a quarter of the
    time before)."""
    far = max(2, min(len(series.later), series.fit // 4))
    origins = np.linspace(series.fit // 2, series.fit - far, _BLOCKS).astype(np.intp)
    where = sorted({int(one) for one in origins})
    given = (series.outcome, series.regressors, series.fit, prior, where, far)
    inside = [0.025 <= below <= 0.975 for below in forecasts(*given)]
    return bool(inside) and sum(inside) >= _COVERED * len(inside)


def _prior_check(series: _Series, prior: LevelPrior, found: Mixture) -> Check:
    """Whether another prior of the level would say something else."""
    name = "prior of the level"
    effects = {}
    for factor in (0.5, 2.0):
        other = dataclasses.replace(prior, scale=prior.scale * factor)
        learned = learn(series.outcome, series.regressors, series.fit, other, _COARSE)
        effects[f"{other.scale:g}"] = series.observed - learned.mean_over(series.later).mean
    effect = series.observed - found.mean
    moved = max(abs(one - effect) for one in effects.values())
    reason = say("prior-moved", level=prior.scale, moved=moved)
    good = moved <= found.spread
    return Check(name, "passed" if good else "failed", reason, effects)


def _slopes(series: _Series, learned: Learned) -> dict[str, float]:
    """Standardised slopes: what each donor counts for; covariates come after them."""
    return dict(zip(series.names, map(float, learned.slopes), strict=False))
