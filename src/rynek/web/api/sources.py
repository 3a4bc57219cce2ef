"""Where the entities of a read come from: the local store, later also registered sources."""

from __future__ import annotations

import msgspec

from rynek.context import Entity, Query, decode
from rynek.web.api.call import Call, Header
from rynek.web.api.params import Paging


class Selected(msgspec.Struct):
    """One page of decoded entities; `count` only where it was asked for. `headers` tell of
    sources that could not answer (NGSILD-Warning, §6.3.17)."""

    entities: list[Entity]
    count: int | None = None
    more: bool = False
    headers: list[Header] = []


async def retrieve(call: Call, entity_id: str) -> tuple[Entity | None, list[Header]]:
    """One entity, merged from all that have a part of it; None where there is none."""
    return call.tenant.context.get(entity_id), []


async def select(call: Call, query: Query, page: Paging) -> Selected:
    """One page of the entities that match."""
    found = await call.tenant.context.select(
        query, limit=page.limit, offset=page.offset, count=page.count
    )
    entities = [decode(row.body, row.times, row.ctx) for row in found.rows]
    return Selected(entities, found.count, found.more)
