"""Handlers of /entities that write (CIM 009 §6.4 - §6.7)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
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

Said = TypeVar("Said", Entity, Fragment)
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


def replace_entity(call: Call) -> Awaitable[Reply]:
    """Replace Entity (§5.6.18): PUT /entities/{id}."""
    entity_id = entity_id_of(call)

    def read(document: dict[str, Any], ld: CompiledContext) -> Entity:
        _same_id(document, entity_id)
        return parse_entity({"id": entity_id, **document}, ld, now=0)

    def job(part: Entity, ld: CompiledContext) -> Job:
        return lambda txn: operations.replace(txn, part, ld)

    return _read_and_written(call, "replaceEntity", entity_id, read, job)


def merge_entity(call: Call) -> Awaitable[Reply]:
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

    def job(part: Fragment, ld: CompiledContext) -> Job:
        return lambda txn: operations.merge(txn, entity_id, part, ld, observed_at=observed)

    return _read_and_written(call, "mergeEntity", entity_id, read, job)


async def delete_entity(call: Call) -> Reply:
    """Delete Entity (§5.6.6): DELETE /entities/{id}."""
    entity_id = entity_id_of(call)

    def job(_: None) -> Job:
        return lambda txn: operations.delete(txn, entity_id)

    return await _carried_out(call, Write("deleteEntity", entity_id, call.ld, job))


def append_attributes(call: Call) -> Awaitable[Reply]:
    """Append Attributes (§5.6.3): POST /entities/{id}/attrs."""
    entity_id = entity_id_of(call)
    form = _simplified(call)

    def read(document: dict[str, Any], ld: CompiledContext) -> Fragment:
        _same_id(document, entity_id)
        return parse_fragment(document, ld, now=0, simplified=form)

    overwrite = "noOverwrite" not in call.options

    def job(part: Fragment, ld: CompiledContext) -> Job:
        return lambda txn: operations.append(txn, entity_id, part, ld, overwrite=overwrite)

    return _read_and_written(call, "appendAttrs", entity_id, read, job)


def update_attributes(call: Call) -> Awaitable[Reply]:
    """Update Attributes (§5.6.2): PATCH /entities/{id}/attrs."""
    entity_id = entity_id_of(call)
    form = _simplified(call)

    def read(document: dict[str, Any], ld: CompiledContext) -> Fragment:
        _same_id(document, entity_id)
        stored = stored_of(call, entity_id) if form else None
        return parse_fragment(document, ld, now=0, allow_null=True, simplified=form, stored=stored)

    def job(part: Fragment, ld: CompiledContext) -> Job:
        return lambda txn: operations.update(txn, entity_id, part, ld)

    return _read_and_written(call, "updateEntity", entity_id, read, job)


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


def _read_and_written(
    call: Call,
    operation: str,
    entity_id: str,
    read: Callable[[dict[str, Any], CompiledContext], Said],
    job: Callable[[Said, CompiledContext], Job],
) -> Awaitable[Reply]:
    """Read the body and write what it says.

    That there is no such entity is said before what is wrong about the body (§5.6.2.4, §5.6.3.4,
    §5.6.17.4 - §5.6.19.4); it is only looked up where something is wrong.
    """
    try:
        document = plain_document(call)
    except InvalidRequest:
        _check_known(call, entity_id, call.ld)
        raise
    if document is None:
        return _read_later(call, operation, entity_id, read, job)
    ld = call.ld
    said = _understood(call, entity_id, read, document, ld)
    if is_local(call) and "type" not in call.params:
        return _written(call, job(said, ld))  # as most are
    return _carried_out(call, _write_of(operation, entity_id, ld, said, job))


async def _read_later(
    call: Call,
    operation: str,
    entity_id: str,
    read: Callable[[dict[str, Any], CompiledContext], Said],
    job: Callable[[Said, CompiledContext], Job],
) -> Reply:
    """The same where the @context of the body may have to be waited for."""
    try:
        document, ld = await read_document(call)
    except InvalidRequest:
        _check_known(call, entity_id, call.ld)
        raise
    said = _understood(call, entity_id, read, document, ld)
    return await _carried_out(call, _write_of(operation, entity_id, ld, said, job))


def _write_of(
    operation: str,
    entity_id: str,
    ld: CompiledContext,
    said: Said,
    job: Callable[[Said, CompiledContext], Job],
) -> Write:
    return Write(operation, entity_id, ld, lambda part: job(part, ld), said, tuple(said.attrs))


def _understood(
    call: Call,
    entity_id: str,
    read: Callable[[dict[str, Any], CompiledContext], Said],
    document: dict[str, Any],
    ld: CompiledContext,
) -> Said:
    try:
        return read(document, ld)
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
    if "type" in call.params:
        job = _of_type(call, write, job)
    return await _written(call, job)


async def _written(call: Call, job: Job) -> Reply:
    """Write here."""
    result = await call.tenant.context.write(job)
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
