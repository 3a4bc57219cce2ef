"""Which members an attribute instance may have, by its kind (CIM 009 §4.5.2 - §4.5.24, §5.2.5 ff.)."""

from __future__ import annotations

from typing import Any, Final

from rynek.base.geo import GEOMETRY_TYPES
from rynek.context.model import NGSI_LD, VALUE_MEMBER

# The member that gives the kind away where "type" is left out (concise, §4.5.2.3 and siblings).
KIND_OF: Final = {
    "value": "Property",
    "object": "Relationship",
    "languageMap": "LanguageProperty",
    "vocab": "VocabProperty",
    "json": "JsonProperty",
    "valueList": "ListProperty",
    "objectList": "ListRelationship",
}
KIND_IRIS: Final = {NGSI_LD + kind: kind for kind in VALUE_MEMBER}
# Attributes of an entity that the standard defines as geospatial (§4.7.1, Table 5.2.4-1).
GEO_ATTRIBUTES: Final = frozenset(
    NGSI_LD + name for name in ("location", "observationSpace", "operationSpace")
)
PROOF: Final = NGSI_LD + "ngsildproof"
LANG_STRING: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"

# Metadata: their presence says that an object without "type" and value is an instance, no value.
METADATA: Final = frozenset(
    ("datasetId", "observedAt", "unitCode", "expiresAt", "objectType", "valueType")
)
SEALED: Final = ("entityIdSealed", "entityTypeSealed")

_REFERENCES: Final = ("Relationship", "ListRelationship")
# "" is the kind of a part of an instance whose kind nothing tells.
UNITS: Final = frozenset(("Property", "GeoProperty", "ListProperty", ""))
TYPED_VALUES: Final = frozenset(kind for kind in VALUE_MEMBER if kind not in _REFERENCES) | {""}
TYPED_OBJECTS: Final = frozenset((*_REFERENCES, ""))

_PREVIOUS: Final = {
    kind: "previous" + member[:1].upper() + member[1:] for kind, member in VALUE_MEMBER.items()
}
_INLINE: Final = {"Relationship": "entity", "ListRelationship": "entityList"}
_COMMON: Final = frozenset(("createdAt", "modifiedAt", "deletedAt", "instanceId", "lang"))


def _ignored(kind: str) -> frozenset[str]:
    members = {_PREVIOUS[kind]}
    if kind in _INLINE:
        members.add(_INLINE[kind])
    return _COMMON | members


# Output-only members: read over in requests (§5.2.2, Table 5.2.5-2 and siblings), never stored.
IGNORED: Final = {kind: _ignored(kind) for kind in VALUE_MEMBER}
IGNORED[""] = frozenset().union(*IGNORED.values())

# Members that belong to some kind of instance: no name of an attribute of an attribute.
KNOWN: Final = frozenset(KIND_OF) | METADATA | IGNORED[""] | frozenset(SEALED) | {"dataset"}


def is_geometry(value: Any) -> bool:
    """Whether a JSON value has the shape of a GeoJSON geometry."""
    return (
        type(value) is dict
        and isinstance(value.get("type"), str)
        and value["type"] in GEOMETRY_TYPES
        and "coordinates" in value
    )


def is_instance(raw: dict[str, Any]) -> bool:
    """Whether an object says itself that it is an attribute instance: by type or value member."""
    kind = raw.get("type") or raw.get("@type")
    if isinstance(kind, str) and kind in VALUE_MEMBER:
        return True
    return kind is None and not raw.keys().isdisjoint(KIND_OF)


def are_instances(raw: list[Any]) -> bool:
    """Whether an array holds the instances of one attribute (§4.5.5) or is itself a value.

    Instances where all elements look like some, or where one says its type and has its value
    member: then what is wrong about the others is an error and no value.
    """
    every = True
    for item in raw:
        if type(item) is not dict:
            every = False
            continue
        kind = item.get("type") or item.get("@type")
        if isinstance(kind, str) and kind in VALUE_MEMBER:
            if VALUE_MEMBER[kind] in item:
                return True
        elif kind is not None or item.keys().isdisjoint(KIND_OF):
            every = False
    return every
