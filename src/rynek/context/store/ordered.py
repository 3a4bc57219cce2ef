"""Everything that matches, looked at once: in an order that no index has, or as ids (§4.23)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from rynek.base.errors import TooComplexQuery
from rynek.base.pace import Pace
from rynek.base.sqlite import Connection
from rynek.context.formats import decode, peek
from rynek.context.model import Entity
from rynek.context.query import Ordering, Query, Rank
from rynek.context.sorting import arranged
from rynek.context.store.contract import Page, Row
from rynek.context.store.indexes import Indexes
from rynek.context.store.plan import COLUMNS, Planner
from rynek.context.store.select import Readers

_CHUNK_ROWS = 64


class Gatherer:
    """Looks at every match of a query, on a connection of its own, giving way to others."""

    def __init__(
        self, reader: Connection, indexes: Indexes, planner: Planner, readers: Readers
    ) -> None:
        self._reader = reader
        self._indexes = indexes
        self._planner = planner
        self._readers = readers

    async def ordered(
        self,
        query: Query,
        ordering: Ordering,
        *,
        limit: int,
        offset: int,
        most: int,
        compact: Callable[[str], str],
    ) -> Page:
        """One page in order, and the number of matches. TooComplexQuery for more than `most`."""
        numbers: list[int] = []
        ranks: list[list[Rank]] = []

        def take(n: int, entity: Entity) -> None:
            numbers.append(n)
            ranks.append(ordering.ranks(entity, compact))

        await self._matches(query, ordering.needs, most, take)
        chosen = (await arranged(ordering, ranks))[offset : offset + limit]
        rows = self._rows([numbers[position] for position in chosen])
        return Page(rows, len(numbers), len(numbers) > offset + limit)

    async def ids(
        self,
        query: Query,
        ordering: Ordering | None,
        *,
        most: int,
        compact: Callable[[str], str],
    ) -> list[str]:
        """The ids of all matches, in order. TooComplexQuery for more than `most`."""
        found: list[str] = []
        ranks: list[list[Rank]] = []
        needs = frozenset[str]() if ordering is None else ordering.needs

        def take(_: int, entity: Entity) -> None:
            found.append(entity.id)
            if ordering is not None:
                ranks.append(ordering.ranks(entity, compact))

        await self._matches(query, needs, most, take)
        if ordering is None:
            return found
        return [found[position] for position in await arranged(ordering, ranks)]

    async def _matches(
        self,
        query: Query,
        needs: frozenset[str] | None,
        most: int,
        take: Callable[[int, Entity], None],
    ) -> None:
        """Hand each match to `take`, in a stable order: its number, and the entity with at least
        the attributes `needs` (None: all of it)."""
        plan = self._planner.plan(query, self._reader)
        look = None if needs is None or query.needs is None else needs | query.needs
        compiled = self._indexes.contexts.compiled
        seen: set[int] = set()
        matched, pace = 0, Pace()
        with self._readers.one() as connection:
            cursor = connection.execute(plan.sql, plan.args)
            try:
                while chunk := list(islice(cursor, _CHUNK_ROWS)):
                    for n, c, body, times, sure in chunk:
                        if n in seen:
                            continue
                        seen.add(n)
                        ctx = compiled(c)
                        entity = decode(body, times, ctx) if look is None else peek(body, ctx, look)
                        if plan.exact or sure or query.matches(entity):
                            matched += 1
                            take(n, entity)
                    if matched > most:
                        raise TooComplexQuery(f"more than {most} entities match: narrow the query")
                    if pace.due():
                        await pace.turn()
            finally:
                cursor.close()

    def _rows(self, numbers: list[int]) -> list[Row]:
        """The stored entities with these numbers, in this order, as far as they are still there."""
        compiled = self._indexes.contexts.compiled
        marks = ", ".join("?" * len(numbers))
        sql = f"SELECT {COLUMNS} FROM entity e WHERE e.n IN ({marks})"
        found = {
            n: Row(n, compiled(c), body, times)
            for n, c, body, times in self._reader.execute(sql, tuple(numbers)).fetchall()
        }
        return [found[n] for n in numbers if n in found]
