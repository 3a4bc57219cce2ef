"""What a server uses: processor time and anonymous memory of a process and its children."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_EVERY_S = 0.1


class Memory(NamedTuple):
    """Bytes of resident memory: `anonymous` is what the program itself holds, without files that
    the kernel keeps mapped."""

    anonymous: int
    resident: int


def family(pid: int) -> list[int]:
    """The process and all its descendants that are still there."""
    found = [pid]
    for parent in found:
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in path.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """The processor time that the process, its children and those that ended have used."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15])
    return total / _TICKS


def memory(pid: int) -> Memory:
    """The memory of the process and its children as it is now."""
    anonymous = resident = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    anonymous += int(line.split()[1]) * 1024
                elif line.startswith("VmRSS:"):
                    resident += int(line.split()[1]) * 1024
    return Memory(anonymous, resident)


class Peak:
    """The highest anonymous memory seen so far, in bytes; looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.anonymous = 0

    def look(self) -> None:
        self.anonymous = max(self.anonymous, memory(self._pid).anonymous)


@contextlib.contextmanager
def watched(pid: int) -> Iterator[Peak]:
    """Watch a process's memory for the length of the block."""
    peak, ended = Peak(pid), threading.Event()

    def watch() -> None:
        while not ended.wait(_EVERY_S):
            peak.look()

    thread = threading.Thread(target=watch, name="memory", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
        peak.look()
