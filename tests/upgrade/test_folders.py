"""Data folders of earlier versions: opened, migrated, and answered from as before."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import httpx
import pytest

from rynek.app import Engine
from rynek.backup import backup, restore
from rynek.base.clock import SystemClock
from rynek.base.settings import load
from rynek.base.sqlite import connect, stored_version
from rynek.cli.main import main
from rynek.context.store.schema import MIGRATIONS
from rynek.context.store.sqlite import SqliteStore
from rynek.web import Application

FOLDERS = Path(__file__).parent / "folders"
NAMES = sorted(path.name.removesuffix(".tar.xz") for path in FOLDERS.glob("*.tar.xz"))
Answer = tuple[int, str]
# What deliveries since then have moved, and what is about this process and not about the data.
MOVING = frozenset(
    ("status", "timesSent", "timesFailed", "lastNotification", "lastFailure", "lastSuccess")
)


class Old(NamedTuple):
    """A folder as an earlier commit wrote it (tools/old_folder.py), and what it answered."""

    name: str
    data: Path
    backup: Path
    expected: dict[str, Any]


@pytest.fixture(params=NAMES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Old:
    """Each folder in turn, unpacked."""
    return unpacked(request.param, tmp_path)


def unpacked(name: str, room: Path) -> Old:
    with tarfile.open(FOLDERS / f"{name}.tar.xz") as archive:
        # Python 3.11 has filters from 3.11.4 on, and Debian 12 has 3.11.2.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(room)
    expected = json.loads((room / "expected.json").read_text())
    return Old(name, room / "data", room / "backup.tar", expected)


def answers(data: Path, asked: list[dict[str, Any]], token: str) -> list[Answer]:
    """What today's service answers to the same requests of the holder of a token made then."""

    async def body() -> list[Answer]:
        settings = {
            "data.path": str(data),
            "access.anonymous": "none",
            "network.allow_private": True,
        }
        engine = Engine(load(None, {}, settings))
        engine.open()
        await engine.start()
        transport = httpx.ASGITransport(app=Application(engine))
        head = {"Authorization": f"Bearer {token}"}
        found = []
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://old") as client:
                for one in asked:
                    answer = await client.get(one["path"], headers=head | one["headers"])
                    found.append((answer.status_code, answer.text))
        finally:
            await engine.stop()
        return found

    return asyncio.run(body())


def differences(old: Old, data: Path) -> str:
    """What is answered otherwise than then, as text for people; empty when nothing is."""
    asked = old.expected["answers"]
    found = answers(data, asked, old.expected["token"])
    return "\n".join(
        f"{one['path']}\n  {one['status']} {one['body']}\n  {status} {body}"
        for one, (status, body) in zip(asked, found, strict=True)
        if status != one["status"] or not is_same(one["path"], one["body"], body)
    )


def is_same(path: str, was: str, now: str) -> bool:
    """Byte by byte for entities and the past. Of subscriptions and registrations without what
    deliveries moved; expiresAt may stand elsewhere among the times of its entity."""
    if own(was) == own(now):
        return True
    if "/subscriptions" in path or "/csource" in path or "Bench" in path:
        same: bool = settled(json.loads(was)) == settled(json.loads(now))
        return same
    return False


def own(body: str) -> str:
    """Addresses of the service itself without its host, which is another one now."""
    return re.sub(r"http://(127\.0\.0\.1:\d+|old)/ngsi-ld/", "/ngsi-ld/", body)


def settled(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: settled(value) for key, value in document.items() if key not in MOVING}
    return document


def test_an_old_folder_answers_as_before(old: Old) -> None:
    assert differences(old, old.data) == ""
    assert versions(old.data) == {len(MIGRATIONS)}
    assert differences(old, old.data) == ""


def versions(data: Path) -> set[int]:
    """The formats of all databases of cities."""
    return {stored_version(file) for file in data.glob("tenants/*/state.db")}


def test_a_backup_of_then_is_restored_and_answers_as_before(old: Old, tmp_path: Path) -> None:
    restored = tmp_path / "restored"
    restore(old.backup, restored)
    assert differences(old, restored) == ""


def test_the_database_of_then_stays_beside_the_new_one(tmp_path: Path) -> None:
    old = unpacked("v1", tmp_path)
    was = stored_version(old.data / "tenants" / "default" / "state.db")
    assert differences(old, old.data) == ""
    copy = old.data / "tenants" / "default" / f"state.db.v{was}"
    assert stored_version(copy) == was
    archive = tmp_path / "now.tar"
    backup(old.data, archive)
    with tarfile.open(archive) as tar:
        assert not [name for name in tar.getnames() if name.endswith(f".v{was}")]
    # Going back: the older rynek finds its own format.
    copy.replace(copy.with_name("state.db"))
    assert stored_version(copy.with_name("state.db")) == was


def open_and_die(tenant: Path, steps: int) -> bool:
    """Open the store in a child that kills itself after so many looks of SQLite; whether it did."""
    child = os.fork()
    if child == 0:
        left = steps

        def step() -> bool:
            nonlocal left
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return False

        apsw.connection_hooks.append(lambda connection: connection.set_progress_handler(step, 20))
        try:
            SqliteStore(tenant, SystemClock())
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_kill_in_the_middle_of_a_migration_leaves_a_folder_that_opens(tmp_path: Path) -> None:
    old = unpacked("v1", tmp_path)
    tenant = old.data / "tenants" / "default"
    was = stored_version(tenant / "state.db")
    steps, killed = 1, 0
    while open_and_die(tenant, steps):
        # All of it or nothing: no format in between.
        assert stored_version(tenant / "state.db") in {was, len(MIGRATIONS)}
        killed += 1
        steps += max(1, steps // 4)
    assert stored_version(tenant / "state.db") == len(MIGRATIONS)
    assert killed >= 10
    assert differences(old, old.data) == ""


@pytest.mark.parametrize("file", ["format", "tenants/second/state.db", "system.db"])
def test_a_folder_of_a_newer_rynek_is_refused_and_stays_as_it_is(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = unpacked("v1", tmp_path)
    path = old.data / file
    if file == "format":
        path.write_text("2\n")
    else:
        connection = connect(path)
        connection.pragma("user_version", 99)
        connection.close()
    monkeypatch.setenv("RYNEK_SERVER_PORT", "0")
    with pytest.raises(SystemExit):
        main(["serve", "--data", str(old.data)])
    told = capsys.readouterr().err
    assert "start a newer rynek" in told
    assert str(2 if file == "format" else 99) in told
    assert told.count("\n") == 1
    assert stored_version(old.data / "tenants" / "default" / "state.db") == 1
