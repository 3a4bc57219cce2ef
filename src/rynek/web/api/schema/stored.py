"""JSON Schemas of what is kept beside entities: subscriptions, registrations, maps, snapshots (CIM 009 §5.2)."""

from __future__ import annotations

from typing import Final

from rynek.web.api.schema.kit import (
    COUNT,
    FLAG,
    NUMBER,
    ONE_OR_MORE,
    TEXT,
    TEXTS,
    TIME,
    URI,
    Schema,
    listed,
    obj,
    ref,
)

_INTERVAL: Final[Schema] = obj({"startAt": TIME, "endAt": TIME}, ("startAt",))
_PAIRS: Final[Schema] = listed(ref("KeyValuePair"))
_COUNTERS: Final[Schema] = {
    "timesSent": COUNT, "timesFailed": COUNT, "lastSuccess": TIME, "lastFailure": TIME,
}  # fmt: skip
_TRIGGERS: Final = (
    "entityCreated", "entityUpdated", "entityDeleted",
    "attributeCreated", "attributeUpdated", "attributeDeleted",
)  # fmt: skip

_SUBSCRIPTION: Final[Schema] = {
    "id": URI,
    "type": {"const": "Subscription"},
    "subscriptionName": TEXT,
    "description": TEXT,
    "entities": {"type": "array", "items": ref("EntitySelector"), "minItems": 1},
    "watchedAttributes": TEXTS,
    "notificationTrigger": {
        "type": "array", "items": {"enum": list(_TRIGGERS)}, "minItems": 1,
    },
    "timeInterval": {"type": "number", "minimum": 0.1},
    "q": TEXT,
    "geoQ": ref("GeoQuery"),
    "temporalQ": ref("TemporalQuery"),
    "csf": TEXT,
    "scopeQ": TEXT,
    "lang": TEXT,
    "isActive": FLAG,
    "localOnly": FLAG,
    "splitEntities": FLAG,
    "datasetId": TEXTS,
    "notification": ref("NotificationParams"),
    "expiresAt": TIME,
    "throttling": {"type": "number", "exclusiveMinimum": 0},
    "jsonldContext": URI,
    "@context": ref("Context"),
}  # fmt: skip

_REGISTRATION: Final[Schema] = {
    "id": URI,
    "type": {"const": "ContextSourceRegistration"},
    "registrationName": TEXT,
    "description": TEXT,
    "information": {"type": "array", "items": ref("RegistrationInfo"), "minItems": 1},
    "tenant": TEXT,
    "contextSourceAlias": TEXT,
    "observationInterval": _INTERVAL,
    "managementInterval": _INTERVAL,
    "location": ref("Geometry"),
    "observationSpace": ref("Geometry"),
    "operationSpace": ref("Geometry"),
    "expiresAt": TIME,
    "endpoint": URI,
    "contextSourceInfo": _PAIRS,
    "scope": ONE_OR_MORE,
    "mode": {"enum": ["inclusive", "exclusive", "redirect", "auxiliary"]},
    "operations": TEXTS,
    "refreshRate": TEXT,
    "management": ref("RegistrationManagementInfo"),
    "datasetId": TEXTS,
    "@context": ref("Context"),
}

SCHEMAS: Final[Schema] = {
    "KeyValuePair": obj({"key": TEXT, "value": TEXT}, ("key", "value"), "CIM 009 §5.2.22"),
    "Endpoint": obj(
        {
            "uri": URI,
            "accept": {
                "enum": ["application/json", "application/ld+json", "application/geo+json"]
            },
            "timeout": NUMBER,
            "cooldown": NUMBER,
            "receiverInfo": _PAIRS,
            "notifierInfo": _PAIRS,
        },
        ("uri",),
        "where notifications go: http, https, mqtt or mqtts (CIM 009 §5.2.15)",
    ),
    "NotificationParams": obj(
        {
            "attributes": TEXTS,
            "pick": TEXTS,
            "omit": TEXTS,
            "sysAttrs": FLAG,
            "showChanges": FLAG,
            "format": {"enum": ["normalized", "concise", "simplified", "keyValues"]},
            "join": {"enum": ["flat", "inline", "@none"]},
            "joinLevel": {"type": "integer", "minimum": 1},
            "endpoint": ref("Endpoint"),
            "status": {"enum": ["ok", "failed"]},
            "lastNotification": TIME,
            **_COUNTERS,
        },
        ("endpoint",),
        "what is sent, and how it went (CIM 009 §5.2.14)",
        additionalProperties=True,
    ),
    "Subscription": obj(
        _SUBSCRIPTION, ("type", "notification"), "what to tell whom (CIM 009 §5.2.12)"
    ),
    "SubscriptionFragment": obj(_SUBSCRIPTION, (), "what changes of a subscription"),
    "SubscriptionShown": obj(
        _SUBSCRIPTION
        | {"status": {"enum": ["active", "paused", "expired"]}, "createdAt": TIME,
           "modifiedAt": TIME},
        ("id", "type", "notification"),
        "a subscription with its state (CIM 009 §5.2.12)",
        additionalProperties=True,
    ),
    "EntityInfo": obj({"id": URI, "idPattern": TEXT, "type": ONE_OR_MORE}, ("type",),
                      "CIM 009 §5.2.8"),
    "RegistrationInfo": obj(
        {
            "entities": {"type": "array", "items": ref("EntityInfo"), "minItems": 1},
            "propertyNames": TEXTS,
            "relationshipNames": TEXTS,
        },
        (),
        "what a source has (CIM 009 §5.2.10)",
    ),
    "RegistrationManagementInfo": obj(
        {"localOnly": FLAG, "cacheDuration": TEXT, "timeout": NUMBER, "cooldown": NUMBER},
        (),
        "how a source is asked (CIM 009 §5.2.34)",
    ),
    "CSourceRegistration": obj(
        _REGISTRATION,
        ("type", "information", "endpoint"),
        "a context source and what it has (CIM 009 §5.2.9)",
        additionalProperties=True,
    ),
    "CSourceRegistrationFragment": obj(
        _REGISTRATION, (), "what changes of a registration", additionalProperties=True
    ),
    "CSourceRegistrationShown": obj(
        _REGISTRATION
        | {"status": TEXT, "createdAt": TIME, "modifiedAt": TIME}
        | _COUNTERS,
        (),
        "a registration with its state (CIM 009 §5.2.9)",
        additionalProperties=True,
    ),
    "EntityMap": obj(
        {
            "id": URI,
            "type": {"const": "EntityMap"},
            "expiresAt": TIME,
            "entityMap": {"type": "object"},
            "linkedMaps": {"type": "object"},
            "@context": ref("Context"),
        },
        ("id", "type", "entityMap"),
        "which source has which entities (CIM 009 §5.2.39)",
        additionalProperties=True,
    ),
    "EntityMapFragment": obj(
        {"expiresAt": TIME, "type": {"const": "EntityMap"}}, (), "what changes of an entity map"
    ),
    "Snapshot": obj(
        {"id": URI, "type": {"const": "Snapshot"}, "@context": ref("Context")},
        ("type",),
        "entities as they were at one time (CIM 009 §5.2.41)",
        additionalProperties=True,
    ),
    "SnapshotFragment": obj(
        {"expiresAt": TIME}, (), "what changes of a snapshot", additionalProperties=True
    ),
}  # fmt: skip
