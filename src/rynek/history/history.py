"""The face of the room: one tenant's past, written by a follower, asked by typed questions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from rynek.context import (
    ChangeLog,
    TemporalEditor,
    TemporalEntity,
    TemporalQuery,
    ValueTest,
)

from .aggregate import AggregateQuery
from .damage import Damage
from .edit import Editor
from .engine import Engine, EngineSettings
from .follow import Follower
from .following import FollowerSettings, FollowerState
from .lake import Lake
from .merge import Merger, MergeSettings
from .overlay import Overlay
from .query import Questions
from .recent import LAST_N, is_newest
from .reference import ParquetReference
from .schema import DAY_US, ENTITY, Reading, each_reading
from .select import Selection
from .sink import LakeSink, newest_times
from .tail import View
from .temporal import by_entity, note_deletions, to_entities, to_selection
from .upkeep import Upkeep, UpkeepSettings

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
_MANY = 2_000
"""From so many readings in memory on an answer is made in a thread."""
_WARMED = 8
"""Files that the catalogue takes in after a flush."""
_REST = 50
"""How many times as long as that took the catalogue rests: fresh files are soon merged away, and
a question that comes earlier reads what it needs."""


class HistorySettings(msgspec.Struct, kw_only=True):
    """Settings of one tenant's history."""

    follower: FollowerSettings = msgspec.field(default_factory=FollowerSettings)
    engine: EngineSettings = msgspec.field(default_factory=EngineSettings)
    upkeep: UpkeepSettings = msgspec.field(default_factory=UpkeepSettings)
    merge: MergeSettings = msgspec.field(default_factory=MergeSettings)


class HistoryStats(msgspec.Struct):
    """Numbers about the table: `lag` is changes not read yet, `pending` rows not on disk yet;
    `newest` the newest time of a reading (epoch µs), `lost` changes trimmed before reading,
    `added` and `corrections` what clients wrote that is not merged into the table yet.
    """

    rows: int
    bytes: int
    files: int
    newest: int | None
    lag: int
    pending: int
    lost: int
    version: int
    added: int = 0
    corrections: int = 0


