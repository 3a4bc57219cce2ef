"""Stored @contexts of one tenant: kept durably, found by local id or URL, counted lazily."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import unquote
from uuid import uuid4

import msgspec

from rynek.base.errors import Forbidden
from rynek.base.typed import decode
from rynek.context.kept import ID_PREFIX, ContextKind, Freshness, StoredContext
from rynek.context.store.sqlite import SqliteStore

_KIND: Final = "context"
_USES: Final = ("context-uses", "all")
_PATH: Final = "/jsonldContexts/"
_PUT_REMOTE: Final = "INSERT OR REPLACE INTO remote_context(url, body, fetched) VALUES(?, ?, ?)"
_DELETE_REMOTE: Final = "DELETE FROM remote_context WHERE url = ?"
# How much of a tenant's file all documents of @contexts together may take, and how many of them
# an answer may make up: beyond, the one that was not used for longest goes.
MAX_BYTES: Final = 64 * 1024 * 1024


class _Document(msgspec.Struct):
    """A hosted or implicitly created @context as kept; `content` is what is served."""

    kind: ContextKind
    created: int
    content: msgspec.Raw


class _Use(msgspec.Struct, array_like=True):
    hits: int
    last_used: int | None = None
    fresh: Freshness | None = None


class StoredContexts:
    """`ContextCache` over a tenant's store, and what the @context server serves from.

    `namespace` stands in local ids, so that an URL tells whose tenant's it is; `elsewhere` is
    where an id that is not known here is looked for (the default tenant).
    """

    def __init__(
        self,
        store: SqliteStore,
        namespace: str = "",
        elsewhere: Callable[[], StoredContexts] | None = None,
    ) -> None:
        self._store = store
        self._prefix = ID_PREFIX + (f"{namespace}:" if namespace else "")
        self._elsewhere = elsewhere
        self._loaded: dict[str, StoredContext] | None = None
        self._fresh: dict[str, bytes] = {}
        self._changed = False

    # What is there

    def list(self) -> list[StoredContext]:
        """All of them, in the order in which they came."""
        return sorted(self._entries.values(), key=lambda entry: entry.created)

    def find(self, name: str) -> StoredContext | None:
        """By local id, by the URL a cached one came from, or by the URL it is served at."""
        entries = self._entries
        found = entries.get(name) or entries.get(self._cached_id(name))
        if found is None and _PATH in name:
            found = entries.get(unquote(name.rpartition(_PATH)[2]).rstrip("/"))
        return found

    def content(self, entry: StoredContext) -> bytes:
        """The JSON document of one; b"" when it was removed meanwhile."""
        waiting = self._fresh.get(entry.id)
        if waiting is not None:
            return waiting
        if entry.url is not None:
            return self._store.remote_context(entry.url) or b""
        kept = self._store.documents.find(_KIND, entry.id)
        return b"" if kept is None else bytes(decode(kept, _Document).content)

    def hosted(self, url: str) -> tuple[str, bytes] | None:
        """Local id and document when `url` is that of an @context hosted here."""
        if _PATH not in url:
            return None
        entry = self.find(url)
        if entry is not None and entry.url is None:
            return entry.id, self.content(entry)
        return self._elsewhere().hosted(url) if self._elsewhere is not None else None

    def get(self, url: str) -> bytes | None:
        """The fetched document of `url`."""
        entry = self._entries.get(self._cached_id(url))
        return None if entry is None else self.content(entry) or None

    def freshness(self, url: str) -> Freshness | None:
        """How fresh the fetched document of `url` is."""
        entry = self._entries.get(self._cached_id(url))
        return None if entry is None else entry.fresh

    def expired(self, now: int) -> Sequence[tuple[str, bool]]:
        """URLs of documents that are no longer fresh, and whether each was used since."""
        return [
            (entry.url, (entry.last_used or 0) > entry.created)
            for entry in self._entries.values()
            if entry.url is not None and entry.fresh is not None and entry.fresh.expires <= now
        ]

    # What changes it

    def put(self, url: str, body: bytes, fresh: Freshness) -> None:
        """Keep a fetched document; it is written with the next group."""
        entry_id = self._cached_id(url)
        old = self._entries.get(entry_id)
        entry = StoredContext(entry_id, "Cached", _now(), len(body), url, fresh)
        if old is not None:
            entry.hits, entry.last_used = old.hits, old.last_used
        self._entries[entry_id] = entry
        self._fresh[entry_id] = body
        self._changed = True
        self._make_room()
        row = (url, body, entry.created)
        self._store.later(
            lambda txn: txn.later(_PUT_REMOTE, row), lambda: self._written(entry_id, body)
        )

    def renew(self, url: str, fresh: Freshness) -> None:
        """The kept document of `url` still holds: an origin that sends no new validators means
        the old ones."""
        entry = self._entries.get(self._cached_id(url))
        if entry is not None:
            old = entry.fresh
            entry.created = _now()
            entry.fresh = Freshness(
                fresh.expires,
                fresh.etag or (old.etag if old else None),
                fresh.last_modified or (old.last_modified if old else None),
            )
            self._changed = True

    def postpone(self, url: str, until: int) -> None:
        """A document that could not be had anew counts as fresh for a while."""
        entry = self._entries.get(self._cached_id(url))
        if entry is not None and entry.fresh is not None:
            entry.fresh = Freshness(until, entry.fresh.etag, entry.fresh.last_modified)

    async def host(self, content: bytes) -> StoredContext:
        """Keep what a client wants hosted; durable when this returns (§5.13.2). Forbidden when as
        many are hosted as may be."""
        most = self._store.limits.max_contexts
        if sum(entry.kind == "Hosted" for entry in self._entries.values()) >= most:
            raise Forbidden(f"{most} @contexts are hosted already, no more are allowed")
        entry = StoredContext(f"{self._prefix}{uuid4().hex}", "Hosted", _now(), len(content))
        body = _encode(entry, content)
        await self._store.write(lambda txn: txn.keep(_KIND, entry.id, body))
        self._entries[entry.id] = entry
        return entry

    def imply(self, digest: str, make: Callable[[], bytes]) -> str:
        """The local id of an @context that an answer refers to; one that is not there yet is made
        from what `make` gives and written with the next group."""
        entry_id = self._prefix + digest
        if entry_id not in self._entries:
            content = make()
            entry = StoredContext(entry_id, "ImplicitlyCreated", _now(), len(content))
            self._entries[entry_id] = entry
            self._fresh[entry_id] = content
            self._make_room()
            body = _encode(entry, content)
            self._store.later(
                lambda txn: txn.keep(_KIND, entry_id, body),
                lambda: self._written(entry_id, content),
            )
        return entry_id

    async def remove(self, entry: StoredContext) -> None:
        """Forget one, durably."""
        self._entries.pop(entry.id, None)
        self._fresh.pop(entry.id, None)
        url = entry.url
        if url is not None:
            await self._store.write(lambda txn: txn.later(_DELETE_REMOTE, (url,)))
        else:
            await self._store.write(lambda txn: txn.forget(_KIND, entry.id))

    def used(self, name: str, times: int, last: int) -> None:
        """Count uses of a document by its URL or local id."""
        entries = self._entries
        entry = (
            entries.get(name)
            or entries.get(self._prefix + name)
            or entries.get(self._cached_id(name))
        )
        if entry is not None:
            entry.hits += times
            entry.last_used = max(last, entry.last_used or 0)
            self._changed = True
        elif self._elsewhere is not None:
            self._elsewhere().used(name, times, last)

    def save(self) -> None:
        """Write the counts with the next group, where they changed."""
        if self._changed:
            self._changed = False
            body = self._encoded_uses()
            self._store.later(lambda txn: txn.keep(*_USES, body), _nothing)

    async def close(self) -> None:
        """Write the counts, and what still waits."""
        if self._changed:
            self._changed = False
            body = self._encoded_uses()
            await self._store.write(lambda txn: txn.keep(*_USES, body))

    def _encoded_uses(self) -> bytes:
        return msgspec.json.encode(
            {e.id: _Use(e.hits, e.last_used, e.fresh) for e in self._entries.values()}
        )

    # How it is held

    @property
    def _entries(self) -> dict[str, StoredContext]:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def _load(self) -> dict[str, StoredContext]:
        entries: dict[str, StoredContext] = {}
        for url, fetched, size in self._store.remote_contexts():
            entry_id = self._cached_id(url)
            entries[entry_id] = StoredContext(entry_id, "Cached", fetched, size, url)
        for entry_id, body in self._store.documents.list(_KIND):
            kept = decode(body, _Document)
            size = len(bytes(kept.content))
            entries[entry_id] = StoredContext(entry_id, kept.kind, kept.created, size)
        uses = self._store.documents.find(*_USES)
        if uses is not None:
            for entry_id, use in decode(uses, dict[str, _Use]).items():
                entry = entries.get(entry_id)
                if entry is not None:
                    entry.hits, entry.last_used, entry.fresh = use.hits, use.last_used, use.fresh
        for entry in entries.values():
            if entry.url is not None and entry.fresh is None:
                entry.fresh = Freshness(0)  # of unknown age: ask again when it is next used
        return entries

    def _cached_id(self, url: str) -> str:
        return self._prefix + sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _written(self, entry_id: str, body: bytes) -> None:
        if self._fresh.get(entry_id) is body:
            del self._fresh[entry_id]

    def _make_room(self) -> None:
        """Drop what came by itself and was not used for longest, down to the bounds; what people
        host stays."""
        most = self._store.limits.max_contexts
        loose = [e for e in self._entries.values() if e.kind != "Hosted"]
        size = sum(entry.size for entry in loose)
        if len(loose) <= most and size <= MAX_BYTES:
            return
        loose.sort(key=lambda entry: max(entry.last_used or 0, entry.created))
        for entry in loose[:-1]:
            if len(loose) <= most and size <= MAX_BYTES:
                break
            loose = loose[1:]
            size -= entry.size
            self._drop(entry)

    def _drop(self, entry: StoredContext) -> None:
        self._entries.pop(entry.id, None)
        self._fresh.pop(entry.id, None)
        url = entry.url
        if url is not None:
            self._store.later(lambda txn: txn.later(_DELETE_REMOTE, (url,)), _nothing)
        else:
            self._store.later(lambda txn: txn.forget(_KIND, entry.id), _nothing)


def _encode(entry: StoredContext, content: bytes) -> bytes:
    return msgspec.json.encode(_Document(entry.kind, entry.created, msgspec.Raw(content)))


def _now() -> int:
    return time.time_ns() // 1000


def _nothing() -> None:
    """Nobody waits."""
