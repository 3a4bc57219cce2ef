"""The snapshots of one tenant: kept, opened, closed when idle, removed when over or in the way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from rynek.base.clock import MICRO
from rynek.base.errors import AlreadyExists, Forbidden, Problem, ResourceNotFound, Unavailable
from rynek.base.typed import decoder
from rynek.context.live import Context
from rynek.context.snapshots.document import Snapshot, failed
from rynek.context.snapshots.notices import SnapshotNotices
from rynek.context.snapshots.rooms import Rooms, Scope
from rynek.context.store.contract import Txn

_KIND: Final = "snapshot"
_GONE: Final = ".gone-"
_TICK_SECONDS: Final = 5.0
_USE_SAVED_SECONDS: Final = 10.0
# Each copies up to all of a city, a piece a turn of the event loop: many at once leave others none.
_FILLED_AT_ONCE: Final = 2
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = decoder(Snapshot).decode
_logger = logging.getLogger(__name__)


class SnapshotLimits(msgspec.Struct, frozen=True):
    """Bounds of one tenant's snapshots: how many, how many entities and readings in each, how long
    they live unless asked otherwise and at the longest, and after what time without use one is
    closed (it stays on disk)."""

    most: int = 20
    max_entities: int = 100_000
    max_readings: int = 1_000_000
    lifetime: float = 86_400.0
    max_lifetime: float = 604_800.0
    idle: float = 60.0


class Snapshots:
    """Snapshots as the API sees them. `open_scope` makes the rooms over a snapshot's folder."""

    def __init__(
        self,
        context: Context,
        folder: Path,
        open_scope: Callable[[Path, Snapshot], Scope],
        notices: SnapshotNotices,
        limits: SnapshotLimits,
    ) -> None:
        self._context = context
        self._folder = folder
        self._rooms = Rooms(lambda one: open_scope(folder / one.key, one), limits.idle)
        self._notices = notices
        self.limits = limits
        self._tasks: set[asyncio.Task[None]] = set()
        self._filling: dict[str, asyncio.Task[None]] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._saved_use: dict[str, int] = {}
        self._making = asyncio.Lock()
        self._turns = asyncio.Semaphore(_FILLED_AT_ONCE)
        self._all = {
            one.id: one for one in (_decode(body) for _, body in self._documents()) if self._is(one)
        }

    def _documents(self) -> list[tuple[str, bytes]]:
        return self._context.store.documents.list(_KIND)

    def _is(self, one: Snapshot) -> bool:
        """Whether a kept snapshot has its data (a backup has none)."""
        return one.status == "preparing" or (self._folder / one.key).is_dir()

    async def start(self) -> None:
        """Take up what a former process left: notifications on their way, snapshots that were being
        prepared (they failed), folders of those that are gone."""
        kept = {one for one, _ in self._documents()}
        for lost in kept - self._all.keys():
            await self._context.store.write(partial(_forget, snapshot_id=lost))
        await asyncio.to_thread(self._sweep, {one.key for one in self._all.values()})
        for one in list(self._all.values()):
            self._notices.follow(one)
            if one.status == "preparing":
                await self.finish(one, _interrupted(one))
        if self._all:
            self._tick()

    def _sweep(self, keys: set[str]) -> None:
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in keys:
                    shutil.rmtree(path, ignore_errors=True)

    async def stop(self) -> None:
        """Close every snapshot; what is being prepared will have failed."""
        tasks = [*self._tasks, *([self._ticker] if self._ticker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._ticker = None
        await self._rooms.close_all()

    def all(self) -> list[Snapshot]:
        """Every snapshot that is not over, in the order in which they were made."""
        now = self._context.clock.now()
        return [one for one in self._all.values() if one.expires_at > now]

    def get(self, snapshot_id: str) -> Snapshot:
        """A snapshot that is not over; ResourceNotFound otherwise."""
        found = self._all.get(snapshot_id)
        if found is None or found.expires_at <= self._context.clock.now():
            raise ResourceNotFound(f"no snapshot {snapshot_id[:200]}")
        return found

    async def create(self, one: Snapshot, fill: Callable[[Snapshot], Awaitable[Snapshot]]) -> None:
        """Keep a new snapshot and have it filled in the background; `fill` returns it with its
        status. AlreadyExists, Forbidden when there are too many of higher priority."""
        # One at a time: two that make room at once would choose the same to go.
        async with self._making:
            self._known_id(one)
            for gone in self._in_the_way(one):
                with contextlib.suppress(ResourceNotFound):
                    await self.delete(gone.id)
            self._known_id(one)
            self._all[one.id] = one
            try:
                await self._save(one)
            except BaseException:
                self._all.pop(one.id, None)
                raise
            if one.id not in self._all:
                return  # deleted while it was being kept
            self._notices.follow(one)
            filling = self._filling[one.key] = self.later(self._fill(one, fill))
            filling.add_done_callback(lambda _: self._filling.pop(one.key, None))
            self._tick()

    def _known_id(self, one: Snapshot) -> None:
        if one.id in self._all:
            raise AlreadyExists(f"there is a snapshot {one.id} already")

    def _in_the_way(self, one: Snapshot) -> list[Snapshot]:
        """Those that are over, and as many of low priority as have to make room (§5.5.15)."""
        now = self._context.clock.now()
        over = [other for other in self._all.values() if other.expires_at <= now]
        left = [other for other in self._all.values() if other.expires_at > now]
        left.sort(key=lambda other: (other.priority, other.last_used_at))
        many = max(len(left) + 1 - self.limits.most, 0)
        if any(other.priority > one.priority for other in left[:many]):
            raise Forbidden(f"there are {len(left)} snapshots of higher priority, no more fit")
        return over + left[:many]

    async def _fill(self, one: Snapshot, fill: Callable[[Snapshot], Awaitable[Snapshot]]) -> None:
        try:
            async with self._turns:
                done = await fill(one)
        except asyncio.CancelledError:
            raise
        except Problem as problem:
            _logger.warning("snapshot %s failed: %s", one.id, problem.detail)
            done = msgspec.structs.replace(one, status="failure")
        except Exception:
            _logger.exception("snapshot %s failed", one.id)
            done = msgspec.structs.replace(one, status="failure")
        kept = self._all.get(one.id)
        if kept is not None and kept.key == one.key:
            await self.finish(kept, done)

    async def finish(self, now_kept: Snapshot, done: Snapshot) -> None:
        """Keep what became of the queries, and tell the endpoint (§5.16.6)."""
        kept = msgspec.structs.replace(
            now_kept,
            status=done.status,
            details=done.details,
            temporal_details=done.temporal_details,
            queries=done.queries,
            temporal_queries=done.temporal_queries,
            modified_at=self._context.clock.now(),
        )
        self._all[kept.id] = kept
        await self._save(kept, tell=True)

    async def update(self, one: Snapshot) -> Snapshot:
        """Keep a changed snapshot and tell its endpoint (§5.16.4)."""
        self.get(one.id)
        self._all[one.id] = one
        await self._save(one, tell=True)
        self._notices.follow(one)
        return one

    async def delete(self, snapshot_id: str) -> None:
        """Delete a snapshot with its data; its endpoint is told. ResourceNotFound."""
        one = self._all.pop(snapshot_id, None)
        if one is None:
            raise ResourceNotFound(f"no snapshot {snapshot_id[:200]}")
        now = self._context.clock.now()
        one.expires_at = min(one.expires_at, now)
        self._saved_use.pop(snapshot_id, None)

        def job(txn: Txn) -> None:
            txn.forget(_KIND, snapshot_id)
            self._notices.tell(txn, one, now + 1)

        await self._context.store.write(job)
        filling = self._filling.get(one.key)
        if filling is not None:
            filling.cancel()
        if filling is not None or self._rooms.used(one.key):
            # Who works in it (a request, a clone that is made of it) comes to an end first.
            self.later(self._clear(one.key, filling))
        else:
            await self._clear(one.key, None)
        if one.endpoint is not None:
            self.later(self._take_leave(one))

    async def _clear(self, key: str, filling: asyncio.Task[None] | None) -> None:
        """Close a snapshot that is no longer kept, and take its files away."""
        if filling is not None:
            await asyncio.gather(filling, return_exceptions=True)
        await self._rooms.close(key)
        await asyncio.to_thread(self._remove, key)

    def _remove(self, key: str) -> None:
        """The folder goes at once for whoever looks, its files after that."""
        path = self._folder / key
        if path.is_dir():
            gone = path.with_name(_GONE + key)
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    async def _take_leave(self, one: Snapshot) -> None:
        """Give the last notification some time to be delivered."""
        try:
            await asyncio.sleep(30.0)
        finally:
            if one.id not in self._all:
                await self._notices.close(one.id)
                with contextlib.suppress(Unavailable):
                    await self._context.store.write(lambda txn: self._notices.forget(txn, one.id))

    @contextlib.asynccontextmanager
    async def using(self, snapshot_id: str) -> AsyncIterator[Scope]:
        """The rooms of a snapshot, for one operation. ResourceNotFound."""
        one = self.get(snapshot_id)
        one.last_used_at = self._context.clock.now()
        self._note_use(one)
        async with self.opened(one) as scope:
            yield scope

    def opened(self, one: Snapshot) -> AbstractAsyncContextManager[Scope]:
        """The rooms of a snapshot; they stay open a while for whoever comes next."""
        return self._rooms.using(one)

    def _note_use(self, one: Snapshot) -> None:
        """Keep the time of the last use now and then."""
        if one.last_used_at - self._saved_use.get(one.id, 0) > _USE_SAVED_SECONDS * MICRO:
            self._saved_use[one.id] = one.last_used_at
            self.later(self._save(one))

    async def _save(self, one: Snapshot, *, tell: bool = False) -> None:
        def job(txn: Txn) -> None:
            # What is kept is how it is now: a later change may already have been written.
            kept = self._all.get(one.id)
            if kept is not None:
                txn.keep(_KIND, one.id, _encode(kept))
                if tell:
                    self._notices.tell(txn, one, txn.now)

        await self._context.store.write(job)

    def later(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Run in the background until the service stops."""

        async def run() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except Exception:
                _logger.exception("work on a snapshot failed")

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _tick(self) -> None:
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._look_after())

    async def _look_after(self) -> None:
        """Close who is idle, delete who is over."""
        while True:
            await asyncio.sleep(min(_TICK_SECONDS, self.limits.idle))
            try:
                now = self._context.clock.now()
                for one in [one for one in self._all.values() if one.expires_at <= now]:
                    await self.delete(one.id)
                await self._rooms.close_idle()
            except Exception as error:
                _logger.warning("upkeep of snapshots failed, it goes on: %s", error)


def _forget(txn: Txn, *, snapshot_id: str) -> None:
    txn.forget(_KIND, snapshot_id)


def _interrupted(one: Snapshot) -> Snapshot:
    """A snapshot whose preparation ended with the process."""
    detail = failed(Unavailable("the service was stopped while it was prepared"))
    return msgspec.structs.replace(
        one,
        status="failure",
        details=[detail for _ in one.queries or ()],
        temporal_details=[detail for _ in one.temporal_queries or ()],
    )
