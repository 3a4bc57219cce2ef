"""Notifications a second to one receiver while the same process takes the writes."""

from __future__ import annotations

import argparse
import os
import time

from benchmarks import entities, server
from benchmarks.load import drive
from benchmarks.receiver import receiver
from benchmarks.subscribing import changes, notification, subscribe


def run(options: argparse.Namespace) -> int:
    """Patch as fast as it goes; prints patches and notifications a second, and what was left
    when the patches ended."""
    os.environ["RYNEK_NETWORK_ALLOW_PRIVATE"] = "true"
    requests = changes(options.entities)
    seconds = max(options.seconds, 10)
    with receiver() as taking, server.rynek() as port:
        entities.fill(port, options.entities)
        one = {"entities": [{"type": entities.TYPE}], "notification": notification(taking.uri)}
        subscribe(port, [one])
        started = time.time()
        load = drive(port, requests, options.connections, seconds)
        during = taking.look()[0]
        until = time.time() + 30
        wanted = int(load.per_second * seconds)
        while taking.look()[0] < wanted * 0.99 and time.time() < until:
            time.sleep(0.1)
        taken, _, last = taking.look()
    print(f"| patches with a notification each | {load.per_second:,.0f} | | | | |")
    print(f"| notifications while patching | {during / seconds:,.0f} | | | | |")
    print(f"| notifications until the last ({taken:,}) | {taken / (last - started):,.0f} | | | | |")
    return load.failed
