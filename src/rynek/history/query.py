"""Typed questions over one view: files of the table and the rows above it. Arrow comes out."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from rynek.base.errors import TooComplexQuery

from .engine import Engine
from .measures import DERIVED, measures
from .periods import Buckets, parse_duration
from .schema import COLUMNS, DAY_US
from .select import Selection, make_scan, moment_column, parts_of, rows_of
from .tail import View

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

Group = Literal["entity_id", "type", "attr", "dataset_id", "kind"]
_MAX_BUCKETS = 1_000_000
_WINDOWS = (1, 8, 64)


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


class Questions:
    """The questions, run on the calling thread."""

    def __init__(self, folder: Path, engine: Engine, zone: ZoneInfo) -> None:
        self._folder = folder
        self._engine = engine
        self._zone = zone

    def rows(
        self,
        view: View,
        select: Selection,
        *,
        last_n: int | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Readings by entity, attribute, dataset and time: of each series at most the newest
        `last_n`, or at most the oldest `limit`.

        The newest are looked for from the newest day back.
        """
        if last_n is None:
            return self._rows(view, select, None, limit)
        import pyarrow as pa

        found = []
        missing = select
        for start in self._windows(view, select):
            recent = msgspec.structs.replace(missing, start=start)
            rows = self._rows(view, recent, last_n, limit)
            done, left = _split(rows, missing, last_n)
            found.append(done)
            if not left:
                break
            missing = msgspec.structs.replace(missing, entity_ids=left)
        else:
            found.append(self._rows(view, missing, last_n, limit))
        order = [(name, "ascending") for name in ("entity_id", "attr", "dataset_id", "time", "seq")]
        table = pa.concat_tables(found)
        return table if len(found) == 1 else table.sort_by(order)

    def _rows(
        self, view: View, select: Selection, last_n: int | None, limit: int | None
    ) -> pa.Table:
        key = moment_column(select.time_property)

        def question(table: ir.Table) -> ir.Table:
            import ibis

            series = ["entity_id", "attr", "dataset_id"]
            if last_n is not None or limit is not None:
                order = [table[key], table.seq]
                if last_n is not None:
                    order = [ibis.desc(column) for column in order]
                ranked = ibis.window(group_by=series, order_by=order)
                most = min(n for n in (last_n, limit) if n is not None)
                table = table.filter(ibis.row_number().over(ranked) < most)
            return table.select(*dict.fromkeys((*COLUMNS, key))).order_by([*series, key, "seq"])

        return self._ask(view, select, ("rows", key, last_n, limit), question)

    def _windows(self, view: View, select: Selection) -> list[int]:
        """Starts of ever longer windows that end with the selection; none where stopping early
        could miss something (all attributes asked for, several datasets, other times)."""
        if not select.entity_ids or not select.attrs or select.time_property != "observedAt":
            return []
        parts = parts_of(view, select)
        rows = rows_of(view, select)
        if not all(part.plain for part in parts) or any(row.dataset_id for row in rows):
            return []
        held = sorted({part.day for part in parts}, reverse=True)
        starts = [held[days - 1] * DAY_US for days in _WINDOWS if days < len(held)]
        return [start for start in starts if select.start is None or start > select.start]

    def aggregate(self, view: View, query: AggregateQuery) -> pa.Table:
        """One row per group and bucket: the group's columns, `start` and `end` of the bucket (µs;
        of the data where there is no bucket) and each method.
        """
        buckets = self._buckets(query)
        span = self._range(view, query.select) if buckets is not None else (0, 0)
        # One attribute is the same in every row: a constant is cheaper than a group.
        constant = query.select.attrs[0] if len(query.select.attrs) == 1 else None

        def question(table: ir.Table) -> ir.Table:
            return _aggregate(table, query, constant, buckets, span)

        shape = (
            "aggregate", query.methods, query.group, query.bucket, query.origin, query.last_n,
            query.every, constant,
            None if buckets is None else buckets.shape(*span),
        )  # fmt: skip
        scan = make_scan(self._folder, view, query.select, DERIVED if query.every else {})
        result = self._engine.ask(scan, shape, question)
        return result if buckets is None else _with_start(result, buckets)

    def entities(self, view: View, select: Selection) -> pa.Table:
        """Which entities have readings in the selection: entity_id, type, attrs (a list); by id."""

        def question(table: ir.Table) -> ir.Table:
            grouped = table.group_by("entity_id").aggregate(
                type=table.type.max(), attrs=table.attr.collect(distinct=True)
            )
            return grouped.order_by("entity_id")

        return self._ask(view, select, ("entities",), question)

    def _buckets(self, query: AggregateQuery) -> Buckets | None:
        if query.bucket is None:
            return None
        length = parse_duration(query.bucket)
        return None if length.whole else Buckets(length, self._zone, query.origin)

    def _range(self, view: View, select: Selection) -> tuple[int, int]:
        parts, rows = parts_of(view, select), rows_of(view, select)
        low = min([part.min_time for part in parts] + [row.time for row in rows], default=0)
        high = max([part.max_time for part in parts] + [row.time for row in rows], default=0)
        if moment_column(select.time_property) != "time":
            return select.start or low, max(select.start or low, select.end or high) + 1
        start = low if select.start is None else max(low, select.start)
        end = high if select.end is None else min(high, select.end)
        return start, max(start, end) + 1

    def _ask(self, view: View, select: Selection, shape: Hashable, question: Any) -> pa.Table:
        return self._engine.ask(make_scan(self._folder, view, select), shape, question)


