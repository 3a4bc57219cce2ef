"""orderBy over HTTP: exact order, pages that keep it, what is refused (CIM 009 §4.23, §5.7.2)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rynek.app import Engine

from .conftest import Serve


def shop(number: int, name: str, age: int, lon: float) -> dict[str, Any]:
    return {
        "id": f"urn:Shop:{number}",
        "type": "Shop",
        "name": {"type": "Property", "value": name},
        "age": {"type": "Property", "value": age},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [lon, 50]},
        },
    }


SHOPS = [
    shop(1, "Zoo", 5, 10),
    shop(2, "Ämt", 5, 8),
    shop(3, "apple", 7, 20),
    shop(4, "Bar", 1, 8.5),
    shop(5, "bar", 5, 30),
]


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


async def order(client: httpx.AsyncClient, text: str, **more: str) -> str:
    params = {"type": "Shop", "orderBy": text, "local": "true", "pick": "id"} | more
    found = await client.get("entities", params=params)
    assert found.status_code == 200, found.text
    return "".join(one["id"][-1] for one in found.json())


def test_orders(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entityOperations/create", json=SHOPS)
        assert await order(client, "name") == "23541"
        assert await order(client, "name;desc") == "14532"
        assert await order(client, "name", collation="sv") == "35412"
        assert await order(client, "age,name;desc") == "41523"
        assert await order(client, "age;desc", q="age<7") == "1254"
        assert await order(client, "createdAt;desc,id") == "12345"
        assert await order(client, "id;desc") == "54321"
        assert await order(client, "location;dist-asc", orderFrom="[8,50]") == "24135"
        assert await order(client, "location;dist-desc", orderFrom="[8,50]") == "53142"
        line = {"orderFrom": "[[19,49],[19,51]]", "orderGeometry": "LineString"}
        assert await order(client, "location;dist-asc", **line) == "31452"
        await client.patch("entities/urn:Shop:3", json={"age": 0})
        assert await order(client, "modifiedAt;desc,id") == "31245"
        # Without sources everything is local anyway.
        found = await client.get("entities?type=Shop&orderBy=age;desc&limit=1&count=true")
        assert [one["id"] for one in found.json()] == ["urn:Shop:1"]
        assert found.headers["ngsild-results-count"] == "5"

    serve(test)


def test_pages_keep_the_order(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        many = [shop(1000 + n, f"name {n * 37 % 100}", n * 61 % 100 // 10, n) for n in range(100)]
        await client.post("entityOperations/create", json=many)
        url: str | None = "entities?type=Shop&local=true&orderBy=age;desc,name&limit=7"
        got: list[dict[str, Any]] = []
        while url:
            page = await client.get(url)
            got += page.json()
            following = [x for x in page.headers.get_list("link") if 'rel="next"' in x]
            url = "http://rynek.test" + following[0].split(">")[0][1:] if following else None
        wanted = sorted(
            many,
            key=lambda one: (-one["age"]["value"], one["name"]["value"]),
        )
        assert got == wanted

    serve(test)


def test_ordering_by_post_with_a_join_and_linked_conditions(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        street = {"id": "urn:Street:1", "type": "Street", "length": 9}
        linked = [
            one | {"at": {"type": "Relationship", "object": "urn:Street:1"}} for one in SHOPS[1:]
        ]
        await client.post("entityOperations/create", json=[SHOPS[0], *linked, street])
        body = {
            "type": "Query",
            "entities": [{"type": "Shop"}],
            "q": "at{length}>5",
            "join": "inline",
            "joinLevel": 1,
            "pick": ["id", "at{length}"],
            "ordering": {
                "orderBy": ["location;dist-asc", "id"],
                "coordinates": [25, 50],
                "geometry": "Point",
                "collation": "de",
            },
        }
        found = await client.post("entityOperations/query?local=true&limit=2&offset=1", json=body)
        assert [one["id"] for one in found.json()] == ["urn:Shop:5", "urn:Shop:4"]
        assert found.json()[0]["at"]["entity"]["length"]["value"] == 9
        wrong = body | {"ordering": {"orderBy": "id"}}
        assert kind(await client.post("entityOperations/query?local=true", json=wrong)) == (
            400,
            "BadRequestData",
        )

    serve(test)


@pytest.mark.parametrize(
    "params",
    [
        "orderBy=a;up",
        "orderBy=a;dist-asc",
        "orderBy=a&collation=klingon",
        "collation=klingon",
        "orderBy=a;dist-asc&orderFrom=[8]",
        "orderBy=a;dist-asc&orderFrom=[8,40]&orderGeometry=Cube",
        "orderFrom=x",
        "orderBy=a&local=false",
    ],
)
def test_what_does_not_fit_is_refused(serve: Serve, params: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        found = await client.get(f"entities?type=Shop&{params}")
        assert kind(found) == (400, "BadRequestData")

    serve(test)


def test_sorting_is_bounded(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entityOperations/create", json=SHOPS)
        found = await client.get("entities?type=Shop&orderBy=id")
        assert kind(found) == (403, "TooComplexQuery")
        assert (await client.get("entities?type=Shop&q=age<5&orderBy=id")).status_code == 200

    serve(test, limits__max_sorted=4)
