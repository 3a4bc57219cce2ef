"""Handlers that retrieve and query entities (CIM 009 §5.7.1, §5.7.2, §6.4, §6.5, §6.23)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

from rynek.base.errors import ResourceNotFound
from rynek.context import Entity, View
from rynek.web.api import entity_maps, selecting, sources
from rynek.web.api.bodies import entities_reply, entity_reply
from rynek.web.api.call import Call, Header, Reply
from rynek.web.api.params import (
    Paging,
    entity_id_of,
    entity_query,
    is_beyond,
    paging,
    require_filter,
    types_wanted,
    view_of,
)
from rynek.web.api.query_body import take_query
from rynek.web.api.reading import check_sources, join_of, map_wish, order_of
from rynek.web.api.representation import entities_answer, entity_answer
from rynek.web.api.route import Route


async def retrieve_entity(call: Call) -> Reply:
    """Retrieve Entity (§5.7.1): GET /entities/{id}."""
    entity_id = entity_id_of(call)
    if is_beyond(call) or sources.shares_entity(call, entity_id):
        return await _retrieve_beyond(call, entity_id)
    view = view_of(call)
    row = call.tenant.context.row(entity_id)
    if row is None:
        raise ResourceNotFound(f"no entity {entity_id}")
    if call.params:
        _check_shown(call, entity_id, view, call.tenant.context.get)
    return entity_reply(call, row, view)


async def _retrieve_beyond(call: Call, entity_id: str) -> Reply:
    """Retrieval that needs the decoded entity: from other sources, with linked entities."""
    check_sources(call)
    join = join_of(call.params)
    view = view_of(call, join.level if join else 0)
    wish = map_wish(call)
    found = entity_maps.find(call, wish, temporal=False)
    entity, headers = await sources.retrieve(call, entity_id, found)
    if entity is None:
        missing = ResourceNotFound(f"no entity {entity_id}")
        missing.headers = headers  # which sources could not say
        raise missing
    _check_shown(call, entity_id, view, lambda _: entity)
    if wish.given:
        headers = headers + await entity_maps.of_entity(call, entity_id, wish, found)
    return await entity_answer(call, entity, view, join, headers)


def _check_shown(
    call: Call, entity_id: str, view: View, get: Callable[[str], Entity | None]
) -> None:
    """ResourceNotFound when the entity has another type than asked for, or none of `attrs`."""
    wanted = types_wanted(call.params, call.ld)
    if wanted is None and view.attrs is None:
        return
    entity = get(entity_id)
    if entity is None or (wanted is not None and not wanted.matches(entity.types)):
        raise ResourceNotFound(f"no entity {entity_id} of that type")
    if view.attrs is not None and not any(attr in entity.attrs for attr in view.attrs):
        raise ResourceNotFound(f"{entity_id} has none of the attributes asked for")


async def query_entities(call: Call) -> Reply:
    """Query Entities (§5.7.2): GET /entities."""
    return await query_reply(call)


async def query_batch(call: Call) -> Reply:
    """Query Entities by POST (§6.23): a Query data type (§5.2.23) as body."""
    await take_query(call, temporal=False)
    return await query_reply(call)


async def query_reply(call: Call) -> Reply:
    """The page of entities that the call's parameters select."""
    params = call.params
    if is_beyond(call) or sources.shares_query(call):
        return await _query_beyond(call)
    view = view_of(call)
    limits = call.limits
    page = paging(params, limits.default_limit, limits.max_limit)
    query = entity_query(params, call.ld)
    require_filter(params, query)
    found = await call.tenant.context.select(
        query, limit=page.limit, offset=page.offset, count=page.count
    )
    return entities_reply(call, found.rows, view, page_headers(call, page, found.count, found.more))


async def _query_beyond(call: Call) -> Reply:
    """A query that needs decoded entities: from other sources, with linked entities."""
    params, limits = call.params, call.limits
    check_sources(call)
    join = join_of(params)
    links = join.level if join else 0
    view = view_of(call, links)
    page = paging(params, limits.default_limit, limits.max_limit)
    query = entity_query(params, call.ld, links)
    require_filter(params, query)
    ordering, wish = order_of(call), map_wish(call)
    status = 200
    if wish.given:
        found, status = await entity_maps.select(call, query, page, ordering, wish)
    else:
        found = await selecting.select(call, query, page, ordering)
    headers = found.headers + page_headers(call, page, found.count, found.more)
    reply = await entities_answer(call, found.entities, view, join, headers)
    reply.status = status
    return reply


def page_headers(call: Call, page: Paging, count: int | None, more: bool) -> list[Header]:
    """Links to the pages before and after, and the total where it was asked for (§6.3.10)."""
    headers: list[Header] = []
    if count is not None:
        headers.append((b"ngsild-results-count", str(count).encode()))
    if page.offset and page.limit:
        before = max(page.offset - page.limit, 0)
        headers.append((b"link", _page_link(call, before, min(page.limit, page.offset), "prev")))
    if more and page.limit:
        headers.append((b"link", _page_link(call, page.offset + page.limit, page.limit, "next")))
    return headers


def _page_link(call: Call, offset: int, limit: int, rel: str) -> bytes:
    params = call.params if call.url_params is None else call.url_params
    kept = _encoded(tuple((k, v) for k, v in params.items() if k not in ("offset", "limit")))
    path = f"{call.base_path}{call.path}?{kept}offset={offset}&limit={limit}"
    return f'<{path}>; rel="{rel}"; type="{call.accept.decode()}"'.encode()


@lru_cache(maxsize=2048)
def _encoded(params: tuple[tuple[str, str], ...]) -> str:
    """Query parameters as they stand in a URL, with an ampersand behind; pages repeat them."""
    return urlencode(params) + "&" if params else ""


ROUTES: Final = (
    Route("GET", "entities", query_entities, "read", geojson=True),
    Route("GET", "entities/*", retrieve_entity, "read", geojson=True),
    Route("POST", "entityOperations/query", query_batch, "read", geojson=True),
)
