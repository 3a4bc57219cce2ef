"""Heavy work in a process of its own, with little priority: it slows no request and can be ended."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

__all__ = ["Ended", "run_command"]

_LONGEST_S: Final = 600.0
_LOOK_S: Final = 0.2
_TOLD_BYTES: Final = 4_000
# What was killed is gone at once, unless the system holds it (a disk or a share that hangs).
_DYING_S: Final = 5.0
_DYING_LOOK_S: Final = 0.01
_logger = logging.getLogger(__name__)


class Ended(NamedTuple):
    """How a command ended: its exit code, and the end of what it wrote to its standard error."""

    code: int
    told: str


async def run_command(
    folder: Path, *arguments: str, nice: int, longest: float = _LONGEST_S
) -> Ended:
    """`rynek ARGUMENTS --data FOLDER` in a process of its own, ended where it is cancelled.

    TimeoutError where it took longer than `longest` seconds; it is ended then.

    The event loop's own way of starting a process runs Python between fork and exec: what is freed
    there waits for locks that other threads held in the parent, for ever, and the parent with it.
    """
    command = [sys.executable, "-m", "rynek", *arguments, "--data", str(folder)]
    with tempfile.TemporaryFile() as told:
        process = await _started(command, told)
        try:
            _bound(process.pid, nice)
            until = time.monotonic() + longest
            while process.poll() is None:
                if time.monotonic() > until:
                    raise TimeoutError
                await asyncio.sleep(_LOOK_S)
        finally:
            await _end(process)
        told.seek(max(0, told.seek(0, os.SEEK_END) - _TOLD_BYTES))
        return Ended(process.returncode, told.read().decode(errors="replace"))


async def _started(command: list[str], told: IO[bytes]) -> subprocess.Popen[bytes]:
    # Shielded: the thread goes on where this is cancelled, and nobody would know what it started.
    starting = asyncio.get_running_loop().run_in_executor(None, _start, command, told)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait({starting})
        if starting.exception() is None:
            await _end(starting.result())
        raise


def _start(command: list[str], told: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=told,
        start_new_session=True,
    )


def _bound(pid: int, nice: int) -> None:
    """Little priority, and an end even where this process is killed and cannot see to it: what
    computes all the time on each processor ends when its time is over.

    What the service itself was given (fewer seconds, less priority) stays: only root may raise it.
    """
    seconds = round(_LONGEST_S) * (os.cpu_count() or 1)
    try:
        os.setpriority(os.PRIO_PROCESS, pid, max(nice, os.getpriority(os.PRIO_PROCESS, pid)))
        _, most = resource.prlimit(pid, resource.RLIMIT_CPU)
        if most == resource.RLIM_INFINITY or most > seconds:
            resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds))
    except ProcessLookupError:
        pass  # it has ended already
    except OSError as error:  # a sandbox may forbid both; its time is watched here as well
        _logger.warning("a process of its own runs without bounds of the system: %s", error)


async def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those it started, if it still runs; whoever waits for it goes on after
    five seconds even where the system does not let it die."""
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    until = time.monotonic() + _DYING_S
    while process.poll() is None:
        if time.monotonic() > until:
            _logger.warning("process %d was killed and is still there", process.pid)
            return
        await asyncio.sleep(_DYING_LOOK_S)
