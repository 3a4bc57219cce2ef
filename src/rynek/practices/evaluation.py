"""`evaluate`: from a specification to an effect, with its checks, its level and a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from rynek.base.errors import BadRequestData, Problem
from rynek.base.messages import Message
from rynek.practices.arrays import Array
from rynek.practices.checks import effect_alone, run_checks
from rynek.practices.estimate import Case, Check, Design, Estimate, first_treated, percents
from rynek.practices.estimators.augmented import AugmentedSyntheticControl
from rynek.practices.estimators.bsts import BayesianSeries
from rynek.practices.estimators.did import FEWEST, DifferenceInDifferences
from rynek.practices.estimators.event_study import EventStudy
from rynek.practices.estimators.its import InterruptedTimeSeries
from rynek.practices.estimators.randomised import Randomised
from rynek.practices.estimators.sdid import SyntheticDifferenceInDifferences
from rynek.practices.estimators.synthetic import SyntheticControl
from rynek.practices.evidence import Level, level_of
from rynek.practices.panel import Panel
from rynek.practices.saying import say
from rynek.practices.sentences import sentences
from rynek.practices.specification import Specification
from rynek.practices.task import Ask, Task, make_task, outcome_of, task_of

__all__ = ["DESIGNS", "Evaluation", "evaluate", "evaluate_panel"]

DESIGNS: Final[Mapping[str, Design]] = {
    one.name: one
    for one in (
        DifferenceInDifferences(),
        SyntheticDifferenceInDifferences(),
        SyntheticControl(),
        AugmentedSyntheticControl(),
        EventStudy(),
        Randomised(),
        BayesianSeries(),
        InterruptedTimeSeries(),
    )
}


# Values or donors from which on other designs are told by their effect alone.
_LARGE: Final = 200_000
_MANY: Final = 150


@dataclass(frozen=True)
class Evaluation:
    """The answer: an estimate with its checks, level of evidence and sentences by language."""

    task: Task
    estimate: Estimate
    checks: tuple[Check, ...]
    level: Level
    sentence: Mapping[str, str]
    why: Message
    others: tuple[Mapping[str, Any], ...]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        estimate, spec = self.estimate, self.task.spec
        share, shares = percents(self.task, estimate)
        return {
            "design": estimate.design,
            "why": str(self.why),
            "panel": msgspec.to_builtins(spec.panel),
            "outcome": outcome_of(spec),
            "transform": spec.transform,
            "effect": estimate.effect,
            "effect_percent": share,
            "standard_error": estimate.standard_error,
            "interval": None if estimate.interval is None else list(estimate.interval),
            "interval_percent": None if shares is None else list(shares),
            "confidence": spec.confidence,
            "p_value": estimate.p_value,
            "uncertainty": str(estimate.uncertainty or ""),
            "weights": estimate.weights,
            "time_weights": estimate.time_weights,
            "predictor_weights": estimate.predictor_weights,
            "effects": _per_period(self.task, estimate),
            "placebo_effects": list(estimate.placebos) or None,
            "level": self.level.number,
            "level_reason": self.level.reason,
            "would_lift": self.level.would_lift,
            "checks": [one.document() for one in self.checks],
            "sentence": self.sentence["en"],
            "sentences": dict(self.sentence),
            "donors": self.task.names(self.task.donors),
            "left_out": {name: str(why) for name, why in self.task.left_out.items()},
            "alternatives": list(self.others),
            "cost": _per_cost(self.task, estimate),
            "messages": self._messages(),
        }

    def _messages(self) -> dict[str, Any]:
        """What is said in English above, by its id and parameters."""
        told = {
            "why": self.why,
            "uncertainty": self.estimate.uncertainty,
            "level_reason": self.level.why,
            "would_lift": self.level.lift,
        }
        found: dict[str, Any] = {
            name: one.document() for name, one in told.items() if one is not None
        }
        out = self.task.left_out.items()
        return found | {"left_out": {name: why.document() for name, why in out}}


def evaluate(spec: Specification, folder: Path, ask: Ask | None = None) -> Evaluation:
    """Estimate an effect as `spec` asks; its panel lies in `folder`, or `ask` gets it from
    recorded history.

    BadRequestData where there is nothing to estimate from, or the design that was asked for cannot
    be used, with the reason and what could.
    """
    return _evaluated(make_task(spec, folder, ask))


def evaluate_panel(spec: Specification, panel: Panel) -> Evaluation:
    """The same for a panel that is at hand."""
    return _evaluated(task_of(spec, panel))


def _evaluated(task: Task) -> Evaluation:
    _refuse_constant(task)
    design, why = _choose(task)
    estimate = design.estimate(task)
    if not math.isfinite(estimate.effect):
        raise BadRequestData(say("not-finite", design=design.name))
    checks = (*estimate.checks, *run_checks(Case(task, design, estimate)))
    has_inference = estimate.interval is not None or estimate.p_value is not None
    level = level_of(design, task, checks, has_inference=has_inference)
    return Evaluation(
        task,
        estimate,
        checks,
        level,
        sentences(task, estimate, level),
        why,
        tuple(_other(task, one) for one in DESIGNS.values() if one is not design),
    )


def _refuse_constant(task: Task) -> None:
    """An outcome that nothing moves before the start tells of the start alone: the flag of who is
    treated, for one, would be found to be its own effect."""
    start = min(cohort.start for cohort in task.cohorts)
    units = list({*task.treated, *task.donors})
    before = task.seen[units, :start]
    if float(np.nanmax(task.seen[units]) - np.nanmin(task.seen[units])) == 0:
        raise BadRequestData(say("constant", outcome=task.spec.outcome))
    still = [unit for unit in task.treated if _is_still(task.seen[unit])]
    # Among many a few may be so: nobody's earnings, no bicycle counted.
    if 2 * len(still) > len(task.treated):
        name, value = task.panel.units[still[0]], np.nanmax(task.seen[still[0]])
        raise BadRequestData(say("constant-unit", unit=name, value=float(value)))
    if float(np.nanmax(before) - np.nanmin(before)) == 0 and before.size > 1:
        raise BadRequestData(say("constant-before", outcome=task.spec.outcome))


def _is_still(values: Array) -> bool:
    there = values[~np.isnan(values)]
    return len(there) > 1 and float(np.ptp(there)) == 0


def _choose(task: Task) -> tuple[Design, Message]:
    """The design and why; never by its result."""
    wanted = task.spec.design
    if wanted == "auto":
        return _strongest(task)
    design = DESIGNS[wanted]
    refusal = design.refuses(task)
    if refusal:
        fit = [one.name for one in DESIGNS.values() if one.refuses(task) is None]
        if fit:
            told = say("design-refused-others", design=wanted, why=refusal, others=fit)
            raise BadRequestData(told)
        raise BadRequestData(say("design-refused", design=wanted, why=refusal))
    return design, say("why-asked")


def _strongest(task: Task) -> tuple[Design, Message]:
    refused: list[Message] = []
    for name, why in _order(task):
        refusal = DESIGNS[name].refuses(task)
        if refusal is None:
            return DESIGNS[name], say(why)
        refused.append(say("design-refused", design=name, why=refusal))
    raise BadRequestData(say("none-fits", refused=refused))


def _order(task: Task) -> list[tuple[str, str]]:
    """Designs from the strongest on, each with the message of why it comes there; by how many
    places there are and how they came to it, never by a result."""
    order = [("randomised", "why-randomised")]
    if len(task.cohorts) > 1:
        order.append(("event_study", "why-event-study"))
    if min(len(task.treated), len(task.donors)) >= FEWEST:
        order.append(("did", "why-did-several"))
    return [
        *order,
        ("sdid", "why-sdid"),
        ("synthetic_control", "why-synthetic"),
        ("did", "why-did-few"),
        ("bsts", "why-bsts"),
        ("its", "why-its"),
    ]


def _other(task: Task, design: Design) -> dict[str, Any]:
    """What another design gives for the same question."""
    refusal = design.refuses(task)
    if refusal:
        return _refused(design, refusal)
    try:
        if task.outcome.size > _LARGE or len(task.donors) > _MANY:
            effect = effect_alone(design, task)
            return {"design": design.name, "effect": effect} | _told("without", say("alone-large"))
        found = design.estimate(task)
    except BadRequestData as problem:
        return _refused(design, problem)
    return {
        "design": design.name,
        "effect": found.effect,
        "standard_error": found.standard_error,
        "interval": None if found.interval is None else list(found.interval),
        "p_value": found.p_value,
    }


def _refused(design: Design, why: Message | Problem) -> dict[str, Any]:
    message = why.message if isinstance(why, Problem) else why
    if message is None:
        return {"design": design.name, "refused": str(why)}
    return {"design": design.name} | _told("refused", message)


def _told(key: str, message: Message) -> dict[str, Any]:
    """A reason in English, and its message beside it."""
    return {key: str(message), "message": message.document()}


def _per_cost(task: Task, estimate: Estimate) -> dict[str, Any] | None:
    """What one of the outcome's unit cost, in all; of the interval's ends where both say that there
    is an effect. None where nobody says what was spent."""
    cost = task.spec.cost
    if cost is None:
        return None
    told: dict[str, Any] = msgspec.to_builtins(cost)
    if estimate.interval is None or estimate.interval[0] <= 0 <= estimate.interval[1]:
        return told | {"per_effect": None} | _told("reason", say("cost-no-effect"))
    ends = sorted(abs(cost.amount / one) for one in estimate.interval)
    return told | {"per_effect": abs(cost.amount / estimate.effect), "per_effect_interval": ends}


def _per_period(task: Task, estimate: Estimate) -> list[dict[str, Any]]:
    start = first_treated(task, estimate)
    labels = estimate.labels or [task.panel.labels[one] for one in estimate.periods]
    return [
        {
            "period": label,
            "observed": seen,
            "expected": expected,
            "effect": seen - expected,
            "treated": one >= start,
        }
        for one, label, seen, expected in zip(
            estimate.periods, labels, estimate.observed, estimate.expected, strict=True
        )
    ]
