"""How strong the evidence is: the Scientific Maryland Scale (Sherman et al. 1997), 1 to 5.

Placed so: one series without an untreated comparison 1, with covariates 2; difference in
differences 3; synthetic control, synthetic difference in differences and Bayesian series on
untreated places at most 3 (our placement); documented as-if-random assignment 4; randomised 5.
Where neither an interval nor a test says how sure a comparison is, at most 2 (our placement). A
failed check of those in LOWERING lowers it by one, however many fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rynek.base.messages import Message
from rynek.practices.arrays import Array
from rynek.practices.checks import LOWERING
from rynek.practices.estimate import Check, Design
from rynek.practices.saying import name_of_check, say
from rynek.practices.task import Task

__all__ = ["Level", "level_of"]

_PLACED_BY_US = frozenset(("synthetic_control", "augmented_synthetic_control", "sdid", "bsts"))


_UNTESTED = 2


@dataclass(frozen=True)
class Level:
    """A level with its reason, and what would lift it by one."""

    number: int
    why: Message
    lift: Message

    @property
    def reason(self) -> str:
        """In plain English."""
        return str(self.why)

    @property
    def would_lift(self) -> str:
        """In plain English."""
        return str(self.lift)


def level_of(
    design: Design, task: Task, checks: Sequence[Check], *, has_inference: bool = True
) -> Level:
    """The level of an estimate by its design, the documented assignment and its checks; without an
    interval and a p-value (`has_inference`) a comparison is told by its size alone."""
    number, reason, lift = _by_design(design, task)
    if number > _UNTESTED and not has_inference:
        number, reason = _UNTESTED, say("level-unsure", reason=reason)
        lift = say("lift-more-places")
    failed = [one.name for one in checks if one.verdict == "failed" and one.name in LOWERING]
    if failed and number > 1:
        named = [name_of_check(one) or one for one in failed]
        lift = say("lift-check" if len(failed) == 1 else "lift-checks", failed=named)
        return Level(number - 1, say("level-lowered", reason=reason, failed=named), lift)
    return Level(number, reason, lift)


def _own(task: Task) -> list[Array]:
    """The covariates of the treated: one that never changes explains nothing."""
    return [one[list(task.treated)] for one in task.covariates.values()]


def _by_design(design: Design, task: Task) -> tuple[int, Message, Message]:
    compared = (bool(task.donors) and design.name != "its") or design.name == "randomised"
    if compared and task.spec.assignment == "randomised":
        return 5, say("level-randomised"), say("lift-nothing")
    if compared and task.spec.assignment == "as_if_random":
        return 4, say("level-as-if-random"), say("lift-lot")
    if compared:
        ours = design.name in _PLACED_BY_US
        return 3, say("level-compared-ours" if ours else "level-compared"), say("lift-chance")
    if any(np.nanmax(one, initial=-np.inf) > np.nanmin(one, initial=np.inf) for one in _own(task)):
        return 2, say("level-covariates"), say("lift-places")
    return 1, say("level-series"), say("lift-covariates")
