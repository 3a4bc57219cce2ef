"""What a design gives: an effect, what it rests on, and what it cannot say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import numpy as np

from rynek.base.messages import Message
from rynek.practices.task import Task

__all__ = [
    "Case",
    "Check",
    "Design",
    "Estimate",
    "Verdict",
    "first_treated",
    "percent",
    "percents",
    "share_of_logs",
]

# Of logarithms: e to this is as large as numbers go.
_MOST_LOG: Final = 700.0
_ROUNDING: Final = 1e-9

Verdict = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True)
class Check:
    """One thing that an honest statistician would ask, the answer, and its reason."""

    name: str
    verdict: Verdict
    message: Message
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """In plain English."""
        return str(self.message)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        told: dict[str, Any] = {"name": self.name, "verdict": self.verdict, "reason": self.reason}
        told["message"] = self.message.document()
        return told | ({"figures": dict(self.figures)} if self.figures else {})


@dataclass(frozen=True)
class Case:
    """What checks look at: the task, the design and what it found."""

    task: Task
    design: Design
    estimate: Estimate


@dataclass(frozen=True)
class Estimate:
    """The effect of a design in the outcome's unit (in logarithms where the outcome was
    transformed): the mean over the effect periods. `standard_error` and `interval` are None where
    the design has none, with the reason in `uncertainty`. `expected` is what would have been
    without the practice, for each period of `periods`; `observed` what was. `start` is the first
    treated one where it is not the task's, `labels` how the periods are called then."""

    design: str
    effect: float
    periods: tuple[int, ...]
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    standard_error: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    uncertainty: Message | None = None
    weights: dict[str, float] | None = None
    time_weights: dict[str, float] | None = None
    predictor_weights: dict[str, float] | None = None
    placebos: tuple[float, ...] = ()
    start: int | None = None
    labels: tuple[str, ...] | None = None
    checks: tuple[Check, ...] = ()


class Design(Protocol):
    """A way of estimating. `refuses` says why it cannot be used for a task, or None; `estimate`
    is only called where it can. Nothing in either may depend on the size of the effect."""

    name: str

    def refuses(self, task: Task) -> Message | None:
        """Why not, by what is missing; None where it can be used."""
        ...

    def estimate(self, task: Task) -> Estimate:
        """The effect."""
        ...


def first_treated(task: Task, estimate: Estimate) -> int:
    """The first treated one among an estimate's periods."""
    return task.cohorts[0].start if estimate.start is None else estimate.start


def share_of_logs(value: float) -> float:
    """What a change of logarithms is as a share: 0.1 is 10.5 % more."""
    return math.expm1(min(value, _MOST_LOG))


def percent(task: Task, estimate: Estimate) -> float | None:
    """The effect in per cent of what would have been; None where that is not above zero, or the
    outcome may lie below zero (a temperature): a share of such says nothing."""
    return percents(task, estimate)[0]


def percents(
    task: Task, estimate: Estimate
) -> tuple[float | None, tuple[float | None, float | None] | None]:
    """The effect in per cent and, of an interval, its ends: each as a share of what would have been
    if that were the effect. None at an end where nothing would have been, or less."""
    ends = estimate.interval
    if task.spec.transform == "log":
        effect = 100 * share_of_logs(estimate.effect)
        return effect, ends and (100 * share_of_logs(ends[0]), 100 * share_of_logs(ends[1]))
    start = first_treated(task, estimate)
    after = [n for n, one in enumerate(estimate.periods) if one >= start]
    base = float(np.mean([estimate.expected[n] for n in after]))
    if base <= _ROUNDING * abs(estimate.effect) or min(estimate.observed) < 0:
        return None, None
    seen = base + estimate.effect

    def share(one: float) -> float | None:
        without = seen - one
        return 100 * one / without if without > _ROUNDING * abs(one) else None

    return 100 * estimate.effect / base, ends and (share(ends[0]), share(ends[1]))
