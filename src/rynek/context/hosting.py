"""The @context server of one tenant: add, list, serve, delete, reload (CIM 009 §5.13)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from hashlib import sha256
from typing import Any, Final

import msgspec

from rynek.base.clock import MICRO
from rynek.base.errors import BadRequestData, LdContextNotAvailable, Problem
from rynek.context.contexts import ContextResolver
from rynek.context.jsonld import CompiledContext
from rynek.context.kept import StoredContext
from rynek.context.store.contexts import StoredContexts

_logger = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 10.0
_SAVE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 60


class ContextServer:
    """What a tenant stores of @contexts, for clients who manage them.

    Uses are counted in memory and written down about once a minute. `keep_fresh` runs beside:
    cached documents whose time is over are asked for anew (§5.13.1, §6.3.16).
    """

    def __init__(self, stored: StoredContexts, resolver: ContextResolver) -> None:
        self._stored = stored
        self._resolver = resolver
        self._task: asyncio.Task[None] | None = None

    def list(self) -> list[StoredContext]:
        """All stored ones, in the order in which they came."""
        self._resolver.settle()
        return self._stored.list()

    def find(self, name: str) -> StoredContext | None:
        """One by its local id, the URL it is served at, or (cached) the URL it came from."""
        self._resolver.settle()
        return self._stored.find(name)

    def serve(self, entry: StoredContext) -> bytes:
        """The document of one that is served, counted as a use."""
        self._stored.used(entry.id, 1, time.time_ns() // 1000)
        return self._stored.content(entry)

    async def add(self, content: Any) -> StoredContext:
        """Host the value of an "@context" member (§5.13.2).

        BadRequestData when it is no @context. A remote part that cannot be had now is no error.
        """
        with contextlib.suppress(LdContextNotAvailable):
            await self._resolver.check(content)
        return await self._stored.host(_document(content))

    def refer(self, ld: CompiledContext) -> str:
        """The local id under which a context that is no single URL is served (§5.13.1:
        ImplicitlyCreated)."""
        return self._stored.imply(ld.id, lambda: _document(ld.link_value))

    def refer_to(self, source: Any) -> str:
        """The same for the value of an "@context" member as a client wrote it."""
        digest = sha256(msgspec.json.encode(source, order="deterministic")).hexdigest()[:32]
        return self._stored.imply(digest, lambda: _document(source))

    async def remove(self, entry: StoredContext) -> None:
        """Delete one (§5.13.5); the next use of its URL has to find it elsewhere."""
        await self._stored.remove(entry)
        self._resolver.forget(entry.url or entry.id)

    async def reload(self, entry: StoredContext) -> None:
        """Download a cached one anew; LdContextNotAvailable (and the old one stays) when it cannot
        be had or is no @context. BadRequestData for other kinds."""
        url = entry.url
        if url is None:
            raise BadRequestData(f"only Cached @contexts can be reloaded, this one is {entry.kind}")
        try:
            await self._refresh(url)
        except BadRequestData as problem:
            raise LdContextNotAvailable(problem.detail) from None

    async def _refresh(self, url: str) -> None:
        before = self._stored.get(url)
        body = await self._resolver.download(url, whole=True)
        if body != before:
            self._resolver.forget(url)

    def keep_fresh(self) -> None:
        """Begin to look after cached documents, once."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._look(), name="contexts")

    async def _look(self) -> None:
        saved = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._resolver.settle()
            await self.refresh_expired()
            if time.monotonic() - saved > _SAVE_SECONDS:
                self._stored.save()
                saved = time.monotonic()

    async def refresh_expired(self) -> None:
        """Ask for what is no longer fresh and was used since; forget the rest until its next use."""
        now = time.time_ns() // 1000
        for url, used in self._stored.expired(now):
            if not used:
                self._resolver.forget(url)
                continue
            try:
                await self._refresh(url)
            except Problem as problem:
                _logger.info("the @context %s is kept as it was: %s", url, problem.detail)
                self._stored.postpone(url, now + _RETRY_SECONDS * MICRO)

    async def close(self) -> None:
        """Write the counts down."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._resolver.settle()
        await self._stored.close()


def _document(content: Any) -> bytes:
    return msgspec.json.encode({"@context": content})
