"""The follower: reads the change log, keeps the newest rows in memory, writes the table.

The table's own application transaction is the cursor: rows and cursor commit together, so
a replay of the log doubles nothing. The log may be trimmed only up to what is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rynek.base.errors import Unavailable
from rynek.base.trouble import Trouble
from rynek.context import Change, ChangeLog

from . import runs as runs_file
from .decode import Run, SeriesKey, readings
from .following import FollowerSettings, FollowerState, NoRoom
from .freeing import free_later
from .lake import FOLLOWER, Lake
from .merge import Merger
from .overlay import Overlay
from .recent import Recent
from .schema import to_table_gently
from .setaside import SetAside, unwritable
from .tail import Tail, View, times_of

log = logging.getLogger(__name__)

CURSOR: Final = "history"
# Changes read at a time: a few hundred microseconds' work before others get their turn.
_PAGE = 100
_WAIT, _LONGEST_PAUSE = 1.0, 30.0
# Changes gather so long: a look costs as much as several. Who asks for the past has the log read.
_GATHER = 0.04
_FEED: Final = "feed:"


class Follower:
    """Follows one tenant's log into its table; `view()` after `drain()` is never behind."""

    def __init__(
        self,
        changes: ChangeLog,
        lake: Lake,
        settings: FollowerSettings,
        writer: ThreadPoolExecutor,
        overlay: Overlay,
        merger: Merger,
        upkeep: Callable[[], None],
        ahead: Callable[[], dict[str, int]],
    ) -> None:
        self._changes = changes
        self._lake = lake
        self._settings = settings
        self._writer = writer
        self._overlay = overlay
        self._merger = merger
        self._upkeep = upkeep
        self._ahead = ahead
        self._runs_path = Path(lake.folder).parent / "runs.msgpack"
        self._runs: dict[SeriesKey, Run] = {}
        self._flushing: Tail | None = None
        self._tail = Tail(0)
        self._table_seq = 0
        self._runs_saved = 0
        self._drain_lock = asyncio.Lock()
        self._flush_lock = asyncio.Lock()
        self._ready = asyncio.Event()
        self._stopping = False
        city = self._runs_path.parent.parent.name
        self._writing, self._opening, self._keeping = (
            Trouble(f"history of {city}: {what}", log, shortest=_WAIT, longest=_LONGEST_PAUSE)
            for what in ("writing", "opening", "upkeep")
        )
        self._keep_after = 0.0
        self._behind_since: float | None = None
        self.aside = SetAside(self._runs_path.parent)
        self._task: asyncio.Task[None] | None = None
        self._muted_above: int | None = None
        self._origin = 0
        self.recent = Recent(settings.recent_rows)
        self.lost = 0
        self._flushes = self._flushed_rows = 0
        self._last_flush = 0.0

    async def start(self) -> None:
        """Begin following in the background, once; opening the table happens in a thread."""
        if self._task is not None:
            return
        if self._changes.cursor(CURSOR) is None:
            self._origin = max(0, self._changes.oldest() - 1)
            self._changes.pin(CURSOR, self._origin)
        self._task = asyncio.create_task(self._run(), name="history-follower")

    async def stop(self) -> None:
        """Write what is left and end; raises what the last write raised, or Unavailable where the
        table cannot be opened."""
        if self._task is None:
            return
        try:
            await self.ready()
        finally:
            # The flag too: a cancellation that meets a finished wait is lost.
            self._stopping = True
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.drain()
        await self.flush(save_runs=True)

    async def ready(self) -> None:
        """Wait until the table is open; Unavailable when that failed (it is tried again)."""
        while not self._ready.is_set():
            if self._task is None:
                await self._begun()
            elif self._task.done():
                raise Unavailable("The history is not running")
            if self._opening.error:
                raise Unavailable(f"The history cannot be opened: {self._opening.error}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), _WAIT / 4)

    async def _begun(self) -> None:
        """Wait a little for `start`: a tenant starts in the background with its first request."""
        for _ in range(100):
            if self._task is not None:
                return
            await asyncio.sleep(0.02)
        raise Unavailable("The history is not running")

    def mute(self, after: int | None = None) -> None:
        """Pass over what feeds changed after a seq (default: now): it is read and makes no rows."""
        if self._muted_above is None:
            self._muted_above = self._changes.head() if after is None else after

    def run_of(self, key: SeriesKey) -> Run | None:
        """The open run of a series: how often its newest value was seen again."""
        return self._runs.get(key)

    @property
    def seq(self) -> int:
        """The last change that was read."""
        return self._tail.seq

    def lag(self) -> int:
        """How many changes of the log were not read yet."""
        return max(0, self._changes.head() - self._tail.seq)

    def state(self) -> FollowerState:
        """How it goes; never waits."""
        now = time.monotonic()
        held = len(self._tail.rows) + (len(self._flushing.rows) if self._flushing else 0)
        wrong = self._writing if self._ready.is_set() else self._opening
        return FollowerState(
            is_open=self._ready.is_set(),
            unread=self.lag(),
            pending=held,
            behind_seconds=0.0 if self._behind_since is None else now - self._behind_since,
            error=wrong.error,
            failing_seconds=wrong.seconds,
            upkeep_error=self._keeping.error,
            upkeep_failing_seconds=self._keeping.seconds,
            set_aside=len(self.aside),
            lost=self.lost,
            flushes=self._flushes,
            failures=self._writing.times + self._opening.times,
            flushed_rows=self._flushed_rows,
            last_flush_seconds=self._last_flush,
        )

    def view(self) -> View:
        """The table's newest snapshot, the rows above it, and the overlay."""
        # In this order: what a merge takes from the overlay is in the table by then.
        amended = self._overlay.frozen()
        snapshot, flushing = self._lake.snapshot, self._flushing
        seq = snapshot.seq
        above = tuple(t.above(seq) for t in (flushing, self._tail) if t and t.seq > seq)
        landed = () if flushing is None else (flushing.up_to(seq),)
        return View(snapshot, above, amended, landed)

    async def drain(self) -> None:
        """Read the log up to its present head."""
        await self.ready()
        target = self._changes.head()
        async with self._drain_lock:
            while self._tail.seq < target:
                await self._make_room()
                changes = self._changes.read(self._tail.seq, _PAGE)
                if not changes:
                    # Numbers that no row has: a log that began above them, or is all trimmed.
                    self._tail.extend((), target)
                    break
                self._note_gap(changes[0].seq)
                for change in changes:
                    self._take(change)
                await asyncio.sleep(0)

    def _take(self, change: Change) -> None:
        muted = self._muted_above is not None and change.seq > self._muted_above
        if muted and (change.source or "").startswith(_FEED):
            self._tail.extend((), change.seq)
            return
        if len(change.types) > 1 or change.entity_id in self._overlay.known:
            self._overlay.note_types(change.entity_id, change.types)
        try:
            rows = readings(change, self._runs)
        except Exception as error:
            log.exception("history: change %d of %s is set aside", change.seq, change.entity_id)
            self.aside.change(change, f"{type(error).__name__}: {error}")
            rows = []
        if rows and self._behind_since is None:
            self._behind_since = time.monotonic()
        if change.seq <= self._table_seq:
            rows = []
        self._tail.add(change.entity_id, rows, change.seq)

    async def _make_room(self) -> None:
        """Write where so many rows wait that no more may be read; NoRoom when that fails."""
        held = len(self._tail.rows) + (len(self._flushing.rows) if self._flushing else 0)
        if held < self._settings.max_rows:
            return
        if self._writing.error:
            raise NoRoom(f"The history cannot be written: {self._writing.error}")
        try:
            await self.flush()
        except Exception as error:
            raise NoRoom(f"The history cannot be written: {error}") from error

    def _note_gap(self, first: int) -> None:
        if first == self._tail.seq + 1:
            return
        missing = self._changes.oldest() - self._tail.seq - 1
        if missing > 0:
            self.lost += missing
            log.warning("history: %d changes left the log before they were read", missing)

    async def flush(self, *, save_runs: bool = False) -> None:
        """Write the tail to the table, durably, and let the log go up to there."""
        async with self._flush_lock:
            tail = self._tail
            data = runs_file.encode(tail.seq, self._runs) if save_runs else None
            if tail.rows:
                self._flushing, self._tail = tail, Tail(tail.seq)
                await self._write(tail)
            if data is not None:
                if tail.seq > self._lake.snapshot.seq:
                    await self._in_thread(lambda: self._append_rest(tail))
                await self._in_thread(lambda: runs_file.save(self._runs_path, data))
                await self._in_thread(self._overlay.save_known)
                await self._in_thread(self._lake.settle)
                self._runs_saved = tail.seq
                self._changes.acknowledge(CURSOR, tail.seq)

    async def _write(self, tail: Tail) -> None:
        since = time.monotonic()
        try:
            await self._in_thread(lambda: self._append(tail))
        finally:
            # The snapshot says what is in the table, whatever interrupted the wait.
            seq = self._table_seq = self._lake.snapshot.seq
            free_later(self.recent.keep(tail.up_to(seq)), self._writer)
            if seq < tail.seq:
                self._tail = tail.above(seq).before(self._tail)
            else:
                self._flushes += 1
                self._flushed_rows += len(tail.rows)
                self._last_flush = time.monotonic() - since
                self._behind_since = since if self._tail.rows else None
            self._flushing = None

    def _append(self, tail: Tail) -> None:
        """Write the rows; those that no file can hold are set aside first, and leave the tail."""
        tail.times = times_of(tail.rows)
        try:
            self._append_rest(tail)
        except Exception:
            bad = unwritable(tail.rows) if self._lake.snapshot.seq < tail.seq else []
            if not bad:
                raise
            for row, fault in bad:
                log.error(  # noqa: TRY400 - the fault is the row's, not the code's
                    "history: a reading of %s, change %d, is set aside: %s",
                    row.entity_id, row.seq, fault,
                )  # fmt: skip
            self.aside.rows(bad)
            tail.remove(row for row, _ in bad)
            self._append_rest(tail)

    def _append_rest(self, tail: Tail) -> None:
        # A commit that seemed to have failed may have brought some of the rows.
        held = self._lake.renew().seq
        rows = tail.above(held).rows
        if rows:
            self._lake.append(to_table_gently(rows), {FOLLOWER: tail.seq})
        elif held < tail.seq:
            self._lake.mark(tail.seq)

    async def _in_thread(self, work: Callable[[], object]) -> None:
        # Shielded: a cancelled task must not leave a commit running that nobody accounts for.
        future = asyncio.get_running_loop().run_in_executor(self._writer, work)
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})
            raise

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        snapshot = await loop.run_in_executor(self._writer, self._lake.open)
        if snapshot.seq < self._origin:
            # Before the cursor is kept: a process that comes after a kill knows of no origin.
            snapshot = await loop.run_in_executor(self._writer, self._lake.mark, self._origin)
        await loop.run_in_executor(self._writer, self._overlay.open, snapshot.merged)
        saved = await loop.run_in_executor(self._writer, runs_file.load, self._runs_path)
        head = self._changes.head()
        if snapshot.seq > head:
            # A backup of the state was restored under a newer history: keep what was recorded
            # and go on from the log that is there.
            log.warning("history: table is at %d, log at %d; following on", snapshot.seq, head)
            # Corrections name changes by numbers that are now given out again.
            await loop.run_in_executor(self._writer, self._merger.run)
            reset = await loop.run_in_executor(self._writer, self._lake.mark, head)
            snapshot, saved = reset, None
        start = self._table_seq = snapshot.seq
        if saved is not None and saved[0] <= snapshot.seq:
            start, self._runs = saved
        acknowledged = self._changes.cursor(CURSOR) or 0
        self._changes.acknowledge(CURSOR, acknowledged)  # it may only be pinned
        if snapshot.seq < min(acknowledged, head):
            log.error(
                "history: the table is at change %d and was at %d: a commit is gone; what the"
                " change log still has is written again", snapshot.seq, acknowledged,
            )  # fmt: skip
        self._tail = Tail(max(start, self._origin))
        later = await loop.run_in_executor(self._writer, self._ahead)
        newest = max((part.max_time for part in self._lake.snapshot.parts()), default=0)
        self.recent.begin(self._table_seq, min(newest, _now()), later)
        for entity_id in self._overlay.frozen():
            self.recent.corrected(entity_id, head)
        self._ready.set()

    async def _opened(self) -> None:
        """Open the table, however often that takes: what makes it fail may be put right."""
        while not self._stopping:
            try:
                await self._open()
            except Exception as error:
                await asyncio.sleep(self._opening.note(error))
            else:
                self._opening.over()
                return

    async def _run(self) -> None:
        await self._opened()
        flushed = saved = time.monotonic()
        while not self._stopping:
            await self._changes.wait(self._tail.seq, _WAIT)
            if 0 < self.lag() < _PAGE:
                await asyncio.sleep(_GATHER)
            try:
                # With no room for more rows, writing is what makes room.
                with contextlib.suppress(NoRoom):
                    await self.drain()
                now = time.monotonic()
                due = now - flushed >= self._settings.flush_seconds
                if not due and not self._is_full():
                    continue
                save = now - saved >= self._settings.runs_seconds
                await self.flush(save_runs=save and self._tail.seq > self._runs_saved)
                flushed, saved = now, now if save else saved
                self._writing.over()
            except Exception as error:
                await asyncio.sleep(self._writing.note(error))
            else:
                await self._keep_up()

    def _is_full(self) -> bool:
        return len(self._tail.rows) >= min(self._settings.flush_rows, self._settings.max_rows)

    async def _keep_up(self) -> None:
        """Upkeep of the table; what fails in it holds up no writing."""
        if time.monotonic() < self._keep_after:
            return
        try:
            await self._in_thread(self._upkeep)
        except Exception as error:
            self._keep_after = time.monotonic() + self._keeping.note(error)
        else:
            self._keeping.over()


def _now() -> int:
    return time.time_ns() // 1000
