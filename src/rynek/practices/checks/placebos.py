"""Effects where there was none: in other places, and at another time."""

from __future__ import annotations

import math

from rynek.practices.cohort import Cohort
from rynek.practices.estimate import Case, Check
from rynek.practices.saying import say

__all__ = ["in_space", "in_time"]

_FEWEST_BEFORE = 8


def in_space(case: Case) -> Check:
    """The rank of the effect among those of donors treated alike. An effect that does not stand out
    is a result and no fault of the design: nothing failed, there is nothing to doubt."""
    task, _design, estimate = case.task, case.design, case.estimate
    name = "placebo in space"
    count = len(estimate.placebos)
    if not count or estimate.p_value is None:
        return Check(name, "not applicable", say("placebo-space-none"))
    alpha = 1 - task.spec.confidence
    needed = math.ceil(1 / alpha - 1e-9) - 1
    figures = {"p_value": estimate.p_value, "placebos": count, "smallest_p": 1 / (count + 1)}
    if count < needed:
        return Check(
            name,
            "not applicable",
            say(
                "placebo-space-few",
                donors=count,
                least=1 / (count + 1),
                alpha=alpha,
                needed=needed,
                p=estimate.p_value,
            ),
            figures,
        )
    told = {
        "larger": round(estimate.p_value * (count + 1)) - 1,
        "places": count,
        "p": estimate.p_value,
    }
    if estimate.p_value <= alpha:
        return Check(name, "passed", say("placebo-space-apart", **told), figures)
    return Check(name, "not applicable", say("placebo-space-chance", **told), figures)


def in_time(case: Case) -> Check:
    """The same design with a start that was too early, over data from before the real one."""
    task, design, _estimate = case.task, case.design, case.estimate
    name = "placebo in time"
    cohort = task.cohorts[0]
    if len(cohort.fit) < _FEWEST_BEFORE:
        return Check(name, "not applicable", say("placebo-time-few", periods=len(cohort.fit)))
    if len(task.cohorts) > 1:
        return Check(name, "not applicable", say("several-starts"))
    if task.predictors is not None:
        return Check(name, "not applicable", say("placebo-time-predictors"))
    cut = len(cohort.fit) * 2 // 3
    early = Cohort(cohort.units, cohort.fit[cut], cohort.fit[:cut], cohort.fit[cut:])
    earlier = task.replace(cohorts=(early,))
    refusal = design.refuses(earlier)
    if refusal:
        return Check(name, "not applicable", say("placebo-time-refused", why=refusal))
    found = design.estimate(earlier)
    label = task.panel.labels[early.start]
    figures = {"start": label, "effect": found.effect, "standard_error": found.standard_error}
    if found.interval is not None:
        failed = not found.interval[0] <= 0 <= found.interval[1]
    elif found.standard_error is not None:
        failed = abs(found.effect) > 2 * found.standard_error
    else:
        return Check(name, "not applicable", say("no-error"), figures)
    told = {"effect": found.effect, "start": label}
    if failed:
        return Check(name, "failed", say("placebo-time-found", **told), figures)
    return Check(name, "passed", say("placebo-time-none", **told), figures)
