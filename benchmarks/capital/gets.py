"""Reads beside a capital's feeds: one client that asks for one vehicle after another, in a process of
its own, so that nothing that the player does counts as the service's."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

from benchmarks import cores
from benchmarks.capital.plan import FEEDS

_EVERY_S = 0.02


def _ask(port: int, pipe: Connection) -> None:
    """Ask until told to end; sends how long each answer took, in seconds."""
    os.sched_setaffinity(0, {cores.LOAD})
    vehicles = next(feed for feed in FEEDS if feed.name == "vehicles")
    draw = random.Random(1)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took: list[float] = []
    while not pipe.poll(_EVERY_S):
        path = f"/ngsi-ld/v1/entities/{vehicles.entity_id(draw.randrange(vehicles.total))}"
        started = time.perf_counter()
        client.request("GET", path)
        answer = client.getresponse()
        answer.read()
        took.append(time.perf_counter() - started)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
    pipe.send(took)


@contextlib.contextmanager
def asking(port: int) -> Iterator[list[float]]:
    """While inside: reads one after another, fifty a second at most. Afterwards the list holds how
    many seconds each took."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_ask, args=(port, theirs), daemon=True)
    process.start()
    theirs.close()
    took: list[float] = []
    try:
        yield took
        ours.send(None)
        took += ours.recv()
    finally:
        process.kill()
        process.join()
