"""Bodies in expanded and flattened JSON-LD (CIM 009 §4.4, §5.5.7; JSON-LD 1.1 §9) over HTTP."""

from __future__ import annotations

from typing import Any, Final

import httpx
from tests.web.api.conftest import Serve

from rynek.app import Engine

OURS: Final = "https://uri.etsi.org/ngsi-ld/"
OWN: Final = OURS + "default-context/"
CORE: Final = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
LD: Final = {"Content-Type": "application/ld+json"}


def speed(value: object) -> list[dict[str, Any]]:
    return [{"@type": [OURS + "Property"], OURS + "hasValue": [{"@value": value}]}]


def bus(number: int) -> dict[str, Any]:
    return {"@id": f"urn:ngsi-ld:Bus:{number}", "@type": [OWN + "Bus"], OWN + "speed": speed(5)}


def test_every_write_takes_the_expanded_form(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        async def value(number: int = 1) -> object:
            got = await client.get(f"entities/urn:ngsi-ld:Bus:{number}")
            assert got.json()["type"] == "Bus"
            assert got.json()["speed"].keys() == {"type", "value"}
            return got.json()["speed"]["value"]

        one = "entities/urn:ngsi-ld:Bus:1"
        assert (await client.post("entities", json=bus(1))).status_code == 201
        assert await value() == 5
        for method, path, body in (
            ("PATCH", one, {OWN + "speed": speed(6)}),
            ("PATCH", f"{one}/attrs", {OWN + "speed": speed(7)}),
            ("POST", f"{one}/attrs", {OWN + "speed": speed(8)}),
            ("PATCH", f"{one}/attrs/speed", {OURS + "hasValue": [{"@value": 9}]}),
            ("PUT", f"{one}/attrs/speed", speed(10)[0]),
            ("PUT", one, bus(1) | {OWN + "speed": speed(11)}),
            ("POST", "entityOperations/merge", [bus(1) | {OWN + "speed": speed(12)}]),
            ("POST", "entityOperations/update", [bus(1) | {OWN + "speed": speed(13)}]),
            ("POST", "entityOperations/upsert", [bus(1) | {OWN + "speed": speed(14)}]),
        ):
            before = await value()
            got = await client.request(method, path, json=body)
            assert got.status_code == 204, (path, got.text)
            assert await value() == before + 1  # type: ignore[operator]

    serve(test)


def test_documents_of_one_node(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        flat = [
            {"@id": "_:b0", **speed(5)[0]},
            bus(3) | {OWN + "speed": [{"@id": "_:b0"}]},
        ]
        for number, document in (
            (1, [bus(1) | {"@context": CORE}]),
            (2, {"@context": CORE, "@graph": [bus(2)]}),
            (3, {"@context": CORE, "@graph": flat}),
        ):
            made = await client.post("entities", json=document, headers=LD)
            assert made.status_code == 201, made.text
            got = await client.get(f"entities/urn:ngsi-ld:Bus:{number}?format=simplified")
            assert got.json() == {"id": f"urn:ngsi-ld:Bus:{number}", "type": "Bus", "speed": 5}
        bare = await client.post("entities", json=[bus(4)], headers=LD)
        assert "@context" in bare.json()["detail"]  # §6.3.5
        assert (await client.post("entities", json=[bus(4)])).status_code == 400
        two = {"@context": CORE, "@graph": [bus(4), bus(5)]}
        assert (await client.post("entities", json=two, headers=LD)).status_code == 400

    serve(test)


def test_a_subscription_shows_short_names(serve: Serve) -> None:
    """§5.5.7: answers have the short names that the @context has, however a name came."""
    whole = {
        "@id": "urn:ngsi-ld:Subscription:1",
        "@type": [OURS + "Subscription"],
        OURS + "entities": [{"@type": [OWN + "Bus"]}],
        OURS + "watchedAttributes": [{"@id": OWN + "speed"}],
        OURS + "q": [{"@value": "speed>1"}],
        OURS + "notification": [{OURS + "endpoint": [{OURS + "uri": [{"@value": "http://h/n"}]}]}],
    }

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        made = await client.post("subscriptions", json=whole)
        assert made.status_code == 201, made.text
        got = (await client.get("subscriptions/urn:ngsi-ld:Subscription:1")).json()
        assert got["entities"] == [{"type": "Bus"}]
        assert got["watchedAttributes"] == ["speed"]
        assert got["q"] == "speed>1"
        assert got["notification"]["endpoint"] == {"uri": "http://h/n"}

    serve(test)
