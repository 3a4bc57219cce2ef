"""Handlers that retrieve and query entities (CIM 009 §5.7.1, §5.7.2, §6.4, §6.5, §6.23)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

import msgspec

from rynek.base.errors import ResourceNotFound
from rynek.context import Entity, Query, View
from rynek.web.api import entity_maps, selecting, sources
from rynek.web.api.bodies import bodies_reply, context_headers, entities_reply, entity_reply
from rynek.web.api.call import GEO_JSON, JSON, Call, Header, Reply
from rynek.web.api.params import (
    PLAIN,
    Paging,
    Params,
    entity_id_of,
    entity_query,
    entity_view,
    is_beyond,
    paging,
    require_filter,
    types_wanted,
)
from rynek.web.api.query_body import take_query
from rynek.web.api.reading import check_sources, join_of, map_wish, order_of
from rynek.web.api.representation import entities_answer, entity_answer
from rynek.web.api.route import Route


def retrieve_entity(call: Call) -> Reply | Awaitable[Reply]:
    """Retrieve Entity (§5.7.1): GET /entities/{id}."""
    entity_id = entity_id_of(call)
    if is_beyond(call) or sources.shares_entity(call, entity_id):
        return _retrieve_beyond(call, entity_id)
    if not call.params and call.accept == JSON:
        body = call.tenant.context.body(entity_id, call.ld)
        if body is None:
            raise ResourceNotFound(f"no entity {entity_id}")
        return Reply(200, body, JSON, context_headers(call))
    view = entity_view(call)
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
    view = entity_view(call, join.level if join else 0)
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


# A query string that may stand in a Link header as it came, with plain names.
_PLAIN_QUERY: Final = re.compile(
    rb"(?:[A-Za-z]+(?:=[A-Za-z0-9\-._~!$'()*+,;:@/?%=|\[\]]*)?(?:&|$))+"
).fullmatch


# Ways to write a path: with a slash at the end, with encoded characters …
_KEPT_LINKS: Final = 4


class _Asked(msgspec.Struct):
    """What the parameters of a query say, as far as only they and the @context decide."""

    view: View
    page: Paging
    query: Query
    # Links to other pages, by the path that the client wrote and whether there is a next page.
    links: dict[tuple[str, bool], list[Header]] = {}


def _asked(call: Call) -> _Asked:
    """The parameters taken apart; remembered with them."""
    params, key = call.params, (call.ld.id, call.accept)
    kept = params.asked.get(key) if type(params) is Params else None
    if kept is None:
        limits = call.limits
        view = entity_view(call)
        page = paging(params, limits.default_limit, limits.max_limit)
        query = entity_query(params, call.ld)
        require_filter(params, query)
        kept = _Asked(view, page, query)
        if type(params) is Params:
            params.keep(key, kept)
    return kept


async def query_reply(call: Call) -> Reply:
    """The page of entities that the call's parameters select."""
    if is_beyond(call) or sources.shares_query(call):
        return await _query_beyond(call)
    asked = _asked(call)
    page = asked.page
    context = call.tenant.context
    if asked.view is PLAIN and call.accept != GEO_JSON:
        plain = await context.bodies(
            asked.query, call.ld, limit=page.limit, offset=page.offset, count=page.count
        )
        return bodies_reply(call, plain.bodies, _links(call, asked, plain.count, plain.more))
    found = await context.select(
        asked.query, limit=page.limit, offset=page.offset, count=page.count
    )
    headers = page_headers(call, page, found.count, found.more)
    return await entities_reply(call, found.rows, asked.view, headers)


async def _query_beyond(call: Call) -> Reply:
    """A query that needs decoded entities: from other sources, with linked entities."""
    params, limits = call.params, call.limits
    check_sources(call)
    join = join_of(params)
    links = join.level if join else 0
    view = entity_view(call, links)
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


def _links(call: Call, asked: _Asked, count: int | None, more: bool) -> list[Header]:
    """`page_headers`, remembered where they hold for the next request too."""
    if count is not None or call.url_params is not None:
        return page_headers(call, asked.page, count, more)
    links = asked.links.get((call.path, more))
    if links is None:
        links = page_headers(call, asked.page, None, more)
        if len(asked.links) < _KEPT_LINKS:
            asked.links[(call.path, more)] = links
    return links


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
    path = f"{call.path}?{_kept(params)}offset={offset}&limit={limit}"
    return f'<{path}>; rel="{rel}"; type="{call.accept.decode()}"'.encode()


def _kept(params: dict[str, str]) -> str:
    """The parameters that all pages have, as they stand in a URL, with an ampersand behind."""
    if type(params) is Params and "" in params.asked:
        return str(params.asked[""])
    if type(params) is Params and _PLAIN_QUERY(params.raw) is not None:
        pairs = params.raw.decode("ascii").split("&")
        kept = "&".join(p for p in pairs if p.partition("=")[0] not in ("offset", "limit"))
    else:
        kept = urlencode([(k, v) for k, v in params.items() if k not in ("offset", "limit")])
    kept += "&" if kept else ""
    if type(params) is Params:
        params.keep("", kept)
    return kept


ROUTES: Final = (
    Route("GET", "entities", query_entities, "read", geojson=True),
    Route("GET", "entities/*", retrieve_entity, "read", geojson=True),
    Route("POST", "entityOperations/query", query_batch, "read", geojson=True),
)
