"""A lean HTTP client for many small requests to few hosts: forwarding to context sources.

It connects only to checked addresses (see addresses.py), keeps connections alive, follows no
redirect, asks for no compression, and bounds the time of a request and the bytes of an answer. A
request costs a tenth of what a general client takes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final, cast

import httptools
import httpx

from rynek.base.addresses import resolve
from rynek.base.delivery import Target, parse_target
from rynek.base.errors import OutgoingRefused
from rynek.base.http import USER_AGENT, Fetched

__all__ = ["Client"]

_IDLE_SECONDS: Final = 15.0
_FRESH_SECONDS: Final = 1.0
_MAX_IDLE: Final = 32
_MAX_HEAD: Final = 64 * 1024
_MAX_BYTES: Final = 64 * 1024 * 1024
_SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
Origin = tuple[str, str, int]


class Client:
    """Sends requests; one belongs to one event loop, `aclose` closes its connections.

    Whatever is refused or fails raises OutgoingRefused, whose `extra["reason"]` is scheme,
    address, name, size, timeout, encoding or network; any status is an answer.
    """

    def __init__(self, *, allow_private: bool = False, timeout: float = 20.0) -> None:
        self._allow_private = allow_private
        self._timeout = timeout
        self._idle: dict[Origin, list[_Connection]] = {}
        self._used: set[_Connection] = set()
        self._tls: ssl.SSLContext | None = None

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
        """The answer, whole, within `timeout` seconds and `max_bytes`."""
        try:
            target = parse_target(url)
            request = _written(method, target, headers or {}, body)
        except ValueError as error:
            raise _refused("scheme", str(error)) from None
        seconds = self._timeout if timeout is None else timeout
        limit = _MAX_BYTES if max_bytes is None else max_bytes
        try:
            async with asyncio.timeout(seconds):
                answer = await self._sent(target, request, limit, again=method in _SAFE_METHODS)
        except TimeoutError:
            raise _refused("timeout", f"no complete answer within {seconds:g} s") from None
        return Fetched(answer.status, answer.headers, answer.body, url)

    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        for connection in tuple(self._used):
            connection.close()
        self._idle.clear()
        await asyncio.sleep(0)

    async def _sent(self, target: Target, request: bytes, limit: int, *, again: bool) -> _Answer:
        """The answer on a kept connection, else on a new one. What may not be repeated goes only on
        a connection that was used a moment ago: one that waited long may be closed already."""
        kept = self._take_idle(target.origin, _IDLE_SECONDS if again else _FRESH_SECONDS)
        if kept is not None:
            try:
                return await self._on(kept, target.origin, request, limit)
            except _Stale:
                if not again:
                    raise _refused("network", "the connection was closed in between") from None
        connection = await self._connect(target)
        try:
            return await self._on(connection, target.origin, request, limit)
        except _Stale:
            raise _refused("network", "the connection was closed without an answer") from None

    async def _on(
        self, connection: _Connection, origin: Origin, request: bytes, limit: int
    ) -> _Answer:
        self._used.add(connection)
        try:
            answer = await connection.send(request, limit)
        finally:
            self._used.discard(connection)
            idle = self._idle.setdefault(origin, [])
            if connection.usable and len(idle) < _MAX_IDLE:
                connection.since = asyncio.get_running_loop().time()
                idle.append(connection)
            else:
                connection.close()
        return answer

    def _take_idle(self, origin: Origin, seconds: float) -> _Connection | None:
        idle = self._idle.get(origin)
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.usable and now - connection.since < seconds:
                return connection
            connection.close()
        return None

    async def _connect(self, target: Target) -> _Connection:
        loop = asyncio.get_running_loop()
        secure = target.scheme == "https"
        failure: Exception | None = None
        for address in await resolve(target.host, target.port, allow_private=self._allow_private):
            try:
                _, connection = await loop.create_connection(
                    _Connection,
                    address,
                    target.port,
                    ssl=self._context() if secure else None,
                    server_hostname=target.host if secure else None,
                )
            except OSError as error:  # ssl.SSLError is one too
                failure = error
            else:
                return connection
        raise _refused("network", f"the connection failed: {failure}")

    def _context(self) -> ssl.SSLContext:
        """Certificates are checked; SSL_CERT_FILE names other authorities."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        return self._tls


