"""Handlers of /temporal/entities that write (CIM 009 §5.6.11 - §5.6.16, §6.18 - §6.22)."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.base.ids import is_uri
from rynek.context import SCOPE, parse_temporal, parse_temporal_instance
from rynek.web.api.bodies import read_document
from rynek.web.api.call import Call, Reply
from rynek.web.api.params import entity_id_of, flag
from rynek.web.api.prospective import ProspectiveTenant
from rynek.web.api.route import Route

_NO_CONTENT = 204


async def upsert_temporal(call: Call) -> Reply:
    """Create or Update Temporal Evolution of an Entity (§5.6.11): POST /temporal/entities."""
    document, ld = await read_document(call)
    fragment = parse_temporal(document, ld)
    if fragment.id is None:
        raise BadRequestData("the entity has no id")
    if fragment.types is None:
        raise BadRequestData("the entity has no type")
    tenant = call.tenant.made() if isinstance(call.tenant, ProspectiveTenant) else call.tenant
    created = await tenant.history.edit.add(
        fragment.id, fragment, tenant.context.get(fragment.id), now=tenant.clock.now(), create=True
    )
    if not created:
        return Reply(_NO_CONTENT)
    location = f"{call.base_path}/ngsi-ld/v1/temporal/entities/{quote(fragment.id, safe=':')}"
    return Reply(201, headers=[(b"location", location.encode())])


async def delete_temporal(call: Call) -> Reply:
    """Delete Temporal Evolution of an Entity (§5.6.16): DELETE /temporal/entities/{id}."""
    entity_id = entity_id_of(call)
    tenant = call.tenant
    await tenant.history.edit.delete(
        entity_id, tenant.context.get(entity_id), now=tenant.clock.now()
    )
    return Reply(_NO_CONTENT)


async def add_temporal(call: Call) -> Reply:
    """Add Attributes to Temporal Evolution of an Entity (§5.6.12): POST …/{id}/attrs."""
    entity_id = entity_id_of(call)
    tenant = call.tenant
    edit, current = tenant.history.edit, tenant.context.get(entity_id)
    if await edit.about(entity_id, current) is None:
        raise ResourceNotFound(f"nothing is known of the past of {entity_id}")
    document, ld = await read_document(call)
    fragment = parse_temporal(document, ld)
    if fragment.id not in (None, entity_id):
        raise BadRequestData("the id in the body is not the one in the path")
    await edit.add(entity_id, fragment, current, now=tenant.clock.now(), create=False)
    return Reply(_NO_CONTENT)


async def delete_temporal_attribute(call: Call) -> Reply:
    """Delete Attribute from Temporal Evolution of an Entity (§5.6.13): DELETE …/attrs/{attr}."""
    entity_id, attr = entity_id_of(call), _attribute(call)
    dataset_id = call.params.get("datasetId")
    if dataset_id == "@none":
        dataset_id = None
    if dataset_id is not None and not is_uri(dataset_id):
        raise BadRequestData("datasetId is not a URI")
    await call.tenant.history.edit.delete_attribute(
        entity_id,
        attr,
        now=call.tenant.clock.now(),
        dataset_id=dataset_id,
        every=flag(call.params, "deleteAll"),
    )
    return Reply(_NO_CONTENT)


async def modify_temporal_instance(call: Call) -> Reply:
    """Modify Attribute Instance in Temporal Evolution of an Entity (§5.6.14): PATCH
    …/attrs/{attr}/{instanceId}."""
    entity_id, attr, instance_id = entity_id_of(call), _attribute(call), _instance_id(call)
    document, ld = await read_document(call)
    instance = parse_temporal_instance(document, ld, call.path_args[1])
    # The name is the one that the body's @context gives it.
    attr = attr if attr == SCOPE else ld.attribute(call.path_args[1])
    await call.tenant.history.edit.modify_instance(
        entity_id, attr, instance_id, instance, now=call.tenant.clock.now()
    )
    return Reply(_NO_CONTENT)


async def delete_temporal_instance(call: Call) -> Reply:
    """Delete Attribute Instance from Temporal Evolution of an Entity (§5.6.15): DELETE
    …/attrs/{attr}/{instanceId}."""
    entity_id, attr, instance_id = entity_id_of(call), _attribute(call), _instance_id(call)
    await call.tenant.history.edit.delete_instance(
        entity_id, attr, instance_id, now=call.tenant.clock.now()
    )
    return Reply(_NO_CONTENT)


def _attribute(call: Call) -> str:
    """The IRI of the attribute in the path; BadRequestData when it is no name."""
    name = call.path_args[1]
    return SCOPE if name == "scope" else call.ld.attribute(name)


def _instance_id(call: Call) -> str:
    instance_id = call.path_args[2]
    if not is_uri(instance_id):
        raise BadRequestData(f"the instanceId {instance_id[:200]!r} is not a URI")
    return instance_id


ROUTES: Final = (
    Route("POST", "temporal/entities", upsert_temporal, "write", creates=True),
    Route("DELETE", "temporal/entities/*", delete_temporal, "write"),
    Route("POST", "temporal/entities/*/attrs", add_temporal, "write"),
    Route("DELETE", "temporal/entities/*/attrs/*", delete_temporal_attribute, "write"),
    Route("PATCH", "temporal/entities/*/attrs/*/*", modify_temporal_instance, "write"),
    Route("DELETE", "temporal/entities/*/attrs/*/*", delete_temporal_instance, "write"),
)
