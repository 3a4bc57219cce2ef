"""Handlers of /entities (CIM 009 §6.4 - §6.7)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.base.ids import is_uri
from rynek.context import (
    CompiledContext,
    Entity,
    operations,
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_partial,
)
from rynek.web.api.bodies import (
    document_reply,
    entities_reply,
    entity_reply,
    read_document,
)
from rynek.web.api.call import Call, Header, Reply
from rynek.web.api.params import (
    Paging,
    entity_query,
    flag,
    paging,
    refuse_later,
    require_filter,
    view_of,
)

_NO_CONTENT = 204


async def retrieve_entity(call: Call) -> Reply:
    """Retrieve Entity (§5.7.1): GET /entities/{id}."""
    entity_id = _entity_id(call)
    if call.params:
        refuse_later(call.params)
    view = view_of(call)
    row = call.tenant.context.row(entity_id)
    if row is None:
        raise ResourceNotFound(f"no entity {entity_id}")
    return entity_reply(call, row, view)


async def query_entities(call: Call) -> Reply:
    """Query Entities (§5.7.2): GET /entities."""
    require_filter(call.params)
    refuse_later(call.params)
    return await query_reply(call)


async def query_reply(call: Call) -> Reply:
    """The page of entities that the call's parameters select."""
    params = call.params
    view = view_of(call)
    limits = call.limits
    page = paging(params, limits.default_limit, limits.max_limit)
    query = entity_query(params, call.ld)
    found = await call.tenant.context.select(
        query, limit=page.limit, offset=page.offset, count=page.count
    )
    return entities_reply(call, found.rows, view, page_headers(call, page, found.count, found.more))


def page_headers(call: Call, page: Paging, count: int | None, more: bool) -> list[Header]:
    """Links to the pages before and after, and the total where it was asked for (§6.3.10)."""
    headers: list[Header] = []
    if count is not None:
        headers.append((b"ngsild-results-count", str(count).encode()))
        more = page.offset + page.limit < count and page.limit > 0
    if page.offset and page.limit:
        before = max(page.offset - page.limit, 0)
        headers.append((b"link", _page_link(call, before, min(page.limit, page.offset), "prev")))
    if more:
        headers.append((b"link", _page_link(call, page.offset + page.limit, page.limit, "next")))
    return headers


def _page_link(call: Call, offset: int, limit: int, rel: str) -> bytes:
    params = call.params | {"offset": str(offset), "limit": str(limit)}
    path = f"{call.base_path}{call.path}?{urlencode(params)}"
    return f'<{path}>; rel="{rel}"; type="application/ld+json"'.encode()


async def create_entity(call: Call) -> Reply:
    """Create Entity (§5.6.1): POST /entities."""
    document, ld = await read_document(call)
    entity = parse_entity(document, ld, now=0)
    await call.tenant.context.write(lambda txn: operations.create(txn, entity, ld))
    location = f"{call.base_path}/ngsi-ld/v1/entities/{quote(entity.id, safe=':')}"
    return Reply(201, headers=[(b"location", location.encode())])


async def replace_entity(call: Call) -> Reply:
    """Replace Entity (§5.6.18): PUT /entities/{id}."""
    entity_id = _entity_id(call)
    document, ld = await read_document(call)
    entity = _entity_at(document, entity_id, ld)
    await call.tenant.context.write(lambda txn: operations.replace(txn, entity, ld))
    return Reply(_NO_CONTENT)


def _entity_at(document: dict[str, Any], entity_id: str, ld: CompiledContext) -> Entity:
    if document.get("id", entity_id) != entity_id:
        raise BadRequestData("the id in the body is not the one in the path")
    return parse_entity(document | {"id": entity_id}, ld, now=0)


async def merge_entity(call: Call) -> Reply:
    """Merge Entity (§5.6.17): PATCH /entities/{id}."""
    entity_id = _entity_id(call)
    document, ld = await read_document(call)
    _same_id(document, entity_id)
    old = call.tenant.context.get(entity_id)
    hints = _kinds(old)
    fragment = parse_fragment(
        document,
        ld,
        now=0,
        allow_null=True,
        partial=True,
        simplified=_simplified(call),
        hints=hints,
    )
    observed = call.params.get("observedAt")
    await call.tenant.context.write(
        lambda txn: operations.merge(txn, entity_id, fragment, ld, observed_at=observed)
    )
    return Reply(_NO_CONTENT)


