"""Bodies of the NGSI-LD API: parsed or refused, and what was parsed comes back from its stored bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import msgspec
from tests.fuzz import corpus
from tests.fuzz.target import Target, attempt, document_bytes
from tests.fuzz.targets.feeds import NGSILD_WORDS

from rynek.base.geo import bbox, validate_geometry
from rynek.context import (
    CompiledContext,
    View,
    as_of,
    core_context,
    decode,
    encode_body,
    new_snapshot,
    new_source_subscription,
    new_subscription,
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_partial,
    parse_registration,
    parse_temporal,
    render_entity,
    render_feature,
    render_registration,
    render_subscription,
)
from rynek.context.distribution.names import translate_document
from rynek.context.formats.codec import encode_times
from rynek.context.jsonld import compile_context
from rynek.context.remote_subscriptions.received import entities_of, part_of
from rynek.history.decode import to_reading
from rynek.web.api import params, query_body
from rynek.web.api.bodies import load_json

LD = core_context()
CONTEXT_WORDS = (
    "@context @id @type @vocab @base @container @protected @prefix @reverse @nest @import @version @language @json "
    "@set @none @direction a b ex ex:a speed id type Property https://example.org/a https://example.org/ relative _:b "
    "value object unitCode : :// a: @ @x"
).split()
ENTITY_WORDS = [
    *NGSILD_WORDS.split(),
    "ListProperty",
    "ListRelationship",
    "JsonProperty",
    "VocabProperty",
    "ngsildproof",
    "urn:ngsi-ld:null",
    "entityIdSealed",
    "deletedAt",
    "values",
    "objects",
    "jsons",
]
SUBSCRIPTION_WORDS = (
    "id type Subscription entities watchedAttributes notificationTrigger entityCreated entityUpdated q geoQ scopeQ csf "
    "geometry coordinates georel near;maxDistance==5 Point geoproperty notification endpoint uri accept cooldown timeout "
    "notifierInfo receiverInfo key value attributes format pick omit join joinLevel showChanges sysAttrs throttling "
    "timeInterval expiresAt isActive lang datasetId expandValues jsonKeys localOnly splitEntities jsonldContext "
    "ngsildConformance 1.8 http://receiver.example/x mqtt://broker.example:1883/topic application/json speed>1 Thing "
    "idPattern .* concise inline temporalQ timerel timeAt after subscriptionName description MQTT-QoS"
).split()
REGISTRATION_WORDS = (
    "id type ContextSourceRegistration endpoint information entities propertyNames relationshipNames mode exclusive "
    "redirect inclusive auxiliary operations retrieveOps updateOps tenant contextSourceInfo key value jsonldContext "
    "contextSourceAlias datasetId scope observationInterval managementInterval startAt endAt location observationSpace "
    "coordinates Point Polygon expiresAt refreshRate PT1M management localOnly cacheDuration timeout cooldown idPattern "
    "http://source.example Thing speed registrationName description 2026-11-22T10:00:00Z"
).split()
QUERY_WORDS = (
    "type Query entities id idPattern attrs q speed>1 geoQ geometry Point coordinates georel near;maxDistance==9 "
    "geoproperty scopeQ /a/# lang csf join inline joinLevel containedBy expandValues jsonKeys pick omit datasetId ordering "
    "orderBy collation temporalQ timerel after timeAt endTimeAt lastN aggrParams aggrMethods avg aggrPeriodDuration P1D "
    "entityMap entityMapLifetime splitEntities Thing location Snapshot snapshotQueries snapshotTemporalQueries "
    "snapshotLifetime snapshotEndpoint uri Notification data subscriptionId notifiedAt"
).split()


def _json(words: list[str], check: Callable[[Any], None]) -> Callable[[bytes], None]:
    """The target of a body: read as the API reads it, then checked."""

    def run(data: bytes) -> None:
        for body in attempt(load_json, document_bytes(data, words)):
            check(body)

    return run


@lru_cache(maxsize=1)
def _other() -> CompiledContext:
    return compile_context(
        [{"@vocab": "https://example.org/", "speed": "https://x.org/s", "a": None}], "https://x/c"
    )


def _entity(body: Any) -> None:
    for ld in (LD, _other()):
        for lenient in (False, True):
            for made in attempt(parse_entity, body, ld, now=5, lenient=lenient):
                _back(made, ld)
    if isinstance(body, dict):
        attempt(translate_document, body, LD, _other())


def _back(entity: Any, ld: CompiledContext) -> None:
    """Stored bytes give the same entity; every form of it can be shown."""
    stored = encode_body(entity, ld)
    again = decode(stored, encode_times(entity), ld)
    assert encode_body(again, ld) == stored
    assert again.id == entity.id and again.attrs.keys() == entity.attrs.keys()
    for form in ("normalized", "concise", "simplified"):
        shown = render_entity(again, ld, View(form=form, sys_attrs=True, lang="en"))
        msgspec.json.encode(shown)
        as_of(shown, (1, 3), simplified=form == "simplified")
    msgspec.json.encode(render_feature(again, ld, View()))


def _fragment(body: Any) -> None:
    for nulls, partial, simplified in (
        (False, False, False),
        (True, True, False),
        (True, False, True),
    ):
        attempt(
            parse_fragment, body, LD, now=0, allow_null=nulls, partial=partial,
            simplified=simplified, lang="en",
        )  # fmt: skip
    for name in ("speed", "location"):
        for parse in (parse_attribute, parse_partial):
            attempt(parse, body, LD, now=0, name=name, iri=LD.expand_term(name))


def _temporal(body: Any) -> None:
    for found in attempt(parse_temporal, body, LD):
        for attr, instances in found.attrs.items():
            for one in instances:
                to_reading(one, entity_id="urn:x:1", type_="T", attr=attr, seq=1, at=1)


def _subscription(body: Any) -> None:
    if isinstance(body, dict):
        for make in (new_subscription, new_source_subscription):
            for made in attempt(make, body, LD, link="http://x/c", tenant=None, now=0):
                msgspec.json.encode(render_subscription(made, LD, None, 0, sys_attrs=True))


def _registration(body: Any) -> None:
    if isinstance(body, dict):
        for made in attempt(parse_registration, body, LD, make_id=lambda: "urn:x:r", now=0):
            msgspec.json.encode(render_registration(made, LD, sys_attrs=True))


def _query(body: Any) -> None:
    if not isinstance(body, dict):
        return
    for plain in attempt(query_body.query_params, body):
        for temporal in attempt(query_body.temporal_params, body):
            attempt(params.entity_query, plain | temporal, LD, 1)
    attempt(new_snapshot, body, now=0, lifetime=lambda _: 1, clone=False)
    for entities in attempt(entities_of, body):
        for one in entities:
            attempt(part_of, one, LD)


def _context(body: Any) -> None:
    parts = body if isinstance(body, list) else [body]
    if not all(part is None or isinstance(part, dict) for part in parts):
        return
    for ld in attempt(compile_context, parts, parts):
        for name in CONTEXT_WORDS:
            for iri in attempt(ld.expand_term, name):
                assert isinstance(ld.compact_iri(iri), str)
        for made in attempt(parse_entity, MEASURED, ld, now=5):
            _back(made, ld)


MEASURED = {
    "id": "urn:x:1", "type": "Thing", "speed": {"value": 1, "a": {"vocab": "b"}}, "ex:a": 2,
}  # fmt: skip


def _geometry(body: Any) -> None:
    try:
        validate_geometry(body, 1000)
    except ValueError as error:
        assert str(error)
        return
    west, south, east, north = bbox(body)
    assert -180 <= west <= east <= 180 and -90 <= south <= north <= 90


GEOMETRIES = (
    b'{"type":"Point","coordinates":[14.5,50,3]}', b'{"type":"LineString","coordinates":[[0,0],[1,1]]}',
    b'{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]],[[1,1],[2,1],[2,2],[1,1]]]}',
    b'{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]]]}', b'{"type":"MultiPoint","coordinates":[[0,0]]}',
)  # fmt: skip
SUBSCRIPTION = (
    b'{"type":"Subscription","entities":[{"type":"Thing","idPattern":".*"}],"q":"speed>1","watchedAttributes":["speed"],'
    b'"notification":{"endpoint":{"uri":"http://r.example/x","accept":"application/json"},"format":"concise"},'
    b'"throttling":5,"geoQ":{"geometry":"Point","coordinates":[1,1],"georel":"near;maxDistance==5"},"scopeQ":"/a/#"}'
)
REGISTRATION = (
    b'{"type":"ContextSourceRegistration","information":[{"entities":[{"type":"Thing"}],"propertyNames":["speed"]}],'
    b'"endpoint":"http://s.example","mode":"inclusive","location":{"type":"Point","coordinates":[1,1]},'
    b'"observationInterval":{"startAt":"2026-11-22T10:00:00Z"},"refreshRate":"PT1M"}'
)
QUERY = (
    b'{"type":"Query","entities":[{"type":"Thing","id":["urn:x:1"]}],"q":"speed>1","geoQ":{"geometry":"Point",'
    b'"coordinates":[1,1],"georel":"near;maxDistance==5"},"temporalQ":{"timerel":"after","timeAt":"2026-11-22T10:00:00Z"},'
    b'"ordering":{"orderBy":["speed;desc"]}}'
)
TEMPORAL = (
    b'{"id":"urn:x:1","type":"T","speed":[{"type":"Property","value":1,"observedAt":"2026-11-22T10:00:00Z"}],'
    b'"name":{"type":"Property","values":[["a","2026-11-22T10:00:00Z"]]},"scope":"/a"}'
)
MAKING = (b"\x00\x05" + bytes(range(60)), b"\x00" + bytes([3, 0, 210, 5, 1, 130, 40, 7, 9]) * 9)


def _entities() -> Iterator[bytes]:
    yield from corpus.files("smart_data_models/*/*/*.json*", "smart_data_models/*/*.json*", most=40)
    yield from MAKING


def _contexts() -> Iterator[bytes]:
    for name in corpus.files("ngsi_ld/*context*", most=3):
        yield (
            msgspec.json.encode(msgspec.json.decode(name)["@context"])
            if len(name) < corpus.SMALL
            else b"{}"
        )
    yield b'{"@vocab":"https://example.org/","a":{"@id":"ex:a","@type":"@vocab"},"ex":"https://example.org/ex/"}'
    yield b'[{"a":"https://x/a","@protected":true},null,{"b":"a"}]'
    yield from MAKING


TARGETS = (
    Target("entity", _json(ENTITY_WORDS, _entity), _entities, ENTITY_WORDS),
    Target("fragment", _json(ENTITY_WORDS, _fragment), _entities, ENTITY_WORDS),
    Target("temporal", _json(ENTITY_WORDS, _temporal), lambda: [TEMPORAL, *MAKING], ENTITY_WORDS),
    Target("context", _json(CONTEXT_WORDS, _context), _contexts, CONTEXT_WORDS),
    Target("subscription", _json(SUBSCRIPTION_WORDS, _subscription), lambda: [SUBSCRIPTION, *MAKING], SUBSCRIPTION_WORDS),
    Target("registration", _json(REGISTRATION_WORDS, _registration), lambda: [REGISTRATION, *MAKING], REGISTRATION_WORDS),
    Target("query", _json(QUERY_WORDS, _query), lambda: [QUERY, *MAKING], QUERY_WORDS),
    Target("geometry", _json(["type", "coordinates", "Point", "Polygon", "LineString", "MultiPolygon"], _geometry),
           lambda: [*GEOMETRIES, *MAKING]),
)  # fmt: skip
