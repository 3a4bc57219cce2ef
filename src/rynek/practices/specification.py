"""What an evaluation is asked: the saved specification (TOML) from which it can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from rynek.base.errors import BadRequestData
from rynek.base.toml import read_toml
from rynek.base.typed import convert
from rynek.practices.saying import say
from rynek.practices.wording import shape_message

__all__ = [
    "Cost",
    "Event",
    "Predictor",
    "Question",
    "SensorChange",
    "Specification",
    "load_specification",
    "parse_specification",
]

DesignName = Literal[
    "auto",
    "its",
    "did",
    "event_study",
    "synthetic_control",
    "augmented_synthetic_control",
    "sdid",
    "bsts",
    "randomised",
]
Operation = Literal["mean", "median", "sum", "first", "last"]
Every = Literal["year", "quarter", "month", "week", "day", "hour"]
Aggregation = Literal["mean", "median", "sum", "min", "max", "count"]
_MAX_NAMES: Final = 10_000
_LARGEST_COST: Final = 1e18
_FILE_KEYS: Final = ("file", "files", "path", "csv", "parquet")


class Predictor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A characteristic of the time before, by which donors are chosen: `operation` over a column
    in `periods` ([first, last], or a list of three or more; the whole fit window without)."""

    column: str
    periods: list[Any] | None = None
    operation: Operation = "mean"


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something else that happened from `date` on (until `until`): at `units`, or everywhere."""

    name: str
    date: Any
    until: Any = None
    units: list[str] | None = None


class SensorChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a sensor log: a sensor of `unit` was changed, moved or calibrated."""

    unit: str
    date: Any
    what: str = "changed"


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the practice cost: over the effect periods, in `currency` of a `year`; `of` what."""

    amount: float
    currency: str
    year: int | None = None
    of: str = ""


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A panel asked of recorded history: `attribute` of entities of `entity_type`, aggregated by
    `aggregation` over each period of length `every`, from `first` to before `last`; `places` are
    the entities, all of the type without."""

    entity_type: str
    attribute: str
    first: str
    last: str
    every: Every = "day"
    aggregation: Literal["mean", "sum", "min", "max", "count"] = "mean"
    places: list[str] | None = None
    tenant: str | None = None


