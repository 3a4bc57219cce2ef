"""Temporal reads that other context sources take part in (CIM 009 §5.7.3, §5.7.4).

Handlers answer from what is held here; `shared` puts around them what sources have, as documents
of the representation that the client asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, Final

import msgspec

from rynek.base.errors import OperationNotSupported, ResourceNotFound, TooManyResults
from rynek.context import (
    Entity,
    Match,
    Query,
    RegistrationSpec,
    TemporalSpan,
    distribution,
)
from rynek.context.distribution import Asked, InvalidAnswer, Outbound, Reader
from rynek.web.api.bodies import context_headers, document_reply, dumps, load_json
from rynek.web.api.call import JSON_LD, Call, Header, Reply
from rynek.web.api.consumption import page_headers
from rynek.web.api.distributed import is_local, matches_of, reader_of, spec_of
from rynek.web.api.params import entity_query, paging
from rynek.web.api.query_body import take_query
from rynek.web.api.route import Handler, Route
from rynek.web.api.temporal_params import temporal_query, temporal_view

Document = dict[str, Any]
_PASSED_ON: Final = (
    "timerel", "timeAt", "endTimeAt", "timeproperty", "lastN", "aggrMethods",
    "aggrPeriodDuration", "options", "format", "lang",
)  # fmt: skip
_FILTERS: Final = frozenset(("q", "georel", "scopeQ", "attrs"))
_AT_ONCE: Final = 1000


def shared(routes: Sequence[Route]) -> list[Route]:
    """The routes of temporal reads, carried out over sources too."""
    return [one._replace(handler=_WRAPPERS[one.path](one.handler))
            if one.path in _WRAPPERS else one for one in routes]  # fmt: skip


def _retrieval(handler: Handler) -> Handler:
    @wraps(handler)
    async def retrieve(call: Call) -> Reply:
        matches = [] if is_local(call) else _matches(call, "retrieveTemporal", call.path_args[0])
        return await _retrieved(call, handler, matches) if matches else await handler(call)

    return retrieve


def _inquiry(handler: Handler) -> Handler:
    @wraps(handler)
    async def query(call: Call) -> Reply:
        if is_local(call):
            return await handler(call)
        if call.method == "POST":
            await take_query(call, temporal=True)
        matches = _matches(call, "queryTemporal")
        return await _queried(call, handler, matches) if matches else await handler(call)

    return query


_WRAPPERS: Final[dict[str, Callable[[Handler], Handler]]] = {
    "temporal/entities/*": _retrieval,
    "temporal/entities": _inquiry,
    "temporal/entityOperations/query": _inquiry,
}


def _matches(call: Call, operation: str, entity_id: str | None = None) -> list[Match]:
    params = call.params
    query = entity_query(params, call.ld)
    spec = spec_of(query, params)
    asked = temporal_query(params, call.ld, required=False)
    return matches_of(
        call,
        RegistrationSpec(
            types=spec.types,
            ids=spec.ids if entity_id is None else (entity_id,),
            id_pattern=spec.id_pattern,
            attrs=spec.attrs,
            dataset_ids=spec.dataset_ids,
            geo=spec.geo,
            scope=spec.scope,
            temporal=TemporalSpan(
                asked.start, asked.end, observed=asked.time_property == "observedAt"
            ),
        ),
        operation,
        params.get("csf"),
    )


def _asked(call: Call, match: Match, path: tuple[str, ...], query: Query) -> Asked:
    params = call.params
    asked = distribution.narrowed_params(match, query, params, call.ld, split=False)
    if len(path) > 2:
        asked = {name: value for name, value in asked.items() if name in {"attrs", "datasetId"}}
    asked |= {name: params[name] for name in _PASSED_ON if name in params}
    return Asked(match, Outbound("GET", path, asked))


async def _retrieved(call: Call, handler: Handler, matches: Sequence[Match]) -> Reply:
    entity_id = call.path_args[0]
    ours = await _or_nothing(handler(call))
    reader = reader_of(call)
    query = Query(attrs=entity_query(call.params, call.ld).attrs)
    asked = [_asked(call, one, ("temporal", "entities", entity_id), query) for one in matches]
    parts: list[Document] = [] if ours is None else [load_json(ours.body)]
    extras: list[Document] = []
    for one, document in await _documents(call, reader, asked):
        if document.get("id") == entity_id:
            (extras if one.auxiliary else parts).append(document)
    if not parts and not extras:
        missing = ResourceNotFound(f"nothing is known of the past of {entity_id}")
        missing.headers = reader.headers()
        raise missing
    document = _together(call, parts or extras[:1], extras)
    reply = document_reply(call, document, 200 if ours is None else ours.status)
    reply.headers = [*reply.headers, *_ranges(ours), *reader.headers()]
    return reply


async def _queried(call: Call, handler: Handler, matches: Sequence[Match]) -> Reply:
    limits = call.limits
    page = paging(call.params, limits.default_limit, limits.max_limit)
    wanted = page.offset + page.limit
    if wanted > min(_AT_ONCE, limits.max_limit):
        raise TooManyResults(f"of several sources only the first {_AT_ONCE} entities are paged")
    if call.params.get("splitEntities") == "true" and not _FILTERS.isdisjoint(call.params):
        raise OperationNotSupported("splitEntities with filters is not supported for the past")
    whole = call.params | {"limit": str(max(wanted, 1)), "offset": "0", "count": "true"}
    ours = await handler(msgspec.structs.replace(call, params=whole, url_params=None))
    reader = reader_of(call)
    query = entity_query(call.params, call.ld)
    paged = {"limit": str(wanted)} if "limit" in call.params or page.offset else {}
    asked = [
        Asked(one.match, msgspec.structs.replace(one.request, params=one.request.params | paged))
        for one in (_asked(call, match, ("temporal", "entities"), query) for match in matches)
    ]
    found: dict[str, tuple[list[Document], list[Document]]] = {}
    for document in load_json(ours.body):
        found[document["id"]] = ([document], [])
    total = int(dict(ours.headers).get(b"ngsild-results-count", b"0"))
    for one, document in await _documents(call, reader, asked):
        parts, extras = found.setdefault(str(document.get("id")), ([], []))
        total += not parts and not extras
        (extras if one.auxiliary else parts).append(document)
    shown = list(found.values())[page.offset : page.offset + page.limit]
    documents = [_together(call, parts or extras[:1], extras) for parts, extras in shown]
    more = total > page.offset + page.limit
    headers = page_headers(call, page, total if page.count else None, more)
    if call.accept == JSON_LD:
        documents = [one | {"@context": call.ld.member} for one in documents]
    headers = [*context_headers(call), *headers, *_ranges(ours), *reader.headers()]
    return Reply(ours.status, dumps(documents), call.accept, headers)


async def _or_nothing(answer: Awaitable[Reply]) -> Reply | None:
    try:
        return await answer
    except ResourceNotFound:
        return None


def _ranges(reply: Reply | None) -> list[Header]:
    """The Content-Range of our own part, where a bound cut it off."""
    return [] if reply is None else [one for one in reply.headers if one[0] == b"content-range"]


async def _documents(
    call: Call, reader: Reader, asked: Sequence[Asked]
) -> list[tuple[Asked, Document]]:
    """Every evolution that a source sent, in our names, and of that only what it is registered
    for and the client wants to see."""
    found: list[tuple[Asked, Document]] = []
    for one, answer in zip(asked, await reader.ask(asked), strict=True):
        if not answer.ok:
            continue
        try:
            documents = await distribution.evolutions(answer, call.ld, reader.resolve)
        except InvalidAnswer as error:
            reader.invalid(answer, error)
            continue
        found += [(one, _shown(call, one.match, document)) for document in documents
                  if _is_registered(call, one.match, document)]  # fmt: skip
    return found


def _is_registered(call: Call, match: Match, document: Document) -> bool:
    types = document["type"] if isinstance(document["type"], list) else [document["type"]]
    expand = call.ld.expand_term
    entity = Entity(document["id"], [expand(name) for name in types], {})
    return distribution.is_registered(entity, match)


def _shown(call: Call, match: Match, document: Document) -> Document:
    view, mine = temporal_view(call), match.attrs
    return {
        name: item
        for name, item in document.items()
        if name in distribution.EVOLUTION_MEMBERS
        or (
            (mine is None or call.ld.expand_term(name) in mine)
            and view.shows(call.ld.expand_term(name))
        )
    }


def _together(call: Call, parts: Sequence[Document], extras: Sequence[Document]) -> Document:
    query = temporal_query(call.params, call.ld, required=False)
    last_n = query.last_n
    if len(parts) + len(extras) == 1:
        document = parts[0]
    else:
        document = distribution.merge_evolutions(
            parts, extras, query.time_property, descending=last_n is not None
        )
    document = {name: item for name, item in document.items() if name != "@context"}
    if last_n is None or len(parts) + len(extras) == 1:
        return document
    return distribution.cut_to_last(document, last_n, query.time_property)
