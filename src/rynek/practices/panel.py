"""Panels: an outcome of several units over time, read from a table (CSV, Parquet)."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.practices.arrays import Array

__all__ = ["ONE", "Panel", "moment", "read_panel"]

ONE: Final = "the series"
_MAX_BYTES: Final = 256 * 1024 * 1024
_MAX_CELLS: Final = 50_000_000
_DELIMITERS: Final = (",", ";", "\t", "|")
_MONTH: Final = re.compile(r"\d{4}-\d{2}")


@dataclass(frozen=True)
class Panel:
    """Columns of numbers, each (units × times), NaN where nothing is. `times` are numbers that
    rise (days since 1970 for dates), `labels` how they are written."""

    units: tuple[str, ...]
    times: Array
    labels: tuple[str, ...]
    columns: dict[str, Array]

    def unit(self, name: str) -> int:
        """The place of a unit; BadRequestData when there is none."""
        try:
            return self.units.index(name)
        except ValueError:
            some = ", ".join(self.units[:8]) + (" …" if len(self.units) > 8 else "")
            raise BadRequestData(f"the panel has no unit {name!r}; it has {some}") from None

    def at(self, value: Any, what: str) -> int:
        """The place of the first time that is not before `value`."""
        return int(np.searchsorted(self.times, moment(value, what)))

    def span(self, first: Any, last: Any, what: str) -> slice:
        """The places of the times from `first` to `last`, both included."""
        start = self.at(first, what)
        end = int(np.searchsorted(self.times, moment(last, what, last=True), side="right"))
        if start >= end:
            raise BadRequestData(f"{what}: the panel has no time from {first} to {last}")
        return slice(start, end)


def moment(value: Any, what: str, *, last: bool = False) -> float:
    """A time as a number: years and other numbers as they are, dates (ISO 8601, also `2019-05`) as
    days since 1970; `last` takes the end of a month. BadRequestData."""
    if isinstance(value, bool) or value is None:
        raise BadRequestData(f"{what}: {value!r} is no time")
    if isinstance(value, int | float | np.integer | np.floating):
        return float(value)
    if isinstance(value, datetime):
        return _days(value.date()) + (value.hour * 3600 + value.minute * 60 + value.second) / 86400
    if isinstance(value, date):
        return _days(value)
    text = str(value).strip()
    try:
        return float(text)
    except ValueError:
        pass
    try:
        if _MONTH.fullmatch(text):
            year, month = int(text[:4]), int(text[5:])
            if not last:
                return _days(date(year, month, 1))
            return _days(date(year + month // 12, month % 12 + 1, 1)) - 1
        if len(text) == 10:
            return _days(date.fromisoformat(text))
        return moment(datetime.fromisoformat(text), what)
    except ValueError:
        raise BadRequestData(
            f"{what}: {text[:40]!r} is no time; a number or an ISO date is"
        ) from None


def _days(value: date) -> float:
    return float(value.toordinal() - 719_163)


def read_panel(path: Path, *, unit: str | None, time: str | None, numbers: Sequence[str]) -> Panel:
    """A table of one row for each unit and time. Without `unit` it is one series, without `time`
    its rows follow each other, numbered from 0. BadRequestData names the column and the row."""
    table = _table(path)
    for name in (unit, time, *numbers):
        if name is not None and name not in table.column_names:
            raise BadRequestData(
                f"{path.name} has no column {name!r}; it has {', '.join(table.column_names[:20])}"
            )
    rows = table.num_rows
    if not rows:
        raise BadRequestData(f"{path.name} has no rows")
    names = [ONE] * rows if unit is None else [_name(x) for x in table[unit].to_pylist()]
    stamps = list(range(rows)) if time is None else table[time].to_pylist()
    if unit is None and time is None and len(set(names)) != 1:
        raise BadRequestData("a panel of several units needs the column of its times (time)")
    units = tuple(dict.fromkeys(names))
    marks = np.array([moment(x, f"column {time}") for x in stamps])
    times, place = np.unique(marks, return_inverse=True)
    if len(units) * len(times) > _MAX_CELLS:
        raise BadRequestData(f"{len(units)} units × {len(times)} times are too many")
    number = {name: n for n, name in enumerate(units)}
    row = np.array([number[name] for name in names])
    _refuse_twice(row, place, units, times, path.name)
    labels = [""] * len(times)
    for where, stamp in zip(place, stamps, strict=True):
        labels[where] = _label(stamp)
    columns = {}
    for name in dict.fromkeys(numbers):
        values = np.full((len(units), len(times)), np.nan)
        values[row, place] = _numbers(table[name], name)
        columns[name] = values
    return Panel(units, times, tuple(labels), columns)


def _table(path: Path) -> Any:
    from pyarrow import ArrowInvalid, csv, parquet

    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadRequestData(f"the panel {path} cannot be read: {error.strerror}") from None
    if size > _MAX_BYTES:
        raise BadRequestData(f"the panel {path.name} is over {_MAX_BYTES >> 20} MiB")
    try:
        if path.suffix == ".parquet":
            return parquet.read_table(path)
        body = _text(path)
        delimiter = _delimiter(body)
        return csv.read_csv(
            io.BytesIO(body),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(
                null_values=["", "NA", "NaN", "nan", "null", "-"], strings_can_be_null=True
            ),
        )
    except (ArrowInvalid, OSError, EOFError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0][:200]
        raise BadRequestData(f"the panel {path.name} is no table: {reason}") from None


def _text(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    import gzip

    with gzip.open(path) as packed:
        body = packed.read(_MAX_BYTES + 1)
    if len(body) > _MAX_BYTES:
        raise BadRequestData(f"the panel {path.name} is over {_MAX_BYTES >> 20} MiB")
    return body.removeprefix(b"\xef\xbb\xbf")


def _delimiter(body: bytes) -> str:
    head = body[: body.find(b"\n") if b"\n" in body else len(body)].decode("utf-8", "replace")
    return max(_DELIMITERS, key=head.count)


def _name(value: Any) -> str:
    if value is None:
        raise BadRequestData("a row of the panel names no unit")
    return str(value)


def _label(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def _numbers(column: Any, name: str) -> Array:
    """A column as numbers; also with a decimal comma, as spreadsheets of half of Europe write."""
    from pyarrow import ArrowException, ArrowInvalid, compute, types

    try:
        if types.is_string(column.type) or types.is_large_string(column.type):
            column = compute.replace_substring(column, ",", ".")
        numbers = np.asarray(
            column.cast("float64").fill_null(float("nan")).to_numpy(), dtype=np.float64
        )
    except (ArrowInvalid, ArrowException) as error:
        reason = str(error).splitlines()[0][:120]
        raise BadRequestData(
            f"column {name!r} holds something else than numbers: {reason}"
        ) from None
    if np.isinf(numbers).any():
        raise BadRequestData(f"column {name!r} holds an infinite number")
    return numbers


def _refuse_twice(
    row: np.ndarray[Any, Any],
    place: np.ndarray[Any, Any],
    units: Sequence[str],
    times: Array,
    name: str,
) -> None:
    cells = row * len(times) + place
    found, counts = np.unique(cells, return_counts=True)
    twice = found[counts > 1]
    if len(twice):
        unit = units[int(twice[0]) // len(times)]
        raise BadRequestData(
            f"{name} has {int(counts.max())} rows for {unit!r} at one time: one is allowed"
        )
