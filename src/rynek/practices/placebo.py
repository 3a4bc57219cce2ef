"""Inference by placebos in space: the same estimate for every donor as if it had been treated.

A rank p-value is exact only where treatment was assigned as good as at random, and never below
1 / (donors + 1). An interval is what the ranks do not reject.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import spread
from rynek.practices.estimate import Estimate
from rynek.practices.saying import say
from rynek.practices.task import Task

__all__ = ["ROUNDING", "Placebos", "by_placebos", "run_placebos"]

_FEWEST = 3
# Of the outcome: what varies by less does not vary.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Placebos:
    """Effects found where there was none. `smallest_p` is the smallest that so many can give."""

    effects: tuple[float, ...]

    @property
    def standard_error(self) -> float | None:
        """Their spread; None with fewer than three."""
        return spread(np.array(self.effects)) if len(self.effects) >= _FEWEST else None

    @property
    def smallest_p(self) -> float:
        """1 / (placebos + 1)."""
        return 1 / (len(self.effects) + 1)

    def p_value(self, effect: float) -> float:
        """The share of placebos, with the treated itself, that are at least as far from zero."""
        size = np.abs(np.array(self.effects))
        # What is equal up to rounding is equal.
        as_far = int((size >= abs(effect) * (1 - 1e-9)).sum())
        return (1 + as_far) / (len(self.effects) + 1)

    def interval(self, effect: float, confidence: float) -> tuple[float, float] | None:
        """The effects that the ranks do not reject; None where so few placebos reject nothing."""
        count = len(self.effects)
        # Rejected where at most `beyond` placebos lie as far out as the difference.
        beyond = math.floor((1 - confidence) * (count + 1) + 1e-9) - 1
        if beyond < 0:
            return None
        reach = float(np.sort(np.abs(np.array(self.effects)))[::-1][beyond])
        return effect - reach, effect + reach

    def why_no_interval(self, confidence: float, donors: int) -> Message:
        """The reason."""
        needed = math.ceil(1 / (1 - confidence) - 1e-9) - 1
        return say(
            "sure-too-few",
            donors=donors,
            least=self.smallest_p,
            confidence=confidence,
            needed=needed,
        )


def run_placebos(
    donors: Sequence[int], effect_of: Callable[[int, list[int]], float | None]
) -> Placebos:
    """`effect_of(donor, others)` for each donor against the others; None where it has none."""
    found = []
    for one in donors:
        effect = effect_of(one, [other for other in donors if other != one])
        if effect is not None and math.isfinite(effect):
            found.append(effect)
    return Placebos(tuple(found))


def _is_still(task: Task, placebos: Placebos) -> bool:
    """Whether donors are met up to rounding: nothing varies by which an effect could be judged."""
    size = float(np.abs(task.outcome[list(task.donors)]).max())
    return float(np.abs(placebos.effects).max()) <= ROUNDING * size


def by_placebos(task: Task, estimate: Estimate, placebos: Placebos) -> Estimate:
    """The estimate with standard error, interval and p-value by placebos."""
    effect = estimate.effect
    if len(placebos.effects) > 1 and _is_still(task, placebos):
        return dataclasses.replace(
            estimate, placebos=placebos.effects, uncertainty=say("sure-still")
        )
    interval = placebos.interval(effect, task.spec.confidence)
    words = say("sure-placebos")
    if interval is None:
        words = placebos.why_no_interval(task.spec.confidence, len(task.donors))
    return dataclasses.replace(
        estimate,
        placebos=placebos.effects,
        standard_error=placebos.standard_error,
        interval=interval,
        p_value=placebos.p_value(effect) if placebos.effects else None,
        uncertainty=words,
    )
