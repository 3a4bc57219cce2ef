"""A lean HTTP client that posts many small messages to few receivers and reads little back.

It connects only to checked addresses (see addresses.py), keeps connections alive, follows no
redirect, and bounds the time of a request and the bytes of an answer. A request costs a tenth of
what a general client takes, which is what sending thousands of notifications a second needs.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any, Final, cast
from urllib.parse import quote, urlsplit

import httptools
import httpx
import msgspec

from rynek.base.addresses import resolve
from rynek.base.errors import OutgoingRefused

__all__ = ["Poster", "Target", "parse_target"]

MAX_ANSWER: Final = 64 * 1024
CONNECTIONS: Final = 16
IDLE_SECONDS: Final = 15.0
_SAFE: Final = "!$%&'()*+,-./:;=?@_~"


class Target(msgspec.Struct, frozen=True):
    """Where to post: `origin` is what connections are shared by, `path` has the query string."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def netloc(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


def parse_target(url: str) -> Target:
    """The target of an http(s) URL; ValueError says what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http or https URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a user name or password in the URL; they belong into a header")
    port = parts.port  # ValueError beyond 65535
    host = parts.hostname
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    path = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_SAFE)
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


class Poster:
    """Posts to receivers; one belongs to one event loop, `aclose` closes its connections.

    At most `connections` are open to one origin; who needs more waits in line.
    """

    def __init__(self, *, allow_private: bool = False, connections: int = CONNECTIONS) -> None:
        self._allow_private = allow_private
        self._connections = connections
        self._origins: dict[tuple[str, str, int], _Origin] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def post(self, target: Target, head: bytes, body: bytes, timeout: float) -> int:
        """The status of the answer. `head` are the header lines, each ended by CRLF, with Host and
        without Content-Length. OutgoingRefused (reason: name, address, timeout, network, size)
        when there is no answer within `timeout` seconds, not counting the wait for a connection."""
        origin = self._origins.get(target.origin)
        if origin is None:
            origin = self._origins[target.origin] = _Origin(self, target)
        request = b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
            target.path.encode("ascii"), head, len(body), body,
        )  # fmt: skip
        if self._sweeper is None:
            self._sweep_later()
        return await origin.send(request, timeout)

    def _sweep_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(IDLE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what was not used for a while; go on while anything is open."""
        self._sweeper = None
        for key, origin in list(self._origins.items()):
            if origin.sweep():
                del self._origins[key]
        if self._origins:
            self._sweep_later()

    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for origin in self._origins.values():
            origin.close()
        self._origins.clear()
        await asyncio.sleep(0)

    def tls(self) -> ssl.SSLContext:
        """Certificates are checked; SSL_CERT_FILE names other authorities."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        return self._tls

    async def connect(self, target: Target, timeout: float) -> _Connection:
        """A new connection to a checked address of the target's host."""
        loop = asyncio.get_running_loop()
        secure = target.scheme == "https"
        failure: Exception | None = None
        try:
            async with asyncio.timeout(timeout):
                addresses = await resolve(
                    target.host, target.port, allow_private=self._allow_private
                )
                for address in addresses:
                    try:
                        _, connection = await loop.create_connection(
                            _Connection,
                            address,
                            target.port,
                            ssl=self.tls() if secure else None,
                            server_hostname=target.host if secure else None,
                        )
                    except OSError as error:  # ssl.SSLError is one too
                        failure = error
                    else:
                        return connection
        except TimeoutError:
            raise _refused("timeout", f"no connection within {timeout:g} s") from None
        raise _refused("network", f"the connection failed: {failure}")


