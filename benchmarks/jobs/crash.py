"""Five minutes at 500 updates a second, the receiver refusing half, one kill -9: nothing is lost."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import crash
from benchmarks.results import Result, Target

LONG = True
SECONDS = 300.0


def run(options: argparse.Namespace) -> Iterator[Result]:
    """What was lost or came in the wrong order must be nothing."""
    seconds = options.given_seconds or SECONDS
    with tempfile.TemporaryDirectory(prefix="rynek-crash-") as folder:
        seen = crash.run(
            Path(folder), seconds=seconds, rate=500, entities=5000, fail=0.5, drain=600
        )
    told = f"{seen.written:,} written, {seen.taken:,} taken, {seen.refused:,} refused"
    none = Target(at_most=0)
    yield Result(job="crash: lost", unit="", value=len(seen.lost), target=none, note=told)
    yield Result(job="crash: out of order", unit="", value=len(seen.disordered), target=none)
    yield Result(job="crash: repeated", unit="", value=seen.repeated)
    yield Result(job="crash: all there after", unit="s", value=seen.drained_s)
