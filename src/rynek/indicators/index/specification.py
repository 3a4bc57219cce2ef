"""What an index is asked: the saved specification (TOML) from which it can be repeated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from rynek.base.errors import BadRequestData
from rynek.base.fields import with_near_field
from rynek.base.toml import read_toml
from rynek.base.typed import convert
from rynek.indicators.definition import definitions

__all__ = [
    "Aggregation",
    "Error",
    "Exclusion",
    "Groups",
    "Imputation",
    "Inclusion",
    "Indicator",
    "Method",
    "Normalisation",
    "Outliers",
    "Sensitivity",
    "Source",
    "Specification",
    "Table",
    "Text",
    "Weights",
    "load_specification",
    "parse_specification",
]

Text = str | dict[str, str]
"""Words for people: one string for every language, or one by language code."""

Impute = Literal["drop", "available", "mean", "median", "group_median", "regression"]
Treat = Literal["none", "winsorise", "log", "boxcox"]
Normalise = Literal["minmax", "zscore", "rank", "percentile", "categorical", "target"]
Weigh = Literal["equal", "given", "pca"]
Aggregate = Literal["arithmetic", "geometric"]
_MAX_INDICATORS: Final = 200
MAX_RUNS: Final = 200_000


class Exclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows that are left out whatever they hold: those whose `column` reads `equals`."""

    column: str
    equals: str | int | float
    reason: Text


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the table comes from, on which terms, and which time it is about."""

    what: Text
    publisher: Text = ""
    licence: str = ""
    url: str = ""
    period: str = ""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file beside the specification (CSV, .csv.gz, Parquet): a row for each unit. `missing` are
    texts that stand for no value; `decimal` and `thousands` are found out where that is certain.
    Columns in `never` must not be read by anything."""

    file: str
    unit: str
    name: str | None = None
    group: str | None = None
    group_name: str | None = None
    latitude: str | None = None
    longitude: str | None = None
    separator: str | None = None
    encoding: str = "utf-8"
    decimal: Literal[".", ","] | None = None
    missing: tuple[str, ...] = ("", "NA", "NaN", "nan", "null", "NULL", "-", ":")
    never: list[str] = []
    exclude: list[Exclusion] = []


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How wrong an indicator's values may be, as one standard error: `relative` to the value,
    `absolute` in its unit, or in a `column`; `missed` is the share of zeros that hide something
    not listed (in a variant such a zero takes another unit's value above zero)."""

    relative: float = 0.0
    absolute: float = 0.0
    column: str | None = None
    missed: float = 0.0


class Indicator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number of each unit: `column`, where needed divided by `denominator` and multiplied by
    `per`. What lies outside `minimum` … `maximum` is refused; a unit of "%" or "share" has both
    by itself. `empty` is what an empty cell means (a flag's NA is 0), where that is known.
    `unit_column` says the unit in each row: it must be the same everywhere."""

    id: str
    column: str
    name: Text = ""
    denominator: str | None = None
    minus: float = 0.0
    per: float = 1.0
    unit: str = ""
    unit_column: str | None = None
    direction: Literal["more", "less", "target"] = "more"
    target: float | None = None
    weight: float = 1.0
    transformation: Literal["none", "log", "sqrt"] = "none"
    minimum: float | None = None
    maximum: float | None = None
    empty: float | None = None
    zero: Text = ""
    note: Text = ""
    error: Error = Error()


class Imputation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands for a missing value. A unit with more than `max_missing` of its indicators
    missing is left out; indicators in `never` are never imputed: who lacks one is left out."""

    choice: Impute = "drop"
    alternatives: list[Impute] = []
    max_missing: float = 0.25
    never: list[str] = []


class Outliers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to an indicator with both |skewness| and kurtosis (3 for the normal
    distribution's is 0 here) above the limits; at most `max_share` of its values are winsorised."""

    choice: Treat = "none"
    alternatives: list[Treat] = []
    skewness: float = 2.0
    kurtosis: float = 3.5
    max_share: float = 0.05


class Normalisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How indicators come to one scale."""

    choice: Normalise = "minmax"
    alternatives: list[Normalise] = []


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What indicators count. `uncertainty` is the relative standard deviation of an average
    weight in the variants (Dirichlet around the chosen weights)."""

    choice: Weigh = "given"
    alternatives: list[Weigh] = []
    uncertainty: float = 0.0


class Aggregation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How indicators come together."""

    choice: Aggregate = "arithmetic"
    alternatives: list[Aggregate] = []


class Inclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether in some variants one indicator, each as often, is left out."""

    leave_one_out: bool = False


class Method(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The choices of the index and, of each, the alternatives that the variants draw from."""

    imputation: Imputation = Imputation()
    outliers: Outliers = Outliers()
    normalisation: Normalisation = Normalisation()
    weights: Weights = Weights()
    aggregation: Aggregation = Aggregation()
    inclusion: Inclusion = Inclusion()


class Groups(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How regions are compared. `counted` is "whole" where the table holds every unit of a
    region, "sample" where it holds some; `weight` a column units count by within their region;
    `expected` the groups that must be there."""

    counted: Literal["whole", "sample"] = "whole"
    weight: str | None = None
    expected: list[str] = []
    name: Text = ""
    names: dict[str, Text] = {}


class Sensitivity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sobol's indices: `samples` a power of two (0 for none), `resamples` for their intervals."""

    samples: int = 1024
    resamples: int = 200


class Specification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An index. `runs` variants are drawn with `seed`; intervals hold the middle `interval` of
    them."""

    name: Text
    table: Table
    indicators: list[Indicator]
    id: str = ""
    statement: Text = ""
    notes: list[Text] = []
    source: Source | None = None
    method: Method = Method()
    groups: Groups = Groups()
    sensitivity: Sensitivity = Sensitivity()
    runs: int = 10_000
    seed: int = 0
    interval: float = 0.9


def load_specification(path: Path) -> Specification:
    """Read a specification; BadRequestData names the key that is wrong and what is allowed."""
    return parse_specification(read_toml(path, "specification"), path.name)


def parse_specification(
    document: Mapping[str, Any], where: str = "the specification"
) -> Specification:
    """A specification from a document, which errors call `where`. BadRequestData."""
    _refuse_undirected(document)
    try:
        found = convert(dict(document), Specification)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadRequestData(f"{where}: {with_near_field(str(error), Specification)}") from None
    _check_indicators(found)
    _check_method(found)
    for key, value, least, most in (
        ("runs", found.runs, 0, MAX_RUNS),
        ("seed", found.seed, 0, 2**63 - 1),
        ("sensitivity.samples", found.sensitivity.samples, 0, 16_384),
        ("sensitivity.resamples", found.sensitivity.resamples, 20, 2_000),
    ):
        if not least <= value <= most:
            raise BadRequestData(f"{key}: {value} is not from {least} to {most}")
    samples = found.sensitivity.samples
    if samples & (samples - 1) or 0 < samples < 16:
        raise BadRequestData("sensitivity.samples: a power of two from 16 on, such as 1024, or 0")
    if not 0.5 <= found.interval < 1:
        raise BadRequestData("interval: from 0.5 to below 1, such as 0.9")
    if len(found.table.separator or ",") != 1:
        raise BadRequestData("table.separator: one character")
    return found


def _refuse_undirected(document: Mapping[str, Any]) -> None:
    """BadRequestData for indicators of rynek that neither more nor less of is better in itself, where
    the specification does not say which way it means."""
    every = document.get("indicators")
    free = {one.id for one in definitions() if one.direction == "none"}
    for one in every if isinstance(every, list) else ():
        if isinstance(one, Mapping) and "direction" not in one:
            for name in (one.get("id"), one.get("column")):
                if isinstance(name, str) and name in free:
                    raise BadRequestData(
                        f"indicators: {name}: neither more nor less of it is better in itself; set"
                        " its direction, and say why in note"
                    )


def _check_indicators(spec: Specification) -> None:
    if not 1 <= len(spec.indicators) <= _MAX_INDICATORS:
        raise BadRequestData(f"indicators: from 1 to {_MAX_INDICATORS} of them")
    seen: dict[str, None] = {}
    units: dict[tuple[str, str | None, float], tuple[str, str]] = {}
    for one in spec.indicators:
        if one.id in seen:
            raise BadRequestData(f"indicators: the id {one.id!r} stands twice")
        seen[one.id] = None
        _check_indicator(one, f"indicator {one.id!r}")
        key = (one.column, one.denominator, one.per)
        other = units.setdefault(key, (one.id, one.unit))
        if other[1] != one.unit:
            raise BadRequestData(
                f"indicators {other[0]!r} and {one.id!r} read the same column {one.column!r} in two"
                f" units, {other[1]!r} and {one.unit!r}: one indicator has one unit"
            )
    if math.fsum(one.weight for one in spec.indicators) <= 0:
        raise BadRequestData("indicators: at least one weight has to be above 0")
    for name in spec.method.imputation.never:
        if name not in seen:
            raise BadRequestData(f"method.imputation.never: there is no indicator {name!r}")


def _check_indicator(one: Indicator, where: str) -> None:
    error = one.error
    numbers = {
        "weight": one.weight, "per": one.per, "minus": one.minus, "target": one.target,
        "minimum": one.minimum, "maximum": one.maximum, "empty": one.empty,
        "error.relative": error.relative, "error.absolute": error.absolute,
        "error.missed": error.missed,
    }  # fmt: skip
    for key, value in numbers.items():
        if value is not None and not math.isfinite(value):
            raise BadRequestData(f"{where}: {key} is {value}; a finite number is needed")
    if one.weight < 0:
        raise BadRequestData(f"{where}: weight is {one.weight}; turn its direction instead")
    if one.per <= 0:
        raise BadRequestData(f"{where}: per is {one.per}; it has to be above 0")
    if not 0 <= error.relative <= 1 or error.absolute < 0 or not 0 <= error.missed < 1:
        raise BadRequestData(
            f"{where}: error.relative is from 0 to 1, error.absolute from 0, error.missed from 0 to"
            " below 1"
        )
    if one.direction == "target" and one.target is None:
        raise BadRequestData(f"{where}: direction is target, so target needs a value")
    if one.direction == "target" and one.transformation != "none":
        raise BadRequestData(f"{where}: a target and a transformation do not go together")
    low, high = limits(one)
    if low is not None and high is not None and low >= high:
        raise BadRequestData(f"{where}: minimum {low} is not below maximum {high}")


def limits(one: Indicator) -> tuple[float | None, float | None]:
    """What an indicator's values may not go beyond; None where nothing is known."""
    by_unit = {"%": (0.0, 100.0), "share": (0.0, 1.0)}.get(one.unit, (None, None))
    low = by_unit[0] if one.minimum is None else one.minimum
    high = by_unit[1] if one.maximum is None else one.maximum
    return low, high


def _check_method(spec: Specification) -> None:
    method = spec.method
    for name in ("imputation", "outliers", "normalisation", "weights", "aggregation"):
        part = getattr(method, name)
        every = [part.choice, *part.alternatives]
        if len(set(every)) < len(every):
            raise BadRequestData(f"method.{name}: {every} names one of them twice")
    if method.imputation.choice == "drop" and method.imputation.alternatives:
        raise BadRequestData(
            "method.imputation: drop leaves units out, so that ranks of other choices would count"
            " others; use available among alternatives instead"
        )
    if "drop" in method.imputation.alternatives:
        raise BadRequestData("method.imputation: drop cannot be an alternative")
    if not 0 <= method.imputation.max_missing < 1:
        raise BadRequestData("method.imputation.max_missing: from 0 to below 1")
    if not 0 < method.outliers.max_share <= 0.25:
        raise BadRequestData("method.outliers.max_share: above 0, at most 0.25")
    if not 0 <= method.weights.uncertainty <= 1:
        raise BadRequestData("method.weights.uncertainty: from 0 to 1")
    if method.inclusion.leave_one_out and len(spec.indicators) < 3:
        raise BadRequestData("method.inclusion: leaving one out needs three indicators or more")
    uses = [method.normalisation.choice, *method.normalisation.alternatives]
    if "target" in uses:
        for one in spec.indicators:
            if one.direction == "target":
                raise BadRequestData(
                    f"indicator {one.id!r}: it has a target to be near to, which the normalisation"
                    " target (distance to the best or to a goal) cannot express"
                )
