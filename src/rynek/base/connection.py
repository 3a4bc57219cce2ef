"""One connection of the lean client that posts (see delivery.py): a request, then its answer's status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import httptools

from rynek.base.errors import OutgoingRefused

__all__ = ["MAX_ANSWER", "Connection", "Ended", "Outcome", "Stale", "refused"]

MAX_ANSWER: Final = 64 * 1024

Outcome = int | Exception
"""The status of an answer, or why there is none."""


class Stale(Exception):
    """The connection ended before anything of an answer came."""


class Connection(asyncio.Protocol):
    """One connection, one request at a time; `ended` is called with what came of each."""

    def __init__(self, ended: Ended) -> None:
        self.since = 0.0
        self._ended = ended
        self._kept = True
        self._transport: asyncio.Transport | None = None
        self._asked = False
        self._complete = False
        # httptools has no types.
        self._parser: Any = httptools.HttpResponseParser(self)
        self._status = 0
        self._received = 0
        # An answer that came in one piece, alone and to its end: the same bytes say the same again.
        self._usual = b""
        self._status_of_usual = 0
        self._timeout = self._deadline = self._armed = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        transport = self._transport
        return self._kept and transport is not None and not transport.is_closing()

    def start(self, request: bytes, timeout: float, loop: asyncio.AbstractEventLoop) -> None:
        """Send a request, on a connection that is usable and was not asked anything."""
        assert self._transport is not None
        self._status = self._received = 0
        self._asked, self._complete = True, False
        self._timeout = timeout
        self._deadline = loop.time() + timeout
        if self._timer is None or self._deadline < self._armed:
            self._arm(loop)
        self._transport.write(request)

    def close(self) -> None:
        """Close at once; a request under way ends as `connection_lost` finds it."""
        self._kept = False
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
        if not self._asked:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._deadline:
            self._arm(loop)
        else:
            self._break(refused("timeout", f"no answer within {self._timeout:g} s"))

    def _break(self, error: Exception) -> None:
        """Stop reading: the status counts where it came, whatever is wrong with the rest."""
        self.close()
        self._finish(self._status if self._status >= 200 else error)

    def _finish(self, outcome: Outcome) -> None:
        if self._asked:
            self._asked = False
            self._ended(self, outcome)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol: bytes of the answer, up to a bound."""
        if not self._asked:
            self.close()  # nobody asked
            return
        if data == self._usual and not self._received:
            self._finish(self._status_of_usual)
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._kept = False
            if not self._complete:
                self._status = 0
                self._break(refused("network", f"the answer is not HTTP: {error}"))
                return
        if self._complete:
            if self._kept and self._received == len(data):
                # Most receivers give the same answer, to the byte, all the time.
                self._usual, self._status_of_usual = data, self._status
            self._finish(self._status)
        elif self._received > MAX_ANSWER:
            self._break(refused("size", f"the answer is larger than {MAX_ANSWER} bytes"))

    def on_message_begin(self) -> None:
        """Part of httptools' protocol; a second answer to one request ends the connection."""
        if self._complete:
            self._kept = False

    def on_headers_complete(self) -> None:
        """Part of httptools' protocol."""
        if not self._complete:
            self._status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        """Part of httptools' protocol: the answer is there, unless it was an interim one."""
        if self._status < 200 or self._complete:
            return
        self._complete = True
        if not self._parser.should_keep_alive():
            self._kept = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self._kept = False
        if self._asked and self._received == 0:
            self.close()
            self._finish(Stale())
        elif self._asked:
            self._break(refused("network", f"the connection broke: {exc or 'closed early'}"))


Ended = Callable[[Connection, Outcome], None]


def refused(reason: str, detail: str) -> OutgoingRefused:
    """Why there is no answer."""
    return OutgoingRefused(detail, reason=reason)
