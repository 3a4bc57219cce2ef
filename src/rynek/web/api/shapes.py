"""What each operation takes in its body and answers, for the OpenAPI document (CIM 009 §6.4 - §6.38).

An operation is written as its method and path, "*" for a variable part; each has one row.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from rynek.web.api.schema import Schema, listed, ref


class Answer(NamedTuple):
    """One status that an operation answers with when all is well; no schema, no body."""

    status: int
    says: str
    schema: Schema | None = None
    headers: tuple[str, ...] = ()
    geojson: Schema | None = None


class Shape(NamedTuple):
    """The body that an operation takes (None: none) and its answers."""

    body: Schema | None
    answers: tuple[Answer, ...]


_URI: Final[Schema] = {"type": "string", "format": "uri"}
_IDS: Final[Schema] = listed(_URI)
_LISTS: Final = ("Link", "NGSILD-Results-Count")
_READS: Final = ("Link", "NGSILD-Warning", "NGSILD-EntityMap", "Preference-Applied")
_FEATURES: Final = ref("FeatureCollection")
_SHOWN: Final[Schema] = {"anyOf": [ref("EntityShown"), listed(ref("EntityShown"))]}
_FEATURE: Final[Schema] = {"anyOf": [ref("Feature"), ref("FeatureCollection")]}

_DONE: Final = Answer(204, "done")
_CREATED: Final = Answer(201, "created", headers=("Location",))
_SOME: Final = Answer(207, "some of it could not be done", ref("BatchOperationResult"))
_SOME_ATTRIBUTES: Final = Answer(207, "some attributes could not be done", ref("UpdateResult"))
_SOME_OR_OTHER: Final = Answer(
    207,
    "some of it could not be done",
    {"anyOf": [ref("UpdateResult"), ref("BatchOperationResult")]},
)


def _entities(schema: Schema, geojson: Schema | None) -> tuple[Answer, ...]:
    headers = (*_LISTS, *_READS[1:])
    return (
        Answer(200, "what was found", schema, headers, geojson),
        Answer(201, "what was found; an entity map was made", schema, headers, geojson),
        Answer(203, "what was found, as an earlier version has it", schema, headers, geojson),
    )


def _stored(shown: str) -> tuple[Answer, ...]:
    return (Answer(200, "what is stored", ref(shown), ("Link", "Preference-Applied")),)


def _list(schema: Schema) -> tuple[Answer, ...]:
    return (Answer(200, "the list", listed(schema), (*_LISTS, "Preference-Applied")),)


_TEMPORAL: Final = (
    *_entities(listed(ref("EntityTemporal")), None),
    Answer(
        206, "as much as is sent at once", listed(ref("EntityTemporal")), ("Content-Range", *_LISTS)
    ),
)
_MAP: Final = (
    Answer(201, "the entity map", ref("EntityMap"), ("NGSILD-EntityMap", "Location", *_LISTS)),
)

SHAPES: Final[dict[str, Shape]] = {
    "GET entities": Shape(None, _entities(listed(ref("EntityShown")), _FEATURES)),
    "GET entities/*": Shape(
        None,
        (
            Answer(200, "the entity", _SHOWN, ("ETag", *_READS), _FEATURE),
            Answer(201, "the entity; an entity map was made", _SHOWN, _READS, _FEATURE),
            Answer(203, "the entity, as an earlier version has it", _SHOWN, _READS, _FEATURE),
        ),
    ),
    "POST entityOperations/query": Shape(
        ref("Query"), _entities(listed(ref("EntityShown")), _FEATURES)
    ),
    "POST entities": Shape(ref("Entity"), (_CREATED, _SOME._replace(headers=("Location",)))),
    "PUT entities/*": Shape(ref("Entity"), (_DONE, _SOME_OR_OTHER)),
    "PATCH entities/*": Shape(ref("EntityFragment"), (_DONE, _SOME_OR_OTHER)),
    "DELETE entities/*": Shape(None, (_DONE, _SOME)),
    "DELETE entities": Shape(None, (_DONE._replace(headers=("NGSILD-EntityMap",)), _SOME)),
    "POST entities/*/attrs": Shape(ref("EntityFragment"), (_DONE, _SOME_ATTRIBUTES)),
    "PATCH entities/*/attrs": Shape(ref("EntityFragment"), (_DONE, _SOME_OR_OTHER)),
    "PATCH entities/*/attrs/*": Shape(ref("AttributeFragment"), (_DONE, _SOME_ATTRIBUTES)),
    "PUT entities/*/attrs/*": Shape(ref("Attribute"), (_DONE, _SOME_ATTRIBUTES)),
    "DELETE entities/*/attrs/*": Shape(None, (_DONE, _SOME_ATTRIBUTES)),
    "POST entityOperations/create": Shape(
        listed(ref("Entity")), (Answer(201, "identifiers of what was created", _IDS), _SOME)
    ),
    "POST entityOperations/upsert": Shape(
        listed(ref("Entity")),
        (Answer(201, "identifiers of what was created", _IDS), _DONE, _SOME),
    ),
    "POST entityOperations/update": Shape(listed(ref("EntityFragment")), (_DONE, _SOME)),
    "POST entityOperations/merge": Shape(listed(ref("EntityFragment")), (_DONE, _SOME)),
    "POST entityOperations/delete": Shape(_IDS, (_DONE, _SOME)),
    "GET types": Shape(
        None,
        (
            Answer(
                200,
                "the types",
                {"anyOf": [ref("EntityTypeList"), listed(ref("EntityType"))]},
                ("Link", "ETag", "NGSILD-Warning", "Preference-Applied"),
            ),
        ),
    ),
    "GET types/*": Shape(None, _stored("EntityTypeInfo")),
    "GET attributes": Shape(
        None,
        (
            Answer(
                200,
                "the attributes",
                {"anyOf": [ref("AttributeList"), listed(ref("AttributeDetails"))]},
                ("Link", "ETag", "NGSILD-Warning", "Preference-Applied"),
            ),
        ),
    ),
    "GET attributes/*": Shape(None, _stored("AttributeDetails")),
    "GET temporal/entities": Shape(None, _TEMPORAL),
    "POST temporal/entityOperations/query": Shape(ref("Query"), _TEMPORAL),
    "GET temporal/entities/*": Shape(
        None,
        (
            Answer(200, "the entity's past", ref("EntityTemporal"), _READS),
            Answer(203, "the same, as an earlier version has it", ref("EntityTemporal"), _READS),
            Answer(206, "as much as is sent at once", ref("EntityTemporal"), ("Content-Range",)),
        ),
    ),
    "POST temporal/entities": Shape(
        ref("EntityTemporal"), (_CREATED, Answer(204, "what was there got more"))
    ),
    "DELETE temporal/entities/*": Shape(None, (_DONE,)),
    "POST temporal/entities/*/attrs": Shape(ref("EntityTemporal"), (_DONE, _SOME_ATTRIBUTES)),
    "DELETE temporal/entities/*/attrs/*": Shape(None, (_DONE,)),
    "PATCH temporal/entities/*/attrs/*/*": Shape(ref("EntityTemporal"), (_DONE,)),
    "DELETE temporal/entities/*/attrs/*/*": Shape(None, (_DONE,)),
    "GET subscriptions": Shape(None, _list(ref("SubscriptionShown"))),
    "POST subscriptions": Shape(ref("Subscription"), (_CREATED,)),
    "GET subscriptions/*": Shape(None, _stored("SubscriptionShown")),
    "PATCH subscriptions/*": Shape(ref("SubscriptionFragment"), (_DONE,)),
    "DELETE subscriptions/*": Shape(None, (_DONE,)),
    "GET csourceRegistrations": Shape(None, _list(ref("CSourceRegistrationShown"))),
    "POST csourceRegistrations": Shape(ref("CSourceRegistration"), (_CREATED,)),
    "GET csourceRegistrations/*": Shape(None, _stored("CSourceRegistrationShown")),
    "PATCH csourceRegistrations/*": Shape(ref("CSourceRegistrationFragment"), (_DONE,)),
    "DELETE csourceRegistrations/*": Shape(None, (_DONE,)),
    "GET csourceSubscriptions": Shape(None, _list(ref("SubscriptionShown"))),
    "POST csourceSubscriptions": Shape(ref("Subscription"), (_CREATED,)),
    "GET csourceSubscriptions/*": Shape(None, _stored("SubscriptionShown")),
    "PATCH csourceSubscriptions/*": Shape(ref("SubscriptionFragment"), (_DONE,)),
    "DELETE csourceSubscriptions/*": Shape(None, (_DONE,)),
    "POST jsonldContexts": Shape(ref("ContextDocument"), (_CREATED,)),
    "GET jsonldContexts": Shape(
        None,
        (
            Answer(
                200,
                "URLs, with details=true what is known of each",
                {"anyOf": [listed({"type": "string"}), listed(ref("StoredContext"))]},
                ("Link",),
            ),
        ),
    ),
    "GET jsonldContexts/*": Shape(
        None,
        (
            Answer(
                200,
                "the document, with details=true what is known of it",
                {"anyOf": [ref("ContextDocument"), ref("StoredContext")]},
                ("ETag",),
            ),
        ),
    ),
    "DELETE jsonldContexts/*": Shape(None, (_DONE,)),
    "GET entityMaps": Shape(None, _MAP),
    "POST entityMaps": Shape(ref("Query"), _MAP),
    "GET entityMaps/*": Shape(None, _stored("EntityMap")),
    "PATCH entityMaps/*": Shape(ref("EntityMapFragment"), (_DONE,)),
    "DELETE entityMaps/*": Shape(None, (_DONE,)),
    "GET temporal/entityMaps": Shape(None, _MAP),
    "POST temporal/entityMaps": Shape(ref("Query"), _MAP),
    "GET info/sourceIdentity": Shape(None, _stored("ContextSourceIdentity")),
    "POST snapshots": Shape(ref("Snapshot"), (_CREATED,)),
    "DELETE snapshots": Shape(None, (_DONE, _SOME)),
    "GET snapshots/*": Shape(None, _stored("Snapshot")),
    "PATCH snapshots/*": Shape(ref("SnapshotFragment"), (_DONE,)),
    "DELETE snapshots/*": Shape(None, (_DONE,)),
    "POST snapshots/*/clone": Shape(ref("Snapshot"), (_CREATED,)),
    "GET openapi.json": Shape(None, (Answer(200, "this document", {"type": "object"}, ("ETag",)),)),
}
