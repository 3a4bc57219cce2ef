"""Event study: places that started at different times, each against those that never did.

Every treated place's change is taken around its own start and compared with the change of the never
treated over the same periods, so that places that started earlier are never the comparison for
those that start later (Callaway & Sant'Anna 2021; Goodman-Bacon 2021 for what goes wrong otherwise).
The mean is over treated places. It is a difference of two means of clusters, which gives its
bias-reduced error and degrees of freedom; a wild bootstrap stands beside them.
"""

from __future__ import annotations

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array, mean_of
from rynek.practices.estimate import Estimate
from rynek.practices.estimators.did import FEWEST, clustered
from rynek.practices.placebo import by_placebos, run_placebos
from rynek.practices.saying import say
from rynek.practices.task import Task

NAME = "event_study"


class EventStudy:
    """The contract's `Design`."""

    name = NAME

    def refuses(self, task: Task) -> Message | None:
        """Needs places that never were treated."""
        if not task.donors:
            return say("no-untreated-later" if len(task.cohorts) > 1 else "no-untreated")
        return None

    def effect(self, task: Task) -> float:
        """The effect alone."""
        ours, theirs = _changes(task)
        return float(ours.mean() - theirs.mean())

    def estimate(self, task: Task) -> Estimate:
        """The effect, and the path by the distance from each place's start."""
        ours, theirs = _changes(task)
        effect = float(ours.mean() - theirs.mean())
        distances, observed, expected = _path(task)
        found = Estimate(
            NAME,
            effect,
            distances,
            observed,
            expected,
            weights={name: 1 / len(task.donors) for name in task.names(task.donors)},
            start=0,
            labels=tuple(f"{one:+d}" for one in distances),
        )
        if min(len(ours), len(theirs)) >= FEWEST:
            return clustered(task, found, ours, theirs)
        placebos = run_placebos(
            range(len(theirs)),
            lambda one, others: float(theirs[one] - theirs[others].mean()) if others else None,
        )
        return by_placebos(task, found, placebos)


def _changes(task: Task) -> tuple[Array, Array]:
    """The change of each treated place around its start, and of each compared place the mean of
    its changes around those same starts; both less what the compared changed by around that start.
    What happened to everybody between one start and another is no noise of the treated."""
    ours, theirs, counts = [], [], []
    for cohort in task.cohorts:
        after = task.outcome[:, list(cohort.effect)].mean(axis=1)
        change = after - task.outcome[:, list(cohort.fit)].mean(axis=1)
        change = change - change[list(task.donors)].mean()
        ours += [float(change[one]) for one in cohort.units]
        theirs.append(change[list(task.donors)])
        counts.append(len(cohort.units))
    shares = np.array(counts) / sum(counts)
    return np.array(ours), shares @ np.array(theirs)


def _path(task: Task) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    """By distance from the start: the mean of treated places, and of what was expected of them."""
    places = sorted(
        {one - cohort.start for cohort in task.cohorts for one in (*cohort.fit, *cohort.effect)}
    )
    number = {distance: n for n, distance in enumerate(places)}
    rows: list[Array] = []
    expected: list[Array] = []
    for cohort in task.cohorts:
        theirs = task.outcome[list(task.donors)].mean(axis=0)
        fit, where = list(cohort.fit), [*cohort.fit, *cohort.effect]
        at = [number[one - cohort.start] for one in where]
        for unit in cohort.units:
            ours = task.outcome[unit]
            shift = float(ours[fit].mean() - theirs[fit].mean())
            for kept, values in ((rows, ours), (expected, theirs + shift)):
                line = np.full(len(places), np.nan)
                line[at] = values[where]
                kept.append(line)
    means = [mean_of(np.array(one), axis=0) for one in (rows, expected)]
    return tuple(places), tuple(map(float, means[0])), tuple(map(float, means[1]))
