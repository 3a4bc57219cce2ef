"""Whether the donors can stand for the treated place, and whether one of them decides."""

from __future__ import annotations

import numpy as np

from rynek.practices.estimate import Case, Check, Design
from rynek.practices.saying import say
from rynek.practices.task import Task

__all__ = ["in_reach", "leave_one_out"]

_MOST_REFITS = 60
_USED = 0.005


def in_reach(case: Case) -> Check:
    """Convex hull: the treated place before the start against the range of the donors."""
    task = case.task
    name = "convex hull"
    if not task.donors:
        return Check(name, "not applicable", say("hull-no-donors"))
    cohort = task.cohorts[0]
    fit = list(cohort.fit)
    ours = task.outcome[list(cohort.units)].mean(axis=0)[fit]
    theirs = task.outcome[np.ix_(list(task.donors), fit)]
    outside = float(((ours > theirs.max(axis=0)) | (ours < theirs.min(axis=0))).mean())
    figures = {"share_outside": outside}
    inside = theirs.mean(axis=1).min() <= ours.mean() <= theirs.mean(axis=1).max()
    if inside and outside <= 0.5:
        return Check(name, "passed", say("hull-inside"), figures)
    return Check(name, "failed", say("hull-outside", share=outside), figures)


def leave_one_out(case: Case) -> Check:
    """The estimate again without each donor that counts."""
    task, design, estimate = case.task, case.design, case.estimate
    name = "leave one donor out"
    weights = estimate.weights or {}
    # Of very many that weigh alike, each weighs little, and still those that weigh most are tried.
    least = min(_USED, 0.5 / len(task.donors)) if task.donors else _USED
    used = [one for one in task.donors if weights.get(task.panel.units[one], 0.0) > least]
    if len(used) < 2 or len(task.donors) < 3:
        return Check(name, "not applicable", say("leave-few"))
    used.sort(key=lambda one: -weights[task.panel.units[one]])
    found: dict[str, float] = {}
    for one in used[:_MOST_REFITS]:
        without = task.replace(donors=tuple(d for d in task.donors if d != one))
        # What the inference needs is not looked at: the effect alone.
        found[task.panel.units[one]] = effect_alone(design, without)
    low, high = min(found.values()), max(found.values())
    name_of = max(found, key=lambda unit: abs(found[unit] - estimate.effect))
    figures = {"smallest": low, "largest": high, "decides": name_of}
    allowed = max(abs(estimate.effect) / 2, estimate.standard_error or 0.0)
    steady = max(abs(one - estimate.effect) for one in (low, high)) <= allowed
    if steady:
        return Check(name, "passed", say("leave-steady", low=low, high=high), figures)
    why = say("leave-decides", low=low, high=high, unit=name_of)
    return Check(name, "failed", why, figures)


def effect_alone(design: Design, task: Task) -> float:
    """The effect without its inference where the design can give that (it is much quicker)."""
    quick = getattr(design, "effect", None)
    return float(quick(task)) if quick is not None else design.estimate(task).effect
