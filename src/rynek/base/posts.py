"""The requests of the lean client (see delivery.py) and the connections to one receiver."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from rynek.base.connection import Connection, Ended, Outcome, Stale, refused

__all__ = ["IDLE_SECONDS", "Origin", "Post"]

IDLE_SECONDS: Final = 15.0
# A receiver answers quickly when its answers are there so soon, or come faster than they are read;
# one that needs longer, for each alone, gets fewer at once.
_QUICK_SECONDS: Final = 0.01
_SLOW_SECONDS: Final = 0.05
# One that leaves requests without an answer gets one at a time for so long.
_ALONE_SECONDS: Final = 600.0
Connect = Callable[[float, Ended], Awaitable[Connection]]
"""Makes a connection within so many seconds; OutgoingRefused when it cannot."""
Done = Callable[[Sequence[Any], Outcome], None]


class Post(msgspec.Struct, eq=False):
    """A request under way (see `opening`); `done` is called with the `tag`, and those of others
    that end in the same way at the same time.

    It `follows` others that were sent together with it; `fresh` is what was sent first on a new
    connection."""

    request: bytes
    timeout: float
    done: Done
    tag: object
    connection: Connection | None = None
    alone: bool = True
    follows: bool = False
    fresh: bool = False
    cancelled: bool = False

    def cancel(self) -> None:
        """Nobody waits for it any more: what was not sent is not sent, the connection is freed
        unless others are under way on it."""
        self.cancelled = True
        if self.connection is not None and self.alone:
            self.connection.close()


class Origin:
    """The connections to one scheme, host and port."""

    def __init__(self, connect: Connect, connections: int, pipeline: int) -> None:
        self._connect = connect
        self._connections = connections
        self._pipeline = pipeline
        self._idle: list[Connection] = []
        self._open = 0
        self._waiting: deque[Post] = deque()
        self._due = False
        self._used: dict[Connection, deque[Post]] = {}
        self._opening: dict[asyncio.Task[None], Post] = {}
        # So many requests at once on one connection; more than one not before a time.
        self._depth = 1
        self._alone_until = 0.0

    def begin(self, posts: Iterable[Post]) -> None:
        """Send, together with what else is begun in this turn of the loop: on idle connections, new
        ones, or the first that becomes free."""
        self._waiting.extend(posts)
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
            elif self._open < self._connections:
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
            connection = await self._connect(post.timeout, self._ended)
        except Exception as error:
            self._open -= 1
            self._go_on()
            _finish((post,), error)
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
            _finish((post,), refused("network", "the connection was closed at once"))

    def _ended(self, connection: Connection, outcome: Outcome, count: int) -> None:
        """A connection has answers to so many requests, or none will come."""
        posts = self._used[connection]
        if count < len(posts):
            ended = [posts.popleft() for _ in range(count)]
        else:
            ended = list(posts)
            self._free(connection)
        if not isinstance(outcome, int):
            for post in ended:
                post.connection = None
            stale = isinstance(outcome, Stale)
            again = [post for post in ended if post.follows or (stale and not post.fresh)]
            if again:
                ended = [post for post in ended if post not in again]
                self._begin_again(again, announced=connection.announced)
            if stale:
                outcome = refused("network", "the connection was closed without an answer")
        _finish(ended, outcome)
        if self._waiting:
            self._go_on()

    def _begin_again(self, posts: list[Post], *, announced: bool) -> None:
        """Send what a connection left without an answer before all others. A receiver that closes it
        without a word may not know what to do with several requests at once."""
        if any(post.follows for post in posts) and not announced:
            self._one_at_a_time()
        for post in posts:
            post.alone, post.follows = True, False
        self._waiting.extendleft(reversed(posts))

    def _one_at_a_time(self) -> None:
        """Send nothing but single requests for a while."""
        self._depth = 1
        self._alone_until = asyncio.get_running_loop().time() + _ALONE_SECONDS

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
            if self._depth < self._pipeline and now >= self._alone_until:
                self._depth = min(self._depth * 2, self._pipeline)
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
            if connection.unasked:
                self._one_at_a_time()
            connection.close()
            self._open -= 1
        return None

    def sweep(self) -> bool:
        """Close idle connections that nobody used for a while; whether none is left at all."""
        now = asyncio.get_running_loop().time()
        kept = [one for one in self._idle if one.usable and now - one.since < IDLE_SECONDS]
        for connection in self._idle:
            if connection not in kept:
                if connection.unasked:
                    self._one_at_a_time()
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
        ended = [post for post in (*waiting, *used, *opening.values()) if not post.cancelled]
        _finish(ended, refused("network", "the service is stopping"))
        for post in ended:
            post.cancelled = True
        self._idle.clear()
        await asyncio.gather(*opening, return_exceptions=True)


def _finish(posts: Iterable[Post], outcome: Outcome) -> None:
    """Tell of an outcome, with one call to those who posted several in a row."""
    done: Done | None = None
    tags: list[Any] = []
    for post in posts:
        post.connection = None
        if post.cancelled:
            continue
        if done is not None and post.done != done:
            done(tags, outcome)
            tags = []
        done = post.done
        tags.append(post.tag)
    if done is not None:
        done(tags, outcome)
