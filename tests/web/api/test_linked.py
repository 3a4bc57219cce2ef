"""Linked entity retrieval and conditions on linked entities (CIM 009 §4.5.23, §4.9, §4.21)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rynek.app import Engine

from .conftest import Serve

GEO = {"Accept": "application/geo+json"}


def one(name: str, kind: str, /, **attrs: Any) -> dict[str, Any]:
    return {"id": f"urn:{kind}:{name}", "type": kind} | attrs


def to(*targets: str, **more: Any) -> dict[str, Any]:
    found: Any = targets[0] if len(targets) == 1 else list(targets)
    return {"type": "Relationship", "object": found} | more


def prop(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}


CAR = one(
    "1",
    "Car",
    speed=prop(5),
    parked=to("urn:Garage:1", observedAt="2026-01-01T00:00:00Z"),
    riders=to("urn:Person:a", "urn:Person:nobody", "urn:Person:b"),
    route={
        "type": "ListRelationship",
        "objectList": [{"object": "urn:City:1"}, {"object": "urn:City:2"}],
    },
    gone=to("urn:Garage:none"),
    by=[to("urn:Person:a"), to("urn:Person:b", datasetId="urn:d:1")],
)
GARAGE = one("1", "Garage", name=prop("Top"), owner=to("urn:Person:a"), car=to("urn:Car:1"))
PEOPLE = [one("a", "Person", name=prop("Alice"), age=prop(40), home=to("urn:City:1")),
          one("b", "Person", name=prop("Bob"), age=prop(20))]  # fmt: skip
CITIES = [one("1", "City", name=prop("Antwerp")), one("2", "City", name=prop("Ghent"))]
AT = "entities/urn:Car:1"


async def fill(client: httpx.AsyncClient) -> None:
    done = await client.post("entityOperations/create", json=[CAR, GARAGE, *PEOPLE, *CITIES])
    assert done.status_code == 201


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


def test_inline_puts_the_entity_beside_its_uri(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        car = (await client.get(AT, params={"join": "inline"})).json()
        assert car["parked"] == CAR["parked"] | {"entity": GARAGE}
        assert car["riders"] == CAR["riders"] | {"entity": PEOPLE}
        assert car["route"] == CAR["route"] | {"entityList": CITIES}
        assert car["gone"] == CAR["gone"]
        assert [item["entity"] for item in car["by"]] == PEOPLE
        same = (await client.get(AT, params={"join": "@none", "joinLevel": "2"})).json()
        assert same == CAR
        listed = await client.get("entities", params={"type": "Car", "join": "inline"})
        assert listed.json() == [car]

    serve(test)


def test_join_level_follows_further_and_never_in_circles(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        car = (await client.get(AT, params={"join": "inline", "joinLevel": "3"})).json()
        garage = car["parked"]["entity"]
        assert garage["car"] == GARAGE["car"]  # the car is not put into itself
        assert garage["owner"]["entity"]["home"]["entity"] == CITIES[0]
        params = {"join": "inline", "joinLevel": "2", "containedBy": "urn:Person:a,urn:City:9"}
        car = (await client.get(AT, params=params)).json()
        assert "entity" not in car["parked"]["entity"]["owner"]
        assert car["riders"]["entity"] == [PEOPLE[1]]

    serve(test)


def test_flat_appends_each_entity_once(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        flat = (await client.get(AT, params={"join": "flat"})).json()
        assert flat == [CAR, GARAGE, *PEOPLE, *CITIES]
        of_garage = {"type": "Garage,Person", "join": "flat", "count": "true", "limit": "2"}
        page = await client.get("entities", params=of_garage)
        assert page.json() == [GARAGE, PEOPLE[0], CAR, CITIES[0]]
        assert page.headers["ngsild-results-count"] == "3"
        assert 'rel="next"; type="application/json"' in page.headers.get_list("link")[1]
        again = await client.post("entityOperations/upsert", json=page.json())
        assert again.status_code == 204

    serve(test)


def test_simplified_concise_and_geojson(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        simple = (await client.get(AT, params={"join": "inline", "format": "simplified"})).json()
        garage = {"id": "urn:Garage:1", "type": "Garage", "name": "Top",
                  "owner": "urn:Person:a", "car": "urn:Car:1"}  # fmt: skip
        alice = {"id": "urn:Person:a", "type": "Person", "name": "Alice", "age": 40,
                 "home": "urn:City:1"}  # fmt: skip
        bob = {"id": "urn:Person:b", "type": "Person", "name": "Bob", "age": 20}
        assert simple["parked"] == garage
        assert simple["riders"] == [alice, "urn:Person:nobody", bob]
        assert [city["name"] for city in simple["route"]] == ["Antwerp", "Ghent"]
        assert simple["gone"] == "urn:Garage:none"
        assert simple["by"] == {"dataset": {"@none": alice, "urn:d:1": bob}}
        concise = (await client.get(AT, params={"join": "inline", "format": "concise"})).json()
        assert concise["parked"]["entity"]["name"] == "Top"
        feature = (await client.get(AT, params={"join": "inline"}, headers=GEO)).json()
        assert feature["properties"]["parked"]["entity"] == GARAGE
        flat = await client.get(AT, params={"join": "flat", "format": "simplified"}, headers=GEO)
        assert [f["id"] for f in flat.json()["features"]][:2] == ["urn:Car:1", "urn:Garage:1"]
        assert garage.items() - {("id", "urn:Garage:1")} <= (
            flat.json()["features"][1]["properties"].items()
        )

    serve(test)


def test_projection_reaches_into_linked_entities(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        params = {"join": "inline", "pick": "id,speed,parked{name,id},riders{age}"}
        car = (await client.get(AT, params=params)).json()
        assert car == {
            "id": "urn:Car:1",
            "speed": CAR["speed"],
            "parked": CAR["parked"] | {"entity": {"id": "urn:Garage:1", "name": GARAGE["name"]}},
            "riders": CAR["riders"] | {"entity": [{"age": p["age"]} for p in PEOPLE]},
        }
        params = {"join": "flat", "pick": "id|type|name|parked", "type": "Car"}
        flat = (await client.get("entities", params=params)).json()
        assert [item["id"] for item in flat] == ["urn:Car:1", "urn:Garage:1"]
        assert flat[1].keys() == {"id", "type", "name"}  # pick holds for every entity
        params = {"join": "inline", "omit": "by,route,riders,speed,parked{car,owner}"}
        car = (await client.get(AT, params=params)).json()
        assert car.keys() == {"id", "type", "parked", "gone"}
        assert car["parked"]["entity"].keys() == {"id", "type", "name"}

    serve(test)


def test_q_looks_into_linked_entities(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        other = one("2", "Car", riders=to("urn:Person:b"), parked=to("urn:Garage:none"))
        await client.post("entities", json=other)

        async def cars(q: str, **more: str) -> list[str]:
            params = {"type": "Car", "q": q, "join": "flat", "joinLevel": "3"} | more
            found = await client.get("entities", params=params | {"join": "inline"})
            assert found.status_code == 200, found.text
            return [item["id"][-1] for item in found.json()]

        assert await cars("riders{age}>30") == ["1"]
        assert await cars("riders{age}<30") == ["1", "2"]
        assert await cars("riders{Person:age}<30") == ["1", "2"]
        assert await cars("riders{Dog,Cat:age}<30") == []
        assert await cars('parked{owner{home{name}}}=="Antwerp"') == ["1"]
        assert await cars("riders{age}>30;speed>9") == []
        assert await cars("riders{age}>30|speed>9|parked{name}") == ["1"]
        assert await cars('route{name}=="Ghent"') == ["1"]
        assert await cars("speed{age}") == []
        found = await client.get(
            "entities",
            params={"type": "Car", "q": "riders{age}<30", "join": "flat", "joinLevel": "1",
                    "limit": "1", "offset": "1", "count": "true", "pick": "id"},
        )  # fmt: skip
        assert found.json() == [{"id": "urn:Car:2"}]
        assert found.headers["ngsild-results-count"] == "2"
        body = {"type": "Query", "entities": [{"type": "Car"}], "q": 'parked{name}=="Top"',
                "join": "inline", "joinLevel": 1, "pick": ["speed", "parked{name}"]}  # fmt: skip
        posted = await client.post("entityOperations/query", json=body)
        assert posted.json() == [
            {"speed": CAR["speed"], "parked": CAR["parked"] | {"entity": {"name": GARAGE["name"]}}}
        ]

    serve(test)


@pytest.mark.parametrize(
    "params",
    [
        {"join": "sideways"},
        {"join": "flat", "joinLevel": "0"},
        {"join": "flat", "joinLevel": "-1"},
        {"join": "flat", "joinLevel": "one"},
        {"join": "flat", "containedBy": "garage"},
        {"q": "parked{name}"},
        {"pick": "parked{name}"},
        {"omit": "parked{name}", "join": "@none"},
        {"q": "parked{owner{name}}", "join": "inline"},
        {"pick": "parked{owner{name}}", "join": "inline", "joinLevel": "1"},
        {"csf": "a==="},
        {"splitEntities": "perhaps"},
        {"jsonKeys": "a,,b"},
    ],
)
def test_what_does_not_fit_is_refused(serve: Serve, params: dict[str, str]) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        found = await client.get("entities", params={"type": "Car"} | params)
        assert kind(found) == (400, "BadRequestData")
        if params.keys() <= {"join", "joinLevel", "containedBy", "pick", "omit"}:
            assert kind(await client.get(AT, params=params)) == (400, "BadRequestData")

    serve(test)


def test_linked_entities_are_bounded(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        for form in ("inline", "flat"):
            found = await client.get(AT, params={"join": form})
            assert kind(found) == (403, "TooComplexQuery")
            few = await client.get(AT, params={"join": form, "pick": "id,parked{name}"})
            assert few.status_code == 200
        wide = {"type": "Person", "q": "home{name}", "join": "flat", "pick": "id"}
        assert (await client.get("entities", params=wide)).status_code == 200

    serve(test, limits__max_linked=3)
