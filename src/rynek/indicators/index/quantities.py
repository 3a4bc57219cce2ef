"""From a table to the raw matrix: indicators of units, with every impossible value refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.base.messages import Message
from rynek.indicators.arrays import Array, Flags, Indexes
from rynek.indicators.index.specification import Indicator, Specification, Text, limits
from rynek.indicators.saying import say
from rynek.indicators.table import Form, Frame, read_frame

__all__ = ["LeftOut", "Matrix", "read_matrix"]

_LEAST_UNITS: Final = 3
_MOST: Final = 1e15
_NAMED: Final = 3


@dataclass(frozen=True)
class LeftOut:
    """A unit that has no rank, and why: by the specification, or by what the table lacks."""

    unit: str
    name: str
    group: str
    reason: Text | Message


@dataclass(frozen=True)
class Matrix:
    """Raw indicators (indicators × units) with NaN where a value is missing, and the standard
    errors of the same shape. `group` is the place of each unit's group in `groups`."""

    units: tuple[str, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    group_names: tuple[str, ...]
    group: Indexes
    group_weight: Array
    values: Array
    errors: Array
    places: Array
    left_out: tuple[LeftOut, ...]


def _beside(folder: Path, name: str) -> Path:
    """A file beside the specification, also further down; BadRequestData for any other."""
    # A link in the folder is its owner's own; the name alone must not lead out of it.
    if "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise BadRequestData(f"table.file: {name!r} does not lie beside the specification")
    return folder / name


def read_matrix(spec: Specification, folder: Path) -> Matrix:
    """The table that `spec` names in `folder` as numbers. BadRequestData names the cell or the
    column and what to do; nothing is taken half."""
    told = spec.table
    form = Form(told.separator, told.encoding, told.decimal, told.missing)
    frame = read_frame(_beside(folder, told.file), form, told.never)
    _refuse_never(spec)
    units = frame.keys(told.unit)
    kept, left = _excluded(spec, frame, units)
    values = np.array([_column(frame, one, units, kept) for one in spec.indicators])
    errors = np.array(
        [_errors(frame, one, units, row) for one, row in zip(spec.indicators, values, strict=True)]
    )
    kept, more = _too_little(spec, frame, kept, values)
    _refuse_useless(spec, values[:, kept])
    group_codes, group_names = _groups(spec, frame, units)
    places = _places(spec, frame, units)
    weight = _group_weight(spec, frame, units, kept)
    names = frame.text(told.name) if told.name else units
    every = list(dict.fromkeys(group_codes))
    index = {code: n for n, code in enumerate(every)}
    name_of = dict(zip(group_codes, group_names, strict=True))
    left_out = tuple(
        LeftOut(units[row], names[row] or units[row], group_codes[row], reason)
        for row, reason in sorted((dict[int, Text | Message](left) | more).items())
    )
    return Matrix(
        units=tuple(units[row] for row in kept),
        names=tuple(names[row] or units[row] for row in kept),
        groups=tuple(every) if told.group else (),
        group_names=tuple(name_of[code] for code in every) if told.group else (),
        group=np.array([index[group_codes[row]] for row in kept], dtype=np.intp),
        group_weight=weight[kept],
        values=values[:, kept],
        errors=errors[:, kept],
        places=places[:, kept],
        left_out=left_out,
    )


def _refuse_never(spec: Specification) -> None:
    table = spec.table
    used = [table.unit, table.name, table.group, table.group_name, spec.groups.weight]
    for one in spec.indicators:
        used += [one.column, one.denominator, one.error.column, one.unit_column]
    for name in table.never:
        if name in used:
            raise BadRequestData(f"table.never: the column {name!r} is read by the specification")


def _excluded(
    spec: Specification, frame: Frame, units: list[str]
) -> tuple[list[int], dict[int, Text]]:
    left: dict[int, Text] = {}
    for rule in spec.table.exclude:
        wanted = str(rule.equals)
        for row, text in enumerate(frame.text(rule.column)):
            if text == wanted or (text is not None and _same(text, wanted)):
                left.setdefault(row, rule.reason)
    kept = [row for row in range(len(units)) if row not in left]
    if not kept:
        raise BadRequestData("table.exclude: no unit is left")
    return kept, left


def _same(text: str, wanted: str) -> bool:
    try:
        return float(text) == float(wanted)
    except ValueError:
        return False


def _column(frame: Frame, one: Indicator, units: list[str], kept: list[int]) -> Array:
    """One indicator of every row; rows that are left out are not judged."""
    _refuse_two_units(frame, one, units, kept)
    values = frame.numbers(one.column, units)
    if one.empty is not None:
        values = np.where(np.isnan(values), one.empty, values)
    values = values - one.minus
    inside = np.zeros(len(units), dtype=bool)
    inside[kept] = True
    if one.denominator is not None:
        below = frame.numbers(one.denominator, units)
        for row in np.flatnonzero(inside & (below <= 0)):
            raise BadRequestData(
                f"{frame.cell(row, one.denominator, units)} is {below[row]:g}: the indicator"
                f" {one.id!r} divides by it, so it has to be above 0; correct it or leave the unit"
                " out by table.exclude"
            )
        values = np.divide(values, below, out=np.full(len(values), np.nan), where=below > 0)
    values = values * one.per
    for row in np.flatnonzero(inside & (np.abs(values) > _MOST)):
        raise BadRequestData(
            f"{frame.cell(row, one.column, units)}: the indicator {one.id!r} is {values[row]:g};"
            f" beyond {_MOST:g} nothing is computed: take another unit by its per"
        )
    low, high = limits(one)
    _refuse_beyond(frame, one, units, inside, values, low, high)
    if one.transformation != "none":
        wrong = inside & ((values <= 0) if one.transformation == "log" else (values < 0))
        for row in np.flatnonzero(wrong):
            raise BadRequestData(
                f"{frame.cell(row, one.column, units)}: {values[row]:g} has no {one.transformation};"
                f" give {one.id!r} another transformation"
            )
    return np.asarray(values, dtype=np.float64)


def _refuse_two_units(frame: Frame, one: Indicator, units: list[str], kept: list[int]) -> None:
    if one.unit_column is None:
        return
    found: dict[str, int] = {}
    texts = frame.text(one.unit_column)
    for row in kept:
        found.setdefault(texts[row] or "", row)
    if len(found) > 1:
        (first, at), (second, then) = list(found.items())[:2]
        raise BadRequestData(
            f"indicator {one.id!r} has two units: {first!r} ({frame.cell(at, one.unit_column, units)})"
            f" and {second!r} ({frame.cell(then, one.unit_column, units)}); convert one of them"
        )


def _refuse_beyond(
    frame: Frame,
    one: Indicator,
    units: list[str],
    inside: Flags,
    values: Array,
    low: float | None,
    high: float | None,
) -> None:
    with np.errstate(invalid="ignore"):
        wrong = np.zeros(len(values), dtype=bool)
        if low is not None:
            wrong |= values < low
        if high is not None:
            wrong |= values > high
    rows = np.flatnonzero(wrong & inside)
    if not len(rows):
        return
    row = int(rows[0])
    bounds = f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}"
    others = f" ({len(rows) - 1} more cells are so)" if len(rows) > 1 else ""
    raise BadRequestData(
        f"{frame.cell(row, one.column, units)}: the indicator {one.id!r} is {values[row]:.6g}"
        f" {one.unit}".rstrip()
        + f", outside {bounds}{others}; correct the cells, compute the indicator from amounts, or"
        " set its minimum and maximum"
    )


