"""Reads that other context sources take part in (CIM 009 §4.3.6, §5.7.1, §5.7.2, §6.3.18)."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from rynek.base.errors import LoopDetected
from rynek.context import (
    AUXILIARY,
    Entity,
    EntityMap,
    Match,
    Query,
    RegistrationSpec,
    TypeExpr,
    csf_test,
    distribution,
    parse_attrs,
    parse_q,
)
from rynek.context.distribution import Asked, Inquiry, Outbound, Reader, Retrieval
from rynek.web.api.call import Call, Header
from rynek.web.api.params import Paging, entity_query, flag, types_wanted

_BATCH_QUERY: Final = "entityOperations/query"
_LINKED_AT_ONCE: Final = 100


def is_local(call: Call) -> bool:
    """Whether no other source is to be asked: none is registered, or the request is limited to
    what is held here (`local=true`, `type=*`; §5.5.13)."""
    if call.tenant.registrations.empty:
        return True
    params = call.params
    return ("local" in params and flag(params, "local")) or params.get("type") == "*"


def matches_of(
    call: Call, spec: RegistrationSpec, operation: str | None, csf: str | None = None
) -> list[Match]:
    """The registrations that a request is about, auxiliary ones last (§5.12), without those of
    sources that it has passed; of those only the ones that `csf` selects. LoopDetected when it
    has passed us."""
    via = distribution.passed(call.headers)
    if via:
        spec = _with_via(spec, via)
    found: list[Match] = call.tenant.registrations.matching(spec, operation)
    if csf is not None and found:
        passes = csf_test(parse_q(csf, call.ld.expand_term), call.ld)
        found = [one for one in found if passes(one.registration)]
    if found and (call.tenant.alias in via or distribution.is_endless(call.headers)):
        raise LoopDetected("the request has come through here before: registrations form a loop")
    return sorted(found, key=lambda one: one.registration.mode == AUXILIARY)


def shares_entity(call: Call, entity_id: str) -> bool:
    """Whether a source is to be asked for an entity."""
    return not is_local(call) and bool(_entity_matches(call, entity_id))


def shares_query(call: Call) -> bool:
    """Whether a source is to be asked what the call's parameters ask for."""
    return not is_local(call) and bool(_query_matches(call, entity_query(call.params, call.ld)))


def spec_of(query: Query, params: Mapping[str, str]) -> RegistrationSpec:
    """What a query asks of registrations (§5.12)."""
    return RegistrationSpec(
        types=query.types,
        ids=query.ids,
        id_pattern=query.id_pattern,
        attrs=query.attrs,
        dataset_ids=_datasets(params),
        geo=query.geo,
        scope=query.scope,
    )


def _with_via(spec: RegistrationSpec, via: Collection[str]) -> RegistrationSpec:
    return dataclasses.replace(spec, via=via)


def reader_of(call: Call) -> Reader:
    """Asks sources on behalf of a call."""
    tenant = call.tenant
    origin = distribution.Origin(call.headers, call.ld)
    return Reader(
        tenant.forwarder, origin, tenant.context.resolver.resolve, tenant.context.clock.now()
    )


async def retrieve(
    call: Call, entity_id: str, entity_map: EntityMap | None = None
) -> tuple[Entity | None, list[Header]]:
    """One entity, merged from all that have a part of it (§5.7.1.4); with a map, from those that
    it has behind the entity."""
    params = call.params
    local = call.tenant.context.get(entity_id)
    matches = _entity_matches(call, entity_id)
    if entity_map is not None:
        matches = behind(entity_map, [entity_id], matches)
    if not matches:
        return local, []
    wanted = Retrieval(
        entity_id,
        call.ld,
        _attrs(call),
        params.get("type"),
        _datasets(params),
        sys_attrs="sysAttrs" in call.options,
        maps={} if entity_map is None else entity_map.linked,
    )
    reader = reader_of(call)
    entity = await distribution.retrieve(reader, wanted, local, matches)
    if entity_map is not None:
        await call.tenant.context.entity_maps.relink(entity_map, reader.maps)
    return entity, reader.headers()


def behind(entity_map: EntityMap, ids: Iterable[str], matches: Iterable[Match]) -> list[Match]:
    """Those of the registrations that the map has behind one of the entities."""
    sources = {who for one in ids for who in entity_map.entities.get(one, ())}
    return [one for one in matches if one.registration.id in sources]


def _entity_matches(call: Call, entity_id: str) -> list[Match]:
    spec = RegistrationSpec(
        types=types_wanted(call.params, call.ld),
        ids=(entity_id,),
        attrs=_attrs(call) or (),
        dataset_ids=_datasets(call.params),
    )
    return matches_of(call, spec, "retrieveEntity", call.params.get("csf"))


def _attrs(call: Call) -> list[str] | None:
    attrs = call.params.get("attrs")
    return parse_attrs(attrs, call.ld.expand_term) if attrs else None


def _datasets(params: Mapping[str, str]) -> list[str] | None:
    return params["datasetId"].split(",") if params.get("datasetId") else None


