"""A lean HTTP client that posts many small messages to few receivers and reads little back.

It connects only to checked addresses (see addresses.py), keeps connections alive, follows no
redirect, and bounds the time of a request and the bytes of an answer. A request costs a tenth of
what a general client takes, which is what sending thousands of notifications a second needs.

A receiver that answers quickly gets several requests at once on one connection (pipelining, RFC
9112 §9.3.2): whoever posts here can post again, as a notification may leave twice. What such a
connection leaves without an answer is posted again, alone.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from rynek.base.addresses import resolve
from rynek.base.connection import MAX_ANSWER, Connection, Ended, Outcome, refused
from rynek.base.posts import IDLE_SECONDS, Origin, Post

__all__ = [
    "CONNECTIONS",
    "MAX_ANSWER",
    "PIPELINE",
    "Post",
    "Poster",
    "Target",
    "opening",
    "parse_target",
]

CONNECTIONS: Final = 16
PIPELINE: Final = 16
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

    At most `connections` are open to one origin, and at most `pipeline` requests are under way on
    one; who needs more waits in line.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        connections: int = CONNECTIONS,
        pipeline: int = PIPELINE,
    ) -> None:
        self._allow_private = allow_private
        self.connections = connections
        self.pipeline = pipeline
        self._origins: dict[tuple[str, str, int], Origin] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def post(self, target: Target, head: bytes, body: bytes, timeout: float) -> int:
        """The status of the answer. `head` are the header lines, each ended by CRLF, with Host and
        without Content-Length. OutgoingRefused (reason: name, address, timeout, network, size)
        when there is no answer within `timeout` seconds, not counting the wait for a connection."""
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def done(_: Sequence[object], outcome: Outcome) -> None:
            if answer.done():
                return
            if isinstance(outcome, int):
                answer.set_result(outcome)
            else:
                answer.set_exception(outcome)

        request = b"%b%d\r\n\r\n%b" % (opening(target, head), len(body), body)
        under_way = Post(request, timeout, done, None)
        self.begin(target, (under_way,))
        try:
            return await answer
        except asyncio.CancelledError:
            under_way.cancel()
            raise

    def begin(self, target: Target, posts: Iterable[Post]) -> None:
        """`post` without a task; each is done once, unless it is cancelled before."""
        origin = self._origins.get(target.origin)
        if origin is None:
            origin = self._origins[target.origin] = Origin(
                partial(self.connect, target), self.connections, self.pipeline
            )
        if self._sweeper is None:
            self._sweep_later()
        origin.begin(posts)

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
        origins = list(self._origins.values())
        self._origins.clear()
        for origin in origins:
            await origin.aclose()
        await asyncio.sleep(0)

    def tls(self) -> ssl.SSLContext:
        """Certificates are checked; SSL_CERT_FILE names other authorities."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        return self._tls

    async def connect(self, target: Target, timeout: float, ended: Ended) -> Connection:
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
                            lambda: Connection(ended),
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
            raise refused("timeout", f"no connection within {timeout:g} s") from None
        raise refused("network", f"the connection failed: {failure}")


def opening(target: Target, head: bytes) -> bytes:
    """What every request to a target with these header lines begins with; the number of bytes of the
    body, an empty line and the body follow."""
    return b"POST %b HTTP/1.1\r\n%bContent-Length: " % (target.path.encode("ascii"), head)
