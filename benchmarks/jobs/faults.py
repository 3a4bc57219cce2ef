"""Hundreds of kills, power cuts, full and refusing disks, and set clocks: nothing lost or doubled."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.results import Result, Target

LONG = True
ROOT = Path(__file__).parents[2]
ROUNDS = {
    "kill -9": ("test_kill.py", 300),
    "power cut": ("test_powercut.py", 300),
    "full disk": ("test_full.py", 20),
    "refusing disk": ("test_refusing.py test_table.py", 20),
    "set clock": ("test_clock.py", 20),
    "damage": ("test_damage.py", 1),
    "backup under load": ("test_backup_load.py", 20),
}
_OF_ITSELF = ("kill -9", "power cut")


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Each test of tests/faults as often as RYNEK_FAULT_ROUNDS says (a factor; 1 is all); where
    RYNEK_FAULT_KINDS names some ("power cut, full disk") only those."""
    del options
    factor = float(os.environ.get("RYNEK_FAULT_ROUNDS", "1"))
    kinds = os.environ.get("RYNEK_FAULT_KINDS")
    wanted = [kind.strip() for kind in kinds.split(",")] if kinds else list(ROUNDS)
    for name, (files, rounds) in ((kind, ROUNDS[kind]) for kind in wanted):
        count = max(1, int(rounds * factor))
        started = time.monotonic()
        failed = _failed(name, files.split(), count)
        took = time.monotonic() - started
        yield Result(
            job=f"faults: {name}, failed of {count}", unit="", value=failed,
            target=Target(at_most=0), note=f"{took:.0f} s",
        )  # fmt: skip


def _failed(name: str, files: list[str], count: int) -> int:
    """How many of the rounds failed; a test that counts its rounds itself fails as one."""
    own = name in _OF_ITSELF
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "RYNEK_TEST_ROUNDS": str(count)}
    paths = [f"tests/faults/{file}" for file in files]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *paths]
    failed = 0
    for _ in range(1 if own else count):
        done = subprocess.run(
            command, cwd=ROOT, env=env, check=False, capture_output=True, text=True
        )
        if done.returncode:
            failed += 1
            sys.stderr.write(done.stdout[-5000:])
    return failed
