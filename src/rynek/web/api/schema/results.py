"""JSON Schemas of queries, results, discovery and @contexts (CIM 009 §5.2, §5.13)."""

from __future__ import annotations

from typing import Final

from rynek.web.api.schema.kit import COUNT, FLAG, TEXT, TEXTS, TIME, URI, Schema, listed, obj, ref

_QUERIES: Final[Schema] = {
    "EntitySelector": obj(
        {
            "id": {"anyOf": [URI, listed(URI)]},
            "idPattern": TEXT,
            "type": TEXT,
        },
        ("type",),
        "CIM 009 §5.2.33",
    ),
    "GeoQuery": obj(
        {"georel": TEXT, "geometry": TEXT, "coordinates": {"type": ["array", "string"]},
         "geoproperty": TEXT},
        ("georel", "geometry", "coordinates"),
        "CIM 009 §5.2.13",
    ),
    "TemporalQuery": obj(
        {"timerel": {"enum": ["before", "after", "between"]}, "timeAt": TIME, "endTimeAt": TIME,
         "timeproperty": TEXT, "lastN": {"type": "integer", "minimum": 1}},
        (),
        "CIM 009 §5.2.21",
    ),
    "Query": obj(
        {
            "type": {"const": "Query"},
            "entities": listed(ref("EntitySelector")),
            "attrs": TEXTS, "pick": TEXTS, "omit": TEXTS, "datasetId": TEXTS,
            "q": TEXT, "geoQ": ref("GeoQuery"), "scopeQ": TEXT, "csf": TEXT, "lang": TEXT,
            "temporalQ": ref("TemporalQuery"),
            "join": {"enum": ["inline", "flat", "@none"]},
            "joinLevel": {"type": "integer", "minimum": 1},
            "containedBy": listed(URI),
            "expandValues": TEXT, "jsonKeys": TEXT,
            "entityMap": FLAG, "entityMapLifetime": TEXT, "splitEntities": FLAG,
            "ordering": {"type": "object"},
        },
        ("type",),
        "what to look for (CIM 009 §5.2.23)",
    ),
}  # fmt: skip

_RESULTS: Final[Schema] = {
    "ProblemDetails": obj(
        {"type": URI, "title": TEXT, "detail": TEXT, "status": {"type": "integer"}},
        ("type", "title", "detail", "status"),
        "an error (CIM 009 §5.5.3, RFC 9457)",
        additionalProperties=True,
    ),
    "BatchEntityError": obj(
        {"entityId": TEXT, "registrationId": URI, "error": ref("ProblemDetails")},
        ("error",),
        "CIM 009 §5.2.17",
    ),
    "BatchOperationResult": obj(
        {"success": listed(URI), "errors": listed(ref("BatchEntityError"))},
        (),
        "what became of each (CIM 009 §5.2.16)",
    ),
    "NotUpdatedDetails": obj(
        {"attributeName": TEXT, "reason": TEXT, "registrationId": URI},
        ("attributeName", "reason"),
        "CIM 009 §5.2.19",
    ),
    "UpdateResult": obj(
        {"updated": listed(TEXT), "notUpdated": listed(ref("NotUpdatedDetails"))},
        ("updated", "notUpdated"),
        "what became of each attribute (CIM 009 §5.2.18)",
    ),
    "EntityTypeList": obj(
        {"id": URI, "type": {"const": "EntityTypeList"}, "typeList": listed(TEXT)},
        ("id", "type", "typeList"), "CIM 009 §5.2.24"),
    "EntityType": obj(
        {"id": URI, "type": {"const": "EntityType"}, "typeName": TEXT,
         "attributeNames": listed(TEXT)},
        ("id", "type", "typeName", "attributeNames"), "CIM 009 §5.2.25"),
    "EntityTypeInfo": obj(
        {"id": URI, "type": {"const": "EntityTypeInfo"}, "typeName": TEXT,
         "entityCount": COUNT, "attributeDetails": listed(ref("AttributeDetails"))},
        ("id", "type", "typeName", "entityCount", "attributeDetails"), "CIM 009 §5.2.26"),
    "AttributeList": obj(
        {"id": URI, "type": {"const": "AttributeList"}, "attributeList": listed(TEXT)},
        ("id", "type", "attributeList"), "CIM 009 §5.2.27"),
    "AttributeDetails": obj(
        {"id": URI, "type": {"const": "Attribute"}, "attributeName": TEXT,
         "attributeCount": COUNT, "attributeTypes": listed(TEXT), "typeNames": listed(TEXT)},
        ("id", "type", "attributeName"), "CIM 009 §5.2.28"),
    "ContextDocument": obj(
        {"@context": ref("Context")}, ("@context",), "a document that holds an @context"),
    "StoredContext": obj(
        {"URL": TEXT, "localId": URI, "kind": {"enum": ["Hosted", "Cached", "ImplicitlyCreated"]},
         "createdAt": TIME, "expiresAt": TIME, "lastUsage": TIME, "numberOfHits": COUNT,
         "extraInfo": {"type": "object"}},
        ("URL", "localId", "kind", "createdAt"), "CIM 009 §5.13.3.5"),
    "ContextSourceIdentity": obj(
        {"id": URI, "type": {"const": "ContextSourceIdentity"}, "contextSourceAlias": TEXT,
         "contextSourceUptime": TEXT, "contextSourceTimeAt": TIME},
        ("id", "type", "contextSourceAlias", "contextSourceUptime", "contextSourceTimeAt"),
        "CIM 009 §5.2.40", additionalProperties=True),
}  # fmt: skip


SCHEMAS: Final[Schema] = _QUERIES | _RESULTS
