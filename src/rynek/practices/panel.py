"""Panels: an outcome of several units over time, read from tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple
from unicodedata import normalize

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.practices.aggregation import aggregated
from rynek.practices.arrays import Array, Indexes
from rynek.practices.joined import with_one_time
from rynek.practices.saying import say
from rynek.practices.specification import Question, Specification
from rynek.practices.tables import MISSING, matching, numbers_of, read_table
from rynek.practices.times import PLAIN, Clock, clock_of, complete

__all__ = ["ONE", "Panel", "Run", "longest_run", "panel_of", "read_panel"]

ONE: Final = "the series"
_MAX_CELLS: Final = 50_000_000
_MAX_FILES: Final = 100
_DAY: Final = len("2019-05-01")


class Run(NamedTuple):
    """The longest stretch of one value in a record: how many readings, of what, from and to which
    time, and how often that value comes in all."""

    length: int
    value: float
    first: str
    last: str
    in_all: int


@dataclass(frozen=True)
class Panel:
    """Columns of numbers, each (units × times), NaN where nothing is. `times` are the numbers of
    `clock`, in order, `labels` how they are written; `places` where units lie (latitude,
    longitude), `runs` the longest runs in the records before they were aggregated."""

    units: tuple[str, ...]
    times: Array
    labels: tuple[str, ...]
    columns: dict[str, Array]
    clock: Clock = PLAIN
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    runs: Mapping[str, Run] | None = None

    def unit(self, name: str) -> int:
        """The place of a unit; BadRequestData when there is none."""
        try:
            return self.units.index(name)
        except ValueError:
            # The same letters may be written with accents apart (Unicode NFC and NFD).
            same = normalize("NFC", name)
            for place, unit in enumerate(self.units):
                if normalize("NFC", unit) == same:
                    return place
            some = [*self.units[:8], *(["…"] if len(self.units) > 8 else [])]
            raise BadRequestData(say("no-unit", unit=name, some=some)) from None

    def at(self, value: Any, what: str) -> int:
        """The place of the period that `value` lies in, or of the first after it."""
        return int(np.searchsorted(self.times, self.clock.number(value, what)))

    def span(self, first: Any, last: Any, what: str) -> slice:
        """The places of the times from `first` to `last`, both included."""
        start = self.at(first, what)
        number = self.clock.number(last, what, last=True)
        end = int(np.searchsorted(self.times, number, side="right"))
        if self.clock.number(first, what) > number:
            raise BadRequestData(say("window-order", first=first, last=last))
        if start >= end:
            raise BadRequestData(say("no-span", key=what, first=first, last=last))
        return slice(start, end)


def read_panel(folder: Path, spec: Specification) -> Panel:
    """The tables that `spec` names in `folder`: a row for each unit and time, or a column for each
    unit where no column of units is named but treated units are. BadRequestData names the column
    and the row."""
    assert not isinstance(spec.panel, Question)
    files = [spec.panel] if isinstance(spec.panel, str) else list(spec.panel)
    if not files or len(files) > _MAX_FILES:
        raise BadRequestData(f"panel: from one to {_MAX_FILES} files")
    times = spec.time if isinstance(spec.time, list) else [spec.time]
    words = [one for one in (spec.unit, *times, spec.outcome, *spec.treated_names()) if one]
    tables = [read_table(_beside(folder, one), spec.encoding, words) for one in files]
    return panel_of(tables, spec, " and ".join(files))


def _beside(folder: Path, name: str) -> Path:
    """A file beside the specification, also further down; BadRequestData for any other."""
    path = folder / name
    if "\0" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise BadRequestData(f"the panel {name!r} does not lie beside the specification")
    return path


def panel_of(tables: Sequence[Any], spec: Specification, called: str) -> Panel:
    """A panel from Arrow tables, which follow each other. BadRequestData."""
    tables, spec = with_one_time(tables, spec, called)
    assert not isinstance(spec.time, list)
    wide = spec.unit is None and bool(spec.treated_names())
    needed = [spec.unit, spec.time, *spec.where, *(spec.location or [])]
    needed += spec.covariates if wide else spec.columns()
    for table in tables:
        _refuse_lacking(table, [one for one in needed if one], called)
    table = _one(tables, spec, wide)
    if not table.num_rows:
        if spec.where:
            raise BadRequestData(f"{called} has no rows with {_told(spec.where)} (where)")
        raise BadRequestData(f"{called} has no rows")
    read = _wide if wide else _long
    return read(table, spec, called)


def _refuse_lacking(table: Any, needed: Sequence[str], called: str) -> None:
    for name in needed:
        if name not in table.column_names:
            raise BadRequestData(
                f"{called} has no column {name!r}; it has {', '.join(table.column_names[:20])}"
            )
        if table.column_names.count(name) > 1:
            raise BadRequestData(f"{called} has two columns {name!r}")


def _told(where: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} = {str(value)[:60]}" for name, value in where.items())


def _one(tables: Sequence[Any], spec: Specification, wide: bool) -> Any:
    """The tables as one, with the rows that are wanted and the columns that are needed."""
    import pyarrow as pa

    kept = []
    names = None if wide else list(
        dict.fromkeys(one for one in (
            spec.unit, spec.time, *(spec.location or []), *spec.columns(), *spec.where) if one)
    )  # fmt: skip
    for table in tables:
        for column, wanted in spec.where.items():
            table = table.filter(matching(table[column], wanted))
        kept.append(table if names is None else table.select(names))
    if len(kept) == 1:
        return kept[0]
    try:
        return pa.concat_tables(kept, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        reason = str(error).splitlines()[0][:120]
        raise BadRequestData(f"the files of the panel do not fit together: {reason}") from None


def _coded(column: Any) -> tuple[list[Any], Indexes]:
    """The distinct values of a column in the order of their first row, and each row's number."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False).astype(
        np.intp
    )


