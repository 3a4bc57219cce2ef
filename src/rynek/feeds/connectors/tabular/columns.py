"""Past recordings as Arrow batches: whole columns at once, millions of rows in seconds.

Every different cell text is converted once, by the same functions that single rows go through,
and the results are taken by index; so both ways give the same values.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from rynek.feeds.connectors.tabular.cells import convert, filled, moment
from rynek.feeds.connectors.tabular.decode import (
    csv_text,
    fits,
    header_of,
    part_columns,
    parts,
    rows,
)
from rynek.feeds.connectors.tabular.detect import format_of
from rynek.feeds.connectors.tabular.map import dataset_id, entity_id, map_row
from rynek.feeds.connectors.tabular.mapping import Attribute, Mapping, placeholders
from rynek.feeds.contract import Situation
from rynek.feeds.kit.readings import SCHEMA, batches_of

BATCH = 262_144
_Codes = np.ndarray[Any, Any]
_BARE_RETURN = re.compile(r"\r(?!\n)")
_json = msgspec.json.Encoder()


def batches(data: bytes, mapping: Mapping, situation: Situation) -> Iterator[pa.RecordBatch]:
    """Readings of all attributes that are not static, attribute by attribute, in row order.

    Rows without id or time, filtered rows and odd cells are counted as in the row-wise way.
    ValueError when the bytes are no table or the mapping has no time.
    """
    if mapping.time is None:
        raise ValueError("past readings need a mapping with [time]")
    for name, content in parts(data, situation):
        extra = part_columns(mapping.table, name, situation)
        if extra is None:
            continue
        kind = mapping.table.format or format_of(content)
        cells = _table(content, extra, mapping, situation) if kind == "csv" else None
        if cells is None:
            yield from _from_rows(name, content, mapping, situation)
        elif mapping.wide is None:
            yield from _columns(cells, mapping, situation)
        else:
            yield from _wide(cells, mapping, situation)


def _table(
    content: bytes, extra: dict[str, Any], mapping: Mapping, situation: Situation
) -> pa.Table | None:
    """All cells as text; None when rows differ in length, which only the row-wise way handles."""
    table = mapping.table
    text, separator = csv_text(content, table, situation)
    if _BARE_RETURN.search(text):
        return None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for _ in range(table.skip):
        next(reader, None)
    header = header_of([] if table.columns else next(reader, []), table, situation)
    skipped = reader.line_num
    first = next(reader, header)
    names = header + [f"_beyond {n}" for n in range(len(header), len(first))]
    # Fewer lines than that: the text ends before its rows begin.
    body = [*text.split("\n", skipped), ""][skipped] if skipped else text
    if len(first) < len(header) or not body.strip():
        return None
    try:
        cells = pcsv.read_csv(
            io.BytesIO(body.encode()),
            read_options=pcsv.ReadOptions(column_names=names, block_size=8 << 20),
            parse_options=pcsv.ParseOptions(delimiter=separator, newlines_in_values='"' in body),
            convert_options=pcsv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    cells = cells.select(header)
    for name, value in extra.items():
        cells = cells.append_column(name, _same(value, cells.num_rows))
    return cells


class _Coded(NamedTuple):
    """A column as its different texts and, for every row, which one it is."""

    texts: list[str]
    codes: _Codes


def _coded(column: pa.ChunkedArray | pa.Array) -> _Coded:
    encoded = pc.dictionary_encode(column)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # no rows at all
        return _Coded([], np.zeros(0, np.int64))
    index = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return _Coded(encoded.dictionary.to_pylist(), index)


def _columns(cells: pa.Table, mapping: Mapping, situation: Situation) -> Iterator[pa.RecordBatch]:
    """Readings of a long table."""
    cells = _filtered(cells, mapping, situation)
    ids = _ids(cells, mapping, situation)
    times = _times(cells, mapping, situation)
    usable = ids.codes >= 0
    if (~usable).any():
        situation.findings.add("no-id", "warning", "", int((~usable).sum()))
    usable &= _count_bad_times(times, usable, situation)
    for rule in mapping.attribute:
        if not rule.static and rule.column:
            yield from _readings(cells, rule, mapping, ids, times, usable, situation)


def _filtered(cells: pa.Table, mapping: Mapping, situation: Situation) -> pa.Table:
    for rule in mapping.filter:
        coded = _coded(_column(cells, rule.column))
        keep = np.array([fits(text, rule) for text in coded.texts], bool)[coded.codes]
        if not keep.all():
            situation.findings.add("filtered", "info", rule.column, int((~keep).sum()))
            cells = cells.filter(pa.array(keep))
    return cells


def _column(cells: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in cells.column_names:
        raise ValueError(f"no column {name!r}; there are: {', '.join(cells.column_names)[:500]}")
    return cells.column(name)


def _template(cells: pa.Table, template: str, make: Callable[[str], str]) -> _Coded:
    """Different results of a template; index -1 where one of its columns is empty."""
    names = placeholders(template)
    columns = [_coded(_column(cells, name)) for name in names]
    joined = np.zeros(cells.num_rows, np.int64)
    for column in columns:
        joined = joined * max(len(column.texts), 1) + column.codes
    keys, index = np.unique(joined, return_inverse=True)
    made: list[str] = []
    position = np.full(len(keys), -1, np.int64)
    for number, key in enumerate(keys.tolist()):
        values: dict[str, Any] = {}
        for name, column in zip(reversed(names), reversed(columns), strict=True):
            key, code = divmod(key, max(len(column.texts), 1))
            values[name] = column.texts[code]
        text = filled(template, values)
        if text is not None:
            position[number] = len(made)
            made.append(make(text))
    return _Coded(made, position[index.reshape(-1)])


def _ids(cells: pa.Table, mapping: Mapping, situation: Situation) -> _Coded:
    return _template(cells, mapping.id, lambda own: entity_id(mapping, own, situation))


def _times(cells: pa.Table, mapping: Mapping, situation: Situation) -> _Codes:
    """Epoch µs of every row; -1 where the cell is no time."""
    rule = mapping.time
    assert rule is not None
    zone = rule.zone or situation.config.zone
    coded = (
        _template(cells, rule.template, str)
        if rule.template
        else _coded(_column(cells, rule.column))
    )
    found = [moment(text, zone, rule.format) for text in coded.texts]
    # The last one is taken by the index -1: a template of which a column is empty.
    known = np.array([*(-1 if micros is None else micros for micros in found), -1], np.int64)
    times: _Codes = known[coded.codes]
    return times


def _count_bad_times(times: _Codes, usable: _Codes, situation: Situation) -> _Codes:
    bad = int(((times < 0) & usable).sum())
    if bad:
        situation.findings.add("bad-time", "warning", "", bad)
    good: _Codes = times >= 0
    return good


def _readings(
    cells: pa.Table,
    rule: Attribute,
    mapping: Mapping,
    ids: _Coded,
    times: _Codes,
    usable: _Codes,
    situation: Situation,
) -> Iterator[pa.RecordBatch]:
    """The readings of one attribute."""
    coded = _coded(_column(cells, rule.column))
    values = _values(coded, rule, mapping, usable, situation)
    present = np.array([value is not None for value in values], bool)
    keep = usable & present[coded.codes]
    datasets = None
    if rule.dataset:
        datasets = _template(cells, rule.dataset, lambda name: name)
        plain = msgspec.structs.replace(rule, dataset="{_}")
        names = [dataset_id(plain, {"_": name}) for name in datasets.texts]
        known = np.array([name is not None for name in names] + [False], bool)
        index = np.where(known[datasets.codes], datasets.codes, -1)
        datasets = _Coded([name or "" for name in names], index)
    yield from _emit(mapping, rule, values, coded.codes, keep, ids, times, datasets)


def _values(
    coded: _Coded,
    rule: Attribute,
    mapping: Mapping,
    usable: _Codes,
    situation: Situation,
) -> list[Any]:
    """What each different text means; odd ones are counted by the usable rows that have them."""
    zone = (mapping.time.zone if mapping.time is not None else "") or situation.config.zone
    counts = np.bincount(coded.codes[usable], minlength=len(coded.texts))
    return [
        convert(text, rule, mapping.table.decimal, zone, situation.findings, int(count))
        if count
        else None
        for text, count in zip(coded.texts, counts.tolist(), strict=True)
    ]


def _emit(
    mapping: Mapping,
    rule: Attribute,
    values: list[Any],
    index: _Codes,
    keep: _Codes,
    ids: _Coded,
    times: _Codes,
    datasets: _Coded | None,
) -> Iterator[pa.RecordBatch]:
    rows_kept = np.flatnonzero(keep)
    number, text, json = _split(values)
    entity_ids = pa.array(ids.texts, pa.string())
    names = pa.array(datasets.texts, pa.string()) if datasets is not None else None
    for start in range(0, len(rows_kept), BATCH):
        chosen = rows_kept[start : start + BATCH]
        codes = pa.array(index[chosen])
        columns = {
            "entity_id": entity_ids.take(pa.array(ids.codes[chosen])),
            "type": _same(mapping.type, len(chosen)),
            "attr": _same(rule.name, len(chosen)),
            "kind": _same("Property", len(chosen)),
            "number": number.take(codes),
            "text": text.take(codes),
            "json": json.take(codes),
            "observed_at": pa.array(times[chosen]).cast(pa.timestamp("us", tz="UTC")),
            "unit_code": _same(rule.unit or None, len(chosen)),
        }
        if names is not None and datasets is not None:
            where = datasets.codes[chosen]
            columns["dataset_id"] = names.take(pa.array(where, mask=where < 0))
        yield _batch(columns, len(chosen))


def _batch(columns: dict[str, pa.Array], length: int) -> pa.RecordBatch:
    arrays = [columns.get(field.name, pa.nulls(length, field.type)) for field in SCHEMA]
    return pa.record_batch(arrays, schema=SCHEMA)


def _same(value: str | None, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), length)


def _split(values: list[Any]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Values → number, text and JSON columns, one of them filled in each place."""
    plain = [isinstance(value, int | float) and not isinstance(value, bool) for value in values]
    number = [float(v) if p else None for v, p in zip(values, plain, strict=True)]
    text = [v if isinstance(v, str) else None for v in values]
    json = [
        None if p or v is None or isinstance(v, str) else _json.encode(v).decode()
        for v, p in zip(values, plain, strict=True)
    ]
    return (
        pa.array(number, pa.float64()),
        pa.array(text, pa.string()),
        pa.array(json, pa.string()),
    )


def _wide(cells: pa.Table, mapping: Mapping, situation: Situation) -> Iterator[pa.RecordBatch]:
    """Readings of a table with one column for each entity: column by column as a long table."""
    assert mapping.wide is not None
    pattern = re.compile(mapping.wide.columns)
    for name in cells.column_names:
        match = pattern.fullmatch(name)
        if match is None:
            continue
        column = cells.column(name)
        some = cells.filter(pc.not_equal(column, ""))
        key = match.group(1) if match.groups() else name
        for added, values in (
            ("_column", _same(name, some.num_rows)),
            ("_key", _same(key, some.num_rows)),
            ("_value", some.column(name)),
        ):
            some = some.append_column(added, values)
        if some.num_rows:
            yield from _columns(some, mapping, situation)


def _from_rows(
    name: str, content: bytes, mapping: Mapping, situation: Situation
) -> Iterator[pa.RecordBatch]:
    """Readings of formats without columns (JSON, GeoJSON, XLSX), row by row."""
    before, situation.name = situation.name, name
    try:
        found = rows(content, mapping, situation)
        yield from batches_of(made for row in found for made in map_row(row, mapping, situation))
    finally:
        situation.name = before
