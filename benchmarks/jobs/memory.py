"""Anonymous memory with a million entities: at rest, after all kinds of reads, after writes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from benchmarks import entities, kept, server, usage
from benchmarks.jobs import create, filter_selective, get, near, patch, upsert100
from benchmarks.jobs import filter as filtering
from benchmarks.jobs import list as listing
from benchmarks.measure import check, driver
from benchmarks.results import Result, Target

ENTITIES = 1_000_000
MOST_MB = 1500.0


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Megabytes, the highest of each part."""
    data = entities.of(ENTITIES)
    with kept.copy_of(data) as folder, server.rynek(folder) as port:
        pid = server.pid(port)
        time.sleep(2)
        yield _result("at rest", usage.memory(pid).anonymous)
        for name, jobs in (
            ("reads", (get, listing, filter_selective, filtering, near)),
            ("writes", (patch, create, upsert100)),
        ):
            with usage.watched(pid) as peak:
                for job in jobs:
                    requests = job.requests(data)
                    check(port, requests)  # the first query waits for a value index
                    with driver(requests) as drive:
                        drive(port, options.connections, options.seconds)
                if name == "writes":
                    time.sleep(15)  # history writes what is left, and tidies up
            yield _result(name, peak.anonymous)


def _result(name: str, found: int) -> Result:
    return Result(
        job=f"memory: {ENTITIES:,} entities, {name}", unit="MB", value=found / 1e6,
        memory_mb=found / 1e6, target=Target(at_most=MOST_MB),
    )  # fmt: skip
