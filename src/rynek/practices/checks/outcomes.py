"""Several outcomes of one practice: the best-looking of many proves nothing."""

from __future__ import annotations

import msgspec

from rynek.base.errors import BadRequestData
from rynek.practices.estimate import Case, Check
from rynek.practices.saying import say
from rynek.practices.task import task_of

__all__ = ["holm", "several"]

_NAME = "multiple outcomes"
_MOST = 20


def several(case: Case) -> Check:
    """The same design on the other outcomes, and p-values for all of them after Holm (1979)."""
    task, estimate = case.task, case.estimate
    spec = task.spec
    others = [one for one in dict.fromkeys(spec.outcomes) if one != spec.outcome]
    if not others:
        return Check(_NAME, "not applicable", say("outcomes-one"))
    if len(others) > _MOST:
        raise BadRequestData(f"outcomes: at most {_MOST}")
    values = {spec.outcome: estimate.p_value}
    effects = {spec.outcome: estimate.effect}
    refused = {}
    for name in others:
        asked = msgspec.structs.replace(spec, outcome=name, outcomes=[], predictors=[])
        try:
            other = task_of(asked, task.panel)
            refusal = case.design.refuses(other)
            if refusal:
                raise BadRequestData(refusal)
            found = case.design.estimate(other)
        except BadRequestData as problem:
            refused[name] = problem.detail
            continue
        values[name], effects[name] = found.p_value, found.effect
    known = {name: value for name, value in values.items() if value is not None}
    adjusted = holm(known)
    figures = {"effects": effects, "p_values": values, "holm": adjusted, "refused": refused}
    if spec.outcome not in adjusted:
        return Check(_NAME, "not applicable", say("outcomes-no-p"), figures)
    alpha = 1 - spec.confidence
    told = [say("outcome-p", outcome=name, p=value) for name, value in adjusted.items()]
    reason = say("outcomes-together", many=len(known), told=told)
    lost = known[spec.outcome] <= alpha < adjusted[spec.outcome]
    return Check(_NAME, "failed" if lost else "passed", reason, figures)


def holm(values: dict[str, float]) -> dict[str, float]:
    """p-values such that the chance of any false one stays what it was for one."""
    least, adjusted = 0.0, {}
    for place, (name, value) in enumerate(sorted(values.items(), key=lambda one: one[1])):
        least = max(least, min(1.0, (len(values) - place) * value))
        adjusted[name] = least
    return {name: adjusted[name] for name in values}
