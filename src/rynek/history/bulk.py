"""Many readings at once, straight from files: names as numbers, times as whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .files import Part
from .select import Selection, to_datetime
from .sums import is_coded

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

__all__ = ["BULK", "as_bulk", "bulk", "bulk_columns"]

_NAMES: Final = ("entity_id", "attr", "dataset_id", "unit_code", "text")
_TIMES: Final = {"us": "time", "previous_us": "previous_until"}
_PLAIN: Final = ("seq", "number", "deleted", "observed", "previous_count")
BULK: Final = (*_NAMES, *_TIMES, *_PLAIN)
"""The columns: names and texts as dictionaries, `us` and `previous_us` in epoch µs."""


def bulk(folder: Path, parts: Sequence[Part], select: Selection) -> pa.Table:
    """BULK of the readings of `select.types` and `select.attrs` in [start, end), file by file, each
    by entity, attribute and time. Of a selection nothing else counts; marks of deletion are in it.
    """
    import pyarrow as pa

    tables = [_of_file(folder / part.path, part, select) for part in parts]
    return pa.concat_tables([_empty(), *tables]).unify_dictionaries()


def bulk_columns(table: ir.Table) -> ir.Table:
    """The columns of BULK, as a question."""
    return table.select(*BULK)


def as_bulk(rows: pa.Table) -> pa.Table:
    """BULK of rows that a database gives."""
    schema = _empty().schema
    columns = [
        rows.column(field.name).dictionary_encode().cast(field.type)
        if field.name in _NAMES
        else rows.column(field.name).cast(field.type)
        for field in schema
    ]
    return type(rows).from_arrays(columns, schema=schema).unify_dictionaries()


def _empty() -> pa.Table:
    import pyarrow as pa

    texts = pa.dictionary(pa.int32(), pa.string())
    kinds = dict.fromkeys(_NAMES, texts) | dict.fromkeys(_TIMES, pa.int64())
    kinds |= {"seq": pa.int64(), "number": pa.float64(), "deleted": pa.bool_()}
    kinds |= {"observed": pa.bool_(), "previous_count": pa.int32()}
    return pa.schema([(name, kinds[name]) for name in BULK]).empty_table()


def _of_file(path: Path, part: Part, select: Selection) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    groups, mixed = _row_groups(metadata, select)
    stored = [_TIMES.get(name, name) for name in BULK]
    wanted = [*stored, *(["type"] if mixed else [])]
    names = [one for one in (*_NAMES, "type") if one in wanted and is_coded(metadata, one)]
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=names) as file:
        table = file.read_row_groups(groups, columns=wanted, use_threads=False)
    columns = []
    for name in BULK:
        column = table.column(_TIMES.get(name, name))
        if name in _TIMES:
            column = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
        elif name in _NAMES:
            column = _coded(column)
        columns.append(column)
    found = pa.table(columns, names=list(BULK))
    kept = _kept(found, _coded(table.column("type")) if mixed else None, part, select)
    return found if kept is None else found.filter(kept)


def _row_groups(metadata: Any, select: Selection) -> tuple[list[int], bool]:
    """The row groups that may hold readings of the types in the time, by their statistics; whether
    there may be other types in them."""
    columns = metadata.schema.names
    types, times = columns.index("type"), columns.index("time")
    chosen, mixed = [], False
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        told = group.column(types).statistics
        if told is None or not told.has_min_max:
            mixed = True
        elif not any(told.min <= one <= told.max for one in select.types):
            continue
        else:
            mixed = mixed or told.min != told.max
        if _apart(group.column(times).statistics, select):
            continue
        chosen.append(number)
    return chosen, mixed


def _apart(told: Any, select: Selection) -> bool:
    """Whether no reading of a row group is in the time."""
    if told is None or not told.has_min_max or told.min is None:
        return False
    early = select.end is not None and told.min >= to_datetime(select.end)
    return early or (select.start is not None and told.max < to_datetime(select.start))


def _coded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of texts as dictionaries, with numbers of 32 bits."""
    import pyarrow as pa

    kind = pa.dictionary(pa.int32(), pa.string())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column if column.type == kind else column.cast(kind)


def _kept(
    table: pa.Table, types: pa.ChunkedArray | None, part: Part, select: Selection
) -> pa.Array | None:
    """Which rows are wanted; None: all."""
    import numpy as np
    import pyarrow as pa

    us = table.column("us").to_numpy()
    kept = np.ones(len(us), np.bool_)
    if select.start is not None and part.min_time < select.start:
        kept &= us >= select.start
    if select.end is not None and part.max_time >= select.end:
        kept &= us < select.end
    for column, wanted in ((types, select.types), (table.column("attr"), select.attrs)):
        if column is not None and wanted:
            _keep(kept, column, wanted)
    return None if kept.all() else pa.array(kept)


def _keep(kept: Any, column: pa.ChunkedArray, wanted: Sequence[str]) -> None:
    """Keep the rows whose text is among those that are wanted."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    among = pa.array(wanted, pa.string())
    place = 0
    for chunk in column.chunks:
        is_wanted = np.append(
            pc.is_in(chunk.dictionary, among).to_numpy(zero_copy_only=False), False
        )
        codes = chunk.indices.fill_null(len(chunk.dictionary)).to_numpy(zero_copy_only=False)
        kept[place : place + len(chunk)] &= is_wanted[codes]
        place += len(chunk)
