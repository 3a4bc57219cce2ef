"""What a plan is asked: the past of an outcome, how many places and how long, and what to find."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from rynek.base.errors import BadRequestData
from rynek.base.toml import read_toml
from rynek.base.typed import convert
from rynek.practices.saying import say
from rynek.practices.specification import Aggregation, Every, Question, Specification
from rynek.practices.wording import shape_message

__all__ = ["PlanQuestion", "load_plan", "parse_plan"]

_Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class PlanQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`pilot` of the `places` (all units without) get the practice for `periods`, after `before`
    periods without it (as many without). `steps` above 1 start them one group after another,
    `step` periods apart, and `periods` are those in which all of the pilot have it. `wanted` is the effect to be found, in
    the outcome's unit. `first` is the first treated period of the plan."""

    panel: str | list[str] | Question
    pilot: _Count
    periods: _Count
    outcome: str = ""
    unit: str | None = None
    time: str | None = None
    places: list[str] | None = None
    before: _Count | None = None
    steps: _Count = 1
    step: _Count = 1
    wanted: Annotated[float, msgspec.Meta(gt=0)] | None = None
    first: Any = None
    confidence: float = 0.95
    power: float = 0.8
    where: dict[str, Any] = {}
    every: Every | None = None
    aggregation: Aggregation | None = None
    missing: list[float | str] = []
    time_format: str | None = None
    encoding: str | None = None
    outcome_unit: str = ""
    title: str = ""
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0

    def panel_question(self) -> Specification:
        """How its panel is read."""
        return Specification(
            panel=self.panel,
            outcome=self.outcome,
            unit=self.unit,
            time=self.time,
            treated=None if self.unit is not None or self.places is None else list(self.places),
            donors=None if self.unit is not None else self.places,
            where=self.where,
            every=self.every,
            aggregation=self.aggregation,
            missing=self.missing,
            time_format=self.time_format,
            encoding=self.encoding,
        )


def load_plan(path: Path) -> PlanQuestion:
    """Read a plan's question; BadRequestData names what is wrong."""
    return parse_plan(read_toml(path, "plan"), path.name)


def parse_plan(document: Mapping[str, Any], where: str = "") -> PlanQuestion:
    """A plan's question from a document, which errors call `where`. BadRequestData."""
    try:
        found = convert(dict(document), PlanQuestion)
    except msgspec.ValidationError as error:
        told = shape_message(error, PlanQuestion, where or say("shape-plan"))
        raise BadRequestData(told) from None
    if not 0.5 <= found.confidence < 1:
        raise BadRequestData(say("confidence-range"))
    if not 0.5 <= found.power < 1:
        raise BadRequestData(say("power-range"))
    if found.steps > found.pilot:
        raise BadRequestData(say("steps-many", pilot=found.pilot, steps=found.steps))
    return found
