"""Effects where there was none: in other places, and at another time."""

from __future__ import annotations

import math

from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Case, Check

__all__ = ["in_space", "in_time"]

_FEWEST_BEFORE = 8


def in_space(case: Case) -> Check:
    """The rank of the effect among those of donors treated alike. An effect that does not stand out
    is a result and no fault of the design: nothing failed, there is nothing to doubt."""
    task, _design, estimate = case.task, case.design, case.estimate
    name = "placebo in space"
    count = len(estimate.placebos)
    if not count or estimate.p_value is None:
        return Check(name, "not applicable", "this design has no placebos in other places")
    alpha = 1 - task.spec.confidence
    needed = math.ceil(1 / alpha - 1e-9) - 1
    figures = {"p_value": estimate.p_value, "placebos": count, "smallest_p": 1 / (count + 1)}
    if count < needed:
        return Check(
            name,
            "not applicable",
            f"with {count} donors a p-value cannot be below {1 / (count + 1):.3f}: {alpha:.0%}"
            f" cannot be reached with under {needed}; here it is {estimate.p_value:.3f}",
            figures,
        )
    words = "at least as large an effect is found in {n} of {count} places where nothing was done"
    larger = round(estimate.p_value * (count + 1)) - 1
    reason = words.format(n=larger, count=count) + (
        f" (p = {estimate.p_value:.3f}; exact only if the place was chosen as good as at random)"
    )
    if estimate.p_value <= alpha:
        return Check(name, "passed", reason, figures)
    reason += "; so the effect is no larger than what is found by chance: a result, no fault"
    return Check(name, "not applicable", reason, figures)


def in_time(case: Case) -> Check:
    """The same design with a start that was too early, over data from before the real one."""
    task, design, _estimate = case.task, case.design, case.estimate
    name = "placebo in time"
    cohort = task.cohorts[0]
    if len(cohort.fit) < _FEWEST_BEFORE:
        return Check(
            name,
            "not applicable",
            f"{len(cohort.fit)} periods before the start are too few to split",
        )
    if len(task.cohorts) > 1:
        return Check(name, "not applicable", "there are several starts")
    if task.predictors is not None:
        reason = "the predictors are of one time: with an earlier start they would know too much"
        return Check(name, "not applicable", reason)
    cut = len(cohort.fit) * 2 // 3
    early = Cohort(cohort.units, cohort.fit[cut], cohort.fit[:cut], cohort.fit[cut:])
    earlier = task.replace(cohorts=(early,))
    refusal = design.refuses(earlier)
    if refusal:
        return Check(name, "not applicable", f"not with an earlier start: {refusal}")
    found = design.estimate(earlier)
    label = task.panel.labels[early.start]
    figures = {"start": label, "effect": found.effect, "standard_error": found.standard_error}
    if found.interval is not None:
        failed = not found.interval[0] <= 0 <= found.interval[1]
    elif found.standard_error is not None:
        failed = abs(found.effect) > 2 * found.standard_error
    else:
        return Check(name, "not applicable", "the design gives no error to judge by", figures)
    if failed:
        reason = (
            f"an effect of {found.effect:.3g} is found from {label} on, when there was none yet"
        )
        return Check(name, "failed", reason, figures)
    reason = f"none is found from {label} on, when there was none yet ({found.effect:.3g})"
    return Check(name, "passed", reason, figures)
