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

from rynek.practices.checks import LOWERING
from rynek.practices.estimate import Check, Design
from rynek.practices.task import Task

__all__ = ["Level", "level_of"]

_PLACED_BY_US = frozenset(("synthetic_control", "augmented_synthetic_control", "sdid", "bsts"))


_UNTESTED = 2


@dataclass(frozen=True)
class Level:
    """A level with its reason, and what would lift it by one."""

    number: int
    reason: str
    would_lift: str


def level_of(
    design: Design, task: Task, checks: Sequence[Check], *, has_inference: bool = True
) -> Level:
    """The level of an estimate by its design, the documented assignment and its checks; without an
    interval and a p-value (`has_inference`) a comparison is told by its size alone."""
    number, reason, lift = _by_design(design, task)
    if number > _UNTESTED and not has_inference:
        number, reason = _UNTESTED, f"{reason}, but nothing that says how sure it is"
        lift = "more places to compare with, so that chance can be told"
    failed = [one.name for one in checks if one.verdict == "failed" and one.name in LOWERING]
    if failed and number > 1:
        these = "this check holds" if len(failed) == 1 else "these checks hold"
        lift = f"data in which {these}: {', '.join(failed)}"
        return Level(number - 1, f"{reason}; lowered by one, failed: {', '.join(failed)}", lift)
    return Level(number, reason, lift)


def _by_design(design: Design, task: Task) -> tuple[int, str, str]:
    compared = (bool(task.donors) and design.name != "its") or design.name == "randomised"
    if compared and task.spec.assignment == "randomised":
        return 5, "places were drawn by lot", "nothing: it is the highest"
    if compared and task.spec.assignment == "as_if_random":
        return 4, "places came to it as good as at random, as documented", "a lot (a roll-out plan)"
    if compared:
        reason = "before and after, with a comparison"
        if design.name in _PLACED_BY_US:
            reason += " (our placement of this design)"
        return 3, reason, "places that came to it as good as at random, and a record of how"
    if task.covariates:
        return 2, "one series with covariates", "places to compare with, that had no such practice"
    return 1, "one series, before and after", "covariates, or better, places to compare with"
