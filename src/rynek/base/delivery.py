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
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from rynek.base.addresses import resolve
from rynek.base.connection import MAX_ANSWER, Connection, Ended, Outcome, Stale, refused

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
IDLE_SECONDS: Final = 15.0
# A receiver answers quickly when its answers are there so soon, or come faster than they are read;
# one that needs longer, for each alone, gets fewer at once.
_QUICK_SECONDS: Final = 0.01
_SLOW_SECONDS: Final = 0.05
# One that leaves requests without an answer gets one at a time for so long.
_ALONE_SECONDS: Final = 600.0
T = TypeVar("T")
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

        def done(_: object, outcome: Outcome) -> None:
            if answer.done():
                return
            if isinstance(outcome, int):
                answer.set_result(outcome)
            else:
                answer.set_exception(outcome)

        under_way = self.start(target, opening(target, head), body, timeout, done, None)
        try:
            return await answer
        except asyncio.CancelledError:
            under_way.cancel()
            raise

    def start(
        self,
        target: Target,
        opened: bytes,
        body: bytes,
        timeout: float,
        done: Callable[[T, Outcome], None],
        tag: T,
    ) -> Post:
        """`post` without a task: `opened` is what `opening` made, and `done` is called once, with
        `tag`, unless what this returns is cancelled before."""
        post = Post(b"%b%d\r\n\r\n%b" % (opened, len(body), body), timeout, done, tag)
        origin = self._origins.get(target.origin)
        if origin is None:
            origin = self._origins[target.origin] = Origin(self, target)
        if self._sweeper is None:
            self._sweep_later()
        origin.begin(post)
        return post

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
    """What every request to a target with these header lines begins with."""
    return b"POST %b HTTP/1.1\r\n%bContent-Length: " % (target.path.encode("ascii"), head)


class Post:
    """A request under way; it `follows` others that were sent together with it, and `fresh` is what
    was sent first on a new connection."""

    __slots__ = (
        "alone", "cancelled", "connection", "done", "follows", "fresh", "request", "tag", "timeout",
    )  # fmt: skip

    def __init__(
        self, request: bytes, timeout: float, done: Callable[[Any, Outcome], None], tag: object
    ) -> None:
        self.request = request
        self.timeout = timeout
        self.done = done
        self.tag = tag
        self.connection: Connection | None = None
        self.alone = True
        self.follows = False
        self.fresh = False
        self.cancelled = False

    def cancel(self) -> None:
        """Nobody waits for it any more: what was not sent is not sent, the connection is freed
        unless others are under way on it."""
        self.cancelled = True
        if self.connection is not None and self.alone:
            self.connection.close()


