"""Difference in differences: the change of the treated against the change of the compared.

Inference: with at least four treated and four compared units the bias-reduced clustered error with
Bell-McCaffrey degrees of freedom, which for one start and two groups is the error of a difference
of two means of changes (Bell & McCaffrey 2002; Imbens & Kolesár 2016; Pustejovsky & Tipton 2018);
a wild bootstrap stands beside it. With fewer treated units a
clustered error is far too small, so there are placebos only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array
from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Estimate
from rynek.practices.estimators.wild import wild_bootstrap
from rynek.practices.placebo import ROUNDING, by_placebos, run_placebos
from rynek.practices.saying import say
from rynek.practices.task import Task

NAME = "did"
FEWEST = 4


class DifferenceInDifferences:
    """The contract's `Design`."""

    name = NAME

    def refuses(self, task: Task) -> Message | None:
        """Needs somebody to compare with, and one start."""
        if not task.donors:
            return say("no-compared-unit")
        if len(task.cohorts) > 1:
            return say("different-starts-mixed")
        return None

    def effect(self, task: Task) -> float:
        """The effect alone."""
        changes = _changes(task.outcome, task.cohorts[0])
        ours, theirs = changes[list(task.cohorts[0].units)], changes[list(task.donors)]
        return float(ours.mean() - theirs.mean())

    def estimate(self, task: Task) -> Estimate:
        """The effect, by unit changes."""
        cohort = task.cohorts[0]
        changes = _changes(task.outcome, cohort)
        treated, compared = changes[list(cohort.units)], changes[list(task.donors)]
        effect = float(treated.mean() - compared.mean())
        periods = (*cohort.fit, *cohort.effect)
        observed, expected = _paths(task, cohort, periods)
        found = Estimate(NAME, effect, periods, observed, expected, weights=_equal(task))
        if min(len(treated), len(compared)) >= FEWEST:
            return clustered(task, found, treated, compared)
        placebos = run_placebos(
            range(len(compared)),
            lambda one, others: float(compared[one] - compared[others].mean()) if others else None,
        )
        return by_placebos(task, found, placebos)


def _changes(outcome: Array, cohort: Cohort) -> Array:
    """The change of each unit from the periods before to those of the effect."""
    after = outcome[:, list(cohort.effect)].mean(axis=1)
    found: Array = after - outcome[:, list(cohort.fit)].mean(axis=1)
    return found


def _paths(
    task: Task, cohort: Cohort, periods: tuple[int, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    ours = task.outcome[list(cohort.units)].mean(axis=0)
    theirs = task.outcome[list(task.donors)].mean(axis=0)
    fit = list(cohort.fit)
    shift = float(ours[fit].mean() - theirs[fit].mean())
    where = list(periods)
    return tuple(map(float, ours[where])), tuple(map(float, theirs[where] + shift))


def clustered(task: Task, estimate: Estimate, ours: Array, theirs: Array) -> Estimate:
    """The estimate with error, interval and p-value of a difference of means of clusters, and a
    wild bootstrap beside them."""
    from scipy.stats import t

    error, freedom = two_sample(ours, theirs)
    if error <= ROUNDING * float(np.abs(task.outcome[list(task.donors)]).max()):
        return dataclasses.replace(estimate, uncertainty=say("sure-still"))
    confidence = task.spec.confidence
    reach = float(t.ppf(0.5 + confidence / 2, freedom)) * error
    p_value = float(2 * t.sf(abs(estimate.effect) / error, freedom))
    check = wild_bootstrap(ours, theirs, p_value, confidence, task.spec.seed)
    return dataclasses.replace(
        estimate,
        standard_error=error,
        interval=(estimate.effect - reach, estimate.effect + reach),
        p_value=p_value,
        uncertainty=say("sure-clustered", freedom=freedom, treated=len(ours), compared=len(theirs)),
        checks=(*estimate.checks, check),
    )


def two_sample(ours: Array, theirs: Array) -> tuple[float, float]:
    """The bias-reduced (CR2) error of a difference of means of clusters, and its Satterthwaite
    degrees of freedom: the fewer of Bell & McCaffrey's, which suppose equal noise, and those from
    the variances that were seen. Either alone covers too little somewhere: the first where treated
    places are noisier, the second where few of them happen to lie close together."""
    parts = [float(one.var(ddof=1)) / len(one) for one in (ours, theirs)]
    total = sum(parts)
    if total <= 0:
        return 0.0, float(len(ours) + len(theirs) - 2)
    sizes = (len(ours), len(theirs))
    supposed = satterthwaite([1 / many for many in sizes], sizes)
    # Shares: squares of very large or small variances would be none.
    seen = satterthwaite([one / total for one in parts], sizes)
    return float(np.sqrt(total)), min(supposed, seen)


def two_samples(ours: Array, theirs: Array, confidence: float) -> tuple[Array, Array]:
    """The same for many draws at once, each (draws × units): errors, and how many of them an
    interval reaches to either side."""
    from scipy.stats import t

    sizes = (ours.shape[1], theirs.shape[1])
    parts = [
        one.var(axis=1, ddof=1) / many for one, many in zip((ours, theirs), sizes, strict=True)
    ]
    total = np.maximum(parts[0] + parts[1], 1e-300)
    below = parts[0] ** 2 / (sizes[0] - 1) + parts[1] ** 2 / (sizes[1] - 1)
    seen = total**2 / np.maximum(below, 1e-300)
    freedom = np.minimum(seen, satterthwaite([1 / many for many in sizes], sizes))
    return np.sqrt(total), np.asarray(t.ppf(0.5 + confidence / 2, freedom), dtype=np.float64)


def satterthwaite(parts: Sequence[float], sizes: Sequence[int]) -> float:
    """Degrees of freedom of a sum of `parts` that are variances of means over `sizes`."""
    below = sum(part**2 / (many - 1) for part, many in zip(parts, sizes, strict=True))
    return sum(parts) ** 2 / below


def _equal(task: Task) -> dict[str, float]:
    return {name: 1 / len(task.donors) for name in task.names(task.donors)}
