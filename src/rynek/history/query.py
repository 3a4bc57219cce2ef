"""Typed questions over one view: files of the table and the rows above it. Arrow comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from rynek.base.errors import BadRequestData, TooComplexQuery
from rynek.context import TimeProperty

from .engine import Engine, to_datetime
from .periods import Buckets, parse_duration
from .schema import COLUMNS, ENTITY, Reading
from .tail import View

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

METHODS = (
    "totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq",
)  # fmt: skip
GROUPS = ("entity_id", "type", "attr", "dataset_id")
_MAX_BUCKETS = 1_000_000


class Selection(msgspec.Struct, kw_only=True, frozen=True):
    """Which rows: empty or None means all. Time is [start, end) of `time_property`."""

    entity_ids: tuple[str, ...] | None = None
    types: tuple[str, ...] = ()
    attrs: tuple[str, ...] = ()
    dataset_ids: tuple[str | None, ...] | None = None
    start: int | None = None
    end: int | None = None
    time_property: TimeProperty = "observedAt"
    observed_only: bool = False
    deleted: bool = False


class AggregateQuery(msgspec.Struct, kw_only=True, frozen=True):
    """Numbers over `select`, by `group` and time `bucket` (ISO 8601 duration; None = one).

    `origin` (epoch µs) is where the first bucket starts; without it buckets follow the
    calendar of the tenant's zone.
    """

    select: Selection
    methods: tuple[str, ...] = ("avg",)
    group: tuple[Literal["entity_id", "type", "attr", "dataset_id"], ...] = ("entity_id", "attr")
    bucket: str | None = None
    origin: int | None = None


class Questions:
    """The questions, run on the calling thread."""

    def __init__(self, engine: Engine, zone: ZoneInfo) -> None:
        self._engine = engine
        self._zone = zone

    def rows(
        self,
        view: View,
        select: Selection,
        *,
        last_n: int | None = None,
        limit: int | None = None,
        columns: Sequence[str] = COLUMNS,
    ) -> pa.Table:
        """Readings by entity, attribute, dataset and time.

        Of each series at most the newest `last_n`, then at most the oldest `limit`.
        """
        import ibis

        table = self._table(view, select)
        key = _time_column(select.time_property)
        series = [table.entity_id, table.attr, table.dataset_id]
        if last_n is not None or limit is not None:
            newest = last_n is not None
            order = [table[key], table.seq]
            ranked = ibis.window(
                group_by=series, order_by=[ibis.desc(c) if newest else c for c in order]
            )
            most = min(n for n in (last_n, limit) if n is not None)
            table = table.filter(ibis.row_number().over(ranked) < most)
        names = list(dict.fromkeys([*columns, "entity_id", "attr", "dataset_id", key, "seq"]))
        table = table.select(*names).order_by("entity_id", "attr", "dataset_id", key, "seq")
        return self._engine.run(table.select(*columns))

    def latest(self, view: View, select: Selection) -> pa.Table:
        """The newest reading of each series in `select`: one row each (with `end`: as of then).

        Walks back through time and stops as soon as every asked-for series has its answer.
        """
        import pyarrow as pa

        if not select.entity_ids or not select.attrs:
            return self.rows(view, select, last_n=1)
        wanted = len(set(select.entity_ids)) * len(select.attrs)
        for days in (1, 8, 64):
            start = self._floor(view, select, days)
            if start is None or (select.start is not None and start <= select.start):
                break
            recent = msgspec.structs.replace(select, start=start)
            found = self.rows(view, recent, last_n=1)
            if len(pa.TableGroupBy(found, ["entity_id", "attr"]).aggregate([])) >= wanted:
                return found
        return self.rows(view, select, last_n=1)

    def _floor(self, view: View, select: Selection, days: int) -> int | None:
        """Where the newest `days` days that hold files before `end` start, in epoch µs."""
        if select.time_property != "observedAt":
            return None
        parts = view.snapshot.select(select.entity_ids, select.start, select.end)
        held = sorted({part.day for part in parts})
        return None if len(held) <= days else held[-days] * 86_400_000_000

    def aggregate(self, view: View, query: AggregateQuery) -> pa.Table:
        """One row per group and bucket: the group's columns, `start` (µs) and each method.

        Numbers feed every method; other values only totalCount and distinctCount.
        """
        for name in (*query.methods, *query.group):
            if name not in METHODS and name not in GROUPS:
                raise BadRequestData(f"Unknown aggregation: {name[:64]!r}")
        table = self._table(view, query.select)
        keys: list[Any] = [table[name] for name in query.group]
        buckets = self._buckets(query)
        if buckets is not None:
            start, end = self._range(view, query.select)
            us = _micros(table, query.select.time_property)
            keys.append(buckets.index(us, start, end).cast("int64").name("bucket"))
        measures = {name: _measure(table, name) for name in query.methods}
        grouped = table.group_by(keys).aggregate(**measures) if keys else table.aggregate(**measures)
        order = [*query.group, "bucket"] if buckets is not None else list(query.group)
        result = self._engine.run(grouped.order_by(order) if order else grouped)
        return result if buckets is None else _with_start(result, buckets)

    def _buckets(self, query: AggregateQuery) -> Buckets | None:
        if query.bucket is None:
            return None
        length = parse_duration(query.bucket)
        return None if length.whole else Buckets(length, self._zone, query.origin)

    def _range(self, view: View, select: Selection) -> tuple[int, int]:
        parts, rows = view.snapshot.parts(), view.rows()
        low = min([part.min_time for part in parts] + [row.time for row in rows], default=0)
        high = max([part.max_time for part in parts] + [row.time for row in rows], default=0)
        if select.time_property != "observedAt":
            return select.start or low, max(select.start or low, select.end or high) + 1
        start = low if select.start is None else max(low, select.start)
        end = high if select.end is None else min(high, select.end)
        return start, max(start, end) + 1

    def _table(self, view: View, select: Selection) -> ir.Table:
        by_time = select.time_property == "observedAt"
        parts = view.snapshot.select(
            select.entity_ids, select.start if by_time else None, select.end if by_time else None
        )
        rows = [row for row in view.rows(select.entity_ids) if _keeps(row, select)]
        table = self._engine.readings(parts, rows)
        if select.entity_ids is not None:
            table = table.filter(_among(table.entity_id, select.entity_ids))
        if select.types:
            table = table.filter(_among(table.type, select.types))
        if select.attrs:
            table = table.filter(_among(table.attr, select.attrs))
        if select.dataset_ids is not None:
            table = table.filter(_among_or_null(table.dataset_id, select.dataset_ids))
        moment = table[_time_column(select.time_property)]
        if select.start is not None:
            table = table.filter(moment >= to_datetime(select.start))
        if select.end is not None:
            table = table.filter(moment < to_datetime(select.end))
        if select.observed_only:
            table = table.filter(table.observed)
        if select.time_property == "deletedAt":
            return table.filter(table.deleted)
        return table if select.deleted else table.filter(~table.deleted)


def _keeps(row: Reading, select: Selection) -> bool:
    """Cheap tests on a row above the table; the expression repeats them all."""
    return (
        (not select.attrs or row.attr in select.attrs)
        and (not select.types or row.type in select.types)
        and (row.attr != ENTITY or select.deleted)
    )


def _time_column(name: TimeProperty) -> str:
    return "time" if name == "observedAt" else "at"


def _micros(table: ir.Table, name: TimeProperty) -> Any:
    if name == "observedAt":
        return table.us
    # Whole seconds are enough for a bucket of modification times.
    return table["at"].epoch_seconds() * 1_000_000


def _among(column: Any, values: Sequence[str]) -> Any:
    return column == values[0] if len(values) == 1 else column.isin(values)


def _among_or_null(column: Any, values: Sequence[str | None]) -> Any:
    named = [value for value in values if value is not None]
    test = column.isin(named)
    return test | column.isnull() if len(named) < len(values) else test


def _measure(table: ir.Table, method: str) -> Any:
    number = table.number
    match method:
        case "totalCount":
            return table.count()
        case "distinctCount":
            return _identity(table).nunique()
        case "sum":
            return number.sum()
        case "avg":
            return number.mean()
        case "min":
            return number.min()
        case "max":
            return number.max()
        case "stddev":
            return number.std(how="pop")
        case "sumsq":
            return (number * number).sum()
    raise BadRequestData(f"Unknown aggregation method: {method[:64]!r}")


def _identity(table: ir.Table) -> Any:
    """Something equal for equal values, whatever column they are in."""
    place = table.lon.cast("string") + "," + table.lat.cast("string")
    return table.number.cast("string").coalesce(table.text, table.json, place)


def _with_start(result: pa.Table, buckets: Buckets) -> pa.Table:
    import pyarrow as pa

    column = result.column("bucket")
    numbers = column.unique().to_pylist()
    if len(numbers) > _MAX_BUCKETS:
        raise TooComplexQuery(f"More than {_MAX_BUCKETS} periods; ask for longer ones")
    starts = {number: buckets.start(number) for number in numbers}
    start = pa.array([starts[number] for number in column.to_pylist()], pa.int64())
    place = result.schema.get_field_index("bucket")
    return result.set_column(place, "start", start)
