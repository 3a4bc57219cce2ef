"""Whether the treated place's own record can be trusted around the start."""

from __future__ import annotations

import numpy as np

from rynek.practices.estimate import Case, Check
from rynek.practices.panel import Run, longest_run
from rynek.practices.saying import say
from rynek.practices.task import Task

__all__ = ["missing_around", "runs_around"]

_SHORTEST_RUN = 4
_TOLERATED = 0.2


def runs_around(case: Case) -> Check:
    """Stretches in which the treated place's value never changes: a stuck or a dead sensor."""
    task = case.task
    name = "runs of equal values"
    found = [(run, unit) for unit in task.treated if (run := _run(task, unit)) is not None]
    run, unit = max(found, default=(None, 0), key=lambda one: one[0].length)
    usual = [one.length if (one := _run(task, donor)) else 0 for donor in task.donors]
    limit = max(_SHORTEST_RUN, 2 * int(np.median(usual)) if usual else _SHORTEST_RUN)
    if run is None or run.length < limit:
        return Check(name, "passed", say("runs-none"))
    reason = say(
        "runs-found",
        unit=task.panel.units[unit],
        value=run.value,
        periods=run.length,
        first=run.first,
        last=run.last,
    )
    return Check(
        name, "failed", reason, {"periods": run.length, "of_that_value_in_all": run.in_all}
    )


def _run(task: Task, unit: int) -> Run | None:
    """The longest run in a unit's record, before its readings were aggregated."""
    if task.panel.runs is not None:
        return task.panel.runs.get(task.panel.units[unit])
    series, labels = task.seen[unit], task.panel.labels
    length, start = longest_run(series)
    if not length:
        return None
    value = float(series[start])
    last = labels[start + length - 1]
    return Run(length, value, labels[start], last, int((series == value).sum()))


def missing_around(case: Case) -> Check:
    """How much of the treated record is missing around the start (of each place around its own),
    against all of it."""
    task = case.task
    name = "missing values"
    reach = max(2, len(task.panel.times) // 10)
    gaps = np.isnan(task.seen)
    near = [
        gaps[list(one.units), max(0, one.start - reach) : one.start + reach].ravel()
        for one in task.cohorts
    ]
    share, overall = float(np.concatenate(near).mean()), float(gaps[list(task.treated)].mean())
    figures = {"around_the_start": share, "in_all": overall, "filled": task.filled}
    if share > _TOLERATED:
        return Check(name, "failed", say("missing-many", share=share), figures)
    return Check(name, "passed", say("missing-few", share=share, overall=overall), figures)
