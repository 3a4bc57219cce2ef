"""The SQLite store of one tenant: the contract over one file, one writer, readers beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from rynek.base.clock import MICRO, Clock
from rynek.base.folder import FolderError
from rynek.base.sqlite import Connection, checkpoint, connect, migrate, set_aside, stored_version
from rynek.base.trouble import Trouble
from rynek.context.formats import decode
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity
from rynek.context.query import Ordering, Query
from rynek.context.store.build import IndexBuilder
from rynek.context.store.contract import Bodies, Page, Row, TypeSummary
from rynek.context.store.documents import SqliteDocuments
from rynek.context.store.figures import StoreFigures
from rynek.context.store.indexes import Indexes
from rynek.context.store.log import SqliteChangeLog
from rynek.context.store.ordered import Gatherer
from rynek.context.store.outbox import Outbox
from rynek.context.store.plan import Plan, Planner, wanted_indexes
from rynek.context.store.ranked import Walker, wanted_order
from rynek.context.store.schema import MIGRATIONS
from rynek.context.store.select import Readers, Selector, shown_under
from rynek.context.store.txn import GroupTxn
from rynek.context.store.writer import Writer

T = TypeVar("T")

_UPKEEP_SECONDS = 5.0
# Pages that the writer holds. A commit looks at each of them wherever a full page was divided in two
# before (SQLite numbers pages anew by way of one far behind the end): with 64 MB that was a fourth of
# what a patch costs. What is not held is mapped.
_WRITING_KIB = 8_192
# Frames (pages) of the write-ahead log: one longer than this begins anew, for which no group may be
# written while the last ones are copied; and how many those may be.
_LONG_WAL = 16_384
_LAST_FRAMES = 1_024
_CATCH_UP = 8
_TRIM_ROWS = 2_000
_TRIM_JOBS = 50
_logger = logging.getLogger(__name__)


class StoreLimits(msgspec.Struct, frozen=True):
    """Bounds of one tenant's store."""

    keep_rows: int = 2_000_000
    keep_hours: float = 72.0
    max_value_indexes: int = 64
    max_contexts: int = 1000
    remember_bytes: int = 64 << 20


