"""Pages of entities that no index can answer alone: in order, with conditions on linked ones."""

from __future__ import annotations

from rynek.base.errors import TooComplexQuery
from rynek.context import LOCAL, Entity, EntityMap, Ordering, Query, sort_entities
from rynek.web.api import sources
from rynek.web.api.call import Call
from rynek.web.api.linking import Links
from rynek.web.api.params import Paging
from rynek.web.api.sources import Candidates, Selected

_CHUNK = 500


async def select(call: Call, query: Query, page: Paging, ordering: Ordering | None) -> Selected:
    """One page of the entities that match, in order."""
    if query.linked:
        return await _linked_page(call, query, page, ordering)
    if ordering is None:
        return await sources.select(call, query, page)
    found = await call.tenant.context.ordered(
        query,
        ordering,
        limit=page.limit,
        offset=page.offset,
        most=call.limits.max_sorted,
        compact=call.ld.compact_iri,
    )
    entities = await sources.decoded(found.rows)
    return Selected(entities, found.count if page.count else None, found.more)


async def candidates(call: Call, query: Query, ordering: Ordering | None) -> Candidates:
    """Everything that matches, as an entity map has it (§5.14.4.4)."""
    if query.linked:
        found = await _linked(call, query, None)
        entities = found.entities
        if ordering is not None:
            entities = await sort_entities(entities, ordering, call.ld.compact_iri)
        return Candidates({one.id: [LOCAL] for one in entities}, {}, found.headers)
    if not sources.is_local(call):
        return await sources.candidates(call, query)
    ids = await call.tenant.context.ids(
        query, ordering, most=call.limits.max_sorted, compact=call.ld.compact_iri
    )
    return Candidates({one: [LOCAL] for one in ids})


async def matching(call: Call, query: Query, limit: int, entity_map: EntityMap) -> Selected:
    """At most `limit` entities of a map that match, in no certain order."""
    found = await sources.select(call, query, Paging(limit, 0, count=False), entity_map)
    if query.linked:
        links = Links(call, call.limits.max_sorted)
        found.entities = await links.matching(found.entities, query)
        found.headers = found.headers + links.headers
    return found


async def _linked_page(
    call: Call, query: Query, page: Paging, ordering: Ordering | None
) -> Selected:
    end = page.offset + page.limit
    found = await _linked(call, query, None if page.count or ordering else end + 1)
    entities = found.entities
    if ordering is not None:
        entities = await sort_entities(entities, ordering, call.ld.compact_iri)
    count = len(entities) if page.count else None
    return Selected(entities[page.offset : end], count, len(entities) > end, found.headers)


async def _linked(call: Call, query: Query, wanted: int | None) -> Selected:
    """The first `wanted` entities (None: all) whose linked entities are as `q` says.

    TooComplexQuery when more than `limits.max_sorted` would have to be looked at.
    """
    most = call.limits.max_sorted
    links = Links(call, most)
    kept: list[Entity] = []
    headers = []
    offset, more = 0, True
    while more and (wanted is None or len(kept) < wanted):
        if offset >= most:
            raise TooComplexQuery(f"more than {most} entities would have to be looked at")
        found = await sources.select(call, query, Paging(_CHUNK, offset, count=False))
        headers += [one for one in found.headers if one not in headers]
        kept += await links.matching(found.entities, query)
        offset, more = offset + _CHUNK, found.more
    return Selected(kept, None, more, headers + links.headers)