def _long(table: Any, spec: Specification, called: str) -> Panel:
    table = _without_empty(table)
    rows = table.num_rows
    names, row = ([ONE], np.zeros(rows, np.intp)) if spec.unit is None else _coded(table[spec.unit])
    _refuse_nameless(names, spec, called)
    if spec.time is None and len(names) > 1:
        raise BadRequestData("a panel of several units needs the column of its times (time)")
    values = {
        name: numbers_of(table[name], name, spec.decimal, spec.missing) for name in spec.columns()
    }
    units = tuple(_label(one).strip() for one in names)
    if len(set(units)) < len(units):
        raise BadRequestData(f"column {spec.unit}: units differ in nothing but spaces")
    return _placed(table, spec, called, units, row, values)


def _without_empty(table: Any) -> Any:
    """The table without rows of which no cell that is asked for holds anything, as spreadsheets
    leave them at the end."""
    from pyarrow import compute, types

    empty = None
    for column in table.columns:
        blank = compute.is_null(column)
        if types.is_string(column.type):
            trimmed = compute.utf8_trim_whitespace(column)
            blank = compute.or_(blank, compute.fill_null(compute.equal(trimmed, ""), True))
        empty = blank if empty is None else compute.and_(empty, blank)
    if empty is None or not compute.any(empty).as_py():
        return table
    return table.filter(compute.invert(empty))


def _refuse_nameless(names: Sequence[Any], spec: Specification, called: str) -> None:
    """NA may be a place (Namibia), where the specification names it so; else nothing was there."""
    known = {*spec.treated_names(), *(spec.donors or []), *spec.exclude, *spec.neighbours}
    for one in names:
        told = "" if one is None else str(one).strip()
        if told == "":
            raise BadRequestData(f"a row of {called} names no unit (column {spec.unit})")
        if told in MISSING and told not in known:
            raise BadRequestData(
                f"a row of {called} has {told!r} as its unit (column {spec.unit}), which says that"
                " none is there; if one is called so, name it in donors or exclude"
            )


def _wide(table: Any, spec: Specification, called: str) -> Panel:
    """A column for each unit: the treated, the donors or every other that holds numbers."""
    table = _without_empty(table)
    asked = [*spec.treated_names(), *(spec.donors or [])]
    _refuse_lacking(table, asked, called)
    aside = {spec.time, *spec.covariates, *spec.where}
    names = list(dict.fromkeys(asked))
    if spec.donors is None:
        names += [one for one in dict.fromkeys(table.column_names) if one not in {*asked, *aside}]
    found: dict[str, Array] = {}
    for name in names:
        try:
            found[name] = numbers_of(table[name], name, spec.decimal, spec.missing)
        except (BadRequestData, KeyError):
            if name in asked:
                raise
    rows, units = table.num_rows, tuple(found)
    if len(units) * rows > _MAX_CELLS:
        raise BadRequestData(say("panel-large", units=len(units), times=rows))
    same = {
        one: np.tile(numbers_of(table[one], one, spec.decimal, spec.missing), len(units))
        for one in spec.covariates
    }
    row = np.repeat(np.arange(len(units)), rows)
    values = {spec.outcome: np.concatenate(list(found.values()))} | same
    return _placed(table, spec, called, units, row, values, tiles=len(units))


