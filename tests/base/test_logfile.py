"""A log file is bounded in size, age and number, also over restarts."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from rynek.base.logfile import RotatingFile

DAY = 86_400.0


def write(handler: RotatingFile, text: str) -> None:
    handler.handle(logging.LogRecord("rynek.test", logging.INFO, "", 0, text, (), None))


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_large_file_gives_way_and_few_stay(tmp_path: Path) -> None:
    handler = RotatingFile(tmp_path / "logs" / "rynek.log", max_bytes=40, keep=2)
    for number in range(40):
        write(handler, f"line {number}")
    handler.close()
    files = held(tmp_path / "logs")
    assert sorted(files) == ["rynek.log", "rynek.log.1", "rynek.log.2"]
    assert all(len(text) <= 40 for text in files.values())
    assert files["rynek.log"].endswith("line 39\n")


def test_a_new_day_begins_a_new_file_whatever_was_restarted(tmp_path: Path) -> None:
    now = [20_000 * DAY + 100.0]
    path = tmp_path / "rynek.log"

    def opened() -> RotatingFile:
        return RotatingFile(path, hours=24.0, keep=5, clock=lambda: now[0])

    handler = opened()
    write(handler, "monday")
    now[0] += 3600
    write(handler, "still monday")
    handler.close()
    os.utime(path, (now[0], now[0]))
    now[0] += DAY
    handler = opened()
    write(handler, "tuesday")
    now[0] += 60
    write(handler, "still tuesday")
    handler.close()
    assert held(tmp_path) == {
        "rynek.log.1": "monday\nstill monday\n",
        "rynek.log": "tuesday\nstill tuesday\n",
    }
