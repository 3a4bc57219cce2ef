"""The one guard of all outgoing requests: contexts, notifications, forwarding, feeds.

It resolves names itself, connects only to addresses that it checked (so that a name cannot answer
differently the second time), checks every redirect again, and bounds time and decompressed size.
Proxy settings of the environment are ignored: a proxy would resolve names behind the guard's back.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

import httpcore
import httpx
import msgspec

from rynek import __version__
from rynek.base.addresses import is_public, resolve
from rynek.base.errors import OutgoingRefused

__all__ = ["Fetched", "Guard", "is_public", "own_authorities", "same_origin"]

USER_AGENT: Final = f"rynek/{__version__}"
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_FOR_ANY_ORIGIN: Final = frozenset(("accept", "if-none-match", "if-modified-since"))
"""What a redirect to another origin may be asked with; any other header may hold a key."""
_STEP: Final = 256 * 1024


class Fetched(msgspec.Struct, frozen=True):
    """An answer: header names in lower case, body decompressed, `url` after redirects."""

    status: int
    headers: dict[str, str]
    body: bytes
    url: str

    @property
    def not_modified(self) -> bool:
        """Whether the validators still hold (304) and the body is to be reused."""
        return self.status == 304


class Guard:
    """Sends requests to other hosts under the limits of the `[network]` settings.

    `timeout` bounds a whole request with its redirects, in seconds; `max_bytes` the decompressed
    body. Everything that is refused or fails raises OutgoingRefused, whose `extra["reason"]` is
    scheme, address, name, redirects, size, timeout, encoding or network. Answers with an error
    status are answers. One guard belongs to one event loop; close it with `aclose`.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        timeout: float = 20.0,
        max_bytes: int = 64 * 1024 * 1024,
        max_redirects: int = 3,
    ) -> None:
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._max_redirects = max_redirects
        self._allow_private = allow_private
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
        max_bytes: int | None = None,
        timeout: float | None = None,
    ) -> Fetched:
        """GET, conditional when validators are given, following redirects.

        To another origin a redirect takes only Accept and the validators along."""
        wanted = dict(headers or {})
        if etag:
            wanted["If-None-Match"] = etag
        if last_modified:
            wanted["If-Modified-Since"] = last_modified
        return await self.request("GET", url, headers=wanted, max_bytes=max_bytes, timeout=timeout)

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        timeout: float | None = None,
    ) -> Fetched:
        """POST; a redirect is returned as the answer it is."""
        return await self.request(
            "POST", url, body=body, headers=headers, max_bytes=max_bytes, timeout=timeout
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        timeout: float | None = None,
    ) -> Fetched:
        """Any method; only GET and HEAD follow redirects."""
        seconds = self._timeout if timeout is None else timeout
        limit = self._max_bytes if max_bytes is None else max_bytes
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(method, url, body, dict(headers or {}), limit)
        except (TimeoutError, httpcore.TimeoutException):
            raise _refused("timeout", f"no complete answer within {seconds:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            detail = str(error) or type(error).__name__
            raise _refused("network", f"the connection failed: {detail}") from None

    async def aclose(self) -> None:
        """Close idle connections; the guard can be used again afterwards."""
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None

    async def _follow(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str], limit: int
    ) -> Fetched:
        target = _target(url)
        for _hop in range(self._max_redirects + 1):
            answer = await self._once(method, target, body, headers, limit)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or method not in ("GET", "HEAD") or not location:
                return answer
            following = _target(_joined(target, location))
            if _origin(following) != _origin(target):
                headers = {k: v for k, v in headers.items() if k.lower() in _FOR_ANY_ORIGIN}
            target = following
        raise _refused("redirects", f"more than {self._max_redirects} redirects")

    async def _once(
        self, method: str, url: httpx.URL, body: bytes | None, headers: dict[str, str], limit: int
    ) -> Fetched:
        sent = {
            "Host": url.netloc.decode("ascii"),
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "keep-alive",
        }
        given = {name.title(): value for name, value in headers.items()}
        if body is not None:
            given["Content-Length"] = str(len(body))
        try:
            encoded = [(k.encode("ascii"), v.encode("latin-1")) for k, v in (sent | given).items()]
        except UnicodeEncodeError:
            raise _refused("encoding", "a header holds characters that headers cannot") from None
        async with self._open().stream(method, str(url), headers=encoded, content=body) as response:
            got = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers}
            stream = response.aiter_stream()
            bodyless = method == "HEAD" or response.status in (204, 304)
            content = b"" if bodyless else await _read(stream, got, limit)
            return Fetched(response.status, got, content, str(url))

    def _open(self) -> httpcore.AsyncConnectionPool:
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=httpx.create_ssl_context(),
                max_connections=100,
                max_keepalive_connections=20,
                keepalive_expiry=15.0,
                network_backend=_CheckedNetwork(allow_private=self._allow_private),
            )
        return self._pool


