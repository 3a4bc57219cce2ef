"""A history table on a disk that refuses: each row once, no file left over, whatever fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.faults.table import FAULTS

from .refusal import Refusal

ROOT = Path(__file__).parents[2]


def test_each_row_is_written_once_whatever_fails(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    refusal = Refusal(tmp_path, data)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.table", str(data / "readings"),
         refusal.environment["REFUSE_CONTROL"]],
        cwd=ROOT, env=os.environ | refusal.environment | {"PYTHONPATH": paths},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = dict(line.split(" → ") for line in done.stdout.splitlines())
    assert told.pop("the end") == "seen"
    more = {"no room for merged files", "no room for their commit", "no room for the checkpoint"}
    assert told.keys() == FAULTS.keys() | more
    assert "nothing" not in told.values(), told