def _split(rows: pa.Table, select: Selection, last_n: int) -> tuple[pa.Table, tuple[str, ...]]:
    """The rows of entities that have `last_n` of every asked-for attribute; and the others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    counts = rows.group_by(["entity_id", "attr"]).aggregate([([], "count_all")])
    full = counts.filter(pc.greater_equal(counts.column("count_all"), last_n))
    by_entity = full.group_by("entity_id").aggregate([([], "count_all")])
    wanted = len(set(select.attrs))
    done = by_entity.filter(pc.equal(by_entity.column("count_all"), wanted)).column("entity_id")
    entities = set(done.to_pylist())
    left = tuple(one for one in select.entity_ids or () if one not in entities)
    kept = pc.is_in(rows.column("entity_id"), pa.array(sorted(entities), pa.string()))
    return rows.filter(kept), left


def _aggregate(
    table: ir.Table,
    query: AggregateQuery,
    constant: str | None,
    buckets: Buckets | None,
    span: tuple[int, int],
) -> ir.Table:
    import ibis

    if query.last_n is not None:
        newest = ibis.window(
            group_by=["entity_id", "attr", "dataset_id"],
            order_by=[ibis.desc(table.us), ibis.desc(table.seq)],
        )
        table = table.filter(ibis.row_number().over(newest) < query.last_n)
    group = [name for name in query.group if constant is None or name != "attr"]
    keys: list[Any] = [table[name] for name in group]
    if buckets is not None:
        us = table.us
        keys.append(buckets.index(us, *span).cast("int64").name("bucket"))
    columns = measures(table, query.methods, every=query.every)
    if buckets is None:
        us = table.us
        columns |= {"start": us.min().cast("int64"), "end": us.max().cast("int64")}
    grouped = table.group_by(keys).aggregate(**columns) if keys else table.aggregate(**columns)
    if len(group) < len(query.group):
        grouped = grouped.mutate(attr=ibis.literal(constant))
    order = [*query.group, "start"] if buckets is None else [*query.group, "bucket"]
    return grouped.select(
        *query.group, *[n for n in grouped.columns if n not in query.group]
    ).order_by(order)


def _with_start(result: pa.Table, buckets: Buckets) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = result.column("bucket")
    numbers = column.unique().to_pylist()
    if len(numbers) > _MAX_BUCKETS:
        raise TooComplexQuery(f"More than {_MAX_BUCKETS} periods; ask for longer ones")
    known = pa.array(numbers, pa.int64())
    starts = pa.array([buckets.start(number) for number in numbers], pa.int64())
    ends = pa.array([buckets.start(number + 1) for number in numbers], pa.int64())
    index = pc.index_in(column, known)
    place = result.schema.get_field_index("bucket")
    result = result.set_column(place, "start", starts.take(index))
    return result.add_column(place + 1, "end", ends.take(index))
