"""Whether the treated place's own record can be trusted around the start."""

from __future__ import annotations

import numpy as np

from rynek.practices.arrays import Array
from rynek.practices.estimate import Case, Check

__all__ = ["missing_around", "runs_around"]

_SHORTEST_RUN = 4
_TOLERATED = 0.2


def runs_around(case: Case) -> Check:
    """Stretches in which the treated place's value never changes: a stuck or a dead sensor."""
    task = case.task
    name = "runs of equal values"
    found = [
        (length, start, unit)
        for unit in task.treated
        for length, start in [_longest(task.seen[unit])]
        if length
    ]
    length, start, unit = max(found, default=(0, 0, 0))
    usual = [_longest(task.seen[one])[0] for one in task.donors]
    limit = max(_SHORTEST_RUN, 2 * int(np.median(usual)) if usual else _SHORTEST_RUN)
    if length < limit:
        return Check(name, "passed", "the record has no long stretch without any change")
    value = float(task.seen[unit][start])
    labels = task.panel.labels
    reason = (
        f"{task.panel.units[unit]!r} reads {value:g} in {length} periods on end from"
        f" {labels[start]} to {labels[start + length - 1]}: a stuck or a dead sensor looks so"
    )
    zeros = int((task.seen[unit] == value).sum())
    return Check(name, "failed", reason, {"periods": length, "of_that_value_in_all": zeros})


def _longest(series: Array) -> tuple[int, int]:
    """(length, start) of the longest run of one value; gaps end a run."""
    if not len(series):
        return 0, 0
    same = np.concatenate([[False], series[1:] == series[:-1]])
    starts = np.flatnonzero(~same)
    lengths = np.diff(np.append(starts, len(series)))
    best = int(np.argmax(lengths))
    return (int(lengths[best]), int(starts[best])) if lengths[best] > 1 else (0, 0)


def missing_around(case: Case) -> Check:
    """How much of the treated record is missing around the start, against all of it."""
    task = case.task
    name = "missing values"
    cohort = task.cohorts[0]
    reach = max(2, len(task.panel.times) // 10)
    near = slice(max(0, cohort.start - reach), cohort.start + reach)
    gaps = np.isnan(task.seen[list(task.treated)])
    share, overall = float(gaps[:, near].mean()), float(gaps.mean())
    figures = {"around_the_start": share, "in_all": overall, "filled": task.filled}
    if share > _TOLERATED:
        reason = f"{share:.0%} of the values around the start are missing"
        return Check(name, "failed", reason, figures)
    reason = f"{share:.0%} of the values around the start are missing, {overall:.0%} in all"
    return Check(name, "passed", reason, figures)