class _Origin:
    """The connections to one scheme, host and port."""

    def __init__(self, poster: Poster, target: Target) -> None:
        self._poster = poster
        self._target = target
        self._idle: list[_Connection] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._used: set[_Connection] = set()

    async def send(self, request: bytes, timeout: float) -> int:
        """Send on an idle connection, a new one, or the first that becomes free."""
        while True:
            connection = self._take_idle()
            fresh = connection is None
            if connection is None:
                if self._open >= self._poster._connections:
                    await self._turn()
                    continue
                connection = await self._opened(timeout)
            self._used.add(connection)
            try:
                return await connection.send(request, timeout)
            except _Stale:
                if fresh:
                    raise _refused(
                        "network", "the connection was closed without an answer"
                    ) from None
            finally:
                self._used.discard(connection)
                self._release(connection)

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake()
            raise

    async def _opened(self, timeout: float) -> _Connection:
        self._open += 1
        try:
            return await self._poster.connect(self._target, timeout)
        except BaseException:
            self._open -= 1
            self._wake()
            raise

    def _take_idle(self) -> _Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and now - connection.since < IDLE_SECONDS:
                return connection
            connection.close()
            self._open -= 1
        return None

    def sweep(self) -> bool:
        """Close idle connections that nobody used for a while; whether none is left at all."""
        now = asyncio.get_running_loop().time()
        kept = [one for one in self._idle if one.usable and now - one.since < IDLE_SECONDS]
        for connection in self._idle:
            if connection not in kept:
                connection.close()
                self._open -= 1
        self._idle = kept
        return self._open == 0 and not self._waiting

    def _release(self, connection: _Connection) -> None:
        if connection.usable:
            connection.since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()
            self._open -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def close(self) -> None:
        """Close what is idle and what is in use."""
        for connection in (*self._idle, *self._used):
            connection.close()
        self._idle.clear()


class _Stale(Exception):
    """The connection ended before anything of an answer came."""


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.since = 0.0
        self.usable = True
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        # httptools has no types.
        self._parser: Any = httptools.HttpResponseParser(self)
        self._status = 0
        self._received = 0
        self._timeout = self._deadline = self._armed = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def send(self, request: bytes, timeout: float) -> int:
        """The status of the answer to `request`."""
        loop = asyncio.get_running_loop()
        if self._transport is None or self._transport.is_closing():
            self.usable = False
            raise _Stale
        self._status = self._received = 0
        answer = self._answer = loop.create_future()
        self._timeout = timeout
        self._deadline = loop.time() + timeout
        if self._timer is None or self._deadline < self._armed:
            self._arm(loop)
        self._transport.write(request)
        try:
            status: int = await answer
        finally:
            if not answer.done() or answer.cancelled():
                self.close()
            self._answer = None
        return status

    def close(self) -> None:
        """Close at once; a request under way fails."""
        self.usable = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look again at the deadline. One timer serves many requests: most end long before."""
        if self._timer is not None:
            self._timer.cancel()
        self._armed = self._deadline
        self._timer = loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._deadline:
            self._arm(loop)
        else:
            self._end(_refused("timeout", f"no answer within {self._timeout:g} s"))

    def _end(self, error: Exception) -> None:
        """Stop reading: the status counts where it came, whatever is wrong with the rest."""
        self.close()
        answer = self._answer
        if answer is None or answer.done():
            return
        if self._status >= 200:
            answer.set_result(self._status)
        else:
            answer.set_exception(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol: bytes of the answer, up to a bound."""
        if self._answer is None:
            self.close()  # nobody asked
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._status = 0
            self._end(_refused("network", f"the answer is not HTTP: {error}"))
            return
        if self._received > MAX_ANSWER and self._answer is not None and not self._answer.done():
            self._end(_refused("size", f"the answer is larger than {MAX_ANSWER} bytes"))

    def on_headers_complete(self) -> None:
        """Part of httptools' protocol."""
        self._status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        """Part of httptools' protocol: the answer is there, unless it was an interim one."""
        status, answer = self._status, self._answer
        if status < 200 or answer is None or answer.done():
            return
        if not self._parser.should_keep_alive():
            self.usable = False
        answer.set_result(status)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self.usable = False
        answer = self._answer
        if answer is None or answer.done():
            return
        if self._received == 0:
            answer.set_exception(_Stale())
        else:
            self._end(_refused("network", f"the connection broke: {exc or 'closed early'}"))


def _refused(reason: str, detail: str) -> OutgoingRefused:
    return OutgoingRefused(detail, reason=reason)
