"""Augmented synthetic control: a mixture of donors, and a ridge regression for what it misses.

Ben-Michael, Feller & Rothstein 2021. Where no mixture meets the treated place, weights may become
negative, as little as the fit needs: how much is chosen by leaving out blocks of the periods before
the start, never by the effect.
"""

from __future__ import annotations

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array
from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Estimate
from rynek.practices.estimators.synthetic import few
from rynek.practices.placebo import by_placebos, run_placebos
from rynek.practices.simplex import simplex_least_squares
from rynek.practices.task import Task

NAME = "augmented_synthetic_control"
_BLOCKS = 5
_RIDGES = 12


class AugmentedSyntheticControl:
    """The contract's `Design`."""

    name = NAME

    def refuses(self, task: Task) -> Message | None:
        """Needs donors and periods as every mixture does."""
        return few(task)

    def effect(self, task: Task) -> float:
        """The effect alone."""
        cohort = task.cohorts[0]
        target = task.outcome[list(cohort.units)].mean(axis=0)
        return _gap(task, cohort, target, _weights(task, cohort, target, list(task.donors)))

    def estimate(self, task: Task) -> Estimate:
        """The effect with its weights."""
        cohort, donors = task.cohorts[0], list(task.donors)
        target = task.outcome[list(cohort.units)].mean(axis=0)
        weights = _weights(task, cohort, target, donors)
        expected = weights @ task.outcome[donors]
        periods = (*cohort.fit, *cohort.effect)
        where = list(periods)
        found = Estimate(
            NAME,
            _gap(task, cohort, target, weights),
            periods,
            tuple(map(float, target[where])),
            tuple(map(float, expected[where])),
            weights=dict(zip(task.names(task.donors), map(float, weights), strict=True)),
        )
        placebos = run_placebos(
            task.donors, lambda one, others: _placebo(task, cohort, one, others)
        )
        return by_placebos(task, found, placebos)


def _gap(task: Task, cohort: Cohort, target: Array, weights: Array) -> float:
    expected = weights @ task.outcome[list(task.donors)]
    return float((target - expected)[list(cohort.effect)].mean())


def _placebo(task: Task, cohort: Cohort, one: int, others: list[int]) -> float | None:
    if len(others) < 2:
        return None
    target = task.outcome[one]
    expected = _weights(task, cohort, target, others) @ task.outcome[others]
    return float((target - expected)[list(cohort.effect)].mean())


def _weights(task: Task, cohort: Cohort, target: Array, donors: list[int]) -> Array:
    """Weights of donors; they add up to one, and some may be negative."""
    fit = list(cohort.fit)
    before, ours = task.outcome[np.ix_(donors, fit)], target[fit]
    middle = before.mean(axis=0)
    before, ours = before - middle, ours - middle
    return _augmented(before, ours, _ridge(before, ours))


def _augmented(before: Array, ours: Array, ridge: float) -> Array:
    """`before` is (donors × periods), centred over donors, so that the correction adds up to 0."""
    mixed = simplex_least_squares(before.T, ours)
    missed = ours - mixed @ before
    values, vectors = _turned(before)
    corrected: Array = mixed + vectors @ ((vectors.T @ (before @ missed)) / (values + ridge))
    return corrected


def _turned(rows: Array) -> tuple[Array, Array]:
    """The values and vectors of rows' products with each other, by the shorter side; those of 0
    are left out where there are more rows than columns."""
    many, periods = rows.shape
    if many <= periods:
        values, vectors = np.linalg.eigh(rows @ rows.T)
        return values, vectors
    vectors, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    return sizes**2, vectors


def _ridge(before: Array, ours: Array) -> float:
    """The penalty that predicts left-out blocks of periods best."""
    largest = float(_turned(before)[0].max()) or 1.0
    ridges = largest * np.logspace(1, -4, _RIDGES)
    blocks = np.array_split(np.arange(len(ours)), min(_BLOCKS, len(ours)))
    errors = np.zeros(_RIDGES)
    for block in blocks:
        rest = np.setdiff1d(np.arange(len(ours)), block)
        kept, target = before[:, rest], ours[rest]
        mixed = simplex_least_squares(kept.T, target)
        missed = kept @ (target - mixed @ kept)
        values, vectors = _turned(kept)
        turned = vectors.T @ missed
        for n, ridge in enumerate(ridges):
            weights = mixed + vectors @ (turned / (values + ridge))
            errors[n] += float(((ours[block] - weights @ before[:, block]) ** 2).sum())
    return float(ridges[int(np.argmin(errors))])
