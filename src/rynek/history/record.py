"""The history of a city as it stands on disk, for analysis: also beside a running service."""

from __future__ import annotations

import hashlib
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from zoneinfo import ZoneInfo

import msgspec

from rynek.base.errors import ResourceNotFound
from rynek.base.storage import storage_problem

from . import runs
from .aggregate import AggregateQuery
from .bulk import as_bulk, bulk, bulk_columns
from .damage import Damage
from .engine import Engine, EngineSettings
from .files import to_parts
from .lake import FOLLOWER, OVERLAY, Snapshot, grouped
from .overlay import Overlay
from .query import Questions
from .reference import ParquetReference
from .schema import ENTITY
from .select import Selection, make_scan, parts_of
from .tail import View

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

RUNS: Final = "open_runs"
_PREVIOUS: Final = {"previous_us": ("int64", "epoch_us(previous_until)")}
_LIMITS: Final = EngineSettings(memory="1GB", threads=2, connections=1, seconds=600.0)


class Answer(msgspec.Struct, frozen=True):
    """What a question gives, and what it was asked of: `files` of the table's `version`."""

    rows: Any
    sql: str
    version: int
    files: int


class Record:
    """One state of the table in `<history>/readings` with what clients corrected; read-only.

    What a running service has not written to its table yet (the setting `history.flush_seconds`)
    is not in it. ResourceNotFound where there is no table, Damaged where a file cannot be read.
    """

    def __init__(self, history: Path, limits: EngineSettings = _LIMITS) -> None:
        self._history = history
        self.threads = limits.threads
        self._folder = history / "readings"
        self._spill = tempfile.TemporaryDirectory(prefix="rynek-", ignore_cleanup_errors=True)
        self._engine = Engine(self._folder, limits, Path(self._spill.name))
        self._damage = Damage(self._folder)
        self._view, self._also = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._spill.cleanup()

    def _read(self) -> tuple[View, Overlay]:
        from deltalake import DeltaTable

        if not DeltaTable.is_deltatable(str(self._folder)):
            raise ResourceNotFound(f"there is no history in {self._history}")
        overlay = Overlay(self._history)
        try:
            # Before the table: what a merge takes out of it in between is in the table by then.
            overlay.look()
            table = DeltaTable(self._folder)
        except Exception as error:
            problem = storage_problem(error, self._folder)
            if problem is None:
                raise
            raise problem from error
        snapshot = Snapshot(
            table.version(),
            table.transaction_version(FOLLOWER) or 0,
            grouped(to_parts(table.get_add_actions(flatten=True))),
            table.transaction_version(OVERLAY) or 0,
        )
        return View(snapshot, (), overlay.frozen()), overlay

    @property
    def reference(self) -> ParquetReference:
        """The reference tables of the tenant's feeds (timetables), which stand beside its history."""
        return ParquetReference(self._history.parent / "reference")

    @property
    def version(self) -> int:
        """The table's version."""
        return self._view.snapshot.version

    def ask(
        self,
        select: Selection,
        shape: Hashable,
        question: Callable[[ir.Table], ir.Table],
        tables: Mapping[str, pa.Table] | None = None,
    ) -> Answer:
        """The answer to an Ibis expression over the readings of a selection, with the columns of
        the table and `us`, `previous_us` (time and previous_until in epoch µs).

        The expression may name the tables that are given, and `open_runs`: `entity_id`, `attr`,
        `dataset_id`, `until` (epoch µs, when the newest value was last seen again) and `count` (how
        often). Equal shapes mean equal expressions.
        """
        if select.types:
            select = msgspec.structs.replace(select, also=self._also.having(select.types))
        parts = parts_of(self._view, select)
        scan = make_scan(self._folder, self._view, select, _PREVIOUS)
        given = {**scan.tables, RUNS: self.open_runs(select), **(tables or {})}
        scan = msgspec.structs.replace(scan, tables=given)
        rows = self._damage.guarded(lambda: self._engine.ask(scan, shape, question), lambda: parts)
        sql = self._engine.sql(shape, question)
        return Answer(rows, sql, self.version, len(parts))

    def bulk(self, select: Selection) -> pa.Table:
        """BULK of the readings of a selection by types, attributes and time (`deleted` too), more or
        less in order: straight from the files, where clients corrected nothing."""
        also = self._also.having(select.types)
        if also or self._view.amended:
            return as_bulk(self.ask(select, ("bulk",), bulk_columns).rows)
        parts = parts_of(self._view, select)
        return self._damage.guarded(lambda: bulk(self._folder, parts, select), lambda: parts)

    def aggregate(self, query: AggregateQuery, zone: ZoneInfo) -> pa.Table:
        """Numbers by group and time bucket of the city's zone; see AggregateQuery."""
        select = query.select
        if select.types:
            select = msgspec.structs.replace(select, also=self._also.having(select.types))
            query = msgspec.structs.replace(query, select=select)
        questions = Questions(self._folder, self._engine, zone)
        return self._damage.guarded(
            lambda: questions.aggregate(self._view, query), lambda: parts_of(self._view, select)
        )

    def over(
        self, tables: Mapping[str, pa.Table], shape: Hashable, question: Callable[[], ir.Table]
    ) -> Answer:
        """The answer to an Ibis expression over Arrow tables that it names. Equal shapes mean equal
        expressions."""
        sql = self._engine.statement(shape, question)
        return Answer(self._engine.run(sql, [], tables), sql, self.version, 0)

    def statement(self, shape: Hashable, question: Callable[[], ir.Table]) -> str:
        """The SQL of what `over` asks."""
        return self._engine.statement(shape, question)

    def stamps(self, bounds: Sequence[tuple[int, int]], types: tuple[str, ...]) -> list[bytes]:
        """For each of some spans [start, end) (epoch µs, ascending, side by side) what tells the
        state of the readings of some types: equal ones mean equal readings. Empty: there are none.
        """
        starts = [start for start, _ in bounds]
        names: list[list[str]] = [[] for _ in bounds]
        for part in self._view.snapshot.parts():
            low = max(bisect_right(starts, part.min_time) - 1, 0)
            for place in range(low, bisect_right(starts, part.max_time)):
                if bounds[place][1] > part.min_time:
                    names[place].append(part.path)
        for row in self._view.rows():
            place = bisect_right(starts, row.time) - 1
            if place >= 0 and row.time < bounds[place][1]:
                names[place].append("amended")
        also = repr(sorted(self._also.having(types)))
        told = hashlib.sha256((self._corrections + also).encode())
        return [_stamp(told.copy(), found) for found in names]

    @cached_property
    def _corrections(self) -> str:
        """What clients corrected. Which days it is about only the readings can say."""
        return repr(
            [
                (
                    entity_id,
                    [(row.seq, row.at) for row in one.added],
                    [(key, patch.v, patch.row) for key, patch in one.patches.items()],
                    one.gone,
                )
                for entity_id, one in sorted(self._view.amended.items())
            ]
        )

    @property
    def first(self) -> int | None:
        """The time (epoch µs) of the first reading; None where there are none."""
        times = [part.min_time for part in self._view.snapshot.parts()]
        return min([*times, *(row.time for row in self._view.rows())], default=None)

    def extent(self, start: int, end: int) -> tuple[int, int]:
        """How many files may hold readings in [start, end), and the readings in those."""
        parts = self._view.snapshot.select(None, start, end)
        return len(parts), sum(part.rows for part in parts)

    @cached_property
    def _runs(self) -> list[tuple[str, str, str | None, int, int]]:
        saved = runs.load(self._history / "runs.msgpack")
        amended = self._view.amended
        return [
            (*key, run.until, run.count)
            for key, run in (saved[1] if saved else {}).items()
            if key[1] != ENTITY and key[0] not in amended
        ]

    def open_runs(self, select: Selection) -> pa.Table:
        """How long the newest values held (`entity_id`, `attr`, `dataset_id`, `until` in epoch µs,
        `count`), as it was saved last; none where clients corrected."""
        import pyarrow as pa

        kept = [
            row
            for row in self._runs
            if (not select.attrs or row[1] in select.attrs)
            and (select.dataset_ids is None or row[2] in select.dataset_ids)
        ]
        columns: list[tuple[Any, ...]] = list(zip(*kept, strict=True)) if kept else [()] * 5
        kinds = [pa.string(), pa.string(), pa.string(), pa.int64(), pa.int64()]
        arrays = [pa.array(c, kind) for c, kind in zip(columns, kinds, strict=True)]
        return pa.table(arrays, names=["entity_id", "attr", "dataset_id", "until", "count"])


def _stamp(told: Any, names: list[str]) -> bytes:
    if not names:
        return b""
    told.update("\n".join(sorted(names)).encode())
    digest: bytes = told.digest()
    return digest
