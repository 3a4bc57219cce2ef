"""Commands in processes of their own: none outlives who waited for it, or holds anybody up."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest

from rynek.app import child


def test_one_that_is_cancelled_while_it_starts_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[subprocess.Popen[bytes]] = []
    begun, go = threading.Event(), threading.Event()
    start = child._start

    def held(_: list[str], told: IO[bytes]) -> subprocess.Popen[bytes]:
        process = start([sys.executable, "-c", "import time; time.sleep(60)"], told)
        made.append(process)
        begun.set()
        go.wait(10)  # the system is busy: the process is there, and the loop does not know
        return process

    monkeypatch.setattr(child, "_start", held)

    async def scenario() -> None:
        task = asyncio.create_task(child.run_command(tmp_path, "practice", nice=19))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    try:
        asyncio.run(scenario())
        assert made[0].wait(5) == -9
    finally:
        made[0].kill()


BOUNDED = """
import os, resource, runpy, subprocess, sys
bound = runpy.run_path(sys.argv[1])["_bound"]
resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
os.setpriority(os.PRIO_PROCESS, 0, 18)
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
process = subprocess.Popen(["sleep", "20"])
try:
    bound(process.pid, 15)
    print(*resource.prlimit(process.pid, resource.RLIMIT_CPU))
    print(os.getpriority(os.PRIO_PROCESS, process.pid))
finally:
    process.kill()
"""


def test_what_a_service_was_given_without_being_root_is_not_raised() -> None:
    """Of processor time and of priority; asking for more would be refused."""
    command = [sys.executable, "-c", BOUNDED, str(child.__file__)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["100", "100", "18"], "")


def test_a_process_runs_within_bounds_and_with_little_priority() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        child._bound(process.pid, 19)
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_CPU)
        assert 0 < soft == hard <= 600 * (os.cpu_count() or 1)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 19
    finally:
        process.kill()
        process.wait()


class _Held(subprocess.Popen[bytes]):
    """A process that the system does not let die, as where its disk hangs."""

    let_go = threading.Event()

    def poll(self) -> int | None:
        return super().poll() if self.let_go.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        assert self.let_go.wait(20 if timeout is None else timeout), "nobody else got a turn"
        return super().wait(timeout)


def test_a_process_that_does_not_die_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: list[str], told: IO[bytes]) -> _Held:
        return _Held(
            [sys.executable, "-c", "import time; time.sleep(60)"],
            stderr=told,
            start_new_session=True,
        )

    monkeypatch.setattr(child, "_start", start)
    monkeypatch.setattr(child, "_LOOK_S", 0.01)
    monkeypatch.setattr(_Held, "let_go", threading.Event())

    async def scenario(longest_dying: float, *, released: bool) -> None:
        monkeypatch.setattr(child, "_DYING_S", longest_dying)
        if released:
            asyncio.get_running_loop().call_later(0.1, _Held.let_go.set)
        with pytest.raises(TimeoutError):
            await child.run_command(tmp_path, "practice", nice=19, longest=0.02)

    asyncio.run(scenario(0.05, released=False))  # it never dies
    asyncio.run(scenario(60.0, released=True))  # it dies while others get their turn