class SqliteStore:
    """`Store` over state.db in `folder`; one process at a time opens it for writing."""

    def __init__(self, folder: Path, clock: Clock, limits: StoreLimits | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "state.db"
        self.limits = limits or StoreLimits()
        self._writing = connect(self.path, cache_kib=_WRITING_KIB)
        copy = set_aside(self._writing, self.path, MIGRATIONS)
        if copy is not None:
            _logger.info("%s is brought to a new format; as it was it stays as %s", self.path, copy)
        migrate(self._writing, MIGRATIONS, f"the data in {folder.name}")
        self._reading = connect(self.path, read_only=True)
        self._indexes = Indexes(self._writing, self._reading, self.limits.remember_bytes)
        self.changes = SqliteChangeLog(self._reading)
        self.documents = SqliteDocuments(self._reading)
        self.outbox = Outbox(self._reading)
        self._writer = Writer(
            self._writing, self._indexes, self.changes, self.outbox, clock, self.path
        )
        self._planner, self._readers = Planner(self._indexes), Readers(self._open_reader)
        self._selector = Selector(self._reading, self._indexes, self._readers)
        self._gatherer = Gatherer(self._reading, self._indexes, self._planner, self._readers)
        self._walker = Walker(self._indexes, self._readers)
        self._builder = IndexBuilder(
            self._writer, self._indexes, self._reading, self.limits.max_value_indexes
        )
        self._clock = clock
        self._upkeep: asyncio.Task[None] | None = None
        self._keeping = Trouble(f"upkeep of {self.path}", _logger)

    @property
    def failing(self) -> str:
        """Why the last write or upkeep failed; empty while they work."""
        return self._writer.trouble.error or self._keeping.error

    def _open_reader(self) -> Connection:
        return connect(self.path, read_only=True, cache_kib=8_192)

    @property
    def soonest(self) -> int | None:
        """When something expires first (epoch µs), at the earliest; None where nothing does."""
        return self._indexes.soonest

    def row(self, entity_id: str) -> Row | None:
        """The stored form of one entity."""
        raw = self._reading.execute(
            "SELECT n, ctx, body, times FROM entity WHERE id = ?", (entity_id,)
        ).fetchone()
        if raw is None:
            return None
        return Row(raw[0], self._indexes.contexts.compiled(raw[1]), raw[2], raw[3])

    def body(self, entity_id: str, ctx: CompiledContext) -> bytes | None:
        """One entity as it stands under `ctx`."""
        remembered = self._indexes.remembered
        body = remembered.body(ctx.id, entity_id)
        if body is None:
            row = self.row(entity_id)
            if row is None:
                return None
            body = row.body if row.ctx.id == ctx.id else shown_under(ctx, row.body, row.ctx)
            if remembered.holds:
                remembered.keep_one(ctx.id, entity_id, row.n, body)
        return body

    def get(self, entity_id: str) -> Entity | None:
        """One entity, decoded."""
        row = self.row(entity_id)
        return None if row is None else decode(row.body, row.times, row.ctx)

    async def select(self, query: Query, *, limit: int, offset: int, count: bool) -> Page:
        """One page of what matches; the first query on a large type's attribute waits until its
        value index is built."""
        plan = self._planner.remembered(query) or await self._planned(query)
        return await self._selector.select(query, plan, limit, offset, count)

    async def bodies(
        self, query: Query, ctx: CompiledContext, *, limit: int, offset: int, count: bool
    ) -> Bodies:
        """The page of `select` as bodies under `ctx`."""
        plan = self._planner.remembered(query) or await self._planned(query)
        return await self._selector.bodies(query, plan, ctx, limit, offset, count)

    async def _planned(self, query: Query) -> Plan:
        await self._prepare(query)
        return self._planner.plan(query, self._reading)

    async def _prepare(self, query: Query) -> None:
        wanted = wanted_indexes(query, self._indexes, self._reading)
        if wanted:
            self._begin_upkeep()  # what the builder leaves in SQLite's log slows reads down
            await self._builder.ensure(wanted)

    async def ordered(
        self,
        query: Query,
        ordering: Ordering,
        *,
        limit: int,
        offset: int,
        most: int,
        compact: Callable[[str], str],
    ) -> Page:
        """One page in an order, and the number of matches."""
        wanted = wanted_order(query, ordering, self._indexes, self._reading)
        if wanted is not None and offset + limit <= most:
            self._begin_upkeep()  # what the builder leaves in SQLite's log slows reads down
            await self._builder.ensure([wanted])
            page = await self._walker.page(wanted, ordering, compact, limit, offset)
            if page is not None:
                return page
        await self._prepare(query)
        return await self._gatherer.ordered(
            query, ordering, limit=limit, offset=offset, most=most, compact=compact
        )

    async def ids(
        self, query: Query, ordering: Ordering | None, *, most: int, compact: Callable[[str], str]
    ) -> list[str]:
        """The ids of all matches, in order."""
        await self._prepare(query)
        return await self._gatherer.ids(query, ordering, most=most, compact=compact)

    def scan(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Entity]]:
        """Entities by number, ascending, those above `after`."""
        rows = self._reading.execute(
            "SELECT n, ctx, body, times FROM entity WHERE n > ? ORDER BY n LIMIT ?", (after, limit)
        ).fetchall()
        compiled = self._indexes.contexts.compiled
        return [(n, decode(body, times, compiled(c))) for n, c, body, times in rows]

    def types(self) -> list[TypeSummary]:
        """The types in use with their attributes, by type IRI."""
        iri = self._indexes.terms.by_number
        attrs: dict[int, dict[str, tuple[int, list[str]]]] = {}
        for t, a, entities, kinds in self._reading.execute(
            "SELECT t, a, entities, kinds FROM type_attr WHERE entities > 0"
        ).fetchall():
            attrs.setdefault(t, {})[iri[a]] = (entities, kinds.split())
        counts = self._reading.execute("SELECT t, count(*) FROM entity_type GROUP BY t").fetchall()
        found = [TypeSummary(iri[t], entities, attrs.get(t, {})) for t, entities in counts]
        return sorted(found, key=lambda summary: summary.type)

    def figures(self) -> StoreFigures:
        """What was written, and how large all is."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        size = sum(file.stat().st_size for file in files if file.exists())
        head = self.changes.head()
        rows = head + 1 - self.changes.oldest()
        return StoreFigures(
            self._writer.commits.copy(), head, rows, size, *self._indexes.values.count()
        )

    async def count(self) -> tuple[int, int]:
        """How many entities there are and of how many types: counted beside the loop."""
        return await asyncio.to_thread(self._count)

    def _count(self) -> tuple[int, int]:
        with self._readers.one() as reader:
            entities = reader.execute("SELECT count(*) FROM entity").fetchone()[0]
            # A loose scan: one step down the index for each type.
            types = reader.execute(
                "WITH RECURSIVE one(t) AS (SELECT min(t) FROM entity_type UNION ALL"
                " SELECT (SELECT min(t) FROM entity_type WHERE t > one.t) FROM one"
                " WHERE one.t IS NOT NULL) SELECT count(t) FROM one"
            ).fetchone()[0]
        return int(entities), int(types)

    def write(self, job: Callable[[GroupTxn], T]) -> Awaitable[T]:
        """Run `job` in the next group; its result after the durable commit."""
        if self._upkeep is None:
            self._begin_upkeep()
        return self._writer.submit(job)

    def on_expiring(self, watch: Callable[[], None]) -> None:
        """Call `watch` after each group while something is to expire."""
        self._writer.on_expiring = watch

    def _begin_upkeep(self) -> None:
        if self._upkeep is None:
            self._upkeep = asyncio.get_running_loop().create_task(self._keep_up())

    def later(self, job: Callable[[GroupTxn], object], done: Callable[[], object]) -> None:
        """Run `job` with the next group; nobody waits for it, `done` is called afterwards."""
        self._writer.later(job, done)

    def remote_contexts(self) -> list[tuple[str, int, int]]:
        """URL, time of the fetch and size of each kept document of a remote @context."""
        rows = self._reading.execute(
            "SELECT url, fetched, length(body) FROM remote_context ORDER BY fetched"
        ).fetchall()
        return [(str(url), int(fetched), int(size)) for url, fetched, size in rows]

    def remote_context(self, url: str) -> bytes | None:
        """The document of a remote @context fetched before."""
        row = self._reading.execute(
            "SELECT body FROM remote_context WHERE url = ?", (url,)
        ).fetchone()
        return bytes(row[0]) if row else None

    def context_by_id(self, digest: str) -> CompiledContext | None:
        """A @context that an entity or a document was kept under, by its id."""
        return self._indexes.contexts.by_hash(digest)

    async def close(self) -> None:
        """Finish waiting writes, write the cursors, checkpoint and close."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.gather(self._upkeep, return_exceptions=True)
        await self._writer.finish()
        self._readers.close()
        self._reading.close()
        try:
            checkpoint(self._writing, truncate=True)
        except Exception as error:
            # A full disk, or a checkpoint that is still under way: the next opening takes it over.
            _logger.warning("%s keeps its write-ahead log: %s", self.path, error)
        finally:
            self._writing.close()

    async def _keep_up(self) -> None:
        """Off the write path: checkpoint on a connection of its own, move cursors, trim the log."""
        keeper = connect(self.path)
        try:
            while True:
                await asyncio.sleep(_UPKEEP_SECONDS)
                try:
                    await self._checkpoint(keeper)
                    await self._shorten()
                    self._keeping.over()
                except Exception as error:
                    # A full disk now may have room later: without upkeep it would never.
                    self._keeping.note(error)
        finally:
            keeper.close()

    async def _checkpoint(self, keeper: Connection) -> None:
        """Copy the write-ahead log into the file.

        Under steady writes some of it is always left, and it would only ever grow: a long one is
        finished while no group is written, then SQLite writes it from its beginning again.
        """
        frames, copied = await asyncio.to_thread(checkpoint, keeper)
        for _ in range(_CATCH_UP):
            if frames < _LONG_WAL or frames - copied <= _LAST_FRAMES:
                break
            frames, copied = await asyncio.to_thread(checkpoint, keeper)
        if frames >= _LONG_WAL:
            await self._writer.alone(lambda: checkpoint(keeper))

    async def _shorten(self) -> None:
        """Trim the log in short jobs until nothing more may go; write moved cursors."""
        for _ in range(_TRIM_JOBS):
            oldest = self.changes.oldest()
            until = self._needless(oldest)
            await self._writer.submit(
                partial(_later, "DELETE FROM change WHERE seq <= ?", (until,))
            )
            if until < oldest + _TRIM_ROWS - 1:
                return

    def _needless(self, oldest: int) -> int:
        """Up to which change, from the oldest on, every reader has acknowledged and the bounds let
        go: a few at a time, for whoever looks further reads the whole log to find nothing."""
        head, lowest = self.changes.head(), self.changes.lowest_cursor()
        until = min(head if lowest is None else lowest, oldest + _TRIM_ROWS - 1)
        kept = max(oldest, head - self.limits.keep_rows + 1)
        if until < kept:
            return until
        since = self._clock.now() - int(self.limits.keep_hours * 3600) * MICRO
        recent = self.changes.first_since(since, kept, until)
        return until if recent is None else recent - 1


def prepare_store(folder: Path, seq: int) -> None:
    """Make the store in `folder`, if there is none, such that its changes begin above `seq`."""
    path = folder / "state.db"
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    connection = connect(path)
    try:
        migrate(connection, MIGRATIONS, f"the data in {folder.name}")
        connection.execute("INSERT INTO sqlite_sequence(name, seq) VALUES('change', ?)", (seq,))
    finally:
        connection.close()


def refuse_newer(folder: Path) -> None:
    """FolderError when the store in `folder` was written by a newer rynek."""
    version = stored_version(folder / "state.db")
    if version > len(MIGRATIONS):
        raise FolderError(
            f"{folder / 'state.db'} has format {version}, this rynek knows up to"
            f" {len(MIGRATIONS)}: start a newer rynek on it, or restore a backup of the older one"
        )


def _later(sql: str, args: tuple[object, ...], txn: GroupTxn) -> None:
    txn.later(sql, args)
