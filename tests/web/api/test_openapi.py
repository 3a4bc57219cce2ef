"""The API's own description: whole, valid, and true of what the API answers."""

from __future__ import annotations

import re
from typing import Any

import httpx
import schemathesis

from rynek.app import Engine
from rynek.web.api.openapi import document, operations
from rynek.web.api.parameters import PARAMETERS, WORDS, allowed
from rynek.web.api.routes import ROUTES
from rynek.web.api.schema import SCHEMAS
from rynek.web.api.shapes import SHAPES

from .conftest import Serve


def test_it_is_valid_against_the_meta_schema_of_openapi_3_1() -> None:
    schemathesis.openapi.from_dict(document(ROUTES)).validate()


def test_every_operation_is_described_and_every_declaration_means_one() -> None:
    keys = [operation.key for operation in operations(ROUTES)]
    assert set(keys) <= SHAPES.keys(), "add the operation to web/api/shapes.py"
    assert len(keys) == len(set(keys))
    named = {key for one in PARAMETERS for key in one.operations}
    named |= {key for words in WORDS for key in words.operations}
    assert named <= SHAPES.keys(), "no such operation in web/api/shapes.py"
    names = [operation.name for operation in operations(ROUTES)]
    assert len(names) == len(set(names))
    for operation in operations(ROUTES):
        if operation.done:
            assert re.search(r"\(.*§\d", operation.summary), operation.key


def test_no_operation_declares_a_parameter_twice() -> None:
    for key in SHAPES:
        names = [row.name for row in PARAMETERS if key in row.operations]
        assert len(names) == len(set(names)), key
        assert allowed(key).names >= set(names)


def test_references_lead_somewhere() -> None:
    found = set(re.findall(r"#/components/schemas/(\w+)", repr(document(ROUTES))))
    assert found <= SCHEMAS.keys()


def test_it_is_served(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        url = "http://rynek.test/city/ngsi-ld/v1/openapi.json"
        served = await client.get(url)
        assert served.headers["content-type"] == "application/json"
        told: dict[str, Any] = served.json()
        assert told["openapi"] == "3.1.0"
        assert told["servers"] == [{"url": "/city/ngsi-ld/v1"}]
        assert "get" in told["paths"]["/entities/{entityId}"]
        held = {"If-None-Match": served.headers["etag"]}
        assert (await client.get(url, headers=held)).status_code == 304

    serve(test, server__base_path="/city")
