"""Five minutes at 500 updates a second, the receiver refusing half, one kill -9: nothing is lost."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import crash

LONG = True
SECONDS = 300.0


def run(options: argparse.Namespace) -> int:
    """Prints the outcome; what was lost or came in the wrong order counts as failed."""
    seconds = options.crash_seconds or SECONDS
    with tempfile.TemporaryDirectory(prefix="rynek-crash-") as folder:
        seen = crash.run(
            Path(folder), seconds=seconds, rate=500, entities=5000, fail=0.5, drain=600
        )
    print(f"| crash: written, notified | {seen.written:,}, {seen.taken:,} | | | | |")
    print(f"| crash: refused, repeated | {seen.refused:,}, {seen.repeated:,} | | | | |")
    print(f"| crash: lost, out of order | {len(seen.lost)}, {len(seen.disordered)} | | | | |")
    print(f"| crash: drained after, s | {seen.drained_s:.1f} | | | | |")
    return len(seen.lost) + len(seen.disordered)
