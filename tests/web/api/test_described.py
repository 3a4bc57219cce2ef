"""Requests made up from the OpenAPI document (Schemathesis): no 5xx, no answer beside its schema."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rynek.app import Engine
from rynek.web import Application
from rynek.web.api.openapi import Operation, document, operations
from rynek.web.api.routes import ROUTES

from .conftest import settings_for

EXAMPLES = int(os.environ.get("RYNEK_TEST_EXAMPLES", "8"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# What a source or an origin that cannot be had gives is no fault of ours (§6.3.2, §6.3.17).
OUTSIDE = frozenset((502, 504, 508))
ID = "urn:ngsi-ld:Vehicle:1"


class InOneLoop:
    """The application as seen from any event loop: all requests run in the engine's own."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.engine = Engine(settings_for(folder, tenants__max=4))
        self.app: Any = None

    def start(self) -> None:
        async def begin() -> None:
            self.engine.open()
            await self.engine.start()
            self.app = Application(self.engine)

        self.thread.start()
        asyncio.run_coroutine_threadsafe(begin(), self.loop).result()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.engine.stop(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", scope["type"] == "http"
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        sent: list[Any] = []

        async def one() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Any) -> None:
            sent.append(message)

        call = self.app(scope, one, keep)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self.loop))
        for message in sent:
            await send(message)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    app = InOneLoop(tmp_path_factory.mktemp("described"))
    patch = pytest.MonkeyPatch()

    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror("no names here")

    patch.setattr(socket, "getaddrinfo", nowhere)  # nothing that is made up may leave this machine
    app.start()
    schema = schemathesis.openapi.from_dict(document(ROUTES))
    schema.app = app
    yield schema
    app.stop()
    patch.undo()


DONE = [operation for operation in operations(ROUTES) if operation.done]
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
# What a client might really say; made-up texts seldom get past the parsers.
PLAUSIBLE: dict[str, list[Any]] = {
    "type": ["Vehicle", "Vehicle,Bus", "(Vehicle|Bus);Vehicle"],
    "id": [ID, f"{ID},urn:x:2"],
    "idPattern": ["urn:.*", "1$"],
    "q": ["speed>1", "speed", 'name=="a"', "speed>1;(name|!note)"],
    "attrs": ["speed", "speed,name"],
    "pick": ["id,type,speed", "name"],
    "omit": ["speed"],
    "keep": ["speed"],
    "drop": ["note"],
    "expandValues": ["name"],
    "jsonKeys": ["raw"],
    "georel": ["near;maxDistance==900", "within", "intersects"],
    "geometry": ["Point", "Polygon"],
    "coordinates": ["[19,50]", "[[[18,49],[20,49],[20,51],[18,49]]]"],
    "geoproperty": ["location"],
    "scopeQ": ["/city/+", "/city/#"],
    "csf": ["endpoint"],
    "lang": ["en", "pl,*"],
    "datasetId": ["@none", "urn:d:1"],
    "timeAt": ["2026-01-01T00:00:00Z"],
    "endTimeAt": ["2027-01-01T00:00:00Z"],
    "aggrMethods": ["avg,max", "totalCount"],
    "aggrPeriodDuration": ["PT1H", "P1D"],
    "orderBy": ["speed;desc", "id"],
    "orderFrom": ["[19,50]"],
    "orderGeometry": ["Point"],
    "collation": ["pl", "sv-u-co-search"],
    "containedBy": ["urn:x:3"],
    "entityMapLifetime": ["PT1H"],
    "observedAt": ["2026-01-01T00:00:00Z"],
    "limit": [1, 5],
    "offset": [0, 3],
}
PATHS = {
    "entityId": [ID, "urn:x:2"],
    "attrId": ["speed", "name"],
    "type": ["Vehicle"],
    "subscriptionId": ["urn:s:1"],
    "registrationId": ["urn:r:1"],
    "instanceId": ["urn:i:1"],
}
VEHICLE = {
    "id": ID,
    "type": "Vehicle",
    "scope": "/city/north",
    "speed": {"type": "Property", "value": 5, "observedAt": "2026-03-01T00:00:00Z"},
    "name": {"type": "LanguageProperty", "languageMap": {"en": "a", "pl": "b"}},
    "raw": {"type": "JsonProperty", "json": {"a": 1}},
    "owner": {"type": "Relationship", "object": "urn:x:2"},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [19, 50]}},
}
SUBSCRIPTION = {
    "id": "urn:s:1",
    "type": "Subscription",
    "entities": [{"type": "Vehicle"}],
    "notification": {"endpoint": {"uri": "https://receiver.example.org/"}},
}
REGISTRATION = {
    "id": "urn:r:1",
    "type": "ContextSourceRegistration",
    "information": [{"entities": [{"type": "Tram"}]}],
    "endpoint": "https://broker.example.org",
}


def plausible(case: Any, draw: Any) -> None:
    """Replace most of what was made up for names and conditions by what a client might say."""
    for values, known in ((case.query, PLAUSIBLE), (case.path_parameters, PATHS)):
        for name in list(values or {}):
            if name in known and draw(st.integers(0, 9)):
                values[name] = draw(st.sampled_from(known[name]))
    if case.path.endswith(("/entities", "/entityMaps", "/csourceRegistrations")):
        case.query.setdefault("type", "Vehicle")
    if len({"georel", "geometry", "coordinates"} & case.query.keys()) in (1, 2):
        for name in ("georel", "geometry", "coordinates", "geoproperty"):
            case.query.pop(name, None)
    for name in ("Link", "NGSILD-Tenant", "Prefer", "Authorization"):
        case.headers.pop(name, None)
    documents = case.body if isinstance(case.body, list) else [case.body]
    for one in documents:
        if isinstance(one, dict):
            said(one, draw)
            if str(case.media_type) == "application/ld+json":
                one["@context"] = CORE
            else:
                one.pop("@context", None)


def said(body: dict[str, Any], draw: Any) -> None:
    """The same inside a body."""
    for name, value in list(body.items()):
        if isinstance(value, dict):
            said(value, draw)
        elif name in ("id", "type"):
            continue
        elif name in PLAUSIBLE and isinstance(value, str):
            body[name] = draw(st.sampled_from(PLAUSIBLE[name]))
        elif name in PLAUSIBLE and isinstance(value, list) and value:
            if all(isinstance(one, str) for one in value):
                body[name] = draw(st.sampled_from(PLAUSIBLE[name])).split(",")
            for one in value:
                if isinstance(one, dict):
                    said(one, draw)


@pytest.mark.parametrize("operation", DONE, ids=lambda operation: operation.key)
def test_answers_are_as_described(described: Any, operation: Operation) -> None:
    made = described[operation.path][operation.method].as_strategy()
    for path, body in (
        ("/entities", VEHICLE),
        ("/subscriptions", SUBSCRIPTION),
        ("/csourceRegistrations", REGISTRATION),
    ):
        described[path]["POST"].Case(body=body, media_type="application/json").call()

    @seed(20250701)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(made, st.integers(0, 3), st.data())
    def ask(case: Any, wild: int, data: Any) -> None:
        if wild:
            plausible(case, data.draw)
        response = case.call()
        if response.status_code not in OUTSIDE:
            case.validate_response(response, checks=CHECKS)

    ask()
