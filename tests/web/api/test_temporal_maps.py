"""Entity maps of temporal queries (CIM 009 §5.14.5, §6.18, §6.20, §6.24, §6.35)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from rynek.app import Engine

from .conftest import Serve
from .federation import Broker, odd, room, run

MAP = "ngsild-entitymap"
SINCE = {"timerel": "after", "timeAt": "2026-05-01T00:00:00Z"}
QUERY: dict[str, Any] = {"type": "Room", **SINCE}
SOURCE = {
    "operations": ["retrieveTemporal", "queryTemporal", "createEntityMapQueryTemporal"],
    "observationInterval": {"startAt": "2020-01-01T00:00:00Z"},
}


def seen(value: int) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": f"2026-05-01T{value:02d}:00:00Z"}


async def fill(client: httpx.AsyncClient, *numbers: int) -> None:
    for number in numbers:
        made = await client.post("entities?local=true", json=room(number, a=seen(number)))
        assert made.status_code == 201


def ids(response: httpx.Response) -> list[str]:
    return [one["id"].rpartition(":")[2] for one in response.json()]


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


@pytest.mark.parametrize("hidden", [{"omit": "id"}, {"pick": "a"}, {"omit": "id,type"}])
def test_a_page_of_a_map_may_hide_what_it_is_made_by(serve: Serve, hidden: dict[str, str]) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 1, 2)
        asked = QUERY | hidden | {"entityMap": "true"}
        answer = await client.get("temporal/entities", params=asked)
        assert answer.status_code == 201
        shown = {"a", "type"} if hidden == {"omit": "id"} else {"a"}
        assert [set(one) for one in answer.json()] == [shown, shown]

    serve(test)


def test_pages_of_the_past_over_a_fixed_list(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 1, 2, 4, 5)
        first = await client.get(
            "temporal/entities",
            params=QUERY | {"limit": 1, "entityMap": "true", "count": "true"},
        )
        assert (first.status_code, ids(first)) == (201, ["1"])
        assert first.headers["ngsild-results-count"] == "4"
        use = {"NGSILD-EntityMap": first.headers[MAP]}
        await fill(client, 3)
        assert (await client.delete("temporal/entities/urn:ngsi-ld:Room:2")).status_code == 204
        page = QUERY | {"limit": 1, "offset": 1, "count": "true"}
        second = await client.get("temporal/entities", params=page, headers=use)
        assert (second.status_code, ids(second)) == (200, ["4"])
        assert second.headers["ngsild-results-count"] == "3"
        assert second.headers[MAP] == first.headers[MAP]
        assert second.json()[0]["a"][0]["value"] == 4
        links = second.headers["link"]
        assert 'rel="next"' in links
        assert 'rel="prev"' in links
        last = await client.get("temporal/entities", params=page | {"offset": 2}, headers=use)
        assert ids(last) == ["5"]
        assert 'rel="next"' not in last.headers["link"]
        one = "urn:ngsi-ld:Room:4,urn:ngsi-ld:Room:3"
        asked = await client.get("temporal/entities", params=QUERY | {"id": one}, headers=use)
        assert ids(asked) == ["4"]
        shown = (await client.get(f"entityMaps/{first.headers[MAP].rpartition('/')[2]}")).json()
        assert [one[-1] for one in shown["entityMap"]] == ["1", "4", "5"]
        none = await client.get(
            "temporal/entities", params=QUERY | {"limit": 0, "count": "true"}, headers=use
        )
        assert (none.json(), none.headers["ngsild-results-count"]) == ([], "3")

    serve(test)


def test_the_order_of_the_query_is_that_of_the_map(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 1, 2, 3)
        query = QUERY | {"orderBy": "id;desc", "local": "true", "entityMap": "true"}
        made = await client.get(
            "temporal/entities", params=query, headers={"Accept": "application/ld+json"}
        )
        assert ids(made) == ["3", "2", "1"]
        assert all("@context" in one for one in made.json())
        use = {"NGSILD-EntityMap": made.headers[MAP]}
        rest = await client.get("temporal/entities", params=QUERY | {"offset": 1}, headers=use)
        assert ids(rest) == ["2", "1"]
        values = await client.get(
            "temporal/entities", params=QUERY | {"format": "temporalValues"}, headers=use
        )
        assert values.json()[0]["a"]["values"] == [[3, "2026-05-01T03:00:00Z"]]
        mean = {"format": "aggregatedValues", "aggrMethods": "avg"}
        means = await client.get("temporal/entities", params=QUERY | mean, headers=use)
        assert [one["a"]["avg"][0][0] for one in means.json()] == [3, 2, 1]

    serve(test)


def test_maps_without_a_page(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 1, 2)
        made = await client.get(
            "temporal/entityMaps", params=QUERY | {"entityMapLifetime": "PT10M"}
        )
        assert made.status_code == 201
        body = made.json()
        assert body["type"] == "EntityMap"
        assert set(map(tuple, body["entityMap"].values())) == {("@none",)}
        assert made.headers[MAP].endswith(body["id"])
        query = {"type": "Query", "entities": [{"type": "Room"}], "temporalQ": SINCE}
        posted = await client.post("temporal/entityMaps", json=query)
        assert (posted.status_code, len(posted.json()["entityMap"])) == (201, 2)
        page = await client.post(
            "temporal/entityOperations/query?limit=1", json=query | {"entityMap": True}
        )
        assert (page.status_code, ids(page)) == (201, ["1"])
        assert "id=" not in page.headers["link"].partition("rel=")[0]
        use = {"NGSILD-EntityMap": page.headers[MAP]}
        rest = await client.post(
            "temporal/entityOperations/query?limit=1&offset=1", json=query, headers=use
        )
        assert (rest.status_code, ids(rest)) == (200, ["2"])

    serve(test)


def test_the_map_of_one_retrieval(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 1, 2)
        one = await client.get("temporal/entities/urn:ngsi-ld:Room:1?entityMap=true")
        assert one.status_code == 200
        where = one.headers[MAP]
        its = (await client.get(f"entityMaps/{where.rpartition('/')[2]}")).json()
        assert its["entityMap"] == {"urn:ngsi-ld:Room:1": ["@none"]}
        again = await client.get(
            "temporal/entities/urn:ngsi-ld:Room:1", headers={"NGSILD-EntityMap": where}
        )
        assert (again.status_code, again.headers[MAP]) == (200, where)
        gone = await client.get("temporal/entities/urn:ngsi-ld:Room:9?entityMap=true")
        assert (gone.status_code, MAP in gone.headers) == (404, False)
        now = await client.get("entities?type=Room", headers={"NGSILD-EntityMap": where})
        assert kind(now) == (400, "BadRequestData")

    serve(test)


@pytest.mark.parametrize(
    "path",
    [
        "temporal/entityMaps?type=Room",
        "temporal/entityMaps?timerel=after&timeAt=2026-05-01T00:00:00Z",
        "temporal/entityMaps?type=Room&timerel=after&timeAt=2026-05-01T00:00:00Z&q=a{b}==1",
        "temporal/entityMaps?type=Room&timerel=after&timeAt=2026-05-01T00:00:00Z&pick=a{b}",
        "temporal/entityMaps?type=Room&timerel=after&timeAt=2026-05-01T00:00:00Z&id=x",
        "temporal/entityMaps?type=Room&timerel=after&timeAt=2026-05-01T00:00:00Z&csf=a;;",
        "temporal/entities?type=Room&timerel=after&timeAt=2026-05-01T00:00:00Z&entityMap=1",
    ],
)
def test_what_no_map_can_be_made_of(serve: Serve, path: str) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        assert kind(await client.get(path)) == (400, "BadRequestData")
        assert not engine.tenant("default").context.store.documents.list("entityMap")

    serve(test)


def test_the_past_has_no_linked_entities(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        body = {"type": "Query", "entities": [{"type": "Room"}], "temporalQ": SINCE}
        for path in ("temporal/entityMaps", "temporal/entityOperations/query"):
            joined = await client.post(path, json=body | {"join": "flat"})
            assert kind(joined) == (400, "BadRequestData")
            assert (await client.post(path, json=body | {"join": "@none"})).status_code < 300

    serve(test)


def test_a_map_has_a_most(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client, 1, 2, 3)
        wide = await client.get("temporal/entityMaps", params=QUERY)
        assert kind(wide) == (403, "TooComplexQuery")

    serve(test, **{"limits.max_sorted": 2})


def test_maps_of_sources(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await fill(here.client, 1, 2)
        await fill(there.client, 2, 3, 4)
        source = await here.register(there.url, **SOURCE)
        made = await here.get("temporal/entities", limit=2, entityMap="true", **QUERY)
        assert (made.status_code, ids(made)) == (201, ["1", "2"])
        where = made.headers[MAP]
        shown = (await here.get(f"entityMaps/{where.rpartition('/')[2]}")).json()
        assert {one[-1]: who for one, who in shown["entityMap"].items()} == {
            "1": ["@none"], "2": ["@none", source], "3": [source], "4": [source],
        }  # fmt: skip
        linked = shown["linkedMaps"][source]
        assert (await there.get(f"entityMaps/{linked}")).status_code == 200
        await fill(there.client, 5)
        await there.client.delete("temporal/entities/urn:ngsi-ld:Room:3")
        rest = await here.client.get(
            "temporal/entities",
            params=QUERY | {"limit": 2, "offset": 2, "count": "true"},
            headers={"NGSILD-EntityMap": where},
        )
        assert (rest.status_code, ids(rest)) == (200, ["4"])
        assert rest.headers["ngsild-results-count"] == "3"
        one = await here.get("temporal/entities/urn:ngsi-ld:Room:2?entityMap=true")
        its = (await here.get(f"entityMaps/{one.headers[MAP].rpartition('/')[2]}")).json()
        assert its["entityMap"] == {"urn:ngsi-ld:Room:2": ["@none", source]}

    run(tmp_path, test)


def test_sources_without_maps_are_asked_for_the_entities(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        await fill(here.client, 1)
        pages = [[room(n, a=[seen(1)]) for n in range(2, 102)], [room(200, a=[seen(2)])]]

        def respond(_: str, path: str, __: bytes) -> tuple[int, dict[str, str], bytes]:
            listing = "lastN=1" in path
            found = pages["offset=100" in path] if listing else [room(200, a=[seen(2)])]
            return 200, {}, json.dumps(found).encode()

        async with odd(respond) as source:
            one = await here.register(source.url, **SOURCE | {"operations": ["queryTemporal"]})
            made = await here.get("temporal/entityMaps", **QUERY)
            assert len(made.json()["entityMap"]) == 102
            assert made.json()["entityMap"]["urn:ngsi-ld:Room:200"] == [one]
            assert made.json()["linkedMaps"] == {}
            asked = len(source.asked)
            use = {"NGSILD-EntityMap": made.headers[MAP]}
            page = QUERY | {"id": "urn:ngsi-ld:Room:1"}
            ours = await here.client.get("temporal/entities", params=page, headers=use)
            assert ids(ours) == ["1"]
            assert len(source.asked) == asked
            page = QUERY | {"id": "urn:ngsi-ld:Room:200"}
            theirs = await here.client.get("temporal/entities", params=page, headers=use)
            assert ids(theirs) == ["200"]
            assert len(source.asked) == asked + 1

    run(tmp_path, test, 1)
