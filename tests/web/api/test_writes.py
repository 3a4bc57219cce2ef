"""Changing entities (CIM 009 §5.6): what the standard says about each way, through HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from rynek.app import Engine
from rynek.context import DEFAULT_VOCAB

from .conftest import Serve

NULL = "urn:ngsi-ld:null"
ID = "urn:ngsi-ld:OffStreetParking:1"
AT = f"entities/{ID}"


def parking(**attrs: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "type": "OffStreetParking",
        "free": {"type": "Property", "value": 25, "unitCode": "C62",
                 "observedAt": "2026-11-22T10:00:00Z"},
        "name": {"type": "LanguageProperty", "languageMap": {"en": "Square", "cs": "Náměstí"}},
        "owner": {"type": "Relationship", "object": "urn:ngsi-ld:Organization:1"},
        "address": {"type": "Property", "value": {"street": "Karlova", "city": "Praha"}},
    } | attrs  # fmt: skip


async def read(client: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(AT + query)).json()
    return found


def test_update_replaces_appends_and_deletes(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        created = (await read(client, "?options=sysAttrs"))["free"]["createdAt"]
        body = {
            "free": {"value": 3},
            "total": {"value": 30},
            "owner": {"type": "Relationship", "object": NULL},
            "nothing": NULL,
            "type": "ParkAndRide",
            "scope": "/Praha",
        }
        assert (await client.patch(f"{AT}/attrs", json=body)).status_code == 204
        now = await read(client, "?options=sysAttrs")
        assert now["free"]["value"] == 3
        assert "unitCode" not in now["free"]
        assert now["free"]["createdAt"] == created
        assert now["total"]["value"] == 30
        assert {"owner", "nothing", "scope"}.isdisjoint(now)  # a scope only replaces a scope
        assert now["type"] == ["OffStreetParking", "ParkAndRide"]

    serve(test)


def test_append_and_scopes(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking(scope="/Praha"))
        kept = await client.post(
            f"{AT}/attrs?options=noOverwrite", json={"scope": ["/Praha", "/CZ"], "free": 1}
        )
        assert kept.status_code == 207
        assert kept.json() == {
            "updated": [],
            "notUpdated": [{"attributeName": DEFAULT_VOCAB + "free",
                            "reason": kept.json()["notUpdated"][0]["reason"]}],
        }  # fmt: skip
        assert (await read(client))["scope"] == ["/Praha", "/CZ"]
        assert (await client.post(f"{AT}/attrs", json={"scope": "/Brno"})).status_code == 204
        assert (await read(client))["scope"] == "/Brno"
        assert (await client.patch(f"{AT}/attrs", json={"scope": "/A/B"})).status_code == 204
        assert (await read(client))["scope"] == "/A/B"
        for method in ("PATCH", "PUT"):
            body = {"type": "Property", "value": "/X"}
            answer = await client.request(method, f"{AT}/attrs/scope", json=body)
            assert answer.status_code == 400
        assert (await client.delete(f"{AT}/attrs/scope")).status_code == 204
        assert "scope" not in await read(client)
        assert (await client.delete(f"{AT}/attrs/scope")).status_code == 404

    serve(test)


def test_merge_goes_deep(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking(scope="/Praha"))
        body = {
            "address": {"value": {"street": "Celetná", "city": NULL}},
            "free": {"value": 7, "unitCode": NULL},
            "name": {"languageMap": {"cs": NULL}},
            "gone": {"type": "Property", "value": NULL},
            "scope": NULL,
        }
        assert (await client.patch(AT, json=body)).status_code == 204
        now = await read(client)
        assert now["address"]["value"] == {"street": "Celetná"}
        assert now["free"] == {
            "type": "Property",
            "value": 7,
            "observedAt": "2026-11-22T10:00:00Z",
        }
        assert now["name"]["languageMap"] == {"en": "Square"}
        assert {"gone", "scope"}.isdisjoint(now)

    serve(test)


def test_merge_of_simplified_values_keeps_the_kind(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        query = "?format=simplified&lang=cs&observedAt=2026-11-22T10:30:00Z"
        body = {"name": "Plocha", "owner": "urn:ngsi-ld:Organization:2", "free": 9}
        assert (await client.patch(AT + query, json=body)).status_code == 204
        now = await read(client)
        assert now["name"]["languageMap"] == {"en": "Square", "cs": "Plocha"}
        assert now["owner"] == {"type": "Relationship", "object": "urn:ngsi-ld:Organization:2"}
        assert now["free"]["observedAt"] == "2026-11-22T10:30:00Z"
        assert "observedAt" not in now["owner"]
        assert (await client.patch(f"{AT}?observedAt=noon", json={"free": 1})).status_code == 400

    serve(test)


@pytest.mark.parametrize(
    "attrs",
    [
        {"free": NULL},
        {"free": {"type": "Property", "value": NULL}},
        {"free": {"type": "Property", "value": {"a": {"b": [{"c": NULL}]}}}},
        {"owner": {"type": "Relationship", "object": NULL}},
        {"name": {"type": "LanguageProperty", "languageMap": {"@none": NULL}}},
        {"scope": NULL},
        {"free": None},
        {"free": {"type": "Property", "value": None}},
        {"id": NULL},
        {"type": ["OffStreetParking", NULL]},
        {"expiresAt": NULL},
    ],
)
def test_nulls_have_no_place_in_a_whole_entity(serve: Serve, attrs: dict[str, Any]) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        refused = await client.post("entities", json=parking(**attrs))
        assert refused.status_code == 400
        assert refused.json()["type"].endswith("BadRequestData")
        await client.post("entities", json=parking())
        assert (await client.put(AT, json=parking(**attrs))).status_code == 400

    serve(test)


def test_a_null_inside_of_a_value_is_for_merges_only(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        deep = {"value": {"city": NULL}}
        assert (await client.patch(f"{AT}/attrs", json={"address": deep})).status_code == 400
        assert (await client.patch(f"{AT}/attrs/address", json=deep)).status_code == 400
        assert (await client.patch(AT, json={"address": deep})).status_code == 204
        data = {"free": {"value": 1, "datasetId": NULL}}
        assert (await client.patch(AT, json=data)).status_code == 400

    serve(test)


def test_partial_update_keeps_what_it_does_not_name(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        assert (await client.patch(f"{AT}/attrs/free", json={"value": 4})).status_code == 204
        assert (await read(client))["free"]["unitCode"] == "C62"
        other = {"type": "Relationship", "object": "urn:x:y"}
        assert (await client.patch(f"{AT}/attrs/free", json=other)).status_code == 400
        unknown = {"value": 4, "datasetId": "urn:x:none"}
        assert (await client.patch(f"{AT}/attrs/free", json=unknown)).status_code == 404
        assert (await client.put(f"{AT}/attrs/free", json=unknown)).status_code == 404
        sub = {"accuracy": {"type": "Property", "value": 1}}
        assert (await client.patch(f"{AT}/attrs/free", json=sub)).status_code == 204
        assert (await client.patch(f"{AT}/attrs/free", json={"accuracy": NULL})).status_code == 204
        assert "accuracy" not in (await read(client))["free"]

    serve(test)


def test_the_type_of_the_entity_may_be_asked_for(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        for method, path, body in (
            ("GET", AT, None),
            ("PATCH", AT, {"free": 1}),
            ("PUT", AT, parking()),
            ("POST", f"{AT}/attrs", {"free": 1}),
            ("PATCH", f"{AT}/attrs", {"free": 1}),
            ("PATCH", f"{AT}/attrs/free", {"value": 1}),
            ("PUT", f"{AT}/attrs/free", {"value": 1}),
            ("DELETE", f"{AT}/attrs/free", None),
            ("DELETE", AT, None),
        ):
            wrong = await client.request(method, f"{path}?type=Vehicle", json=body)
            assert wrong.status_code == 404, (method, path)
            right = await client.request(method, f"{path}?type=Vehicle,OffStreetParking", json=body)
            assert right.status_code in (200, 204), (method, path, right.text)

    serve(test)


def test_purge_deletes_what_a_query_selects(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        many = [parking(id=f"{ID}{n}", free={"value": n}) for n in range(12)]
        await client.post("entityOperations/create", json=many)
        for wide in ("", f"?id={ID}1", "?scopeQ=/Praha", "?q=createdAt>2020-01-01T00:00:00Z"):
            answer = await client.delete("entities" + wide)
            assert answer.status_code == 400, wide
        reduced = await client.delete("entities?type=OffStreetParking&q=free<3&drop=owner,name")
        assert reduced.status_code == 204
        assert set((await client.get(f"entities/{ID}2")).json()) == {
            "id",
            "type",
            "free",
            "address",
        }
        assert "owner" in (await client.get(f"entities/{ID}3")).json()
        kept = await client.delete("entities?type=OffStreetParking&q=free==3&keep=free")
        assert kept.status_code == 204
        assert set((await client.get(f"entities/{ID}3")).json()) == {"id", "type", "free"}
        assert (await client.delete("entities?q=free>=2")).status_code == 204
        left = await client.get("entities?type=OffStreetParking&options=keyValues")
        assert [one["free"] for one in left.json()] == [0, 1]
        assert (await client.delete("entities?type=Nothing")).status_code == 204

    serve(test)


def test_batches_that_are_wrong_as_a_whole_or_in_part(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for verb in ("create", "upsert", "update", "merge", "delete"):
            bodies: tuple[Any, ...] = ([], [None], {}, "x")
            for body in bodies:
                answer = await client.post(f"entityOperations/{verb}", json=body)
                assert answer.status_code == 400, (verb, body)
                assert answer.json()["type"].endswith("BadRequestData")
        mixed = [parking(), "x", {"id": "no uri", "type": "T"}, {"type": "T"}, parking(free=1)]
        answer = await client.post("entityOperations/create", json=mixed)
        assert answer.status_code == 207
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["success"] == [ID]
        assert [one["error"]["status"] for one in answer.json()["errors"]] == [400, 400, 400, 409]
        both = await client.post("entityOperations/upsert?options=update,replace", json=[parking()])
        assert both.status_code == 400
        twice = [parking(free=1), parking(free=2)]
        assert (await client.post("entityOperations/upsert", json=twice)).status_code == 204
        assert (await read(client))["free"]["value"] == 2
        gone = await client.post("entityOperations/delete", json=[ID, ID])
        assert gone.status_code == 207
        assert gone.json()["success"] == [ID]
        assert gone.json()["errors"][0]["error"]["status"] == 404
        none = await client.post("entityOperations/update", json=[parking()])
        assert (none.status_code, none.json()["success"]) == (207, [])

    serve(test)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (AT, {"new": {"type": "VocabProperty"}}),
        (AT, {"new": {"unitCode": "C62"}}),
        (AT, {"free": {"accuracy": {"type": "Property"}}}),
        (AT, {"owner": {"type": "LanguageProperty"}}),
        (f"{AT}/attrs/free", {"accuracy": {"type": "VocabProperty"}}),
    ],
)
def test_what_is_not_there_yet_needs_a_value(serve: Serve, path: str, body: dict[str, Any]) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        refused = await client.patch(path, json=body)
        assert refused.status_code == 400
        assert refused.json()["type"].endswith("BadRequestData")
        assert await read(client) == parking()
        batch = [{"id": ID} | body] if path == AT else []
        if batch:
            partly = await client.post("entityOperations/merge", json=batch)
            assert (partly.status_code, partly.json()["success"]) == (207, [])

    serve(test)


def test_instances_of_an_attribute_are_of_one_type(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [14.4, 50.1]}}
        other = {"type": "Property", "value": 5, "datasetId": "urn:x:d"}
        mixed = await client.post("entities", json=parking(location=[place, other]))
        assert mixed.status_code == 400
        await client.post("entities", json=parking(location=place))
        for method, path in (("POST", f"{AT}/attrs"), ("PATCH", f"{AT}/attrs"), ("PATCH", AT)):
            answer = await client.request(method, path, json={"location": other})
            assert answer.status_code == 400, (method, path)
        partly = await client.post(
            "entityOperations/upsert?options=update", json=[parking(location=other)]
        )
        assert (partly.status_code, partly.json()["success"]) == (207, [])
        assert (await read(client))["location"] == place

    serve(test)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", AT),
        ("POST", "entityOperations/upsert"),
        ("POST", AT + "/attrs"),
        ("PATCH", AT + "/attrs"),
    ],
)
def test_what_is_written_again_unchanged_makes_no_reading(
    serve: Serve, method: str, path: str
) -> None:
    """§5.8.6: an attribute changes when a member has another value than before."""

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await client.post("entities", json=parking())
        before = (await read(client, "?options=sysAttrs"))["owner"]
        again = parking(address={"type": "Property", "value": {"street": "Dlouhá"}})
        body: Any = [again] if path.endswith("upsert") else again
        if path.endswith("attrs"):
            body = {k: v for k, v in again.items() if k not in ("id", "type")}
        answer = await client.request(method, path, json=body)
        assert answer.status_code == 204, answer.text
        log = engine.tenant("default").context.changes
        assert list(log.read(log.head() - 1)[0].attrs) == [DEFAULT_VOCAB + "address"]
        past = (await client.get(f"temporal/{AT}")).json()
        assert len(past["address"]) == 2
        assert [len(past[name]) for name in ("free", "name", "owner")] == [1, 1, 1]
        after = (await read(client, "?options=sysAttrs"))["owner"]
        assert after["createdAt"] == before["createdAt"]
        assert after["modifiedAt"] > before["modifiedAt"]

    serve(test)


def test_an_attribute_that_a_later_context_cannot_name_harms_nobody(serve: Serve) -> None:
    """A @context may take the scheme of an attribute's IRI for a prefix of its own."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        full = {"urn:example:level": {"type": "Property", "value": 1}}
        await client.post("entities", json=parking(**full))
        other = parking() | {"id": ID + "0"}
        body = {
            "level": {"type": "Property", "value": 2},
            "@context": {"urn": "https://example.org/", "level": "https://example.org/level"},
        }
        kind = {"Content-Type": "application/ld+json"}
        answers = await asyncio.gather(
            client.patch(AT + "/attrs", content=msgspec.json.encode(body), headers=kind),
            client.post("entities", json=other),
        )
        assert [answer.status_code for answer in answers] == [204, 201]
        found = await read(client)
        assert found["urn:example:level"]["value"] == 1
        assert found["https://example.org/level"]["value"] == 2

    serve(test)
