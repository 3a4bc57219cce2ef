"""HTTP/1 on the event loop itself: llhttp reads, one task a request answers.

A server with a thread of its own hands the interpreter's lock to and fro for every request, and a
get that follows a write waits for it; here nothing is handed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from email.utils import formatdate
from typing import Final, cast

from rynek.base import settings
from rynek.server.connection import Connection
from rynek.server.listening import BACKLOG
from rynek.server.turn import App

_SWEEP_SECONDS: Final = 0.5


class Plain:
    """What answers on `sock` without TLS, with at most `most` connections: it has the face of
    `Workers`."""

    def __init__(self, sock: socket.socket, server: settings.Server, most: int) -> None:
        self._sock = sock
        self._idle_seconds = server.idle_seconds
        self._most = most
        self._server: asyncio.Task[asyncio.Server] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.date = b""
        self.outgoing: list[tuple[asyncio.Transport, bytes]] = []
        self.first = 0.0  # when the first of these came
        self._note_date()
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.is_ending = False
        self._empty = asyncio.Event()
        self.app: App = _nobody

    def begin(self, app: App) -> None:
        """Take connections for an ASGI application."""
        self.app = app
        made = self.loop.create_server(
            lambda: Connection(self), sock=self._sock.dup(), backlog=BACKLOG
        )
        self._server = cast("asyncio.Task[asyncio.Server]", self.loop.create_task(made))
        self._timer = self.loop.call_later(_SWEEP_SECONDS, self._sweep)

    def renew(self) -> None:
        """There is no certificate to renew."""

    async def end(self, seconds: float) -> None:
        """Take no more connections; wait for the open ones for so long."""
        self.is_ending = True
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            (await self._server).close()
        for one in list(self.connections):
            one.leave()
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(seconds):
                while self.connections:
                    self._empty.clear()
                    await self._empty.wait()
        for one in list(self.connections):
            one.abort()

    @property
    def working(self) -> bool:
        """Whether connections are taken."""
        task = self._server
        if task is None or self.is_ending:
            return False
        return not task.done() or (task.exception() is None and task.result().is_serving())

    @property
    def fault(self) -> str:
        """What ended it, as far as it says."""
        task = self._server
        if task is None or not task.done() or task.exception() is None:
            return "it gives no reason"
        return f"{type(task.exception()).__name__}: {task.exception()}"

    def left(self, connection: Connection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    @property
    def is_full(self) -> bool:
        """Whether there are more connections than there may be."""
        return len(self.connections) > self._most

    def flush(self) -> None:
        """Send the answers that were made in this turn of the loop, one after another: that costs a
        third less than each by itself, as client and server then wake up once for many."""
        out, self.outgoing = self.outgoing, []
        for transport, data in out:
            try:
                transport.write(data)
            except RuntimeError:  # this one has just ended; the others have not
                continue

    def _note_date(self) -> None:
        """The time of an answer (RFC 9110 §6.6.1), to the second or so."""
        self.date = b"date: %b\r\n\r\n" % formatdate(usegmt=True).encode()

    def spare_seconds(self, wanted: float) -> float:
        """How long ago a connection must have begun to wait, to be ended in `wanted` seconds."""
        return self._idle_seconds - wanted

    def _sweep(self) -> None:
        """End connections whose next request has not come in time, whole."""
        self._timer = self.loop.call_later(_SWEEP_SECONDS, self._sweep)
        self._note_date()
        before = self.loop.time() - self._idle_seconds
        for one in list(self.connections):
            if one.since < before and not one.still_sends():
                one.abort()


async def _nobody(*_: object) -> None:
    """No application yet."""
