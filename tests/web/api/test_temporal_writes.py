"""Writing to the past through HTTP (CIM 009 §5.6.11 - §5.6.16, §6.18 - §6.22)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rynek.app import Engine

from .conftest import Serve

ID = "urn:ngsi-ld:Vehicle:B9211"
V1 = f"temporal/entities/{ID}"
NULL = "urn:ngsi-ld:null"
DATASET = "urn:ngsi-ld:dataset:gps"
SPEEDS = [
    {"type": "Property", "value": value, "observedAt": f"2018-08-01T12:0{minute}:00Z"}
    for value, minute in ((120, 3), (80, 5), (100, 7))
]
BODY = {
    "id": ID,
    "type": "Vehicle",
    "brandName": [{"type": "Property", "value": "Volvo"}],
    "speed": SPEEDS,
}
HOUR = {
    "timerel": "between",
    "timeAt": "2018-08-01T12:00:00Z",
    "endTimeAt": "2018-08-01T13:00:00Z",
}


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


async def values(client: httpx.AsyncClient, attr: str = "speed", **params: Any) -> list[Any]:
    shown = (await client.get(V1, params={"attrs": attr, **params})).json()
    return [one.get("value", one.get("object")) for one in shown.get(attr, [])]


async def instances(client: httpx.AsyncClient, attr: str = "speed", **params: Any) -> Any:
    return (await client.get(V1, params={"attrs": attr, **params})).json()[attr]


@pytest.fixture(params=["overlay", "table"])
def merged(request: pytest.FixtureRequest) -> bool:
    """Whether what was written is merged into the table before it is looked at."""
    return bool(request.param == "table")


async def settle(engine: Engine, merged: bool) -> None:
    """Merge everything where the test is about the table."""
    if merged:
        await engine.tenant("default").history.merge()
        assert engine.tenant("default").history.stats().added == 0


def test_created_then_updated(serve: Serve, merged: bool) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        made = await client.post("temporal/entities", json=BODY)
        assert (made.status_code, made.content) == (201, b"")
        assert made.headers["location"] == f"/ngsi-ld/v1/temporal/entities/{ID}"
        await settle(engine, merged)
        shown = (await client.get(V1)).json()
        assert (shown["id"], shown["type"]) == (ID, "Vehicle")
        for one, sent in zip(shown["speed"], SPEEDS, strict=True):
            assert one.pop("instanceId").startswith("urn:ngsi-ld:instance:")
            assert one == sent
        assert [one["value"] for one in shown["brandName"]] == ["Volvo"]
        more = {
            "id": ID,
            "type": ["Vehicle", "Car"],
            "speed": {"type": "Property", "value": 60, "observedAt": "2018-08-01T12:09:00Z"},
        }
        again = await client.post("temporal/entities", json=more)
        assert (again.status_code, again.content) == (204, b"")
        await settle(engine, merged)
        assert await values(client) == [120, 80, 100, 60]
        assert (await client.get(V1)).json()["type"] == ["Vehicle", "Car"]
        for wanted in ("Car", "Vehicle", "Vehicle;Car"):
            found = await client.get("temporal/entities", params={"type": wanted, **HOUR})
            assert [one["id"] for one in found.json()] == [ID], wanted
        missing = {"type": "Vehicle;Boat", **HOUR}
        assert (await client.get("temporal/entities", params=missing)).json() == []

    serve(test)


def test_what_exists_in_history_alone_is_no_entity(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("temporal/entities", json=BODY)
        assert kind(await client.get(f"entities/{ID}")) == (404, "ResourceNotFound")
        assert (await client.get("entities", params={"type": "Vehicle"})).json() == []
        assert (
            await client.post("entities", json={"id": ID, "type": "Vehicle"})
        ).status_code == 201
        assert await values(client) == [120, 80, 100]

    serve(test)


def test_the_past_of_an_entity_of_now_leaves_it_as_it_is(serve: Serve, merged: bool) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        now = {"type": "Property", "value": 1, "observedAt": "2018-08-01T12:04:00Z"}
        await client.post("entities", json={"id": ID, "type": "Vehicle", "speed": now})
        before = (await client.get(f"entities/{ID}")).json()
        assert (await client.post("temporal/entities", json=BODY)).status_code == 204
        await settle(engine, merged)
        assert await values(client) == [120, 1, 80, 100]
        assert (await client.get(f"entities/{ID}")).json() == before
        assert (await client.delete(V1)).status_code == 204
        await settle(engine, merged)
        assert (await client.get(f"entities/{ID}")).json() == before
        assert kind(await client.get(V1)) == (404, "ResourceNotFound")
        assert kind(await client.delete(V1)) == (404, "ResourceNotFound")
        await client.patch(f"entities/{ID}/attrs", json={"speed": 2})
        assert await values(client) == [2]

    serve(test)


def test_attributes_are_added_to_what_is_known_only(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        more = {"fuel": [{"type": "Property", "value": 7, "observedAt": "2018-08-01T12:04:00Z"}]}
        assert kind(await client.post(f"{V1}/attrs", json=more)) == (404, "ResourceNotFound")
        await client.post("temporal/entities", json=BODY)
        added = await client.post(f"{V1}/attrs", json=more)
        assert (added.status_code, added.content) == (204, b"")
        assert await values(client, "fuel") == [7]
        typed = {"type": "Car", "speed": SPEEDS[0] | {"value": 121}}
        assert (await client.post(f"{V1}/attrs", json=typed)).status_code == 204
        assert await values(client) == [120, 121, 80, 100]
        assert (await client.get(V1)).json()["type"] == ["Vehicle", "Car"]

    serve(test)


def test_attributes_are_deleted_by_dataset_or_all(serve: Serve, merged: bool) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        gps = [one | {"datasetId": DATASET} for one in SPEEDS]
        await client.post("temporal/entities", json=BODY | {"speed": SPEEDS + gps})
        await settle(engine, merged)
        of_gps = await client.delete(f"{V1}/attrs/speed", params={"datasetId": DATASET})
        assert (of_gps.status_code, of_gps.content) == (204, b"")
        await settle(engine, merged)
        assert await values(client) == [120, 80, 100]
        gone = await client.delete(f"{V1}/attrs/speed", params={"datasetId": DATASET})
        assert kind(gone) == (404, "ResourceNotFound")
        await client.post(f"{V1}/attrs", json={"speed": gps})
        assert (await client.delete(f"{V1}/attrs/speed")).status_code == 204
        await settle(engine, merged)
        left = await instances(client)
        assert {one["datasetId"] for one in left} == {DATASET}
        every = await client.delete(f"{V1}/attrs/speed", params={"deleteAll": "true"})
        assert every.status_code == 204
        await settle(engine, merged)
        assert await values(client) == []
        assert await values(client, "brandName") == ["Volvo"]
        assert kind(await client.delete(f"{V1}/attrs/speed")) == (404, "ResourceNotFound")
        assert (await client.get(V1)).status_code == 200

    serve(test)


@pytest.mark.parametrize("source", ["temporal", "entities"])
def test_one_instance_is_replaced_and_deleted(serve: Serve, merged: bool, source: str) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        if source == "temporal":
            await client.post("temporal/entities", json=BODY)
        else:
            await client.post("entities", json={"id": ID, "type": "Vehicle", "speed": SPEEDS[0]})
            for one in SPEEDS[1:]:
                await client.patch(f"entities/{ID}/attrs", json={"speed": one})
        await settle(engine, merged)
        second = (await instances(client, options="sysAttrs"))[1]
        path = f"{V1}/attrs/speed/{second['instanceId']}"
        new = {"type": "Property", "value": 81, "observedAt": "2018-08-01T12:06:00Z"}
        done = await client.patch(path, json={"speed": [new]})
        assert (done.status_code, done.content) == (204, b"")
        await settle(engine, merged)
        shown = (await instances(client, options="sysAttrs"))[1]
        assert {name: shown[name] for name in new} == new
        assert "unitCode" not in shown
        assert shown["instanceId"] == second["instanceId"]
        assert shown["createdAt"] == second["createdAt"]
        assert shown["modifiedAt"] > second["modifiedAt"]
        born = {"timeproperty": "createdAt", "timerel": "after", "timeAt": shown["modifiedAt"]}
        assert await values(client, **born) == []
        changed = born | {"timeproperty": "modifiedAt"}
        assert await values(client, **changed) == [81]
        bare = await client.patch(path, json=new | {"value": 82})
        assert bare.status_code == 204
        assert await values(client) == [120, 82, 100]
        gone = await client.delete(path)
        assert (gone.status_code, gone.content) == (204, b"")
        await settle(engine, merged)
        assert await values(client) == [120, 100]
        assert kind(await client.delete(path)) == (404, "ResourceNotFound")
        assert kind(await client.patch(path, json={"speed": [new]})) == (404, "ResourceNotFound")

    serve(test)


def test_an_evolution_is_deleted_as_a_whole_and_begun_anew(serve: Serve, merged: bool) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await client.post("temporal/entities", json=BODY)
        await settle(engine, merged)
        gone = await client.delete(V1)
        assert (gone.status_code, gone.content) == (204, b"")
        assert kind(await client.get(V1)) == (404, "ResourceNotFound")
        await settle(engine, merged)
        found = await client.get("temporal/entities", params={"type": "Vehicle", **HOUR})
        assert found.json() == []
        assert (await client.post("temporal/entities", json=BODY)).status_code == 201
        assert await values(client) == [120, 80, 100]

    serve(test)


def test_the_forms_that_are_taken(serve: Serve) -> None:
    at = "2018-08-01T12:00:00Z"
    body = {
        "id": ID,
        "type": "Vehicle",
        "scope": [{"type": "Property", "value": ["/a", "/b"], "observedAt": at}],
        "simple": {"type": "Property", "values": [[1, at], [2, "2018-08-01T12:01:00Z"]]},
        "note": {"type": "LanguageProperty", "languageMaps": [[{"languageMap": {"en": "x"}}, at]]},
        "owner": [{"type": "Relationship", "object": "urn:a:b", "observedAt": at}],
        "concise": [{"value": 1, "observedAt": at}, {"value": 2, "observedAt": at}],
        "gone": [
            {"type": "Relationship", "object": "urn:a:b", "observedAt": at},
            {"type": "Relationship", "object": NULL, "deletedAt": "2018-08-01T12:01:00Z"},
        ],
        "bare": 5,
    }

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        assert (await client.post("temporal/entities", json=body)).status_code == 201
        shown = (await client.get(V1)).json()
        for ones in shown.values():
            for one in ones if isinstance(ones, list) else ():
                del one["instanceId"]
        assert shown["scope"] == body["scope"]
        assert [(one["value"], one["observedAt"]) for one in shown["simple"]] == [
            (1, at),
            (2, "2018-08-01T12:01:00Z"),
        ]
        assert shown["note"][0]["languageMap"] == {"en": "x"}
        assert shown["owner"] == body["owner"]
        assert [one["value"] for one in shown["concise"]] == [1, 2]
        assert shown["gone"] == body["gone"]
        assert shown["bare"] == [{"type": "Property", "value": 5}]
        simple = (await client.get(V1, params={"format": "temporalValues"})).json()
        assert simple["simple"] == body["simple"]
        assert simple["note"] == body["note"]
        assert simple["scope"] == {"type": "Property", "values": [[["/a", "/b"], at]]}
        assert simple["gone"]["objects"][1] == [NULL, "2018-08-01T12:01:00Z"]

    serve(test)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "Vehicle"},
        {"id": "B9211", "type": "Vehicle"},
        {"id": ID},
        {"id": ID, "type": []},
        {"id": ID, "type": NULL},
        {"id": ID, "type": "Vehicle", "speed": [{"type": "Property"}]},
        {"id": ID, "type": "Vehicle", "speed": [{"type": "Speed", "value": 1}]},
        {"id": ID, "type": "Vehicle", "speed": [{"value": 1}, {"type": "Speed"}]},
        {"id": ID, "type": "Vehicle", "speed": [{"type": "Property", "value": 1, "observedAt": 5}]},
        {"id": ID, "type": "Vehicle", "speed": None},
        {"id": ID, "type": "Vehicle", "speed": NULL},
        {"id": ID, "type": "Vehicle", "speed": {"type": "Property", "values": [[1]]}},
        {"id": ID, "type": "Vehicle", "speed": {"type": "Relationship", "values": []}},
        {"id": ID, "type": "Vehicle", "scope": [{"type": "Property", "value": "/a", "x": 1}]},
        {"id": ID, "type": "Vehicle", "scope": "/a b"},
        [],
    ],
)
def test_what_is_no_temporal_entity(serve: Serve, wrong: Any) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        answer = await client.post("temporal/entities", json=wrong)
        assert kind(answer) == (400, "BadRequestData")
        assert kind(await client.get(V1)) == (404, "ResourceNotFound")

    serve(test)


def test_what_is_refused(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("temporal/entities", json=BODY)
        one = (await instances(client))[0]["instanceId"]
        new = {"speed": [SPEEDS[0]]}
        bad = (400, "BadRequestData")
        missing = (404, "ResourceNotFound")
        assert kind(await client.delete("temporal/entities/nothing")) == bad
        assert kind(await client.delete("temporal/entities/urn:a:b")) == missing
        assert kind(await client.post("temporal/entities/nothing/attrs", json=new)) == bad
        assert kind(await client.delete(f"{V1}/attrs/speed?datasetId=x")) == bad
        assert kind(await client.delete(f"{V1}/attrs/sp(eed")) == bad
        assert kind(await client.delete(f"{V1}/attrs/other")) == missing
        assert kind(await client.patch(f"{V1}/attrs/speed/12", json=new)) == bad
        assert kind(await client.patch(f"{V1}/attrs/speed/urn:a:b", json=new)) == missing
        assert kind(await client.patch(f"{V1}/attrs/other/{one}", json=new)) == bad
        other = {"other": [SPEEDS[0]]}
        assert kind(await client.patch(f"{V1}/attrs/other/{one}", json=other)) == missing
        assert kind(await client.patch(f"{V1}/attrs/speed/{one}", json={"speed": SPEEDS})) == bad
        moved = {"speed": SPEEDS[0] | {"datasetId": DATASET}}
        assert kind(await client.patch(f"{V1}/attrs/speed/{one}", json=moved)) == bad
        assert kind(await client.delete(f"{V1}/attrs/speed/12")) == bad
        assert kind(await client.delete(f"{V1}/attrs/speed/urn:a:b")) == missing
        text = await client.post(
            "temporal/entities", content=b"{", headers={"Content-Type": "application/json"}
        )
        assert kind(text) == (400, "InvalidRequest")
        assert (await client.post("temporal/entities", content=b"x")).status_code == 415

    serve(test)


def test_a_tenant_comes_into_being(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        lodz = {"NGSILD-Tenant": "lodz"}
        assert kind(await client.get(V1, headers=lodz)) == (404, "NonexistentTenant")
        wrong = await client.post("temporal/entities", json={"id": ID}, headers=lodz)
        assert kind(wrong) == (400, "BadRequestData")
        assert "lodz" not in engine.tenants
        made = await client.post("temporal/entities", json=BODY, headers=lodz)
        assert (made.status_code, made.headers["ngsild-tenant"]) == (201, "lodz")
        assert (await client.get(V1, headers=lodz)).status_code == 200
        assert kind(await client.get(V1)) == (404, "ResourceNotFound")

    serve(test)
