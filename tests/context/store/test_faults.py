"""A store after something went wrong: the rest goes on, and nothing stays broken."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rynek.base.errors import InsufficientStorage
from rynek.context import Freshness, core_context, operations, parse_entity
from rynek.context.store import contexts as stored_contexts
from rynek.context.store import sqlite

from .test_store import bus, create, run


def test_upkeep_goes_on_after_a_write_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without upkeep the write-ahead log would grow until a restart."""
    monkeypatch.setattr(sqlite, "_UPKEEP_SECONDS", 0.02)

    async def test(context: Any) -> None:
        await create(context, bus(1))
        store = context.store
        real = store._writer._commit

        async def broken(*_: object) -> None:
            raise OSError(28, "No space left on device")

        store._writer._commit = broken
        with pytest.raises(InsufficientStorage):
            await create(context, bus(2))
        await asyncio.sleep(0.1)
        assert not store._upkeep.done()
        store._writer._commit = real
        await create(context, bus(2))
        await asyncio.sleep(0.1)
        assert not store._upkeep.done()
        assert context.get("urn:ngsi-ld:Vehicle:2") is not None

    run(tmp_path, test)


def test_contexts_load_while_a_commit_runs_in_a_thread(tmp_path: Path) -> None:
    """A slow disk moves commits to a thread; the writing connection is then busy there."""

    async def fill(context: Any) -> None:
        ld = await context.resolver.resolve([{"v": "https://example.org/v"}])
        document = bus(1) | {"v": {"value": 1}}
        entity = parse_entity(document, ld, now=0)
        await context.write(lambda txn: operations.create(txn, entity, ld))

    async def test(context: Any) -> None:
        context.store._writer._commit_seconds = 1e9
        ld = core_context()
        done = False

        async def write() -> None:
            nonlocal done
            for n in range(100, 200):
                entity = parse_entity(bus(n), ld, now=0)
                await context.write(lambda txn, e=entity: operations.create(txn, e, ld))
            done = True

        writing = asyncio.create_task(write())
        while not done:
            context.store._indexes.contexts._compiled.clear()
            assert context.get("urn:ngsi-ld:Vehicle:1") is not None
            await asyncio.sleep(0)
        await writing

    run(tmp_path, fill)
    run(tmp_path, test)


def test_only_so_many_contexts_are_kept_and_the_least_used_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_contexts, "MAX_BYTES", 3_500)

    async def test(context: Any) -> None:
        stored = context.stored_contexts
        for n in range(3):
            stored.put(f"https://example.org/{n}", b"x" * 1_000, Freshness(1 << 60))
        await stored.host(b'{"@context": {}}')
        stored.used("https://example.org/0", 5, 1 << 60)
        for n in range(3, 5):
            stored.put(f"https://example.org/{n}", b"x" * 1_000, Freshness(1 << 60))
            await asyncio.sleep(0.02)
        kept = [entry.url for entry in stored.list() if entry.url]
        assert kept == [f"https://example.org/{n}" for n in (0, 3, 4)]

    async def again(context: Any) -> None:
        stored = context.stored_contexts
        found = {entry.url: entry for entry in stored.list()}
        assert set(found) == {f"https://example.org/{n}" for n in (0, 3, 4)} | {None}
        assert found["https://example.org/0"].hits == 5
        assert stored.get("https://example.org/3") == b"x" * 1_000

    run(tmp_path, test)
    run(tmp_path, again)
