"""`patch` with 10,000 subscriptions, of which one matches each change, as a share of it without."""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator

from benchmarks import entities, server
from benchmarks.measure import Cost, driver, round_of
from benchmarks.receiver import Receiver, receiver
from benchmarks.results import Result
from benchmarks.subscribing import changes, several, subscribe

SUBSCRIPTIONS = 10_000
# More than a round can send.
CHANGES = 60_000


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Measure both in turn. Each round sends other changes: what an entity has already is none."""
    os.environ["RYNEK_NETWORK_ALLOW_PRIVATE"] = "true"
    count = min(options.entities, 10_000)
    number = CHANGES * (options.rounds + 1)
    with receiver() as taking, server.rynek() as without, server.rynek() as having:
        for port in (without, having):
            entities.fill(port, count)
        subscribe(having, several(SUBSCRIPTIONS, taking.uri))
        found: dict[int, list[Cost]] = {without: [], having: []}
        sent = in_time = 0
        with driver(changes(count, number)) as drive:
            # What is known of entities is learned in a first round.
            for port in found:
                round_of(drive, port, options.connections, options.seconds)
            for n in range(1, options.rounds + 1):
                for port, costs in found.items():
                    before = _settled(taking)
                    one = round_of(
                        drive, port, options.connections, options.seconds, start=n * CHANGES
                    )
                    costs.append(one)
                    if port == having:
                        in_time += taking.look()[0] - before
                        sent += one.seen.requests
        taken = _settled(taking)
    plain, busy = (_median(costs) for costs in found.values())
    yield Result(job="patch, no subscription", unit="/s", value=plain[0], cpu_s=plain[1])
    yield Result(
        job=f"patch, {SUBSCRIPTIONS:,} subscriptions", unit="/s", value=busy[0], cpu_s=busy[1],
        note=f"one matches each; {busy[0] / plain[0]:.0%} of it without, {plain[1] / busy[1]:.0%} "
        f"by processor time; {taken:,} notified, {in_time / sent:.0%} within their round",
    )  # fmt: skip


def _settled(taking: Receiver) -> int:
    """How many notifications came, once no more do."""
    taken = -1
    while taken != (taken := taking.look()[0]):
        time.sleep(0.2)
    return taken


def _median(costs: list[Cost]) -> tuple[float, float]:
    return (
        statistics.median(cost.seen.per_second for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
    )
