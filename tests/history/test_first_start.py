"""A history that begins over a log with bounds: what a kill at its first start leaves is whole."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from tests.context.store.test_figures import Clock
from tests.history.support import T0, iri, number
from tests.history.test_follow import SLOW

from rynek.context import Entity, Txn
from rynek.context.jsonld import core_context
from rynek.context.operations import entities
from rynek.context.store.sqlite import SqliteStore, StoreLimits
from rynek.history import History

HOUR = 3600 * 1_000_000


async def write(store: SqliteStore, first: int, count: int) -> None:
    """New entities with a reading each."""

    def job(txn: Txn) -> None:
        for i in range(first, first + count):
            attrs = {iri("speed"): [number(i, T0)]}
            made = Entity(f"urn:ngsi-ld:Vehicle:{i}", [iri("Vehicle")], attrs)
            entities.create(txn, made, core_context(), None)

    await store.write(job)


@pytest.mark.parametrize("opened", [False, True], ids=["before it is open", "before it is flushed"])
def test_a_kill_before_the_first_acknowledgement_loses_nothing(
    tmp_path: Path, *, opened: bool
) -> None:
    """Trimmed as hard as can be, before and after the kill; where the log begins is kept by the
    process alone until then."""
    limits = StoreLimits(keep_rows=0, keep_hours=0.0)

    async def killed() -> None:
        clock = Clock()
        store = SqliteStore(tmp_path / "first", clock, limits)
        await write(store, 0, 20)
        history = History(tmp_path / "first" / "history", store.changes, SLOW)
        await history.start()
        if opened:
            await history.ready()
            await history._follower.drain()
        clock.at += 100 * HOUR
        await store._shorten()
        await write(store, 20, 5)
        await store._shorten()
        # What a kill leaves: the files as they are.
        await asyncio.to_thread(shutil.copytree, tmp_path / "first", tmp_path / "second")
        await history.stop()
        await store.close()

    async def again() -> None:
        clock = Clock()
        clock.at += 200 * HOUR
        store = SqliteStore(tmp_path / "second", clock, limits)
        history = History(tmp_path / "second" / "history", store.changes, SLOW)
        await history.start()
        await store._shorten()
        await write(store, 25, 5)
        await store._shorten()
        await history.ready()
        await history._follower.drain()
        assert history.state().lost == 0
        assert history.state().pending == 30
        await history.stop()
        await store._shorten()
        await store._shorten()
        assert store.figures().rows == 0
        await store.close()

    asyncio.run(killed())
    asyncio.run(again())
