"""Temporal reads that other context sources take part in (CIM 009 §5.7.3, §5.7.4).

temporal.py answers from what is held here; to that comes what sources have, as documents of the
representation that the client asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import OperationNotSupported, ResourceNotFound, TooManyResults
from rynek.context import (
    LOCAL,
    Entity,
    EntityMap,
    Match,
    Query,
    RegistrationSpec,
    TemporalSpan,
    distribution,
)
from rynek.context.distribution import Asked, InvalidAnswer, Outbound, Reader
from rynek.web.api import temporal
from rynek.web.api.bodies import context_headers, document_reply, dumps, load_json
from rynek.web.api.call import JSON_LD, Call, Header, Reply
from rynek.web.api.consumption import page_headers
from rynek.web.api.distributed import behind, is_local, matches_of, reader_of, spec_of
from rynek.web.api.params import entity_query, paging
from rynek.web.api.sources import Candidates
from rynek.web.api.temporal_params import temporal_query, temporal_view

Document = dict[str, Any]
_PASSED_ON: Final = (
    "timerel", "timeAt", "endTimeAt", "timeproperty", "lastN", "aggrMethods",
    "aggrPeriodDuration", "options", "format", "lang",
)  # fmt: skip
_FILTERS: Final = frozenset(("q", "georel", "scopeQ", "attrs"))
_AT_ONCE: Final = 1000
_PAGE: Final = 100
_PATH: Final = ("temporal", "entities")
_ALWAYS: Final = frozenset(("@context", "deletedAt"))


async def retrieve(call: Call, entity_map: EntityMap | None = None) -> tuple[Reply, list[str]]:
    """The temporal evolution of one entity, of all that have a part of it (with a map: of those
    that it names), and who that was: registrations, or LOCAL."""
    entity_id = call.path_args[0]
    matches = [] if is_local(call) else _matches(call, "retrieveTemporal", entity_id)
    if entity_map is not None:
        matches = behind(entity_map, [entity_id], matches)
    if not matches:
        return await temporal.retrieve_temporal(call), [LOCAL]
    return await _retrieved(call, matches, entity_map)


async def query(call: Call, entity_map: EntityMap | None = None) -> Reply:
    """One page of the temporal evolution of the entities that the call's parameters select, of
    all that have a part of it; with a map, of those that it names."""
    matches = [] if is_local(call) else _matches(call, "queryTemporal")
    if entity_map is not None and matches:
        ids = entity_query(call.params, call.ld).ids
        matches = behind(entity_map, ids or entity_map.entities, matches)
    if not matches:
        return await temporal.query_temporal(call)
    return await _queried(call, matches, entity_map)


async def candidates(call: Call) -> Candidates:
    """The entities that sources have of a temporal query: with the registrations behind each, and
    the maps that the sources made (§5.14.5.4). Those that make none are asked for the entities."""
    matches = [] if is_local(call) else _matches(call, "queryTemporal")
    if not matches:
        return Candidates({})
    reader, most = reader_of(call), call.tenant.forwarder.limits.max_candidates
    selection = entity_query(call.params, call.ld)
    asked = [_asked(call, match, _PATH, selection) for match in matches]
    maps, linked = await distribution.mapped(reader, asked, most, of_past=True)
    rest = [one for one in asked if one.match.registration.id not in maps]
    maps |= await _ids(call, reader, rest, most)
    found: dict[str, list[str]] = {}
    for one in asked:
        source = one.match.registration.id
        for entity_id in maps[source]:
            found.setdefault(entity_id, []).append(source)
    return Candidates(found, linked, reader.headers())


async def _ids(
    call: Call, reader: Reader, asked: Sequence[Asked], most: int
) -> dict[str, list[str]]:
    """The ids of the entities that each source has, asked for page after page."""
    found: dict[str, list[str]] = {one.match.registration.id: [] for one in asked}
    left, offset = list(asked), 0
    while left:
        if offset >= most:
            raise TooManyResults(f"one source has more than {most} entities for one map")
        page = {"limit": str(_PAGE), "offset": str(offset), "lastN": "1"}
        full: set[str] = set()
        requests = [_with(one, page) for one in left]
        for one, documents in await _evolutions(call, reader, requests):
            source = one.match.registration.id
            found[source] += [
                str(document["id"]) for document in documents
                if _is_registered(call, one.match, document)
            ]  # fmt: skip
            if len(documents) >= _PAGE:
                full.add(source)
        left = [one for one in left if one.match.registration.id in full]
        offset += _PAGE
    return found


def _with(asked: Asked, params: Mapping[str, str], own_map: str | None = None) -> Asked:
    """A request with more parameters, and with the source's own map."""
    request = asked.request
    return Asked(
        asked.match,
        msgspec.structs.replace(request, params=request.params | dict(params), entity_map=own_map),
    )


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


