"""Bytes of a table → rows, each a dictionary by column name; everything bounded."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from rynek.feeds.connectors.tabular.detect import format_of, is_tar, records_at, separator_of
from rynek.feeds.connectors.tabular.mapping import Filter, Mapping, Table
from rynek.feeds.connectors.tabular.pages import PART, More, more_of, tell, tell_again
from rynek.feeds.connectors.tabular.xlsx import rows as xlsx_rows
from rynek.feeds.contract import Situation
from rynek.feeds.kit.content import tar_members
from rynek.feeds.kit.content import text as decoded
from rynek.feeds.kit.reference import Reference, reference

MAX_COLUMNS = 2_000
MAX_CELL = 65_536
MAX_ITEMS = 10_000
_STEP = re.compile(r"\.(?![^\[\]]*\])")
_WHERE = re.compile(r"(.*)\[([^\[\]=]+)=([^\[\]]*)\]\Z")
_ID_COLUMN = re.compile(r"\{([^{}]+)\}")
_EMPTY_LIST = re.compile(rb"\[\s*\]")
Row = dict[str, Any]


def parts(data: bytes, situation: Situation) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every table in a payload: the payload, or each file of a tar."""
    if is_tar(data):
        yield from tar_members(data, situation.config.max_bytes)
    else:
        yield situation.name or situation.config.source, data


def rows(
    data: bytes, mapping: Mapping | None, situation: Situation, table: Table | None = None
) -> Iterator[Row]:
    """All rows that pass the mapping's filters; without a mapping all, read as `table` says.
    ValueError when the bytes are no table."""
    table = mapping.table if mapping is not None else table or Table()
    situation.memory.pop("rows", None)
    for name, content in parts(data, situation):
        extra = part_columns(table, name, situation)
        if extra is None:
            continue
        found = False
        for row in _read(content, table, situation):
            found = True
            row.update(extra)
            if table.each:
                yield from _items(row, mapping, table.each, situation)
                continue
            if mapping is None:
                yield row
                continue
            for entity in _unfold(row, mapping):
                if _fits(entity, mapping):
                    yield entity
                else:
                    situation.findings.add("filtered", "info", _sample(entity))
        if mapping is not None and not found and not situation.part.startswith(PART):
            severity = "warning" if _says_empty(content, mapping) else "error"
            situation.findings.add("no-rows", severity, name)


def _items(row: Row, mapping: Mapping | None, each: str, situation: Situation) -> Iterator[Row]:
    """One row for each item of a list within a record; the item stands where the list stood."""
    items = cell(row, each)
    if not isinstance(items, list):
        situation.findings.add("no-items", "info", f"{each}: {_sample(row)}")
        return
    for item in items[:MAX_ITEMS]:
        made = row | {each: item}
        if mapping is None or _fits(made, mapping):
            yield made
        else:
            situation.findings.add("filtered", "info", _sample(made))


def _says_empty(content: bytes, mapping: Mapping) -> bool:
    """Whether bytes without rows are still that table: an empty list, or the header with the
    columns of the id."""
    names = _ID_COLUMN.findall(mapping.id)
    header = bool(names) and all(name.encode() in content for name in names)
    return header or _EMPTY_LIST.search(content) is not None


def part_columns(table: Table, name: str, situation: Situation) -> Row | None:
    """Columns from the name of a file or member; None (counted) when the pattern does not fit."""
    if not table.part:
        return {}
    match = re.search(table.part, name)
    if match is None:
        situation.findings.add("part-unknown", "warning", name)
        return None
    return {key: value for key, value in match.groupdict().items() if value is not None}


def _read(data: bytes, table: Table, situation: Situation) -> Iterator[Row]:
    kind = table.format or format_of(data)
    if kind == "csv":
        return _csv(data, table, situation)
    if kind == "xlsx":
        return xlsx_rows(data, table, situation)
    if kind == "jsonl":
        return _json_lines(data, situation)
    return _json(data, kind, table, situation)


def csv_text(data: bytes, table: Table, situation: Situation) -> tuple[str, str]:
    """Text and separator of a CSV, as the mapping says or as they look."""
    if table.encoding:
        try:
            text = data.decode(table.encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise ValueError(f"not readable as {table.encoding}: {error}") from None
    else:
        text, encoding = decoded(data)
        if encoding not in ("utf-8", "utf-8-sig"):
            situation.findings.add("encoding-guessed", "info", encoding)
    if "\ufffd" in text:
        situation.findings.add("unreadable-characters", "warning", "", text.count("\ufffd"))
    return text, table.separator or separator_of(text)


def header_of(names: list[str], table: Table, situation: Situation) -> list[str]:
    """Column names, unique and bounded; an unnamed one is called by its number."""
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"not a table: more than {MAX_COLUMNS} columns")
    header: list[str] = []
    for number, name in enumerate(table.columns or names, 1):
        clean = str(name).strip().lstrip("\ufeff") or f"column {number}"
        if clean in header:
            situation.findings.add("duplicate-column", "warning", clean)
            clean = f"{clean} {number}"
        header.append(clean)
    return header


def _csv(data: bytes, table: Table, situation: Situation) -> Iterator[Row]:
    text, separator = csv_text(data, table, situation)
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    findings = situation.findings
    try:
        for _ in islice(reader, table.skip):
            pass
        header = header_of([] if table.columns else next(reader, []), table, situation)
        width = len(header)
        for cells in reader:
            if not any(cells):
                findings.add("empty-row", "info", reader.line_num)
            elif len(cells) < width:
                findings.add("short-row", "warning", f"line {reader.line_num}")
            else:
                if any(cells[width:]):
                    findings.add("long-row", "warning", f"line {reader.line_num}")
                yield dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise ValueError(f"not a readable CSV, line {reader.line_num}: {error}") from None


