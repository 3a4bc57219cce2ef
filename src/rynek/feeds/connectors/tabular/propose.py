"""A mapping to start from, for a table that nobody has described yet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from rynek.feeds.connectors.tabular.decode import Row, csv_text, fits, rows
from rynek.feeds.connectors.tabular.detect import format_of, is_tar, records_at
from rynek.feeds.connectors.tabular.look import (
    NOTHING,
    Column,
    Shape,
    flattened,
    shape_of,
    unit_of,
)
from rynek.feeds.connectors.tabular.mapping import RESERVED, Table, shipped
from rynek.feeds.connectors.tabular.xlsx import first_rows
from rynek.feeds.contract import FeedConfig, Findings, Situation
from rynek.feeds.kit.checked import finite

SAMPLE = 2_000
_TITLES = 12
_TOTALS = frozenset({"celkem", "součet", "suma", "razem", "łącznie", "ogółem", "общо", "всичко", "разом",
                     "всього", "усього", "укупно", "ukupno", "total", "sum", "gesamt", "summe"})  # fmt: skip
_KINDS = frozenset({"number", "text", "flag", "time"})


def fitting(sample: Sequence[Row]) -> list[str]:
    """Names of shipped mappings whose columns and filters fit, the most demanding first."""
    there = set(sample[0]) | {name for name, _ in flattened(sample[0])}
    found = []
    for name, mapping in shipped().items():
        needs = mapping.needs()
        wide = mapping.wide is not None
        if wide and not any(re.fullmatch(mapping.wide.columns, c) for c in there):  # type: ignore[union-attr]
            continue
        passing = any(
            all(fits(str(row.get(f.column)), f) for f in mapping.filter) for row in sample
        )
        if needs and needs <= there and passing and (wide or len(needs) > 1):
            found.append((-len(needs), name))
    return [name for _, name in sorted(found)]


def guessed(data: bytes) -> Table:
    """How to read a table that has no mapping: the lines above its header, and for JSON without
    any list that the document is one record. ValueError when it is no table."""
    if is_tar(data):
        return Table()
    kind = format_of(data)
    if kind == "json":
        return Table(format="json", path="." if _is_record(data) else "")
    if kind == "csv":
        text, separator = csv_text(data, Table(), _nowhere())
        lines = io.StringIO(text[:65536], newline="")
        top: list[list[Any]] = list(islice(csv.reader(lines, delimiter=separator), 30))
        return Table(format="csv", skip=_above(top))
    if kind == "xlsx":
        return Table(format="xlsx", skip=_above(first_rows(data, 30)))
    return Table(format="geojson" if kind == "geojson" else "jsonl")


def _is_record(data: bytes) -> bool:
    """Whether a JSON document without a list of records is one record itself: an object of at least
    three members (fewer are an answer that says what is wrong)."""
    found = list(islice(rows(data, None, _nowhere(), Table(format="json", path=".")), 2))
    if len(found) != 1 or len(list(flattened(found[0]))) < 3:
        return False
    try:
        records_at(found[0], "")
    except ValueError:
        return True
    return False


def _above(top: Sequence[Sequence[Any]]) -> int:
    """How many lines stand above the header: the first line that is filled like the most and has no
    numbers in it."""
    widths = [sum(str(cell).strip() != "" for cell in line) for line in top]
    usual = max(widths, key=lambda width: (widths.count(width), width), default=0)
    for number, line in enumerate(top[:_TITLES]):
        names = [str(cell).strip() for cell in line if str(cell).strip()]
        if widths[number] >= max(2, 0.7 * usual) and len(set(names)) == len(names):
            return number if not any(finite(name) is not None for name in names) else 0
    return 0


def _nowhere() -> Situation:
    return Situation(FeedConfig(name="x", kind="tabular", source=""), 0, Findings(), {})


def propose_mapping(data: bytes) -> str:
    """A mapping in TOML to start from, for any table that can be read.

    ValueError when the bytes are no table. Columns whose role is a guess say so in a comment.
    """
    table = guessed(data)
    sample = list(islice(rows(data, None, _nowhere(), table), SAMPLE))
    if not sample:
        raise ValueError("no rows to propose a mapping from")
    shape = shape_of(sample)
    lines = ["# A proposal from the first rows: check type, id and names before use."]
    lines += ['type = "Device"', *_id(shape), *_table(table, shape), *_time(shape), *_place(shape)]
    lines += _footer(sample, shape)
    clock = shape.clock.name if shape.clock else ""
    used = {shape.lon, shape.lat, shape.own, shape.time.name if shape.time else "", clock}
    taken: set[str] = set()
    for column in shape.columns:
        if column.name not in used and column.kind in _KINDS:
            lines += _attribute(column, taken, timed=shape.time is not None)
    return "\n".join(lines) + "\n"


def _id(shape: Shape) -> list[str]:
    if not shape.own:
        return ['id = "1"', "single = true   # no column tells things apart: all rows are of one"]
    own = next(column for column in shape.columns if column.name == shape.own)
    line = f"id = {_text('{' + shape.own + '}')}"
    if shape.time is not None and own.distinct == shape.rows > 1 and own.kind == "number":
        line += "   # differs in every row: of a thing, or of a reading? Of a thing it must be"
    return [line]


def _table(table: Table, shape: Shape) -> list[str]:
    if not table.format:
        return []
    lines = ["", "[table]", f'format = "{table.format}"']
    lines += [f"skip = {table.skip}   # lines above the header"] if table.skip else []
    lines += ['path = "."   # the document is one record'] if table.path else []
    lines += ['decimal = ","'] if shape.decimal == "," else []
    listed = [column.name for column in shape.columns if column.kind == "list"]
    lines += [
        f"# each = {_text(name)}   # makes a row of each item of this list" for name in listed
    ]
    return lines


def _time(shape: Shape) -> list[str]:
    day, clock = shape.time, shape.clock
    if day is None:
        return []
    lines = ["", "[time]", *_told_odd(day)]
    pattern = day.time_format
    if clock is None:
        lines.append(f"column = {_text(day.name)}")
    else:
        hours = ":" not in clock.example
        told = "{" + clock.name + "}" + (":00" if hours else "")
        lines.append(f"template = {_text('{' + day.name + '} ' + told)}")
        pattern = f"{pattern or '%Y-%m-%d'} %H:%M" + (":%S" if clock.example.count(":") > 1 else "")
    if day.either:
        lines.append("# day before month; if it is the month that stands first: %m/%d")
    lines += [f"format = {_text(pattern)}"] if pattern else []
    if not re.search(r"(Z|[+-]\d\d:?\d\d)$", day.example) and not day.example.isdigit():
        lines.append('# zone = "Europe/Prague"   # the times have no zone; the feed\'s is used')
    return lines


def _place(shape: Shape) -> list[str]:
    found = {column.kind: column.name for column in reversed(shape.columns)}
    if shape.geometry:
        return ["", "[location]", "geometry = true"]
    if "geometry" in found:
        return ["", "[location]", f"geojson = {_text(found['geometry'])}"]
    if shape.lon:
        lines = ["", "[location]", f"lon = {_text(shape.lon)}", f"lat = {_text(shape.lat)}"]
        if shape.krovak:
            lines.append('crs = "EPSG:5514"   # S-JTSK by its numbers, in either order and sign')
        elif not shape.degrees:
            lines.append("# no degrees: give the system, where the document does not, such as")
            lines.append(
                '# crs = "EPSG:5514"   # S-JTSK; 2180 PUWG 1992; 7801 BGS2005; 25834 UTM 34N;'
            )
            lines.append("# lon is the easting, lat the northing, whatever they are called")
        return lines
    if "pair" in found:
        return ["", "[location]", f"latlon = {_text(found['pair'])}   # latitude first"]
    return []


def _footer(sample: list[Row], shape: Shape) -> list[str]:
    """A filter for a last row with totals."""
    first = next((c.name for c in shape.columns if c.kind == "text"), "")
    word = str(sample[-1].get(first) or "").strip()
    if word.rstrip(":").casefold() not in _TOTALS:
        return []
    return ["", "[[filter]]  # a row of totals", f"column = {_text(first)}",
            f"values = [{_text(word)}]", "invert = true"]  # fmt: skip


def _attribute(column: Column, taken: set[str], *, timed: bool) -> list[str]:
    given, unit = unit_of(column.name)
    name = _name(given)
    number = 2
    while name in taken:
        name, number = f"{name.rstrip('0123456789')}{number}", number + 1
    taken.add(name)
    shown = "".join(c if c.isprintable() else " " for c in column.example)
    lines = ["", f"[[attribute]]  # such as {shown!r}"[:100], f"name = {_text(name)}"]
    lines += [*_told_odd(column), f"column = {_text(column.name)}", f'kind = "{column.kind}"']
    lines += [f'unit = "{unit}"'] if unit and column.kind == "number" else []
    marks = dict.fromkeys(text for _, text in column.odd if text.casefold() in NOTHING)
    if marks and column.kind == "number":
        lines.append(f"missing = [{', '.join(_text(mark) for mark in marks)}]")
    if column.kind == "time" and column.time_format:
        lines.append(f"format = {_text(column.time_format)}")
    return lines if timed else [*lines, "static = true"]


def _name(given: str) -> str:
    """A column's name as an attribute's: `Free places` → freePlaces, `PM10` → pm10."""
    words = re.findall(r"[^\W_]+", re.sub(r"(?<=\d)[.,](?=\d)", "", given)) or ["value"]
    first = words[0].lower() if words[0].isupper() else words[0][:1].lower() + words[0][1:]
    name = first + "".join(word[:1].upper() + word[1:] for word in words[1:])
    if name in RESERVED or name in ("location", "source", "dataProvider"):
        name = f"given{name[:1].upper()}{name[1:]}"
    return name if not name[0].isdigit() else f"value{name}"


def _told_odd(column: Column) -> list[str]:
    """A comment on the values that a feed with this mapping would count as errors."""
    told = "".join(c if c.isprintable() else " " for c in column.oddly)
    return [f"# of the values {told}"] if told else []


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else " " for c in escaped) + '"'
