"""One connection of the lean client that posts (see delivery.py): requests, then the status of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from typing import Any, Final, cast

import httptools

from rynek.base.errors import OutgoingRefused

__all__ = ["MAX_ANSWER", "Connection", "Ended", "Outcome", "Stale", "refused"]

MAX_ANSWER: Final = 64 * 1024
_OK: Final = 200

Outcome = int | Exception
"""The status of an answer, or why there is none."""


class Stale(Exception):
    """The connection ended before anything of an answer came."""


class Connection(asyncio.Protocol):
    """One connection, asked one request, or several at once, at a time; `ended` is called with the
    outcome of as many as have the same, in the order in which they were sent."""

    def __init__(self, ended: Ended) -> None:
        self.since = 0.0
        # Requests of the last `start`, those that have no answer yet, the pieces in which answers came.
        self.asked = self.left = self.pieces = 0
        # Whether it stayed open after an answer, and speaks HTTP/1.1: it may be asked several.
        self.proven = False
        # Whether the receiver said that it closes it.
        self.announced = False
        # Whether an answer came that nobody asked for, while or after several requests were under
        # way: which request is answered by what cannot be told apart there.
        self.unasked = False
        self._ended = ended
        self._kept = True
        self._transport: asyncio.Transport | None = None
        # httptools has no types.
        self._parser: Any = httptools.HttpResponseParser(self)
        self._status = 0
        self._received = 0
        # Whether a part of an answer came, and the statuses of those that are there.
        self._inside = False
        self._statuses: list[int] = []
        # An answer that came in one piece, to its end: the same bytes say the same again.
        self._usual = b""
        self._status_of_usual = 0
        self._timeout = self._deadline = self._armed = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        transport = self._transport
        return self._kept and transport is not None and not transport.is_closing()

    def start(
        self, requests: bytes, count: int, timeout: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Send requests, on a connection that is usable and was not asked anything. Each has to be
        answered `timeout` seconds after the one before."""
        assert self._transport is not None
        self._status = self._received = self.pieces = 0
        self.asked = self.left = count
        self._timeout = timeout
        self.since = loop.time()
        self._deadline = self.since + timeout
        if self._timer is None or self._deadline < self._armed:
            self._arm(loop)
        self._transport.write(requests)

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
        if not self.left:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._deadline:
            self._arm(loop)
        else:
            self._break(refused("timeout", f"no answer within {self._timeout:g} s"))

    def _break(self, error: Exception) -> None:
        """Stop reading: the status counts where it came, whatever is wrong with the rest."""
        self.close()
        self._finish(self._status if self._status >= _OK else error, 1)
        self._finish(Stale(), self.left)

    def _finish(self, outcome: Outcome, count: int) -> None:
        """So many of those that have no answer yet have this one."""
        if count:
            self.left -= count
            self._ended(self, outcome, count)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol: bytes of answers, each up to a bound."""
        left = self.left
        if not left:
            self.unasked = self.asked > 1
            self.close()
            return
        self.pieces += 1
        usual = self._usual
        if usual and not self._inside:
            # Most receivers give the same answer, to the byte, all the time.
            count = len(data) // len(usual)
            if count <= left and data == (usual if count == 1 else usual * count):
                self._received = 0
                self._go_on(left - count)
                self._finish(self._status_of_usual, count)
                return
        whole = not self._inside
        self._received += len(data)
        failure = self._parse(data)
        statuses, self._statuses = self._statuses, []
        if len(statuses) > left or (len(statuses) == left and self._inside):
            self._kept = False  # an answer that nobody asked for
            if self.asked > 1:
                # Which of them it was nobody knows: whose answers these are neither.
                self.unasked = True
                self.close()
                self._finish(Stale(), left)
                return
        elif statuses and self._kept:
            self.proven = self._parser.get_http_version() == "1.1"
            if whole and len(statuses) == 1 and not self._inside:
                self._usual, self._status_of_usual = data, statuses[0]
        if statuses:
            self._received = 0
            self._go_on(left - len(statuses))
            for status, same in groupby(statuses[:left]):
                self._finish(status, len(list(same)))
        if failure is not None and self.left:
            self._status = 0
            self._break(failure)
        elif self._received > MAX_ANSWER:
            self._break(refused("size", f"the answer is larger than {MAX_ANSWER} bytes"))
        elif not self._kept and self.left:
            self.close()
            self._finish(Stale(), self.left)

    def _parse(self, data: bytes) -> OutgoingRefused | None:
        """Read on; what is wrong with it."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._kept = False
            return refused("network", f"the answer is not HTTP: {error}")
        return None

    def _go_on(self, left: int) -> None:
        """Answers came: wait as long for the next, where there are more to come."""
        if left > 0:
            self._deadline = asyncio.get_running_loop().time() + self._timeout

    def on_message_begin(self) -> None:
        """Part of httptools' protocol."""
        self._inside = True
        self._status = 0

    def on_headers_complete(self) -> None:
        """Part of httptools' protocol."""
        self._status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        """Part of httptools' protocol: an answer is there, unless it was an interim one."""
        self._inside = False
        if self._status < _OK:
            return
        self._statuses.append(self._status)
        self._status = 0
        if not self._parser.should_keep_alive():
            self._kept, self.announced = False, True

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self._kept = False
        if self.left and self._received == 0:
            self.close()
            self._finish(Stale(), self.left)
        elif self.left:
            self._break(refused("network", f"the connection broke: {exc or 'closed early'}"))


Ended = Callable[[Connection, Outcome, int], None]


def refused(reason: str, detail: str) -> OutgoingRefused:
    """Why there is no answer."""
    return OutgoingRefused(detail, reason=reason)
