"""Synthetic difference in differences (Arkhangelsky, Athey, Hirshberg, Imbens & Wager 2021).

Donors are weighted so that they run parallel to the treated place before the start, periods so that
they are like those after it; the effect is the difference in differences under both weights. Solved
exactly, where the authors' software stops its iterations early.
"""

from __future__ import annotations

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array
from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Estimate
from rynek.practices.estimators.synthetic import few
from rynek.practices.placebo import Placebos, by_placebos, run_placebos
from rynek.practices.simplex import simplex_least_squares, simplex_quadratic
from rynek.practices.task import Task

NAME = "sdid"
# The authors' regularisation of the weights of periods, in units of the noise.
_TIME_RIDGE = 1e-6
_MOST_BLOCKS = 100
# Values before the start; up to here the exact problem takes a second or two with all placebos.
_LARGE = 100_000
# Small beside the noise, and large enough that the optimum is one.
_EVEN_RIDGE = 1e-2


class SyntheticDifferenceInDifferences:
    """The contract's `Design`."""

    name = NAME

    def refuses(self, task: Task) -> Message | None:
        """Needs donors and periods as every mixture does."""
        return few(task)

    def effect(self, task: Task) -> float:
        """The effect alone."""
        cohort = task.cohorts[0]
        target = task.outcome[list(cohort.units)].mean(axis=0)
        return _effect(task.outcome, target, list(task.donors), cohort, len(cohort.units))[0]

    def estimate(self, task: Task) -> Estimate:
        """The effect with its weights of donors and of periods."""
        cohort = task.cohorts[0]
        target = task.outcome[list(cohort.units)].mean(axis=0)
        donors = list(task.donors)
        effect, units, times = _effect(task.outcome, target, donors, cohort, len(cohort.units))
        placebos = _placebos(task.outcome, donors, cohort, times)
        mixed = units @ task.outcome[donors]
        shift = float(times @ (target - mixed)[list(cohort.fit)])
        periods = (*cohort.fit, *cohort.effect)
        where = list(periods)
        labels = [task.panel.labels[one] for one in cohort.fit]
        found = Estimate(
            NAME,
            effect,
            periods,
            tuple(map(float, target[where])),
            tuple(map(float, mixed[where] + shift)),
            weights=dict(zip(task.names(task.donors), map(float, units), strict=True)),
            time_weights=dict(zip(labels, map(float, times), strict=True)),
        )
        return by_placebos(task, found, placebos)


def _effect(
    outcome: Array, target: Array, donors: list[int], cohort: Cohort, treated: int
) -> tuple[float, Array, Array]:
    """(effect, weights of donors, weights of periods before the start)."""
    fit, effect = list(cohort.fit), list(cohort.effect)
    before, after = outcome[np.ix_(donors, fit)], outcome[np.ix_(donors, effect)].mean(axis=1)
    noise = float(np.diff(before, axis=1).std(ddof=1))
    columns = before - before.mean(axis=1, keepdims=True)
    ridge = _ridge(noise, treated * len(effect), len(fit))
    units = simplex_quadratic(
        columns @ columns.T + ridge * np.eye(len(donors)),
        columns @ (target[fit] - target[fit].mean()),
        definite=ridge > 0,
    )
    times = _time_weights(before, after, noise)
    ours = float(target[effect].mean() - times @ target[fit])
    return ours - float(units @ (after - before @ times)), units, times


def _placebos(outcome: Array, donors: list[int], cohort: Cohort, near: Array) -> Placebos:
    """Each donor as if it alone had been treated; products and noise are computed once for all."""
    fit, effect = list(cohort.fit), list(cohort.effect)
    before, after = outcome[np.ix_(donors, fit)], outcome[np.ix_(donors, effect)].mean(axis=1)
    columns = before - before.mean(axis=1, keepdims=True)
    gram = columns @ columns.T
    steps = np.diff(before, axis=1)

    def placebo(one: int, others: list[int]) -> float | None:
        if len(others) < 2:
            return None
        noise = float(steps[others].std(ddof=1))
        ridge = _ridge(noise, len(effect), len(fit))
        part = gram[others][:, others]
        part[np.diag_indices(len(others))] += ridge
        units = simplex_quadratic(part, gram[others, one], definite=ridge > 0)
        times = _time_weights(before[others], after[others], noise, near)
        ours = float(after[one] - times @ before[one])
        return ours - float(units @ (after[others] - before[others] @ times))

    return run_placebos(range(len(donors)), placebo)


def _ridge(noise: float, cells: int, periods: int) -> float:
    """The authors' penalty on the weights of donors."""
    return float(np.sqrt(cells) * noise**2 * periods)


def _time_weights(before: Array, after: Array, noise: float, near: Array | None = None) -> Array:
    """Weights of periods. With as many periods as donors many weights meet every donor exactly: the
    penalty, larger then, takes the most even of them. In large panels neighbouring periods share a
    weight, in half as many blocks as there are donors."""
    many, periods = before.shape
    large = before.size > _LARGE and periods > many
    blocks = max(2, min(many // 2, _MOST_BLOCKS)) if large else periods
    edges = np.linspace(0, periods, blocks + 1).round().astype(np.intp)
    sizes = np.diff(edges)
    columns = np.add.reduceat(before, edges[:-1], axis=1) / sizes
    columns = columns - columns.mean(axis=0)
    size = _TIME_RIDGE if blocks < many else _EVEN_RIDGE
    start = None if near is None else np.add.reduceat(near, edges[:-1])
    ridge = (size * noise) ** 2 * many
    weights = simplex_least_squares(columns, after - after.mean(), ridge, start)
    return np.asarray(np.repeat(weights / sizes, sizes), dtype=np.float64)
