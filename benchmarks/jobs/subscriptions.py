"""`patch` with 10,000 subscriptions, of which one matches each change, as a share of it without."""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Iterator

from benchmarks import entities, server
from benchmarks.measure import Cost, driver, round_of
from benchmarks.receiver import receiver
from benchmarks.results import Result
from benchmarks.subscribing import changes, several, subscribe

SUBSCRIPTIONS = 10_000


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Measure both in turn."""
    os.environ["RYNEK_NETWORK_ALLOW_PRIVATE"] = "true"
    count = min(options.entities, 10_000)
    with receiver() as taking, server.rynek() as without, server.rynek() as having:
        for port in (without, having):
            entities.fill(port, count)
        subscribe(having, several(SUBSCRIPTIONS, taking.uri))
        found: dict[int, list[Cost]] = {without: [], having: []}
        with driver(changes(count)) as drive:
            for _ in range(options.rounds):
                for port, costs in found.items():
                    costs.append(round_of(drive, port, options.connections, options.seconds))
        taken = taking.look()[0]
    plain, busy = (_median(costs) for costs in found.values())
    yield Result(job="patch, no subscription", unit="/s", value=plain[0], cpu_s=plain[1])
    yield Result(
        job=f"patch, {SUBSCRIPTIONS:,} subscriptions", unit="/s", value=busy[0], cpu_s=busy[1],
        note=f"one matches each; {busy[0] / plain[0]:.0%} of it without; {taken:,} notified",
    )  # fmt: skip


def _median(costs: list[Cost]) -> tuple[float, float]:
    return (
        statistics.median(cost.seen.per_second for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
    )
