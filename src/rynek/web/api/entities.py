"""Handlers of /entities (CIM 009 §6.4 - §6.7)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from rynek.base.clock import parse_iso, to_iso
from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.base.ids import is_uri
from rynek.context import (
    CompiledContext,
    Entity,
    Txn,
    View,
    operations,
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_partial,
)
from rynek.web.api.bodies import (
    dumps,
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
    types_wanted,
    view_of,
)

T = TypeVar("T")
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
    if call.params:
        _check_shown(call, entity_id, view)
    return entity_reply(call, row, view)


def _check_shown(call: Call, entity_id: str, view: View) -> None:
    """ResourceNotFound when the entity has another type than asked for, or none of `attrs`."""
    wanted = types_wanted(call.params, call.ld)
    if wanted is None and view.attrs is None:
        return
    entity = call.tenant.context.get(entity_id)
    if entity is None or (wanted is not None and not wanted.matches(entity.types)):
        raise ResourceNotFound(f"no entity {entity_id} of that type")
    if view.attrs is not None and not any(attr in entity.attrs for attr in view.attrs):
        raise ResourceNotFound(f"{entity_id} has none of the attributes asked for")


async def query_entities(call: Call) -> Reply:
    """Query Entities (§5.7.2): GET /entities."""
    return await query_reply(call)


async def query_reply(call: Call) -> Reply:
    """The page of entities that the call's parameters select."""
    params = call.params
    refuse_later(params)
    view = view_of(call)
    limits = call.limits
    page = paging(params, limits.default_limit, limits.max_limit)
    query = entity_query(params, call.ld)
    require_filter(params, query)
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
    params = call.params if call.url_params is None else call.url_params
    kept = _encoded(tuple((k, v) for k, v in params.items() if k not in ("offset", "limit")))
    path = f"{call.base_path}{call.path}?{kept}offset={offset}&limit={limit}"
    return f'<{path}>; rel="{rel}"; type="application/ld+json"'.encode()


@lru_cache(maxsize=2048)
def _encoded(params: tuple[tuple[str, str], ...]) -> str:
    """Query parameters as they stand in a URL, with an ampersand behind; pages repeat them."""
    return urlencode(params) + "&" if params else ""


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
    await _write(call, entity_id, ld, lambda txn: operations.replace(txn, entity, ld))
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
    observed = _observed_at(call)
    hints = _kinds(call.tenant.context.get(entity_id))
    fragment = parse_fragment(
        document,
        ld,
        now=0,
        allow_null=True,
        partial=True,
        simplified=_simplified(call),
        hints=hints,
        lang=call.params.get("lang"),
    )
    await _write(
        call,
        entity_id,
        ld,
        lambda txn: operations.merge(txn, entity_id, fragment, ld, observed_at=observed),
    )
    return Reply(_NO_CONTENT)


async def delete_entity(call: Call) -> Reply:
    """Delete Entity (§5.6.6): DELETE /entities/{id}."""
    entity_id = _entity_id(call)
    await _write(call, entity_id, call.ld, lambda txn: operations.delete(txn, entity_id))
    return Reply(_NO_CONTENT)


async def append_attributes(call: Call) -> Reply:
    """Append Entity Attributes (§5.6.3): POST /entities/{id}/attrs."""
    entity_id = _entity_id(call)
    document, ld = await read_document(call)
    _same_id(document, entity_id)
    fragment = parse_fragment(document, ld, now=0, simplified=_simplified(call))
    overwrite = "noOverwrite" not in call.options
    result = await _write(
        call,
        entity_id,
        ld,
        lambda txn: operations.append(txn, entity_id, fragment, ld, overwrite=overwrite),
    )
    if not result.not_updated:
        return Reply(_NO_CONTENT)
    return Reply(207, dumps(result.body()))


async def update_attributes(call: Call) -> Reply:
    """Update Entity Attributes (§5.6.2): PATCH /entities/{id}/attrs."""
    entity_id = _entity_id(call)
    document, ld = await read_document(call)
    _same_id(document, entity_id)
    hints = _kinds(call.tenant.context.get(entity_id))
    fragment = parse_fragment(
        document, ld, now=0, allow_null=True, simplified=_simplified(call), hints=hints
    )
    await _write(call, entity_id, ld, lambda txn: operations.update(txn, entity_id, fragment, ld))
    return Reply(_NO_CONTENT)


