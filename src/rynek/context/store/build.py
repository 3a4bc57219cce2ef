"""Builds value indexes in the background, in short jobs between other writes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from rynek.base.errors import Unavailable
from rynek.context.model import Entity
from rynek.context.query import Key
from rynek.context.store.indexes import Indexes
from rynek.context.store.plan import Wanted
from rynek.context.store.txn import GroupTxn
from rynek.context.store.values import ValueKey, encode_path, entity_keys
from rynek.context.store.writer import Writer

_STEP_ENTITIES = 400


class IndexBuilder:
    """Makes sure that indexes exist before a query uses them; the least used make room."""

    def __init__(self, writer: Writer, indexes: Indexes, most: int) -> None:
        self._writer = writer
        self._indexes = indexes
        self._most = most
        self._building: dict[Wanted, asyncio.Task[None]] = {}
        self._used: dict[int, float] = {}

    async def ensure(self, wanted: Sequence[Wanted]) -> None:
        """Return once every index in `wanted` is built (or there is no room for it)."""
        for name in wanted:
            key = self._indexes.values.ready(*name)
            if key is not None:
                self._used[key.k] = time.monotonic()
                continue
            task = self._building.get(name)
            if task is None:
                task = asyncio.get_running_loop().create_task(self._build(name))
                self._building[name] = task
                task.add_done_callback(partial(self._built, name))
            # A client that goes away must not end what others wait for.
            await asyncio.shield(task)

    def _built(self, name: Wanted, task: asyncio.Task[None]) -> None:
        del task
        self._building.pop(name, None)

    async def _build(self, name: Wanted) -> None:
        values = self._indexes.values
        if len(values.by_name) >= self._most:
            await self._writer.submit(self._drop_least_used)
        key = await self._writer.submit(lambda txn: self._start(txn, name))
        position = 0
        while position >= 0:
            position = await self._writer.submit(lambda txn: self._step(txn, key))
            await asyncio.sleep(0)
        self._used[key.k] = time.monotonic()

    def _start(self, txn: GroupTxn, name: Wanted) -> ValueKey:
        t, attr, path = name
        key = ValueKey(max(self._indexes.values.built_to, default=0) + 1, t, attr, path)
        a = self._indexes.terms.number(attr)
        txn.first("DELETE FROM value_index WHERE k = ?", [(key.k,)])
        txn.first(
            "INSERT OR REPLACE INTO value_key(k, t, a, path, built, used) VALUES(?,?,?,?,0,0)",
            [(key.k, t, a, encode_path(path))],
        )
        self._indexes.values.start(key)
        return key

    def _step(self, txn: GroupTxn, key: ValueKey) -> int:
        """Index the next few entities as committed; -1 when the last one is covered.

        The group's own writes come after `first` statements, and maintain what is covered.
        """
        values = self._indexes.values
        built_to = values.built_to.get(key.k)
        if built_to is None:
            raise Unavailable("the index was lost in a write that failed; ask again")
        batch = self._indexes.committed(key.t, built_to, _STEP_ENTITIES)
        if not batch:
            values.finish(key)
            txn.first("UPDATE value_key SET built = 1 WHERE k = ?", [(key.k,)])
            return -1
        rows = [(key.k, v, n) for n, entity in batch for v in _keys(entity, key)]
        rows.sort(key=_order)
        txn.first("INSERT OR IGNORE INTO value_index(k, v, n) VALUES(?, ?, ?)", rows)
        values.built_to[key.k] = batch[-1][0]
        return batch[-1][0]

    def _drop_least_used(self, txn: GroupTxn) -> None:
        values = self._indexes.values
        built = [key for key in values.by_name.values() if values.built_to[key.k] is None]
        if not built:
            return
        oldest = min(built, key=lambda key: self._used.get(key.k, 0.0))
        values.drop(oldest)
        txn.first("DELETE FROM value_key WHERE k = ?", [(oldest.k,)])
        txn.first("DELETE FROM value_index WHERE k = ?", [(oldest.k,)])


def _keys(entity: Entity, key: ValueKey) -> set[Key]:
    return entity_keys(entity, key.attr, key.path)


def _order(row: tuple[int, Key, int]) -> tuple[int, Any, int]:
    """SQLite's order of mixed values: numbers, texts, blobs."""
    value = row[1]
    rank = 0 if isinstance(value, int | float) else 1 if isinstance(value, str) else 2
    return rank, value, row[2]
