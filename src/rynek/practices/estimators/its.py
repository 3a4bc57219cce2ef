"""Interrupted time series: what one series would have gone on to be, by its own trend and season.

Errors that depend on the one before (AR(1)) are neither ignored nor estimated once: the effect's
distribution is averaged over every autocorrelation by its likelihood (with a flat prior, so that
the intercepts, trend and seasons are integrated out as in restricted maximum likelihood; Harville
1974, Zellner & Tiao 1964). Gaps in the series are gaps, nothing is filled.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array, Indexes, mean_of
from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Estimate
from rynek.practices.mixture import Mixture
from rynek.practices.placebo import ROUNDING
from rynek.practices.saying import say
from rynek.practices.task import Task
from rynek.practices.times import YEARS

NAME = "its"
_GRID: Final = np.linspace(-0.45, 0.985, 60)
_ENOUGH: Final = 3
# Of a term's size, that others do not say: less is rounding.
_NEWS: Final = 1e-8
# Of the outcome's variance, that is rounding too.
_EXACT: Final = 1e-24
SEASONS: Final = {"month": 12, "quarter": 4, "day": 7, "hour": 24}


class InterruptedTimeSeries:
    """The contract's `Design`."""

    name = NAME

    def refuses(self, task: Task) -> Message | None:
        """Needs one start, and enough periods for what is estimated."""
        if len(task.cohorts) > 1:
            return say("different-starts")
        model = _model(task, task.cohorts[0])
        if model.before < model.season + _ENOUGH or model.after < _ENOUGH:
            return say(
                "its-few",
                before=model.before,
                after=model.after,
                needed_before=model.season + _ENOUGH,
                needed_after=_ENOUGH,
            )
        if len(model.outcome) - model.columns.shape[1] < _ENOUGH:
            return say("its-terms", periods=len(model.outcome), terms=model.columns.shape[1])
        if float(np.ptp(model.outcome)) == 0:
            return say("its-constant")
        if model.mixed:
            return say("its-mixed")
        return None

    def estimate(self, task: Task) -> Estimate:
        """The effect: the mean over the effect periods of a step and a change of slope."""
        cohort = task.cohorts[0]
        model = _model(task, cohort)
        posterior = _posterior(model)
        effect, tail = posterior.effect, (1 - task.spec.confidence) / 2
        without = posterior.coefficients.copy()
        without[list(model.effects)] = 0.0
        found = Estimate(
            NAME,
            effect.mean,
            model.periods,
            tuple(map(float, model.outcome)),
            tuple(map(float, model.columns @ without)),
        )
        if effect.spread <= ROUNDING * float(np.abs(model.outcome).max()):
            return dataclasses.replace(found, uncertainty=say("sure-still"))
        return dataclasses.replace(
            found,
            standard_error=effect.spread,
            interval=(effect.quantile(tail), effect.quantile(1 - tail)),
            p_value=effect.p_value(),
            uncertainty=say("sure-its", autocorrelation=posterior.autocorrelation),
        )


@dataclass(frozen=True)
class _Model:
    """Observed periods, the outcome there, regressors, and which of them make up the effect."""

    periods: tuple[int, ...]
    outcome: Array
    columns: Array
    effects: tuple[int, int]
    contrast: Array
    before: int
    after: int
    season: int
    mixed: bool
    """Whether the start says nothing that trend, season and covariates do not."""


def _model(task: Task, cohort: Cohort) -> _Model:
    raw = mean_of(task.seen[list(cohort.units)], axis=0)
    controls = [mean_of(one[list(cohort.units)], axis=0) for one in task.covariates.values()]
    complete = ~np.isnan(raw)
    for one in controls:
        complete &= ~np.isnan(one)
    wanted = [*cohort.fit, *cohort.effect]
    periods = tuple(one for one in wanted if complete[one])
    where = np.array(periods, dtype=np.intp)
    after = where >= cohort.start
    size = max(len(task.panel.times), 2)
    step = after.astype(np.float64)
    slope = np.where(after, (where - cohort.start) / size, 0.0)
    season = _season(task)
    parts = [np.ones(len(where)), (where - where.mean()) / size if len(where) else step]
    parts += _seasonal(task, where, season)
    parts += [_centred(one[where]) for one in controls]
    parts = _distinct(parts)
    count = len(parts)
    columns = np.column_stack([*parts, step, slope])
    contrast = np.zeros(columns.shape[1])
    contrast[count] = 1.0
    contrast[count + 1] = float(slope[after].mean()) if after.any() else 0.0
    return _Model(
        periods,
        raw[where],
        columns,
        (count, count + 1),
        contrast,
        int((~after).sum()),
        int(after.sum()),
        season,
        len(_distinct([*parts, step, slope])) < count + 2,
    )


