"""Pages of entities that match: candidates from an index, the exact match afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

import msgspec

from rynek.base.pace import Pace
from rynek.base.sqlite import Connection
from rynek.context.formats import decode, peek, peek_attributes, peek_point, render_entity
from rynek.context.jsonld import CompiledContext
from rynek.context.query import Query
from rynek.context.store.contract import Bodies, Page, Row
from rynek.context.store.indexes import Indexes
from rynek.context.store.plan import Plan, is_placed

_CHUNK_ROWS: Final = 64
# So many candidates are looked at before others get their turn: about 3 ms.
_AT_ONCE_ROWS: Final = 512
_NO_TIMES: Final = b"[0,0]"
_SPARE_READERS: Final = 8

# n, number of the @context, body, times (None where nobody asked), whether it surely matches.
RawRow = tuple[int, int, bytes, bytes | None, int]
_dumps: Final = msgspec.json.Encoder().encode


class _Collector:
    """Takes candidates until the page is full (and, for a count, until they end)."""

    def __init__(
        self, query: Query, indexes: Indexes, limit: int, offset: int, *, count: bool, plan: Plan
    ) -> None:
        self._compiled = indexes.contexts.compiled
        self._matches = _test_of(query, plan)
        self._limit = limit
        self._offset = offset
        self._counting = count
        self._exact = plan.exact
        self._seen: set[int] = set()
        self.rows: list[RawRow] = []
        self.matched = 0
        self.more = False

    def take(self, raw: Iterator[RawRow]) -> bool:
        """Look at more candidates; True once nothing more is needed."""
        seen, rows, exact, offset = self._seen, self.rows, self._exact, self._offset
        compiled, matches = self._compiled, self._matches
        for row in raw:
            n, c, body, times, sure = row
            if n in seen:
                continue
            seen.add(n)
            if not exact and not sure and not matches(body, times, compiled(c)):
                continue
            self.matched += 1
            if self.matched <= offset:
                continue
            if len(rows) < self._limit:
                rows.append(row)
                continue
            self.more = True
            if not self._counting:
                return True
        return False


def _test_of(query: Query, plan: Plan) -> Callable[[bytes, bytes | None, CompiledContext], bool]:
    """The exact test of a stored body (and its times, where the query asks for those)."""
    needs = query.needs
    if needs is None:
        matches = query.matches
        return lambda body, times, ctx: matches(decode(body, times or _NO_TIMES, ctx))
    if not plan.typed or not query.about_attributes_only:
        matches = query.matches
        return lambda body, _, ctx: matches(peek(body, ctx, needs))
    matches = query.matches_of_type
    near = query.geo.near_test if query.geo is not None and is_placed(query) else None
    if near is None:
        return lambda body, _, ctx: matches(peek_attributes(body, ctx, needs))
    assert query.geo is not None
    is_near, attr = near, query.geo.geoproperty

    def test(body: bytes, _: bytes | None, ctx: CompiledContext) -> bool:
        point = peek_point(body, ctx, attr)
        if point is None:  # another shape, or several instances
            return matches(peek_attributes(body, ctx, needs))
        return is_near(point[0], point[1])

    return test


class Readers:
    """Spare reader connections for queries that take turns with others: an open cursor would hold
    every other reader of its connection on its snapshot."""

    def __init__(self, open_reader: Callable[[], Connection]) -> None:
        self._open = open_reader
        self._idle: list[Connection] = []
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection for one query; its cursors must be done or closed when it comes back."""
        connection = self._idle.pop() if self._idle else self._open()
        try:
            yield connection
        finally:
            if self._closed or len(self._idle) >= _SPARE_READERS:
                connection.close()
            else:
                self._idle.append(connection)

    def close(self) -> None:
        """Close those that nobody uses; the others are closed when they come back."""
        self._closed = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()


def shown_under(ctx: CompiledContext, body: bytes, stored: CompiledContext) -> bytes:
    """A body that is stored under another context, as it is sent under `ctx`."""
    return _dumps(render_entity(decode(body, _NO_TIMES, stored), ctx))


def _is_most(bodies: list[bytes | None]) -> bool:
    """Whether at least half of them are known."""
    return all(bodies) or 2 * bodies.count(None) <= len(bodies)


