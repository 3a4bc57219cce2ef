"""kill -9 while temporal writes come in and are merged: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.history.kill_child import ENTITIES, SETTINGS, entity
from tests.history.support import ListLog, iri

from rynek.context import TemporalQuery
from rynek.history import History

ROOT = Path(__file__).parents[2]


def killed(folder: Path, first: int, lines: int) -> list[tuple[str, int]]:
    """Let the child write, kill it after so many lines; what it had acknowledged."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.history.kill_child", str(folder), str(first)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    told = []
    for line in child.stdout:
        told.append(line)
        if len(told) == lines:
            child.kill()
    child.wait()
    words = [line.split() for line in told if line.endswith("\n")]
    return [(word, int(value)) for word, value in words]


async def values(folder: Path) -> list[int]:
    """Every value of the past."""
    history = History(folder, ListLog(), SETTINGS)
    await history.start()
    try:
        ids = [entity(number) for number in range(ENTITIES)]
        found = await history.evolution(ids, TemporalQuery(attrs=(iri("p"),)))
        shown = [one for past in found.values() for one in past.attrs.get(iri("p"), [])]
        return sorted(int(one.instance.value) for one in shown)
    finally:
        await history.stop()


def test_what_was_acknowledged_survives_once(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    added: set[int] = set()
    gone: set[int] = set()
    first = 0
    for kills, count in enumerate((40, 75, 23), 1):
        told = killed(folder, first, count)
        assert len(told) >= count
        added |= {value for word, value in told if word == "add"}
        gone |= {value for word, value in told if word == "gone"}
        first = max(added) + 1 + 10 * ENTITIES
        kept = asyncio.run(values(folder))
        assert len(set(kept)) == len(kept)
        assert not gone & set(kept)
        # One write of each life may have been under way: done, but not acknowledged.
        assert len(added - gone - set(kept)) <= kills
        assert len(set(kept) - added) <= kills
