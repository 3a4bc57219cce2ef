"""JSON Schemas of entities, their attributes and geometries (CIM 009 §4.5, §4.7, §5.2.4)."""

from __future__ import annotations

from typing import Final

from rynek.web.api.schema.kit import (
    NAME,
    NUMBER,
    ONE_OR_MORE,
    SYSTEM,
    TEXT,
    TIME,
    URI,
    Schema,
    listed,
    obj,
    ref,
)


def _attribute(kind: str, member: str, value: Schema, clause: str, **more: Schema) -> Schema:
    """One instance of an attribute; everything else in it is an attribute of the attribute."""
    return obj(
        {
            "type": {"const": kind},
            member: value,
            "observedAt": TIME,
            "expiresAt": TIME,
            "datasetId": URI,
            "instanceId": URI,
            **SYSTEM,
            **more,
        },
        ("type", member),
        f"CIM 009 §{clause}",
        additionalProperties=True,
    )


def _position() -> Schema:
    return {
        "type": "array",
        "prefixItems": [
            {"type": "number", "minimum": -180, "maximum": 180},
            {"type": "number", "minimum": -90, "maximum": 90},
        ],
        "items": NUMBER,
        "minItems": 2,
        "maxItems": 3,
    }


def _deep(levels: int, least: int = 1) -> Schema:
    schema: Schema = ref("Position")
    for level in range(levels):
        schema = {"type": "array", "items": schema, "minItems": least if level == 0 else 1}
    return schema


def _shape(kind: str, coordinates: Schema) -> Schema:
    return obj({"type": {"const": kind}, "coordinates": coordinates}, ("type", "coordinates"))


_GEOMETRIES: Final[Schema] = {
    "Position": _position(),
    "Geometry": {
        "description": "GeoJSON (RFC 7946 §3.1)",
        "oneOf": [
            _shape("Point", ref("Position")),
            _shape("MultiPoint", _deep(1)),
            _shape("LineString", _deep(1, 2)),
            _shape("MultiLineString", _deep(2, 2)),
            _shape("Polygon", _deep(2, 4)),
            _shape("MultiPolygon", _deep(3, 4)),
        ],
    },
}

_KINDS: Final[Schema] = {
    "Property": _attribute(
        "Property", "value", {}, "4.5.2", unitCode=TEXT, valueType=TEXT
    ),
    "GeoProperty": _attribute("GeoProperty", "value", ref("Geometry"), "4.7"),
    "Relationship": _attribute(
        "Relationship",
        "object",
        {"anyOf": [URI, {"type": "array", "items": URI, "minItems": 1}]},
        "4.5.3",
        objectType=ONE_OR_MORE,
    ),
    "LanguageProperty": _attribute(
        "LanguageProperty",
        "languageMap",
        {"type": "object", "additionalProperties": ONE_OR_MORE, "minProperties": 1},
        "4.5.18",
    ),
    "JsonProperty": _attribute("JsonProperty", "json", {"type": ["object", "array"]}, "4.5.24"),
    "VocabProperty": _attribute("VocabProperty", "vocab", ONE_OR_MORE, "4.5.20"),
    "ListProperty": _attribute("ListProperty", "valueList", {"type": "array"}, "4.5.21"),
    "ListRelationship": _attribute(
        "ListRelationship",
        "objectList",
        {"type": "array", "items": {"anyOf": [URI, obj({"object": URI}, ("object",))]}},
        "4.5.22",
        objectType=ONE_OR_MORE,
    ),
}  # fmt: skip

_NAMES: Final[Schema] = {"pattern": "^(@context|[A-Za-z][A-Za-z0-9_]*|(https?://|urn:)[!-~]+)$"}

_ENTITY_MEMBERS: Final[Schema] = {
    "id": URI,
    "type": ONE_OR_MORE,
    "scope": ONE_OR_MORE,
    "expiresAt": TIME,
    "@context": ref("Context"),
    **SYSTEM,
}

_ENTITIES: Final[Schema] = {
    "Context": {
        "description": "a JSON-LD @context (CIM 009 §4.4)",
        "anyOf": [URI, {"type": "object"}, {"type": "array"}],
    },
    "AttributeInstance": {"anyOf": [ref(kind) for kind in _KINDS]},
    "Attribute": {
        "description": "one instance, or several that differ in datasetId (CIM 009 §4.5.5)",
        "anyOf": [
            ref("AttributeInstance"),
            {"type": "array", "items": ref("AttributeInstance"), "minItems": 1},
        ],
    },
    "Entity": obj(
        _ENTITY_MEMBERS | {"type": {"anyOf": [NAME, {"type": "array", "items": NAME,
                                                      "minItems": 1}]}},
        ("id", "type"),
        "an entity in the normalized representation (CIM 009 §5.2.4)",
        propertyNames=_NAMES,
        additionalProperties=ref("Attribute"),
    ),
    "EntityFragment": obj(
        {key: item for key, item in _ENTITY_MEMBERS.items() if key != "expiresAt"},
        (),
        "attributes, normalized or concise (CIM 009 §5.4)",
        propertyNames=_NAMES,
        additionalProperties=True,
    ),
    "AttributeFragment": obj(
        {"type": TEXT, "observedAt": TIME, "datasetId": URI},
        (),
        "members of one attribute (CIM 009 §5.6.4)",
        propertyNames=_NAMES,
        additionalProperties=True,
    ),
    "EntityShown": {
        "description": "normalized, concise or simplified, as `format` says; with `pick` and `omit`"
        " some of it (CIM 009 §4.5)",
        "anyOf": [
            ref("Entity"),
            obj(_ENTITY_MEMBERS, (), "", additionalProperties=True),
        ],
    },
    "EntityTemporal": obj(
        _ENTITY_MEMBERS
        | {"scope": {"description": "as now, or with its past like an attribute"}},
        (),
        "attributes with many instances, temporalValues or aggregatedValues (CIM 009 §5.2.20)",
        additionalProperties=True,
    ),
    "Feature": obj(
        {
            "id": URI,
            "type": {"const": "Feature"},
            "geometry": {"anyOf": [ref("Geometry"), {"type": "null"}]},
            "properties": {"type": "object"},
            "@context": ref("Context"),
        },
        ("type", "geometry", "properties"),
        "an entity as GeoJSON (CIM 009 §5.2.29)",
    ),
    "FeatureCollection": obj(
        {
            "type": {"const": "FeatureCollection"},
            "features": listed(ref("Feature")),
            "@context": ref("Context"),
        },
        ("type", "features"),
        "entities as GeoJSON (CIM 009 §5.2.30)",
    ),
}  # fmt: skip


SCHEMAS: Final[Schema] = _GEOMETRIES | _KINDS | _ENTITIES