class _CheckedNetwork(httpcore.AnyIOBackend):
    """Resolves a host, refuses addresses that are not to be reached, connects to the checked ones.

    The pool still knows the host by its name, so Host header, SNI and certificate check stay
    the name's.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Try the checked addresses one after the other."""
        failure: Exception | None = None
        for address in await resolve(host, port, allow_private=self._allow_private):
            try:
                return await super().connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: local sockets are no other hosts."""
        raise _refused("address", f"not a host: {path}")


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs have one scheme, host and port (RFC 6454); False when one is no URL."""
    try:
        return _origin(httpx.URL(one)) == _origin(httpx.URL(other))
    except (httpx.InvalidURL, TypeError, ValueError):
        return False


def own_authorities(host: str, port: int) -> frozenset[str]:
    """host:port of every name that certainly means a server which listens there."""
    names = {host, "localhost", "127.0.0.1", "[::1]"}
    return frozenset(f"{name.lower()}:{port}" for name in names)


def _refused(reason: str, detail: str) -> OutgoingRefused:
    return OutgoingRefused(detail, reason=reason)


def _target(url: str) -> httpx.URL:
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise _refused("scheme", "not a URL") from None
    if target.scheme not in ("http", "https") or not target.host:
        raise _refused("scheme", "only http and https URLs with a host")
    if target.userinfo:
        raise _refused("scheme", "a URL with a user name or password in it; use a header")
    return target.copy_with(fragment=None)


def _joined(base: httpx.URL, location: str) -> str:
    try:
        return str(base.join(location))
    except (httpx.InvalidURL, ValueError):
        raise _refused("redirects", "redirected to something that is no URL") from None


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _read(stream: AsyncIterator[bytes], headers: dict[str, str], limit: int) -> bytes:
    """The whole body, decompressed; never more than `limit` bytes and one step in memory."""
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    decoder = _decoder(headers.get("content-encoding", ""))
    body = bytearray()
    async for chunk in stream:
        for piece in decoder.feed(chunk):
            body += piece
            if len(body) > limit:
                raise _too_large(limit)
    decoder.finish()
    return bytes(body)


def _too_large(limit: int) -> OutgoingRefused:
    return _refused("size", f"the answer is larger than {limit} bytes")


class _Plain:
    """No content coding."""

    def feed(self, chunk: bytes) -> Iterable[bytes]:
        """The chunk itself."""
        return (chunk,)

    def finish(self) -> None:
        """Nothing can be missing."""


class _Inflate(_Plain):
    """gzip (also of several members) or deflate, a bounded step at a time."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._engine = zlib.decompressobj(31 if gzip else 15)
        self._fresh = True

    def feed(self, chunk: bytes) -> Iterable[bytes]:
        """Decompressed pieces of at most `_STEP` bytes."""
        pending = chunk
        full = False
        while pending or full:
            if self._engine.eof:
                if not self._gzip or pending[0] != 0x1F:
                    return
                self._engine = zlib.decompressobj(31)
            try:
                piece = self._engine.decompress(pending, _STEP)
            except zlib.error as error:
                if self._gzip or not self._fresh:
                    raise _refused(
                        "encoding", f"the body is not compressed well: {error}"
                    ) from None
                self._engine = zlib.decompressobj(-15)
                self._fresh = False
                continue
            self._fresh = False
            yield piece
            full = len(piece) == _STEP and not self._engine.eof
            pending = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail

    def finish(self) -> None:
        """A compressed body has to end where it says."""
        if not self._fresh and not self._engine.eof:
            raise _refused("encoding", "the compressed body ends too early")


def _decoder(coding: str) -> _Plain:
    name = coding.strip().lower()
    if name in ("", "identity"):
        return _Plain()
    if name in ("gzip", "x-gzip"):
        return _Inflate(gzip=True)
    if name == "deflate":
        return _Inflate(gzip=False)
    raise _refused("encoding", f"the content coding {coding[:40]!r} was not asked for")
