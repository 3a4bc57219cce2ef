"""Synthetic control: a mixture of donors that went along with the treated place before the start.

Abadie & Gardeazabal 2003; Abadie, Diamond & Hainmueller 2010. Weights are not negative and add up
to one. Without predictors they fit the outcome before the start; with predictors they fit those,
each weighted so that the outcome in the fit window is met best. `intercept` lets the mixture lie
above or below the treated place by a constant (Doudchenko & Imbens 2016; Ferman & Pinto 2021).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array
from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Check, Estimate
from rynek.practices.estimators.predictors import Fitted, fit_predictors
from rynek.practices.placebo import Placebos, by_placebos, run_placebos
from rynek.practices.saying import say
from rynek.practices.simplex import simplex_least_squares, simplex_quadratic
from rynek.practices.task import Task

NAME = "synthetic_control"
_FEWEST_DONORS = 2
_FEWEST_PERIODS = 3
# Each is a placebo against all others: the time grows with their number to the fourth power.
_MOST_DONORS = 300
# A fit before the start that is worse than this share of the outcome's spread is none.
WORST_FIT = 0.5


class SyntheticControl:
    """The contract's `Design`."""

    name = NAME

    def refuses(self, task: Task) -> Message | None:
        """Needs donors, periods before the start, and a treated place within the donors' range,
        unless an intercept is allowed."""
        wrong = few(task)
        if wrong or task.spec.intercept:
            return wrong
        return _no_hull(task)

    def effect(self, task: Task) -> float:
        """The effect alone."""
        cohort, donors = task.cohorts[0], list(task.donors)
        target = task.outcome[list(cohort.units)].mean(axis=0)
        fitted = _fit(task, cohort, target, donors, None)
        expected = _mixture(task, cohort, target, donors, fitted.weights)
        return float((target - expected)[list(cohort.effect)].mean())

    def estimate(self, task: Task) -> Estimate:
        """The effect with the weights of donors and, where there are some, of predictors."""
        cohort = task.cohorts[0]
        target = task.outcome[list(cohort.units)].mean(axis=0)
        fitted = _fit(task, cohort, target, list(task.donors), None)
        expected = _mixture(task, cohort, target, list(task.donors), fitted.weights)
        effect = float((target - expected)[list(cohort.effect)].mean())
        placebos = _placebos(task, cohort)
        periods = (*cohort.fit, *cohort.effect)
        where = list(periods)
        found = Estimate(
            NAME,
            effect,
            periods,
            tuple(map(float, target[where])),
            tuple(map(float, expected[where])),
            weights=_named(task.names(task.donors), fitted.weights),
            predictor_weights=fitted.importance,
            checks=(ratio_check(cohort, target, expected, fitted),),
        )
        return by_placebos(task, found, placebos)


def few(task: Task) -> Message | None:
    """What every design that mixes donors needs."""
    if len(task.cohorts) > 1:
        return say("different-starts")
    if len(task.donors) < _FEWEST_DONORS:
        return say("mixture-donors", donors=len(task.donors))
    if len(task.donors) > _MOST_DONORS:
        return say("mixture-many", donors=len(task.donors), most=_MOST_DONORS)
    if len(task.cohorts[0].fit) < _FEWEST_PERIODS:
        periods = len(task.cohorts[0].fit)
        return say("mixture-periods", periods=periods, needed=_FEWEST_PERIODS)
    return None


def _fit(task: Task, cohort: Cohort, target: Array, donors: list[int], unit: int | None) -> Fitted:
    """Weights of `donors` for a treated series: the cohort's, or that of the placebo `unit`."""
    fit = list(cohort.fit)
    before, ours = task.outcome[np.ix_(donors, fit)].T, target[fit]
    if task.predictors is not None:
        own = cohort.units if unit is None else (unit,)
        return fit_predictors(task, own, donors, before, ours)
    if task.spec.intercept:
        before, ours = before - before.mean(axis=0), ours - ours.mean()
    return Fitted(simplex_least_squares(before, ours))


def _mixture(task: Task, cohort: Cohort, target: Array, donors: list[int], weights: Array) -> Array:
    mixed: Array = weights @ task.outcome[donors]
    if task.spec.intercept:
        fit = list(cohort.fit)
        mixed = mixed + float((target - mixed)[fit].mean())
    return mixed


def _placebos(task: Task, cohort: Cohort) -> Placebos:
    """Each donor as if it had been treated. Without predictors all of them share one matrix of
    products."""
    donors = list(task.donors)
    if task.predictors is not None:
        return run_placebos(donors, lambda one, others: _placebo(task, cohort, one, others))
    before = task.outcome[np.ix_(donors, list(cohort.fit))]
    after = task.outcome[np.ix_(donors, list(cohort.effect))].mean(axis=1)
    if task.spec.intercept:
        middle = before.mean(axis=1)
        before, after = before - middle[:, None], after - middle
    gram = before @ before.T
    definite = before.shape[1] > len(donors)

    def effect(one: int, others: list[int]) -> float | None:
        if len(others) < _FEWEST_DONORS:
            return None
        weights = simplex_quadratic(gram[others][:, others], gram[others, one], definite=definite)
        return float(after[one] - weights @ after[others])

    return run_placebos(range(len(donors)), effect)


def _placebo(task: Task, cohort: Cohort, one: int, others: list[int]) -> float | None:
    if len(others) < _FEWEST_DONORS:
        return None
    target = task.outcome[one]
    found = _fit(task, cohort, target, others, one)
    expected = _mixture(task, cohort, target, others, found.weights)
    return float((target - expected)[list(cohort.effect)].mean())


def _no_hull(task: Task) -> Message | None:
    """The treated place lies outside what donors reach, or is not met before the start."""
    cohort = task.cohorts[0]
    fit = list(cohort.fit)
    target = task.outcome[list(cohort.units)].mean(axis=0)
    donors = task.outcome[np.ix_(list(task.donors), fit)]
    ours, theirs = float(target[fit].mean()), donors.mean(axis=1)
    if not theirs.min() <= ours <= theirs.max():
        return say("mixture-outside", ours=ours, low=theirs.min(), high=theirs.max())
    fitted = _fit(task, cohort, target, list(task.donors), None)
    expected = _mixture(task, cohort, target, list(task.donors), fitted.weights)
    error, size = rmse(target, expected, fit), float(target[fit].std())
    if error > WORST_FIT * size:
        return say("mixture-misses", error=error, spread=size)
    return None


def rmse(target: Array, expected: Array, periods: Sequence[int]) -> float:
    """Root of the mean squared gap over some periods."""
    return float(np.sqrt(np.mean((target - expected)[list(periods)] ** 2)))


def ratio_check(cohort: Cohort, target: Array, expected: Array, fitted: Fitted) -> Check:
    """How well the mixture met the treated place before the start."""
    error = rmse(target, expected, cohort.fit)
    size = float(target[list(cohort.fit)].std())
    good = error <= WORST_FIT * size
    used = int((fitted.weights > 1e-3).sum())
    return Check(
        "fit before the start",
        "passed" if good else "failed",
        say("fit-missed", donors=used, error=error, spread=size),
        {"error": error, "spread": size},
    )


def _named(names: list[str], weights: Array) -> dict[str, float]:
    return {name: float(w) for name, w in zip(names, weights, strict=True)}