async def _retrieved(
    call: Call, matches: Sequence[Match], entity_map: EntityMap | None
) -> tuple[Reply, list[str]]:
    entity_id = call.path_args[0]
    ours = await _or_nothing(temporal.retrieve_temporal(unprojected(call)))
    reader = reader_of(call)
    attrs = Query(attrs=entity_query(call.params, call.ld).attrs)
    asked = _to_ask(call, matches, (*_PATH, entity_id), attrs, entity_map)
    parts: list[Document] = [] if ours is None else [load_json(ours.body)]
    extras: list[Document] = []
    who = [] if ours is None else [LOCAL]
    for one, document in await _documents(call, reader, asked):
        if document.get("id") == entity_id:
            (extras if one.auxiliary else parts).append(document)
            who.append(one.match.registration.id)
    if not parts and not extras:
        missing = ResourceNotFound(f"nothing is known of the past of {entity_id}")
        missing.headers = reader.headers()
        raise missing
    if entity_map is not None:
        await call.tenant.context.entity_maps.relink(entity_map, reader.maps)
    document = projected(call, _together(call, parts or extras[:1], extras))
    reply = document_reply(call, document, 200 if ours is None else ours.status)
    reply.headers = [*reply.headers, *_ranges(ours), *reader.headers()]
    return reply, who


def _to_ask(
    call: Call,
    matches: Sequence[Match],
    path: tuple[str, ...],
    selection: Query,
    entity_map: EntityMap | None,
    params: Mapping[str, str] | None = None,
) -> list[Asked]:
    linked: Mapping[str, str] = {} if entity_map is None else entity_map.linked
    return [
        _with(_asked(call, one, path, selection), params or {}, linked.get(one.registration.id))
        for one in matches
    ]


async def _queried(call: Call, matches: Sequence[Match], entity_map: EntityMap | None) -> Reply:
    limits = call.limits
    page = paging(call.params, limits.default_limit, limits.max_limit)
    wanted = page.offset + page.limit
    if wanted > min(_AT_ONCE, limits.max_limit):
        raise TooManyResults(f"of several sources only the first {_AT_ONCE} entities are paged")
    if call.params.get("splitEntities") == "true" and not _FILTERS.isdisjoint(call.params):
        raise OperationNotSupported("splitEntities with filters is not supported for the past")
    whole = call.params | {"limit": str(max(wanted, 1)), "offset": "0", "count": "true"}
    held = unprojected(msgspec.structs.replace(call, params=whole))
    ours = await temporal.query_temporal(held)
    reader = reader_of(call)
    selection = entity_query(call.params, call.ld)
    paged = {"limit": str(wanted)} if "limit" in call.params or page.offset else {}
    asked = _to_ask(call, matches, _PATH, selection, entity_map, paged)
    found: dict[str, tuple[list[Document], list[Document]]] = {}
    for document in load_json(ours.body):
        found[document["id"]] = ([document], [])
    total = int(dict(ours.headers).get(b"ngsild-results-count", b"0"))
    for one, document in await _documents(call, reader, asked):
        parts, extras = found.setdefault(str(document.get("id")), ([], []))
        total += not parts and not extras
        (extras if one.auxiliary else parts).append(document)
    if entity_map is not None:
        await call.tenant.context.entity_maps.relink(entity_map, reader.maps)
    shown = list(found.values())[page.offset : page.offset + page.limit]
    documents = [
        projected(call, _together(call, parts or extras[:1], extras)) for parts, extras in shown
    ]
    more = total > page.offset + page.limit
    headers = page_headers(call, page, total if page.count else None, more)
    headers = [*headers, *_ranges(ours), *reader.headers()]
    return list_reply(call, documents, headers, ours.status)


def unprojected(call: Call) -> Call:
    """The call without its `pick` and `omit`, where they hide what evolutions are told apart by;
    `projected` applies them to what comes of it."""
    view = temporal_view(call)
    if view.shows("id") and view.shows("type"):
        return call
    kept = {name: text for name, text in call.params.items() if name not in {"pick", "omit"}}
    return msgspec.structs.replace(call, params=kept)


def projected(call: Call, document: Document) -> Document:
    """Of an evolution what the client's `pick` and `omit` leave."""
    view, expand = temporal_view(call), call.ld.expand_term
    return {
        name: item
        for name, item in document.items()
        if name in _ALWAYS
        or view.shows(name if name in distribution.EVOLUTION_MEMBERS else expand(name))
    }


def list_reply(
    call: Call, documents: list[Document], headers: Sequence[Header], status: int
) -> Reply:
    """A list of temporal evolutions, which are in the client's names already."""
    if call.accept == JSON_LD:
        documents = [one | {"@context": call.ld.member} for one in documents]
    return Reply(status, dumps(documents), call.accept, [*context_headers(call), *headers])


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
    return [
        (one, _shown(call, one.match, document))
        for one, documents in await _evolutions(call, reader, asked)
        for document in documents
        if _is_registered(call, one.match, document)
    ]


async def _evolutions(
    call: Call, reader: Reader, asked: Sequence[Asked]
) -> list[tuple[Asked, list[Document]]]:
    """All that each source sent, in our names; those that sent none are told in the headers."""
    found: list[tuple[Asked, list[Document]]] = []
    for one, answer in zip(asked, await reader.ask(asked), strict=True):
        if not answer.ok:
            continue
        try:
            documents = await distribution.evolutions(answer, call.ld, reader.resolve)
        except InvalidAnswer as error:
            reader.invalid(answer, error)
            continue
        found.append((one, documents))
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
