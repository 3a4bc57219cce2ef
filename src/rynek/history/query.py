"""Typed questions over one view: files of the table and the rows above it. Arrow comes out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from rynek.context import ValueTest

from .aggregate import AggregateQuery, aggregate, are_numbers, as_sums, finished, relaxed
from .catalogue import Catalogue
from .engine import Engine
from .files import Part
from .floors import Floors
from .measures import DERIVED
from .periods import Buckets, parse_duration
from .schema import COLUMNS, DAY_US, ENTITY, Reading
from .select import (
    BRANCHES,
    NAMES,
    Selection,
    make_scan,
    moment_column,
    parts_of,
    passes,
    quoted,
    rows_of,
    to_datetime,
)
from .tail import View, only
from .values import sure, sure_of_number, unsure

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

Series = tuple[str, str, str | None]
_WINDOWS = (1, 8, 64)
_TOLD = 16
_TOLD_ROWS = 10_000


class Questions:
    """The questions, run on the calling thread."""

    def __init__(self, folder: Path, engine: Engine, zone: ZoneInfo) -> None:
        self._folder = folder
        self._engine = engine
        self._zone = zone
        self._catalogue = Catalogue(folder, engine)
        self.warm = self._catalogue.warm
        # Which entities files have readings of: files never change, so neither do answers.
        self._told: dict[tuple[tuple[Part, ...], Selection], pa.Table] = {}

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
        floors = self._floors(view, select) if last_n == 1 and limit is None else None
        if floors is not None:
            return self._rows(view, select, last_n, limit, floors)
        windows = [] if last_n is None else self._windows(view, select)
        if last_n is None or not windows:
            return self._rows(view, select, last_n, limit)
        import pyarrow as pa

        left = self._series(view, select)
        found: list[pa.Table] = []
        for start in (*windows, select.start):
            part = msgspec.structs.replace(
                select,
                start=start,
                entity_ids=tuple(sorted({entity for entity, _, _ in left})),
                attrs=tuple(sorted({attr for _, attr, _ in left})),
            )
            rows = self._rows(view, part, last_n, limit)
            done = left if start == select.start else left & _full(rows, last_n)
            found.append(_of(rows, done))
            left = left - done
            if not left:
                break
        order = [(name, "ascending") for name in ("entity_id", "attr", "dataset_id", "time", "seq")]
        table = pa.concat_tables(found)
        return table if len(found) == 1 else table.sort_by(order)

    def _floors(self, view: View, select: Selection) -> Floors | None:
        """Where the newest reading of each series stands, if the catalogue can tell."""
        if len(select.entity_ids or ()) <= BRANCHES or not self._is_plain(view, select):
            return None
        amended = view.amendments(select.entity_ids)
        return self._catalogue.floors(parts_of(view, select), select, amended)

    def _series(self, view: View, select: Selection) -> set[Series]:
        """The series that the selection may have readings of."""
        if len(select.attrs) == 1 and self._is_plain(view, select):
            return {(entity, select.attrs[0], None) for entity in select.entity_ids or ()}
        if self._is_plain(view, select):
            held = _flat(self.entities(view, msgspec.structs.replace(select, only=())))
            pairs = (held.column(name).to_pylist() for name in ("entity_id", "attr"))
            return {(entity, attr, None) for entity, attr in zip(*pairs, strict=True)}
        columns = ["entity_id", "attr", "dataset_id"]
        answer = self._ask(
            view, select, ("series",), lambda table: table.select(*columns).distinct()
        )
        return _keys(answer)

    def _rows(
        self,
        view: View,
        select: Selection,
        last_n: int | None,
        limit: int | None,
        floors: Floors | None = None,
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

        shape = ("rows", key, last_n, limit)
        if floors is None:
            return self._ask(view, select, shape, question)
        sources = floors.parts, rows_of(view, select)
        scan = make_scan(self._folder, view, select, sources=sources, floors=floors)
        return self._engine.ask(scan, shape, question)

    def _windows(self, view: View, select: Selection) -> list[int]:
        """Starts of ever longer windows that end with the selection."""
        if not select.entity_ids or select.time_property != "observedAt":
            return []
        parts = parts_of(view, select)
        held = sorted({part.day for part in parts}, reverse=True)
        starts = [held[days - 1] * DAY_US for days in _WINDOWS if days < len(held)]
        return [start for start in starts if select.start is None or start > select.start]

    def aggregate(self, view: View, query: AggregateQuery) -> pa.Table:
        """One row per group and bucket: the group's columns, `start` and `end` of the bucket (µs;
        without buckets those of the selection, or of the data where it has none) and each method.
        """
        select = query.select
        parts, rows = parts_of(view, select), rows_of(view, select)
        if not select.attrs:
            select = self._named(select, parts, rows)
            query = msgspec.structs.replace(query, select=select)
        buckets = self._buckets(query, parts, rows)
        fixed: dict[str, str | None] = {}
        if all(part.plain for part in parts) and not any(row.dataset_id for row in rows):
            fixed["dataset_id"] = None
        if len(select.attrs) == 1:
            fixed["attr"] = select.attrs[0]
        profile = self._catalogue.profile(parts, select.attrs) if select.attrs else None
        if profile is not None:
            query, rows = relaxed(query, profile, rows, fixed)

        plain = "dataset_id" in fixed and not view.amendments(select.entity_ids)
        sums = as_sums(query, fixed, buckets, plain=plain)
        if sums is not None:
            kept = [row for row in rows if passes(row, query.select)]
            answer = self._engine.sums(self._folder, parts, kept, sums)
            if answer is not None:
                whole = msgspec.structs.replace(query, select=select)
                return finished(answer, whole, fixed, buckets)

        def question(table: ir.Table) -> ir.Table:
            return aggregate(table, query, fixed, buckets, select)

        shape = (
            "aggregate", query.methods, query.group, query.bucket, query.last_n, query.every,
            query.numbered, select.start is None, select.end is None, *fixed,
            None if buckets is None else buckets.shape(),
        )  # fmt: skip
        derived = DERIVED if query.every else {}
        scan = make_scan(self._folder, view, query.select, derived, (parts, rows))
        answer = self._engine.ask(scan, shape, question)
        return finished(answer, msgspec.structs.replace(query, select=select), fixed, buckets)

    def _named(
        self, select: Selection, parts: Sequence[Part], rows: Sequence[Reading]
    ) -> Selection:
        """The selection of one entity with the names of its attributes, where they are known."""
        if len(select.entity_ids or ()) != 1 or select.deleted:
            return select
        attrs = self._catalogue.attrs_of(parts, (select.entity_ids or ("",))[0])
        if attrs is None:
            return select
        attrs |= {row.attr for row in rows}
        return msgspec.structs.replace(select, attrs=tuple(sorted(attrs - {ENTITY})))

    def type_of(self, view: View, entity_id: str) -> str | None:
        """A type of an entity that has readings; None where it has none."""
        select = Selection(entity_ids=(entity_id,), deleted=True)
        rows = rows_of(view, select)
        if rows:
            return rows[-1].type
        found = None
        if not view.amendments((entity_id,)):
            found = self._catalogue.type_of(parts_of(view, select), entity_id)
        if found is None:
            table = self.entities(view, select)
            found = str(table.column("type")[0].as_py()) if len(table) else None
        return found

    def _is_plain(self, view: View, select: Selection) -> bool:
        """Whether no reading of the selection has a dataset id."""
        if not all(part.plain for part in parts_of(view, select)):
            return False
        return not any(row.dataset_id for row in rows_of(view, select))

    def passing(self, view: View, select: Selection, test: ValueTest) -> tuple[set[str], set[str]]:
        """The entities with a reading in the selection that surely passes a test of its value, and
        those with one that may."""
        wanted = msgspec.structs.replace(select, attrs=(test.attr,))
        parts, rows = parts_of(view, wanted), rows_of(view, wanted)
        profile = self._catalogue.profile(parts, wanted.attrs)
        numbers = False
        if profile is not None:
            asked, rows = relaxed(AggregateQuery(select=wanted), profile, rows, {})
            told = profile.numbers and test.op not in {"any", "box"}
            wanted, numbers = asked.select, told and are_numbers(rows)
        tests = (sure_of_number(test), "false") if numbers else (sure(test), unsure(test))
        derived = {"sure": ("boolean", tests[0]), "unsure": ("boolean", tests[1])}

        def question(table: ir.Table) -> ir.Table:
            return table.group_by("entity_id").aggregate(
                sure=table.sure.any(), unsure=table.unsure.any()
            )

        answer = self._engine.ask(
            make_scan(self._folder, view, wanted, derived, (parts, rows)), ("passing",), question
        )
        ids = answer.column("entity_id")
        found = (ids.filter(answer.column(name)).to_pylist() for name in ("sure", "unsure"))
        passed, open_ = map(set, found)
        return passed, open_

    def newest(self, parts: Sequence[Part], after: int) -> dict[str, int]:
        """The newest time of each entity that has readings after a time (epoch µs) in the files."""
        paths = ", ".join(quoted(self._folder / part.path) for part in parts)
        answer = self._engine.run(
            "SELECT entity_id, epoch_us(max(time)) AS newest"
            f" FROM read_parquet([{paths}], hive_partitioning=false)"
            " WHERE time > ? GROUP BY entity_id",
            [to_datetime(after)],
            {},
        )
        columns = (answer.column(name).to_pylist() for name in ("entity_id", "newest"))
        return dict(zip(*columns, strict=True))

    def entities(self, view: View, select: Selection) -> pa.Table:
        """Which entities have readings in the selection: entity_id, type, attrs (a list); by id."""
        import pyarrow as pa

        timed = moment_column(select.time_property) == "time"
        if not timed or select.dataset_ids is not None or select.seq is not None:
            return self._entities(view, select)
        parts = parts_of(view, select)
        amended = view.amendments(select.entity_ids)
        rows = rows_of(view, select)
        key = (tuple(parts), select)
        known = None if amended or rows else self._told.get(key)
        if known is not None:
            return known
        found = self._catalogue.find(parts, select, amended.keys())
        if found is None:
            return self._entities(view, select)
        tables = [*found.hits, _names(rows, select)]
        if amended:
            one = msgspec.structs.replace(select, entity_ids=tuple(amended))
            tables.append(_flat(self._entities(view, one)))
        if found.open:
            tables.append(_flat(self._entities(only(view, found.open, amended), select)))
        every = pa.concat_tables(tables).group_by("entity_id")
        grouped = every.aggregate([("type", "max"), ("attr", "distinct")])
        named = grouped.rename_columns({"type_max": "type", "attr_distinct": "attrs"}).select(
            ["entity_id", "type", "attrs"]
        )
        named = named.sort_by("entity_id")
        if not amended and not rows and len(named) <= _TOLD_ROWS:
            if len(self._told) >= _TOLD:
                self._told.clear()
            self._told[key] = named
        return named

    def _entities(self, view: View, select: Selection) -> pa.Table:
        def question(table: ir.Table) -> ir.Table:
            grouped = table.group_by("entity_id").aggregate(
                type=table.type.max(), attrs=table.attr.collect(distinct=True)
            )
            return grouped.order_by("entity_id")

        return self._ask(view, select, ("entities",), question)

    def _buckets(
        self, query: AggregateQuery, parts: Sequence[Part], rows: Sequence[Reading]
    ) -> Buckets | None:
        if query.bucket is None:
            return None
        length = parse_duration(query.bucket)
        if length.whole:
            return None
        return Buckets(length, self._zone, _range(query.select, parts, rows), query.origin)

    def _ask(self, view: View, select: Selection, shape: Hashable, question: Any) -> pa.Table:
        return self._engine.ask(make_scan(self._folder, view, select), shape, question)


def _range(select: Selection, parts: Sequence[Part], rows: Sequence[Reading]) -> tuple[int, int]:
    """The span of time that readings of the selection may be from."""
    low = min([part.min_time for part in parts] + [row.time for row in rows], default=0)
    high = max([part.max_time for part in parts] + [row.time for row in rows], default=0)
    if moment_column(select.time_property) != "time":
        return select.start or low, max(select.start or low, select.end or high) + 1
    start = low if select.start is None else max(low, select.start)
    end = high if select.end is None else min(high, select.end)
    return start, max(start, end) + 1


def _keys(rows: pa.Table) -> set[Series]:
    columns = (rows.column(name).to_pylist() for name in ("entity_id", "attr", "dataset_id"))
    return set(zip(*columns, strict=True))


def _full(rows: pa.Table, last_n: int) -> set[Series]:
    """The series that have `last_n` rows."""
    import pyarrow.compute as pc

    series = ["entity_id", "attr", "dataset_id"]
    counts = rows.group_by(series).aggregate([([], "count_all")])
    return _keys(counts.filter(pc.greater_equal(counts.column("count_all"), last_n)))


def _of(rows: pa.Table, series: set[Series]) -> pa.Table:
    """The rows of some series."""
    import pyarrow as pa

    if _keys(rows) <= series:
        return rows
    columns = (rows.column(name).to_pylist() for name in ("entity_id", "attr", "dataset_id"))
    return rows.filter(pa.array([key in series for key in zip(*columns, strict=True)]))


def _names(rows: Sequence[Reading], select: Selection) -> pa.Table:
    """Entity, type and attribute of the rows that are in the selection."""
    import pyarrow as pa

    kept = [(row.entity_id, row.type, row.attr) for row in rows if passes(row, select)]
    columns = zip(*kept, strict=True) if kept else ((), (), ())
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(NAMES))


def _flat(entities: pa.Table) -> pa.Table:
    """A row for each attribute."""
    import pyarrow as pa
    import pyarrow.compute as pc

    attrs = entities.column("attrs").combine_chunks()
    place = pc.list_parent_indices(attrs)
    columns = [entities.column(name).take(place) for name in ("entity_id", "type")]
    return pa.table([*columns, pc.list_flatten(attrs)], names=list(NAMES))