def _placed(
    table: Any,
    spec: Specification,
    called: str,
    units: tuple[str, ...],
    row: Indexes,
    values: Mapping[str, Array],
    tiles: int = 1,
) -> Panel:
    """The values at their units (`row`) and times; the table's times hold for each of `tiles`."""
    stamps, where = _stamps(table, spec)
    clock, numbers = clock_of(stamps, spec.time_format, spec.every, f"column {spec.time}")
    times = complete(np.unique(numbers), clock)
    if len(units) * len(times) > _MAX_CELLS:
        raise BadRequestData(say("panel-large", units=len(units), times=len(times)))
    place = np.searchsorted(times, numbers)
    labels = [clock.label(float(one)) for one in times]
    if spec.every is None:
        for at, stamp in zip(place, stamps, strict=True):
            told = _label(stamp)
            # A day that was written with its hour and zone is a day.
            labels[at] = labels[at] if clock.kind == "day" and len(told) > _DAY else told
    where = np.tile(where, tiles)
    cell = row * len(times) + place[where]
    runs = None
    if spec.every is None and spec.aggregation is None:
        _refuse_twice(cell, units, len(times), called)
    else:
        runs = _raw_runs(units, row, where, values[spec.outcome], stamps, numbers, spec)
    shape = (len(units), len(times))
    columns = {name: aggregated(one, cell, shape, spec.aggregation) for name, one in values.items()}
    places = _locations(table, spec, units, row) if spec.location else {}
    return Panel(units, times, tuple(labels), columns, clock, places, runs)


def _stamps(table: Any, spec: Specification) -> tuple[list[Any], Indexes]:
    if spec.time is None:
        if spec.every is not None:
            raise BadRequestData("every: it needs the column of times (time)")
        return list(range(table.num_rows)), np.arange(table.num_rows)
    stamps, where = _coded(table[spec.time])
    for number, one in enumerate(stamps):
        if one is None or str(one).strip() in MISSING:
            at = int(np.argmax(where == number)) + 1
            raise BadRequestData(f"column {spec.time}: row {at} has no time")
    return stamps, where


def _label(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _refuse_twice(cells: Indexes, units: Sequence[str], times: int, called: str) -> None:
    found, counts = np.unique(cells, return_counts=True)
    twice = found[counts > 1]
    if len(twice):
        raise BadRequestData(
            f"{called} has {int(counts.max())} rows for {units[int(twice[0]) // times]!r} at one"
            ' time: one is allowed, or say how to take them together (aggregation = "mean")'
        )


def longest_run(series: Array) -> tuple[int, int]:
    """(length, start) of the longest run of one value; gaps end a run. (0, 0) for none."""
    if not len(series):
        return 0, 0
    same = np.concatenate([[False], series[1:] == series[:-1]])
    starts = np.flatnonzero(~same)
    lengths = np.diff(np.append(starts, len(series)))
    best = int(np.argmax(lengths))
    return (int(lengths[best]), int(starts[best])) if lengths[best] > 1 else (0, 0)


def _raw_runs(
    units: Sequence[str],
    row: Indexes,
    where: Indexes,
    values: Array,
    stamps: Sequence[Any],
    numbers: Array,
    spec: Specification,
) -> dict[str, Run]:
    """Stretches of one value in the records themselves, which a mean over a month hides."""
    fine = clock_of(stamps, spec.time_format, None, "time")[1] if spec.every else numbers
    order = np.lexsort((fine[where], row))
    ends = np.searchsorted(row[order], np.arange(len(units) + 1))
    found = {}
    for number, unit in enumerate(units):
        mine = order[ends[number] : ends[number + 1]]
        mine = mine[~np.isnan(values[mine])]
        length, start = longest_run(values[mine])
        if length:
            value = float(values[mine[start]])
            first, last = (_label(stamps[where[mine[one]]]) for one in (start, start + length - 1))
            found[unit] = Run(length, value, first, last, int((values[mine] == value).sum()))
    return found


def _locations(
    table: Any, spec: Specification, units: Sequence[str], row: Indexes
) -> dict[str, tuple[float, float]]:
    assert spec.location is not None
    pair = [numbers_of(table[one], one, spec.decimal, ()) for one in spec.location]
    there = ~(np.isnan(pair[0]) | np.isnan(pair[1]))
    found: dict[str, tuple[float, float]] = {}
    seen, first = np.unique(row[there], return_index=True)
    for number, at in zip(seen, np.flatnonzero(there)[first], strict=True):
        found[units[int(number)]] = (float(pair[0][at]), float(pair[1][at]))
    return found
