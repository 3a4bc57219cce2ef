"""Group commit: jobs that wait together see each other's writes and share one durable commit."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import GeneratorType
from typing import Any, TypeVar

import msgspec

from rynek.base.aside import Aside
from rynek.base.clock import Clock
from rynek.base.errors import Problem, Unavailable
from rynek.base.sqlite import Connection
from rynek.base.storage import storage_problem
from rynek.base.trouble import Trouble
from rynek.context.store.figures import Commits
from rynek.context.store.indexes import Indexes
from rynek.context.store.log import SqliteChangeLog
from rynek.context.store.outbox import INSERT, Outbox, Settled
from rynek.context.store.txn import GroupTxn
from rynek.context.store.written import Written

T = TypeVar("T")
_logger = logging.getLogger(__name__)

# While commits take longer than this they wait for the disk in a thread, so that reads go on. Long
# work in other threads holds none up.
_SLOW_COMMIT_SECONDS = 0.0002
_COMMITTING = Aside(16, "commit")
_GROUP_JOBS = 512
# Reads get their turn after so much work of a group; one with more work than that is committed, for
# what its jobs changed is written in one go.
_TURN_SECONDS = 0.0005
_GROUP_SECONDS = 0.005
# So many of those that waited for a commit are answered before others get their turn.
_ANSWERS = 8


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
        self._alone: list[tuple[Callable[[], object], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._commit_seconds = 0.0
        self.commits = Commits()
        self._loose: set[asyncio.Task[None]] = set()
        # Whether what is known of the file could not be read again after a write that failed.
        self._stale = False
        self.closed = False
        self.on_expiring: Callable[[], None] | None = None

    def submit(self, job: Callable[[GroupTxn], T]) -> asyncio.Future[T]:
        """Run `job` in the next group; its result once it is durable, or what it raised. One that
        is a generator is run step by step, with turns of others between, as one job."""
        if self.closed:
            raise Unavailable("the store is closing")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.append(_Job(job, done))
        if self._task is None:
            self._task = loop.create_task(self._drain())
        return done

    async def alone(self, work: Callable[[], object]) -> None:
        """Run `work` in a thread while no group is run or written."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._alone.append((work, done))
        if self._task is None:
            self._task = loop.create_task(self._drain())
        await done

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
            while self._queue or self._alone:
                while self._alone:
                    await _apart(*self._alone.pop(0))
                jobs, self._queue = self._queue[:_GROUP_JOBS], self._queue[_GROUP_JOBS:]
                if jobs:
                    await self._group(jobs)
        finally:
            self._task = None

    async def _group(self, jobs: list[_Job]) -> None:
        outbox = self._outbox
        try:
            if self._stale:
                self._reload()
            # From the first look on: within a transaction a look takes no locks of its own.
            self._begin()
        except Exception as error:
            self._failed(jobs, error)
            return
        txn = GroupTxn(self._indexes, self._clock, self._log.head(), outbox.head)
        try:
            ran = await self._ran(jobs, txn)
        except Exception as error:
            self._failed(jobs, error, txn)
            return
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
            else:
                self._connection.execute("COMMIT")
        except Exception as error:
            outbox.untaken(settled)
            self._log.untaken(moved)
            self._failed(ran, error, txn)
            return
        try:
            self._in_file(txn)
        except Exception:
            # It is durable, and whoever waits is told so; what is known of the file is read again.
            _logger.exception("what was written could not be told of")
            self._stale = True
        for answered, job in enumerate(ran, 1):
            if not job.done.done():
                job.done.set_result(job.result)
            if answered % _ANSWERS == 0:
                await asyncio.sleep(0)

    def _in_file(self, txn: GroupTxn) -> None:
        """Tell of a group that is in the file by now."""
        if self.trouble.error:
            self.trouble.over()
        # First: the next group numbers its changes and messages from there.
        self._log.committed(txn.head)
        if txn.messages:
            self._outbox.committed(txn.messages)
        self._indexes.in_file(txn.pending)
        if self._indexes.soonest is not None and self.on_expiring is not None:
            self.on_expiring()

    def _begin(self) -> None:
        """Begin the transaction of a group; SQLite ends it by itself where a look failed badly."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    async def _ran(self, jobs: list[_Job], txn: GroupTxn) -> list[_Job]:
        """Run jobs one by one; those that are part of the group. What is left when the group has
        enough goes back to the head of the queue."""
        ran: list[_Job] = []
        written: list[list[Written]] = []
        watch = self._outbox.watch
        # What is written is looked at as well within a turn.
        most = _TURN_SECONDS if watch is None else _TURN_SECONDS / 2
        busy, started = 0.0, time.perf_counter()
        for position, job in enumerate(jobs, 1):
            if job.done.cancelled():
                continue
            done = _run(job, txn)
            if done and type(job.result) is GeneratorType:
                done = await _stepped(job, txn)
            if done:
                ran.append(job)
                if watch is not None and txn.touched:
                    written.append(txn.written())
            if time.perf_counter() - started > most:
                self._look(txn, written)
                busy += time.perf_counter() - started
                if busy > _GROUP_SECONDS:
                    self._queue[:0] = jobs[position:]
                    break
                await asyncio.sleep(0)
                started = time.perf_counter()
        self._look(txn, written)
        return ran

    def _look(self, txn: GroupTxn, written: list[list[Written]]) -> None:
        """Have looked at what jobs wrote, of several at a time: the same code and data stay at hand
        so. An error of whoever looks never harms a write."""
        watch = self._outbox.watch
        if written and watch is not None:
            try:
                watch(txn, written)
            except Exception:
                _logger.exception("what was written could not be looked at")
        written.clear()

    async def _commit(self, txn: GroupTxn, moved: list[tuple[str, int]], settled: Settled) -> None:
        connection = self._connection
        self._begin()
        for sql, rows in txn.before_rows:
            connection.executemany(sql, rows)
        self._indexes.apply(txn.pending.values())
        connection.executemany("INSERT INTO change(seq, at, body) VALUES(?, ?, ?)", txn.log)
        if moved:
            connection.executemany("INSERT OR REPLACE INTO cursor(name, seq) VALUES(?, ?)", moved)
        for sql, rows in settled:
            connection.executemany(sql, rows)
        if txn.messages:
            connection.executemany(INSERT, [msgspec.structs.astuple(m) for m in txn.messages])
        # Last, for a job that deletes the owner of messages means those before it as well.
        for sql, args in txn.after_rows:
            connection.execute(sql, args)
        if self._commit_seconds > _SLOW_COMMIT_SECONDS:
            took = await _COMMITTING.run(_committed, connection)
        else:
            took = _committed(connection)
        self._commit_seconds += (took - self._commit_seconds) / 8

    def _failed(self, jobs: list[_Job], error: Exception, txn: GroupTxn | None = None) -> None:
        """Nothing of the group is in the file: say so to everyone who waited for it."""
        self.commits.failed += 1
        with contextlib.suppress(Exception):
            self._connection.execute("ROLLBACK")
        # One that is damaged may not even say what it holds.
        with contextlib.suppress(Exception):
            self._reload()
        problem: Problem = Unavailable("the write failed; the server's log says why")
        try:
            self._outbox.failed(txn)
            self.trouble.note(error)
            at_fault = storage_problem(error, self._path)
            if at_fault is None:
                _logger.error("a group of %d writes failed", len(jobs), exc_info=error)
            problem = at_fault or problem
        except Exception:  # nobody is to wait for ever because the reason cannot be told
            _logger.exception("a group of %d writes failed, and so did looking why", len(jobs))
        for job in jobs:
            if not job.done.done():
                job.done.set_exception(problem)

    def _reload(self) -> None:
        """Take for known what the file has, before anything is written on top of it."""
        self._stale = True
        self._indexes.reload()
        self._stale = False


def _committed(connection: Connection) -> float:
    """Commit; the seconds that it took, in a thread with the wait for the interpreter."""
    started = time.perf_counter()
    connection.execute("COMMIT")
    return time.perf_counter() - started


async def _apart(work: Callable[[], object], done: asyncio.Future[None]) -> None:
    try:
        await asyncio.to_thread(work)
    except Exception as error:
        if not done.done():
            done.set_exception(error)
    else:
        if not done.done():
            done.set_result(None)


def _run(job: _Job, txn: GroupTxn) -> bool:
    """Run one job in the group; False when it raised (its waiter has the error then)."""
    txn.begin()
    try:
        job.result = job.run(txn)
    except Exception as error:
        txn.rollback()
        job.done.set_exception(error)
        return False
    return True


async def _stepped(job: _Job, txn: GroupTxn) -> bool:
    """Go on with a job that is done in steps; False when it raised."""
    try:
        for _ in job.result:
            await asyncio.sleep(0)
    except Exception as error:
        txn.rollback()
        if not job.done.done():
            job.done.set_exception(error)
        return False
    job.result = None
    return True
