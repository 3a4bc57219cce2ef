"""Gets while 3,000 durable writes a second go on, at steady rates; the server on both cores."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator

from benchmarks import entities, kept, paced, server
from benchmarks.jobs import get, patch
from benchmarks.paced import Stream
from benchmarks.results import Result, Target

READS = 2500.0
WRITES_A_SECOND = 3000.0


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Gets and patches of one attribute at steady rates; latency of each from when it is due. One
    round where the load may put the event loop aside tells what that does, for information."""
    data = entities.of(options.entities, options.scale)
    reads = Stream(get.requests(data), READS, 64)
    writes = Stream(patch.requests(data), WRITES_A_SECOND, 128)
    with kept.copy_of(data) as folder, server.rynek(folder, both_cores=True) as port:
        paced.drive(port, [reads, writes], 2)
        aside, _ = paced.drive(port, [reads, writes], options.seconds)
        server.keep_loop(port)
        before = server.cpu_seconds(port)
        (alone,) = paced.drive(port, [reads], options.seconds)
        rounds = [
            paced.drive(port, [reads, writes], options.seconds) for _ in range(options.rounds)
        ]
        spent = server.cpu_seconds(port) - before
    failed = sum(seen.failed for both in rounds for seen in both)
    if failed:
        raise RuntimeError(f"{failed} requests failed")
    gets, puts = (list(seen) for seen in zip(*rounds, strict=True))
    worst = max(seen.p999_ms for seen in gets)
    yield Result(
        job="reads_under_writes: get, 99 of 100", unit="ms",
        value=statistics.median(seen.p99_ms for seen in gets), target=Target(at_most=2),
        rounds=[seen.p99_ms for seen in gets],
        note=f"median {statistics.median(seen.p50_ms for seen in gets):.2f}, 999 of 1,000 within"
        f" {worst:.1f}; {alone.p99_ms:.2f} without writes; {aside.p99_ms:.2f} where the load puts"
        f" the loop aside; {READS:,.0f} gets/s, 99 of 100 sent"
        f" within {max(seen.late_ms for seen in gets):.2f} of when they were due;"
        f" {spent / options.seconds / (options.rounds + 1):.2f} cores",
    )  # fmt: skip
    yield Result(
        job="reads_under_writes: writes", unit="/s",
        value=statistics.median(seen.per_second for seen in puts),
        p99_ms=statistics.median(seen.p99_ms for seen in puts),
        target=Target(at_least=WRITES_A_SECOND * 0.98),
    )  # fmt: skip
