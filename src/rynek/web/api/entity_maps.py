"""Entity maps: /entityMaps, and queries that make or use one (CIM 009 §5.14, §6.32, §6.34)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from rynek.base.clock import parse_iso, to_iso
from rynek.base.errors import BadRequestData
from rynek.context import Entity, EntityMap, Ordering, Query, parse_moment
from rynek.web.api import selecting
from rynek.web.api.bodies import document_reply, read_document
from rynek.web.api.call import Call, Header, Reply
from rynek.web.api.params import Paging, entity_query, entity_view, require_filter
from rynek.web.api.query_body import take_query
from rynek.web.api.reading import MapWish, check_sources, join_of, map_id, map_wish, order_of
from rynek.web.api.route import Route
from rynek.web.api.sources import Selected

_CREATED: Final = 201
_CHUNK: Final = 200


def location(call: Call, entity_map: EntityMap) -> Header:
    """The header that says where the map of an answer is (§6.4.3.2)."""
    path = f"{call.base_path}/ngsi-ld/v1/entityMaps/{entity_map.id}"
    return (b"ngsild-entitymap", path.encode())


async def select(
    call: Call, query: Query, page: Paging, ordering: Ordering | None, wish: MapWish
) -> tuple[Selected, int]:
    """One page of the entities of a map, and the status: 201 where the map had to be made. Those
    that no longer match leave it, and the page is filled from what follows (§5.5.9.3)."""
    found = find(call, wish, temporal=False)
    status = 200
    headers: list[Header] = []
    if found is None:
        found, headers = await _make(call, query, ordering, wish)
        status = _CREATED
    elif found.ld != call.ld.id:
        raise BadRequestData("the entity map was made with another @context")
    selected = await _page(call, found, query, page)
    selected.headers = [*selected.headers, *headers, location(call, found)]
    return selected, status


async def _make(
    call: Call, query: Query, ordering: Ordering | None, wish: MapWish
) -> tuple[EntityMap, list[Header]]:
    found = await selecting.candidates(call, query, ordering)
    made = await call.tenant.context.entity_maps.create(
        found.entities, linked=found.linked, ld=call.ld.id, lifetime=wish.lifetime
    )
    return made, found.headers


async def _page(call: Call, entity_map: EntityMap, query: Query, page: Paging) -> Selected:
    ids = list(entity_map.entities)
    if query.ids is not None:
        asked = frozenset(query.ids)
        ids = [one for one in ids if one in asked]
    enough = page.limit + 1
    kept: list[Entity] = []
    gone: set[str] = set()
    headers: list[Header] = []
    count = 0
    position = 0 if page.count else page.offset
    while position < len(ids) and (page.count or len(kept) < enough):
        some = ids[position : position + _CHUNK]
        wanted = dataclasses.replace(query, ids=some)
        found = await selecting.matching(call, wanted, len(some), entity_map)
        headers += [one for one in found.headers if one not in headers]
        there = {one.id: one for one in found.entities}
        count += len(there)
        for place, one in enumerate(some, position):
            if place < page.offset:
                continue  # shown before: taking it out now would move what follows
            if one not in there:
                gone.add(one)
            elif len(kept) < enough:
                kept.append(there[one])
        position += len(some)
    if gone and not headers:  # a source that did not answer may still have it
        await call.tenant.context.entity_maps.prune(entity_map, gone)
    more = len(kept) > page.limit
    return Selected(kept[: page.limit], count if page.count else None, more, headers)


def find(call: Call, wish: MapWish, *, temporal: bool) -> EntityMap | None:
    """The map to use; None when there is none (any more), so that one has to be made."""
    found: EntityMap | None = None
    if wish.use is not None:
        found = call.tenant.context.entity_maps.find(wish.use)
    if found is not None and found.temporal != temporal:
        raise BadRequestData("the entity map was made for another kind of query")
    return found


async def of_entity(
    call: Call, entity_id: str, wish: MapWish, found: EntityMap | None
) -> list[Header]:
    """The header of the map that the retrieval of one entity used, made where none was found."""
    if found is not None:
        return [location(call, found)]
    made, headers = await _make(call, Query(ids=[entity_id]), None, wish)
    return [*headers, location(call, made)]


async def retrieve_map(call: Call) -> Reply:
    """Retrieve EntityMap (§5.14.1): GET /entityMaps/{id}."""
    found = call.tenant.context.entity_maps.get(map_id(call.path_args[0]))
    return document_reply(call, _document(found))


async def update_map(call: Call) -> Reply:
    """Update EntityMap (§5.14.2): PATCH /entityMaps/{id}; only its expiry can be changed."""
    one = map_id(call.path_args[0])
    maps = call.tenant.context.entity_maps
    maps.get(one)
    document, _ = await read_document(call)
    if document.get("type", "EntityMap") != "EntityMap" or document.get("id", one) != one:
        raise BadRequestData("the body is not of this EntityMap")
    if "expiresAt" in document:
        await maps.extend(one, parse_iso(parse_moment("expiresAt", document["expiresAt"])))
    return Reply(204)


async def delete_map(call: Call) -> Reply:
    """Delete EntityMap (§5.14.3): DELETE /entityMaps/{id}."""
    await call.tenant.context.entity_maps.delete(map_id(call.path_args[0]))
    return Reply(204)


async def create_map(call: Call) -> Reply:
    """Create EntityMap for Query Entities (§5.14.4): GET /entityMaps."""
    params = call.params
    check_sources(call)
    join = join_of(params)
    links = join.level if join else 0
    entity_view(call, links)
    query = entity_query(params, call.ld, links)
    require_filter(params, query)
    ordering = order_of(call)
    return created(call, *await _make(call, query, ordering, map_wish(call)))


def created(call: Call, entity_map: EntityMap, headers: Sequence[Header]) -> Reply:
    """The answer to a request for a map (§6.34.3.1, §6.35.3.1)."""
    reply = document_reply(call, _document(entity_map), _CREATED)
    reply.headers = [*reply.headers, *headers, location(call, entity_map)]
    return reply


async def create_map_by_post(call: Call) -> Reply:
    """Create EntityMap for Query Entities (§6.34.3.2): POST /entityMaps with a Query as body."""
    await take_query(call, temporal=False)
    return await create_map(call)


def _document(entity_map: EntityMap) -> dict[str, Any]:
    """EntityMap (§5.2.39)."""
    return {
        "id": entity_map.id,
        "type": "EntityMap",
        "expiresAt": to_iso(entity_map.expires_at),
        "entityMap": entity_map.entities,
        "linkedMaps": entity_map.linked,
    }


ROUTES: Final = (
    Route("GET", "entityMaps", create_map, "read"),
    Route("POST", "entityMaps", create_map_by_post, "read"),
    Route("GET", "entityMaps/*", retrieve_map, "read"),
    Route("PATCH", "entityMaps/*", update_map, "read"),
    Route("DELETE", "entityMaps/*", delete_map, "read"),
)
