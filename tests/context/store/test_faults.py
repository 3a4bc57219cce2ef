"""A store after something went wrong: the rest goes on, and nothing stays broken."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from rynek.base.errors import InsufficientStorage, Unavailable
from rynek.context import (
    Freshness,
    Query,
    core_context,
    operations,
    parse_entity,
    parse_q,
    parse_types,
)
from rynek.context.store import build, plan, sqlite, writer
from rynek.context.store import contexts as stored_contexts
from rynek.context.store.terms import Terms

from .test_store import EXPAND, bus, create, run


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


def test_what_a_failed_write_had_named_is_named_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Types and attributes stand as numbers: one that the file lacks would be lost at a restart."""

    def unreadable(_: Terms) -> None:
        raise OSError(5, "Input/output error")

    def full(_: object) -> float:
        raise OSError(28, "No space left on device")

    async def write(context: Any) -> None:
        vehicle = bus(1, speed={"value": 3})
        with monkeypatch.context() as broken:
            broken.setattr(Terms, "reload", unreadable)
            with broken.context() as disk:
                disk.setattr(writer, "_committed", full)
                with pytest.raises(InsufficientStorage):
                    await create(context, vehicle)
            with pytest.raises(Unavailable):
                await create(context, vehicle)
        await create(context, vehicle)

    async def read(context: Any) -> None:
        (one,) = context.types()
        assert one.type.endswith("Vehicle")
        assert [name.rsplit("/", 1)[1] for name in one.attrs] == ["speed"]

    run(tmp_path, write)
    run(tmp_path, read)


def test_an_index_that_could_not_be_built_is_built_when_it_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "SMALL_TYPE", 1)

    def unreadable(*_: object) -> None:
        raise OSError(5, "Input/output error")

    async def test(context: Any) -> None:
        await create(context, *(bus(n, speed={"value": n}) for n in range(5)))
        query = Query(types=parse_types("Vehicle", EXPAND), q=parse_q("speed>3", EXPAND))
        for _ in range(2):
            with monkeypatch.context() as broken:
                broken.setattr(build, "peek_attributes", unreadable)
                with pytest.raises(OSError, match="Input/output"):
                    await context.select(query, limit=10)
            figures = context.store.figures()
            assert (figures.indexes, figures.building) == (0, 0)
        assert len((await context.select(query, limit=10)).rows) == 1
        await create(context, bus(9, speed={"value": 9}))
        assert len((await context.select(query, limit=10)).rows) == 2
        rows = context.store._reading.execute("SELECT k, count(*) FROM value_index GROUP BY k")
        assert [count for _, count in rows] == [6]

    run(tmp_path, test)


def test_an_index_that_a_failed_write_brings_back_is_not_built_beside_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes would feed both, and the rows of one would never be deleted."""
    monkeypatch.setattr(plan, "SMALL_TYPE", 1)
    monkeypatch.setattr(writer, "_SLOW_COMMIT_SECONDS", -1.0)
    failing = threading.Event()

    def full(_: object) -> float:
        failing.wait(5)
        raise OSError(28, "No space left on device")

    async def test(context: Any) -> None:
        await create(context, *(bus(n, speed={"value": n}) for n in range(5)))
        query = Query(types=parse_types("Vehicle", EXPAND), q=parse_q("speed>3", EXPAND))
        await context.select(query, limit=10)
        store = context.store
        with monkeypatch.context() as broken:
            broken.setattr(writer, "_committed", full)
            dropping = asyncio.ensure_future(store.write(store._builder._drop_least_used))
            while store.figures().indexes:  # noqa: ASYNC110 - nothing says so
                await asyncio.sleep(0)
            asking = asyncio.create_task(context.select(query, limit=10))
            await asyncio.sleep(0)
            failing.set()
            with pytest.raises(InsufficientStorage):
                await dropping
        assert len((await asking).rows) == 1
        rows = store._reading.execute("SELECT k, count(*) FROM value_index GROUP BY k")
        assert [count for _, count in rows] == [5]
        (keys,) = store._indexes.values.by_type.values()
        assert len(keys) == 1

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
