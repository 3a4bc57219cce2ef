"""Notifications a second to one receiver while the same process takes the writes."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator

from benchmarks import entities, server
from benchmarks.measure import driver, round_of
from benchmarks.receiver import receiver
from benchmarks.results import Result
from benchmarks.subscribing import changes, notification, subscribe


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Patch as fast as it goes; the patches and notifications a second meanwhile, and the
    notifications until the last."""
    os.environ["RYNEK_NETWORK_ALLOW_PRIVATE"] = "true"
    count = min(options.entities, 10_000)
    seconds = max(options.seconds, 10)
    with receiver() as taking, server.rynek() as port, driver(changes(count)) as drive:
        entities.fill(port, count)
        one = {"entities": [{"type": entities.TYPE}], "notification": notification(taking.uri)}
        subscribe(port, [one])
        started = time.time()
        cost = round_of(drive, port, options.connections, seconds)
        during = taking.look()[0]
        until = time.time() + 30
        wanted = cost.seen.requests * 0.99
        while taking.look()[0] < wanted and time.time() < until:
            time.sleep(0.1)
        taken, _, last = taking.look()
    seen = cost.seen
    yield Result(
        job="notify: patches", unit="/s", value=seen.per_second, p99_ms=seen.p99_ms,
        cpu_s=cost.cpu_s, note="each causes a notification",
    )  # fmt: skip
    yield Result(job="notify: while patching", unit="notifications/s", value=during / seconds)
    yield Result(
        job="notify: until the last", unit="notifications/s", value=taken / (last - started),
        note=f"{taken:,} in all",
    )  # fmt: skip
