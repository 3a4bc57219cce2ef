"""What is neither taken nor passed over: misplaced members of a Query, booleans (CIM 009 §5.2.23,
§6.3.20)."""

from __future__ import annotations

import httpx
import pytest
from tests.web.api.conftest import Serve

from rynek.app import Engine

ENTITY = {"id": "urn:ngsi-ld:Bus:1", "type": "Bus", "speed": 5}


@pytest.mark.parametrize(
    "member", ["orderBy", "limit", "georel", "options", "format", "geoq", "Attrs", "timerel"]
)
def test_parameter_as_member_of_query(serve: Serve, member: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        asked = {"type": "Query", "entities": [{"type": "Bus"}], member: "x"}
        got = await client.post("entityOperations/query", json=asked)
        assert got.status_code == 400
        assert got.json()["type"].endswith("/BadRequestData")
        assert member in got.json()["detail"]

    serve(test)


def test_unknown_member_of_query_means_nothing(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=ENTITY)
        asked = {"type": "Query", "id": "urn:q:1", "entities": [{"type": "Bus"}], "note": "x"}
        got = await client.post("entityOperations/query", json=asked)
        assert [one["id"] for one in got.json()] == [ENTITY["id"]]

    serve(test)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "entities?type=Bus&count=yes"),
        ("GET", "entities/urn:ngsi-ld:Bus:1?local=1"),
        ("GET", "types?details="),
        ("DELETE", "entities/urn:ngsi-ld:Bus:1/attrs/speed?deleteAll=all"),
        ("POST", "entityOperations/delete?local=maybe"),
    ],
)
def test_boolean_that_is_none(serve: Serve, method: str, path: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=ENTITY)
        body = ["urn:ngsi-ld:Bus:1"] if method == "POST" else None
        got = await client.request(method, path, json=body)
        assert got.status_code == 400
        assert "true or false" in got.json()["detail"]
        assert (await client.get("entities/urn:ngsi-ld:Bus:1")).json()["speed"]["value"] == 5

    serve(test)


def test_booleans_as_python_writes_them(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=ENTITY)
        got = await client.get("entities?type=Bus&count=True&local=TRUE&limit=0")
        assert got.headers["ngsild-results-count"] == "1"
        assert type((await client.get("types?details=True")).json()) is list
        assert type((await client.get("types?details=False")).json()) is dict

    serve(test)
