"""Handlers of /entities that write (CIM 009 §6.4 - §6.7)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote

from rynek.base.clock import parse_iso, to_iso
from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.base.ids import is_uri
from rynek.context import (
    NGSI_LD,
    CompiledContext,
    Entity,
    Fragment,
    Instance,
    Txn,
    operations,
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_partial,
)
from rynek.web.api.bodies import dumps, read_document
from rynek.web.api.call import Call, Reply
from rynek.web.api.forwarding import Job, Write, is_local, spread
from rynek.web.api.params import entity_id_of, flag, types_wanted
from rynek.web.api.route import Route

T = TypeVar("T")
_NO_CONTENT = 204
_SCOPE: Final = NGSI_LD + "scope"


async def create_entity(call: Call) -> Reply:
    """Create Entity (§5.6.1): POST /entities."""
    document, ld = await read_document(call)
    entity = parse_entity(document, ld, now=0)
    if not is_local(call):
        attrs = tuple(entity.attrs)
        reply = await spread(
            call, Write("createEntity", entity.id, ld, partial(_create, ld=ld), entity, attrs)
        )
        if reply is not None:
            return reply
    await call.tenant.context.write(_create(entity, ld))
    location = f"{call.base_path}/ngsi-ld/v1/entities/{quote(entity.id, safe=':')}"
    return Reply(201, headers=[(b"location", location.encode())])


def _create(entity: Entity, ld: CompiledContext) -> Job:
    return lambda txn: operations.create(txn, entity, ld)


async def replace_entity(call: Call) -> Reply:
    """Replace Entity (§5.6.18): PUT /entities/{id}."""
    entity_id = entity_id_of(call)
    document, ld = await read_document(call)
    entity = _entity_at(document, entity_id, ld)

    def job(part: Entity) -> Job:
        return lambda txn: operations.replace(txn, part, ld)

    return await _carried_out(
        call, Write("replaceEntity", entity_id, ld, job, entity, tuple(entity.attrs))
    )


def _entity_at(document: dict[str, Any], entity_id: str, ld: CompiledContext) -> Entity:
    if document.get("id", entity_id) != entity_id:
        raise BadRequestData("the id in the body is not the one in the path")
    return parse_entity(document | {"id": entity_id}, ld, now=0)


async def merge_entity(call: Call) -> Reply:
    """Merge Entity (§5.6.17): PATCH /entities/{id}."""
    entity_id = entity_id_of(call)
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

    def job(part: Fragment) -> Job:
        return lambda txn: operations.merge(txn, entity_id, part, ld, observed_at=observed)

    return await _carried_out(
        call, Write("mergeEntity", entity_id, ld, job, fragment, tuple(fragment.attrs))
    )


async def delete_entity(call: Call) -> Reply:
    """Delete Entity (§5.6.6): DELETE /entities/{id}."""
    entity_id = entity_id_of(call)

    def job(_: None) -> Job:
        return lambda txn: operations.delete(txn, entity_id)

    return await _carried_out(call, Write("deleteEntity", entity_id, call.ld, job))


async def append_attributes(call: Call) -> Reply:
    """Append Entity Attributes (§5.6.3): POST /entities/{id}/attrs."""
    entity_id = entity_id_of(call)
    document, ld = await read_document(call)
    _same_id(document, entity_id)
    fragment = parse_fragment(document, ld, now=0, simplified=_simplified(call))
    overwrite = "noOverwrite" not in call.options

    def job(part: Fragment) -> Job:
        return lambda txn: operations.append(txn, entity_id, part, ld, overwrite=overwrite)

    return await _carried_out(
        call, Write("appendAttrs", entity_id, ld, job, fragment, tuple(fragment.attrs))
    )


async def update_attributes(call: Call) -> Reply:
    """Update Entity Attributes (§5.6.2): PATCH /entities/{id}/attrs."""
    entity_id = entity_id_of(call)
    document, ld = await read_document(call)
    _same_id(document, entity_id)
    hints = _kinds(call.tenant.context.get(entity_id))
    fragment = parse_fragment(
        document, ld, now=0, allow_null=True, simplified=_simplified(call), hints=hints
    )

    def job(part: Fragment) -> Job:
        return lambda txn: operations.update(txn, entity_id, part, ld)

    return await _carried_out(
        call, Write("updateEntity", entity_id, ld, job, fragment, tuple(fragment.attrs))
    )


async def partial_update(call: Call) -> Reply:
    """Partial Attribute Update (§5.6.4): PATCH /entities/{id}/attrs/{attrId}."""
    entity_id, attr = entity_id_of(call), call.path_args[1]
    document, ld = await read_document(call)
    iri = ld.attribute(attr)
    hint = _kinds(call.tenant.context.get(entity_id)).get(iri)
    part = parse_partial(_without_context(document), ld, now=0, name=attr, kind_hint=hint)

    def job(_: Instance) -> Job:
        return lambda txn: operations.partial_update(txn, entity_id, iri, part, ld)

    return await _carried_out(call, Write("updateAttrs", entity_id, ld, job, part, (iri,)))


async def replace_attribute(call: Call) -> Reply:
    """Replace Attribute (§5.6.19): PUT /entities/{id}/attrs/{attrId}."""
    entity_id, attr = entity_id_of(call), call.path_args[1]
    document, ld = await read_document(call)
    iri = ld.attribute(attr)
    instances = parse_attribute(_without_context(document), ld, now=0, name=attr)

    def job(_: list[Instance]) -> Job:
        return lambda txn: operations.replace_attribute(txn, entity_id, iri, instances, ld)

    return await _carried_out(call, Write("replaceAttrs", entity_id, ld, job, instances, (iri,)))


async def delete_attribute(call: Call) -> Reply:
    """Delete Attribute (§5.6.5): DELETE /entities/{id}/attrs/{attrId}; also of `scope`."""
    entity_id, attr = entity_id_of(call), call.path_args[1]
    ld = call.ld
    if attr == "scope":

        def scopeless(_: None) -> Job:
            return lambda txn: operations.delete_scope(txn, entity_id, ld)

        return await _carried_out(
            call, Write("deleteAttrs", entity_id, ld, scopeless, None, (_SCOPE,))
        )
    iri = ld.attribute(attr)
    dataset_id = call.params.get("datasetId")
    if dataset_id is not None and not is_uri(dataset_id):
        raise BadRequestData("datasetId is not a URI")
    every = flag(call.params, "deleteAll")

    def job(_: None) -> Job:
        return lambda txn: operations.delete_attribute(
            txn, entity_id, iri, ld, dataset_id=dataset_id, delete_all=every
        )

    return await _carried_out(call, Write("deleteAttrs", entity_id, ld, job, None, (iri,)))


async def _carried_out(call: Call, write: Write) -> Reply:
    """Write here, and where other sources take part at those too (§4.3.6)."""
    if not is_local(call):
        reply = await spread(call, write)
        if reply is not None:
            return reply
    result = await _write(call, write.entity_id, write.ld, write.job(write.content))
    if isinstance(result, operations.UpdateResult) and result.not_updated:
        return Reply(207, dumps(result.body()))
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


ROUTES: Final = (
    Route("POST", "entities", create_entity, "write", creates=True),
    Route("PUT", "entities/*", replace_entity, "write"),
    Route("PATCH", "entities/*", merge_entity, "write"),
    Route("DELETE", "entities/*", delete_entity, "write"),
    Route("POST", "entities/*/attrs", append_attributes, "write"),
    Route("PATCH", "entities/*/attrs", update_attributes, "write"),
    Route("PATCH", "entities/*/attrs/*", partial_update, "write"),
    Route("PUT", "entities/*/attrs/*", replace_attribute, "write"),
    Route("DELETE", "entities/*/attrs/*", delete_attribute, "write"),
)
