"""Who waits for a write is answered, whatever the disk says when it is asked why."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.disks import unseen

from rynek.base.clock import SystemClock
from rynek.base.errors import Unavailable
from rynek.context import DEFAULT_VOCAB, Entity, Txn
from rynek.context.jsonld import core_context
from rynek.context.operations import entities
from rynek.context.store import writer
from rynek.context.store.indexes import Indexes
from rynek.context.store.sqlite import SqliteStore
from rynek.context.store.writer import Writer


def run(folder: Path, test: Callable[[SqliteStore], Awaitable[None]]) -> None:
    """Run `test` on a store in `folder`, within ten seconds."""

    async def body() -> None:
        store = SqliteStore(folder, SystemClock())
        async with asyncio.timeout(10):
            await test(store)
        await store.close()

    asyncio.run(body())


def job(txn: Txn) -> str:
    txn.later("DELETE FROM cursor WHERE seq < ?", (0,))
    return "written"


def raising(error: Exception) -> Callable[..., Any]:
    """Something that only ever fails."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_committed", raising(apsw.IOError("disk I/O error")))


def test_a_write_is_answered_where_the_disk_may_not_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(store: SqliteStore) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(os, "stat", unseen("state.db"))
            refused(broken)
            with pytest.raises(Unavailable):
                await store.write(job)

    run(tmp_path, test)


@pytest.mark.parametrize("fault", ["the reason", "running"])
def test_each_writer_is_answered_where_the_reason_cannot_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    async def test(store: SqliteStore) -> None:
        with monkeypatch.context() as broken:
            if fault == "the reason":
                refused(broken)
                broken.setattr(writer, "storage_problem", raising(RuntimeError("no reason")))
            else:
                broken.setattr(Writer, "_ran", raising(OSError("gone")))
            answers = await asyncio.gather(
                *(store.write(job) for _ in range(3)), return_exceptions=True
            )
            assert [type(one) for one in answers] == [Unavailable] * 3
        assert await store.write(job) == "written"  # the next ones run

    run(tmp_path, test)


def test_what_is_in_the_file_is_told_so_whatever_fails_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(store: SqliteStore) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(Indexes, "in_file", raising(RuntimeError("out of step")))
            await store.write(partial(note, 1))
            await store.write(partial(note, 2))
        await store.write(partial(note, 3))
        assert [one.seq for one in store.changes.read(0)] == [1, 2, 3]
        assert [one.body for one in store.outbox.read("t", 0, 9)] == [b"1", b"2", b"3"]

    run(tmp_path, test)


def note(number: int, txn: Txn) -> None:
    made = Entity(f"urn:ngsi-ld:Stop:{number}", [DEFAULT_VOCAB + "Stop"], {})
    entities.create(txn, made, core_context(), None)
    txn.send("t", b"", b"", lambda _: b"%d" % number)
