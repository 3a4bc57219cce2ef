"""Whether the result depends on choices that others would have made otherwise."""

from __future__ import annotations

import numpy as np

from rynek.practices.checks.donors import effect_alone
from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Case, Check

__all__ = ["level_and_log", "window"]

_FEWEST = 6
_SHARES = (1 / 2, 2 / 3, 5 / 6)


def level_and_log(case: Case) -> Check:
    """The same design on the outcome's logarithm (or on its level): sign and significance."""
    task, design, estimate = case.task, case.design, case.estimate
    name = "level against logarithm"
    logs = task.spec.transform == "log"
    if not logs and not (np.nanmin(task.seen) > 0):
        reason = "the outcome has values that are not above 0: it has no logarithm"
        return Check(name, "not applicable", reason)
    change = np.exp if logs else np.log
    other = task.replace(outcome=change(task.outcome), seen=change(task.seen), predictors=None)
    refusal = design.refuses(other)
    if refusal:
        return Check(name, "not applicable", f"not on the other scale: {refusal}")
    found = design.estimate(other)
    figures = {"effect": found.effect, "p_value": found.p_value}
    # With few placebos the smallest p-value that there is stands for what can be told from zero.
    alpha = max(1 - task.spec.confidence, 1.001 / (len(estimate.placebos) + 1))
    if not estimate.placebos:
        alpha = 1 - task.spec.confidence
    scale = "level" if logs else "logarithm"
    if np.sign(found.effect) != np.sign(estimate.effect):
        reason = f"on the {scale} the effect has the other sign ({found.effect:.3g})"
        return Check(name, "failed", reason, figures)
    ours, theirs = ((one is not None and one <= alpha) for one in (estimate.p_value, found.p_value))
    if ours != theirs:
        which = "level" if ours != logs else "logarithm"
        reason = (
            f"only on the {which} does the effect stand out (p-values here"
            f" {estimate.p_value or 1:.3f}, on the {scale} {found.p_value or 1:.3f})"
        )
        return Check(name, "failed", reason, figures)
    return Check(name, "passed", f"on the {scale} sign and significance are the same", figures)


def window(case: Case) -> Check:
    """The estimate from the later half, two thirds and five sixths of the time before alone."""
    task, design, estimate = case.task, case.design, case.estimate
    name = "fit window"
    cohort = task.cohorts[0]
    if len(_later(cohort, 1 / 2).fit) < _FEWEST:
        reason = f"{len(cohort.fit)} periods before the start are too few to halve"
        return Check(name, "not applicable", reason)
    figures: dict[str, float] = {}
    for share in _SHARES:
        shorter = task.replace(cohorts=tuple(_later(one, share) for one in task.cohorts))
        refusal = design.refuses(shorter)
        if refusal and not figures:
            return Check(name, "not applicable", f"not with half of the periods: {refusal}")
        if not refusal:
            first = task.panel.labels[shorter.cohorts[0].fit[0]]
            figures[f"from {first}"] = effect_alone(design, shorter)
    allowed = max(abs(estimate.effect) / 2, estimate.standard_error or 0.0)
    low, high = min(figures.values()), max(figures.values())
    reason = f"learnt from less of the time before, the effect goes from {low:.3g} to {high:.3g}"
    good = max(abs(one - estimate.effect) for one in (low, high)) <= allowed
    return Check(name, "passed" if good else "failed", reason, figures)


def _later(cohort: Cohort, share: float) -> Cohort:
    """The same with the later `share` of the periods before the start."""
    fit = cohort.fit[len(cohort.fit) - round(share * len(cohort.fit)) :]
    return Cohort(cohort.units, cohort.start, fit, cohort.effect)
