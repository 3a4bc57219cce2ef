"""Measures one job against one server, with rounds of the bare app in between."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import NamedTuple

from benchmarks import load, server, usage, wrk
from benchmarks.bare import SIZE
from benchmarks.entities import Data
from benchmarks.load import Load, http
from benchmarks.results import Result, Target

Drive = Callable[..., Load]


class Cost(NamedTuple):
    """One round: what the load saw, and processor seconds of the server for 1,000 requests."""

    seen: Load
    cpu_s: float


@contextmanager
def driver(requests: Sequence[bytes]) -> Iterator[Drive]:
    """drive(port, connections, seconds, start=, number=) for these requests: wrk, or our own."""
    if not wrk.available():
        yield lambda port, *args, **more: load.drive(port, requests, *args, **more)
        return
    with wrk.prepared(requests) as path:
        yield lambda port, *args, **more: wrk.drive(port, path, *args, **more)


def round_of(drive: Drive, port: int, connections: int, seconds: float, **more: int) -> Cost:
    """One round; RuntimeError when something failed: such a figure means nothing."""
    before = server.cpu_seconds(port)
    seen = drive(port, connections, seconds, **more)
    if seen.failed:
        raise RuntimeError(f"{seen.failed} requests failed: {seen.told or 'an answer was not 2xx'}")
    return Cost(seen, (server.cpu_seconds(port) - before) / seen.requests * 1000)


class Bare:
    """The bare app, measured a little before every round of a job and after the last."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._seconds = seconds
        self.rounds: list[Cost] = []

    def measure(self, drive: Drive, connections: int) -> Cost:
        cost = round_of(drive, self._port, connections, self._seconds)
        self.rounds.append(cost)
        return cost


class Measuring:
    """Measures jobs: `bare` is the port of the bare app."""

    def __init__(self, bare: int, options: argparse.Namespace) -> None:
        self._bare = bare
        self._options = options
        self._seconds = max(1.0, options.seconds / 2)

    def job(self, name: str, job: ModuleType, port: int, data: Data) -> Result:
        """One job on a server that holds `data`."""
        requests: list[bytes] = job.requests(data)
        connections: int = getattr(job, "CONNECTIONS", self._options.connections)
        prepare = getattr(job, "prepare", None)
        if prepare is not None:
            prepare(port, data)
        check(port, requests)
        with driver(requests) as drive, driver([http("GET", f"/{SIZE}")]) as drive_bare:
            one = partial(self._round, drive, port, connections, len(requests))
            drive(port, connections, 1.0, start=1, number=1)
            bare = Bare(self._bare, self._seconds)
            bare.measure(drive_bare, self._options.connections)
            costs = []
            with usage.watched(server.pid(port)) as peak:
                for number in range(self._options.rounds):
                    costs.append(one(number))
                    bare.measure(drive_bare, self._options.connections)
        found = _result(name, costs, bare.rounds, getattr(job, "PER_REQUEST", 1))
        found.target = getattr(job, "TARGET", Target())
        found.memory_mb = peak.anonymous / 1e6
        return found

    def _round(self, drive: Drive, port: int, connections: int, many: int, number: int) -> Cost:
        """Round `number`: it begins elsewhere among the requests, with numbers of its own."""
        start = (number + 1) * many // (self._options.rounds + 1)
        return round_of(
            drive,
            port,
            connections,
            self._options.seconds,
            start=start,
            number=(number + 1) * 10_000_000,
        )


def check(port: int, requests: Sequence[bytes]) -> None:
    """Send a few of the requests one by one; RuntimeError unless each is answered by 2xx, but not
    by 207: a batch of which a part was refused."""
    import http.client

    for raw in requests[:: max(1, len(requests) // 10)]:
        head, _, body = raw.replace(load.MARK, b"0000000000", 1).partition(b"\r\n\r\n")
        line, *headers = head.decode().split("\r\n")
        method, path, _ = line.split(" ")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        told = dict(header.split(": ", 1) for header in headers)
        connection.request(method, path, body or None, told)
        answer = connection.getresponse()
        text = answer.read(2000)
        connection.close()
        if not 200 <= answer.status < 300 or answer.status == 207:
            if load.MARK in raw and answer.status == 409:
                continue  # made by the request before
            raise RuntimeError(f"{line} was answered by {answer.status}: {text!r}")


def _result(name: str, costs: list[Cost], bare: list[Cost], per_request: int) -> Result:
    rates = [cost.seen.per_second for cost in costs]
    rate = statistics.median(rates)
    cpu = statistics.median(cost.cpu_s for cost in costs)
    return Result(
        job=name,
        unit="entities/s" if per_request > 1 else "/s",
        value=rate * per_request,
        p99_ms=statistics.median(cost.seen.p99_ms for cost in costs),
        cpu_s=cpu,
        of_bare=rate / statistics.median(cost.seen.per_second for cost in bare),
        of_bare_cpu=statistics.median(cost.cpu_s for cost in bare) / cpu if cpu else None,
        rounds=[value * per_request for value in rates],
    )
