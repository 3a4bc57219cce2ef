"""Whether the result depends on choices that others would have made otherwise."""

from __future__ import annotations

import numpy as np

from rynek.practices.arrays import Array
from rynek.practices.checks.donors import effect_alone
from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Case, Check
from rynek.practices.saying import say

__all__ = ["level_and_log", "window"]

_FEWEST = 6
_SHARES = (1 / 2, 2 / 3, 5 / 6)


def level_and_log(case: Case) -> Check:
    """The same design on the outcome's logarithm (or on its level): sign and significance."""
    task, design, estimate = case.task, case.design, case.estimate
    name = "level against logarithm"
    logs = task.spec.transform == "log"
    # Of others, which are in no comparison, values at zero are nobody's concern.
    used = [*task.treated, *task.donors]
    if not logs and not (np.nanmin(task.seen[used]) > 0):
        return Check(name, "not applicable", say("log-none"))
    change = np.exp if logs else _log
    other = task.replace(outcome=change(task.outcome), seen=change(task.seen), predictors=None)
    refusal = design.refuses(other)
    if refusal:
        return Check(name, "not applicable", say("log-refused", why=refusal))
    found = design.estimate(other)
    figures = {"effect": found.effect, "p_value": found.p_value}
    # With few placebos the smallest p-value that there is stands for what can be told from zero.
    alpha = max(1 - task.spec.confidence, 1.001 / (len(estimate.placebos) + 1))
    if not estimate.placebos:
        alpha = 1 - task.spec.confidence
    scale = say("scale-level" if logs else "scale-log")
    if np.sign(found.effect) != np.sign(estimate.effect):
        why = say("log-other-sign", scale=scale, effect=found.effect)
        return Check(name, "failed", why, figures)
    ours, theirs = ((one is not None and one <= alpha) for one in (estimate.p_value, found.p_value))
    if ours != theirs:
        why = say(
            "log-only-one",
            which=say("scale-level" if ours != logs else "scale-log"),
            p=estimate.p_value or 1,
            scale=scale,
            other=found.p_value or 1,
        )
        return Check(name, "failed", why, figures)
    return Check(name, "passed", say("log-same", scale=scale), figures)


def _log(values: Array) -> Array:
    """The logarithm, none of what is not above zero."""
    found: Array = np.log(np.where(values > 0, values, np.nan))
    return found


def window(case: Case) -> Check:
    """The estimate from the later half, two thirds and five sixths of the time before alone."""
    task, design, estimate = case.task, case.design, case.estimate
    name = "fit window"
    cohort = task.cohorts[0]
    if len(_later(cohort, 1 / 2).fit) < _FEWEST:
        return Check(name, "not applicable", say("window-few", periods=len(cohort.fit)))
    figures: dict[str, float] = {}
    for share in _SHARES:
        shorter = task.replace(cohorts=tuple(_later(one, share) for one in task.cohorts))
        refusal = design.refuses(shorter)
        if refusal and not figures:
            return Check(name, "not applicable", say("window-refused", why=refusal))
        if not refusal:
            first = task.panel.labels[shorter.cohorts[0].fit[0]]
            figures[f"from {first}"] = effect_alone(design, shorter)
    allowed = max(abs(estimate.effect) / 2, estimate.standard_error or 0.0)
    low, high = min(figures.values()), max(figures.values())
    reason = say("window-range", low=low, high=high)
    good = max(abs(one - estimate.effect) for one in (low, high)) <= allowed
    return Check(name, "passed" if good else "failed", reason, figures)


def _later(cohort: Cohort, share: float) -> Cohort:
    """The same with the later `share` of the periods before the start."""
    fit = cohort.fit[len(cohort.fit) - max(1, round(share * len(cohort.fit))) :]
    return Cohort(cohort.units, cohort.start, fit, cohort.effect)
