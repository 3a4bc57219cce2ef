"""From what a client names as its @context to a compiled one (CIM 009 §5.5.7, §6.3.5).

Remote contexts are fetched once through the outgoing guard, kept in the tenant's store, and compiled
contexts are remembered, so that the hot path is one look-up by URL. A context that is hosted here
is read from the store, whatever name of this host the client used.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import msgspec

from rynek.base.errors import BadRequestData, LdContextNotAvailable, OutgoingRefused
from rynek.base.http import Guard
from rynek.context.jsonld import CompiledContext, compile_context, core_context, is_core_url
from rynek.context.kept import ContextCache, freshness

__all__ = ["ContextResolver", "Spec"]

Spec = str | dict[str, Any] | list[Any] | None
MAX_DEPTH: Final = 10
MAX_PARTS: Final = 50
MAX_STEPS: Final = 500
"""Names, objects and arrays looked at for one @context: few documents can name each other often."""
MAX_BYTES: Final = 1 << 20
MAX_INLINE: Final = 1 << 20
FETCH_SECONDS: Final = 10.0
STALE_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 30.0
MEMORY: Final = 512
_ACCEPT: Final = {"Accept": "application/ld+json, application/json;q=0.9, */*;q=0.1"}
_OWN_PATH: Final = "/ngsi-ld/v1/jsonldContexts/"


class ContextResolver:
    """Resolves @contexts for one tenant; `default` are the URLs of the city's own user context,
    `authorities` (host:port) are names of this very server, which is never asked over the network.

    What no one asked for again falls out of memory first; the store keeps the documents.
    """

    def __init__(
        self,
        cache: ContextCache,
        guard: Guard,
        default: list[str] | None = None,
        authorities: frozenset[str] = frozenset(),
    ) -> None:
        self._cache = cache
        self._guard = guard
        self._default: Spec = list(default) if default else None
        self._authorities = authorities
        self._compiled: OrderedDict[str | bytes, CompiledContext] = OrderedDict()
        self._documents: dict[str | bytes, frozenset[str]] = {}
        self._fetching: dict[str, asyncio.Task[bytes]] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self.on_documents: Callable[[], object] = _nothing
        """Called whenever a context was made from documents: somebody should keep those fresh."""

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
        compiled = self._compiled.get(spec if type(spec) is str else _key(spec))
        if compiled is not None:
            compiled.uses += 1
            compiled.last_used = time.time_ns() // 1000
        return compiled

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
            self._remember(spec, compiled, frozenset())
            return compiled
        gathered = _Gathered(self)
        await gathered.add(source, (), None)
        compiled = compile_context(gathered.parts, source)
        self._remember(spec, compiled, frozenset(gathered.documents))
        if gathered.documents:
            self.on_documents()
        return compiled

    async def check(self, content: Any, url: str | None = None) -> None:
        """Raise what `resolve` would for this content of an "@context" member (of `url`)."""
        gathered = _Gathered(self)
        await gathered.add(content, (url,) if url else (), url)
        compile_context(gathered.parts, url)

    def forget(self, name: str | None = None) -> None:
        """Drop compiled contexts: all, or those made from the document with that URL or local id."""
        self.settle()
        self._failed.clear()
        for key, documents in list(self._documents.items()):
            if name is None or name in documents:
                del self._documents[key]
                del self._compiled[key]

    def settle(self) -> None:
        """Pass the uses that were counted since the last time on to the cache."""
        for key, compiled in self._compiled.items():
            if compiled.uses:
                self._settle(compiled, self._documents[key])

    def _settle(self, compiled: CompiledContext, documents: frozenset[str]) -> None:
        uses, compiled.uses = compiled.uses, 0
        names = documents if compiled.link is not None else {*documents, compiled.id}
        for name in names:
            self._cache.used(name, uses, compiled.last_used)

    def _remember(self, spec: Spec, compiled: CompiledContext, documents: frozenset[str]) -> None:
        key = spec if isinstance(spec, str) else _key(spec)
        self._compiled[key] = compiled
        self._documents[key] = documents
        self._compiled.move_to_end(key)
        while len(self._compiled) > MEMORY:
            old, gone = self._compiled.popitem(last=False)
            self._settle(gone, self._documents.pop(old))

    async def document(self, url: str) -> tuple[str, Any]:
        """Local id or URL, and the value of "@context" in the document at `url`."""
        hosted = self._cache.hosted(url)
        now = time.time_ns() // 1000
        if hosted is not None:
            self._cache.used(hosted[0], 1, now)
            return hosted[0], content_of(url, hosted[1])
        body = self._cache.get(url)
        if body is None:
            return url, content_of(url, await self._fetch(url))
        fresh = self._cache.freshness(url)
        if fresh is not None and fresh.expires <= now:
            return url, await self._again(url, body)
        self._cache.used(url, 1, now)
        return url, content_of(url, body)

    async def _again(self, url: str, body: bytes) -> Any:
        """A document that is no longer fresh: asked for anew, used as it is when that fails or
        takes long; what comes late counts for the next request."""
        try:
            async with asyncio.timeout(STALE_SECONDS):
                return content_of(url, await self._fetch(url))
        except TimeoutError:
            task = self._fetching.get(url)
            if task is not None:
                task.add_done_callback(lambda _: self.forget(url))
        except (LdContextNotAvailable, BadRequestData):
            pass
        return content_of(url, body)

    async def _fetch(self, url: str) -> bytes:
        """Fetch once however many ask at the same time; after a failure not at once again."""
        until, why = self._failed.get(url, (0.0, ""))
        if time.monotonic() < until:
            raise LdContextNotAvailable(why)
        task = self._fetching.get(url)
        if task is None:
            task = asyncio.create_task(self.download(url))
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

    async def download(self, url: str, *, whole: bool = False) -> bytes:
        """The document of `url` from where it comes from, kept when it holds an @context; where
        `whole`, only when that compiles.

        LdContextNotAvailable when it cannot be had, BadRequestData when it holds none.
        """
        if self._is_own(url):
            raise LdContextNotAvailable(f"{url[:200]}: no such @context is hosted here")
        old = self._cache.get(url)
        before = self._cache.freshness(url) if old is not None else None
        try:
            fetched = await self._guard.fetch(
                url,
                headers=_ACCEPT,
                etag=before.etag if before else None,
                last_modified=before.last_modified if before else None,
                max_bytes=MAX_BYTES,
                timeout=FETCH_SECONDS,
            )
        except OutgoingRefused as problem:
            raise LdContextNotAvailable(f"{url[:200]}: {problem.detail}") from None
        fresh = freshness(fetched.headers, time.time_ns() // 1000)
        if old is not None and fetched.not_modified:
            self._cache.renew(url, fresh)
            return old
        if fetched.status != 200:
            raise LdContextNotAvailable(f"{url[:200]}: answered with status {fetched.status}")
        content = content_of(url, fetched.body)
        if whole:
            await self.check(content, url)
        self._cache.put(url, fetched.body, fresh)
        return fetched.body

    def _is_own(self, url: str) -> bool:
        return _OWN_PATH in url and urlsplit(url).netloc.lower() in self._authorities


class _Gathered:
    """The local contexts behind what a client named, in order, and the documents they stand in."""

    def __init__(self, resolver: ContextResolver) -> None:
        self.parts: list[dict[str, Any] | None] = []
        self.documents: set[str] = set()
        self._resolver = resolver
        self._steps = 0

    async def add(self, spec: Any, chain: tuple[str, ...], base: str | None) -> None:
        """Append what stands behind `spec`."""
        self._steps += 1
        if len(self.parts) >= MAX_PARTS or len(chain) > MAX_DEPTH or self._steps > MAX_STEPS:
            raise BadRequestData("the @context nests too deep or has too many parts")
        if isinstance(spec, str):
            url = _joined(base, spec)
            if is_core_url(url):
                return
            await self.add(await self._document(url, chain), (*chain, url), url)
        elif isinstance(spec, list):
            if len(spec) > MAX_PARTS:
                raise BadRequestData(f"an @context of more than {MAX_PARTS} parts")
            for part in spec:
                await self.add(part, (*chain, ""), base)
        elif isinstance(spec, dict):
            self.parts.append(await self._imported(spec, chain, base))
        elif spec is None:
            self.parts.append(None)
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
        url = _joined(base, name)
        content = await self._document(url, chain)
        if not isinstance(content, dict) or "@import" in content:
            raise BadRequestData(f"the @context imported from {url[:200]} is not a plain object")
        return content | {key: value for key, value in local.items() if key != "@import"}

    async def _document(self, url: str, chain: tuple[str, ...]) -> Any:
        if url in chain:
            raise BadRequestData(f"the @context {url[:200]} refers to itself")
        name, content = await self._resolver.document(url)
        self.documents.add(name)
        return content


def _nothing() -> None:
    """Nobody looks after the documents."""


def _joined(base: str | None, name: str) -> str:
    try:
        return urljoin(base, name) if base else name
    except ValueError:
        raise BadRequestData(f"the @context {name[:200]!r} is no URL") from None


def content_of(url: str, body: bytes) -> Any:
    """The value of "@context" in a document; BadRequestData when it has none."""
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