def _errors(frame: Frame, one: Indicator, units: list[str], values: Array) -> Array:
    """Standard errors of an indicator's values: all its sources together."""
    error = one.error
    found = (error.relative * np.abs(values)) ** 2 + error.absolute**2
    if error.column is not None:
        own = frame.numbers(error.column, units)
        for row in np.flatnonzero(own < 0):
            raise BadRequestData(
                f"{frame.cell(row, error.column, units)} is {own[row]:g}: a standard error is never"
                " below 0"
            )
        found = found + np.where(np.isnan(own), 0.0, own) ** 2
    return np.asarray(np.where(np.isnan(values), 0.0, np.sqrt(found)), dtype=np.float64)


def _too_little(
    spec: Specification, frame: Frame, kept: list[int], values: Array
) -> tuple[list[int], dict[int, Message]]:
    """Units that lack too much, or what is never imputed."""
    how = spec.method.imputation
    never = np.array([one.id in how.never or how.choice == "drop" for one in spec.indicators])
    left: dict[int, Message] = {}
    for row in kept:
        lacks = np.isnan(values[:, row])
        if not lacks.any():
            continue
        names = [one.id for one, lack in zip(spec.indicators, lacks, strict=True) if lack]
        if (lacks & never).any():
            gone = [name for name, stop in zip(names, never[lacks], strict=True) if stop]
            left[row] = say("left-never", indicators=_first_of(gone))
        elif lacks.mean() > how.max_missing:
            left[row] = say(
                "left-many",
                missing=len(names),
                all=len(spec.indicators),
                indicators=_first_of(names),
            )
    kept = [row for row in kept if row not in left]
    if len(kept) < _LEAST_UNITS:
        told = {"table": frame.name, "kept": len(kept), "least": _LEAST_UNITS}
        if not left:
            raise BadRequestData(say("units-few", **told))
        first = next(iter(left.values()))
        raise BadRequestData(say("units-few-left", **told, left=len(left), why=first))
    return kept, left


