"""Data folders of earlier versions: opened, migrated, and answered from as before."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tests.demo.service import environment

from rynek.app import Engine
from rynek.backup import restore
from rynek.base.folder import FolderError
from rynek.base.settings import load
from rynek.base.sqlite import MigrationError, connect
from rynek.context.store.schema import MIGRATIONS
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
        archive.extractall(room, filter="data")
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
    if was == now:
        return True
    if "/subscriptions" in path or "/csource" in path or "Bench" in path:
        return settled(json.loads(was)) == settled(json.loads(now))
    return False


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
    found = set()
    for file in data.glob("tenants/*/state.db"):
        connection = connect(file)
        found.add(int(connection.pragma("user_version")))
        connection.close()
    return found
