"""`plan`: from a question to what a pilot can show, how long it has to be, and who starts when."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from rynek.base.errors import BadRequestData
from rynek.practices.arrays import Array, bridged
from rynek.practices.panel import Panel, read_panel
from rynek.practices.planning.power import Power, powers
from rynek.practices.planning.question import PlanQuestion
from rynek.practices.planning.rollout import Start, draw
from rynek.practices.planning.stepped import stepped
from rynek.practices.saying import say
from rynek.practices.specification import Question
from rynek.practices.task import Ask, outcome_of

__all__ = ["Plan", "plan", "plan_panel"]

_FEWEST: Final = 8
_MOST_MISSING: Final = 0.5
# Lengths that are tried for an effect that is wanted, each longer by half.
_LENGTHS: Final = (1, 2, 3, 4, 6, 8, 12, 18, 26, 39, 52, 78, 104, 156, 208, 312, 365, 730, 1095)


@dataclass(frozen=True)
class Plan:
    """What the pilot that was asked for can show, the same for other sizes and lengths, the
    shortest that shows what is wanted (None where none in reach does), and the lot."""

    question: PlanQuestion
    asked: Power
    others: tuple[Power, ...]
    needed: Power | None
    starts: tuple[Start, ...]
    level: float
    left_out: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "outcome": self.question.title or self.question.outcome,
            "outcome_unit": self.question.outcome_unit,
            "confidence": self.question.confidence,
            "power": self.question.power,
            "mean": self.level,
            "smallest_effect": dataclasses.asdict(self.asked),
            "others": [dataclasses.asdict(one) for one in self.others],
            "wanted": self.question.wanted,
            "needed": None if self.needed is None else dataclasses.asdict(self.needed),
            "sentence": self.sentence(),
            "at_once": self.question.steps == 1,
            "last_start_after": self.later,
            "seed": self.question.seed,
            "plan": [dataclasses.asdict(one) for one in self.starts],
            "left_out": list(self.left_out),
            "question": msgspec.to_builtins(self.question),
        }

    def sentence(self) -> str:
        """What it comes to, in English."""
        asked, unit = self.asked, self.question.outcome_unit
        least, steps = asked.simulated, asked.steps
        if least is None:
            outcomes = math.ceil(1 / (1 - self.question.confidence) - 1e-9)
            return (
                f"{asked.pilot} places with {asked.compared} to compare are too few, or the record"
                " too short, to say what could be found: "
                + (
                    "at least 4 and 4 are needed."
                    if steps == 1
                    else f"a lot needs {outcomes} outcomes."
                )
            )
        share = f" ({abs(least / self.level):.1%} of its mean)" if self.level else ""
        over = f"over {asked.periods} periods" if steps == 1 else (
            f"that start in {steps} groups, {asked.step} periods apart, with {asked.periods} periods"
            " after the last start"
        )  # fmt: skip
        told = (
            f"{asked.pilot} places {over}, with {asked.compared} to compare,"
            f" would show an effect of {_round(least)}{' ' + unit if unit else ''}{share} or more in"
            f" {self.question.power:.0%} of cases, a smaller one less often."
        )
        if self.question.wanted is not None and self.needed is None:
            told += " No length in reach of the record shows the wanted effect."
        elif self.needed is not None:
            told += f" The wanted effect takes {self.needed.periods} periods."
        if self.later:
            told += (
                " These figures hold where the effect is judged by the lot (assignment ="
                ' "randomised"). Periods between the first group and the last:'
                f" {self.later}."
            )
        return told

    @property
    def later(self) -> int:
        """By how many periods the last group starts after the first."""
        return (self.question.steps - 1) * self.question.step


def _round(value: float) -> str:
    return f"{value:.3g}"


def plan(question: PlanQuestion, folder: Path, ask: Ask | None = None) -> Plan:
    """Plan a pilot from the past of its outcome. BadRequestData says what is missing."""
    return plan_panel(question, _panel(question, folder, ask))


def plan_panel(question: PlanQuestion, panel: Panel) -> Plan:
    """The same for a panel that is at hand."""
    outcome, places, left_out = _places(panel, question)
    # In steps everybody may have it in the end: those that start later are compared with.
    if question.pilot > len(places) - (question.steps == 1):
        raise BadRequestData(say("pilot-all", pilot=question.pilot, places=len(places)))
    before = question.before or question.periods
    times = outcome.shape[1]
    later = (question.steps - 1) * question.step
    if before + later + question.periods > times:
        told = {"times": times, "before": before, "periods": later + question.periods}
        raise BadRequestData(say("past-short", **told))
    fewest, most = max(4, question.steps), len(places) - (4 if question.steps == 1 else 0)
    half = max(fewest, question.pilot // 2)
    sizes = sorted({half, question.pilot, min(2 * question.pilot, most)})
    lengths = sorted({max(1, question.periods // 2), question.periods, 2 * question.periods})
    others = [
        _power(outcome, question, pilot, length)
        for pilot in sizes
        for length in lengths
        if 0 < pilot <= len(places) - (question.steps == 1) and 2 * length + later <= times
    ]
    first = panel.times[-1] + 1
    if question.first is not None:
        first = panel.clock.number(question.first, "first")
    starts = draw(
        places, question.pilot, question.steps, question.step, float(first), panel.clock,
        question.seed,
    )  # fmt: skip
    return Plan(
        question,
        _power(outcome, question, question.pilot, question.periods, before),
        tuple(others),
        _needed(outcome, question),
        tuple(starts),
        float(outcome.mean()),
        left_out,
    )


def _panel(question: PlanQuestion, folder: Path, ask: Ask | None) -> Panel:
    if not isinstance(question.panel, Question):
        return read_panel(folder, question.panel_question())
    if ask is None:
        raise BadRequestData("panel: it asks recorded history, and none is at hand (--data)")
    return ask(question.panel)


def _places(panel: Panel, question: PlanQuestion) -> tuple[Array, list[str], tuple[str, ...]]:
    """The record of each place that can be in the lot, its gaps filled."""
    values = panel.columns[outcome_of(question.panel_question())]
    named = list(panel.units if question.places is None else dict.fromkeys(question.places))
    rows = values[[panel.unit(one) for one in named]]
    missing = np.isnan(rows).mean(axis=1)
    kept = [name for name, share in zip(named, missing, strict=True) if share <= _MOST_MISSING]
    if len(kept) < _FEWEST:
        raise BadRequestData(say("lot-places", places=len(kept), needed=_FEWEST))
    outcome = np.array([bridged(row) for row in rows[missing <= _MOST_MISSING]])
    if float(np.ptp(outcome)) == 0:
        raise BadRequestData(say("never-changes"))
    return outcome, kept, tuple(one for one in named if one not in kept)


def _power(
    outcome: Array, question: PlanQuestion, pilot: int, periods: int, before: int | None = None
) -> Power:
    before = before or periods
    sure = {"confidence": question.confidence, "power": question.power}
    if question.steps == 1:
        return powers(outcome, pilot, periods, before, seed=question.seed, **sure)
    steps, step = question.steps, question.step
    return stepped(outcome, pilot, periods, before, steps, step, seed=question.seed, **sure)


def _needed(outcome: Array, question: PlanQuestion) -> Power | None:
    """The shortest pilot of that many places that shows what is wanted."""
    if question.wanted is None:
        return None
    for length in _LENGTHS:
        found = _power(outcome, question, question.pilot, length)
        if found.simulated is not None and found.simulated <= question.wanted:
            return found
    return None
