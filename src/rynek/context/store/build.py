"""Builds value indexes in the background: values are gathered and sorted beside the writes, then
appended in short jobs between them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from functools import partial
from itertools import islice

from rynek.base.errors import Problem
from rynek.base.sqlite import Connection, connect_memory
from rynek.context.formats import decode, peek_attributes
from rynek.context.query import Key
from rynek.context.store.indexes import Indexes
from rynek.context.store.plan import Wanted
from rynek.context.store.txn import GroupTxn
from rynek.context.store.values import ValueKey, encode_path, entity_keys
from rynek.context.store.writer import Writer

# So many entities are read, and so many values written, before others have their turn.
_READ_ENTITIES = 200
_WRITE_VALUES = 2_000
_ENTITIES = (
    "SELECT e.n, e.ctx, e.body, e.times FROM entity_type x CROSS JOIN entity e ON e.n = x.n"
    " WHERE x.t = ? AND x.n > ? ORDER BY x.n LIMIT ?"
)


class IndexBuilder:
    """Makes sure that indexes exist before a query uses them; the least used make room."""

    def __init__(self, writer: Writer, indexes: Indexes, reading: Connection, most: int) -> None:
        self._writer = writer
        self._reading = reading
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
        if key is None:
            return
        try:
            with contextlib.closing(connect_memory()) as sorted_values:
                await self._gather(key, sorted_values)
                rows = iter(sorted_values.execute("SELECT v, n FROM found ORDER BY v, n"))
                while part := list(islice(rows, _WRITE_VALUES)):
                    await self._writer.submit(partial(self._append, key, part))
                    await asyncio.sleep(0)
            await self._writer.submit(lambda txn: self._finish(txn, key))
        except Exception:
            # Else writes would go on feeding it, beside the one that is built when asked again.
            with contextlib.suppress(Problem):
                await self._writer.submit(partial(self._abandon, key))
            raise
        self._used[key.k] = time.monotonic()

    def _abandon(self, key: ValueKey, txn: GroupTxn) -> None:
        if self._indexes.values.by_name.get((key.t, key.attr, key.path)) is key:
            self._drop(key, txn)

    def _start(self, txn: GroupTxn, name: Wanted) -> ValueKey | None:
        if self._indexes.values.ready(*name) is not None:
            return None  # it was dropped in a write that failed, and is there again
        t, attr, path = name
        key = ValueKey(self._indexes.values.next_number(), t, attr, path)
        a = self._indexes.terms.number(attr)
        txn.first("DELETE FROM value_index WHERE k = ?", [(key.k,)])
        txn.first(
            "INSERT OR REPLACE INTO value_key(k, t, a, path, built, used) VALUES(?,?,?,?,0,0)",
            [(key.k, t, a, encode_path(path))],
        )
        self._indexes.values.start(key)
        return key

    async def _gather(self, key: ValueKey, found: Connection) -> None:
        """Put the values of all entities, as committed, where they are sorted by SQLite's own order
        of numbers, texts and blobs. What is written meanwhile is in the index already."""
        found.execute("CREATE TABLE found(v, n, PRIMARY KEY(v, n)) WITHOUT ROWID")
        compiled = self._indexes.contexts.compiled
        whole = any(step[0] == "@" for step in key.path)  # a time may be asked for
        after = 0
        while True:
            batch = self._reading.execute(_ENTITIES, (key.t, after, _READ_ENTITIES)).fetchall()
            if not batch:
                return
            rows: list[tuple[Key, int]] = []
            for n, c, body, times in batch:
                entity = (
                    decode(body, times, compiled(c))
                    if whole
                    else peek_attributes(body, compiled(c), (key.attr,))
                )
                rows += [(v, n) for v in entity_keys(entity, key.attr, key.path)]
            found.executemany("INSERT OR IGNORE INTO found(v, n) VALUES(?, ?)", rows)
            after = batch[-1][0]
            await asyncio.sleep(0)

    def _append(self, key: ValueKey, rows: Sequence[tuple[Key, int]], txn: GroupTxn) -> None:
        """Put values at the end of the index; the group's own writes come after `first`."""
        written = self._indexes.values.written(key)
        txn.first(
            "INSERT OR IGNORE INTO value_index(k, v, n) VALUES(?, ?, ?)",
            [(key.k, v, n) for v, n in rows if n not in written],
        )

    def _finish(self, txn: GroupTxn, key: ValueKey) -> None:
        self._indexes.values.written(key)
        self._indexes.values.finish(key)
        txn.first("UPDATE value_key SET built = 1 WHERE k = ?", [(key.k,)])

    def _drop_least_used(self, txn: GroupTxn) -> None:
        values = self._indexes.values
        built = [key for key in values.by_name.values() if key.k not in values.building]
        if not built:
            return
        self._drop(min(built, key=lambda key: self._used.get(key.k, 0.0)), txn)

    def _drop(self, key: ValueKey, txn: GroupTxn) -> None:
        self._indexes.values.drop(key)
        txn.first("DELETE FROM value_key WHERE k = ?", [(key.k,)])
        txn.first("DELETE FROM value_index WHERE k = ?", [(key.k,)])
