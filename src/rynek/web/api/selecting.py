"""Pages of entities that no index can answer alone: conditions on linked entities."""

from __future__ import annotations

from rynek.base.errors import TooComplexQuery
from rynek.context import Entity, Query
from rynek.web.api import sources
from rynek.web.api.call import Call
from rynek.web.api.linking import Links
from rynek.web.api.params import Paging
from rynek.web.api.sources import Selected

_CHUNK = 500


async def select(call: Call, query: Query, page: Paging) -> Selected:
    """One page of the entities that match."""
    if not query.linked:
        return await sources.select(call, query, page)
    wanted = None if page.count else page.offset + page.limit + 1
    found = await _linked(call, query, wanted)
    chosen = found.entities[page.offset : page.offset + page.limit]
    more = len(found.entities) > page.offset + page.limit
    return Selected(chosen, len(found.entities) if page.count else None, more, found.headers)


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