class Origin:
    """The connections to one scheme, host and port."""

    def __init__(self, poster: Poster, target: Target) -> None:
        self._poster = poster
        self._target = target
        self._idle: list[Connection] = []
        self._open = 0
        self._waiting: deque[Post] = deque()
        self._due = False
        self._used: dict[Connection, deque[Post]] = {}
        self._opening: dict[asyncio.Task[None], Post] = {}
        # So many requests at once on one connection; more than one not before a time.
        self._depth = 1
        self._alone_until = 0.0

    def begin(self, post: Post) -> None:
        """Send, together with what else is begun in this turn of the loop: on idle connections, new
        ones, or the first that becomes free."""
        self._waiting.append(post)
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._due = False
        waiting = self._waiting
        loop = asyncio.get_running_loop()
        while waiting:
            if waiting[0].cancelled:
                waiting.popleft()
                continue
            connection = self._take_idle(loop.time())
            if connection is not None:
                self._send(connection, loop)
            elif self._open < self._poster.connections:
                self._open += 1
                post = waiting.popleft()
                task = loop.create_task(self._open_for(post))
                self._opening[task] = post
                task.add_done_callback(self._opening.pop)
            else:
                return

    def _send(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Send as many of those that wait as are good for one connection; there is one."""
        waiting = self._waiting
        first = waiting.popleft()
        depth = self._depth if connection.proven else 1
        if depth == 1 or not waiting:
            self._ask(connection, deque((first,)), first.request, loop)
            return
        posts = deque((first,))
        timeout = first.timeout
        while waiting and len(posts) < depth and waiting[0].timeout == timeout:
            post = waiting.popleft()
            if not post.cancelled:
                post.alone, post.follows, post.connection = False, True, connection
                posts.append(post)
        first.alone = len(posts) == 1
        self._ask(connection, posts, b"".join([post.request for post in posts]), loop)

    def _ask(
        self,
        connection: Connection,
        posts: deque[Post],
        requests: bytes,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._used[connection] = posts
        posts[0].connection = connection
        connection.start(requests, len(posts), posts[0].timeout, loop)

    async def _open_for(self, post: Post) -> None:
        try:
            connection = await self._poster.connect(self._target, post.timeout, self._ended)
        except Exception as error:
            self._open -= 1
            self._go_on()
            if not post.cancelled:
                post.done(post.tag, error)
            return
        except BaseException:
            self._open -= 1
            raise
        loop = asyncio.get_running_loop()
        if post.cancelled:
            connection.since = loop.time()
            self._idle.append(connection)
            self._go_on()
        elif connection.usable:
            post.fresh = True
            self._ask(connection, deque((post,)), post.request, loop)
        else:
            self._open -= 1
            self._go_on()
            post.done(post.tag, refused("network", "the connection was closed at once"))

    def _ended(self, connection: Connection, outcome: Outcome, count: int) -> None:
        """A connection has answers to so many requests, or none will come."""
        posts = self._used[connection]
        if count < len(posts):
            ended = [posts.popleft() for _ in range(count)]
        else:
            ended = list(posts)
            self._free(connection)
        again = []
        for post in ended:
            post.connection = None
            if post.cancelled:
                continue
            if isinstance(outcome, int):
                post.done(post.tag, outcome)
            elif post.follows or (isinstance(outcome, Stale) and not post.fresh):
                again.append(post)
            else:
                if isinstance(outcome, Stale):
                    outcome = refused("network", "the connection was closed without an answer")
                post.done(post.tag, outcome)
        if again:
            self._begin_again(again, announced=connection.announced)
        if self._waiting:
            self._go_on()

    def _begin_again(self, posts: list[Post], *, announced: bool) -> None:
        """Send what a connection left without an answer before all others. A receiver that closes it
        without a word may not know what to do with several requests at once."""
        if any(post.follows for post in posts) and not announced:
            self._depth = 1
            self._alone_until = asyncio.get_running_loop().time() + _ALONE_SECONDS
        for post in posts:
            post.alone, post.follows = True, False
        self._waiting.extendleft(reversed(posts))

    def _free(self, connection: Connection) -> None:
        """Everything that was asked on a connection has ended."""
        del self._used[connection]
        if not connection.usable:
            connection.close()
            self._open -= 1
            return
        now = asyncio.get_running_loop().time()
        took = now - connection.since
        connection.since = now
        self._idle.append(connection)
        if took < _QUICK_SECONDS or connection.pieces * 2 <= connection.asked:
            if self._depth < self._poster.pipeline and now >= self._alone_until:
                self._depth = min(self._depth * 2, self._poster.pipeline)
        elif took > _SLOW_SECONDS and connection.pieces >= connection.asked and self._depth > 1:
            self._depth //= 2

    def _go_on(self) -> None:
        """A connection, or the place for one, is free: whoever waits longest has it."""
        if self._waiting and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _take_idle(self, now: float) -> Connection | None:
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

    async def aclose(self) -> None:
        """Close what is idle and what is in use; nothing waits any more."""
        waiting, self._waiting = self._waiting, deque()
        opening = dict(self._opening)
        for task in opening:
            task.cancel()
        for connection in (*self._idle, *self._used):
            connection.close()
        used = [post for posts in self._used.values() for post in posts]
        for post in (*waiting, *used, *opening.values()):
            if post.cancelled:
                continue
            post.cancelled = True
            post.done(post.tag, refused("network", "the service is stopping"))
        self._idle.clear()
        await asyncio.gather(*opening, return_exceptions=True)
