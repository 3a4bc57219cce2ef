"""Aggregates as Ibis expressions over a scan, and their answers as a table (CIM 009 §4.5.19)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from rynek.base.errors import TooComplexQuery

from .measures import measures
from .periods import Buckets
from .select import NUMBER, Selection

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

Group = Literal["entity_id", "type", "attr", "dataset_id", "kind"]
_MAX_BUCKETS = 1_000_000


class AggregateQuery(msgspec.Struct, kw_only=True, frozen=True):
    """Numbers over `select`, by `group` and time `bucket` (ISO 8601 duration; None = one).

    `origin` (epoch µs) is where the first bucket starts; without it buckets follow the
    calendar of the tenant's zone. `last_n` takes the newest N readings of each series only.
    With `every` values of all data types count (see measures.py), else numbers alone.
    """

    select: Selection
    methods: tuple[str, ...] = ("avg",)
    group: tuple[Group, ...] = ("entity_id", "attr")
    bucket: str | None = None
    origin: int | None = None
    last_n: int | None = None
    every: bool = False

    @property
    def numbered(self) -> bool:
        """Whether the scan numbers the entities: groups of numbers cost less than of texts."""
        return self.select.entity_ids is not None and "entity_id" in self.group


def aggregate(
    table: ir.Table, query: AggregateQuery, fixed: Collection[str], buckets: Buckets | None
) -> ir.Table:
    """The groups that differ (those in `fixed` do not), in order, with the methods' columns."""
    import ibis

    if query.last_n is not None:
        newest = ibis.window(
            group_by=["entity_id", "attr", "dataset_id"],
            order_by=[ibis.desc(table.us), ibis.desc(table.seq)],
        )
        table = table.filter(ibis.row_number().over(newest) < query.last_n)
    names: list[str] = [name for name in query.group if name not in fixed]
    if query.numbered:
        names[names.index("entity_id")] = NUMBER
    keys: list[Any] = [table[name] for name in names]
    columns = measures(table, query.methods, every=query.every)
    if buckets is not None:
        keys.append(buckets.key(table.us).cast("int64").name("bucket"))
        names.append("bucket")
    else:
        columns |= {"start": table.us.min().cast("int64"), "end": table.us.max().cast("int64")}
        names.append("start")
    grouped = table.group_by(keys).aggregate(**columns) if keys else table.aggregate(**columns)
    return grouped.order_by(names)


def finished(
    answer: pa.Table,
    query: AggregateQuery,
    fixed: Mapping[str, str | None],
    buckets: Buckets | None,
) -> pa.Table:
    """The answer with all columns of the group first, then start and end of the bucket."""
    import pyarrow as pa

    columns = {name: answer.column(name) for name in answer.column_names}
    if query.numbered:
        ids = pa.array(query.select.entity_ids, pa.string())
        columns["entity_id"] = ids.take(columns.pop(NUMBER).combine_chunks())
    for name, value in fixed.items():
        if name in query.group:
            columns[name] = pa.nulls(len(answer), pa.string())
            if value is not None:
                columns[name] = pa.repeat(pa.scalar(value, pa.string()), len(answer))
    if buckets is not None:
        columns["start"], columns["end"] = _bounds(columns.pop("bucket"), buckets)
    first = [*query.group, "start", "end"]
    return pa.table({name: columns.pop(name) for name in first} | columns)


def _bounds(keys: pa.ChunkedArray, buckets: Buckets) -> tuple[pa.Array, pa.Array]:
    import pyarrow as pa
    import pyarrow.compute as pc

    known = keys.unique()
    if len(known) > _MAX_BUCKETS:
        raise TooComplexQuery(f"More than {_MAX_BUCKETS} periods; ask for longer ones")
    bounds = [buckets.bounds(key) for key in known.to_pylist()]
    index = pc.index_in(keys, known)
    starts, ends = (
        pa.array([bound[side] for bound in bounds], pa.int64()).take(index) for side in (0, 1)
    )
    return starts, ends
