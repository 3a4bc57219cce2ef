"""`patch` with 10,000 subscriptions, of which one matches each change, as a share of it without."""

from __future__ import annotations

import argparse
import os
import statistics

from benchmarks import entities, server
from benchmarks.load import drive
from benchmarks.receiver import receiver
from benchmarks.subscribing import changes, several, subscribe

SUBSCRIPTIONS = 10_000


def run(options: argparse.Namespace) -> int:
    """Measure both in turn on one server; prints a row each."""
    os.environ["RYNEK_NETWORK_ALLOW_PRIVATE"] = "true"
    requests = changes(options.entities)
    failed = 0
    with receiver() as taking, server.rynek() as without, server.rynek() as having:
        for port in (without, having):
            entities.fill(port, options.entities)
        subscribe(having, several(SUBSCRIPTIONS, taking.uri))
        rates: dict[int, list[float]] = {without: [], having: []}
        used: dict[int, list[float]] = {without: [], having: []}
        for _ in range(options.rounds):
            for port, found in rates.items():
                before = server.cpu_seconds(port)
                load = drive(port, requests, options.connections, options.seconds)
                failed += load.failed
                found.append(load.per_second)
                spent = server.cpu_seconds(port) - before
                used[port].append(spent / (load.per_second * options.seconds))
        bare, busy = (statistics.median(found) for found in rates.values())
        costs = [statistics.median(found) * 1e6 for found in used.values()]
        taken = taking.look()[0]
    print(f"| patch, no subscription | {bare:,.0f} | | | | |")
    print(f"| patch, {SUBSCRIPTIONS:,} subscriptions, one matches | {busy:,.0f} | | | | |")
    print(f"| µs of processor a patch, without and with | {costs[0]:.0f}, {costs[1]:.0f} | | | | |")
    print(f"| share; notifications taken | {busy / bare:.0%}; {taken:,} | | | | |")
    return failed
