"""Group commit: jobs that wait together see each other's writes and share one durable commit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rynek.base.clock import Clock
from rynek.base.errors import Problem, Unavailable
from rynek.base.sqlite import Connection
from rynek.base.storage import storage_problem
from rynek.base.trouble import Trouble
from rynek.context.changes import Change
from rynek.context.formats import Sheet, encode_body
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity, Instance
from rynek.context.store.contract import Moved
from rynek.context.store.documents import FORGET, KEEP
from rynek.context.store.figures import Commits
from rynek.context.store.indexes import Indexes
from rynek.context.store.log import SqliteChangeLog, encode_change
from rynek.context.store.outbox import INSERT, Message, Outbox, Settled
from rynek.context.store.pending import Pending, State

T = TypeVar("T")
_logger = logging.getLogger(__name__)

# A commit slower than this (a disk with slow syncs) moves to a thread so that reads go on.
_SLOW_COMMIT_SECONDS = 0.003
_GROUP_JOBS = 512


class GroupTxn:
    """`Txn` of one group: committed state with this group's writes on top."""

    def __init__(self, indexes: Indexes, clock: Clock, head: int, sent: int = 0) -> None:
        self.now = clock.now()
        self.pending: dict[str, Pending] = {}
        self.log: list[tuple[int, int, bytes]] = []
        self.messages: list[Message] = []
        # Whether entities were written that no row of the log tells of.
        self.quiet = False
        self._indexes = indexes
        self._head = head
        self._sent = sent
        self._undo: list[tuple[str, State, Moved | None, bool]] = []
        self._marks = (0, 0, 0, 0)
        # Statements of the store itself: before the group's rows (index building, which sees the
        # committed state) and after them (upkeep).
        self.before_rows: list[tuple[str, list[tuple[object, ...]]]] = []
        self.after_rows: list[tuple[str, tuple[object, ...]]] = []

    @property
    def head(self) -> int:
        """The seq of the newest row this group wrote."""
        return self._head + len(self.log)

    def begin(self) -> None:
        """Start a job."""
        self._undo.clear()
        self._marks = (
            len(self.log), len(self.before_rows), len(self.after_rows), len(self.messages)
        )  # fmt: skip

    def rollback(self) -> None:
        """Take back what the current job did, leaving its neighbours' writes."""
        for entity_id, state, moved, dirty in reversed(self._undo):
            pending = self.pending[entity_id]
            pending.after, pending.moved, pending.dirty = state, moved, dirty
        rows: tuple[list[Any], ...] = (
            self.log, self.before_rows, self.after_rows, self.messages
        )  # fmt: skip
        for written, mark in zip(rows, self._marks, strict=True):
            del written[mark:]

    def keep_context(self, ctx: CompiledContext) -> None:
        """Keep this very version of a @context."""
        self._indexes.contexts.number(ctx)

    @property
    def touched(self) -> bool:
        """Whether the current job wrote any entity."""
        return bool(self._undo)

    def changes(self) -> list[tuple[Entity | None, Entity | None]]:
        """Each entity that the current job wrote, once: as it was before the job, and as it is."""
        first: dict[str, State] = {}
        for entity_id, state, _, _ in self._undo:
            first.setdefault(entity_id, state)
        return [(was.entity, self.pending[one].after.entity) for one, was in first.items()]

    def encoded(self, entity: Entity, ctx: CompiledContext) -> bytes:
        """An entity in its stored form under `ctx`: the very bytes that are written, if it is
        written under that."""
        pending = self.pending.get(entity.id)
        state = None if pending is None else pending.after
        if state is None or state.known is not entity or state.ctx is None:
            return encode_body(entity, ctx)
        if state.ctx is not ctx and state.ctx.id != ctx.id:
            return encode_body(entity, ctx)
        return state.encoded()

    def send(self, target: str, about: bytes, head: bytes, body: Callable[[int], bytes]) -> int:
        """Put a message in the outbox: it leaves after the commit. `body` gets its number."""
        n = self._sent + len(self.messages) + 1
        self.messages.append(Message(n, target, time.time_ns() // 1000, about, head, body(n)))
        return n

    def first(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Run a statement before the group's own rows are written."""
        self.before_rows.append((sql, list(rows)))

    def later(self, sql: str, args: tuple[object, ...]) -> None:
        """Run a statement after the group's own rows are written."""
        self.after_rows.append((sql, args))

    def _pending(self, entity_id: str) -> Pending:
        found = self.pending.get(entity_id)
        if found is None:
            found = self.pending[entity_id] = self._indexes.load(entity_id)
        return found

    def get(self, entity_id: str) -> Entity | None:
        """The entity as this group has it so far."""
        return self._pending(entity_id).after.entity

    def sheet(self, entity_id: str, ctx: CompiledContext) -> Sheet | None:
        """The entity in its parts as this group has it so far (see Txn.sheet)."""
        pending = self._pending(entity_id)
        state = pending.after
        if (pending.dirty and pending.moved is None) or state.ctx is None:
            return None
        return state.sheet() if state.ctx is ctx or state.ctx.id == ctx.id else None

    def alter(
        self,
        entity_id: str,
        ctx: CompiledContext,
        sheet: Sheet,
        moved: Moved,
        said: dict[str, list[Instance]],
        source: str | None = None,
    ) -> None:
        """Store an entity of which only attributes in `moved` differ (see Txn.alter)."""
        pending = self._pending(entity_id)
        self._undo.append((entity_id, pending.after, pending.moved, pending.dirty))
        held = pending.moved or {}
        pending.moved = held | {
            attr: (held[attr][0] if attr in held else was, one)
            for attr, (was, one) in moved.items()
        }
        pending.after = State(ctx, parts=sheet)
        pending.dirty = True
        change = Change(0, self.now, "update", entity_id, sheet.types, said, source=source)
        self.log.append((self.head + 1, self.now, encode_change(change)))

    def put(
        self,
        entity: Entity,
        ctx: CompiledContext,
        *,
        op: str,
        attrs: dict[str, list[Instance]],
        deleted: list[tuple[str, str | None]] | None = None,
        source: str | None = None,
    ) -> None:
        """Store `entity`; one change row tells what was set and deleted."""
        before = self._set(entity.id, entity, ctx)
        self._append(op, before, entity, attrs, deleted or [], source)

    def remove(self, entity: Entity, *, source: str | None = None) -> None:
        """Delete `entity`; its change row lists every attribute as deleted."""
        self._set(entity.id, None, None)
        deleted = [
            (attr, instance.dataset_id)
            for attr, instances in entity.attrs.items()
            for instance in instances
        ]
        gone = msgspec.structs.replace(entity, scopes=None)
        self._append("delete", entity, gone, {}, deleted, source)

    def restore(self, entity: Entity, ctx: CompiledContext) -> None:
        """Store an entity just as it is, with its times; no change row, for copies."""
        self._set(entity.id, entity, ctx)
        self.quiet = True

    def context_of(self, entity_id: str) -> CompiledContext | None:
        """The @context that an entity is stored under; None where there is none."""
        return self._pending(entity_id).after.ctx

    def expired(self, limit: int) -> list[str]:
        """Entities of which something had expired before this group."""
        return self._indexes.expired(self.now, limit)

    def note_expiry(self) -> None:
        """Look up anew when something expires next, as committed before this group."""
        self._indexes.note_expiry()

    def rewrite(self, entity_id: str) -> None:
        """Store an entity again as it is, in today's form; no change row."""
        pending = self._pending(entity_id)
        pending.after = State(pending.after.ctx, pending.after.entity)
        pending.dirty, pending.moved = True, None
        self.quiet = True

    def keep(self, kind: str, document_id: str, body: bytes) -> None:
        """Keep a document beside the entities."""
        self.later(KEEP, (kind, document_id, body))

    def forget(self, kind: str, document_id: str) -> None:
        """Delete a kept document."""
        self.later(FORGET, (kind, document_id))

    def _set(
        self, entity_id: str, entity: Entity | None, ctx: CompiledContext | None
    ) -> Entity | None:
        """Let the entity be so from now on; what it was before."""
        pending = self._pending(entity_id)
        before = pending.after
        self._undo.append((entity_id, before, pending.moved, pending.dirty))
        pending.after = State(ctx, entity)
        pending.dirty, pending.moved = True, None
        return before.entity

    def _append(
        self,
        op: str,
        before: Entity | None,
        entity: Entity,
        attrs: dict[str, list[Instance]],
        deleted: list[tuple[str, str | None]],
        source: str | None,
    ) -> None:
        change = Change(0, self.now, op, entity.id, entity.types, attrs, deleted, source)
        if entity.scopes != (before.scopes if before is not None else None):
            change.scopes = entity.scopes or []
        if deleted and before is not None:
            held = before.attrs
            change.kinds = {attr: held[attr][0].kind for attr, _ in deleted if attr in held}
        self.log.append((self.head + 1, self.now, encode_change(change)))


class _Job(msgspec.Struct):
    run: Callable[[GroupTxn], Any]
    done: asyncio.Future[Any]
    result: Any = None


class Writer:
    """Runs write jobs in groups on the event loop; `submit` returns after the commit."""

    def __init__(
        self,
        connection: Connection,
        indexes: Indexes,
        log: SqliteChangeLog,
        outbox: Outbox,
        clock: Clock,
        path: Path | str = "",
    ) -> None:
        self._path = path
        self.trouble = Trouble(f"writing {path}", _logger)
        self._connection = connection
        self._indexes = indexes
        self._log = log
        self._outbox = outbox
        self._clock = clock
        self._queue: list[_Job] = []
        self._task: asyncio.Task[None] | None = None
        self._commit_seconds = 0.0
        self.commits = Commits()
        self._loose: set[asyncio.Task[None]] = set()
        self.closed = False

    async def submit(self, job: Callable[[GroupTxn], T]) -> T:
        """Run `job` in the next group; its result once it is durable, or what it raised."""
        if self.closed:
            raise Unavailable("the store is closing")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.append(_Job(job, done))
        if self._task is None:
            self._task = loop.create_task(self._drain())
        return await done

    def later(self, job: Callable[[GroupTxn], object], done: Callable[[], object]) -> None:
        """Run a job of the store itself with the next group; nobody waits for it, `done` is called
        afterwards."""

        async def run() -> None:
            try:
                await self.submit(job)
            except Problem as error:
                _logger.warning("not kept: %s", error)
            finally:
                done()

        task = asyncio.get_running_loop().create_task(run())
        self._loose.add(task)
        task.add_done_callback(self._loose.discard)

    async def finish(self) -> None:
        """Refuse new jobs and wait for those that are queued."""
        self.closed = True
        while self._task is not None:
            await asyncio.shield(self._task)

    async def _drain(self) -> None:
        try:
            while self._queue:
                jobs, self._queue = self._queue[:_GROUP_JOBS], self._queue[_GROUP_JOBS:]
                await self._group(jobs)
        finally:
            self._task = None

    async def _group(self, jobs: list[_Job]) -> None:
        outbox = self._outbox
        txn = GroupTxn(self._indexes, self._clock, self._log.head(), outbox.head)
        watch = outbox.watch
        ran = [job for job in jobs if not job.done.cancelled() and _run(job, txn, watch)]
        moved = self._log.take_moved()
        settled = outbox.take_settled()
        try:
            if (
                txn.log
                or txn.quiet
                or moved
                or txn.before_rows
                or txn.after_rows
                or txn.messages
                or settled
            ):
                started = time.perf_counter()
                await self._commit(txn, moved, settled)
                self.commits.note(len(ran), len(txn.log), time.perf_counter() - started)
        except Exception as error:
            outbox.untaken(settled)
            self._log.untaken(moved)
            self._failed(ran, error)
            return
        if self.trouble.error:
            self.trouble.over()
        self._log.committed(txn.head)
        if txn.messages:
            outbox.committed(txn.messages)
        for job in ran:
            if not job.done.done():
                job.done.set_result(job.result)

    async def _commit(self, txn: GroupTxn, moved: list[tuple[str, int]], settled: Settled) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        for sql, rows in txn.before_rows:
            connection.executemany(sql, rows)
        self._indexes.apply(txn.pending.values())
        connection.executemany("INSERT INTO change(seq, at, body) VALUES(?, ?, ?)", txn.log)
        if moved:
            connection.executemany("INSERT OR REPLACE INTO cursor(name, seq) VALUES(?, ?)", moved)
        for sql, args in txn.after_rows:
            connection.execute(sql, args)
        if txn.messages:
            connection.executemany(INSERT, [msgspec.structs.astuple(m) for m in txn.messages])
        for sql, rows in settled:
            connection.executemany(sql, rows)
        started = time.perf_counter()
        if self._commit_seconds > _SLOW_COMMIT_SECONDS:
            await asyncio.to_thread(connection.execute, "COMMIT")
        else:
            connection.execute("COMMIT")
        took = time.perf_counter() - started
        self._commit_seconds += (took - self._commit_seconds) / 16

    def _failed(self, jobs: list[_Job], error: Exception) -> None:
        """Nothing of the group is in the file: say so to everyone who waited for it."""
        self.commits.failed += 1
        with contextlib.suppress(Exception):
            self._connection.execute("ROLLBACK")
        # One that is damaged may not even say what it holds.
        with contextlib.suppress(Exception):
            self._indexes.reload()
        problem = storage_problem(error, self._path)
        self.trouble.note(error)
        if problem is None:
            _logger.error("a group of %d writes failed", len(jobs), exc_info=error)
            problem = Unavailable("the write failed; the server's log says why")
        for job in jobs:
            if not job.done.done():
                job.done.set_exception(problem)


def _run(job: _Job, txn: GroupTxn, watch: Callable[[GroupTxn], None] | None) -> bool:
    """Run one job in the group; False when it raised (its waiter has the error then).

    `watch` sees what the job wrote; an error of its own never harms the write."""
    txn.begin()
    try:
        job.result = job.run(txn)
    except Exception as error:
        txn.rollback()
        job.done.set_exception(error)
        return False
    if watch is not None and txn.touched:
        try:
            watch(txn)
        except Exception:
            _logger.exception("what was written could not be looked at")
    return True