class History:
    """`<folder>/readings` is the table, `reference` the folder of reference tables beside it."""

    def __init__(
        self,
        folder: Path,
        changes: ChangeLog,
        settings: HistorySettings | None = None,
        zone: str = "UTC",
    ) -> None:
        self._settings = settings or HistorySettings()
        folder.mkdir(parents=True, exist_ok=True)
        self.zone = ZoneInfo(zone)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="history-writer")
        self._readers = ThreadPoolExecutor(
            self._settings.engine.connections, thread_name_prefix="history-reader"
        )
        self._corrector = ThreadPoolExecutor(1, thread_name_prefix="history-overlay")
        self._rested = 0.0
        self._lake = Lake(folder / "readings")
        self._overlay = Overlay(folder)
        engine = Engine(self._lake.folder, self._settings.engine)
        self._damage = Damage(self._lake.folder)
        self.upkeep = Upkeep(self._lake, self._settings.upkeep, self._damage)
        self._merger = Merger(
            self._lake, self._overlay, engine, self._settings.merge, self._written
        )
        self._follower = Follower(
            changes,
            self._lake,
            self._settings.follower,
            self._writer,
            self._overlay,
            self._merger,
            self._step,
            self._ahead,
        )
        self._questions = Questions(self._lake.folder, engine, self.zone)
        self.edit: TemporalEditor = Editor(
            self._overlay, self, self._mark, self._corrector, self._follower.recent.corrected
        )
        self.sink = LakeSink(self._lake, self._writer, self._written)
        self.reference = ParquetReference(folder.parent / "reference")

    def _written(self, newest: Mapping[str, int]) -> None:
        """Past the log, readings are about to be written: their newest times by entity."""
        for entity_id, moment in newest.items():
            self._follower.recent.raise_floor(entity_id, moment)

    def _ahead(self) -> dict[str, int]:
        """The entities with readings from the future, and the newest of them."""
        now = time.time_ns() // 1000
        parts = [part for part in self._lake.snapshot.parts() if part.max_time > now]
        return self._questions.newest(parts, now) if parts else {}

    def _step(self) -> None:
        """One round of upkeep; a part that fails keeps no other from its work."""
        failed: list[Exception] = []
        for part in (
            self._merger.step,
            self.upkeep.step,
            self._lake.checkpoint,
            self._warm,
        ):
            try:
                part()
            except Exception as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def _warm(self) -> None:
        started = time.monotonic()
        if started >= self._rested:
            parts = self._damage.sound(self._lake.snapshot.parts())
            self._damage.guarded(lambda: self._questions.warm(parts, _WARMED), lambda: parts)
            now = time.monotonic()
            self._rested = now + _REST * (now - started)

    async def _mark(self) -> int:
        await self._follower.drain()
        return self._follower.seq

    async def start(self) -> None:
        """Begin to follow the log; returns at once, the table opens in the background."""
        await self._follower.start()

    async def stop(self) -> None:
        """Write what is left to the table and end."""
        try:
            await self._follower.stop()
        finally:
            self._corrector.shutdown(wait=True)
            self._writer.shutdown(wait=True)
            self._readers.shutdown(wait=True, cancel_futures=True)
            self._overlay.close()

    async def ready(self) -> None:
        """Wait until questions can be answered."""
        await self._follower.ready()

    async def flush(self) -> None:
        """Write everything that was acknowledged to the table now, durably (backup, tests)."""
        await self._follower.drain()
        await self._follower.flush(save_runs=True)

    async def merge(self) -> None:
        """Bring what clients added and corrected into the table now (tests, upkeep by hand)."""
        await self.flush()
        await asyncio.get_running_loop().run_in_executor(self._writer, self._merger.run)

    def mute(self, after: int | None = None) -> None:
        """Record nothing of what feeds write from now on (or wrote after the change with that
        seq), until the next start: a replay begins anew. What people and programs write is
        recorded as ever.
        """
        self._follower.mute(after)

    async def rows(
        self,
        select: Selection,
        *,
        last_n: int | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Readings with all columns, by entity, attribute, dataset and time: of each series the
        newest `last_n`, or the oldest `limit`.
        """
        return await self._ask(
            lambda view: self._questions.rows(view, select, last_n=last_n, limit=limit)
        )

    async def take(self, rows: pa.Table) -> None:
        """Store readings of another history (as `rows` has them) as they are: what a snapshot
        holds. Durable on return."""
        await self.ready()
        self._written(newest_times(rows))
        await asyncio.get_running_loop().run_in_executor(self._writer, self._lake.take, rows)

    async def series(
        self,
        entity_id: str,
        attrs: Sequence[str] = (),
        *,
        start: int | None = None,
        end: int | None = None,
        last_n: int | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """The readings of one entity: attribute IRIs (none = all), time in [start, end) µs."""
        select = Selection(entity_ids=(entity_id,), attrs=tuple(attrs), start=start, end=end)
        return await self.rows(select, last_n=last_n, limit=limit)

    async def latest(
        self, entity_ids: Sequence[str], attrs: Sequence[str] = (), *, at: int | None = None
    ) -> pa.Table:
        """The newest reading of each series, or the one that held at `at` (epoch µs)."""
        select = Selection(
            entity_ids=tuple(entity_ids),
            attrs=tuple(attrs),
            end=None if at is None else at + 1,
            deleted=True,
        )
        return await self._ask(lambda view: self._questions.rows(view, select, last_n=1))

    async def aggregate(self, query: AggregateQuery) -> pa.Table:
        """Numbers by group and time bucket; see AggregateQuery."""
        return await self._ask(lambda view: self._questions.aggregate(view, query))

    async def evolution(
        self, entity_ids: Sequence[str], query: TemporalQuery
    ) -> dict[str, TemporalEntity]:
        """The readings of some entities; an entity without any is left out (TemporalStore)."""
        if not entity_ids:
            return {}
        select = to_selection(entity_ids, query)
        most = query.bound + 1
        last_n = None if query.last_n is None else min(query.last_n, most)
        limit = most if last_n is None else None

        await self._follower.drain()
        view = self._follower.view()
        held = self._held(view, select, query, last_n)
        if held is not None:
            if sum(map(len, held.values())) < _MANY:
                return to_entities(held, query, last_n, limit)
            # Not on the readers' threads, where long questions are waited for.
            return await asyncio.to_thread(to_entities, held, query, last_n, limit)
        seq = self._follower.seq
        # More is read than was asked for where the answer is remembered, and nowhere else.
        kept = last_n is not None and last_n <= LAST_N and is_newest(select)
        more = LAST_N if kept else last_n

        def question() -> tuple[list[Reading], dict[str, TemporalEntity]]:
            read = self._questions.rows(view, select, last_n=more, limit=limit)
            held = by_entity(each_reading(read))
            rows = [row for ones in held.values() for row in ones] if kept else []
            found = to_entities(held, query, last_n, limit)
            if query.gone and query.attrs:
                marks = msgspec.structs.replace(select, attrs=(ENTITY,), dataset_ids=None)
                note_deletions(found, each_reading(self._questions.rows(view, marks)))
            return rows, found

        rows, found = await self._read(question, view)
        if kept:
            self._follower.recent.remember(view, select, seq, rows)
        return found

    def _held(
        self, view: View, select: Selection, query: TemporalQuery, last_n: int | None
    ) -> dict[str, list[Reading]] | None:
        """The readings from memory, where they are all there."""
        if query.gone and query.attrs:
            return None
        recent = self._follower.recent
        held = recent.rows(view, select, last_n)
        if held is None and last_n is not None and last_n <= LAST_N:
            held = recent.remembered(view, select)
        return held

    async def entities(self, select: Selection) -> pa.Table:
        """Which entities have readings in the selection: entity_id, type, attrs (a list)."""
        if select.types:
            select = msgspec.structs.replace(select, also=self._overlay.having(select.types))
        return await self._ask(lambda view: self._questions.entities(view, select))

    async def type_of(self, entity_id: str) -> str | None:
        """A type of an entity that has readings; None where it has none."""
        return await self._ask(lambda view: self._questions.type_of(view, entity_id))

    async def passing(
        self, select: Selection, tests: Sequence[ValueTest]
    ) -> list[tuple[set[str], set[str]]]:
        """For each test the entities with a reading in the selection that surely passes it, and
        those with one that may."""
        return await self._ask(
            lambda view: [self._questions.passing(view, select, test) for test in tests]
        )

    async def _ask(self, question: Callable[[View], T]) -> T:
        await self._follower.drain()
        view = self._follower.view()
        return await self._read(lambda: question(view), view)

    async def _read(self, question: Callable[[], T], view: View) -> T:
        """Ask on a thread; Damaged names the file of the table that cannot be read."""
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, self._damage.guarded, question, view.snapshot.parts
        )

    def days(self) -> list[int]:
        """The days (since 1970, UTC) that there may be readings of; call `flush` before."""
        view = self._follower.view()
        found = {row.time // DAY_US for row in view.rows()}
        for part in view.snapshot.parts():
            found.update(range(part.min_time // DAY_US, part.max_time // DAY_US + 1))
        return sorted(found)

    def state(self) -> FollowerState:
        """How writing it goes, for those who watch; never waits."""
        files = self._damage.files.items()
        damaged = tuple(f"{path}: {fault}" for path, fault in files)
        return msgspec.structs.replace(self._follower.state(), damaged=damaged)

    def stats(self) -> HistoryStats:
        """Numbers for the health page; never waits."""
        view = self._follower.view()
        parts = view.snapshot.parts()
        pending = [row.time for tail in view.tails for row in tail.rows]
        added, corrections = self._overlay.size
        return HistoryStats(
            rows=sum(part.rows for part in parts) + len(pending),
            bytes=sum(part.size for part in parts),
            files=len(parts),
            newest=max([part.max_time for part in parts] + pending, default=None),
            lag=self._follower.lag(),
            pending=len(pending),
            lost=self._follower.lost,
            version=view.snapshot.version,
            added=added,
            corrections=corrections,
        )
