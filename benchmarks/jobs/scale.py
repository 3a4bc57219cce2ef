"""From 10,000 to a million entities: how much each job falls, both servers measured in turn.

Both send the same requests, and answers with as many entities: `filter_selective` has bounds here
that leave a whole page of 20 also of ten thousand.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from types import ModuleType, SimpleNamespace

from benchmarks import entities, kept, server
from benchmarks.jobs import filter as filtering
from benchmarks.jobs import filter_selective, get, near, patch, upsert20
from benchmarks.jobs import list as listing
from benchmarks.measure import Cost, check, driver, round_of
from benchmarks.results import Result, Target

SMALL, LARGE = 10_000, 1_000_000
_A_PAGE = 0.3
Job = ModuleType | SimpleNamespace
READS: dict[str, Job] = {
    "get": get,
    "list": listing,
    "filter_selective": SimpleNamespace(
        requests=partial(filter_selective.requests, rarest=_A_PAGE)
    ),
    "filter": filtering,
    "near": near,
}
WRITES: dict[str, Job] = {"patch": patch, "upsert20": upsert20}


def run(options: argparse.Namespace) -> Iterator[Result]:
    """What is left at a million of the rate at ten thousand, in percent."""
    for jobs, least in ((READS, 80), (WRITES, 60)):
        with ExitStack() as stack:
            ports = {}
            for count in (SMALL, LARGE):
                folder = stack.enter_context(kept.copy_of(entities.of(count)))
                ports[count] = stack.enter_context(server.rynek(folder))
            for name, job in jobs.items():
                yield _compared(name, job, ports, options, least)


def _compared(
    name: str, job: Job, ports: dict[int, int], options: argparse.Namespace, least: float
) -> Result:
    connections: int = getattr(job, "CONNECTIONS", options.connections)
    costs: dict[int, list[Cost]] = {count: [] for count in ports}
    with ExitStack() as stack:
        drives = {}
        for count, port in ports.items():
            requests = job.requests(entities.of(count))
            check(port, requests)
            drives[count] = stack.enter_context(driver(requests))
            drives[count](port, connections, 2.0)
        for number in range(options.rounds):
            for count, port in ports.items():
                seconds = max(1.0, options.seconds / 2)
                start = number * 1000
                costs[count].append(
                    round_of(drives[count], port, connections, seconds, start=start)
                )
    small, large = (
        statistics.median(cost.seen.per_second for cost in costs[count]) for count in ports
    )
    cpu = [statistics.median(cost.cpu_s for cost in costs[count]) for count in ports]
    per_request = getattr(job, "PER_REQUEST", 1)
    return Result(
        job=f"scale: {name}", unit="% left", value=large / small * 100, cpu_s=cpu[1],
        target=Target(at_least=least),
        note=f"{small * per_request:,.0f}/s, then {large * per_request:,.0f}/s; CPU"
        f" {cpu[0] * 1000:.0f}, then {cpu[1] * 1000:.0f} µs",
    )  # fmt: skip
