"""The query language and all that stands beside it in a URL; what parses is also run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlencode

from tests.fuzz.target import Target, attempt

from rynek.context import (
    Entity,
    TypeExpr,
    core_context,
    parse_attrs,
    parse_entity,
    parse_link_header,
    parse_ordering,
    parse_projection,
    parse_q,
    parse_scope,
    parse_types,
)
from rynek.context.distribution import via
from rynek.context.distribution.names import translate_params
from rynek.context.kept import freshness
from rynek.context.query import format_q, geo_test, hints, onlies
from rynek.context.query.query import Query
from rynek.history import parse_duration
from rynek.web.api import conformance, negotiation, params, temporal_params
from rynek.web.api.reading import lifetime_of
from rynek.web.changes import asked

LD = core_context()
ID = "urn:ngsi-ld:Thing:1"
ENTITIES: list[Entity] = [
    parse_entity(made, LD, now=0, lenient=True)
    for made in (
        {"id": ID, "type": ["Thing", "Car"], "scope": ["/a/b", "/c"], "speed": 5, "when": "2026-11-22T10:00:00Z",
         "location": {"type": "Point", "coordinates": [14.5, 50.0]}, "name": {"languageMap": {"en": "x", "pl": "y"}},
         "area": {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 0]]]},
         "link": {"object": ID}, "words": {"vocab": ["a", "b"]}, "raw": {"json": {"a": {"b": [1, None]}}},
         "deep": {"value": {"a": {"b": 2}}, "sub": {"value": 5, "observedAt": "2026-11-22T10:00:00Z"}}},
        {"id": "urn:x:2", "type": "Thing", "speed": "fast", "name": "a name", "location": {
            "type": "MultiPoint", "coordinates": [[179.99, 89.9], [-179.99, -89.9]]},
         "many": [{"value": 1}, {"value": "x", "datasetId": "urn:d:1", "unitCode": "C62"}],
         "list": {"valueList": [1, "a", None]}, "empty": {"value": []}, "huge": {"value": 10**30}, "tiny": -0.0},
    )
]  # fmt: skip
Q: tuple[str, ...] = (
    "speed>3", 'name=="x"', "speed==1..4", "a;b|c", "(speed>1;speed<9)|when>=2026-11-22T10:00:00Z", "deep[a.b]==2",
    "deep.sub.observedAt>2020-01-01T00:00:00Z", 'name[en]=="x"', "words==a,b", "link==urn:ngsi-ld:Thing:1",
    'speed~="^1"', "name!~=x(a|b)+", "link{Thing:speed}>2", "raw[a]", "createdAt>2020-01-01T00:00:00Z",
    "speed!=1e3", "when==10:00:00Z", "name==2026-11-22", 'many.unitCode=="C62"', "((a))",
)  # fmt: skip


def _q(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    links = 2 if text.endswith("~") else 0
    for node in attempt(parse_q, text, LD.expand_term, ["words"], links):
        written = format_q(node)
        again = parse_q(written, LD.expand_term, ["words"], links)
        assert format_q(again) == written
        hints(node)
        translate_params({"q": written}, LD, LD)
        _run(Query(q=node))


def _run(query: Query) -> None:
    onlies(query)
    assert query.needs is None or isinstance(query.needs, frozenset)
    for entity in ENTITIES:
        assert query.matches(entity) in (True, False)
    if query.geo is not None:
        geo_test(query)
        query.geo.box()


def _parameters(data: bytes) -> None:
    """A query string whole: each parameter that is there is parsed, and what it selects is run."""
    for given in attempt(params.parse_query_string, data):
        for query in attempt(params.entity_query, given, LD, 1):
            _run(query)
        attempt(temporal_params.temporal_query, given, LD, required=False)
        attempt(params.paging, given, 20, 1000)
        attempt(asked, given)
        attempt(translate_params, given, LD, LD)
        for name, parse in PARSERS.items():
            if name in given:
                attempt(parse, given[name])
        if "orderBy" in given:
            attempt(_ordered, given["orderBy"], given)


def _typed(text: str) -> None:
    found: TypeExpr = parse_types(text, LD.expand_term)
    for entity in ENTITIES:
        found.matches(entity.types)


def _ordered(text: str, given: dict[str, str]) -> None:
    ordering = parse_ordering(
        text, LD.expand_term, collation=given.get("collation"), coordinates=given.get("orderFrom"),
        geometry=given.get("orderGeometry"), lang=given.get("lang"),
    )  # fmt: skip
    ranks = [ordering.ranks(one, LD.compact_iri) for one in ENTITIES]
    texts = ordering.texts(ranks)
    ordering.arrange(ranks, {one: one for one in texts})


PARSERS: dict[str, Callable[[str], object]] = {
    "pick": lambda text: parse_projection("pick", text, LD.expand_term, 2),
    "omit": lambda text: parse_projection("omit", text, LD.expand_term),
    "attrs": lambda text: parse_attrs(text, LD.expand_term),
    "type": _typed,
    "scopeQ": lambda text: [parse_scope(text).matches(one.scopes) for one in ENTITIES],
    "aggrPeriodDuration": parse_duration,
    "entityMapLifetime": lambda text: lifetime_of("entityMapLifetime", text),
}
QUERY_STRINGS: tuple[dict[str, str], ...] = (
    {"type": "Thing,(Car;Bus)|Tram", "q": "speed>3", "limit": "5", "offset": "1", "count": "true"},
    {"georel": "near;maxDistance==5000", "geometry": "Point", "coordinates": "[14.5,50]", "geoproperty": "location"},
    {"georel": "near;minDistance==5", "geometry": "Polygon", "coordinates": "[[[0,0],[4,0],[4,4],[0,0]]]"},
    {"georel": "within", "geometry": "Polygon", "coordinates": "[[[-9,-9],[9,-9],[9,9],[-9,9],[-9,-9]]]"},
    {"georel": "intersects", "geometry": "LineString", "coordinates": "[[179,89],[-179,-89]]", "geoproperty": "area"},
    {"georel": "overlaps", "geometry": "MultiPolygon", "coordinates": "[[[[0,0],[1,0],[1,1],[0,0]]]]"},
    {"scopeQ": "/a/+|/#;(/c),/d/#", "idPattern": "^urn:(a|b)+$", "id": ID},
    {"orderBy": "speed;desc,name,location;dist-asc", "orderFrom": "[1,1]", "orderGeometry": "Point", "collation": "pl"},
    {"pick": "id,speed,link{name}", "omit": "name|scope", "attrs": "speed,name", "lang": "pl,uk;q=0.5"},
    {"timerel": "between", "timeAt": "2026-11-22T10:00:00Z", "endTimeAt": "2026-11-23T10:00:00Z", "lastN": "3"},
    {"timerel": "before", "timeAt": "0001-01-01T00:00:00Z", "timeproperty": "modifiedAt", "datasetId": "@none,urn:d:1"},
    {"aggrMethods": "avg,max", "aggrPeriodDuration": "P1Y2M3DT4H5M6.7S", "entityMapLifetime": "PT1H"},
    {"since": "5", "limit": "9", "type": "Thing", "values": "true", "after": "1"},
)  # fmt: skip
PARAMETER_WORDS = [
    *sorted({f"&{name}=" for one in QUERY_STRINGS for name in one}),
    "%00",
    "%ED%A0%80",
    "1e999",
    "NaN",
]


def _headers(data: bytes) -> None:
    value = data.decode("latin-1")
    attempt(negotiation.accepted, value, geojson=True)
    attempt(negotiation.takes_gzip, value)
    attempt(conformance.preferred_version, value)
    attempt(parse_link_header, value)
    for name in via.passed({"via": value}):
        assert name
    assert via.is_endless({"via": value}) in (True, False)
    names = ("cache-control", "expires", "date", "age", "last-modified", "etag")
    freshness(dict.fromkeys(names, value), 0)


HEADERS: tuple[bytes, ...] = (
    b"application/ld+json;q=0.5, application/json, */*;q=0.1", b'text/html; a="b,c\\"d";q=1',
    b'<https://example.org/c>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json", <a>;rel=next',
    b"ngsi-ld=1.3, body=json", b"1.1 broker-a (x), 1.1 other", b"gzip;q=0, *", b"max-age=60, no-store",
    b"Wed, 21 Oct 2026 07:28:00 GMT", b"0", b'W/"x"',
)  # fmt: skip


def _texts(values: Iterable[str], tail: str = "") -> Iterator[bytes]:
    for value in values:
        yield (value + tail).encode()


TARGETS = (
    Target("q", _q, lambda: [*_texts(Q), *_texts(Q, "~")],
           ["==", "!=", "~=", "!~=", "..", ";", "|", "[", "]", "{", "}", "observedAt", "2026-11-22T10:00:00Z", '"', "\\u"]),
    Target("parameters", _parameters, lambda: _texts(urlencode(one) for one in QUERY_STRINGS), PARAMETER_WORDS),
    Target("headers", _headers, lambda: HEADERS, ["rel=", ";q=", '"', "\\", "(", ")", "<", ">", "max-age="]),
)  # fmt: skip
