"""Requests at a steady rate, whatever the answers take: latency as a client sees it that does not
wait for others, from the moment when a request is due.

Each stream runs in a process of its own on the load's core, before all others where the system
allows it: as if the load had a core to itself, which the service then does without.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks import cores

_PRIORITY = 10


class Stream(NamedTuple):
    """Requests sent in turn at `rate` a second over at most `connections`."""

    requests: Sequence[bytes]
    rate: float
    connections: int


class Seen(NamedTuple):
    """Answers a second, latencies in ms, how many failed, how many had to wait for a connection
    that was free, and by how many ms the load was late for 99 of 100 (which their latencies hold)."""

    per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    failed: int
    waited: int
    late_ms: float


def drive(port: int, streams: Sequence[Stream], seconds: float) -> list[Seen]:
    """Send all streams at the same time."""
    begin = time.perf_counter() + 1.0
    with multiprocessing.get_context("spawn").Pool(len(streams)) as pool:
        return pool.starmap(_child, [(port, stream, begin, seconds) for stream in streams])


def _child(port: int, stream: Stream, begin: float, seconds: float) -> Seen:
    os.sched_setaffinity(0, {cores.LOAD})
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    gc.disable()  # a pause here would look like one of the server
    sending = _Sending(port, stream)
    sending.run(max(begin, time.perf_counter()), seconds)
    return sending.seen()


class _Sending:
    """One stream: what is due is sent, what has come is noted, and then it waits for either."""

    def __init__(self, port: int, stream: Stream) -> None:
        self._stream = stream
        self._poll = select.epoll()
        self._socks: dict[int, socket.socket] = {}
        self._parts: dict[int, bytes] = {}
        self._begun: dict[int, float] = {}
        self._due: deque[float] = deque()
        self._sent = 0
        self._taken: list[float] = []
        self._late: list[float] = []
        self._failed = self._waited = 0
        self._took = 0.0
        for _ in range(stream.connections):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socks[sock.fileno()] = sock
            self._poll.register(sock.fileno(), select.EPOLLIN)
        self._free = list(self._socks)

    def run(self, begin: float, seconds: float) -> None:
        """Send for so long, and wait for the last answer."""
        rate, number = self._stream.rate, 0
        many = int(seconds * rate)
        while len(self._taken) < many:
            now = time.perf_counter()
            while number < many and begin + number / rate <= now:
                self._due.append(begin + number / rate)
                self._late.append(now - self._due[-1])
                self._waited += not self._free
                number += 1
            while self._due and self._free:
                self._send(self._free.pop(), self._due.popleft())
            wait = begin + number / rate - time.perf_counter() if number < many else 30.0
            if wait > 0:
                select.select([self._poll], [], [], wait)
            for number_of, _ in self._poll.poll(0):
                self._receive(number_of)
        self._took = time.perf_counter() - begin
        for sock in self._socks.values():
            sock.close()

    def _send(self, number: int, due: float) -> None:
        requests = self._stream.requests
        self._begun[number] = due
        self._socks[number].sendall(requests[self._sent % len(requests)])
        self._sent += 1

    def _receive(self, number: int) -> None:
        more = self._socks[number].recv(65_536)
        if not more:
            raise RuntimeError("the service closed a connection")
        data = self._parts.pop(number, b"") + more
        head = data.find(b"\r\n\r\n")
        at = data[:head].lower().find(b"content-length:") if head >= 0 else -1
        length = int(data[at + 15 : data.find(b"\r\n", at)]) if at >= 0 else 0
        if head < 0 or len(data) < head + 4 + length:
            self._parts[number] = data
            return
        self._taken.append(time.perf_counter() - self._begun[number])
        self._failed += data[9:10] != b"2"
        self._free.append(number)

    def seen(self) -> Seen:
        """What came of it."""
        taken, late = sorted(self._taken), sorted(self._late)
        p50, p99, p999 = (taken[int(len(taken) * share)] * 1000 for share in (0.5, 0.99, 0.999))
        late_ms = late[int(len(late) * 0.99)] * 1000
        each = len(taken) / self._took
        return Seen(each, p50, p99, p999, self._failed, self._waited, late_ms)