async def delete_entity(call: Call) -> Reply:
    """Delete Entity (§5.6.6): DELETE /entities/{id}."""
    entity_id = _entity_id(call)
    await call.tenant.context.write(lambda txn: operations.delete(txn, entity_id))
    return Reply(_NO_CONTENT)


async def append_attributes(call: Call) -> Reply:
    """Append Entity Attributes (§5.6.3): POST /entities/{id}/attrs."""
    entity_id = _entity_id(call)
    document, ld = await read_document(call)
    _same_id(document, entity_id)
    fragment = parse_fragment(document, ld, now=0, simplified=_simplified(call))
    overwrite = "noOverwrite" not in call.options
    result = await call.tenant.context.write(
        lambda txn: operations.append(txn, entity_id, fragment, ld, overwrite=overwrite)
    )
    return _update_reply(call, result, ld)


async def update_attributes(call: Call) -> Reply:
    """Update Entity Attributes (§5.6.2): PATCH /entities/{id}/attrs."""
    entity_id = _entity_id(call)
    document, ld = await read_document(call)
    _same_id(document, entity_id)
    hints = _kinds(call.tenant.context.get(entity_id))
    fragment = parse_fragment(
        document, ld, now=0, allow_null=True, simplified=_simplified(call), hints=hints
    )
    result = await call.tenant.context.write(
        lambda txn: operations.update(txn, entity_id, fragment, ld)
    )
    return _update_reply(call, result, ld)


async def partial_update(call: Call) -> Reply:
    """Partial Attribute Update (§5.6.4): PATCH /entities/{id}/attrs/{attrId}."""
    entity_id, attr = _entity_id(call), _attribute(call)
    document, ld = await read_document(call)
    iri = ld.expand_term(attr)
    hint = _kinds(call.tenant.context.get(entity_id)).get(iri)
    part = parse_partial(_without_context(document), ld, now=0, name=attr, kind_hint=hint)
    await call.tenant.context.write(
        lambda txn: operations.partial_update(txn, entity_id, iri, part, ld)
    )
    return Reply(_NO_CONTENT)


async def replace_attribute(call: Call) -> Reply:
    """Replace Attribute (§5.6.19): PUT /entities/{id}/attrs/{attrId}."""
    entity_id, attr = _entity_id(call), _attribute(call)
    document, ld = await read_document(call)
    iri = ld.expand_term(attr)
    instances = parse_attribute(_without_context(document), ld, now=0, name=attr)
    await call.tenant.context.write(
        lambda txn: operations.replace_attribute(txn, entity_id, iri, instances, ld)
    )
    return Reply(_NO_CONTENT)


async def delete_attribute(call: Call) -> Reply:
    """Delete Attribute (§5.6.5): DELETE /entities/{id}/attrs/{attrId}."""
    entity_id, attr = _entity_id(call), _attribute(call)
    ld = call.ld
    iri = ld.expand_term(attr)
    dataset_id = call.params.get("datasetId")
    if dataset_id is not None and not is_uri(dataset_id):
        raise BadRequestData("datasetId is not a URI")
    every = flag(call.params, "deleteAll")
    await call.tenant.context.write(
        lambda txn: operations.delete_attribute(
            txn, entity_id, iri, ld, dataset_id=dataset_id, delete_all=every
        )
    )
    return Reply(_NO_CONTENT)


def _update_reply(call: Call, result: operations.UpdateResult, ld: CompiledContext) -> Reply:
    if not result.not_updated:
        return Reply(_NO_CONTENT)
    return document_reply(call, result.body(ld), 207)


def _entity_id(call: Call) -> str:
    entity_id = call.path_args[0]
    if not is_uri(entity_id):
        raise BadRequestData(f"{entity_id[:200]!r} is not a URI")
    return entity_id


def _attribute(call: Call) -> str:
    return call.path_args[1]


def _same_id(document: dict[str, Any], entity_id: str) -> None:
    if document.get("id", entity_id) != entity_id:
        raise BadRequestData("the id in the body is not the one in the path")


def _without_context(document: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in document.items() if name != "@context"}


def _simplified(call: Call) -> bool:
    return not call.options.isdisjoint(("keyValues", "simplified"))


def _kinds(entity: Entity | None) -> dict[str, str]:
    """What kind each attribute is now, so that a bare value in a patch stays of that kind."""
    if entity is None:
        return {}
    return {attr: instances[0].kind for attr, instances in entity.attrs.items()}
