"""Requests at a steady rate, whatever the answers take: latency as a client sees it that does not
wait for others. Runs in a process of its own, on any core."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import time
from collections.abc import Sequence
from typing import NamedTuple, cast

import uvloop
from benchmarks import cores


class Stream(NamedTuple):
    """Requests sent in turn at `rate` a second over at most `connections`."""

    requests: Sequence[bytes]
    rate: float
    connections: int


class Seen(NamedTuple):
    """Answers a second, latencies in ms, how many failed, and how many had to wait for a connection
    that was free (their latency begins when they were due)."""

    per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    failed: int
    waited: int


def drive(port: int, streams: Sequence[Stream], seconds: float) -> list[Seen]:
    """Send all streams at the same time."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_child, (port, list(streams), seconds))


def _child(port: int, streams: list[Stream], seconds: float) -> list[Seen]:
    os.sched_setaffinity(0, set(cores.ALL))
    gc.disable()  # a pause here would look like one of the server
    return uvloop.run(_drive(port, streams, seconds))


async def _drive(port: int, streams: list[Stream], seconds: float) -> list[Seen]:
    start = time.perf_counter() + 0.5
    sending = (_send(port, stream, start, seconds) for stream in streams)
    return list(await asyncio.gather(*sending))


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, free: asyncio.Queue[_Connection], taken: list[float]) -> None:
        self._free = free
        self._taken = taken
        self._buffer = b""
        self._begun = 0.0
        self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def send(self, request: bytes, begun: float) -> None:
        self._begun = begun
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data
        head = buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = buffer[:head].lower().find(b"content-length:")
        length = int(buffer[at + 15 : buffer.find(b"\r\n", at)]) if at >= 0 else 0
        if len(buffer) < head + 4 + length:
            return
        self._taken.append(time.perf_counter() - self._begun)
        self.failed += buffer[9:10] != b"2"
        self._buffer = b""
        self._free.put_nowait(self)


async def _send(port: int, stream: Stream, start: float, seconds: float) -> Seen:
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[_Connection] = asyncio.Queue()
    taken: list[float] = []
    every = []
    for _ in range(stream.connections):
        _, made = await loop.create_connection(lambda: _Connection(free, taken), "127.0.0.1", port)
        every.append(made)
        free.put_nowait(made)
    waited = 0
    many = int(seconds * stream.rate)
    for number in range(many):
        due = start + number / stream.rate
        if (wait := due - time.perf_counter()) > 0.0005:
            await asyncio.sleep(wait)
        if free.empty():
            waited += 1
            connection, begun = await free.get(), due
        else:
            connection, begun = free.get_nowait(), time.perf_counter()
        connection.send(stream.requests[number % len(stream.requests)], begun)
    for _ in every:
        await asyncio.wait_for(free.get(), 30)
    took = time.perf_counter() - start
    for made in every:
        made.transport.close()
    ordered = sorted(taken)
    p50, p99, p999 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99, 0.999))
    return Seen(many / took, p50, p99, p999, sum(one.failed for one in every), waited)
