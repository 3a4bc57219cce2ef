"""Handlers of temporal reads, alone and over entity maps (CIM 009 §5.7.3, §5.7.4, §5.14.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData, TooComplexQuery
from rynek.context import LOCAL, EntityMap
from rynek.web.api import temporal, temporal_sources
from rynek.web.api.bodies import load_json
from rynek.web.api.call import Call, Header, Reply
from rynek.web.api.consumption import page_headers
from rynek.web.api.entity_maps import created, find, location
from rynek.web.api.params import paging
from rynek.web.api.query_body import take_query
from rynek.web.api.reading import MapWish, map_wish
from rynek.web.api.route import Route

_OF_THE_WHOLE: Final = frozenset(
    ("entityMap", "entityMapLifetime", "offset", "count", "orderBy", "collation")
)
_KEPT: Final = frozenset((b"content-range", b"ngsild-warning"))


class _Page(msgspec.Struct):
    """Evolutions of one page, and the ids of the map that turned out to be gone."""

    documents: list[dict[str, Any]] = []
    gone: set[str] = set()
    headers: list[Header] = []
    status: int = 200


async def retrieve_temporal(call: Call) -> Reply:
    """Retrieve Temporal Evolution of an Entity (§5.7.3): GET /temporal/entities/{id}."""
    wish = map_wish(call)
    if not wish.given:
        return (await temporal_sources.retrieve(call))[0]
    found = find(call, wish, temporal=True)
    reply, who = await temporal_sources.retrieve(call, found)
    if found is None:
        found = await _keep(call, {call.path_args[0]: who}, {}, wish)
    reply.headers = [*reply.headers, location(call, found)]
    return reply


async def query_temporal(call: Call) -> Reply:
    """Query Temporal Evolution of Entities (§5.7.4): GET /temporal/entities."""
    wish = map_wish(call)
    if not wish.given:
        return await temporal_sources.query(call)
    return await _page_of_map(call, wish)


async def query_temporal_by_post(call: Call) -> Reply:
    """Query Temporal Evolution of Entities by POST (§6.24): a Query (§5.2.23) as body."""
    await take_query(call, temporal=True)
    return await query_temporal(call)


async def create_map(call: Call) -> Reply:
    """Create EntityMap for Query Temporal Evolution of Entities (§5.14.5): GET
    /temporal/entityMaps."""
    inquiry = temporal.read_inquiry(call)
    return created(call, *await _make(call, inquiry, map_wish(call)))


async def create_map_by_post(call: Call) -> Reply:
    """Create EntityMap for Query Temporal Evolution of Entities (§6.35.3.2): POST
    /temporal/entityMaps with a Query as body."""
    await take_query(call, temporal=True)
    return await create_map(call)


async def _make(
    call: Call, inquiry: temporal.Inquiry, wish: MapWish
) -> tuple[EntityMap, list[Header]]:
    ours = await temporal.selected(call, inquiry)
    theirs = await temporal_sources.candidates(call)
    entities = {one.id: [LOCAL] for one in ours}
    for entity_id, who in theirs.entities.items():
        entities.setdefault(entity_id, []).extend(who)
    most = call.limits.max_sorted
    if len(entities) > most:
        raise TooComplexQuery(f"more than {most} entities match: a map does not hold so many")
    return await _keep(call, entities, theirs.linked, wish), theirs.headers


async def _keep(
    call: Call, entities: dict[str, list[str]], linked: dict[str, str], wish: MapWish
) -> EntityMap:
    made: EntityMap = await call.tenant.context.entity_maps.create(
        entities, linked=linked, ld=call.ld.id, lifetime=wish.lifetime, temporal=True
    )
    return made


async def _page_of_map(call: Call, wish: MapWish) -> Reply:
    """One page of the entities of a map, 201 where it had to be made (§6.18.3.2). Those that fit
    no more leave it, and the page is filled from what follows (§5.5.9.3)."""
    inquiry = temporal.read_inquiry(call)
    page = paging(call.params, call.limits.default_limit, call.limits.max_limit)
    found = find(call, wish, temporal=True)
    made = found is None
    headers: list[Header] = []
    if found is None:
        found, headers = await _make(call, inquiry, wish)
    elif found.ld != call.ld.id:
        raise BadRequestData("the entity map was made with another @context")
    ids = list(found.entities)
    if inquiry.selection.ids is not None:
        asked = frozenset(inquiry.selection.ids)
        ids = [one for one in ids if one in asked]
    shown = await _fill(call, found, ids[page.offset :], page.limit)
    if shown.gone and not shown.headers:  # a source that did not answer may still have it
        await call.tenant.context.entity_maps.prune(found, shown.gone)
    count = len(ids) - len(shown.gone)
    headers = [
        *page_headers(call, page, count if page.count else None, count > page.offset + page.limit),
        *(one for one in headers if one not in shown.headers),
        *shown.headers,
        location(call, found),
    ]
    status = 201 if made and shown.status == 200 else shown.status
    return temporal_sources.list_reply(call, shown.documents, headers, status)


async def _fill(call: Call, entity_map: EntityMap, ids: Sequence[str], wanted: int) -> _Page:
    """The evolutions of the first `wanted` entities that are still there."""
    page = _Page()
    kept = {name: text for name, text in call.params.items() if name not in _OF_THE_WHOLE}
    position = 0
    while len(page.documents) < wanted and position < len(ids):
        some = ids[position : position + wanted - len(page.documents)]
        params = kept | {"id": ",".join(some), "limit": str(len(some))}
        asked = temporal_sources.unprojected(msgspec.structs.replace(call, params=params))
        reply = await temporal_sources.query(asked, entity_map)
        there = {document["id"]: document for document in load_json(reply.body)}
        page.documents += [
            temporal_sources.projected(call, there[one]) for one in some if one in there
        ]
        page.gone.update(one for one in some if one not in there)
        page.headers += [
            one for one in reply.headers if one[0] in _KEPT and one not in page.headers
        ]
        page.status = max(page.status, reply.status)
        position += len(some)
    return page


ROUTES: Final = (
    Route("GET", "temporal/entities", query_temporal, "read"),
    Route("GET", "temporal/entities/*", retrieve_temporal, "read"),
    Route("POST", "temporal/entityOperations/query", query_temporal_by_post, "read"),
    Route("GET", "temporal/entityMaps", create_map, "read"),
    Route("POST", "temporal/entityMaps", create_map_by_post, "read"),
)
