"""A `rynek demo` or `rynek serve` as people start it: its own process, its own folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
_numbers = count()
_started: list[subprocess.Popen[bytes]] = []
PATIENCE = 90.0
"""Seconds after which something that should happen counts as missing; no measure of speed."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment() -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RYNEK_")}
    return kept | {"PYTHONPATH": str(ROOT / "src")}


def until(look: Callable[[], T | None], what: str) -> T:
    """What `look` answers once it is neither None nor false."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {PATIENCE:.0f} s")


def end_all() -> None:
    """What a failed test left running ends here."""
    for process in _started:
        if process.poll() is None:
            process.kill()
            process.wait()


class Service:
    """One running service."""

    def __init__(self, command: str, folder: Path, *more: str, **settings: str) -> None:
        self.log = folder.with_name(f"{folder.name}-{next(_numbers)}.log")
        arguments = [command, "--port", "0", "--data", str(folder), *more]
        with self.log.open("wb") as out, self.log.with_suffix(".err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rynek", *arguments],
                stdout=out,
                stderr=err,
                env=environment() | settings,
            )
        _started.append(self.process)
        until(self._ready, "ready")
        self.port = urlsplit(self.printed().split()[1]).port or 0
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"it ended: {self.errors()}")
        return self.printed().startswith("ready ") and self.printed().endswith("\n")

    def printed(self) -> str:
        """What it printed to stdout."""
        return self.log.read_text()

    def errors(self) -> str:
        """What it printed to stderr."""
        return self.log.with_suffix(".err").read_text()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        """SIGKILL: nothing can be saved."""
        self.process.kill()
        self.process.wait()