def _distinct(columns: list[Array]) -> list[Array]:
    """Those that say something that the ones before them did not."""
    kept: list[Array] = []
    basis: list[Array] = []
    for one in columns:
        rest = one
        # Twice, so that rounding does not pass for news.
        for _ in range(2):
            for other in basis:
                rest = rest - float(rest @ other) * other
        size = float(np.linalg.norm(rest))
        if size > _NEWS * float(np.linalg.norm(one)):
            kept.append(one)
            basis.append(rest / size)
    return kept


def _centred(values: Array) -> Array:
    size = float(values.std()) if len(values) else 0.0
    centred: Array = (values - values.mean()) / (size or 1.0)
    return centred


def _season(task: Task) -> int:
    """Periods in a season: as the specification says, or by the kind of times; 1 is none."""
    if task.spec.season is not None:
        return task.spec.season
    return SEASONS.get(task.panel.clock.kind, 1)


def _seasonal(task: Task, where: Indexes, season: int) -> list[Array]:
    """A level for each period of a season; for hours also the days of a week. Where a year is much
    longer than that, two waves a year, once there is a year to learn them from."""
    numbers = task.panel.times[where]
    if task.spec.season is not None:
        return levels(where % season, season)
    kind = task.panel.clock.kind
    # By the calendar: every second month has six levels, not twelve.
    parts = levels(np.floor(numbers).astype(np.intp) % season, season) if season > 1 else []
    if kind == "hour":
        parts += levels((numbers // 24).astype(np.intp) % 7, 7)
    year = YEARS.get(kind)
    if year is not None and len(where) and np.ptp(numbers) >= year:
        parts += [
            wave(2 * np.pi * turns * numbers / year)
            for turns in (1, 2)
            for wave in (np.sin, np.cos)
        ]
    return parts


def levels(place: Indexes, many: int) -> list[Array]:
    """A level for each place in a season but the first, which they are measured from."""
    there = np.unique(place) if len(place) else np.arange(many)
    return [
        (place == one).astype(np.float64) - (place == there[0]).astype(np.float64)
        for one in there[1:]
    ]


@dataclass(frozen=True)
class _Posterior:
    """The effect, one part of the mixture an autocorrelation; the coefficients averaged over it,
    and which autocorrelation is the most likely."""

    effect: Mixture
    coefficients: Array
    autocorrelation: float


def _posterior(model: _Model) -> _Posterior:
    steps = np.diff(np.array(model.periods))
    count, terms = model.columns.shape
    likelihood, centres, scales, solutions = [], [], [], []
    # Squares of very large or small numbers would be none.
    size = float(np.abs(model.outcome).max()) or 1.0
    for one in _GRID:
        outcome, columns, logs = _whitened(model, steps, float(one))
        outcome = outcome / size
        gram = columns.T @ columns
        inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
        solution = inverse @ (columns.T @ outcome)
        residual = max(float(((outcome - columns @ solution) ** 2).sum()), _EXACT)
        determinant = float(np.linalg.slogdet(gram)[1])
        likelihood.append(-logs - determinant / 2 - (count - terms) / 2 * math.log(residual))
        centres.append(float(model.contrast @ solution))
        variance = residual / (count - terms) * float(model.contrast @ inverse @ model.contrast)
        scales.append(math.sqrt(max(variance, 1e-300)))
        solutions.append(solution)
    weights = np.exp(np.array(likelihood) - max(likelihood))
    weights /= weights.sum()
    return _Posterior(
        Mixture(weights, size * np.array(centres), size * np.array(scales), count - terms),
        size * (weights @ np.array(solutions)),
        float(_GRID[int(np.argmax(likelihood))]),
    )


def _whitened(model: _Model, steps: Array, correlation: float) -> tuple[Array, Array, float]:
    """Outcome and regressors with independent errors, and half the log determinant. Over a gap of
    k periods the correlation is its k-th power."""
    reach = np.sign(correlation) ** steps * np.abs(correlation) ** steps
    variance = np.concatenate([[1.0], 1.0 - reach**2])
    outcome, columns = model.outcome.copy(), model.columns.copy()
    outcome[1:] -= reach * model.outcome[:-1]
    columns[1:] -= reach[:, None] * model.columns[:-1]
    root = np.sqrt(variance)
    return outcome / root, columns / root[:, None], float(np.log(variance).sum() / 2)
