"""Every representation, data type and header of the standard with its state, for the documentation."""

from __future__ import annotations

from typing import Final, NamedTuple


class Representation(NamedTuple):
    """One row: what it is, its clause, whether bodies (`taken`) and answers (`sent`) may have it."""

    name: str
    clause: str
    taken: str
    sent: str


class HeaderRow(NamedTuple):
    """One header of requests or answers with its clause and what it does here."""

    name: str
    clause: str
    says: str


_YES: Final = "done"
_NO: Final = "–"

REPRESENTATIONS: Final[tuple[Representation, ...]] = (
    Representation("entities: normalized", "4.5.1", _YES, _YES),
    Representation("entities: concise", "4.5.1", _YES, _YES),
    Representation(
        "entities: simplified (`keyValues`)", "4.5.4", "done for merge, append, update", _YES
    ),
    Representation("entities: GeoJSON, also simplified", "4.5.16, 4.5.17", _NO, _YES),
    Representation("entities with linked ones, `inline` and `flat`", "4.5.23", _NO, _YES),
    Representation("entities in expanded or flattened JSON-LD", "4.4, 5.5.7", _YES, _NO),
    Representation("entities as of an earlier version, 1.0 to 1.8", "4.3.6.8",
                   "taken as they are", "done: 203 where something had to change"),
    Representation("Property", "4.5.2", _YES, _YES),
    Representation("Relationship, also with several objects, `objectType`", "4.5.3", _YES, _YES),
    Representation("GeoProperty", "4.7", _YES, _YES),
    Representation("LanguageProperty, natural language by `lang`", "4.5.18, 4.15", _YES, _YES),
    Representation("VocabProperty", "4.5.20", _YES, _YES),
    Representation("ListProperty", "4.5.21", _YES, _YES),
    Representation("ListRelationship", "4.5.22", _YES, _YES),
    Representation("JsonProperty", "4.5.24", _YES, _YES),
    Representation("several instances by `datasetId`", "4.5.5", _YES, _YES),
    Representation("attributes of attributes", "4.5.2", "done, up to 16 deep", _YES),
    Representation("`urn:ngsi-ld:null` as what is deleted", "4.5.0", "done for update and merge",
                   "done in notifications and the past"),
    Representation("scopes", "4.18", _YES, _YES),
    Representation("several types", "4.17", _YES, _YES),
    Representation("the past: normalized", "5.2.20", _YES, _YES),
    Representation("the past: `temporalValues`", "4.5.8", _NO, _YES),
    Representation("the past: `aggregatedValues`", "4.5.19", _NO, _YES),
    Representation("Query", "5.2.23", _YES, _NO),
    Representation("Subscription", "5.2.12", _YES, _YES),
    Representation("Notification: JSON, JSON-LD, GeoJSON; over HTTP and MQTT", "5.3.1, 6.3.8, 7.2",
                   _NO, _YES),
    Representation("CSourceRegistration", "5.2.9", _YES, _YES),
    Representation("CSourceNotification", "5.3.2", _NO, _YES),
    Representation("BatchOperationResult", "5.2.16", _NO, _YES),
    Representation("UpdateResult", "5.2.18", _NO, _YES),
    Representation("EntityTypeList, EntityType, EntityTypeInfo", "5.2.24 - 5.2.26", _NO, _YES),
    Representation("AttributeList, Attribute", "5.2.27, 5.2.28", _NO, _YES),
    Representation("EntityMap", "5.2.39", _YES, _YES),
    Representation("ContextSourceIdentity", "5.2.40", _NO, _YES),
    Representation("Snapshot", "5.2.41", _YES, _YES),
    Representation("SnapshotNotification", "5.3.4", _NO, _YES),
    Representation("@context, and what is known of one", "5.13", _YES, _YES),
    Representation("ProblemDetails", "5.5.3", _NO, _YES),
)  # fmt: skip

HEADERS: Final[tuple[HeaderRow, ...]] = (
    HeaderRow("Accept", "6.3.4", "JSON, JSON-LD, for entities GeoJSON; weights count, among equals"
              " this order; 406 with the list of what there is"),
    HeaderRow("Content-Type", "6.3.4", "JSON, JSON-LD, for PATCH merge-patch, in UTF-8; else 415"
              " without a body"),
    HeaderRow("Content-Length", "6.3.4",
              "needed with a body, unless that comes in chunks, 411 without; never in a 204"),
    HeaderRow("Link", "6.3.5, 6.3.6, 6.3.10", "the @context in and out; pages `next` and `prev`"),
    HeaderRow("NGSILD-Tenant", "6.3.14", "the tenant, sent back as it came"),
    HeaderRow("NGSILD-EntityMap", "6.4.3.2", "an entity map to read or purge by; which one was used"),
    HeaderRow("NGSILD-Snapshot", "6.3.22", "the snapshot that is worked in, sent back as it came"),
    HeaderRow("NGSILD-Results-Count", "6.3.13", "the total"),
    HeaderRow("NGSILD-Warning", "6.3.17", "sources that could not answer"),
    HeaderRow("Via", "6.3.18", "brokers that a request came through: none is asked again"),
    HeaderRow("Prefer: ngsi-ld=…", "6.3.6, 4.3.6.8", "entities as that version has them;"
              " Preference-Applied says which"),
    HeaderRow("Prefer: body=json", "6.3.6", "GeoJSON with its @context in Link"),
    HeaderRow("Content-Range", "6.3.10", "the times of a 206 about the past"),
    HeaderRow("Location", "6.4.3.1", "the path of what was made"),
    HeaderRow("Allow, Accept-Patch, Accept-Post", "6.3.2", "with OPTIONS, Allow also with 405"),
    HeaderRow("ETag, If-None-Match", "", "not of the standard: one entity, types, attributes,"
              " @contexts; 304 while nothing changed"),
    HeaderRow("Accept-Encoding", "", "not of the standard: gzip from 1 KiB on"),
    HeaderRow("Authorization", "", "not of the standard: Bearer token, see Rights"),
    HeaderRow("Origin", "", "not of the standard: pages of `access.cors_origins` may call"),
)  # fmt: skip
