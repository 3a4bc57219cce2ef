"""From a file of a source to a reference table, whole or not at all."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.indicators.arrays import Array
from rynek.indicators.reference.definition import Column, Definition
from rynek.indicators.reference.tsv import YEAR, is_sdmx_csv, is_tsv, read_sdmx_csv, read_tsv
from rynek.indicators.table import Form, Frame, first_of, read_frame, read_text

__all__ = ["Imported", "read_source", "to_csv"]

_HEADING: Final = re.compile(r"(CITIES|GEO|METROREG|TIME).*TIME.*|GEO\s*\(Labels\)", re.IGNORECASE)
_FLAGGED: Final = re.compile(r"([\d.,]+)\s*([a-z]{1,3})?")


@dataclass(frozen=True)
class Imported:
    """A reference table: `columns` by name, each as long as `keys`, None where nothing is. `told`
    are facts that the file states of itself, `left_out` keys that were not taken and why."""

    keys: list[str]
    columns: dict[str, list[Any]]
    told: dict[str, str]
    left_out: dict[str, str]


def read_source(source: Definition, path: Path) -> Imported:
    """Read a file as its definition says. BadRequestData names the cell and what to do."""
    if source.layout == "eurostat":
        return _eurostat(source, path)
    form = Form(source.separator, source.encoding, source.decimal, source.missing)
    frame = read_frame(path, form, tuple(source.never), source.levels)
    keys, rows, left = _keys(source, frame)
    columns: dict[str, list[Any]] = {}
    for one in source.columns:
        columns[one.name] = _taken(frame, one, keys, rows)
    _check_totals(source, columns, [keys[row] for row in rows], path.name)
    return Imported([keys[row] for row in rows], columns, {}, left)


def _keys(source: Definition, frame: Frame) -> tuple[list[str], list[int], dict[str, str]]:
    texts = _deepest(source, frame) if source.levels else frame.text(source.key)
    for row, text in enumerate(texts):
        if text is None:
            raise BadRequestData(f"{frame.cell(row, source.key)} is empty; each row needs its key")
    keys = [text or "" for text in texts]
    return keys, *_once(source, keys, frame.name)


def _deepest(source: Definition, frame: Frame) -> list[str | None]:
    """Of codes that stand one level beside the other the deepest of each row."""
    columns = [frame.text(name) for name in reversed(source.levels)]
    return [next((one for one in row if one), None) for row in zip(*columns, strict=True)]


def _once(source: Definition, keys: list[str], name: str) -> tuple[list[int], dict[str, str]]:
    """The rows whose key stands once and has the form of a key."""
    pattern = re.compile(source.key_pattern) if source.key_pattern else None
    seen: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        if pattern is not None and not pattern.fullmatch(key):
            raise BadRequestData(
                f"{name}, row {row + 1}: {key[:60]!r} is no key of {source.id}"
                f" ({source.key_pattern})"
            )
        seen.setdefault(key, []).append(row)
    left = {}
    for key, rows in seen.items():
        if len(rows) > 1:
            places = ", ".join(str(row + 1) for row in rows)
            if source.twice == "refuse":
                raise BadRequestData(f"{name}: the key {key!r} stands in rows {places}")
            left[key] = f"the key stands in rows {places}: nobody can tell which is meant"
    return [rows[0] for key, rows in seen.items() if key not in left], left


def _taken(frame: Frame, one: Column, keys: list[str], rows: list[int]) -> list[Any]:
    if one.kind == "text":
        texts = frame.text(one.column)
        return [texts[row] for row in rows]
    values = frame.numbers(one.column, keys)
    if one.empty is not None:
        values = np.where(np.isnan(values), one.empty, values)
    low, high = (0.0, 1.0) if one.kind == "flag" else (one.minimum, one.maximum)
    for row in rows:
        value = values[row]
        beyond = (low is not None and value < low) or (high is not None and value > high)
        if beyond or (one.kind == "flag" and not np.isnan(value) and value not in (0, 1)):
            raise BadRequestData(
                f"{frame.cell(row, one.column, keys)} is {value:g}, outside"
                f" {'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'};"
                " correct the cell or the definition"
            )
    return [_plain(values[row]) for row in rows]


def _plain(value: float) -> float | int | None:
    if np.isnan(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else float(value)


def _check_totals(
    source: Definition, columns: dict[str, list[Any]], keys: list[str], name: str
) -> None:
    for rule in source.totals:
        total = _array(columns[rule.total])
        parts = np.sum([_array(columns[part]) for part in rule.parts], axis=0)
        with np.errstate(invalid="ignore"):
            wrong = np.abs(parts - total) > rule.within * np.maximum(np.abs(total), 1)
        for row in np.flatnonzero(wrong):
            raise BadRequestData(
                f"{name} ({keys[row]}): {' + '.join(rule.parts)} is {parts[row]:.6g} and not"
                f" {rule.total}, {total[row]:.6g}"
            )


def _array(values: list[Any]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _eurostat(source: Definition, path: Path) -> Imported:
    """A table of Eurostat, a row for each key and a column for each year: a sheet of the data
    browser, or TSV or SDMX-CSV of the API. A colon is no value, a letter after a number a flag (b: break in
    series, e: estimated, p: provisional)."""
    text = read_text(path, source.encoding)
    read = read_tsv if is_tsv(text) else read_sdmx_csv if is_sdmx_csv(text) else _sheet
    told, years, rows = read(text, source, path.name)
    keys = [line[0].strip() for line in rows]
    kept, left = _once(source, keys, path.name)
    columns: dict[str, list[Any]] = {year: [] for year in years}
    for row in kept:
        cells = rows[row][1:]
        if len(cells) != len(years):
            raise BadRequestData(
                f"{path.name} ({keys[row]}): {len(cells)} cells for {len(years)} years"
            )
        for year, cell in zip(years, cells, strict=True):
            columns[year].append(_cell(source, cell.strip(), f"{path.name} ({keys[row]}, {year})"))
    return Imported([keys[row] for row in kept], columns, told, left)


def _sheet(
    text: str, _: Definition, name: str
) -> tuple[dict[str, str], list[str], list[list[str]]]:
    """A sheet of the data browser: facts, a heading of years, keys."""
    lines = list(csv.reader(io.StringIO(text, newline="")))
    start = next((n for n, line in enumerate(lines) if line and _HEADING.match(line[0])), None)
    if start is None:
        raise BadRequestData(f"{name}: no heading such as CITIES/TIME; is it a Eurostat sheet?")
    years = [one.strip() for one in lines[start][1:]]
    wrong = [one for one in years if not YEAR.fullmatch(one)]
    if wrong or len(set(years)) < len(years):
        raise BadRequestData(f"{name}: the heading has {first_of(wrong or years)}, no years")
    told = {line[0]: line[1] for line in lines[:start] if len(line) > 1 and line[0] and line[1]}
    rows = []
    for line in lines[start + 1 :]:
        if not line or not line[0].strip():
            break
        rows.append(line)
    return told, years, rows


def _cell(source: Definition, text: str, where: str) -> float | int | None:
    if text in source.missing or text.startswith(":"):
        return None
    match = _FLAGGED.fullmatch(text)
    number = match[1].replace(",", "") if match else ""
    try:
        value = float(number)
    except ValueError:
        raise BadRequestData(f"{where}: {text[:40]!r} is no number") from None
    low, high = source.minimum, source.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise BadRequestData(f"{where}: {value:g} {source.unit} is outside {low} … {high}")
    return _plain(value)


def to_csv(key: str, table: Imported) -> str:
    """A reference table as CSV, for spreadsheets and for an index."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([key, *table.columns])
    for row, name in enumerate(table.keys):
        cells = (values[row] for values in table.columns.values())
        writer.writerow([name, *("" if cell is None else cell for cell in cells)])
    return out.getvalue()
