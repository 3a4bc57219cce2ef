"""One connection that speaks HTTP/1: llhttp reads it, `Turn` answers."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote_to_bytes

import httptools

from rynek.server.refusals import FAILED, Refused, check_head, reason_of, refusal, says_continue
from rynek.server.turn import Turn

if TYPE_CHECKING:
    from rynek.server.plain import Plain

# Of one request's head (and of what else is not its body).
_HEAD_BYTES: Final = 131_072
_HEADERS: Final = 100
_ADDRESS_BYTES: Final = 65_535
# Requests that came before the one ahead of them was answered.
_PIPELINED: Final = 128
# So much of a body that nobody wants is read to keep the connection; for so long the rest is
# thrown away, so that the client sees the answer before the end.
_UNWANTED_BYTES: Final = 262_144
_LINGER_SECONDS: Final = 2.0
# For so long answers wait for each other, at most, before they are sent.
_TOGETHER_SECONDS: Final = 0.0004
# Headers that say how the request is to be read.
_TELLING: Final = frozenset((b"host", b"expect", b"transfer-encoding", b"upgrade"))
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_NEVER: Final = float("inf")


class Connection(asyncio.Protocol):
    """One connection: one request after the other, each answered before the next."""

    def __init__(self, listener: Plain) -> None:
        self._listener = listener
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._current: Turn | None = None  # the one that is answered
        self._coming: Turn | None = None  # the one whose body comes
        self._waiting: deque[Turn] = deque()
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._told: dict[bytes, bytes] = {}
        self._unseen = 0
        self._unwanted = _UNWANTED_BYTES
        self._is_paused = False
        self._is_deaf = False  # nothing more is read: what comes is thrown away
        self._is_half = False  # the client says no more
        self._drain: asyncio.Future[None] | None = None
        self.is_slow = False
        # Since when the next request is awaited; never, while one is answered.
        self.since = listener.loop.time()

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = cast("asyncio.Transport", transport)
        self._listener.connections.add(self)
        if self._listener.is_full:
            self.abort()
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._client = tuple(peer[:2]) if peer else None
        self._own = tuple(own[:2]) if own else None

    def data_received(self, data: bytes) -> None:
        """Something of a request, or of several."""
        if self._is_deaf:
            return
        self._unseen += len(data)
        upgrade_at = -1
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            upgrade_at = upgrade.args[0]
        except httptools.HttpParserError as error:
            self._refuse(reason_of(error))
            return
        if upgrade_at != -1:
            self._decline(data[upgrade_at:])
        elif self._unseen > _HEAD_BYTES:
            what = f"the head of a request is longer than {_HEAD_BYTES} bytes"
            self._refuse(Refused(431, what))

    def _decline(self, rest: bytes) -> None:
        """Go on in HTTP/1 after a request for another protocol (RFC 9110 §7.8)."""
        turn = self._coming
        if turn is None:  # CONNECT: what follows would be no HTTP
            self._is_deaf = True
            last = self._waiting[-1] if self._waiting else self._current
            if last is not None:
                last.keep_alive = False
            return
        # llhttp ends at such a head and leaves the body out: another parser is told of it alone.
        framing = [b"%b: %b\r\n" % pair for pair in turn.scope["headers"] if pair[0] in _FRAMING]
        if not turn.keep_alive:
            framing.append(b"connection: close\r\n")
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
        if rest:
            self.data_received(rest)

    def eof_received(self) -> bool:
        """The client says no more; it may still read."""
        self._is_deaf = self._is_half = True
        if self._current is None or self._current.is_over:
            self._listener.flush()  # once closed, nothing is taken any more
            return False
        for one in (self._current, *self._waiting):
            one.cut = True
            one.wake()
        one.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        del exc
        self._listener.left(self)
        self._is_deaf = True
        for one in (self._current, *self._waiting):
            if one is not None:
                one.cut = one.is_over = True
                one.wake()
        self._waiting.clear()
        self.resume_writing()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self.is_slow = True

    def resume_writing(self) -> None:
        """It has read."""
        self.is_slow = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)
        self._drain = None

    # From the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._headers, self._told = b"", [], {}

    def on_url(self, url: bytes) -> None:
        """A part of its target."""
        self._url += url
        if len(self._url) > _ADDRESS_BYTES:
            raise Refused(414, f"the address is longer than {_ADDRESS_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the body, one that nobody reads."""
        if self._coming is not None:
            return
        name = name.lower()
        if value[-1:] <= b" ":
            value = value.rstrip(b" \t")  # llhttp leaves it there (RFC 9112 §5.1)
        if name in _TELLING:
            if name in self._told and name != b"upgrade":
                raise Refused(400, f"the header {name.decode()} stands twice")
            self._told[name] = value
        self._headers.append((name, value))
        if len(self._headers) > _HEADERS:
            raise Refused(431, f"a request has more than {_HEADERS} headers")

    def on_headers_complete(self) -> None:
        """A request that can be answered."""
        self._unseen = 0
        if self._coming is not None:  # an upgrade was declined
            return
        told, version = self._told, self._parser.get_http_version()
        if version != "1.1" or len(told) != 1 or b"host" not in told:
            check_head(version, told)
        turn = self._coming = Turn(
            self,
            self._scope(version),
            expects=b"expect" in told and says_continue(version, told),
            keep_alive=self._parser.should_keep_alive()
            and not self._listener.is_ending
            # Whoever passed these on may not know where the next request begins (RFC 9112 §6.1).
            and (version != "1.0" or b"transfer-encoding" not in told),
        )
        if self._current is None:
            self._answer(turn)
        elif len(self._waiting) < _PIPELINED:
            self._waiting.append(turn)
            self.pace()
        else:
            raise Refused(400, f"more than {_PIPELINED} requests came before their answers")

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self._unseen = 0
        turn = self._coming
        assert turn is not None
        if not turn.is_over:
            turn.add(body)
            if turn.is_full:
                self.pace()
            return
        self._unwanted -= len(body)
        if self._unwanted < 0:
            self._linger()

    def on_message_complete(self) -> None:
        """All of it has come."""
        self._unseen = 0
        if b"upgrade" in self._told and self._parser.should_upgrade():
            return  # but for what an upgrade leaves out
        turn, self._coming = self._coming, None
        if turn is not None:
            turn.complete()
            if turn.is_over and turn is self._current:
                self._next()

    def _scope(self, version: str) -> dict[str, Any]:
        parser, url = self._parser, self._url
        path, _, query = url.partition(b"?")
        if url[:1] != b"/" and url != b"*":
            try:
                parsed = httptools.parse_url(url)
            except httptools.HttpParserInvalidURLError:
                raise Refused(400, "the address is none of this service") from None
            if parsed.schema is None:
                raise Refused(400, "the address is none of this service")
            path, query = parsed.path or b"/", parsed.query or b""
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self._own,
            "client": self._client,
            "scheme": "http",
            "method": parser.get_method().decode("ascii"),
            "root_path": "",
            "path": (unquote_to_bytes(path) if b"%" in path else path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "headers": self._headers,
            "state": {},
        }

    # From the turns

    def write(self, data: bytes) -> None:
        """Send it, some time."""
        listener = self._listener
        out = listener.outgoing
        if not out:
            listener.loop.call_soon(listener.flush)
            listener.first = perf_counter()
        out.append((self._transport, data))
        if perf_counter() - listener.first > _TOGETHER_SECONDS:
            listener.flush()

    def push(self) -> None:
        """Send what is to be sent."""
        self._listener.flush()

    def last_lines(self, turn: Turn) -> bytes:
        """The end of an answer's head."""
        date = self._listener.date
        if not turn.keep_alive:
            return b"connection: close\r\n" + date
        if turn.scope["http_version"] == "1.0":
            return b"connection: keep-alive\r\n" + date
        return date

    async def drained(self) -> None:
        """Wait until the client has read, or has gone."""
        while self.is_slow:
            if self._drain is None:
                self._drain = self._listener.loop.create_future()
            await asyncio.shield(self._drain)

    def pace(self) -> None:
        """Read on, unless enough waits here."""
        coming = self._coming
        full = bool(self._waiting) or (coming is not None and coming.is_full)
        if full != self._is_paused and not self._transport.is_closing():
            self._is_paused = full
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def finished(self, turn: Turn) -> None:
        """An answer is on its way, whole."""
        if turn is not self._current:
            return
        turn.wake()
        if turn.keep_alive and not self._listener.is_ending:
            if turn.is_complete:
                self._next()
            else:
                self._unwanted = _UNWANTED_BYTES - turn.held
                self.since = self._listener.loop.time()
                self.pace()
        elif turn.is_complete:
            self._close()
        else:
            self._linger()

    def failed(self, turn: Turn, *, begun: bool) -> None:
        """The application gave no answer, or only a part of one."""
        turn.is_over = True
        if turn is not self._current:
            return
        if not begun and not self._transport.is_closing():
            is_head = turn.scope["method"] == "HEAD"
            self.write(refusal(500, FAILED, self._listener.date, is_head=is_head))
            self._linger()
        else:
            self.abort()

    # Its end

    def leave(self) -> None:
        """Go, when nothing is being answered, or else after that."""
        if self._current is None:
            self._close()
        else:
            self._current.keep_alive = False

    def still_sends(self) -> bool:
        """Whether an answer is under way: then the wait for what comes next begins anew. Who does
        not read at all is the kernel's business (TCP_USER_TIMEOUT)."""
        if self._transport.get_write_buffer_size() == 0:
            return False
        self.since = self._listener.loop.time()
        return True

    def abort(self) -> None:
        """Go at once."""
        self._is_deaf = True
        self._transport.abort()

    def _answer(self, turn: Turn) -> None:
        self._current = turn
        self.since = _NEVER
        turn.task = self._listener.loop.create_task(turn.run(self._listener.app))

    def _next(self) -> None:
        self._current = None
        if self._waiting:
            self._answer(self._waiting.popleft())
            self.pace()
            return
        self.since = self._listener.loop.time()
        if self._is_paused:
            self.pace()

    def _refuse(self, why: Refused) -> None:
        """What came is no request. Those before it are answered first."""
        self._is_deaf = True
        if self._current is not None and not self._current.is_over:
            last = self._waiting[-1] if self._waiting else self._current
            last.cut, last.keep_alive = not last.is_complete, False
            last.wake()
            return
        if self._current is None:
            self.write(refusal(why.status, why.detail, self._listener.date))
        self._linger()

    def _linger(self) -> None:
        """Say no more, and throw away what still comes: a connection that is closed with something
        unread in it takes the answer with it."""
        self._is_deaf = True
        if self._transport.is_closing():
            return
        if self._is_half:
            self._close()
            return
        self._listener.flush()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        self._current = None
        self._waiting.clear()
        self.since = self._listener.loop.time() - self._listener.spare_seconds(_LINGER_SECONDS)

    def _close(self) -> None:
        self._is_deaf = True
        self._listener.flush()
        self._transport.close()
