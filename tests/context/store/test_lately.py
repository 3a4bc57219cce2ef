"""What was written lately is known without a look, and only as it was committed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rynek.base.clock import SystemClock
from rynek.base.errors import Unavailable
from rynek.context import core_context, operations, parse_entity, parse_fragment
from rynek.context.store.contract import Txn
from rynek.context.store.lately import Lately
from rynek.context.store.sqlite import SqliteStore
from rynek.context.store.writer import Writer

LD = core_context()
SPEED = LD.attribute("speed")


def _document(number: int) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Bus:{number}",
        "type": "Bus",
        "speed": {"type": "Property", "value": 0},
        "name": {"type": "Property", "value": "a bus"},
    }


async def _create(store: SqliteStore, number: int) -> str:
    entity = parse_entity(_document(number), LD, now=0)
    await store.write(lambda txn: operations.create(txn, entity, LD))
    return entity.id


async def _patch(store: SqliteStore, entity_id: str, value: int) -> None:
    fragment = parse_fragment({"speed": {"type": "Property", "value": value}}, LD, now=0)
    await store.write(lambda txn: operations.update(txn, entity_id, fragment, LD))


def _speed(store: SqliteStore, entity_id: str) -> object:
    entity = store.get(entity_id)
    assert entity is not None
    return entity.attrs[SPEED][0].value


def _lately(store: SqliteStore) -> Lately:
    return store._indexes.lately


def test_what_is_patched_again_is_known(tmp_path: Path) -> None:
    async def body() -> None:
        store = SqliteStore(tmp_path, SystemClock())
        one = await _create(store, 1)
        assert _lately(store).pending(one) is None
        for value in (1, 2, 3):
            await _patch(store, one, value)
            known = _lately(store).pending(one)
            assert known is not None
            assert known.after.entity == store.get(one)
            assert _speed(store, one) == value
        await store.write(lambda txn: operations.delete(txn, one))
        assert _lately(store).pending(one) is None
        again = await _create(store, 1)
        await _patch(store, again, 4)
        assert _speed(store, again) == 4
        await store.close()

    asyncio.run(body())


def test_a_commit_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body() -> None:
        store = SqliteStore(tmp_path, SystemClock())
        one = await _create(store, 1)
        await _patch(store, one, 1)

        async def refuse(*_: object) -> None:
            raise RuntimeError("no")

        with monkeypatch.context() as broken:
            broken.setattr(Writer, "_commit", refuse)
            with pytest.raises(Unavailable):
                await _patch(store, one, 2)
        assert _lately(store).pending(one) is None
        assert _speed(store, one) == 1
        await _patch(store, one, 3)
        assert _speed(store, one) == 3
        await store.close()

    asyncio.run(body())


def test_a_job_that_raises_is_not_remembered(tmp_path: Path) -> None:
    async def body() -> None:
        store = SqliteStore(tmp_path, SystemClock())
        one = await _create(store, 1)
        await _patch(store, one, 1)
        fragment = parse_fragment({"speed": {"type": "Property", "value": 9}}, LD, now=0)

        def fails(txn: Txn) -> None:
            operations.update(txn, one, fragment, LD)
            raise ValueError

        with pytest.raises(ValueError, match=r"^$"):
            await store.write(fails)
        await _patch(store, one, 2)
        known = _lately(store).pending(one)
        assert known is not None
        assert known.after.entity == store.get(one)
        assert _speed(store, one) == 2
        await store.close()

    asyncio.run(body())


def test_there_is_a_bound(tmp_path: Path) -> None:
    async def body() -> None:
        store = SqliteStore(tmp_path, SystemClock())
        lately = store._indexes.lately = Lately(10_000)
        ids = [await _create(store, number) for number in range(20)]
        for one in ids:
            await _patch(store, one, 1)
        known = [one for one in ids if lately.pending(one) is not None]
        assert 0 < len(known) < 10
        assert known == ids[-len(known) :]
        await store.close()

    asyncio.run(body())
