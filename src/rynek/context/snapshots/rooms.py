"""The opened rooms of snapshots: shared by who uses them, kept a while for whoever comes next."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from rynek.base.errors import ResourceNotFound
from rynek.context.live import Context
from rynek.context.snapshots.document import Snapshot

__all__ = ["Rooms", "Scope"]

_logger = logging.getLogger(__name__)


class Scope(Protocol):
    """What operations inside a snapshot work on: the rooms of a tenant over its folder."""

    @property
    def context(self) -> Context:
        """Its entities."""
        ...

    @property
    def history(self) -> Any:
        """Its past."""
        ...

    @property
    def busy(self) -> bool:
        """Whether it has to stay open though nobody asks: it has subscriptions."""
        ...

    async def start(self) -> None:
        """Open it."""
        ...

    async def stop(self) -> None:
        """Close it."""
        ...


class _Opened:
    """A scope in use: by how many, and since when by nobody."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.users = 0
        self.idle_since = 0.0
        self.unused = asyncio.Event()
        # Set once it is being closed, itself set when it is: one folder is never open twice.
        self.closed: asyncio.Event | None = None
        self.deleted = False
        # Begun by the first user and awaited by all: it goes on when that one is cancelled.
        self.starting = asyncio.ensure_future(scope.start())


class Rooms:
    """One scope a snapshot's key, made by `open_scope`, closed after `idle` seconds of no use."""

    def __init__(self, open_scope: Callable[[Snapshot], Scope], idle: float) -> None:
        self._open_scope = open_scope
        self._idle = idle
        self._opened: dict[str, _Opened] = {}

    @contextlib.asynccontextmanager
    async def using(self, one: Snapshot) -> AsyncIterator[Scope]:
        """The scope of a snapshot, started, which is not closed before it is given back."""
        while (found := self._opened.get(one.key)) is not None and found.closed is not None:
            await found.closed.wait()
            if found.deleted:
                raise ResourceNotFound(f"no snapshot {one.id[:200]}")
        if found is None:
            found = self._opened[one.key] = _Opened(self._open_scope(one))
        found.users += 1
        found.unused.clear()
        try:
            await asyncio.shield(found.starting)
            yield found.scope
        finally:
            found.users -= 1
            found.idle_since = asyncio.get_running_loop().time()
            if not found.users:
                found.unused.set()
                if _failed(found.starting):
                    await self._shut(one.key, found)

    def used(self, key: str) -> bool:
        """Whether somebody works in the scope of that key right now."""
        found = self._opened.get(key)
        return found is not None and found.users > 0

    async def close(self, key: str) -> None:
        """Close a scope once nobody uses it any more; nobody new may come."""
        found = self._opened.get(key)
        if found is None:
            return
        found.deleted = True
        while found.users:
            await found.unused.wait()
        await self._shut(key, found)

    async def close_idle(self) -> None:
        """Close the scopes that nobody has used for a while."""
        limit = asyncio.get_running_loop().time() - self._idle
        for key, found in list(self._opened.items()):
            idle = not found.users and found.starting.done() and found.idle_since <= limit
            if idle and not found.scope.busy:
                await self._shut(key, found)

    async def close_all(self) -> None:
        """Close every scope, whoever uses it."""
        for key, found in list(self._opened.items()):
            await self._shut(key, found)

    async def _shut(self, key: str, found: _Opened) -> None:
        """Close one; whoever wants it meanwhile waits, and opens it anew."""
        if found.closed is not None:
            await found.closed.wait()
            return
        found.closed = asyncio.Event()
        try:
            await _close(found)
        finally:
            if self._opened.get(key) is found:
                del self._opened[key]
            found.closed.set()


def _failed(starting: asyncio.Future[None]) -> bool:
    return starting.done() and (starting.cancelled() or starting.exception() is not None)


async def _close(found: _Opened) -> None:
    """Stop a scope, also one that did not start well."""
    with contextlib.suppress(Exception):
        await found.starting
    try:
        await found.scope.stop()
    except Exception:
        _logger.exception("a snapshot did not close well")
