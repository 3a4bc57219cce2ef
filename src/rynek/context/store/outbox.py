"""The outbox: messages to other hosts, as durable as the write that caused them.

A write job puts them in (`Txn.send`), they are written in its commit and handed to `receive`
afterwards; what a receiver took is settled lazily, with one of the next commits: a crash between
makes a message leave twice, never not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from rynek.base.sqlite import Connection

if TYPE_CHECKING:
    from rynek.context.store.txn import GroupTxn
    from rynek.context.store.written import Written

_logger = logging.getLogger(__name__)

INSERT: Final = (
    "INSERT INTO outbox(n, target, dead, at, about, head, body) VALUES(?, ?, 0, ?, ?, ?, ?)"
)
_COLUMNS: Final = "n, target, at, about, head, body"
_DELETE: Final = "DELETE FROM outbox WHERE n BETWEEN ? AND ?"
_BURY: Final = "UPDATE outbox SET dead = 1 WHERE n = ?"

Settled = list[tuple[str, list[tuple[object, ...]]]]


class Message(msgspec.Struct, gc=False):
    """One message: its number (rises, is never used again), for whom, when it was made (epoch µs),
    hashes of the entities it tells of (4 bytes each; none: of any), what goes beside the body
    (JSON, the deliverer's own) and the body."""

    n: int
    target: str
    at: int
    about: bytes
    head: bytes
    body: bytes


class Backlog(msgspec.Struct):
    """What waits for one target, or was given up: how many messages and bytes."""

    target: str
    dead: bool
    messages: int
    size: int


class Outbox:
    """Messages of one tenant. `watch` sees what every write job wrote of entities, inside its group,
    of several jobs at a time; `receive` gets what a commit wrote."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader
        row = reader.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        self.head = int(row[0]) if row else 0
        self.watch: Callable[[GroupTxn, list[list[Written]]], None] | None = None
        self.receive: Callable[[list[Message]], None] | None = None
        # Called when nothing of a group came to pass: what its jobs seemed to do is not so. None for
        # one that did not even begin.
        self.on_failure: list[Callable[[GroupTxn | None], None]] = []
        # So many messages that were taken wait for each other: rows that go together leave whole
        # pages behind, others pages that have to be written.
        self.together = 1
        self._gone: list[int] = []
        self._hurry = False
        self._buried: list[tuple[object, ...]] = []
        self._other: Settled = []

    @property
    def unsettled(self) -> bool:
        """Whether something waits for a commit to be settled with."""
        return bool(self._gone or self._buried or self._other)

    def took(self, *numbers: int) -> None:
        """The receiver has these messages: they are deleted with one of the next commits."""
        self._gone.extend(numbers)

    def bury(self, n: int) -> None:
        """Message `n` is given up: it stays as a dead letter."""
        self._buried.append((n,))

    def later(self, sql: str, args: tuple[object, ...]) -> None:
        """Run a statement of the deliverer's with the next commit."""
        self._other.append((sql, [args]))

    def hurry(self) -> None:
        """Let the next commit settle everything."""
        self._hurry = True

    def take_settled(self) -> Settled:
        """The statements to run with this commit."""
        if not self.unsettled:
            return []
        settled: Settled = []
        if self._gone and (self._hurry or len(self._gone) >= self.together):
            settled.append((_DELETE, _runs(self._gone)))
            self._gone = []
        if self._buried:
            settled.append((_BURY, self._buried))
        settled += self._other
        self._buried, self._other, self._hurry = [], [], False
        return settled

    def untaken(self, settled: Settled) -> None:
        """The commit failed: try again with the next one."""
        self._other = settled + self._other

    def committed(self, messages: list[Message]) -> None:
        """These messages are in the file."""
        self.head = messages[-1].n
        if self.receive is None:
            return
        try:
            self.receive(messages)
        except Exception:
            # Whoever waits for the write is told that it is durable, whatever is wrong with this.
            _logger.exception("%d messages could not be handed on for now", len(messages))

    def failed(self, txn: GroupTxn | None) -> None:
        """Nothing of a group is in the file."""
        for told in self.on_failure:
            try:
                told(txn)
            except Exception:
                # Whoever waits for the write has to hear of it, and the next ones to run.
                _logger.exception("a write that failed could not be taken back in memory")

    def backlog(self) -> list[Backlog]:
        """What waits and what was given up, by target."""
        rows = self._reader.execute(
            "SELECT target, dead, count(*), sum(length(body) + length(head)) FROM outbox"
            " GROUP BY target, dead"
        ).fetchall()
        return [Backlog(target, bool(dead), count, size) for target, dead, count, size in rows]

    def waiting(self, target: str) -> tuple[int, int]:
        """How many messages wait for a target, and their bytes."""
        sql = (
            "SELECT count(*), coalesce(sum(length(body) + length(head)), 0) FROM outbox"
            " WHERE target = ? AND dead = 0"
        )
        count, size = self._reader.execute(sql, (target,)).fetchall()[0]
        return count, size

    def read(
        self, target: str, after: int, limit: int, *, dead: bool = False, size: int = 1 << 24
    ) -> list[Message]:
        """Messages for `target` above `after` in order: at most `limit`, and no further ones once
        they have `size` bytes."""
        cursor = self._reader.execute(
            f"SELECT {_COLUMNS} FROM outbox WHERE target = ? AND dead = ? AND n > ?"
            " ORDER BY n LIMIT ?",
            (target, int(dead), after, limit),
        )
        found: list[Message] = []
        total = 0
        for row in cursor:
            found.append(Message(*row))
            total += len(row[5])
            if total >= size:
                break
        cursor.close()
        return found

    def held(self) -> list[tuple[str, str, bytes | None]]:
        """(target, entity id, how it was before) of what throttling holds back."""
        return self._reader.execute("SELECT target, entity, before FROM held").fetchall()

    def counters(self) -> list[tuple[str, bytes]]:
        """(target, counters) of every target that was ever delivered to."""
        return self._reader.execute("SELECT target, body FROM delivery").fetchall()


def _runs(numbers: list[int]) -> list[tuple[object, ...]]:
    """The first and the last of each row of numbers without a gap: mostly very few."""
    numbers.sort()
    runs: list[tuple[object, ...]] = []
    first = last = numbers[0]
    for n in numbers:
        if n > last + 1:
            runs.append((first, last))
            first = n
        last = n
    runs.append((first, last))
    return runs
