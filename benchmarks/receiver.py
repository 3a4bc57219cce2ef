"""A receiver of notifications in a process of its own, pinned to the second core."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, cast

import uvloop
from benchmarks import cores

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_FAILED = b"HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n"


class _State:
    """What came: how many, when the last; with `keep` also (notification, entity, value of its
    attribute `speed`), and what says the same counts once."""

    def __init__(self, fail: float, keep: bool) -> None:
        self.fail = fail
        self.keep = keep
        self.count = 0
        self.failed = 0
        self.last = 0.0
        self.kept: list[tuple[str, str, Any]] = []
        self.different: set[tuple[str, Any]] = set()
        self.draw = random.Random(7)

    def take(self, body: bytes) -> bytes:
        """The answer to one notification."""
        if self.fail and self.draw.random() < self.fail:
            self.failed += 1
            return _FAILED
        self.last = time.time()
        if not self.keep:
            self.count += 1
            return _OK
        document = json.loads(body)
        for entity in document["data"]:
            said = entity["id"], entity["speed"]["value"]
            self.kept.append((document["id"], *said))
            self.different.add(said)
        self.count = len(self.different)
        return _OK


class _Protocol(asyncio.Protocol):
    def __init__(self, state: _State) -> None:
        self._state = state
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        while True:
            head = buffer.find(b"\r\n\r\n")
            if head < 0:
                break
            at = buffer[:head].lower().find(b"content-length:")
            length = int(buffer[at + 15 : buffer.find(b"\r\n", at)])
            end = head + 4 + length
            if len(buffer) < end:
                break
            self._transport.write(self._state.take(buffer[head + 4 : end]))
            buffer = buffer[end:]
        self._buffer = buffer


class Receiver:
    """The receiver as seen from outside its process."""

    def __init__(self, pipe: Connection, port: int) -> None:
        self._pipe = pipe
        self.port = port

    @property
    def uri(self) -> str:
        """Where to notify."""
        return f"http://127.0.0.1:{self.port}/"

    def look(self) -> tuple[int, int, float]:
        """How many were taken, how many refused, and when the last was taken."""
        self._pipe.send("look")
        found: tuple[int, int, float] = self._pipe.recv()
        return found

    def kept(self) -> list[tuple[str, str, Any]]:
        """(notification, entity, value) of what was taken, in order."""
        self._pipe.send("kept")
        found: list[tuple[str, str, Any]] = self._pipe.recv()
        return found


@contextlib.contextmanager
def receiver(*, fail: float = 0.0, keep: bool = False, core: int = -1) -> Iterator[Receiver]:
    """A receiver that refuses a share `fail` of what comes, for the length of the block."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs, fail, keep, core), daemon=True)
    process.start()
    try:
        yield Receiver(ours, ours.recv())
    finally:
        process.kill()
        process.join()


def _main(pipe: Connection, fail: float, keep: bool, core: int) -> None:
    os.sched_setaffinity(0, {cores.ALL[core]})
    uvloop.run(_serve(pipe, _State(fail, keep)))


async def _serve(pipe: Connection, state: _State) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(state), "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])

    def asked() -> None:
        os.set_blocking(pipe.fileno(), True)  # the loop made it otherwise
        try:
            wanted = pipe.recv()
        except EOFError:  # who started it was killed
            loop.remove_reader(pipe.fileno())
            server.close()
            return
        if wanted == "look":
            pipe.send((state.count, state.failed, state.last))
        else:
            pipe.send(state.kept)

    loop.add_reader(pipe.fileno(), asked)
    with contextlib.suppress(asyncio.CancelledError):
        await server.serve_forever()
