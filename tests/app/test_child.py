"""Commands in processes of their own: none outlives who waited for it."""

from __future__ import annotations

import asyncio
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
