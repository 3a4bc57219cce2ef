"""A receiver of notifications on the loopback interface."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self


class Received(NamedTuple):
    """One notification: path, headers in lower case, body."""

    path: str
    headers: dict[str, str]
    body: Any


class Receiver:
    """Takes notifications; `answers` gives the status for each, 200 unless told otherwise."""

    def __init__(self, answers: Callable[[Received], int | bytes] | None = None) -> None:
        self.received: list[Received] = []
        self._answers = answers or (lambda _: 200)
        self._arrived = asyncio.Event()
        self.delay = 0.0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def uri(self, path: str = "/notify") -> str:
        """The URI to subscribe with."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def wait(self, count: int, timeout: float = 60.0) -> list[Received]:
        """The first `count` notifications, once they are there."""
        until = time.monotonic() + timeout
        while len(self.received) < count:
            self._arrived.clear()
            left = until - time.monotonic()
            assert left > 0, f"{len(self.received)} of {count} notifications came"
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                continue
        return self.received[:count]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                pairs = [line.partition(": ") for line in lines if line]
                headers = {name.lower(): value for name, _, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                got = Received(first.split()[1], headers, json.loads(body))
                if self.delay:
                    await asyncio.sleep(self.delay)
                answer = self._answers(got)
                self.received.append(got)
                self._arrived.set()
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
