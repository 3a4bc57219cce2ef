"""/entities through HTTP: create, retrieve, query, change, delete (CIM 009 §6.4 - §6.7)."""

from __future__ import annotations

from typing import Any

import httpx

from rynek.app import Engine
from rynek.context import DEFAULT_VOCAB

from .conftest import Serve

LD = {"Content-Type": "application/ld+json"}
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
BUS = "urn:ngsi-ld:Vehicle:bus"


def bus(**attrs: Any) -> dict[str, Any]:
    return {
        "id": BUS,
        "type": "Vehicle",
        "speed": {
            "type": "Property",
            "value": 30,
            "unitCode": "KMH",
            "observedAt": "2026-11-22T10:00:00Z",
            "accuracy": {"type": "Property", "value": 0.9},
        },
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [16.9, 52.4]},
        },
        "line": {"type": "Relationship", "object": "urn:ngsi-ld:GtfsRoute:6"},
        "label": {"type": "LanguageProperty", "languageMap": {"en": "Bus", "pl": "Autobus"}},
    } | attrs


def test_create_and_retrieve_in_every_representation(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        created = await client.post("entities", json=bus())
        assert created.status_code == 201
        assert created.headers["location"] == f"/ngsi-ld/v1/entities/{BUS}"
        assert (await client.post("entities", json=bus())).status_code == 409

        plain = await client.get(f"entities/{BUS}")
        assert plain.json() == bus()
        assert plain.headers["content-type"] == "application/json"
        assert CORE in plain.headers["link"]

        linked = await client.get(f"entities/{BUS}", headers={"Accept": "application/ld+json"})
        assert linked.json() == bus() | {"@context": CORE}
        assert "link" not in linked.headers

        simple = (await client.get(f"entities/{BUS}?options=keyValues&lang=pl")).json()
        assert simple["speed"] == 30
        assert simple["label"] == "Autobus"
        assert simple["line"] == "urn:ngsi-ld:GtfsRoute:6"

        concise = (await client.get(f"entities/{BUS}?format=concise&options=sysAttrs")).json()
        assert concise["speed"]["value"] == 30
        assert "type" not in concise["speed"]
        assert concise["createdAt"] == concise["modifiedAt"] == concise["speed"]["createdAt"]

        feature = await client.get(f"entities/{BUS}", headers={"Accept": "application/geo+json"})
        assert feature.headers["content-type"] == "application/geo+json"
        assert feature.json()["type"] == "Feature"
        assert feature.json()["geometry"]["coordinates"] == [16.9, 52.4]
        picked = (await client.get(f"entities/{BUS}?pick=id,speed&options=keyValues")).json()
        assert picked == {"id": BUS, "speed": 30}
        omitted = (await client.get(f"entities/{BUS}?omit=location,label,line")).json()
        assert set(omitted) == {"id", "type", "speed"}

    serve(test)


def test_what_is_wrong_is_said(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        async def problem(response: httpx.Response) -> tuple[int, str]:
            document = response.json()
            assert response.headers["content-type"] == "application/json"
            assert "link" not in response.headers
            assert document["status"] == response.status_code
            return response.status_code, document["type"].rsplit("/", 1)[1]

        post = client.post
        unknown = await post("entities", content=b"{")
        assert (unknown.status_code, unknown.content) == (415, b"")
        as_json = {"Content-Type": "application/json"}
        broken = await post("entities", content=b"{", headers=as_json)
        assert await problem(broken) == (400, "InvalidRequest")
        deep = await post("entities", content=b"[" * 100_000, headers=as_json)
        assert await problem(deep) == (400, "InvalidRequest")
        bad_id = await post("entities", json=bus(id="bus"))
        assert await problem(bad_id) == (400, "BadRequestData")
        no_context = await post("entities", json=bus(), headers=LD)
        assert await problem(no_context) == (400, "BadRequestData")
        inside = await post("entities", json=bus() | {"@context": CORE})
        assert await problem(inside) == (400, "BadRequestData")
        assert await problem(await client.get("entities")) == (400, "BadRequestData")
        missing = await client.get("entities/urn:ngsi-ld:Vehicle:none")
        assert await problem(missing) == (404, "ResourceNotFound")
        elsewhere = await client.get("entities?type=T", headers={"NGSILD-Tenant": "none"})
        assert await problem(elsewhere) == (404, "NonexistentTenant")
        accept = await client.get("entities?type=T", headers={"Accept": "text/html"})
        assert await problem(accept) == (406, "InvalidRequest")
        method = await client.request("PATCH", "types")
        assert await problem(method) == (405, "InvalidRequest")
        assert method.headers["allow"] == "GET, HEAD, OPTIONS"

    serve(test)


def test_bodies_are_bounded(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        big = bus(note={"value": "x" * 2000})
        assert (await client.post("entities", json=big)).status_code == 413

    serve(test, server__max_body_bytes=1000)


def test_attributes_are_appended_updated_merged_and_deleted(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        at = f"entities/{BUS}"
        await client.post("entities", json=bus())

        both = {"speed": {"value": 31}, "doors": {"value": "open"}}
        partly = await client.post(f"{at}/attrs?options=noOverwrite", json=both)
        assert partly.status_code == 207
        assert partly.headers["content-type"] == "application/json"
        assert partly.json()["updated"] == [DEFAULT_VOCAB + "doors"]
        assert partly.json()["notUpdated"][0]["attributeName"] == DEFAULT_VOCAB + "speed"
        assert (await client.post(f"{at}/attrs", json=both)).status_code == 204

        more = await client.patch(f"{at}/attrs", json={"speed": {"value": 32}, "x": {"value": 1}})
        assert more.status_code == 204
        assert (await client.get(at)).json()["x"]["value"] == 1

        assert (
            await client.patch(f"{at}/attrs/speed", json={"unitCode": "MTS"})
        ).status_code == 204
        speed = (await client.get(at)).json()["speed"]
        assert speed == {"type": "Property", "value": 32, "unitCode": "MTS"}
        assert (await client.patch(f"{at}/attrs/none", json={"value": 1})).status_code == 404

        replaced = await client.put(f"{at}/attrs/speed", json={"type": "Property", "value": 1})
        assert replaced.status_code == 204
        assert (await client.get(at)).json()["speed"] == {"type": "Property", "value": 1}

        merge = {
            "speed": {"value": 40, "observedAt": "2026-11-22T11:00:00Z"},
            "doors": "urn:ngsi-ld:null",
            "label": {"languageMap": {"cs": "Autobus"}},
        }
        assert (await client.patch(at, json=merge)).status_code == 204
        merged = (await client.get(at)).json()
        assert "doors" not in merged
        assert merged["label"]["languageMap"] == {"en": "Bus", "pl": "Autobus", "cs": "Autobus"}
        assert merged["speed"]["value"] == 40

        assert (await client.delete(f"{at}/attrs/label")).status_code == 204
        assert (await client.delete(f"{at}/attrs/label")).status_code == 404
        assert (await client.put(at, json=bus(speed={"value": 2}))).status_code == 204
        assert (await client.get(at)).json()["speed"] == {"type": "Property", "value": 2}
        assert (await client.delete(at)).status_code == 204
        assert (await client.get(at)).status_code == 404
        operations = [change.op for change in engine.tenant("default").context.changes.read(0)]
        assert operations[0] == "create"
        assert operations[-1] == "delete"

    serve(test)


def test_instances_with_dataset_ids(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        gps = {"type": "Property", "value": 30, "datasetId": "urn:x:gps"}
        await client.post("entities", json=bus(speed=[{"type": "Property", "value": 31}, gps]))
        at = f"entities/{BUS}"
        body = {"value": 55, "datasetId": "urn:x:gps"}
        assert (await client.patch(f"{at}/attrs/speed", json=body)).status_code == 204
        values = [one["value"] for one in (await client.get(at)).json()["speed"]]
        assert values == [31, 55]
        gone = await client.delete(f"{at}/attrs/speed?datasetId=urn:x:gps")
        assert gone.status_code == 204
        assert (await client.get(at)).json()["speed"]["value"] == 31
        assert (await client.delete(f"{at}/attrs/speed?deleteAll=true")).status_code == 204
        assert "speed" not in (await client.get(at)).json()

    serve(test)


def test_queries_page_and_count(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        batch = [bus(id=f"{BUS}{n}", speed={"value": n}) for n in range(45)]
        created = await client.post("entityOperations/create", json=batch)
        assert created.status_code == 201
        assert len(created.json()) == 45
        query: dict[str, Any] = {"type": "Vehicle", "q": "speed>=5", "count": "true"}
        first = await client.get("entities", params=query)
        assert first.headers["ngsild-results-count"] == "40"
        assert len(first.json()) == 20
        links = first.headers.get_list("link")
        following = next(link for link in links if 'rel="next"' in link)
        second = await client.get("http://rynek.test" + following.split(">")[0].removeprefix("<"))
        assert len(second.json()) == 20
        ids = {one["id"] for one in first.json() + second.json()}
        assert len(ids) == 40
        none = await client.get("entities", params=query | {"limit": 0})
        assert none.json() == []
        assert none.headers["ngsild-results-count"] == "40"
        assert (await client.get("entities?type=Vehicle&limit=0")).status_code == 400
        assert (await client.get("entities?type=Vehicle&limit=1001")).status_code == 403
        by_post = await client.post(
            "entityOperations/query",
            json={"type": "Query", "entities": [{"type": "Vehicle"}], "q": "speed==7"},
        )
        assert [one["id"] for one in by_post.json()] == [f"{BUS}7"]
        near = await client.get(
            "entities",
            params={
                "type": "Vehicle",
                "georel": "near;maxDistance==100",
                "geometry": "Point",
                "coordinates": "[16.9,52.4]",
                "limit": 100,
            },
        )
        assert len(near.json()) == 45

    serve(test)


def test_names_follow_the_context_of_the_request(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        context = {"rychlost": "https://example.org/speed", "Vozidlo": "https://example.org/Bus"}
        document = {
            "id": BUS,
            "type": "Vozidlo",
            "rychlost": {"type": "Property", "value": 5},
            "@context": [context, CORE],
        }
        assert (await client.post("entities", json=document, headers=LD)).status_code == 201
        plain = (await client.get(f"entities/{BUS}")).json()
        assert plain["type"] == "https://example.org/Bus"
        assert plain["https://example.org/speed"]["value"] == 5
        types = (await client.get("types")).json()["typeList"]
        assert types == ["https://example.org/Bus"]
        found = await client.get("entities?type=https%3A%2F%2Fexample.org%2FBus")
        assert len(found.json()) == 1

    serve(test)


def test_tenants_are_separate(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        there = {"NGSILD-Tenant": "brno"}
        created = await client.post("entities", json=bus(), headers=there)
        assert created.status_code == 201
        assert created.headers["ngsild-tenant"] == "brno"
        assert (await client.get(f"entities/{BUS}")).status_code == 404
        assert (await client.get(f"entities/{BUS}", headers=there)).status_code == 200
        assert set(engine.tenants) == {"default", "brno"}
        wrong = await client.post("entities", json=bus(), headers={"NGSILD-Tenant": "../x"})
        assert wrong.status_code == 400

    serve(test)


def test_rights_are_checked_for_every_request(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        assert (await client.get("entities?type=Vehicle")).status_code == 200
        refused = await client.post("entities", json=bus())
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        reader = {"Authorization": "Bearer " + engine.tokens.create("r", ("read",))}
        assert (await client.post("entities", json=bus(), headers=reader)).status_code == 403
        writer = {"Authorization": "Bearer " + engine.tokens.create("w", ("write:default",))}
        assert (await client.post("entities", json=bus(), headers=writer)).status_code == 201
        other = writer | {"NGSILD-Tenant": "brno"}
        assert (await client.post("entities", json=bus(), headers=other)).status_code == 403
        assert engine.tokens.revoke("w")
        assert (await client.delete(f"entities/{BUS}", headers=writer)).status_code == 401

    serve(test, access__anonymous="read")


def test_nothing_is_open_when_anonymous_is_none(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        assert (await client.get("entities?type=Vehicle")).status_code == 401
        assert (await client.get("http://rynek.test/")).status_code == 401
        secret = engine.tokens.create("r", ("read",))
        page = await client.get("http://rynek.test/", auth=("anyone", secret))
        assert page.status_code == 200

    serve(test, access__anonymous="none")


def test_cors_and_options(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        origin = {"Origin": "https://city.example", "Access-Control-Request-Method": "POST"}
        asked = await client.options("entities", headers=origin)
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == "*"
        assert "POST" in asked.headers["access-control-allow-methods"]
        head = await client.head("entities?type=Vehicle")
        assert head.status_code == 200
        assert head.content == b""

    serve(test)
