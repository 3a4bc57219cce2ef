"""From what a client names as its @context to a compiled one (CIM 009 §5.5.7, §6.3.5).

Remote contexts are fetched once through the outgoing guard, kept in the tenant's store, and compiled
contexts are remembered, so that the hot path is one look-up by URL.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any, Final, Protocol
from urllib.parse import urljoin

import msgspec

from rynek.base.errors import BadRequestData, LdContextNotAvailable, OutgoingRefused
from rynek.base.http import Guard
from rynek.context.jsonld import CompiledContext, compile_context, core_context, is_core_url

__all__ = ["ContextCache", "ContextResolver", "Spec"]

Spec = str | dict[str, Any] | list[Any] | None
MAX_DEPTH: Final = 10
MAX_PARTS: Final = 50
MAX_BYTES: Final = 1 << 20
MAX_INLINE: Final = 1 << 20
FETCH_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 30.0
MEMORY: Final = 512
_ACCEPT: Final = {"Accept": "application/ld+json, application/json;q=0.9, */*;q=0.1"}


class ContextCache(Protocol):
    """Where documents of remote contexts are kept; a missing URL is None, put replaces."""

    def get(self, url: str) -> bytes | None:
        """The stored document of `url`, or None."""
        ...

    def put(self, url: str, body: bytes) -> None:
        """Store the document of `url`."""
        ...


class ContextResolver:
    """Resolves @contexts for one tenant; `default` are the URLs of the city's own user context.

    What no one asked for again falls out of memory first; the store keeps the documents.
    """

    def __init__(self, store: ContextCache, guard: Guard, default: list[str] | None = None) -> None:
        self._store = store
        self._guard = guard
        self._default: Spec = list(default) if default else None
        self._compiled: OrderedDict[str | bytes, CompiledContext] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[bytes]] = {}
        self._failed: dict[str, tuple[float, str]] = {}

    @property
    def default(self) -> Spec:
        """What counts when a client names no @context."""
        return self._default

    def resolve_cached(self, spec: Spec) -> CompiledContext | None:
        """The compiled context when nothing has to be fetched or compiled; None otherwise."""
        if spec is None:
            if self._default is None:
                return core_context()
            spec = self._default
        return self._compiled.get(spec if type(spec) is str else _key(spec))

    async def resolve(self, spec: Spec) -> CompiledContext:
        """The compiled context of a URL, an object, an array of both, or None for the default.

        BadRequestData when the content is no legal @context, LdContextNotAvailable when a remote
        one cannot be had.
        """
        if spec is None:
            spec = self._default
        compiled = self.resolve_cached(spec)
        if compiled is not None:
            return compiled
        source = _source(spec)
        if source is None:
            compiled = core_context()
        else:
            parts: list[dict[str, Any] | None] = []
            await self._flatten(source, parts, (), None)
            compiled = compile_context(parts, source)
        self._remember(spec, compiled)
        return compiled

    def by_id(self, digest: str) -> CompiledContext | None:
        """A compiled context that is still in memory, by its id."""
        return next((one for one in self._compiled.values() if one.id == digest), None)

    def forget(self, url: str | None = None) -> None:
        """Drop compiled contexts, all of them or those whose spec names `url`."""
        self._failed.clear()
        for key, compiled in list(self._compiled.items()):
            if url is None or url in _urls(compiled.link_value):
                del self._compiled[key]

    def _remember(self, spec: Spec, compiled: CompiledContext) -> None:
        key = spec if isinstance(spec, str) else _key(spec)
        self._compiled[key] = compiled
        self._compiled.move_to_end(key)
        while len(self._compiled) > MEMORY:
            self._compiled.popitem(last=False)

    async def _flatten(
        self,
        spec: Any,
        parts: list[dict[str, Any] | None],
        chain: tuple[str, ...],
        base: str | None,
    ) -> None:
        """Append the local contexts behind `spec` to `parts`, in order."""
        if len(parts) >= MAX_PARTS or len(chain) > MAX_DEPTH:
            raise BadRequestData("the @context nests too deep or has too many parts")
        if isinstance(spec, str):
            url = urljoin(base, spec) if base else spec
            if is_core_url(url):
                return
            if url in chain:
                raise BadRequestData(f"the @context {url[:200]} refers to itself")
            await self._flatten(await self._document(url), parts, (*chain, url), url)
        elif isinstance(spec, list):
            if len(spec) > MAX_PARTS:
                raise BadRequestData(f"an @context of more than {MAX_PARTS} parts")
            for part in spec:
                await self._flatten(part, parts, (*chain, ""), base)
        elif isinstance(spec, dict):
            parts.append(await self._imported(spec, chain, base))
        elif spec is None:
            parts.append(None)
        else:
            raise BadRequestData("an @context is a URL, an object, or an array of these")

    async def _imported(
        self, local: dict[str, Any], chain: tuple[str, ...], base: str | None
    ) -> dict[str, Any]:
        """The local context with its @import merged below it (JSON-LD 1.1 API §4.1, step 5.6)."""
        if "@context" in local and len(local) == 1 and isinstance(local["@context"], dict):
            local = local["@context"]
        if "@import" not in local:
            return local
        name = local["@import"]
        if not isinstance(name, str):
            raise BadRequestData("@import in the @context is not a URL")
        url = urljoin(base, name) if base else name
        if url in chain:
            raise BadRequestData(f"the @context {url[:200]} refers to itself")
        content = await self._document(url)
        if not isinstance(content, dict) or "@import" in content:
            raise BadRequestData(f"the @context imported from {url[:200]} is not a plain object")
        return content | {key: value for key, value in local.items() if key != "@import"}

    async def _document(self, url: str) -> Any:
        """The value of "@context" in the document at `url`."""
        body = self._store.get(url)
        if body is None:
            body = await self._fetch(url)
            content = _content(url, body)
            self._store.put(url, body)
            return content
        return _content(url, body)

    async def _fetch(self, url: str) -> bytes:
        """Fetch once however many ask at the same time; after a failure not at once again."""
        until, why = self._failed.get(url, (0.0, ""))
        if time.monotonic() < until:
            raise LdContextNotAvailable(why)
        task = self._fetching.get(url)
        if task is None:
            task = asyncio.create_task(self._get(url))
            self._fetching[url] = task
            task.add_done_callback(lambda done: self._fetched(url, done))
        return await asyncio.shield(task)

    def _fetched(self, url: str, task: asyncio.Task[bytes]) -> None:
        self._fetching.pop(url, None)
        # Looking at the exception keeps asyncio from reporting it when nobody waits any more.
        error = None if task.cancelled() else task.exception()
        self._failed.pop(url, None)
        if isinstance(error, LdContextNotAvailable):
            if len(self._failed) >= MEMORY:
                self._failed.clear()
            self._failed[url] = (time.monotonic() + RETRY_SECONDS, error.detail)

    async def _get(self, url: str) -> bytes:
        try:
            fetched = await self._guard.fetch(
                url, headers=_ACCEPT, max_bytes=MAX_BYTES, timeout=FETCH_SECONDS
            )
        except OutgoingRefused as problem:
            raise LdContextNotAvailable(f"{url[:200]}: {problem.detail}") from None
        if fetched.status != 200:
            raise LdContextNotAvailable(f"{url[:200]}: answered with status {fetched.status}")
        return fetched.body


def _content(url: str, body: bytes) -> Any:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequestData(f"the @context {url[:200]} is not JSON") from None
    if not isinstance(document, dict) or "@context" not in document:
        raise BadRequestData(f'the document {url[:200]} has no "@context" member')
    return document["@context"]


def _key(spec: Spec) -> bytes:
    encoded = msgspec.json.encode(spec)
    if len(encoded) > MAX_INLINE:
        raise BadRequestData("an @context of more than 1 MiB")
    return encoded


def _source(spec: Spec) -> str | list[Any] | dict[str, Any] | None:
    """What the client named, without the core context, and without an array around one part."""
    if isinstance(spec, str):
        return None if is_core_url(spec) else spec
    if isinstance(spec, dict):
        return spec or None
    if not isinstance(spec, list):
        if spec is None:
            return None
        raise BadRequestData("an @context is a URL, an object, or an array of these")
    parts = [p for p in spec if not (isinstance(p, str) and is_core_url(p)) and p != {}]
    if len(parts) == 1 and isinstance(parts[0], (str, dict)):
        return parts[0]
    return parts or None


def _urls(source: Any) -> list[str]:
    return [part for part in (source if isinstance(source, list) else [source])
            if isinstance(part, str)]  # fmt: skip