def _first_of(names: list[str]) -> list[str | Message]:
    """The first three of many names, and how many more there are."""
    rest = len(names) - _NAMED
    return [*names[:_NAMED], *([say("left-more", more=rest)] if rest > 0 else [])]


def _refuse_useless(spec: Specification, values: Array) -> None:
    for one, row in zip(spec.indicators, values, strict=True):
        there = row[~np.isnan(row)]
        if not len(there):
            raise BadRequestData(
                f"indicator {one.id!r}: the column {one.column!r} has no value; leave it out"
            )
        # Values that differ by rounding alone are one value.
        if there.max() - there.min() <= max(1e-12 * np.abs(there).max(), 1 / _MOST):
            same = there.max() == there.min()
            raise BadRequestData(
                f"indicator {one.id!r}: the column {one.column!r} has the value {there[0]:g}"
                " everywhere, so it tells nobody apart; leave it out"
                if same
                else f"indicator {one.id!r}: the values of the column {one.column!r} differ by less"
                f" than {1 / _MOST:g} or by rounding alone; take a smaller unit by its per, or leave it out"
            )


def _groups(spec: Specification, frame: Frame, units: list[str]) -> tuple[list[str], list[str]]:
    column = spec.table.group
    if column is None:
        if spec.groups.expected:
            raise BadRequestData("groups.expected: table.group has to name their column")
        return [""] * frame.rows, [""] * frame.rows
    codes = frame.text(column)
    for row, code in enumerate(codes):
        if code is None:
            raise BadRequestData(
                f"{frame.cell(row, column, units)} is empty: name the unit's group"
            )
    there = [code for code in codes if code is not None]
    gone = [code for code in spec.groups.expected if code not in there]
    if gone:
        raise BadRequestData(
            f"groups.expected: the group {gone[0]!r} has no unit in {frame.name}; add its units or"
            " take it from the list"
        )
    names = frame.text(spec.table.group_name) if spec.table.group_name else there
    said: dict[str, str] = {}
    for code, name in zip(there, names, strict=True):
        said.setdefault(code, name or code)
    return there, [said[code] for code in there]


def _places(spec: Specification, frame: Frame, units: list[str]) -> Array:
    """Latitudes and longitudes (2 × units), NaN where none is told."""
    table = spec.table
    if table.latitude is None or table.longitude is None:
        return np.full((2, len(units)), np.nan)
    found = np.array([frame.numbers(name, units) for name in (table.latitude, table.longitude)])
    for row, (name, most) in enumerate(((table.latitude, 90.0), (table.longitude, 180.0))):
        for at in np.flatnonzero(np.abs(found[row]) > most):
            raise BadRequestData(
                f"{frame.cell(at, name, units)} is {found[row, at]:g}: no place in degrees"
            )
    return np.asarray(found, dtype=np.float64)


def _group_weight(spec: Specification, frame: Frame, units: list[str], kept: list[int]) -> Array:
    column = spec.groups.weight
    if column is None:
        return np.ones(len(units))
    found = frame.numbers(column, units)
    for row in kept:
        if not found[row] > 0:
            raise BadRequestData(
                f"{frame.cell(row, column, units)}: a weight within a group has to be above 0"
            )
    return found
