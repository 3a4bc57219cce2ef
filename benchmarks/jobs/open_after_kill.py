"""From a kill -9 under writes to the first answer of the next process."""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import entities, kept, load, server
from benchmarks.entities import Data
from benchmarks.jobs import upsert20
from benchmarks.results import Result, Target

ROUNDS = 5


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Seconds from the start of the program, and what a program with an empty folder takes."""
    data = entities.of(options.entities, options.scale)
    empty = [_started(None) for _ in range(3)]
    took = []
    with kept.copy_of(data) as folder:
        for _ in range(ROUNDS):
            _write_and_kill(folder, data)
            took.append(_started(folder))
    yield Result(
        job="open_after_kill", unit="s", value=statistics.median(took), rounds=took,
        target=Target(at_most=2),
        note=f"worst of {ROUNDS}: {max(took):.2f}; an empty folder {statistics.median(empty):.2f}",
    )  # fmt: skip


def _started(folder: Path | None) -> float:
    begun = time.monotonic()
    with server.rynek(folder) as port:
        took = time.monotonic() - begun
        if folder is not None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", f"/ngsi-ld/v1/entities/{entities.identifier(1)}")
            if connection.getresponse().status != 200:
                raise RuntimeError("an entity is not there after a kill")
            took = time.monotonic() - begun
    return took


def _write_and_kill(folder: Path, data: Data) -> None:
    with server.rynek(folder) as port:
        writing = multiprocessing.get_context("spawn").Process(
            target=_write, args=(port, upsert20.requests(data)), daemon=True
        )
        writing.start()
        time.sleep(4)
        server.kill(port)
        writing.kill()
        writing.join()


def _write(port: int, requests: list[bytes]) -> None:
    load.drive_here(port, requests, 16, 60)
