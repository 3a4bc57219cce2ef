"""Pages of entities that match: candidates from an index, the exact match afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from rynek.base.sqlite import Connection
from rynek.context.formats import decode, peek, peek_attributes
from rynek.context.jsonld import CompiledContext
from rynek.context.query import Query
from rynek.context.store.contract import Page, Row
from rynek.context.store.indexes import Indexes
from rynek.context.store.plan import Plan, Planner

_CHUNK_ROWS = 256
# So many candidates are looked at before others get their turn: about 3 ms.
_AT_ONCE_ROWS = 512

RawRow = tuple[int, int, bytes, bytes]


class _Collector:
    """Takes candidates until the page is full (and, for a count, until they end)."""

    def __init__(
        self, query: Query, indexes: Indexes, limit: int, offset: int, *, count: bool, plan: Plan
    ) -> None:
        self._needs = query.needs
        typed = plan.typed and query.about_attributes_only and self._needs is not None
        self._matches: Callable[..., bool] = query.matches_of_type if typed else query.matches
        self._look = peek_attributes if typed else peek
        self._indexes = indexes
        self._limit = limit
        self._offset = offset
        self._counting = count
        self._exact = plan.exact
        self._seen: set[int] = set()
        self.rows: list[Row] = []
        self.matched = 0
        self.more = False

    def take(self, raw: Iterable[RawRow]) -> bool:
        """Look at more candidates; True once nothing more is needed."""
        compiled = self._indexes.contexts.compiled
        for n, c, body, times in raw:
            if n in self._seen:
                continue
            self._seen.add(n)
            ctx = compiled(c)
            if not self._exact and not self._is_match(body, times, ctx):
                continue
            self.matched += 1
            if self.matched <= self._offset:
                continue
            if len(self.rows) < self._limit:
                self.rows.append(Row(n, ctx, body, times))
                continue
            self.more = True
            if not self._counting:
                return True
        return False

    def _is_match(self, body: bytes, times: bytes, ctx: CompiledContext) -> bool:
        if self._needs is None:
            return self._matches(decode(body, times, ctx))
        return self._matches(self._look(body, ctx, self._needs))


class Readers:
    """Spare reader connections for queries that take turns with others: an open cursor would hold
    every other reader of its connection on its snapshot."""

    def __init__(self, open_reader: Callable[[], Connection]) -> None:
        self._open = open_reader
        self._idle: list[Connection] = []

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection for one query; its cursors must be done or closed when it comes back."""
        connection = self._idle.pop() if self._idle else self._open()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def close(self) -> None:
        """Close those that nobody uses."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()


class Selector:
    """Answers queries on one reader connection; a long one goes on along its own connection."""

    def __init__(
        self, reader: Connection, indexes: Indexes, planner: Planner, readers: Readers
    ) -> None:
        self._reader = reader
        self._indexes = indexes
        self._planner = planner
        self._readers = readers

    def is_planned(self, query: Query) -> bool:
        """Whether this very query was planned before, with the indexes that it needs."""
        return self._planner.remembered(query) is not None

    async def select(self, query: Query, *, limit: int, offset: int, count: bool) -> Page:
        """One page; gives way to others every few hundred candidates."""
        plan = self._planner.plan(query, self._reader)
        if plan.in_order and plan.exact:
            return self._exact_page(plan, limit, offset, count)
        counting = count and not plan.exact
        found = _Collector(query, self._indexes, limit, offset, count=counting, plan=plan)
        first = _CHUNK_ROWS if counting else limit + offset + plan.spare
        if not self._at_once(plan, first, found):
            await self._rest(plan, _AT_ONCE_ROWS, found)
        total = found.matched if counting else self._count(plan) if count else None
        return Page(found.rows, total, found.more)

    def _at_once(self, plan: Plan, step: int, found: _Collector) -> bool:
        """Look at the first candidates without giving way; True when the page is complete."""
        cursor = self._reader.execute(plan.sql, plan.args)
        try:
            left = _AT_ONCE_ROWS
            while left > 0:
                size = min(step, left)
                raw = list(islice(cursor, size))
                if found.take(raw) or len(raw) < size:
                    return True
                left -= size
            return False
        finally:
            cursor.close()

    def _count(self, plan: Plan) -> int:
        return int(self._reader.execute(plan.counting, plan.args).fetchone()[0])

    def _exact_page(self, plan: Plan, limit: int, offset: int, count: bool) -> Page:
        total = self._count(plan) if count else None
        compiled = self._indexes.contexts.compiled
        sql = plan.paged or f"{plan.sql} LIMIT ? OFFSET ?"
        raw = self._reader.execute(sql, (*plan.args, limit + 1, offset)).fetchall()
        rows = [Row(n, compiled(c), body, times) for n, c, body, times in raw[:limit]]
        return Page(rows, total, len(raw) > limit)

    async def _rest(self, plan: Plan, skip: int, found: _Collector) -> None:
        """Read on from candidate `skip` in chunks, on a connection of its own."""
        with self._readers.one() as connection:
            cursor = connection.execute(plan.sql, plan.args)
            try:
                rows: Iterator[RawRow] = iter(cursor)
                for _ in islice(rows, skip):
                    pass
                while chunk := list(islice(rows, _CHUNK_ROWS)):
                    if found.take(chunk):
                        break
                    await asyncio.sleep(0)
            finally:
                cursor.close()
