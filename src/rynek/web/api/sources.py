"""Where the entities of a read come from: the local store and registered context sources.

Everything that is not the plain fast path (stored bytes as they are) reads through here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from rynek.base.pace import Pace
from rynek.context import Entity, EntityMap, Query, Row, decode
from rynek.web.api import distributed
from rynek.web.api.call import Call, Header
from rynek.web.api.distributed import is_local, shares_entity, shares_query
from rynek.web.api.params import Paging

__all__ = [
    "Candidates",
    "Selected",
    "candidates",
    "decoded",
    "is_local",
    "retrieve",
    "retrieve_many",
    "select",
    "shares_entity",
    "shares_query",
]


class Selected(msgspec.Struct):
    """One page of decoded entities; `count` only where it was asked for. `headers` tell of
    sources that could not answer (NGSILD-Warning, §6.3.17)."""

    entities: list[Entity]
    count: int | None = None
    more: bool = False
    headers: list[Header] = []


class Candidates(msgspec.Struct):
    """What an entity map is made of: the registrations behind each id (or LOCAL), and the maps
    that other sources made for it, by registration."""

    entities: dict[str, list[str]]
    linked: dict[str, str] = {}
    headers: list[Header] = []


async def retrieve(
    call: Call, entity_id: str, entity_map: EntityMap | None = None
) -> tuple[Entity | None, list[Header]]:
    """One entity, merged from all that have a part of it, or with a map from those that it names;
    None where there is none."""
    if is_local(call):
        return call.tenant.context.get(entity_id), []
    return await distributed.retrieve(call, entity_id, entity_map)


async def retrieve_many(
    call: Call, wanted: Mapping[str, Collection[str]]
) -> tuple[dict[str, Entity], list[Header]]:
    """Those of the entities with these ids that can be had, by id. The values are the types that
    a relationship says they have (IRIs, its objectType); empty where it says nothing, and then
    only the local store is asked (§4.5.23.1)."""
    if not is_local(call):
        return await distributed.retrieve_many(call, wanted)
    get = call.tenant.context.get
    found = {entity_id: get(entity_id) for entity_id in wanted}
    return {entity_id: entity for entity_id, entity in found.items() if entity is not None}, []


async def select(
    call: Call, query: Query, page: Paging, entity_map: EntityMap | None = None
) -> Selected:
    """One page of the entities that match; with a map of those, of whom it says has them."""
    if not is_local(call):
        together = await distributed.select(call, query, page, entity_map)
        if together is not None:
            merged, headers = together
            return Selected(merged.entities, merged.count, merged.more, headers)
    found = await call.tenant.context.select(
        query, limit=page.limit, offset=page.offset, count=page.count
    )
    return Selected(await decoded(found.rows), found.count, found.more)


async def decoded(rows: Sequence[Row]) -> list[Entity]:
    """Stored entities, decoded in slices."""
    entities, pace = [], Pace()
    for row in rows:
        entities.append(decode(row.body, row.times, row.ctx))
        if pace.due():
            await pace.turn()
    return entities


async def candidates(call: Call, query: Query) -> Candidates:
    """Everything that matches here or at a registered source."""
    return Candidates(*await distributed.candidates(call, query))
