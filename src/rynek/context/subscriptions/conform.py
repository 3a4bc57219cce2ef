"""Entities for receivers that know an earlier version of the standard only (CIM 009 §4.3.6.8)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rynek.context.model import Entity, Instance

__all__ = ["conforming"]

Version = tuple[int, int]
# Kind → the version that brought it, and the kind that earlier ones get.
_KINDS: Final[dict[str, tuple[Version, str]]] = {
    "LanguageProperty": ((1, 4), "Property"),
    "JsonProperty": ((1, 8), "Property"),
    "VocabProperty": ((1, 8), "Property"),
    "ListProperty": ((1, 8), "Property"),
    "ListRelationship": ((1, 8), "Relationship"),
}
# Member → the version that brought it.
_MEMBERS: Final[dict[str, Version]] = {
    "dataset_id": (1, 3),
    "observed_at": (1, 3),
    "unit_code": (1, 3),
    "object_type": (1, 8),
    "expires_at": (1, 9),
    "value_type": (1, 9),
}
_NEWEST: Final[Version] = (1, 9)
_SEVERAL: Final[Version] = (1, 3)


def conforming(entity: Entity, version: Version) -> Entity:
    """The entity as `version` (major, minor) could have said it; the same one from 1.9 on."""
    if version >= _NEWEST:
        return entity
    several = version >= _SEVERAL
    return msgspec.structs.replace(
        entity,
        types=entity.types if several else entity.types[:1],
        scopes=entity.scopes if version >= (1, 4) else None,
        expires_at=None,
        attrs={attr: _instances(found, version) for attr, found in entity.attrs.items()},
    )


def _instances(instances: list[Instance], version: Version) -> list[Instance]:
    if version < _SEVERAL and len(instances) > 1:
        default = next((one for one in instances if one.dataset_id is None), instances[0])
        instances = [default]
    return [conforming_instance(one, version) for one in instances]


def conforming_instance(one: Instance, version: Version) -> Instance:
    """One instance of an attribute, and the attributes in it, as `version` could have said it."""
    if version >= _NEWEST:
        return one
    changed: dict[str, Any] = {
        name: None for name, since in _MEMBERS.items() if version < since and getattr(one, name)
    }
    since, kind = _KINDS.get(one.kind, ((1, 0), one.kind))
    if version < since:
        changed["kind"] = kind
    if one.subs:
        changed["subs"] = {attr: _instances(subs, version) for attr, subs in one.subs.items()}
    return msgspec.structs.replace(one, **changed) if changed else one
