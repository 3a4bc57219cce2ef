"""Pages in the order of a number, walked along its value index (CIM 009 §4.23)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from rynek.base.pace import Pace
from rynek.base.sqlite import Connection
from rynek.context.formats import peek
from rynek.context.query import NUMBER_RANK, Ordering, Query
from rynek.context.store.contract import Page, Row
from rynek.context.store.indexes import Indexes
from rynek.context.store.plan import COLUMNS, Wanted, is_bare
from rynek.context.store.select import Readers

# Below so many entities of a type, sorting them is as fast as an index.
MANY: Final = 2_000
_STEP_ROWS: Final = 256
_EXACT: Final = 2**63
_Walked = tuple[list[Row], int]


def wanted_order(
    query: Query, ordering: Ordering, indexes: Indexes, connection: Connection
) -> Wanted | None:
    """The value index along which a query can be walked: it asks for all of one large type, in
    the order of one attribute. None for any other."""
    term = ordering.terms[0]
    path = term.path
    if len(ordering.terms) > 1 or term.by_distance or path.attr[0] == "@":
        return None
    if path.subs or path.trail or path.member is not None or not is_bare(query):
        return None
    alternatives = query.types.alternatives() if query.types is not None else []
    if len(alternatives) != 1 or len(alternatives[0]) != 1:
        return None
    t = indexes.terms.by_iri.get(next(iter(alternatives[0])), 0)
    sql = "SELECT count(*) FROM (SELECT 1 FROM entity_type WHERE t = ? LIMIT ?)"
    many = connection.execute(sql, (t, MANY)).fetchone()[0] >= MANY
    return (t, path.attr, ()) if many else None


class Walker:
    """Takes entities as an index has them, on a connection of its own, giving way to others."""

    def __init__(self, indexes: Indexes, readers: Readers) -> None:
        self._indexes = indexes
        self._readers = readers

    async def page(
        self,
        wanted: Wanted,
        ordering: Ordering,
        compact: Callable[[str], str],
        limit: int,
        offset: int,
    ) -> Page | None:
        """One page, and the number of matches; None where the index does not say the order: it
        does as far as the entities have numbers, which are the first of all types of values."""
        key = self._indexes.values.ready(*wanted)
        if key is None:
            return None
        descending = ordering.terms[0].descending
        with self._readers.one() as connection, _one_state(connection):
            if descending and _has_others(connection, key.k):
                return None
            sql = "SELECT count(*) FROM entity_type WHERE t = ?"
            matches = int(connection.execute(sql, (wanted[0],)).fetchone()[0])
            walked = await self._walk(connection, key.k, ordering, compact, limit, offset)
        if walked is None:
            return None
        rows, passed = walked
        if passed < min(offset + limit, matches):
            return None  # what has no number comes on this page
        return Page(rows, matches, matches > offset + limit)

    async def _walk(
        self,
        connection: Connection,
        k: int,
        ordering: Ordering,
        compact: Callable[[str], str],
        limit: int,
        offset: int,
    ) -> _Walked | None:
        """The rows of the page, and how many entities were passed up to its end."""
        direction = "DESC" if ordering.terms[0].descending else "ASC"
        cursor = connection.execute(
            f"SELECT v, n FROM value_index WHERE k = ? AND v < '' ORDER BY v {direction}, n", (k,)
        )
        rows: list[Row] = []
        passed, enough = 0, offset + limit
        compiled, needs = self._indexes.contexts.compiled, ordering.needs
        assert needs is not None
        pace = Pace()
        try:
            while passed < enough and (chunk := list(islice(cursor, _step(enough - passed)))):
                bodies = {raw[0]: raw for raw in _bodies(connection, [n for _, n in chunk])}
                for value, n in chunk:
                    if abs(value) >= _EXACT:
                        return None  # the index rounds it
                    _, c, body, times = bodies[n]
                    ctx = compiled(c)
                    # Another instance or an element of an array may have the value.
                    if ordering.ranks(peek(body, ctx, needs), compact) != [(NUMBER_RANK, value)]:
                        continue
                    passed += 1
                    if offset < passed <= enough:
                        rows.append(Row(n, ctx, body, times))
                if pace.due():
                    await pace.turn()
        finally:
            cursor.close()
        return rows, passed


@contextmanager
def _one_state(connection: Connection) -> Iterator[None]:
    """All that is read inside sees the same state, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _step(left: int) -> int:
    return min(max(left, 16), _STEP_ROWS)


def _has_others(connection: Connection, k: int) -> bool:
    """Whether any instance is something else than a number: it would come before in a descending
    order."""
    sql = "SELECT 1 FROM value_index WHERE k = ? AND v >= '' LIMIT 1"
    return connection.execute(sql, (k,)).fetchone() is not None


def _bodies(connection: Connection, numbers: list[int]) -> Iterator[tuple[int, int, bytes, bytes]]:
    marks = ", ".join("?" * len(numbers))
    sql = f"SELECT {COLUMNS} FROM entity e WHERE e.n IN ({marks})"
    return iter(connection.execute(sql, tuple(numbers)).fetchall())
