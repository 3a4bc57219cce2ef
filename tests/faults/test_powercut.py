"""A power cut at random moments: nothing acknowledged is lost, nothing is there twice.

RYNEK_TEST_ROUNDS sets how many cuts are tried (the suite takes a few).
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from rynek.app import Engine
from rynek.context import DEFAULT_VOCAB

from . import powercut, workload

ROUNDS = int(os.environ.get("RYNEK_TEST_ROUNDS", "5"))
SOURCE = str(Path(__file__).parents[2] / "src")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[powercut.Operation]]:
    """The folder that the workload wrote to, and all that it did to its files."""
    root, tools = tmp_path_factory.mktemp("disk"), tmp_path_factory.mktemp("tools")
    env = powercut.environment(powercut.build(tools), root, tools / "log")
    env["PYTHONPATH"] = SOURCE
    command = [sys.executable, str(Path(workload.__file__)), str(root), "2.5"]
    subprocess.run(command, env=env, check=True, timeout=60)
    return root, powercut.read(tools / "log")


def acknowledged(operations: list[powercut.Operation], acks: str) -> dict[int, list[int]]:
    """The values of each entity that were acknowledged, in order."""
    found: dict[int, list[int]] = defaultdict(list)
    for one in operations:
        if one.path == acks and one.op == "w":
            number, value = one.data.split()
            found[int(number)].append(int(value))
    return found


async def look(folder: Path) -> tuple[dict[int, int], dict[int, list[int]]]:
    """What an engine over the folder has: the value of each entity, and its history."""
    engine = Engine(workload.settings_of(folder))
    engine.open()
    await engine.start()
    tenant = engine.tenant("default")
    now, past = {}, {}
    for number in range(workload.ENTITIES):
        entity = tenant.context.get(workload.identifier(number))
        if entity is not None:
            now[number] = entity.attrs[DEFAULT_VOCAB + "count"][0].value
            series = await tenant.history.series(entity.id, [DEFAULT_VOCAB + "count"])
            past[number] = [int(value) for value in series.column("number").to_pylist()]
    await engine.stop()
    return now, past


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_what_was_acknowledged_outlives_a_power_cut(
    recorded: tuple[Path, list[powercut.Operation]], tmp_path: Path, seed: int
) -> None:
    root, operations = recorded
    draw = random.Random(seed)
    acks = str(root / "acks")
    first = next(i for i, one in enumerate(operations) if one.path == acks)
    until = draw.randrange(first + 1, len(operations))
    for path, content in powercut.cut(operations, until, draw):
        if path == acks or path.endswith("-shm"):
            continue
        target = tmp_path / os.path.relpath(path, root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    now, past = asyncio.run(look(tmp_path))
    known = acknowledged(operations[:until], acks)
    for number, values in known.items():
        assert now[number] >= values[-1], f"entity {number} fell back"
        assert sorted(set(past[number])) == sorted(past[number]), f"entity {number} has doubles"
        assert set(values) <= set(past[number]), f"entity {number} lost readings"
        assert past[number][-1] == now[number]
    shutil.rmtree(tmp_path)