async def partial_update(call: Call) -> Reply:
    """Partial Attribute Update (§5.6.4): PATCH /entities/{id}/attrs/{attrId}."""
    entity_id, attr = _entity_id(call), call.path_args[1]
    document, ld = await read_document(call)
    iri = ld.attribute(attr)
    hint = _kinds(call.tenant.context.get(entity_id)).get(iri)
    part = parse_partial(_without_context(document), ld, now=0, name=attr, kind_hint=hint)
    await _write(
        call,
        entity_id,
        ld,
        lambda txn: operations.partial_update(txn, entity_id, iri, part, ld),
    )
    return Reply(_NO_CONTENT)


async def replace_attribute(call: Call) -> Reply:
    """Replace Attribute (§5.6.19): PUT /entities/{id}/attrs/{attrId}."""
    entity_id, attr = _entity_id(call), call.path_args[1]
    document, ld = await read_document(call)
    iri = ld.attribute(attr)
    instances = parse_attribute(_without_context(document), ld, now=0, name=attr)
    await _write(
        call,
        entity_id,
        ld,
        lambda txn: operations.replace_attribute(txn, entity_id, iri, instances, ld),
    )
    return Reply(_NO_CONTENT)


async def delete_attribute(call: Call) -> Reply:
    """Delete Attribute (§5.6.5): DELETE /entities/{id}/attrs/{attrId}; also of `scope`."""
    entity_id, attr = _entity_id(call), call.path_args[1]
    ld = call.ld
    if attr == "scope":
        await _write(call, entity_id, ld, lambda txn: operations.delete_scope(txn, entity_id, ld))
        return Reply(_NO_CONTENT)
    iri = ld.attribute(attr)
    dataset_id = call.params.get("datasetId")
    if dataset_id is not None and not is_uri(dataset_id):
        raise BadRequestData("datasetId is not a URI")
    every = flag(call.params, "deleteAll")
    await _write(
        call,
        entity_id,
        ld,
        lambda txn: operations.delete_attribute(
            txn, entity_id, iri, ld, dataset_id=dataset_id, delete_all=every
        ),
    )
    return Reply(_NO_CONTENT)


async def _write(call: Call, entity_id: str, ld: CompiledContext, job: Callable[[Txn], T]) -> T:
    """Run a write on one entity; where the call names types, only if the entity has them."""
    wanted = types_wanted(call.params, ld)
    if wanted is None:
        done: T = await call.tenant.context.write(job)
        return done

    def guarded(txn: Txn) -> T:
        entity = txn.get(entity_id)
        if entity is not None and not wanted.matches(entity.types):
            raise ResourceNotFound(f"no entity {entity_id} of that type")
        return job(txn)

    kept: T = await call.tenant.context.write(guarded)
    return kept


def _entity_id(call: Call) -> str:
    entity_id = call.path_args[0]
    if not is_uri(entity_id):
        raise BadRequestData(f"{entity_id[:200]!r} is not a URI")
    return entity_id


def _observed_at(call: Call) -> str | None:
    """The common observedAt of a merge, in UTC."""
    text = call.params.get("observedAt")
    if text is None:
        return None
    try:
        # A "+" of an offset comes as a blank where it was not encoded.
        return to_iso(parse_iso(text.replace(" ", "+")))
    except ValueError as error:
        raise BadRequestData(f"observedAt: {error}") from error


def _same_id(document: dict[str, Any], entity_id: str) -> None:
    if document.get("id", entity_id) != entity_id:
        raise BadRequestData("the id in the body is not the one in the path")


def _without_context(document: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in document.items() if name != "@context"}


def _simplified(call: Call) -> bool:
    form = call.params.get("format")
    words = call.options if form is None else (form,)
    return "keyValues" in words or "simplified" in words


def _kinds(entity: Entity | None) -> dict[str, str]:
    """What kind each attribute is now, so that a bare value in a patch stays of that kind."""
    if entity is None:
        return {}
    return {attr: instances[0].kind for attr, instances in entity.attrs.items()}
