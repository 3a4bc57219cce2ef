"""What an indicator is: words in six languages, unit, direction, standard, computation."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.base.fields import with_near_field
from rynek.base.toml import load_toml
from rynek.base.typed import convert
from rynek.history import parse_duration

__all__ = [
    "DEPARTURES",
    "LANGUAGES",
    "Computation",
    "Condition",
    "Definition",
    "Known",
    "Per",
    "definitions",
    "find_definition",
    "parse_definition",
]

LANGUAGES: Final = ("en", "pl", "cs", "bg", "uk", "sr")
_FOLDER: Final = Path(__file__).parent / "kpi"
Measure = Literal[
    "share", "mean", "age", "silent", "falls", "before_fall", "exceedances",
    "jumps", "jump_share", "taken", "growth", "total", "count",
    "punctual", "delay", "headway_variation", "excess_wait", "unheard",
]  # fmt: skip
DEPARTURES: Final = ("punctual", "delay", "headway_variation", "excess_wait", "unheard")
"""Measures of departures, which are made of several attributes of vehicles."""
_WITHOUT_ATTRIBUTE: Final = {"age", "silent", "count", *DEPARTURES}
_CONDITIONAL: Final = {"share", "exceedances", "punctual"}
_STEPPED: Final = {"falls", "before_fall", "jumps", "jump_share", "taken"}


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a value is tested for; exactly one member is given. `between`: both ends count."""

    at_most: float | None = None
    at_least: float | None = None
    above: float | None = None
    equals: str | None = None
    between: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        given = [self.at_most, self.at_least, self.above, self.equals, self.between]
        if sum(one is not None for one in given) != 1:
            raise ValueError("a condition is one of at_most, at_least, above, equals and between")


class Computation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an indicator is computed from readings of one type of things.

    `measure`: `share` of the time that a condition holds (%); `mean` over time, `scale` times;
    `age` of the newest reading, averaged over time, the median of things (minutes); `silent`: share of the days of things
    without a reading (%); `falls` of the value by at least `by`, for each thing and week;
    `before_fall`: what the value was before such falls, `scale` times; `exceedances`: for each
    thing, how many buckets (`bucket`: P1D or PT1H) had a mean that meets the condition.

    `jumps`: changes by at least `by` from one reading to the next, at most an hour later, for each
    thing and week; `jump_share`: their part of all that changed (%); `taken`: what smaller falls
    add up to, for each thing and day; `growth` of a meter for each thing and day, `scale` times;
    `total`: the things' means added up; `count` of the things that are known.

    Of departures (kpi/departures.py): `punctual`, the share whose delay meets the condition (s);
    `delay`, their `percentile` (s); `headway_variation` and `excess_wait` (min) of frequent lines;
    `unheard`: share of the hours of service without news of any vehicle (%).

    A value holds until the next reading, for at most `holds` after it was last seen; where `follow`
    is true and readings of a thing usually come less often, for 1.1 times their usual interval.
    With `hours` only [from, to) of each day counts, in hours of the city's zone.
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
    hours: tuple[int, int] | None = None
    percentile: float | None = None
    unit_codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parse_duration(self.holds)
        if (self.measure not in _WITHOUT_ATTRIBUTE) != bool(self.attribute):
            raise ValueError(
                f"{self.measure}: an attribute is needed by all but"
                f" {', '.join(sorted(_WITHOUT_ATTRIBUTE))}"
            )
        if (self.measure in _CONDITIONAL) != (self.condition is not None):
            raise ValueError(
                f"{self.measure}: a condition is for {', '.join(sorted(_CONDITIONAL))}"
            )
        if (self.measure in _STEPPED) != (self.by is not None):
            raise ValueError(f"{self.measure}: `by` is for {', '.join(sorted(_STEPPED))}")
        if (self.measure == "delay") != (self.percentile is not None):
            raise ValueError(f"{self.measure}: a percentile is for delay")
        if self.percentile is not None and not 0 < self.percentile < 100:
            raise ValueError("a percentile lies between 0 and 100")
        if self.hours is not None:
            if self.bucket != "PT1H" or self.measure not in {"share", "mean"}:
                raise ValueError('hours are for share and mean, with bucket = "PT1H"')
            if not 0 <= self.hours[0] < self.hours[1] <= 24:
                raise ValueError("hours are two of 0 … 24, the earlier first")

    @property
    def types(self) -> tuple[str, ...]:
        """The types of things that it is made of."""
        return ("Vehicle", "ArrivalEstimation") if self.measure in DEPARTURES else (self.type,)


