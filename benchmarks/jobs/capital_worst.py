"""A capital's worst hour through the feeds: 2,900 updates a second, vehicles and signals every second."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from benchmarks.capital import job
from benchmarks.results import Result

LONG = True


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Five minutes, or `--seconds`."""
    yield from job.run("capital_worst", options, worst=True, speed=1)
