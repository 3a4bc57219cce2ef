"""Hostile requests: whatever a parameter, a header or a body holds, the answer is a clear refusal or a
success, and soon."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rynek.app import Engine
from rynek.web import Application

from .conftest import settings_for

ALLOWED: Final = frozenset(
    int(status)
    for status in [
        "200",
        "201",
        "203",
        "204",
        "206",
        "207",
        "304",
        "400",
        "401",
        "403",
        "404",
        "405",
        "406",
        "409",
        "411",
        "413",
        "415",
        "422",
        "504",
        "508",
    ]
)
SECONDS: Final = 2.0
ID: Final = "urn:ngsi-ld:Thing:1"
FUZZ = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask an engine that holds a few entities, by raw bytes: no client cleans them first."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    loop = asyncio.new_event_loop()
    engine = Engine(settings_for(folder))
    engine.open()
    loop.run_until_complete(engine.start())
    app = Application(engine)

    async def request(scope: dict[str, Any], body: bytes) -> Answer:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]))

    def ask(
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        seconds: float = SECONDS,
    ) -> Answer:
        full = "/ngsi-ld/v1/" + path
        given = [(b"host", b"x"), (b"content-length", str(len(body)).encode()), *headers]
        if not any(name == b"content-type" for name, _ in given):
            given.append((b"content-type", b"application/json"))
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": full, "scheme": "http",
            "raw_path": full.encode(), "query_string": query.encode("latin-1"), "headers": given,
            "server": ("x", 80), "client": ("x", 1), "root_path": "",
        }  # fmt: skip
        started = time.process_time()
        answer = loop.run_until_complete(request(scope, body))
        assert time.process_time() - started < seconds, (method, path, query[:200], body[:200])
        assert answer.status in ALLOWED, (method, path, query, body[:500], answer)
        if answer.status >= 400 and answer.status not in (411, 415):
            problem = answer.json()
            assert problem["type"].startswith("https://uri.etsi.org/ngsi-ld/errors/"), answer
            assert problem["status"] == answer.status
            assert len(answer.body) < 4000
        return answer

    many = [
        {"id": f"urn:ngsi-ld:Thing:{number}", "type": ["Thing", "Car"], "scope": ["/a/b", "/c"],
         "location": {"type": "Point", "coordinates": [number / 10, 1.5]}, "speed": number,
         "area": {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 0]]]},
         "name": {"languageMap": {"en": "x", "pl": "y"}}, "link": {"object": ID},
         "links": {"objectList": [ID]}, "words": {"vocab": ["a", "b"]},
         "raw": {"json": {"a": {"b": [1, None]}}}, "when": "2026-11-22T10:00:00Z",
         "many": [{"value": 1}, {"value": "x", "datasetId": "urn:d:1", "unitCode": "C62"}],
         "deep": {"value": {"a": {"b": number}}, "sub": {"value": 5, "observedAt": "2026-11-22T10:00:00Z"}}}
        for number in range(1, 6)
    ]  # fmt: skip
    assert ask("POST", "entityOperations/create", body=json.dumps(many).encode()).status == 201
    # The first question to the history imports its libraries.
    assert ask("GET", f"temporal/entities/{ID}", seconds=60).status == 200
    yield ask
    loop.run_until_complete(engine.stop())
    loop.close()


# Right values of each parameter; then what mutation makes of them.
RIGHT: Final[dict[str, list[str]]] = {
    "type": ["Thing", "Thing,Car", "(Thing;Car)|Bus", "*", "https://example.org/T"],
    "id": [ID, f"{ID},urn:x:y"],
    "idPattern": ["urn.*", "^(a|b)+$", r"\w{2,5}", "[^:]*"],
    "q": ["speed>3", 'name=="x"', "speed==1..4", "a;b|c", "(speed>1;speed<9)|when>=2026-11-22T10:00:00Z",
          "deep[a.b]==2", "deep.sub.observedAt>2020-01-01T00:00:00Z", "name[en]=='x'", "words==a,b",
          "link==urn:ngsi-ld:Thing:1", 'speed~="^1"', "!~=x", "link{speed}>2", "raw[a]", "createdAt>2020-01-01T00:00:00Z"],
    "georel": ["near;maxDistance==5000", "near;minDistance==1", "within", "intersects", "disjoint"],
    "geometry": ["Point", "Polygon", "LineString", "MultiPoint"],
    "coordinates": ["[1,1]", "[[[0,0],[4,0],[4,4],[0,0]]]", "[[0,0],[1,1]]"],
    "geoproperty": ["location", "area"],
    "scopeQ": ["/a/b", "/a/+", "/#", "(/a/b;/c),/d", "/a/#"],
    "attrs": ["speed", "speed,name"],
    "pick": ["id,speed", "link{speed}", "id|name"],
    "omit": ["speed", "link{name,speed}", "location"],
    "lang": ["pl", "uk,en;q=0.5", "*"],
    "datasetId": ["@none", "urn:d:1,@none"],
    "options": ["keyValues", "sysAttrs,concise", "normalized"],
    "format": ["simplified", "concise"],
    "limit": ["5", "0", "1000"],
    "offset": ["0", "3"],
    "count": ["true", "false"],
    "join": ["inline", "flat", "@none"],
    "joinLevel": ["1", "3"],
    "containedBy": ["urn:x:y"],
    "orderBy": ["speed", "speed;desc", "name;asc,createdAt", "location;dist-asc"],
    "orderFrom": ["[1,1]"],
    "orderGeometry": ["Point"],
    "collation": ["en", "pl"],
    "expandValues": ["words"],
    "jsonKeys": ["raw"],
    "geometryProperty": ["location", "area"],
    "local": ["true", "false"],
    "splitEntities": ["false"],
    "timerel": ["after", "between"],
    "timeAt": ["2026-11-22T10:00:00Z"],
    "endTimeAt": ["2026-11-23T10:00:00Z"],
    "timeproperty": ["observedAt", "modifiedAt"],
    "lastN": ["3"],
    "aggrMethods": ["avg,max"],
    "aggrPeriodDuration": ["PT1H", "P1D"],
    "csf": ["x==1"],
    "observedAt": ["2026-11-22T10:00:00Z"],
    "keep": ["speed"],
    "drop": ["speed,scope"],
    "deleteAll": ["true"],
    "details": ["true"],
    "kind": ["Hosted"],
    "entityMap": ["true"],
}  # fmt: skip
PIECES = st.sampled_from(
    ["(", ")", "[", "]", "{", "}", ";", ",", "|", ".", "..", "==", "~=", "!", '"', "'", "\\", "/", "#",
     "+", "*", " ", "\x00", "\x7f", "ą", "😀", "%", "&", "=", "<", ">", "-", "1e999", "NaN", "null",
     "9" * 30, "a" * 300, "@none", "urn:ngsi-ld:null", ":", "T", "true", "2026-99-99T99:99:99Z"]
) | st.text(max_size=3)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, right: list[str]) -> str:
    """A right value, or one with some pieces put in, cut out or repeated; or anything."""
    text = draw(st.sampled_from(right) | st.text(max_size=12))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        end = draw(st.integers(at, len(text)))
        times = draw(st.sampled_from([1, 1, 1, 2, 40]))
        text = text[:at] + draw(PIECES) * times + text[end:]
    return text


PARAMS = st.fixed_dictionaries(
    {}, optional={name: mutated(values) for name, values in RIGHT.items()}
).filter(lambda params: len(params) < 6)
NEAR = st.fixed_dictionaries(
    {
        name: mutated(RIGHT[name]) | st.sampled_from(RIGHT[name])
        for name in ("georel", "geometry", "coordinates")
    },
    optional={"geoproperty": mutated(RIGHT["geoproperty"])},
)


def encoded(params: dict[str, str]) -> str:
    return "&".join(
        f"{name}={quote_plus(value, errors='surrogatepass')}" for name, value in params.items()
    )


@FUZZ
@given(
    params=PARAMS | st.one_of([st.fixed_dictionaries({name: mutated(RIGHT[name])}) for name in RIGHT])
    | NEAR,
    path=st.sampled_from(
        ["GET entities", "GET entities/" + ID, "GET temporal/entities", "GET temporal/entities/" + ID,
         "GET types", "GET attributes/speed", "GET csourceRegistrations", "DELETE entities/urn:x:none",
         "DELETE entities/urn:x:none/attrs/a", "PATCH entities/urn:x:none", "GET jsonldContexts",
         "GET subscriptions", "GET entityMaps/urn:x:y"]
    ),
    wide=st.booleans(),
)  # fmt: skip
def test_any_parameters(ask: Ask, params: dict[str, str], path: str, wide: bool) -> None:
    method, _, at = path.partition(" ")
    if wide and at in ("entities", "temporal/entities"):
        params = {"type": "Thing"} | params
    ask(method, at, encoded(params), b"{}" if method == "PATCH" else b"")


@FUZZ
@given(
    st.binary(max_size=60), st.sampled_from(["GET entities", "GET types", "PATCH entities/" + ID])
)
def test_any_query_string(ask: Ask, raw: bytes, path: str) -> None:
    method, _, at = path.partition(" ")
    ask(method, at, raw.decode("latin-1"), b"{}")


@FUZZ
@example("*", "GET", "entities/{}")
@given(st.text(max_size=30), st.sampled_from(["GET", "DELETE", "PATCH", "PUT", "POST"]),
       st.sampled_from(["entities/{}", "entities/{}/attrs", "entities/" + ID + "/attrs/{}", "types/{}",
                        "attributes/{}", "temporal/entities/{}", "{}", "jsonldContexts/{}"]))  # fmt: skip
def test_any_path(ask: Ask, text: str, method: str, template: str) -> None:
    path = template.format(quote_plus(text, errors="surrogatepass").replace("+", "%20"))
    ask(method, path, "", b"{}")


LINKS = st.sampled_from(
    ['<http://127.0.0.1:1/c>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"',
     '<https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld>; rel="http://www.w3.org/ns/json-ld#context"',
     "<a>; rel=next", "<>", "<a", "a>", ";", ",", '"', "<a>;rel", '<a>; rel="x" y', ""]
)  # fmt: skip
HEADERS: Final = (b"link", b"accept", b"content-type", b"prefer", b"ngsild-tenant", b"via",
                  b"if-none-match", b"accept-encoding", b"authorization", b"ngsild-entitymap",
                  b"content-length", b"origin", b"ngsild-snapshot")  # fmt: skip
VALUES: Final = (
    LINKS.map(str.encode) | st.binary(max_size=40)
    | st.sampled_from(
        [b"application/ld+json", b"application/geo+json", b"*/*;q=x", b"a/b;q=1e400, */*", b",,,;;;",
         b"body=json", b"ngsi-ld=1.3", b"ngsi-ld=9.9.9", b"gzip;q=0, *", b'W/"x"', b"Bearer x",
         b"5" * 400, b"-1", b"x" * 4000, b"application/json; charset=utf-16", b"../../etc"]
    )
)  # fmt: skip


@FUZZ
@given(
    st.lists(st.tuples(st.sampled_from(HEADERS), VALUES), min_size=1, max_size=3),
    st.sampled_from(["GET entities", "GET entities/" + ID, "POST entityOperations/query", "GET types",
                     "POST entityOperations/upsert", "PATCH entities/" + ID]),
)  # fmt: skip
def test_any_headers(ask: Ask, headers: list[tuple[bytes, bytes]], path: str) -> None:
    method, _, at = path.partition(" ")
    ask(
        method,
        at,
        "type=Thing" if method == "GET" and at == "entities" else "",
        b"{}",
        tuple(headers),
    )


CONTEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6)
    | st.sampled_from(["https://example.org/", "http://127.0.0.1:1/c", "@id", "@type", "@vocab", "ex:a",
                       "a", "b", "@none", "@json", "@set", "relative", "urn:x:y", "_:b", "file:///etc"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.text(max_size=4)
        | st.sampled_from(["@id", "@type", "@vocab", "@base", "@context", "@container", "@protected",
                           "@prefix", "@reverse", "@nest", "@import", "@version", "@language", "a", "b",
                           "ex", "ex:a", "speed", "id", "type", "Property", "https://example.org/a"]),
        inner, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@FUZZ
@given(CONTEXT, st.sampled_from(["POST entities", "POST entityOperations/upsert", "PATCH entities/" + ID,
                                 "POST entityOperations/query", "POST jsonldContexts"]))  # fmt: skip
def test_any_context(ask: Ask, context: Any, path: str) -> None:
    method, _, at = path.partition(" ")
    document: Any = {"id": "urn:x:c", "type": "Thing", "a": 1, "ex:a": {"value": 1, "b": {"vocab": "a"}},
                     "@context": context}  # fmt: skip
    if at == "entityOperations/query":
        document = {"type": "Query", "entities": [{"type": "Thing"}], "q": "a", "@context": context}
    body = json.dumps([document] if at.endswith("upsert") else document).encode()
    ask(method, at, "", body, ((b"content-type", b"application/ld+json"),))
    shown = ask("GET", "entities/urn:x:c", "", b"", ((b"accept", b"application/ld+json"),))
    if shown.status == 200:
        assert shown.json()["id"] == "urn:x:c"
        ask("DELETE", "entities/urn:x:c")


QUERY_BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6)
    | st.sampled_from(["Query", "Thing", "near", "Point", "location", ID, "speed>3", "/a/#", "after",
                       "2026-11-22T10:00:00Z", "speed;desc"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.text(max_size=4)
        | st.sampled_from(["type", "entities", "attrs", "q", "geoQ", "geometry", "coordinates", "georel",
                           "geoproperty", "scopeQ", "lang", "id", "idPattern", "pick", "omit", "csf",
                           "temporalQ", "timerel", "timeAt", "join", "joinLevel", "datasetId", "ordering",
                           "orderBy", "splitEntities", "aggrParams", "containedBy", "expandValues"]),
        inner, max_size=5,
    ),
    max_leaves=15,
)  # fmt: skip


@FUZZ
@given(QUERY_BODIES, st.sampled_from(["entityOperations/query", "temporal/entityOperations/query",
                                      "csourceRegistrations", "subscriptions", "snapshots",
                                      "temporal/entities"]))  # fmt: skip
def test_any_other_body(ask: Ask, body: Any, path: str) -> None:
    if isinstance(body, dict) and path.endswith("query"):
        body = {"type": "Query", "entities": [{"type": "Thing"}]} | body
    ask("POST", path, "", json.dumps(body).encode())


RAW: Final = [
    b"", b" ", b"\x00", b"\xff", b"{", b"[", b'"', b"nul", b"NaN", b"[NaN]", b"1e400", b'{"a":1e400}',
    b'"\\ud800"', b'{"id":"urn:x:\\udfff","type":"T"}', b'{"\\ud800":1}', b'"\xed\xa0\x80"',
    b'{"id":"urn:x:1","type":"T","a":' + b"9" * 5000 + b"}", b"[" * 10_000, b"[" * 10_000 + b"]" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b"[" + b"[]," * 20_000 + b"[]]",
    b'{"' + b"k" * 1_000_000 + b'":1}', b'{"id":"urn:x:' + b"y" * 1_000_000 + b'","type":"T"}',
    b'{"id":"urn:x:1","type":"T",' + b",".join(b'"k%d":1' % i for i in range(50_000)) + b"}",
    b'{"id":"urn:x:1","type":[' + b",".join(b'"k%d"' % i for i in range(50_000)) + b"]}",
    b'{"id":"urn:x:1","type":"T","a":[' + b",".join(b'{"value":1,"datasetId":"urn:d:%d"}' % i for i in range(20_000)) + b"]}",
    b'{"id":"urn:x:1","type":"T","scope":[' + b",".join(b'"/k%d"' % i for i in range(50_000)) + b"]}",
    b'{"id":"urn:x:1","id":"urn:x:2","type":"T","type":"U"}', b"\xef\xbb\xbf{}", b'{"a":1}{"b":2}',
    b'{"id":"urn:x:1","type":"T","a":{"value":1,' + b",".join(b'"k%d":1' % i for i in range(20_000)) + b"}}",
    b'{"id":"urn:x:1","type":"T","l":{"type":"GeoProperty","value":"' + b"{" * 100_000 + b'"}}',
    b'{"@context":' + b"[" * 900 + b"]" * 900 + b',"id":"urn:x:1","type":"T"}',
    b'{"@context":{' + b",".join(b'"t%d":"https://x.org/%d"' % (i, i) for i in range(60_000)) + b'},"id":"urn:x:1","type":"T"}',
    b'{"@context":{' + b",".join(b'"t%d":"t%d"' % (i, i + 1) for i in range(5_000)) + b'},"id":"urn:x:1","type":"T"}',
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(RAW)))
def test_raw_bodies(ask: Ask, number: int) -> None:
    raw = RAW[number]
    for method, path in (("POST", "entities"), ("PATCH", f"entities/{ID}"), ("PUT", f"entities/{ID}/attrs/speed"),
                         ("POST", "entityOperations/upsert"), ("POST", "entityOperations/query"),
                         ("POST", "subscriptions"), ("POST", "csourceRegistrations"),
                         ("POST", "jsonldContexts")):  # fmt: skip
        for media in (b"application/json", b"application/ld+json"):
            headers = ((b"content-type", media),)
            ask(method, path, "", raw, headers)
            if path.endswith("upsert"):
                ask(method, path, "", b"[" + raw + b"]", headers)