async def retrieve_many(
    call: Call, wanted: Mapping[str, Collection[str]]
) -> tuple[dict[str, Entity], list[Header]]:
    """Those of the entities with these ids that can be had, by id. The values are the types that a
    relationship says they have (IRIs); where it says nothing only we are asked (§4.5.23.1)."""
    get = call.tenant.context.get
    local = {one: entity for one in wanted if (entity := get(one)) is not None}
    by_types: dict[frozenset[str], list[str]] = {}
    for entity_id, types in wanted.items():
        if types:
            by_types.setdefault(frozenset(types), []).append(entity_id)
    found = dict(local)
    headers: list[Header] = []
    for types, ids in by_types.items():
        for first in range(0, len(ids), _LINKED_AT_ONCE):
            some = ids[first : first + _LINKED_AT_ONCE]
            linked, told = await _linked(call, types, some)
            found |= {entity.id: entity for entity in linked}
            headers += [one for one in told if one not in headers]
    return found, headers


async def _linked(
    call: Call, types: frozenset[str], ids: list[str]
) -> tuple[list[Entity], list[Header]]:
    expr = TypeExpr(tuple(frozenset((name,)) for name in sorted(types)))
    query = Query(ids=ids, types=expr)
    matches = matches_of(call, RegistrationSpec(types=expr, ids=ids), "queryEntity")
    if not matches:
        return [], []
    selector = ",".join(call.ld.compact_iri(name) for name in sorted(types))
    params = {"type": selector, "limit": str(len(ids))}
    page = Paging(len(ids), 0, count=False)
    found, headers = await _queried(call, matches, query, params, page)
    return found.entities, headers


async def select(
    call: Call, query: Query, page: Paging, entity_map: EntityMap | None = None
) -> tuple[distribution.Found, list[Header]] | None:
    """One page of what we and the sources have (§5.7.2.4); None when no source takes part. With a
    map of the entities asked for, those take part that it has behind them."""
    matches = _query_matches(call, query)
    if entity_map is not None:
        matches = behind(entity_map, query.ids or (), matches)
    if not matches:
        return None
    return await _queried(call, matches, query, call.params, page, entity_map)


def _query_matches(call: Call, query: Query) -> list[Match]:
    params = call.params
    batch = call.path.endswith(_BATCH_QUERY)
    return [
        one
        for one in matches_of(call, spec_of(query, params), None, params.get("csf"))
        if one.registration.supports("queryEntity")
        or (batch and one.registration.supports("queryBatch"))
    ]


async def candidates(
    call: Call, query: Query
) -> tuple[dict[str, list[str]], dict[str, str], list[Header]]:
    """The registrations behind each entity that may match, LOCAL for ours, and the maps that
    sources made for it (§5.14.4.4)."""
    matches = _query_matches(call, query)
    reader = reader_of(call)
    inquiry = _inquiry(call, matches, query, call.params, Paging(0, 0, count=False))
    most = call.tenant.forwarder.limits.max_candidates
    select_here = call.tenant.context.select
    found, linked = await distribution.candidates(reader, inquiry, select_here, most)
    return found, linked, reader.headers()


async def _queried(
    call: Call,
    matches: Sequence[Match],
    query: Query,
    params: Mapping[str, str],
    page: Paging,
    entity_map: EntityMap | None = None,
) -> tuple[distribution.Found, list[Header]]:
    inquiry = _inquiry(call, matches, query, params, page)
    if entity_map is not None:
        asked = [_with_map(one, entity_map.linked) for one in inquiry.asked]
        inquiry = msgspec.structs.replace(inquiry, asked=asked)
    reader = reader_of(call)
    select_here = call.tenant.context.select
    if _is_split(call, query, params):
        most = call.tenant.forwarder.limits.max_candidates
        found = await distribution.query_split(reader, inquiry, query, select_here, most)
    else:
        found = await distribution.query(reader, inquiry, select_here)
    if entity_map is not None:
        await call.tenant.context.entity_maps.relink(entity_map, reader.maps)
    return found, reader.headers()


def _with_map(asked: Asked, linked: Mapping[str, str]) -> Asked:
    own = linked.get(asked.match.registration.id)
    return Asked(asked.match, msgspec.structs.replace(asked.request, entity_map=own))


def _is_split(call: Call, query: Query, params: Mapping[str, str]) -> bool:
    """Whether parts of one entity may be held by different sources (§4.3.6.7), or several
    selectors have to be tested here, because parameters cannot say them."""
    if query.selectors:
        return True
    if "splitEntities" in params:
        return params["splitEntities"] == "true"
    split: bool = call.tenant.forwarder.limits.split_entities
    return split


def _inquiry(
    call: Call,
    matches: Sequence[Match],
    query: Query,
    params: Mapping[str, str],
    page: Paging,
) -> Inquiry:
    split = _is_split(call, query, params)
    return Inquiry(
        Query(query.ids, query.id_pattern, query.types) if split else query,
        [_asked(call, match, query, params, split=split) for match in matches],
        page.limit,
        page.offset,
        page.count,
        limited="limit" in params or page.limit != call.limits.default_limit,
        sys_attrs="sysAttrs" in call.options,
    )


def _asked(
    call: Call, match: Match, query: Query, params: Mapping[str, str], *, split: bool
) -> Asked:
    asked = distribution.narrowed_params(match, query, params, call.ld, split=split)
    if "sysAttrs" in call.options:
        asked["options"] = "sysAttrs"
    if call.path.endswith(_BATCH_QUERY) and match.registration.supports("queryBatch"):
        return Asked(match, Outbound("POST", tuple(_BATCH_QUERY.split("/")), asked, kind="query"))
    return Asked(match, Outbound("GET", ("entities",), asked))
