"""Aggregates as Ibis expressions over a scan, and their answers as a table (CIM 009 §4.5.19)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from rynek.base.errors import TooComplexQuery

from .catalogue import Profile
from .measures import measures
from .periods import Buckets
from .schema import Reading
from .select import NUMBER, Selection, moment_column, passes
from .sums import METHODS as SUMMED
from .sums import Sums

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


def are_numbers(rows: Collection[Reading]) -> bool:
    """Whether all values are numbers, of no declared type."""
    return all(row.number is not None and row.meta is None for row in rows)


def relaxed(
    query: AggregateQuery, profile: Profile, rows: list[Reading], fixed: dict[str, str | None]
) -> tuple[AggregateQuery, list[Reading]]:
    """The query without those tests and columns that the profile of its attribute in the files
    makes needless (each costs the reading of a column), and the newer rows that pass them.

    A kind that is always the same is put into `fixed`.
    """
    select = query.select
    if moment_column(select.time_property) == "time" and select.time_property != "deletedAt":
        rows = [row for row in rows if passes(row, select)]
        if profile.first >= (profile.first if select.start is None else select.start):
            select = msgspec.structs.replace(select, start=None)
        if profile.last < (profile.last + 1 if select.end is None else select.end):
            select = msgspec.structs.replace(select, end=None)
        select = msgspec.structs.replace(
            select,
            observed_only=select.observed_only and not profile.observed,
            deleted=select.deleted or not profile.deleted,
        )
    numbers = profile.numbers and are_numbers(rows)
    kinds = profile.kinds | {row.kind for row in rows}
    if len(kinds) == 1:
        fixed["kind"] = kinds.pop()
    return msgspec.structs.replace(query, select=select, every=query.every and not numbers), rows


def as_sums(
    query: AggregateQuery, fixed: Collection[str], buckets: Buckets | None, *, plain: bool
) -> Sums | None:
    """The query as one that `summed` answers; None where it is none. `plain`: no reading has a
    dataset id, none was corrected by a client. Marks of deletions have no number, so that
    `summed` gives up on them."""
    select, groups = query.select, {name for name in query.group if name not in fixed}
    steady = None if buckets is None else buckets.steady
    rest = msgspec.structs.replace(
        select, entity_ids=None, attrs=(), start=None, end=None, deleted=False
    )
    if (
        steady is None
        or not plain
        or query.every
        or query.last_n is not None
        or rest != Selection()
        or len(select.attrs) != 1
        or groups != {"entity_id"}
        or not set(query.methods) <= SUMMED
    ):
        return None
    low, width = steady
    return Sums(
        select.attrs[0], query.methods, low, width, select.start, select.end, select.entity_ids
    )


def aggregate(
    table: ir.Table,
    query: AggregateQuery,
    fixed: Collection[str],
    buckets: Buckets | None,
    asked: Selection,
) -> ir.Table:
    """The groups that differ (those in `fixed` do not), in order, with the methods' columns.

    `asked` is the selection as it was before needless tests were taken out of it.
    """
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
        if asked.start is None:
            columns["start"] = table.us.min().cast("int64")
        if asked.end is None:
            columns["end"] = table.us.max().cast("int64")
    grouped = table.group_by(keys).aggregate(**columns) if keys else table.aggregate(**columns)
    return grouped.order_by(names) if names else grouped


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
    for name, bound in (("start", query.select.start), ("end", query.select.end)):
        if name not in columns:
            columns[name] = pa.repeat(pa.scalar(bound, pa.int64()), len(answer))
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
