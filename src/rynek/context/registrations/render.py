"""A registration as a document under any @context (CIM 009 §5.2.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rynek.base.clock import to_iso
from rynek.context.jsonld import CompiledContext
from rynek.context.registrations.health import Counters
from rynek.context.registrations.model import (
    RESERVED_KEYS,
    EntityInfo,
    Interval,
    KeyValue,
    Management,
    Registration,
    RegistrationInfo,
)

__all__ = ["render_registration"]


def render_registration(
    made: Registration,
    ld: CompiledContext,
    counters: Counters | None = None,
    *,
    sys_attrs: bool = False,
    information: Sequence[RegistrationInfo] | None = None,
    secrets: bool = True,
) -> dict[str, Any]:
    """The document, without its @context. `counters` become the read-only members,
    `information` (where given) stands in the place of all that is registered. Without `secrets`
    it says nothing of what else is sent to the source, which may be passwords."""
    shown = made.information if information is None else information
    out: dict[str, Any] = {
        "id": made.id,
        "type": "ContextSourceRegistration",
        "endpoint": made.endpoint,
        "information": [_information(info, ld) for info in shown],
    }
    members: dict[str, Any] = {
        "registrationName": made.name,
        "description": made.description,
        "mode": made.mode if made.mode_given else None,
        "operations": made.operations,
        "tenant": made.tenant,
        "contextSourceInfo": _source_info(made.context_source_info, secrets=secrets),
        "contextSourceAlias": made.context_source_alias,
        "datasetId": made.dataset_ids,
        "scope": _one_or_many(made.scopes),
        "observationInterval": _interval(made.observation_interval),
        "managementInterval": _interval(made.management_interval),
        "location": made.location,
        "observationSpace": made.observation_space,
        "operationSpace": made.operation_space,
        "expiresAt": made.expires_at,
        "refreshRate": made.refresh_rate,
        "management": _management(made.management) or None,
    }
    out |= {name: value for name, value in members.items() if value is not None}
    out |= {ld.compact_iri(iri): value for iri, value in made.properties.items()}
    if counters is not None:
        out |= counters.members()
    if sys_attrs:
        out["createdAt"] = to_iso(made.created_at)
        out["modifiedAt"] = to_iso(made.modified_at)
    return out


def _source_info(given: Sequence[KeyValue] | None, *, secrets: bool) -> Sequence[KeyValue] | None:
    if given is None or secrets:
        return given
    return [pair for pair in given if pair.key in RESERVED_KEYS] or None


def _information(info: RegistrationInfo, ld: CompiledContext) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if info.entities:
        out["entities"] = [_entity(one, ld) for one in info.entities]
    if info.properties:
        out["propertyNames"] = [ld.compact_iri(iri) for iri in info.properties]
    if info.relationships:
        out["relationshipNames"] = [ld.compact_iri(iri) for iri in info.relationships]
    return out


def _entity(one: EntityInfo, ld: CompiledContext) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if one.id is not None:
        out["id"] = one.id
    if one.id_pattern is not None:
        out["idPattern"] = one.id_pattern
    out["type"] = _one_or_many([ld.compact_iri(iri) for iri in one.types])
    return out


def _interval(given: Interval | None) -> dict[str, str] | None:
    if given is None:
        return None
    out = {"startAt": given.start_at}
    return out if given.end_at is None else out | {"endAt": given.end_at}


def _management(given: Management) -> dict[str, Any]:
    members = {
        "localOnly": given.local_only,
        "cacheDuration": given.cache_duration,
        "timeout": given.timeout_ms,
        "cooldown": given.cooldown_ms,
    }
    return {name: value for name, value in members.items() if value is not None}


def _one_or_many(values: Sequence[str] | None) -> Any:
    if values is None:
        return None
    return values[0] if len(values) == 1 else list(values)
