"""A capital's normal hours through the feeds, twenty times as fast: 6,200 updates a second."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from benchmarks.capital import job
from benchmarks.results import Result

LONG = True


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Five minutes, or `--seconds`."""
    yield from job.run("capital_normal", options, worst=False, speed=20)
