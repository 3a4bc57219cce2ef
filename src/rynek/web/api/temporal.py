"""The past of entities as it is held here (CIM 009 §5.7.3, §5.7.4).

docs/history.md says what of the clauses is not supported; that answers with an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.context import (
    Entity,
    Ordering,
    Query,
    TemporalEntity,
    TemporalQuery,
    sort_entities,
)
from rynek.web.api.call import Call, Header, Reply
from rynek.web.api.calmly import body_reply, calmly, evolution_body, list_reply
from rynek.web.api.consumption import page_headers
from rynek.web.api.params import entity_id_of, entity_query, paging, require_filter
from rynek.web.api.reading import check_sources, order_of
from rynek.web.api.temporal_aggregates import aggregated
from rynek.web.api.temporal_form import TemporalView
from rynek.web.api.temporal_held import Match
from rynek.web.api.temporal_params import Aggregation, aggregation, temporal_query, temporal_view
from rynek.web.api.temporal_select import complete, evolution, matching


async def retrieve_temporal(call: Call) -> Reply:
    """The temporal evolution of the entity that the call's path names (§5.7.3)."""
    entity_id = entity_id_of(call)
    query = temporal_query(call.params, call.ld, required=False)
    view = temporal_view(call)
    wanted = aggregation(call, view.form)
    tenant = call.tenant
    current = tenant.context.get(entity_id)
    about = await tenant.history.edit.about(entity_id, current)
    if about is None:
        raise ResourceNotFound(f"no entity {entity_id}, now or in the past")
    match = Match(entity_id, about, 1 if current is None else len(current.attrs))
    if wanted is not None:
        bodies = await aggregated(call, [match], Query(), query, view, wanted)
        return body_reply(call, bodies[0])
    query = _bounded(call, [match], query, view)
    found = await evolution(call, [match], Query(), query)
    entity = found.get(entity_id) or TemporalEntity(entity_id, about.types, {})
    body = await calmly(_size([entity]), lambda: evolution_body(entity, about, call.ld, view))
    partial = _partial([entity], query)
    reply = body_reply(call, body, 206 if partial else 200)
    reply.headers = reply.headers + partial
    return reply


class Inquiry(msgspec.Struct, frozen=True):
    """What a temporal query asks for: which time, which entities, how they are shown."""

    query: TemporalQuery
    selection: Query
    view: TemporalView
    aggregation: Aggregation | None
    ordering: Ordering | None


def read_inquiry(call: Call) -> Inquiry:
    """BadRequestData when something of it is not as §5.7.4.4 has it."""
    check_sources(call)
    query = temporal_query(call.params, call.ld, required=True)
    selection = entity_query(call.params, call.ld)
    require_filter(call.params, selection)
    view = temporal_view(call)
    wanted = aggregation(call, view.form)
    ordering = order_of(call)
    if ordering is not None and any(term.path.attr != "@id" for term in ordering.terms):
        raise BadRequestData("orderBy: the past of entities can be ordered by id only")
    return Inquiry(query, selection, view, wanted, ordering)


async def selected(call: Call, inquiry: Inquiry) -> Sequence[Match]:
    """The entities that are held here and fit, in order."""
    matched = await matching(call, inquiry.selection, inquiry.query)
    if inquiry.ordering is None:
        return matched
    by_id = {one.id: one for one in matched}
    entities = [Entity(one.id, one.about.types, {}) for one in matched]
    ordered = await sort_entities(entities, inquiry.ordering, call.ld.compact_iri)
    return [by_id[one.id] for one in ordered]


async def query_temporal(call: Call) -> Reply:
    """The temporal evolution of the entities that the call's parameters select (§5.7.4)."""
    inquiry = read_inquiry(call)
    limits = call.limits
    page = paging(call.params, limits.default_limit, limits.max_limit)
    matched = await selected(call, inquiry)
    chosen = matched[page.offset : page.offset + page.limit]
    await complete(call, chosen)
    more = len(matched) > page.offset + page.limit
    headers = page_headers(call, page, len(matched) if page.count else None, more)
    if inquiry.aggregation is not None:
        bodies = await aggregated(
            call, chosen, inquiry.selection, inquiry.query, inquiry.view, inquiry.aggregation
        )
        return list_reply(call, bodies, headers)
    query = _bounded(call, chosen, inquiry.query, inquiry.view)
    found = await evolution(call, chosen, inquiry.selection, query)
    shown = [found.get(one.id) or TemporalEntity(one.id, one.about.types, {}) for one in chosen]
    bodies = await calmly(
        _size(shown),
        lambda: [
            evolution_body(entity, one.about, call.ld, inquiry.view)
            for entity, one in zip(shown, chosen, strict=True)
        ],
    )
    partial = _partial(shown, query)
    return list_reply(call, bodies, headers + partial, 206 if partial else 200)


def _bounded(
    call: Call, matches: Sequence[Match], query: TemporalQuery, view: TemporalView
) -> TemporalQuery:
    """The query with a bound for each series, so that the answer as a whole has one too; and
    whether it is to be told when entities were deleted."""
    attrs = len(query.attrs) or max((one.attrs for one in matches), default=1)
    share = call.limits.max_answer_instances // max(1, attrs * len(matches))
    bound = max(1, min(call.limits.max_instances, share))
    gone = view.sys_attrs or query.time_property == "deletedAt"
    return msgspec.structs.replace(query, bound=bound, gone=gone)


def _size(entities: Sequence[TemporalEntity]) -> int:
    """How many instances they have."""
    return sum(len(ones) for one in entities for ones in one.attrs.values())


def _partial(entities: Sequence[TemporalEntity], query: TemporalQuery) -> list[Header]:
    """The Content-Range header of an answer that a bound cut off (§6.3.10); else nothing."""
    cut = [one for one in entities if not one.complete]
    if not cut:
        return []
    starts = [one.start for one in cut if one.start is not None]
    ends = [one.end for one in cut if one.end is not None]
    if query.last_n is None:
        begin = query.start
        first, last = min(starts) if begin is None else begin, min(ends)
    else:
        first, last = max(ends) if query.end is None else query.end, max(starts)
    size = "*" if query.last_n is None else str(query.last_n)
    return [(b"content-range", f"DateTime {to_iso(first)}-{to_iso(last)}/{size}".encode())]