class Specification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question for `evaluate`. `panel` names files beside the specification, or asks history;
    `treated` units (or units with a start of their own), `start` the first treated period;
    `donors` are all other units where none are named, without those in `exclude` and
    `neighbours`. `fit_window` and `effect_periods` are [first, last], both included; without them
    everything before the start, and from it on. `assignment` documents how units came to be
    treated: it decides the level of evidence. docs/practices.md has every key."""

    panel: str | list[str] | Question
    outcome: str = ""
    unit: str | None = None
    time: str | list[str] | None = None
    treated: str | int | list[str | int] | dict[str, Any] | None = None
    start: Any = None
    donors: list[str] | None = None
    exclude: list[str] = []
    neighbours: list[str] = []
    covariates: list[str] = []
    design: DesignName = "auto"
    predictors: list[Predictor] = []
    fit_window: list[Any] | None = None
    effect_periods: list[Any] | None = None
    transform: Literal["none", "log", "logged"] = "none"
    intercept: bool | None = None
    confidence: float = 0.95
    season: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    prior_level_sd: float | None = None
    assignment: Literal["chosen", "as_if_random", "randomised"] = "chosen"
    where: dict[str, Any] = {}
    every: Every | None = None
    aggregation: Aggregation | None = None
    missing: list[float | str] = []
    time_format: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    location: list[str] | None = None
    near_km: Annotated[float, msgspec.Meta(ge=0)] = 2.0
    events: list[Event] | str | None = None
    sensor_changes: list[SensorChange] | None = None
    outcomes: list[str] = []
    cost: Cost | None = None
    outcome_unit: str = ""
    title: str = ""
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0

    def starts(self) -> dict[str | None, Any]:
        """The start of each treated unit; of the one series under None. BadRequestData."""
        own = self.treated if isinstance(self.treated, dict) else None
        if own is None and isinstance(self.start, dict) and self.treated is None:
            own = self.start
        if own is not None:
            if not own:
                raise BadRequestData(say("treated-none"))
            return dict(own.items())
        if self.start is None:
            raise BadRequestData(say("start-needed"))
        if self.treated is None:
            return {None: self.start}
        names = self.treated_names()
        if not names:
            raise BadRequestData(say("treated-none"))
        if len(set(names)) < len(names):
            raise BadRequestData(say("treated-twice"))
        if isinstance(self.start, dict):
            lacking = [one for one in names if one not in self.start]
            if lacking:
                raise BadRequestData(say("start-lacks", unit=lacking[0]))
            return {one: self.start[one] for one in names}
        return dict.fromkeys(names, self.start)

    def treated_names(self) -> list[str]:
        """The treated units that are named."""
        if self.treated is None:
            return list(self.start) if isinstance(self.start, dict) else []
        if isinstance(self.treated, str | int):
            return [str(self.treated)]
        return [str(one) for one in self.treated]

    def columns(self) -> list[str]:
        """The columns of numbers that are read."""
        found = [self.outcome, *self.covariates, *(one.column for one in self.predictors)]
        return list(dict.fromkeys([*found, *self.outcomes]))


def load_specification(path: Path) -> Specification:
    """Read a specification; BadRequestData names the key that is wrong and what is allowed."""
    return parse_specification(read_toml(path, "specification"), path.name)


def parse_specification(document: Mapping[str, Any], where: str = "") -> Specification:
    """A specification from a document, which errors call `where`. BadRequestData."""
    told = _flat(dict(document))
    wanted = told.get("design", "auto")
    if wanted not in get_args(DesignName):
        raise BadRequestData(say("design-unknown", design=wanted, known=get_args(DesignName)))
    try:
        found = convert(told, Specification)
    except msgspec.ValidationError as error:
        wrong = shape_message(error, Specification, where or say("shape-specification"))
        raise BadRequestData(wrong) from None
    _refuse_odd(found)
    return found


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    """`panel` may be a table that holds its file and columns: those stand at the top then. One
    name may stand where a list does."""
    panel = document.get("panel")
    if isinstance(panel, Mapping) and "entity_type" not in panel:
        inner = dict(panel)
        files = [inner.pop(one) for one in _FILE_KEYS if one in inner]
        if len(files) != 1:
            raise BadRequestData(
                "panel: a file (file = …), or a question to history (entity_type = …)"
            )
        twice = [one for one in inner if one in document]
        if twice:
            raise BadRequestData(f"panel: {twice[0]!r} stands twice in the specification")
        document = document | inner | {"panel": files[0]}
    for name in ("donors", "exclude", "neighbours", "covariates", "missing", "outcomes"):
        value = document.get(name)
        if isinstance(value, str | int | float):
            value = [value]
        if isinstance(value, list) and name != "missing":
            value = [str(one) if isinstance(one, int) else one for one in value]
        if value is not None:
            document[name] = value
    return document


def _refuse_odd(found: Specification) -> None:
    if not 0.5 <= found.confidence < 1:
        raise BadRequestData(say("confidence-range"))
    for name in ("fit_window", "effect_periods", "location"):
        value = getattr(found, name)
        if value is not None and len(value) != 2:
            if name == "location":
                raise BadRequestData(say("location-shape"))
            raise BadRequestData(say("window-shape", key=name))
    for name in (
        "treated",
        "donors",
        "exclude",
        "neighbours",
        "covariates",
        "predictors",
        "outcomes",
    ):
        value = getattr(found, name)
        if isinstance(value, list | dict) and len(value) > _MAX_NAMES:
            raise BadRequestData(say("at-most", key=name, most=_MAX_NAMES))
    if found.cost is not None and not 0 <= found.cost.amount < _LARGEST_COST:
        raise BadRequestData(say("cost-amount"))
    if found.prior_level_sd is not None and not 0 < found.prior_level_sd <= 10:
        raise BadRequestData(say("prior-range"))
    if (
        not found.outcome
        and not isinstance(found.panel, Question)
        and (found.unit is not None or not found.treated_names())
    ):
        raise BadRequestData(say("outcome-needed"))
    if found.predictors and found.unit is None:
        raise BadRequestData(say("predictors-unit"))
    for one in found.predictors:
        if one.periods is not None and not one.periods:
            raise BadRequestData(say("predictor-periods", column=one.column))