class Per(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a computed total is divided by: `many` inhabitants or km², from a reference table."""

    of: Literal["population", "area"]
    many: float = 1.0


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A question of a survey: the share of those who chose one of `choices` (%), or without
    choices the mean of the numbers that were given."""

    survey: str
    question: str
    choices: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Columns of a reference table: `scale` times the sum of `above` over the sum of `below` (1
    without). `{year}` stands for the newest year, of a table whose columns are years; `year` is
    what the figures are of otherwise."""

    table: str
    above: tuple[str, ...]
    below: tuple[str, ...] = ()
    scale: float = 1.0
    year: int | None = None

    def __post_init__(self) -> None:
        if not self.above:
            raise ValueError("`above` names a column")
        if ("{year}" in self.above) == (self.year is not None):
            raise ValueError("`year` says of when the figures are, where no column is {year}")


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The people of a city, by whichever reference table has a column that means them; `per_area`:
    for each km². With `years` their mean change a year (%) over so many years, or up to twice as
    many where the table has no figure of then."""

    of: Literal["population"]
    per_area: bool = False
    years: int | None = None

    def __post_init__(self) -> None:
        if self.years is not None and (self.per_area or not 1 <= self.years <= 20):
            raise ValueError("a change is over 1 to 20 years, and of people")


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One indicator; `id` is the name of its file. Below `least_coverage` there is no value.

    `direction`: whether more or less is better, a target is aimed at, or neither can be defended
    (none): such a figure is told, and nobody is called strong or weak for it.

    `source`: computed from readings, asked of people, or imported as a reference table (of the
    parts in `imported` the first whose table knows the city, or what `known` asks any table for).
    `by_ratio`: two values are as far apart as their ratio says, not their difference.
    """

    theme: str
    unit: str
    unit_code: str
    direction: Literal["more", "less", "target", "none"]
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
    per: Per | None = None
    asked: Question | None = None
    imported: tuple[Part, ...] = ()
    known: Known | None = None
    by_ratio: bool = False

    def __post_init__(self) -> None:
        for texts in (self.name, self.description):
            if set(texts) != set(LANGUAGES) or not all(text.strip() for text in texts.values()):
                raise ValueError(f"names and descriptions are in {', '.join(LANGUAGES)}")
        if self.imported and self.known:
            raise ValueError("`imported` names tables, `known` takes any: one of them")
        imported = self.imported or self.known
        given = {"computed": self.computation, "asked": self.asked, "imported": imported}
        if [kind for kind, found in given.items() if found] != [self.source]:
            raise ValueError(
                f"{self.source}: what is computed has `computation`, what is asked `asked`, what is"
                " imported `imported` or `known`, and nothing besides"
            )
        if self.per is not None and (
            self.computation is None or self.computation.measure not in {"total", "count"}
        ):
            raise ValueError("`per` is for total and count")
        if (self.direction == "target") != (self.target is not None):
            raise ValueError("a target is for the direction `target`")
        if not 0 < self.least_coverage <= 1:
            raise ValueError("least_coverage is a share")
        parse_duration(self.period)


def parse_definition(name: str, text: str) -> Definition:
    """The definition in a TOML file; BadRequestData says what is wrong with it."""
    try:
        return convert({"id": name} | load_toml(text), Definition)
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        told = with_near_field(str(error), Definition)
        raise BadRequestData(f"the indicator {name}: {told}") from None


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
