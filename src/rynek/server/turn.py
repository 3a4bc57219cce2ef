"""One request over HTTP/1 and its answer, as an ASGI application sees them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rynek.server.connection import Connection

App = Callable[..., Awaitable[None]]
Message = MutableMapping[str, Any]
Headers = Iterable[tuple[bytes, bytes]]

WHOLE: Final = "rynek.whole"
"""The extension of ASGI by which an application answers in one call (`Turn.whole`)."""
BODY: Final = "rynek.body"
"""The extension by which it takes a body that has come (`Turn.body`)."""

_logger = logging.getLogger(__name__)
# So much of a body is held before the application takes it; then the client has to wait.
_HELD_BYTES: Final = 262_144
# An answer up to this size is joined with its head; of a larger one no copy is made.
_JOINED_BYTES: Final = 65_536
_BODILESS: Final = frozenset((204, 304))
_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Turn:
    """What `receive` and `send` of one request stand for. The parser fills the body in."""

    is_complete = False  # all of its body has come
    is_over = False  # it is answered
    cut = False  # no more of it comes
    held = 0  # bytes of the body that the application has not taken
    task: asyncio.Task[None] | None = None
    _told = False
    _waiter: asyncio.Future[None] | None = None
    _head: Message | None = None
    _chunked = False
    _left = -1  # bytes of the answer that were promised and not sent; -1: nobody said

    def __init__(
        self, connection: Connection, scope: dict[str, Any], *, expects: bool, keep_alive: bool
    ) -> None:
        self._connection = connection
        self.scope = scope
        self.keep_alive = keep_alive
        self._expects = expects
        self._chunks: list[bytes] = []
        scope["extensions"] = {WHOLE: self.whole, BODY: self.body}

    async def run(self, app: App) -> None:
        """Let the application answer."""
        if self._connection.is_slow:
            await self._connection.drained()  # the answers before this one
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            _logger.exception("an answer failed")
        finally:
            # Without a circle memory is free at once, and is used again while it is in the cache:
            # a fourth of what a get costs.
            self.scope["extensions"].clear()
            if not self.is_over:
                self._connection.failed(self, begun=self._head is _SENT)

    # What the parser says

    def add(self, chunk: bytes) -> None:
        """More of the body."""
        self._chunks.append(chunk)
        self.held += len(chunk)
        self.wake()

    def complete(self) -> None:
        """The body has ended."""
        self.is_complete = True
        self.wake()

    @property
    def is_full(self) -> bool:
        """Whether the client should wait with more."""
        return self.held > _HELD_BYTES and not self.is_over

    def wake(self) -> None:
        """Something has happened that `receive` may wait for."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the application does

    def body(self) -> bytes | None:
        """All of the body, where it has come and nothing of it was taken; else None."""
        if not self.is_complete or self._told:
            return None
        self._told = True
        chunks = self._chunks
        if not chunks:
            return b""
        body = b"".join(chunks) if len(chunks) > 1 else chunks[0]
        chunks.clear()
        if self.held:
            self.held = 0
            self._connection.pace()
        return body

    async def receive(self) -> Message:
        """A piece of the body; when there is no more, the end of the connection or the answer."""
        if self._expects and not self.is_complete and self._head is None:
            self._expects = False
            if not self.cut and not self.is_over:
                self._connection.write(_CONTINUE)
        while True:
            if not self._told and (self._chunks or self.is_complete):
                body = b"".join(self._chunks) if len(self._chunks) != 1 else self._chunks[0]
                self._chunks.clear()
                self._told = self.is_complete
                if self.held:
                    self.held = 0
                    self._connection.pace()
                return {"type": "http.request", "body": body, "more_body": not self._told}
            if self.cut or self.is_over:
                return {"type": "http.disconnect"}
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    async def send(self, message: Message) -> None:
        """The head, which leaves with the first piece of the body; pieces of the body. Waits while
        the client reads too slowly. What is sent to one who has gone is dropped."""
        if self.is_over:
            return
        if message["type"] == "http.response.start":
            self._head = message
            return
        connection = self._connection
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._chunked or self._left != -1 or self._head is None or self._head is _SENT:
            self._go_on(body, more=more)
        else:
            self._begin(self._head["status"], self._head.get("headers", ()), body, more=more)
            self._head = _SENT
        if not more:
            self.is_over = True
            if self._left > 0:
                self.keep_alive = False
            connection.finished(self)
            return
        connection.push()
        if connection.is_slow:
            await connection.drained()

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """The answer at once: what two messages to `send` would say."""
        if self.is_over:
            return
        head = b""
        if status == 204 and type(headers) is list and len(headers) == 1 and not self._expects:
            head = _head_without_body(self.scope["http_version"], *headers[0])
        if head:
            self._connection.write(head + self._connection.last_lines(self))
        else:
            self._begin(status, headers, body, more=False)
        self.is_over = True
        if self._left > 0:
            self.keep_alive = False
        self._connection.finished(self)

    def _begin(self, status: int, headers: Headers, body: bytes, *, more: bool) -> None:
        text = self._lines(status, headers, len(body), more=more)
        if self.scope["method"] == "HEAD" or status in _BODILESS:
            self._left = 0
            body = b""
        elif self._chunked:
            body = _chunk(body, more=more)
        elif self._left != -1:
            body = self._counted(body)
        if len(body) > _JOINED_BYTES:
            self._connection.write(text)
            self._connection.write(body)
        else:
            self._connection.write(text + body)

    def _lines(self, status: int, headers: Headers, size: int, *, more: bool) -> bytes:
        """The head of the answer; ValueError for one that would say something else."""
        parts = [_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        length = None
        for name, value in headers:
            if name == b"connection":  # said in `last_lines`
                self.keep_alive = self.keep_alive and value.lower() != b"close"
                continue
            parts += (name, b": ", value, b"\r\n")
            if name == b"content-length":
                length = value
        if self._expects and not self.is_complete:
            # Whether the body comes after this, only the client knows (RFC 9110 §10.1.1).
            self.keep_alive = False
        lines = len(parts) // 4 + 1
        if length is not None:
            self._left = int(length)
        elif self.scope["method"] != "HEAD" and status not in _BODILESS:
            if not more:
                parts.append(b"content-length: %d\r\n" % size)
                lines += 1
            elif self.scope["http_version"] == "1.0":
                self.keep_alive = False
            else:
                self._chunked = True
                parts.append(b"transfer-encoding: chunked\r\n")
                lines += 1
        if self.scope["http_version"] == "1.0":
            parts[0] = b"HTTP/1.0" + parts[0][8:]
        text = b"".join(parts)
        if text.count(b"\n") != lines or text.count(b"\r") != lines:
            raise ValueError("a header of an answer has more than one line")
        return text + self._connection.last_lines(self)

    def _go_on(self, body: bytes, *, more: bool) -> None:
        if self._head is None:
            raise RuntimeError("the body of an answer came before its head")
        if self._chunked:
            self._connection.write(_chunk(body, more=more))
        elif self._left == -1:
            self._connection.write(body)
        else:
            self._connection.write(self._counted(body))

    def _counted(self, body: bytes) -> bytes:
        """No more of the body than was promised."""
        body = body[: self._left] if len(body) > self._left else body
        self._left -= len(body)
        return body


_SENT: Final[Message] = {}


@lru_cache(maxsize=64)
def _head_without_body(version: str, name: bytes, value: bytes) -> bytes:
    """The head of a 204 with one header, which most writes are answered by, but for its last lines;
    nothing where it is not as simple as that."""
    if version != "1.1" or name == b"connection" or b"\n" in name + value or b"\r" in name + value:
        return b""
    return b"%b%b: %b\r\n" % (_LINES[204], name, value)


def _chunk(body: bytes, *, more: bool) -> bytes:
    last = b"" if more else _LAST_CHUNK
    return b"%x\r\n%b\r\n%b" % (len(body), body, last) if body else last
