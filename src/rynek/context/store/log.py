"""The change log in SQLite: rows written by the group, cursors moved lazily but durably."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rynek.base.sqlite import Connection, connect
from rynek.base.typed import decoder
from rynek.context.changes import Change

_encoder = msgspec.json.Encoder()
_decoder = decoder(Change)


def encode_change(change: Change) -> bytes:
    """The stored form of a change."""
    return _encoder.encode(change)


@contextlib.contextmanager
def read_changes(folder: Path) -> Iterator[Iterator[Change]]:
    """Every change that the log of a tenant's folder still has, ascending; of a store that nobody
    opened, for repairs."""
    if not (folder / "state.db").exists():
        yield iter(())
        return
    connection = connect(folder / "state.db", read_only=True)
    try:
        log = SqliteChangeLog(connection)
        yield _every(log)
    finally:
        connection.close()


def _every(log: SqliteChangeLog) -> Iterator[Change]:
    after = 0
    while changes := log.read(after):
        yield from changes
        after = changes[-1].seq


class SqliteChangeLog:
    """`ChangeLog` over the tables change and cursor; `committed` wakes those who wait."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader
        row = reader.execute("SELECT seq FROM sqlite_sequence WHERE name = 'change'").fetchone()
        newest = reader.execute("SELECT max(seq) FROM change").fetchone()[0] or 0
        self._head = max(int(row[0]) if row else 0, int(newest))
        self._cursors = {
            str(name): int(seq) for name, seq in reader.execute("SELECT name, seq FROM cursor")
        }
        self._moved: dict[str, int] = {}
        self._waiters: set[asyncio.Future[None]] = set()

    def head(self) -> int:
        """The seq of the newest committed row."""
        return self._head

    def oldest(self) -> int:
        """The seq of the oldest row kept; head() + 1 when there is none."""
        row = self._reader.execute("SELECT min(seq) FROM change").fetchone()
        return int(row[0]) if row[0] is not None else self._head + 1

    def first_since(self, at: int, first: int, last: int) -> int | None:
        """The first seq from `first` to `last` that was written at `at` (epoch µs) or later."""
        row = self._reader.execute(
            "SELECT seq FROM change WHERE seq BETWEEN ? AND ? AND at >= ? ORDER BY seq LIMIT 1",
            (first, last, at),
        ).fetchone()
        return None if row is None else int(row[0])

    def read(self, after: int, limit: int = 1000) -> list[Change]:
        """Committed rows above `after`, ascending."""
        if after >= self._head:
            return []
        rows = self._reader.execute(
            "SELECT seq, body FROM change WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        ).fetchall()
        changes = []
        for seq, body in rows:
            change = _decoder.decode(body)
            change.seq = seq
            changes.append(change)
        return changes

    async def wait(self, after: int, timeout: float) -> int:
        """head() once it exceeds `after`, or when `timeout` seconds are over."""
        if self._head > after:
            return self._head
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await waiter
        self._waiters.discard(waiter)
        return self._head

    def cursor(self, name: str) -> int | None:
        """The last acknowledged seq of `name`."""
        return self._cursors.get(name)

    def pin(self, name: str, seq: int) -> None:
        """Keep the rows above `seq` for `name`; nothing is written."""
        self._cursors[name] = seq

    def acknowledge(self, name: str, seq: int) -> None:
        """Move `name` to `seq`; written with the next commit or the next upkeep."""
        self._cursors[name] = seq
        self._moved[name] = seq

    def lowest_cursor(self) -> int | None:
        """The seq up to which every reader has acknowledged; None without readers."""
        return min(self._cursors.values(), default=None)

    def take_moved(self) -> list[tuple[str, int]]:
        """Cursor rows to write with this group."""
        moved = list(self._moved.items())
        self._moved.clear()
        return moved

    def untaken(self, moved: list[tuple[str, int]]) -> None:
        """The commit failed: write these with the next one, unless they have moved on."""
        self._moved = dict(moved) | self._moved

    def committed(self, head: int) -> None:
        """Tell the readers that rows up to `head` are there."""
        if head <= self._head:
            return
        self._head = head
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
