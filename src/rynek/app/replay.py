"""A tenant's replay: where it is, so that a restart goes on there, and what its feeds wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rynek.base.folder import write_atomically
from rynek.base.typed import decode
from rynek.context import Txn
from rynek.context.operations import IngestReport
from rynek.feeds import ReplayOptions, WriteReport

if TYPE_CHECKING:
    from rynek.app.tenant import Tenant

__all__ = ["ContextSink", "ReplayState"]

_RESET_BATCH: Final = 500
_RESUME_FILE: Final = "replay.json"
_RESUME_SECONDS: Final = 5.0
_REPLAY: Final = "replay:"

Ingest = Callable[[Sequence[dict[str, Any]], str], Awaitable[IngestReport]]


class _Resume(msgspec.Struct):
    """Where a replay was when it was last seen: recording time, and the change after which its
    feeds write no history because it had begun anew (None in the first round)."""

    at: int
    muted_after: int | None = None


class ReplayState:
    """What is remembered of a tenant's replay; without one it does nothing."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._file = tenant.folder / _RESUME_FILE
        self._resume = _read_resume(self._file)
        self._saver: asyncio.Task[None] | None = None
        self._written: set[str] = set()

    def options(self, given: ReplayOptions | None) -> ReplayOptions | None:
        """`given`, going on where the replay was."""
        if self._resume is None:
            return given
        return msgspec.structs.replace(given or ReplayOptions(), resume=self._resume.at)

    def start(self) -> None:
        """Write down every few seconds where the replay is."""
        if self._resume is not None and self._resume.muted_after is not None:
            self._tenant.history.mute(self._resume.muted_after)
        name = f"replay of {self._tenant.name}"
        self._saver = asyncio.get_running_loop().create_task(self._remember(), name=name)

    async def stop(self) -> None:
        """Write it down for the last time."""
        if self._saver is not None:
            self._saver.cancel()
            await asyncio.gather(self._saver, return_exceptions=True)
            self._save()

    def note_written(self, documents: Sequence[dict[str, Any]], source: str) -> None:
        """Remember what a replayed feed wrote: the next round begins without it."""
        if source in self._feeds:
            self._written.update(document["id"] for document in documents)

    @cached_property
    def _feeds(self) -> frozenset[str]:
        configs = self._tenant.feeds.configs()
        return frozenset(f"feed:{c.name}" for c in configs if c.source.startswith(_REPLAY))

    async def _remember(self) -> None:
        while True:
            await asyncio.sleep(_RESUME_SECONDS)
            self._save()

    def _save(self) -> None:
        muted = None if self._resume is None else self._resume.muted_after
        self._resume = _Resume(self._tenant.clock.now(), muted)
        write_atomically(self._file, msgspec.json.encode(self._resume))

    async def begin_round(self, number: int) -> None:
        """A replay that begins anew starts from an empty picture and keeps no second history.

        Only what its feeds wrote is taken away, not what people or other feeds did.
        """
        if number == 0:
            return
        tenant = self._tenant
        if self._resume is None or self._resume.muted_after is None:
            self._resume = _Resume(tenant.clock.now(), tenant.context.changes.head())
        tenant.history.mute(self._resume.muted_after)
        self._save()
        gone = sorted(self._written)
        self._written.clear()
        for first in range(0, len(gone), _RESET_BATCH):
            batch = gone[first : first + _RESET_BATCH]
            await tenant.context.write(partial(_remove, ids=batch))


class ContextSink:
    """`feeds.Sink` onto the tenant's one way in."""

    def __init__(self, ingest: Ingest, replay: ReplayState) -> None:
        self._ingest = ingest
        self._replay = replay

    async def write(self, documents: Sequence[dict[str, Any]], source: str) -> WriteReport:
        """Upsert what a feed says; returns after the commit."""
        self._replay.note_written(documents, source)
        done = await self._ingest(documents, source)
        return WriteReport(
            created=done.created,
            updated=done.updated,
            observed=done.observed,
            unchanged=done.unchanged + done.late,
            rejected=done.rejected,
        )


def _remove(txn: Txn, ids: Sequence[str]) -> None:
    for entity_id in ids:
        entity = txn.get(entity_id)
        if entity is not None:
            txn.remove(entity, source="feed:replay")


def _read_resume(path: Path) -> _Resume | None:
    """Where the replay was; None at the first start or when the file cannot be used."""
    try:
        return decode(path.read_bytes(), _Resume)
    except (OSError, msgspec.MsgspecError):
        return None
