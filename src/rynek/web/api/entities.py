"""Handlers of /entities that write (CIM 009 §6.4 - §6.7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote

from rynek.base.errors import BadRequestData, InvalidRequest, ResourceNotFound
from rynek.base.ids import is_uri
from rynek.context import (
    NGSI_LD,
    CompiledContext,
    Entity,
    Fragment,
    Instance,
    Stored,
    Txn,
    operations,
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_moment,
    parse_partial,
)
from rynek.web.api.bodies import dumps, plain_document, read_document
from rynek.web.api.call import Call, Reply
from rynek.web.api.forwarding import Job, Write, is_local, spread
from rynek.web.api.params import entity_id_of, flag, types_wanted
from rynek.web.api.route import Route

T = TypeVar("T")
_NO_CONTENT = 204
_UNQUOTED: Final = re.compile(r"[A-Za-z0-9_.~:-]+")
_SCOPE: Final = NGSI_LD + "scope"


async def create_entity(call: Call) -> Reply:
    """Create Entity (§5.6.1): POST /entities."""
    document, ld = plain_document(call), call.ld
    if document is None:
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
    name = entity.id if _UNQUOTED.fullmatch(entity.id) else quote(entity.id, safe=":")
    location = f"{call.base_path}/ngsi-ld/v1/entities/{name}"
    return Reply(201, headers=[(b"location", location.encode())])


def _create(entity: Entity, ld: CompiledContext) -> Job:
    return lambda txn: operations.create(txn, entity, ld)


async def replace_entity(call: Call) -> Reply:
    """Replace Entity (§5.6.18): PUT /entities/{id}."""
    entity_id = entity_id_of(call)

    def read(document: dict[str, Any], ld: CompiledContext) -> Entity:
        _same_id(document, entity_id)
        return parse_entity({"id": entity_id, **document}, ld, now=0)

    entity, ld = await _read(call, entity_id, read)

    def job(part: Entity) -> Job:
        return lambda txn: operations.replace(txn, part, ld)

    return await _carried_out(
        call, Write("replaceEntity", entity_id, ld, job, entity, tuple(entity.attrs))
    )


async def merge_entity(call: Call) -> Reply:
    """Merge Entity (§5.6.17): PATCH /entities/{id}."""
    entity_id = entity_id_of(call)
    observed = _observed_at(call)
    form, lang = _simplified(call), call.params.get("lang")

    def read(document: dict[str, Any], ld: CompiledContext) -> Fragment:
        _same_id(document, entity_id)
        return parse_fragment(
            document,
            ld,
            now=0,
            allow_null=True,
            partial=True,
            simplified=form,
            stored=stored_of(call, entity_id),
            lang=lang,
        )

    fragment, ld = await _read(call, entity_id, read)

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
    """Append Attributes (§5.6.3): POST /entities/{id}/attrs."""
    entity_id = entity_id_of(call)
    form = _simplified(call)

    def read(document: dict[str, Any], ld: CompiledContext) -> Fragment:
        _same_id(document, entity_id)
        return parse_fragment(document, ld, now=0, simplified=form)

    fragment, ld = await _read(call, entity_id, read)
    overwrite = "noOverwrite" not in call.options

    def job(part: Fragment) -> Job:
        return lambda txn: operations.append(txn, entity_id, part, ld, overwrite=overwrite)

    return await _carried_out(
        call, Write("appendAttrs", entity_id, ld, job, fragment, tuple(fragment.attrs))
    )


async def update_attributes(call: Call) -> Reply:
    """Update Attributes (§5.6.2): PATCH /entities/{id}/attrs."""
    entity_id = entity_id_of(call)
    form = _simplified(call)

    def read(document: dict[str, Any], ld: CompiledContext) -> Fragment:
        _same_id(document, entity_id)
        stored = stored_of(call, entity_id) if form else None
        return parse_fragment(document, ld, now=0, allow_null=True, simplified=form, stored=stored)

    fragment, ld = await _read(call, entity_id, read)

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
    part = parse_partial(
        _without_context(document),
        ld,
        now=0,
        name=attr,
        iri=iri,
        before=stored_of(call, entity_id)(iri),
    )

    def job(_: Instance) -> Job:
        return lambda txn: operations.partial_update(txn, entity_id, iri, part, ld)

    return await _carried_out(call, Write("updateAttrs", entity_id, ld, job, part, (iri,)))


async def replace_attribute(call: Call) -> Reply:
    """Replace Attribute (§5.6.19): PUT /entities/{id}/attrs/{attrId}."""
    entity_id, attr = entity_id_of(call), call.path_args[1]
    document, ld = await read_document(call)
    iri = ld.attribute(attr)
    try:
        instances = parse_attribute(_without_context(document), ld, now=0, name=attr, iri=iri)
    except BadRequestData:
        _check_known(call, entity_id, ld)
        raise

    def job(_: list[Instance]) -> Job:
        return lambda txn: operations.replace_attribute(txn, entity_id, iri, instances, ld)

    return await _carried_out(call, Write("replaceAttrs", entity_id, ld, job, instances, (iri,)))


async def delete_attribute(call: Call) -> Reply:
    """Delete Attribute (§5.6.5): DELETE /entities/{id}/attrs/{attrId}; also of `scope`."""
    entity_id, attr = entity_id_of(call), call.path_args[1]
    ld = call.ld
    if ld.expand_term(attr) == _SCOPE:

        def scopeless(_: None) -> Job:
            return lambda txn: operations.delete_scope(txn, entity_id, ld)

        return await _carried_out(
            call, Write("deleteAttrs", entity_id, ld, scopeless, None, (_SCOPE,))
        )
    iri = ld.attribute(attr)
    dataset_id = call.params.get("datasetId")
    if dataset_id == "@none":
        dataset_id = None
    if dataset_id is not None and not is_uri(dataset_id):
        raise BadRequestData(f"datasetId: {dataset_id[:100]!r} is not a URI")
    every = flag(call.params, "deleteAll")

    def job(_: None) -> Job:
        return lambda txn: operations.delete_attribute(
            txn, entity_id, iri, ld, dataset_id=dataset_id, delete_all=every
        )

    return await _carried_out(call, Write("deleteAttrs", entity_id, ld, job, None, (iri,)))


async def _read(
    call: Call, entity_id: str, read: Callable[[dict[str, Any], CompiledContext], T]
) -> tuple[T, CompiledContext]:
    """What a body says, and the @context that holds for it.

    That there is no such entity is said before what is wrong about the body (§5.6.2.4, §5.6.3.4,
    §5.6.17.4 - §5.6.19.4); it is only looked up where something is wrong.
    """
    try:
        document, ld = plain_document(call), call.ld
        if document is None:
            document, ld = await read_document(call)
    except InvalidRequest:
        _check_known(call, entity_id, call.ld)
        raise
    try:
        return read(document, ld), ld
    except BadRequestData:
        _check_known(call, entity_id, ld)
        raise


def _check_known(call: Call, entity_id: str, ld: CompiledContext) -> None:
    """ResourceNotFound where there is no such entity here; other sources may know it."""
    if not is_local(call):
        return
    entity = call.tenant.context.get(entity_id)
    if entity is None:
        raise ResourceNotFound(f"no entity {entity_id}")
    wanted = types_wanted(call.params, ld)
    if wanted is not None and not wanted.matches(entity.types):
        raise ResourceNotFound(f"no entity {entity_id} of that type")


async def _carried_out(call: Call, write: Write) -> Reply:
    """Write here, and where other sources take part at those too (§4.3.6)."""
    if not is_local(call):
        reply = await spread(call, write)
        if reply is not None:
            return reply
    job = write.job(write.content)
    context = call.tenant.context
    if "type" in call.params:
        job = _of_type(call, write, job)
    result = await context.write(job)
    if isinstance(result, operations.UpdateResult) and result.not_updated:
        return Reply(207, dumps(result.body()))
    return Reply(_NO_CONTENT)


def _of_type(call: Call, write: Write, job: Job) -> Job:
    """The job, where the call names types only for an entity that has them."""
    wanted = types_wanted(call.params, write.ld)
    if wanted is None:
        return job

    def guarded(txn: Txn) -> Any:
        entity = txn.get(write.entity_id)
        if entity is not None and not wanted.matches(entity.types):
            raise ResourceNotFound(f"no entity {write.entity_id} of that type")
        return job(txn)

    return guarded


def _observed_at(call: Call) -> str | None:
    """The common observedAt of a merge, a DateTime (§4.6.3)."""
    text = call.params.get("observedAt")
    return None if text is None else parse_moment("observedAt", text)


def _same_id(document: dict[str, Any], entity_id: str) -> None:
    for member in ("id", "@id"):
        if document.get(member, entity_id) != entity_id:
            raise BadRequestData(f"the {member} in the body is not the one in the path")


def _without_context(document: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in document.items() if name != "@context"}


def _simplified(call: Call) -> bool:
    """Whether the body is in simplified form, as options or format say (Table 6.5.3.4-1)."""
    params = call.params
    if not params:
        return False
    form = params.get("format")
    words = call.options if form is None else (form,)
    return "keyValues" in words or "simplified" in words


def stored_of(call: Call, entity_id: str) -> Stored:
    """Instances of attributes that the entity has now, so that a bare value in a patch stays of
    their kind. The entity is only looked up when one is asked for."""
    entity: Entity | None = None
    asked = False

    def stored(attr: str) -> Instance | None:
        nonlocal entity, asked
        if not asked:
            entity, asked = call.tenant.context.get(entity_id), True
        return None if entity is None else entity.default(attr)

    return stored


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