class Selector:
    """Answers queries on one reader connection; a long one goes on along its own connection."""

    def __init__(self, reader: Connection, indexes: Indexes, readers: Readers) -> None:
        self._reader = reader
        self._indexes = indexes
        self._readers = readers
        self._remembered = indexes.remembered

    async def select(self, query: Query, plan: Plan, limit: int, offset: int, count: bool) -> Page:
        """One page; gives way to others every few hundred candidates."""
        compiled = self._indexes.contexts.compiled
        if plan.paged:
            raw = self._reader.execute(plan.paged, (*plan.args, limit + 1, offset)).fetchall()
            rows = [Row(n, compiled(c), body, times) for n, c, body, times in raw[:limit]]
            return Page(rows, self._count(plan) if count else None, len(raw) > limit)
        total = self._count(plan) if count else None
        counting = count and total is None
        found = _Collector(query, self._indexes, limit, offset, count=counting, plan=plan)
        await self._collect(plan, plan.sql, found)
        total = found.matched if counting else total
        rows = [Row(n, compiled(c), body, times or b"") for n, c, body, times, _ in found.rows]
        return Page(rows, total, found.more)

    async def bodies(
        self,
        query: Query,
        plan: Plan,
        ctx: CompiledContext,
        limit: int,
        offset: int,
        count: bool,
    ) -> Bodies:
        """The same page as bodies under `ctx`, made of nothing else."""
        here = self._indexes.contexts.known(ctx)
        total = self._count(plan) if count else None
        if plan.paged:
            return self._listed(plan, ctx, here, limit, offset, total)
        counting = count and total is None
        if plan.numbers and not counting:
            quick = self._by_number(plan, ctx, here, limit, offset)
            if quick is not None:
                quick.count = total
                return quick
        found = _Collector(query, self._indexes, limit, offset, count=counting, plan=plan)
        await self._collect(plan, plan.sql if query.needs is None else plan.lean, found)
        total = found.matched if counting else total
        bodies = [
            row[2] if row[1] == here else self._under(ctx, row[2], row[1]) for row in found.rows
        ]
        return Bodies(bodies, total, found.more)

    def _listed(
        self,
        plan: Plan,
        ctx: CompiledContext,
        here: int,
        limit: int,
        offset: int,
        total: int | None,
    ) -> Bodies:
        """A page of a list in which all match: as it is remembered, or from the file."""
        remembered = self._remembered
        numbers: list[int] | None = None
        t: int = plan.args[0] if plan.begun else 0  # type: ignore[assignment]
        if plan.begun:
            numbers = remembered.page(t, offset, limit)
        if numbers is not None:
            known = remembered.bodies(ctx.id, numbers)
            if all(known) or (
                remembered.holds and _is_most(known) and self._fill(known, numbers, ctx, here)
            ):
                return Bodies(known, total, True)  # type: ignore[arg-type]
        if plan.begun and remembered.holds:
            raw = self._page(plan, t, limit, offset)
        else:
            numbers = None
            args = (*plan.args, limit + 1, offset)
            raw = self._reader.execute(plan.paged_bodies, args).fetchall()
        more = len(raw) > limit
        if more:
            raw.pop()
        bodies = [row[1] if row[0] == here else self._under(ctx, row[1], row[0]) for row in raw]
        if numbers is not None:
            remembered.keep_all(ctx.id, [row[2] for row in raw], bodies)
        return Bodies(bodies, total, more)

    def _page(self, plan: Plan, t: int, limit: int, offset: int) -> list[tuple[int, bytes, int]]:
        """(context, body, number) of a page and of one more in the list of a type: from the last
        place on that is known to stand before it. A page that is asked for where one is known to
        begin is remembered."""
        remembered = self._remembered
        at, first = remembered.start(t, offset)
        rows: list[tuple[int, bytes, int]] = self._reader.execute(
            plan.begun, (t, first, limit + 1, offset - at)
        ).fetchall()
        if rows and at != offset:
            remembered.keep_start(t, offset, rows[0][2])
        if len(rows) > limit:
            remembered.keep_start(t, offset + limit, rows[-1][2])
            if at == offset:
                remembered.keep_page(t, offset, limit, [row[2] for row in rows[:limit]])
        return rows

    def _by_number(
        self, plan: Plan, ctx: CompiledContext, here: int, limit: int, offset: int
    ) -> Bodies | None:
        """A page of which an index gives the numbers, and most bodies are remembered; None where
        the index does not tell all of the page."""
        wanted, holds = offset + limit + 1, self._remembered.holds
        if wanted > _AT_ONCE_ROWS or (plan.cold and not holds):
            return None
        sql = plan.joined if plan.cold else plan.numbers
        rows = self._reader.execute(sql, (*plan.args, wanted)).fetchall()
        numbers = list(dict.fromkeys([row[0] for row in rows]))
        if len(numbers) < wanted and (len(rows) == wanted or not plan.whole):
            if not plan.whole:
                plan.numbers = ""  # nor will it the next time
            return None
        page = numbers[offset : offset + limit]
        found = self._remembered.bodies(ctx.id, page)
        if not holds and not all(found):
            return None
        most = _is_most(found)
        if plan.cold and not most:
            read = {n: (c, body) for n, c, body in rows}
            shown = [
                body if c == here else self._under(ctx, body, c)
                for c, body in map(read.__getitem__, page)
            ]
            self._remembered.keep_all(ctx.id, page, shown)
            return Bodies(shown, None, len(numbers) > offset + limit)
        plan.cold = not most
        if not self._fill(found, page, ctx, here):
            return None
        return Bodies(found, None, len(numbers) > offset + limit)  # type: ignore[arg-type]

    def _fill(
        self, bodies: list[bytes | None], numbers: list[int], ctx: CompiledContext, here: int
    ) -> bool:
        """Read the bodies that are missing, and remember them; False where the file lacks one."""
        if all(bodies):
            return True
        missing = [n for n, body in zip(numbers, bodies, strict=True) if body is None]
        # Few different statements, so that they stay prepared.
        missing += missing[-1:] * ((1 << (len(missing) - 1).bit_length()) - len(missing))
        sql = f"SELECT n, ctx, body FROM entity WHERE n IN ({', '.join('?' * len(missing))})"
        found: dict[int, bytes] = {}
        for n, c, body in self._reader.execute(sql, tuple(missing)).fetchall():
            shown = found[n] = body if c == here else self._under(ctx, body, c)
            self._remembered.keep(ctx.id, n, shown)
        for at, n in enumerate(numbers):
            if bodies[at] is None:
                bodies[at] = found.get(n)
        return all(bodies)

    def _under(self, ctx: CompiledContext, body: bytes, c: int) -> bytes:
        return shown_under(ctx, body, self._indexes.contexts.compiled(c))

    async def _collect(self, plan: Plan, sql: str, found: _Collector) -> None:
        """Let the collector look at candidates until it has its page."""
        if not self._at_once(plan, sql, found):
            await self._rest(plan, sql, found)

    def _at_once(self, plan: Plan, sql: str, found: _Collector) -> bool:
        """Look at the first candidates without giving way; True when the page is complete."""
        cursor = self._reader.execute(sql, plan.args)
        try:
            rows: Iterator[RawRow] = iter(cursor)
            return found.take(islice(rows, _AT_ONCE_ROWS)) or next(rows, None) is None
        finally:
            cursor.close()

    def _count(self, plan: Plan) -> int | None:
        """How many match, where the indexes alone tell."""
        if not plan.counting:
            return None
        count = self._reader.execute(plan.counting, plan.args).fetchone()[0]
        return None if count is None else int(count)

    async def _rest(self, plan: Plan, sql: str, found: _Collector) -> None:
        """Read on in chunks, on a connection of its own."""
        with self._readers.one() as connection:
            cursor = connection.execute(sql, plan.args)
            try:
                # From the first row on: this connection may see a later commit than the first did,
                # so what was looked at is known by its number and not by how many there were.
                rows: Iterator[RawRow] = iter(cursor)
                pace = Pace()
                while chunk := list(islice(rows, _CHUNK_ROWS)):
                    if found.take(iter(chunk)):
                        break
                    if pace.due():
                        await pace.turn()
            finally:
                cursor.close()
