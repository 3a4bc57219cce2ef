"""Whether the practice reached those that were to be compared, or their neighbours."""

from __future__ import annotations

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.practices.checks.donors import effect_alone
from rynek.practices.cohort import Cohort
from rynek.practices.donors import distance_km
from rynek.practices.estimate import Case, Check
from rynek.practices.saying import say
from rynek.practices.task import Task

__all__ = ["spill_over"]

_NAME = "spill-over to neighbours"
_MOST = 20
_FEWEST_DONORS = 6


def spill_over(case: Case) -> Check:
    """The same design with each neighbour in the place of the treated, against the same donors;
    where distances are known, also the estimate without the nearest third of the donors."""
    task = case.task
    if len(task.cohorts) > 1:
        return Check(_NAME, "not applicable", say("several-starts"))
    if not task.donors:
        return Check(_NAME, "not applicable", say("spill-no-donors"))
    near = _near(task)
    known = bool(task.panel.places)
    if not near and not known:
        return Check(_NAME, "not applicable", say("spill-unknown"))
    found = {task.panel.units[one]: _moved(case, one) for one in near[:_MOST]}
    moved = {name: effect for name, effect in found.items() if effect is not None}
    figures: dict[str, float] = {f"effect at {name}": effect for name, effect in moved.items()}
    allowed = _allowed(case)
    far = _without_nearest(case) if known else None
    if far is not None:
        figures["effect without the nearest third"] = far
        if abs(far - case.estimate.effect) > allowed:
            return Check(_NAME, "failed", say("spill-far-failed", effect=far), figures)
    reached = [name for name, effect in moved.items() if abs(effect) > allowed]
    if reached:
        why = say("spill-reached", units=reached[:3], effect=moved[reached[0]])
        return Check(_NAME, "failed", why, figures)
    told = [say("spill-still", neighbours=len(moved))] if moved else []
    told += [say("spill-far", effect=far)] if far is not None else []
    if not told:
        return Check(_NAME, "not applicable", say("spill-no-records"))
    return Check(_NAME, "passed", say("parts", told=told), figures)


def _allowed(case: Case) -> float:
    """What may be chance: two standard errors, or half of the effect where there is none."""
    error = case.estimate.standard_error
    return abs(case.estimate.effect) / 2 if error is None else 2 * error


def _near(task: Task) -> list[int]:
    named = {task.panel.unit(one) for one in task.spec.neighbours}
    treated = set(task.treated)
    for unit in range(len(task.panel.units)):
        distance = distance_km(task.panel, unit, treated)
        if unit not in treated and distance is not None and distance <= task.spec.near_km:
            named.add(unit)
    return sorted(named)


def _moved(case: Case, unit: int) -> float | None:
    """The effect found at a neighbour; None where its record does not allow to say."""
    task, cohort = case.task, case.task.cohorts[0]
    there = ~np.isnan(task.seen[unit])
    fit = tuple(one for one in cohort.fit if there[one])
    effect = tuple(one for one in cohort.effect if there[one])
    if len(fit) < len(cohort.fit) / 2 or len(effect) < len(cohort.effect) / 2:
        return None
    other = task.replace(cohorts=(Cohort((unit,), cohort.start, fit, effect),), predictors=None)
    if case.design.refuses(other):
        return None
    try:
        return effect_alone(case.design, other)
    except BadRequestData:
        return None


def _without_nearest(case: Case) -> float | None:
    task = case.task
    if len(task.donors) < _FEWEST_DONORS:
        return None
    treated = set(task.treated)
    distances = [distance_km(task.panel, one, treated) for one in task.donors]
    if any(one is None for one in distances):
        return None
    order = np.argsort(np.array(distances, dtype=np.float64), kind="stable")
    kept = sorted(task.donors[int(one)] for one in order[len(order) // 3 :])
    further = task.replace(donors=tuple(kept))
    return None if case.design.refuses(further) else effect_alone(case.design, further)
