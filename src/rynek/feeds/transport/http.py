"""Polling an http(s) URL with conditional GET, through the one outgoing guard."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urljoin

from rynek.base.http import same_origin
from rynek.feeds.contract import FeedConfig, WriteReport
from rynek.feeds.kit.content import inflate
from rynek.feeds.registry import kind_of
from rynek.feeds.transport.contract import Payload, SourceError

MAX_FOLLOWED = 32
_TOGETHER = 4
"""How many times the bytes of one document those that follow from it may have together."""
GONE = (404, 410)


class _Gone(SourceError):
    """There is no such document."""


class Fetched(Protocol):
    """An answer of the guard; header names are lower case or looked up without regard to case."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def url(self) -> str: ...


class Fetcher(Protocol):
    """What the guard for outgoing requests (rynek.base.http) offers."""

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
        max_bytes: int = ...,
        timeout: float = ...,
    ) -> Fetched: ...


def optional_parts(kind: str) -> frozenset[str]:
    """The parts of a poll that a server may lack without harm to the others."""
    found: frozenset[str] = getattr(kind_of(kind).connector, "optional", frozenset())
    return found


def headers_for(url: str, config: FeedConfig) -> dict[str, str]:
    """The feed's headers for the origin of its source; for any other, which a document names,
    only what is no secret: Accept."""
    if same_origin(url, config.source):
        return config.headers
    return {name: value for name, value in config.headers.items() if name.lower() == "accept"}


class HttpSource:
    """One URL and the documents that follow from it; validators count only once confirmed."""

    paced = False

    def __init__(self, config: FeedConfig, guard: Fetcher) -> None:
        self._config = config
        self._guard = guard
        self._validators: dict[str, tuple[str | None, str | None]] = {}
        self._pending: dict[str, tuple[str | None, str | None]] = {}

    async def fetch(self) -> Sequence[Payload]:
        """The document, or nothing when the server says 304."""
        payload = await self._get("", self._config.source)
        return [] if payload is None else [payload]

    async def more(self, documents: Sequence[tuple[str, str]]) -> Sequence[Payload]:
        """The followed documents that changed, one after another."""
        if len(documents) > MAX_FOLLOWED:
            raise SourceError(f"more than {MAX_FOLLOWED} documents in one poll")
        found: list[Payload] = []
        left = _TOGETHER * self._config.max_bytes
        for part, url in documents:
            try:
                payload = await self._get(part, urljoin(self._config.source, url))
            except _Gone:
                if part not in optional_parts(self._config.kind):
                    raise
                continue
            if payload is not None:
                found.append(payload)
                left -= len(payload.data)
            if left < 0:
                raise SourceError(
                    f"more than {_TOGETHER * self._config.max_bytes} bytes in one poll"
                )
        return found

    def confirm(self, report: WriteReport) -> None:
        """From now on ask only for what is newer."""
        self._validators.update(self._pending)
        self._pending.clear()

    def reject(self, error: Exception) -> None:
        """Ask for the whole document again next time."""
        self._pending.clear()

    async def close(self) -> None:
        """Nothing to let go of: the guard owns the connections."""

    async def _get(self, part: str, url: str) -> Payload | None:
        etag, modified = self._validators.get(url, (None, None))
        answer = await self._guard.fetch(
            url,
            headers=headers_for(url, self._config),
            etag=etag,
            last_modified=modified,
            max_bytes=self._config.max_bytes,
            timeout=self._config.timeout,
        )
        if answer.status == 304:
            return None
        if answer.status in GONE:
            raise _Gone(f"the server answered {answer.status} for {answer.url}")
        if answer.status != 200:
            raise SourceError(f"the server answered {answer.status}")
        named = {name.lower(): value for name, value in answer.headers.items()}
        self._pending[url] = (named.get("etag"), named.get("last-modified"))
        return Payload(await self._plain(answer.body), part, url.removesuffix(".gz"))

    async def _plain(self, body: bytes) -> bytes:
        """Without gzip, in which archives offer their files (`stations.json.gz`)."""
        try:
            return await asyncio.to_thread(inflate, body, self._config.max_bytes)
        except ValueError as error:
            raise SourceError(str(error)) from error
