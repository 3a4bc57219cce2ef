"""A backup amid writes holds one moment of all; a quiet one answers byte for byte; a cut is refused."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import httpx
import pytest
from tests.demo.service import Service, environment, until

from rynek.backup import BackupError, restore

from .ledger import API, GONE, TYPE, Ledger, kept
from .test_full import write
from .test_kill import SETTINGS

SNAPSHOT = "urn:ngsi-ld:Snapshot:one"


def copied(data: Path, archive: Path) -> None:
    command = [sys.executable, "-m", "rynek", "backup", "--data", str(data), str(archive)]
    subprocess.run(command, env=environment(), check=True, capture_output=True, timeout=120)


async def backup_amid(service: Service, ledger: Ledger, data: Path, archive: Path) -> None:
    """Writers at work before, while and after a backup is made."""
    writing = [
        asyncio.create_task(write(service, ledger, random.Random(seed), 10_000)) for seed in (1,)
    ]
    try:
        while ledger.total < 150:  # noqa: ASYNC110 - the writers know of no event
            await asyncio.sleep(0.01)
        await asyncio.to_thread(copied, data, archive)
    finally:
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)


def freeze(service: Service) -> None:
    """A snapshot of all meters, ready."""
    body = {"id": SNAPSHOT, "type": "Snapshot",
            "snapshotQueries": [{"type": "Query", "entities": [{"type": TYPE}]}]}  # fmt: skip
    answer = service.client.post(f"{API}/snapshots", json=body)
    assert answer.status_code == 201, answer.text
    until(
        lambda: "success" in service.client.get(f"{API}/snapshots/{SNAPSHOT}").text,
        "the snapshot is ready",
    )


def subscriptions(client: httpx.Client) -> bytes:
    """The subscriptions, without what attempts at their receivers go on changing."""
    found = client.get(f"{API}/subscriptions").json()
    for one in found:
        assert one["notification"].pop("timesSent") > 0
        for name in ("timesFailed", "lastNotification", "lastFailure", "status"):
            one["notification"].pop(name, None)
    return json.dumps(found).encode()


def answers(client: httpx.Client, names: list[str]) -> dict[str, bytes]:
    """What a client is told, by question."""
    asked = [f"entities?type={TYPE}&limit=1000&options=sysAttrs", "types"]
    asked += [f"temporal/entities/{name}?options=sysAttrs" for name in names]
    found = {"subscriptions": subscriptions(client)}
    for path in asked:
        found[path] = _stable(client.get(f"{API}/{path}"))
    frozen = f"entities?type={TYPE}&limit=1000"
    found["snapshot"] = _stable(
        client.get(f"{API}/{frozen}", headers={"NGSILD-Snapshot": SNAPSHOT})
    )
    return found


def _stable(answer: httpx.Response) -> bytes:
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ledger]:
    """A folder with the archives `amid.tar` and `quiet.tar`, and `answers` of the quiet moment."""
    folder = tmp_path_factory.mktemp("load")
    # Receivers that refuse would go on being counted between two questions.
    service, ledger = Service("serve", folder / "data", **SETTINGS), Ledger()
    try:
        asyncio.run(backup_amid(service, ledger, folder / "data", folder / "amid.tar"))
        freeze(service)
        service.stop()
        service.client.close()
        service = Service("serve", folder / "data", **SETTINGS)
        copied(folder / "data", folder / "quiet.tar")
        names = sorted(ledger.acked)
        said = answers(service.client, names)
        restore(folder / "quiet.tar", folder / "elsewhere" / "data")
        other = Service("serve", folder / "elsewhere" / "data", **SETTINGS)
        try:
            told = answers(other.client, names)
        finally:
            other.client.close()
            other.process.kill()
        assert told.keys() == said.keys()
        for question, answer in said.items():
            assert told[question] == answer, question
    finally:
        service.client.close()
        service.process.kill()
    return folder, ledger


def test_a_backup_amid_writes_is_one_moment(made: tuple[Path, Ledger], tmp_path: Path) -> None:
    folder, ledger = made
    restore(folder / "amid.tar", tmp_path / "data")
    found = asyncio.run(kept(tmp_path))
    assert found.seqs == list(range(1, len(found.seqs) + 1))
    assert sum(map(len, found.logged.values())) > 100
    for name, logged in found.logged.items():
        acked = ledger.acked[name]
        known = [value for value in logged if value not in ledger.unsure]
        assert known == acked[: len(known)], "what stands in it was acknowledged, in that order"
        assert found.history[name] == logged
        assert found.now.get(name, GONE) == logged[-1]
        for value in logged:
            assert value == GONE or found.told[value] == 1
    for name, past in found.past.items():
        assert len(set(past)) == len(past), name


def contents(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {path: path.read_bytes() for path in files}


def test_a_truncated_or_changed_archive_is_refused_before_anything_is_touched(
    made: tuple[Path, Ledger], tmp_path: Path
) -> None:
    folder, _ = made
    raw = (folder / "quiet.tar").read_bytes()
    there = tmp_path / "data"
    shutil.copytree(folder / "elsewhere" / "data", there)
    before = contents(there)
    with tarfile.open(folder / "quiet.tar") as tar:
        members = list(tar)
    middle = next(one for one in members if one.name.endswith("state.db"))
    changed = bytearray(raw)
    changed[middle.offset_data + middle.size // 2] ^= 1
    harmed = [raw[: len(raw) // 2], raw[: middle.offset], raw[: members[-1].offset], raw[:0],
              raw[: members[-1].offset_data + 5], bytes(changed)]  # fmt: skip
    for number, content in enumerate(harmed):
        archive = tmp_path / f"{number}.tar"
        archive.write_bytes(content)
        with pytest.raises(BackupError):
            restore(archive, there, force=True)
        assert contents(there) == before
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