def _written(method: str, target: Target, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The request as bytes; ValueError where a header holds what none can."""
    lines = [f"{method} {target.path} HTTP/1.1", f"Host: {target.netloc}"]
    told = {name.lower() for name in headers}
    if "user-agent" not in told:
        lines.append(f"User-Agent: {USER_AGENT}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise ValueError("a line break in a header")
    head = "\r\n".join(lines) + "\r\n\r\n"
    try:
        return head.encode("latin-1") + (body or b"")
    except UnicodeEncodeError:
        raise ValueError("a header holds characters that headers cannot") from None


class _Stale(Exception):
    """The connection ended before anything of an answer came."""


class _Answer:
    """What has come of an answer so far."""

    __slots__ = ("chunks", "headers", "size", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []
        self.size = 0

    @property
    def body(self) -> bytes:
        return self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.since = 0.0
        self.usable = True
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[_Answer] | None = None
        # httptools has no types.
        self._parser: Any = httptools.HttpResponseParser(self)
        self._answer = _Answer()
        self._limit = 0
        self._received = 0
        self._head = 0
        self._in_body = False

    async def send(self, request: bytes, limit: int) -> _Answer:
        """The answer to `request`, with at most `limit` bytes of body."""
        if self._transport is None or self._transport.is_closing():
            self.usable = False
            raise _Stale
        waiting: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._answer = _Answer()
        self._limit = limit
        self._received = self._head = 0
        self._in_body = False
        self._transport.write(request)
        try:
            return await waiting
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        """Close at once; a request under way fails."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: Exception) -> None:
        self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        if self._waiting is None or self._waiting.done():
            self.close()  # nobody asked
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(_refused("network", f"the answer is not HTTP: {error}"))
            return

    def _is_done(self) -> bool:
        return self._waiting is None or self._waiting.done()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Part of httptools' protocol; a name that repeats is a list (RFC 9110 §5.3)."""
        self._head += len(name) + len(value)
        if self._head > _MAX_HEAD:
            if not self._is_done():
                detail = f"the head of the answer is larger than {_MAX_HEAD} bytes"
                self._fail(_refused("size", detail))
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers = self._answer.headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """Part of httptools' protocol."""
        answer = self._answer
        answer.status = self._parser.get_status_code()
        if answer.status < 200:
            return
        self._in_body = True
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            self._fail(_refused("encoding", "a content coding that was not asked for"))
        told = answer.headers.get("content-length", "")
        if told.isdigit() and int(told) > self._limit:
            self._fail(_too_large(self._limit))

    def on_body(self, data: bytes) -> None:
        """Part of httptools' protocol."""
        answer = self._answer
        answer.size += len(data)
        if answer.size > self._limit:
            if not self._is_done():
                self._fail(_too_large(self._limit))
            return
        answer.chunks.append(data)

    def on_message_complete(self) -> None:
        """Part of httptools' protocol: the answer is there, unless it was an interim one."""
        if self._answer.status < 200:
            self._answer = _Answer()
            return
        if not self._parser.should_keep_alive():
            self.usable = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol; it ends an answer that does not tell its length."""
        self.usable = False
        if self._waiting is None or self._waiting.done():
            return
        headers = self._answer.headers
        if not self._received:
            self._waiting.set_exception(_Stale())
        elif (
            self._in_body
            and exc is None
            and not {"content-length", "transfer-encoding"} & {*headers}
        ):
            self._waiting.set_result(self._answer)
        else:
            detail = f"the connection broke: {exc or 'closed early'}"
            self._waiting.set_exception(_refused("network", detail))


def _too_large(limit: int) -> OutgoingRefused:
    return _refused("size", f"the answer is larger than {limit} bytes")


def _refused(reason: str, detail: str) -> OutgoingRefused:
    return OutgoingRefused(detail, reason=reason)
