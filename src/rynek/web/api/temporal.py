"""Handlers of GET /temporal/entities and /temporal/entities/{id} (CIM 009 §5.7.3, §5.7.4, §6.18-20).

docs/history.md says what of the clauses is not supported; that answers with an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, InvalidRequest, ResourceNotFound, TooManyResults
from rynek.base.ids import is_uri
from rynek.context import Entity, Query, TemporalEntity, TemporalQuery
from rynek.history import AggregateQuery, Selection
from rynek.web.api.bodies import context_headers, document_reply
from rynek.web.api.call import JSON_LD, Call, Header, Reply
from rynek.web.api.consumption import page_headers
from rynek.web.api.params import entity_query, paging, refuse_later, require_filter
from rynek.web.api.query_body import take_query
from rynek.web.api.route import Route
from rynek.web.api.temporal_form import TemporalView, head, render, render_aggregated
from rynek.web.api.temporal_params import Aggregation, aggregation, temporal_query, temporal_view

_MAX_MATCHED: Final = 5_000


async def retrieve_temporal(call: Call) -> Reply:
    """Retrieve Temporal Evolution of an Entity (§5.7.3): GET /temporal/entities/{id}."""
    entity_id = call.path_args[0]
    if not is_uri(entity_id):
        raise BadRequestData(f"{entity_id[:200]!r} is not a URI")
    refuse_later(call.params)
    query = temporal_query(call.params, call.ld, required=False)
    view = temporal_view(call)
    types = await _types_of(call, entity_id)
    wanted = aggregation(call)
    if wanted is not None:
        documents = await _aggregated(call, [(entity_id, types)], query, view, wanted)
        return document_reply(call, documents[0])
    found = await call.tenant.history.evolution([entity_id], query)
    entity = found.get(entity_id) or TemporalEntity(entity_id, types, {})
    document = render(entity, types, call.ld, view)
    partial = _partial([entity], query)
    reply = document_reply(call, document, 206 if partial else 200)
    reply.headers = reply.headers + partial
    return reply


async def query_temporal(call: Call) -> Reply:
    """Query Temporal Evolution of Entities (§5.7.4): GET /temporal/entities."""
    return await _query(call)


async def query_temporal_by_post(call: Call) -> Reply:
    """Query Temporal Evolution of Entities by POST (§6.24): a Query (§5.2.23) as body."""
    await take_query(call, temporal=True)
    return await _query(call)


async def _query(call: Call) -> Reply:
    refuse_later(call.params)
    selection = entity_query(call.params, call.ld)
    require_filter(call.params, selection)
    query = temporal_query(call.params, call.ld, required=True)
    view = temporal_view(call)
    limits = call.limits
    page = paging(call.params, limits.default_limit, limits.max_limit)
    matched = await _matching(call, selection, query)
    chosen = matched[page.offset : page.offset + page.limit]
    more = len(matched) > page.offset + page.limit
    headers = page_headers(call, page, len(matched) if page.count else None, more)
    wanted = aggregation(call)
    if wanted is not None:
        documents = await _aggregated(call, chosen, query, view, wanted)
        return _list_reply(call, documents, headers)
    found = await call.tenant.history.evolution([one for one, _ in chosen], query)
    documents = [render(found[one], types, call.ld, view) for one, types in chosen if one in found]
    return _list_reply(call, documents, headers, _partial(list(found.values()), query))


async def _types_of(call: Call, entity_id: str) -> list[str]:
    """The types now, or those that the newest readings had; ResourceNotFound without either."""
    current = call.tenant.context.get(entity_id)
    if current is not None:
        return list(current.types)
    known = await call.tenant.history.entities(Selection(entity_ids=(entity_id,), deleted=True))
    if len(known) == 0:
        raise ResourceNotFound(f"no entity {entity_id}, now or in the past")
    return [str(known.column("type")[0].as_py())]


async def _matching(
    call: Call, query: Query, temporal: TemporalQuery
) -> list[tuple[str, list[str]]]:
    """Ids and types of the entities with readings in the interval that the query selects, by id.

    `q` and the geo-query hold when they hold for values of the interval (each condition for any
    of them); scopes are those of now. Types are the first one stored, or those of now.
    """
    types = query.types
    named = sorted({name for option in types.alternatives() for name in option}) if types else []
    select = Selection(
        entity_ids=tuple(query.ids) if query.ids else None,
        types=tuple(named),
        attrs=tuple(query.attrs),
        start=temporal.start,
        end=temporal.end,
        time_property=temporal.time_property,
        observed_only=temporal.observed_only,
    )
    known = await call.tenant.history.entities(select)
    candidates = []
    for row in known.to_pylist():
        current = call.tenant.context.get(row["entity_id"]) if _needs_state(query) else None
        candidates.append(
            Entity(
                id=row["entity_id"],
                types=list(current.types) if current else [row["type"]],
                attrs={attr: [] for attr in row["attrs"]},
                scopes=current.scopes if current else None,
            )
        )
    plain = Query(query.ids, query.id_pattern, types, query.attrs, None, None, query.scope)
    chosen = [entity for entity in candidates if plain.matches(entity)]
    if query.q is not None or query.geo is not None:
        chosen = await _with_values(call, chosen, query, temporal)
    return [(entity.id, entity.types) for entity in chosen]


def _needs_state(query: Query) -> bool:
    several = query.types is not None and any(len(o) > 1 for o in query.types.alternatives())
    return several or query.scope is not None


async def _with_values(
    call: Call, entities: list[Entity], query: Query, temporal: TemporalQuery
) -> list[Entity]:
    """Those entities whose values within the interval satisfy q and the geo-query."""
    if len(entities) > _MAX_MATCHED:
        raise TooManyResults(
            f"q and geo-queries of the past look at {_MAX_MATCHED} entities at most; "
            f"type, id and time select {len(entities)}"
        )
    past = TemporalQuery(
        start=temporal.start,
        end=temporal.end,
        time_property=temporal.time_property,
        observed_only=temporal.observed_only,
        deleted=False,
    )
    found = await call.tenant.history.evolution([entity.id for entity in entities], past)
    test = Query(q=query.q, geo=query.geo)
    chosen = []
    for entity in entities:
        held = found.get(entity.id)
        if held is None:
            continue
        attrs = {attr: [one.instance for one in ones] for attr, ones in held.attrs.items()}
        if test.matches(Entity(entity.id, entity.types, attrs)):
            chosen.append(entity)
    return chosen


async def _aggregated(
    call: Call,
    entities: Sequence[tuple[str, list[str]]],
    query: TemporalQuery,
    view: TemporalView,
    wanted: Aggregation,
) -> list[dict[str, Any]]:
    """Aggregated representations, in the order of `entities`."""
    documents = {one: head(one, types, call.ld, view) for one, types in entities}
    if not documents:
        return []
    table = await call.tenant.history.aggregate(
        AggregateQuery(
            select=Selection(
                entity_ids=tuple(documents),
                attrs=query.attrs,
                dataset_ids=query.dataset_ids,
                start=query.start,
                end=query.end,
                time_property=query.time_property,
                observed_only=query.observed_only,
            ),
            methods=wanted.methods,
            group=("entity_id", "attr", "dataset_id", "kind"),
            bucket=wanted.period,
            origin=query.start,
        )
    )
    if len(table) > wanted.most:
        raise TooManyResults(f"more than {wanted.most} periods; ask for longer ones")
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        rows.setdefault(row["entity_id"], []).append(row)
    _eligible(query, wanted, [row for found in rows.values() for row in found])
    return [
        render_aggregated(document, rows.get(one, ()), wanted.methods, call.ld, view)
        for one, document in documents.items()
    ]


def _eligible(query: TemporalQuery, wanted: Aggregation, rows: list[dict[str, Any]]) -> None:
    """InvalidRequest when none of the methods says anything about an attribute that was asked for
    by name (§5.7.4.4)."""
    seen = {row["attr"] for row in rows}
    told = {row["attr"] for row in rows if any(row[m] is not None for m in wanted.methods)}
    for attr in query.attrs:
        if attr in seen - told:
            raise InvalidRequest(f"aggrMethods: none of them is for the values of {attr}")


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
    return [(b"content-range", f"date-time {to_iso(first)}-{to_iso(last)}/{size}".encode())]


def _list_reply(
    call: Call,
    documents: list[dict[str, Any]],
    headers: list[Header],
    partial: Sequence[Header] = (),
) -> Reply:
    if call.accept == JSON_LD:
        documents = [document | {"@context": call.ld.member} for document in documents]
    return Reply(
        206 if partial else 200,
        orjson.dumps(documents),
        call.accept,
        [*context_headers(call), *headers, *partial],
    )


ROUTES: Final = (
    Route("GET", "temporal/entities", query_temporal, "read"),
    Route("GET", "temporal/entities/*", retrieve_temporal, "read"),
    Route("POST", "temporal/entityOperations/query", query_temporal_by_post, "read"),
)
