"""Our own load generator, for machines without wrk: keep-alive connections that each send the next
request on the last answer.

Runs in a process of its own, pinned to the second core where there is one, so that it takes no
time from the server. Needs a server that answers HTTP/1.1 with a Content-Length.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Sequence
from typing import NamedTuple, cast

import uvloop
from benchmarks import cores

MARK = b"@@@@@@@@@@"
"""Stands in a request for a number of ten digits that rises with each one that is sent."""


class Load(NamedTuple):
    """What one run saw: answers a second and in all, bytes of an answer, latency in ms, how many
    failed (no answer, or none of 2xx) and of what."""

    per_second: float
    requests: int
    body_bytes: int
    p50_ms: float
    p99_ms: float
    failed: int
    told: str = ""


class _Numbers:
    """What requests leave open, counted over all connections."""

    def __init__(self, first: int) -> None:
        self._next = first

    def filled(self, request: bytes) -> bytes:
        if MARK not in request:
            return request
        self._next += 1
        return request.replace(MARK, b"%010d" % (self._next - 1), 1)


class _Connection(asyncio.Protocol):
    def __init__(
        self, requests: Sequence[bytes], numbers: _Numbers, start: int, until: float
    ) -> None:
        self.requests = requests
        self.numbers = numbers
        self.next = start
        self.until = until
        self.latencies: list[float] = []
        self.failed = 0
        self.body_bytes = 0
        self.closed = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's classes.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        request = self.requests[self.next % len(self.requests)]
        self._transport.write(self.numbers.filled(request))
        self.next += 1

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        head = buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        if buffer[9:12] == b"204":
            length = 0
        else:
            at = buffer[:head].lower().find(b"content-length:")
            if at < 0:
                raise RuntimeError(f"an answer without Content-Length: {buffer[:200]!r}")
            length = int(buffer[at + 15 : buffer.find(b"\r\n", at)])
        if len(buffer) < head + 4 + length:
            return
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        self.failed += buffer[9:10] != b"2"
        self.body_bytes = length
        self._buffer = b""
        if now < self.until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


def http(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """One HTTP/1.1 request as bytes; header names with `_` for `-`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body or method not in {"GET", "DELETE"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _drive(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, first: int, number: int
) -> Load:
    numbers = _Numbers(number)
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    step = max(1, len(requests) // connections)
    opened = [
        await loop.create_connection(
            lambda n=n: _Connection(requests, numbers, first + n * step, start + seconds),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        for n in range(connections)
    ]
    clients = [client for _, client in opened]
    await asyncio.wait_for(asyncio.gather(*(c.closed for c in clients)), seconds + 30)
    took = time.perf_counter() - start
    latencies = sorted(value for client in clients for value in client.latencies)
    if not latencies:
        raise RuntimeError("the server answered nothing")
    return Load(
        per_second=len(latencies) / took,
        requests=len(latencies),
        body_bytes=clients[0].body_bytes,
        p50_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
        failed=sum(client.failed for client in clients),
    )


def _child(args: tuple[int, Sequence[bytes], int, float, int, int]) -> Load:
    os.sched_setaffinity(0, {cores.LOAD})
    return uvloop.run(_drive(*args))


def drive(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    *,
    start: int = 0,
    number: int = 0,
) -> Load:
    """Send `requests` in turn over `connections` for `seconds`, from request `start` on; `number`
    is where numbers begin that the requests leave open (MARK)."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_child, ((port, requests, connections, seconds, start, number),))


def drive_here(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """`drive` in this process."""
    return _child((port, requests, connections, seconds, 0, 0))
