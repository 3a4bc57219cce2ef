"""Entity maps: a query over a fixed list of entities, and the maps themselves (§5.14, §5.5.9.3)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.base.clock import parse_iso

from .conftest import Serve

MAP = "ngsild-entitymap"
HOST = "http://rynek.test"
LD = {"Accept": "application/ld+json"}


def lamp(number: int, power: int = 1) -> dict[str, Any]:
    return {
        "id": f"urn:Lamp:{number:02}",
        "type": "Lamp",
        "power": {"type": "Property", "value": power},
    }


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


async def fill(client: httpx.AsyncClient, count: int = 10) -> None:
    done = await client.post("entityOperations/create", json=[lamp(n) for n in range(count)])
    assert done.status_code == 201


def numbers(response: httpx.Response) -> list[int]:
    return [int(one["id"][-2:]) for one in response.json()]


def test_pages_over_a_map_are_of_the_same_entities(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)

        async def page(offset: int, at: str | None, **more: str) -> httpx.Response:
            params = {"type": "Lamp", "q": "power==1", "limit": "3", "offset": str(offset)} | more
            return await client.get("entities", params=params, headers={MAP: at} if at else {})

        first = await page(0, None, entityMap="true")
        assert (first.status_code, numbers(first)) == (201, [0, 1, 2])
        where = first.headers[MAP]
        assert where.startswith("/ngsi-ld/v1/entityMaps/urn:ngsi-ld:EntityMap:")
        # Entities come and go; what came is not seen, what went leaves no hole.
        await client.post("entities", json=lamp(90))
        await client.delete("entities/urn:Lamp:01")
        await client.delete("entities/urn:Lamp:04")
        await client.patch("entities/urn:Lamp:05", json={"power": 7})
        second = await page(3, where)
        assert (second.status_code, numbers(second)) == (200, [3, 6, 7])
        assert second.headers[MAP] == where
        assert 'rel="next"' in second.headers["link"] + second.headers.get_list("link")[-1]
        counted = await page(6, where, count="true")
        assert numbers(counted) == [8, 9]
        assert counted.headers["ngsild-results-count"] == "7"
        assert not [x for x in counted.headers.get_list("link") if 'rel="next"' in x]
        back = await page(3, where)
        assert numbers(back) == [3, 6, 7]
        shown = (await client.get(HOST + where)).json()
        assert sorted(shown["entityMap"]) == [f"urn:Lamp:{n:02}" for n in (0, 1, 2, 3, 6, 7, 8, 9)]
        assert set(map(tuple, shown["entityMap"].values())) == {("@none",)}
        only = await page(0, where, id="urn:Lamp:07,urn:Lamp:90")
        assert numbers(only) == [7]

    serve(test)


def test_the_order_of_a_map_is_that_of_its_query(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 5)
        params = {"type": "Lamp", "orderBy": "id;desc", "limit": "2", "entityMap": "true"}
        first = await client.get("entities", params=params)
        assert numbers(first) == [4, 3]
        again = await client.get(
            "entities", params=params | {"offset": "2"}, headers={MAP: first.headers[MAP]}
        )
        assert (again.status_code, numbers(again)) == (200, [2, 1])

    serve(test)


def test_maps_can_be_made_looked_at_changed_and_deleted(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client, 3)
        made = await client.get("entityMaps?type=Lamp&entityMapLifetime=PT10M")
        assert made.status_code == 201
        body = made.json()
        now = engine.clock.now()
        assert abs(parse_iso(body["expiresAt"]) - now - 600_000_000) < 5_000_000
        assert body == {
            "id": body["id"],
            "type": "EntityMap",
            "expiresAt": body["expiresAt"],
            "entityMap": {f"urn:Lamp:{n:02}": ["@none"] for n in range(3)},
            "linkedMaps": {},
        }
        where = made.headers[MAP]
        assert where.endswith(body["id"])
        found = await client.get(HOST + where, headers=LD)
        assert found.json()["@context"]
        assert {k: v for k, v in found.json().items() if k != "@context"} == body
        later = {"expiresAt": "2999-01-01T00:00:00Z", "entityMap": {}, "linkedMaps": {"a": "b"}}
        patched = await client.patch(HOST + where, json=later)
        assert (patched.status_code, patched.content) == (204, b"")
        after = (await client.get(HOST + where)).json()
        assert after["entityMap"] == body["entityMap"]
        assert body["expiresAt"] < after["expiresAt"] < "2999"
        for wrong in (
            {"expiresAt": "soon"},
            {"expiresAt": 5},
            {"expiresAt": "2999-01-01T00:00:00+01:00"},
            {"type": "Map"},
            {"id": "urn:x:y"},
        ):
            assert kind(await client.patch(HOST + where, json=wrong)) == (400, "BadRequestData")
        # A map from here serves queries; without the header an own one is made.
        seen = await client.get("entities?type=Lamp", headers={MAP: body["id"]})
        assert (seen.status_code, len(seen.json()), seen.headers[MAP]) == (200, 3, where)
        assert (await client.delete(HOST + where)).status_code == 204
        for method in ("GET", "PATCH", "DELETE"):
            gone = await client.request(method, HOST + where, json={})
            assert kind(gone) == (404, "ResourceNotFound")
            bad = await client.request(method, "entityMaps/nothing", json={})
            assert kind(bad) == (400, "BadRequestData")
        anew = await client.get("entities?type=Lamp", headers={MAP: where})
        assert anew.status_code == 201
        assert anew.headers[MAP] != where

    serve(test)


def test_maps_by_post_and_of_one_entity(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 3)
        body = {"type": "Query", "entities": [{"type": "Lamp"}], "q": "power>0"}
        made = await client.post("entityMaps", json=body)
        assert (made.status_code, len(made.json()["entityMap"])) == (201, 3)
        geometry = await client.get("entityMaps?type=Lamp&geometryProperty=location")
        assert geometry.status_code == 400
        assert "geometryProperty" in geometry.json()["detail"]
        asked = {**body, "entityMap": True, "entityMapLifetime": "PT1H"}
        page = await client.post("entityOperations/query?limit=2", json=asked)
        assert (page.status_code, len(page.json())) == (201, 2)
        rest = await client.post(
            "entityOperations/query?limit=2&offset=2", json=body, headers={MAP: page.headers[MAP]}
        )
        assert (rest.status_code, numbers(rest)) == (200, [2])
        one = await client.get("entities/urn:Lamp:01?entityMap=true")
        assert (one.status_code, one.json()) == (200, lamp(1))
        its = (await client.get(HOST + one.headers[MAP])).json()
        assert its["entityMap"] == {"urn:Lamp:01": ["@none"]}
        again = await client.get("entities/urn:Lamp:01", headers={MAP: one.headers[MAP]})
        assert again.headers[MAP] == one.headers[MAP]
        assert MAP not in (await client.get("entities/urn:Lamp:01?entityMap=false")).headers

    serve(test)


def test_expired_maps_are_made_anew_and_the_number_is_bounded(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client, 2)
        first = await client.get("entities?type=Lamp&entityMap=true")
        await client.patch(HOST + first.headers[MAP], json={"expiresAt": "2020-01-01T00:00:00Z"})
        assert (await client.get(HOST + first.headers[MAP])).status_code == 404
        anew = await client.get("entities?type=Lamp", headers={MAP: first.headers[MAP]})
        assert anew.status_code == 201
        urls = [
            (await client.get("entityMaps?type=Lamp&entityMapLifetime=PT1H")).headers[MAP]
            for _ in range(4)
        ]
        states = [(await client.get(HOST + url)).status_code for url in (anew.headers[MAP], *urls)]
        assert states == [404, 404, 200, 200, 200]
        kept = engine.tenant("default").context.store.documents.list("entityMap")
        assert len(kept) == 3

    serve(test, limits__max_entity_maps=3)


@pytest.mark.parametrize(
    "url",
    [
        "entities?type=Lamp&entityMap=perhaps",
        "entities?type=Lamp&entityMap=true&entityMapLifetime=10",
        "entities?type=Lamp&entityMap=true&entityMapLifetime=PT0S",
        "entityMaps",
        "entityMaps?type=Lamp&q=a==",
        "entityMaps?type=Lamp&q=a{b}",
        "entityMaps?type=Lamp&pick=a{b}",
        "entityMaps?type=Lamp&id=lamp",
        "entityMaps?type=Lamp&csf=a;;",
    ],
)
def test_what_does_not_fit_is_refused(serve: Serve, url: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        assert kind(await client.get(url)) == (400, "BadRequestData")

    serve(test)


def test_a_map_belongs_to_its_context_and_its_size_is_bounded(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 3)
        assert kind(await client.get("entityMaps?type=Lamp")) == (403, "TooComplexQuery")
        made = await client.get("entityMaps?type=Lamp&id=urn:Lamp:01")
        bad = await client.get("entities?type=Lamp", headers={MAP: "no uri"})
        assert kind(bad) == (400, "BadRequestData")
        body = {
            "type": "Query",
            "entities": [{"type": "Lamp"}],
            "@context": {"Lamp": "https://example.org/Lamp"},
        }
        headers = {"Content-Type": "application/ld+json", MAP: made.headers[MAP]}
        other = await client.post("entityOperations/query", json=body, headers=headers)
        assert kind(other) == (400, "BadRequestData")

    serve(test, limits__max_sorted=2)


def test_what_is_deleted_while_it_is_used_does_not_come_back(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        context = engine.tenant("default").context
        maps = context.entity_maps
        found = await maps.create({"urn:Lamp:01": ["@none"]}, ld="any")
        await asyncio.gather(
            maps.prune(found, {"urn:Lamp:01"}),
            maps.delete(found.id),
            maps.relink(found, {"urn:r:1": "http://there/entityMaps/1"}),
        )
        await maps.prune(found, {"urn:Lamp:01"})
        assert context.store.documents.list("entityMap") == []
        assert (await client.get(f"entityMaps/{found.id}")).status_code == 404
        made = await asyncio.gather(*(maps.create({}, ld="any") for _ in range(9)))
        kept = {one for one, _ in context.store.documents.list("entityMap")}
        assert kept == {one.id for one in made[-5:]}

    serve(test, limits__max_entity_maps=5)


def test_a_purge_over_a_map_spares_what_is_not_in_it(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 3)
        where = (await client.get("entities?type=Lamp&entityMap=true")).headers[MAP]
        await client.post("entities", json=lamp(3))
        await client.patch("entities/urn:Lamp:01/attrs", json={"power": 9})
        bright = "entities?type=Lamp&q=power==1"
        purged = await client.delete(bright, headers={MAP: where})
        assert (purged.status_code, purged.content) == (204, b"")
        assert purged.headers[MAP] == where
        assert numbers(await client.get("entities?type=Lamp")) == [1, 3]
        await client.delete(HOST + where)
        gone = await client.delete("entities?type=Lamp", headers={MAP: where})
        assert kind(gone) == (404, "ResourceNotFound")
        before = "timerel=before&timeAt=2999-01-01T00:00:00Z"
        past = await client.get(f"temporal/entityMaps?type=Lamp&{before}")
        wrong = await client.delete("entities?type=Lamp", headers={MAP: past.headers[MAP]})
        assert kind(wrong) == (400, "BadRequestData")
        assert numbers(await client.get("entities?type=Lamp")) == [1, 3]

    serve(test)