def _json_lines(data: bytes, situation: Situation) -> Iterator[Row]:
    for number, line in enumerate(data.lstrip(b"\xef\xbb\xbf").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            situation.findings.add("bad-record", "warning", f"line {number}: {error}")
            continue
        if isinstance(row, dict):
            yield row
        else:
            situation.findings.add("bad-record", "warning", f"line {number}: no object")


def _json(data: bytes, kind: str, table: Table, situation: Situation) -> Iterator[Row]:
    try:
        document = msgspec.json.decode(data.lstrip(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a readable JSON document: {error}") from None
    geo = kind == "geojson"
    foreign, known = _foreign_crs(document, situation)
    records = records_at(document, table.path or ("features" if geo else ""))
    more = more_of(document, len(records), situation.name or situation.config.source)
    if more is not None:
        tell(more, situation)
    if records:
        tell_again(records[0], situation)
    for record in records:
        if not isinstance(record, dict):
            situation.findings.add("bad-record", "warning", record)
        elif geo:
            properties = record.get("properties")
            row = dict(properties) if isinstance(properties, dict) else {}
            row["_geometry"] = record.get("geometry") if known else None
            row["_id"] = record.get("id", row.get("id"))
            yield row | {"_crs": foreign} if foreign else row
        else:
            yield record | {"_crs": foreign} if foreign else record


def pages_beyond(data: bytes, table: Table, url: str) -> More | None:
    """What a JSON document says of further pages; None for a whole one and for other formats."""
    try:
        kind = table.format or format_of(data)
        if kind not in ("json", "geojson"):
            return None
        document = msgspec.json.decode(data.lstrip(b"\xef\xbb\xbf"))
        found = records_at(document, table.path or ("features" if kind == "geojson" else ""))
    except (ValueError, RecursionError):
        return None
    return more_of(document, len(found), url)


def _foreign_crs(document: Any, situation: Situation) -> tuple[Reference | None, bool]:
    """The coordinate system other than WGS 84 that the document names (GeoJSON of 2008 could have
    one, Esri's JSON has), and whether its places can be used."""
    found = document.get("crs") if isinstance(document, dict) else None
    properties = found.get("properties") if isinstance(found, dict) else None
    name = str(properties.get("name") or "") if isinstance(properties, dict) else ""
    esri = document.get("spatialReference") if isinstance(document, dict) else None
    if isinstance(esri, dict):
        name = str(esri.get("latestWkid") or esri.get("wkid") or "")
    if not name:
        return None, True
    try:
        return reference(name), True
    except ValueError as error:
        situation.findings.add("crs-unsupported", "warning", error)
        return None, False


def _unfold(row: Row, mapping: Mapping) -> Iterator[Row]:
    """The row itself, or for a wide table one row for each filled column that matches."""
    if mapping.wide is None:
        yield row
        return
    pattern = re.compile(mapping.wide.columns)
    for column, value in row.items():
        match = pattern.fullmatch(column) if value not in ("", None) else None
        if match is not None:
            key = match.group(1) if match.groups() else column
            yield row | {"_column": column, "_key": key, "_value": value}


def cell(row: Row, column: str) -> Any:
    """A cell by column name, or by a dotted path into nested JSON (`values[kind=P1].value`: the
    item of a list whose member is that); None when it is not there."""
    if column in row:
        return row[column]
    value: Any = row
    for step in steps_of(column):
        where = _WHERE.match(step) if "[" in step else None
        if where is not None:
            value = value.get(where.group(1)) if isinstance(value, dict) else None
            value = _item(value, where.group(2), where.group(3))
            continue
        if isinstance(value, dict) and step not in value and "." in column:
            return _dotted(value, column, step)
        if isinstance(value, dict):
            value = value.get(step)
        elif (
            isinstance(value, list)
            and step.isdecimal()
            and len(step) < 10
            and int(step) < len(value)
        ):
            value = value[int(step)]
        else:
            return None
    return value


def steps_of(column: str) -> list[str]:
    """The steps of a path; a dot within brackets (`[type=PM2.5]`) divides nothing."""
    return _STEP.split(column) if "[" in column else column.split(".")


def _item(items: Any, key: str, wanted: str) -> Any:
    """The first item of a list whose member `key` reads `wanted`."""
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and str(item.get(key)) == wanted:
            return item
    return None


def _dotted(value: dict[str, Any], column: str, step: str) -> Any:
    """What stands under a name that has dots itself (`@iot.id`), from that step on."""
    rest = column[column.index(step) :] if column.count(step) == 1 else step
    for name, inner in value.items():
        if "." in name and (rest == name or rest.startswith(f"{name}.")):
            return inner if rest == name else cell_in(inner, rest[len(name) + 1 :])
    return None


def cell_in(value: Any, column: str) -> Any:
    """`cell` of something that may be no object."""
    return cell(value, column) if isinstance(value, dict) else None


def _fits(row: Row, mapping: Mapping) -> bool:
    return all(fits(str(cell(row, f.column) or ""), f) for f in mapping.filter)


def fits(text: str, rule: Filter) -> bool:
    """Whether a cell's text passes one filter."""
    found = text in rule.values if rule.values else re.search(rule.matches, text) is not None
    return bool(found) != rule.invert


def _sample(row: Row) -> str:
    return str({key: row[key] for key in list(row)[:4]})
