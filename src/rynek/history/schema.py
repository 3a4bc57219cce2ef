"""The one table of readings: its columns, and the row as Python sees it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from time import sleep
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT: Final = 1
PARTITION: Final = "day"
SORT: Final = (("entity_id", "ascending"), ("attr", "ascending"), ("time", "ascending"))
DAY_US: Final = 86_400_000_000
ADDED: Final = 1 << 62
"""The seq of a reading that a client added is this plus the reading's own number."""
ENTITY: Final = ""
"""The `attr` of the row that says: the whole entity was deleted."""


# Half a millisecond's work, and four times as long a pause.
_GENTLE_ROWS: Final = 250
_GENTLE_SECONDS: Final = 0.002
_READ_ROWS: Final = 1_000


class Reading(msgspec.Struct, array_like=True, gc=False):
    """One row. Exactly one of number, text, json, (lon, lat) holds the value.

    `seq` is the change log's, negative for bulk rows, above ADDED for those that clients added. `time` is observedAt where `observed`,
    else modifiedAt; `at` is modifiedAt. `previous_*` close the run of the value before this one:
    how often it was seen again unchanged, and when last. `meta` is JSON: subs, objectType …, and
    `created` where a client changed the reading later.
    """

    seq: int
    entity_id: str
    type: str
    attr: str
    dataset_id: str | None
    kind: str
    time: int
    observed: bool
    at: int
    number: float | None = None
    text: str | None = None
    json: str | None = None
    lon: float | None = None
    lat: float | None = None
    deleted: bool = False
    unit_code: str | None = None
    previous_until: int | None = None
    previous_count: int = 0
    source: str | None = None
    meta: str | None = None


COLUMNS: Final = tuple(Reading.__struct_fields__)


def arrow_schema() -> pa.Schema:
    """The columns of a file (without the partition column); imports pyarrow when called."""
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    kinds: dict[str, pa.DataType] = {
        "seq": pa.int64(),
        "time": moment,
        "at": moment,
        "previous_until": moment,
        "previous_count": pa.int32(),
        "observed": pa.bool_(),
        "deleted": pa.bool_(),
        "number": pa.float64(),
        "lon": pa.float64(),
        "lat": pa.float64(),
    }
    never_null = {"seq", "entity_id", "type", "attr", "kind", "time", "observed", "at", "deleted"}
    return pa.schema(
        [
            pa.field(name, kinds.get(name, pa.string()), nullable=name not in never_null)
            for name in COLUMNS
        ]
    )


@lru_cache(maxsize=1)
def _schema() -> pa.Schema:
    return arrow_schema()


def to_table(rows: list[Reading]) -> pa.Table:
    """Rows → an Arrow table with the file's columns, in the order given."""
    import pyarrow as pa

    schema = _schema()
    values = zip(*map(msgspec.structs.astuple, rows), strict=True) if rows else [()] * len(schema)
    # Columns that hold nothing, as several do, are not looked through value by value.
    none = len(rows)
    columns = [
        pa.nulls(none, field.type)
        if none and column[0] is None and column.count(None) == none
        else pa.array(column, field.type)
        for column, field in zip(values, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def to_table_gently(rows: list[Reading]) -> pa.Table:
    """`to_table` for a thread beside an event loop: a few rows at a time, with pauses in which
    nothing here wants the interpreter. In one go those who ask the loop would wait for all of it."""
    import pyarrow as pa

    if len(rows) <= _GENTLE_ROWS:
        return to_table(rows)
    tables = []
    for start in range(0, len(rows), _GENTLE_ROWS):
        tables.append(to_table(rows[start : start + _GENTLE_ROWS]))
        sleep(_GENTLE_SECONDS)
    return pa.concat_tables(tables).combine_chunks()


def to_readings(table: pa.Table) -> list[Reading]:
    """An Arrow table that holds all the columns → rows."""
    return list(each_reading(table))


def each_reading(table: pa.Table) -> Iterator[Reading]:
    """The same one by one. Few values at a time become Python's: that is one compiled call, and the
    event loop beside this thread would wait for all of a long one."""
    import pyarrow as pa

    micros = pa.timestamp("us", tz="UTC")
    columns = {}
    for field in _schema():
        column = table.column(field.name)
        if pa.types.is_timestamp(field.type):
            column = column.cast(micros).cast(pa.int64())
        columns[field.name] = column
    for batch in pa.table(columns).to_batches(max_chunksize=_READ_ROWS):
        values = [column.to_pylist() for column in batch.columns]
        for row in zip(*values, strict=True):
            yield Reading(*row)
