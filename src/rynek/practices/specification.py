"""What an evaluation is asked: the saved specification (TOML) from which it can be repeated."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from rynek.base.errors import BadRequestData

__all__ = ["Predictor", "Specification", "load_specification", "parse_specification"]

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
_MAX_BYTES: Final = 1 << 20


class Predictor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A characteristic of the time before, by which donors are chosen: `operation` over a column
    in `periods` ([first, last], or a list of three or more; the whole fit window without)."""

    column: str
    periods: list[Any] | None = None
    operation: Operation = "mean"


class Specification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question for `evaluate`. `panel` is a file beside the specification; `treated` units (or
    units with a start of their own), `start` the first treated period; `donors` are all other
    units where none are named, without those in `exclude`. `fit_window` and `effect_periods` are
    [first, last], both included; without them everything before the start, and from it on.
    `assignment` documents how units came to be treated: it decides the level of evidence."""

    panel: str
    outcome: str
    unit: str | None = None
    time: str | None = None
    treated: str | list[str] | dict[str, Any] | None = None
    start: Any = None
    donors: list[str] | None = None
    exclude: list[str] = []
    covariates: list[str] = []
    design: DesignName = "auto"
    predictors: list[Predictor] = []
    fit_window: list[Any] | None = None
    effect_periods: list[Any] | None = None
    transform: Literal["none", "log"] = "none"
    intercept: bool | None = None
    confidence: float = 0.95
    season: int | None = None
    prior_level_sd: float | None = None
    assignment: Literal["chosen", "as_if_random", "randomised"] = "chosen"
    outcome_unit: str = ""
    title: str = ""
    seed: int = 0

    def starts(self) -> dict[str | None, Any]:
        """The start of each treated unit; of the one series under None. BadRequestData."""
        if isinstance(self.treated, dict):
            if not self.treated:
                raise BadRequestData("treated: name at least one unit")
            return {name: start for name, start in self.treated.items()}  # noqa: C416
        if self.start is None:
            raise BadRequestData("start: the first treated period is needed")
        if self.treated is None:
            return {None: self.start}
        names = [self.treated] if isinstance(self.treated, str) else self.treated
        if not names:
            raise BadRequestData("treated: name at least one unit")
        if len(set(names)) < len(names):
            raise BadRequestData("treated: a unit is named twice")
        return dict.fromkeys(names, self.start)


def load_specification(path: Path) -> Specification:
    """Read a specification; BadRequestData names the key that is wrong and what is allowed."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadRequestData(f"{path.name} is over {_MAX_BYTES >> 20} MiB: no specification")
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRequestData(f"{path.name}: {error}") from None
    return parse_specification(document)


def parse_specification(document: Mapping[str, Any]) -> Specification:
    """A specification from a document. BadRequestData."""
    wanted = document.get("design", "auto")
    if wanted not in get_args(DesignName):
        raise BadRequestData(f"design: {wanted!r} is none of {', '.join(get_args(DesignName))}")
    try:
        found = msgspec.convert(dict(document), Specification)
    except msgspec.ValidationError as error:
        raise BadRequestData(f"the specification: {error}") from None
    if not 0.5 <= found.confidence < 1:
        raise BadRequestData("confidence: from 0.5 to below 1, such as 0.95")
    for name in ("fit_window", "effect_periods"):
        value = getattr(found, name)
        if value is not None and len(value) != 2:
            raise BadRequestData(f"{name}: [first, last], both included")
    return found
