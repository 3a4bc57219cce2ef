"""Handler of DELETE /entities (CIM 009 §5.6.21, §6.4.3.3)."""

from __future__ import annotations

from typing import Any, Final

from rynek.base.errors import BadRequestData
from rynek.context import (
    LOCAL,
    CompiledContext,
    EntityMap,
    Query,
    Txn,
    decode,
    operations,
    parse_attrs,
)
from rynek.web.api.call import Call, Reply
from rynek.web.api.entity_maps import location
from rynek.web.api.forwarding_purge import is_local, purge_elsewhere, purge_reply
from rynek.web.api.params import entity_query, require_filter
from rynek.web.api.reading import map_wish
from rynek.web.api.route import Route

_CHUNK: Final = 500


async def purge_entities(call: Call) -> Reply:
    """Purge Entities (§5.6.21): what a query selects is deleted, or with `keep` or `drop` loses
    attributes. What comes to match while it runs may stay. With NGSILD-EntityMap only entities of
    that map go (§6.4.3.3); ResourceNotFound without it, as more than it names could go."""
    query = entity_query(call.params, call.ld)
    require_filter(call.params, query)
    keep, drop = _attributes(call, "keep"), _attributes(call, "drop")
    found = _map(call)
    elsewhere = [] if is_local(call) else await purge_elsewhere(call, query, found)
    ids = await _matching(call.tenant.context, query)
    if found is not None:
        ids = [one for one in ids if LOCAL in found.entities.get(one, ())]
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        await call.tenant.context.write(
            lambda txn, s=some: _purge(txn, s, query, keep, drop, call.ld)
        )
    reply = purge_reply(elsewhere, ids) if elsewhere else Reply(204)
    if found is not None:
        reply.headers = [*reply.headers, location(call, found)]
    return reply


def _map(call: Call) -> EntityMap | None:
    """The entity map that the request names."""
    wish = map_wish(call)
    if wish.use is None:
        return None
    found: EntityMap = call.tenant.context.entity_maps.get(wish.use)
    if found.temporal or found.ld != call.ld.id:
        raise BadRequestData(
            "the entity map was made for another kind of query or with another @context"
        )
    return found


def _attributes(call: Call, name: str) -> frozenset[str] | None:
    text = call.params.get(name)
    expand = call.ld.attribute
    if not text:
        return None
    return frozenset(parse_attrs(text, lambda one: one if one == "scope" else expand(one)))


async def _matching(context: Any, query: Query) -> list[str]:
    ids: list[str] = []
    while True:
        page = await context.select(query, limit=_CHUNK, offset=len(ids))
        ids += [decode(row.body, row.times, row.ctx).id for row in page.rows]
        if not page.more:
            return ids


def _purge(
    txn: Txn,
    ids: list[str],
    query: Query,
    keep: frozenset[str] | None,
    drop: frozenset[str] | None,
    ld: CompiledContext,
) -> None:
    for entity_id in ids:
        entity = txn.get(entity_id)
        if entity is None or not query.matches(entity):
            continue  # changed since it was found
        if keep is None and drop is None:
            operations.delete(txn, entity_id)
        else:
            operations.reduce(txn, entity_id, ld, keep=keep, drop=drop)


ROUTES: Final = (Route("DELETE", "entities", purge_entities, "write"),)
