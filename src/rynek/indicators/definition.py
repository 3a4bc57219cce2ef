"""What an indicator is: words in six languages, unit, direction, standard, computation."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.history import parse_duration

__all__ = ["LANGUAGES", "Computation", "Definition", "definitions", "find_definition"]

LANGUAGES: Final = ("en", "pl", "cs", "bg", "uk", "sr")
_FOLDER: Final = Path(__file__).parent / "kpi"
Measure = Literal["share", "mean", "age", "silent", "falls", "before_fall", "exceedances"]


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a value is tested for; exactly one member is given."""

    at_most: float | None = None
    at_least: float | None = None
    above: float | None = None
    equals: str | None = None

    def __post_init__(self) -> None:
        given = [self.at_most, self.at_least, self.above, self.equals]
        if sum(one is not None for one in given) != 1:
            raise ValueError("a condition is one of at_most, at_least, above and equals")


class Computation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an indicator is computed from readings of one type of things.

    `measure`: `share` of the time that a condition holds (%); `mean` over time, `scale` times;
    `age` of the newest reading, averaged over time, the median of things (minutes); `silent`: share of the days of things
    without a reading (%); `falls` of the value by at least `by`, for each thing and week;
    `before_fall`: what the value was before such falls, `scale` times; `exceedances`: for each
    thing, how many buckets (`bucket`: P1D or PT1H) had a mean that meets the condition.

    A value holds until the next reading, for at most `holds` after it was last seen; where `follow`
    is true and readings of a thing usually come less often, for 1.1 times their usual interval.
    """

    type: str
    measure: Measure
    attribute: str = ""
    condition: Condition | None = None
    by: float | None = None
    scale: float = 1.0
    holds: str = "PT1H"
    follow: bool = True
    bucket: Literal["P1D", "PT1H"] = "P1D"
    unit_codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parse_duration(self.holds)
        needs_attribute = self.measure not in {"age", "silent"}
        if needs_attribute != bool(self.attribute):
            raise ValueError(f"{self.measure}: an attribute is needed by all but age and silent")
        if (self.measure in {"share", "exceedances"}) != (self.condition is not None):
            raise ValueError(f"{self.measure}: a condition is for share and exceedances")
        if (self.measure in {"falls", "before_fall"}) != (self.by is not None):
            raise ValueError(f"{self.measure}: `by` is for falls and before_fall")


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One indicator; `id` is the name of its file. Below `least_coverage` there is no value.

    `source`: computed from readings, asked of people, or imported as a reference table.
    """

    theme: str
    unit: str
    unit_code: str
    direction: Literal["more", "less", "target"]
    name: dict[str, str]
    description: dict[str, str]
    id: str = ""
    period: str = "P1M"
    standard: str = ""
    denominator: str = ""
    target: float | None = None
    source: Literal["computed", "asked", "imported"] = "computed"
    least_coverage: float = 0.75
    computation: Computation | None = None

    def __post_init__(self) -> None:
        for texts in (self.name, self.description):
            if set(texts) != set(LANGUAGES) or not all(text.strip() for text in texts.values()):
                raise ValueError(f"names and descriptions are in {', '.join(LANGUAGES)}")
        if (self.source == "computed") != (self.computation is not None):
            raise ValueError("what is computed has a computation, and nothing else has")
        if (self.direction == "target") != (self.target is not None):
            raise ValueError("a target is for the direction `target`")
        if not 0 < self.least_coverage <= 1:
            raise ValueError("least_coverage is a share")
        parse_duration(self.period)


def parse_definition(name: str, text: str) -> Definition:
    """The definition in a TOML file; BadRequestData says what is wrong with it."""
    try:
        return msgspec.convert({"id": name} | tomllib.loads(text), Definition)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadRequestData(f"the indicator {name}: {error}") from None


@cache
def definitions() -> tuple[Definition, ...]:
    """Every indicator that comes with rynek, by theme and id."""
    found = [
        parse_definition(path.stem, path.read_text("utf-8")) for path in _FOLDER.glob("*.toml")
    ]
    return tuple(sorted(found, key=lambda one: (one.theme, one.id)))


def find_definition(name: str) -> Definition:
    """The indicator with that id; ResourceNotFound names those that there are."""
    for one in definitions():
        if one.id == name:
            return one
    names = ", ".join(one.id for one in definitions())
    raise ResourceNotFound(f"there is no indicator {name[:64]!r}; there are {names}")
