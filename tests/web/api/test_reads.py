"""Retrieving and querying entities (CIM 009 §5.7.1, §5.7.2, §4.5): what is shown and refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.context import DEFAULT_VOCAB

from .conftest import Serve

ID = "urn:ngsi-ld:BusStop:1"
AT = f"entities/{ID}"
HERE = {"type": "Point", "coordinates": [16.9, 52.4]}
THERE = {"type": "Point", "coordinates": [17.9, 53.4]}
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
GEO = {"Accept": "application/geo+json"}


def stop(**attrs: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "type": "BusStop",
        "waiting": [
            {"type": "Property", "value": 4},
            {"type": "Property", "value": 5, "datasetId": "urn:x:camera", "unitCode": "C62"},
        ],
        "location": {"type": "GeoProperty", "value": HERE},
        "name": {"type": "LanguageProperty", "languageMap": {"en": "Market", "pl": "Rynek"}},
        "kind": {"type": "VocabProperty", "vocab": "Shelter"},
        "raw": {"type": "JsonProperty", "json": {"id": 5, "type": "x"}},
        "steps": {"type": "ListProperty", "valueList": [1, 2]},
        "route": {"type": "ListRelationship", "objectList": [{"object": "urn:r:1"}]},
        "near": {"type": "Relationship", "object": ["urn:s:2", "urn:s:3"]},
        "address": {"type": "Property", "value": {"type": "PostalAddress", "city": "Poznań"}},
    } | attrs


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


def test_every_kind_in_every_form(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=stop())
        assert (await client.get(AT)).json() == stop()
        assert (await client.get(f"{AT}?format=simplified")).json() == {
            "id": ID,
            "type": "BusStop",
            "waiting": {"dataset": {"@none": 4, "urn:x:camera": 5}},
            "location": HERE,
            "name": {"languageMap": {"en": "Market", "pl": "Rynek"}},
            "kind": {"vocab": "Shelter"},
            "raw": {"json": {"id": 5, "type": "x"}},
            "steps": [1, 2],
            "route": ["urn:r:1"],
            "near": ["urn:s:2", "urn:s:3"],
            "address": {"type": "PostalAddress", "city": "Poznań"},
        }
        concise = (await client.get(f"{AT}?options=concise")).json()
        assert concise["waiting"] == [
            {"value": 4},
            {"value": 5, "unitCode": "C62", "datasetId": "urn:x:camera"},
        ]
        assert concise["location"] == HERE
        assert concise["route"] == {"objectList": ["urn:r:1"]}
        assert concise["near"] == {"object": ["urn:s:2", "urn:s:3"]}
        again = {k: v for k, v in concise.items() if k != "id"} | {"id": ID + "c"}
        assert (await client.post("entities", json=again)).status_code == 201
        assert (await client.get(f"{AT}c")).json() == stop(id=ID + "c")
        # format wins over options where both are given (§6.3.7).
        both = (await client.get(f"{AT}?options=keyValues,sysAttrs&format=normalized")).json()
        assert both["steps"]["type"] == "ListProperty"
        assert "createdAt" in both

    serve(test)


@pytest.mark.parametrize(
    ("lang", "text", "chosen"),
    [("pl", "Rynek", "pl"), ("pl-PL", "Rynek", "pl"), ("de,en;q=0.3", "Market", "en"),
     ("*", "Market", "en"), ("fr", "Market", "en")],
)  # fmt: skip
def test_one_language(serve: Serve, lang: str, text: str, chosen: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=stop())
        shown = (await client.get(AT, params={"lang": lang})).json()["name"]
        assert shown == {"type": "Property", "value": text, "lang": chosen}
        simple = (await client.get(AT, params={"lang": lang, "format": "simplified"})).json()
        assert simple["name"] == text

    serve(test)


def test_language_without_a_tag(serve: Serve) -> None:
    """§4.15: whatever is shown, `lang` says which it is."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=stop(name={"languageMap": {"@none": "R", "en": "M"}}))
        shown = (await client.get(AT, params={"lang": "pl"})).json()["name"]
        assert shown == {"type": "Property", "value": "R", "lang": "@none"}

    serve(test)


def test_what_is_picked(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=stop())
        assert set((await client.get(f"{AT}?attrs=steps,none")).json()) == {"id", "type", "steps"}
        assert kind(await client.get(f"{AT}?attrs=none,other")) == (404, "ResourceNotFound")
        assert set((await client.get(f"{AT}?pick=type,steps,none")).json()) == {"type", "steps"}
        for wrong in ("attrs=id", "pick=near{name}", "pick=", "omit=a,,b", "attrs=a b"):
            if wrong != "pick=":
                assert kind(await client.get(f"{AT}?{wrong}")) == (400, "BadRequestData"), wrong
        found = (await client.get("entities?attrs=steps")).json()
        assert [set(one) for one in found] == [{"id", "type", "steps"}]
        assert (await client.get("entities?type=BusStop&attrs=none")).json() == []
        view = (await client.get(f"{AT}?datasetId=urn:x:camera")).json()
        assert set(view) == {"id", "type", "waiting"}
        assert view["waiting"]["value"] == 5
        system = (await client.get(f"{AT}?pick=steps,createdAt&options=sysAttrs")).json()
        assert set(system) == {"steps", "createdAt"}
        assert kind(await client.get(f"{AT}?datasetId=gps")) == (400, "BadRequestData")
        iri = (DEFAULT_VOCAB + "steps").replace("/", "%2F")
        assert set((await client.get(f"{AT}?attrs={iri}")).json()) == {"id", "type", "steps"}

    serve(test)


def test_geojson(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        home = [{"type": "GeoProperty", "value": THERE, "datasetId": "urn:x:map"}]
        await client.post("entities", json=stop(home=home))
        feature = await client.get(AT, headers=GEO)
        assert feature.headers["content-type"] == "application/geo+json"
        assert "link" not in feature.headers
        body = feature.json()
        assert (body["id"], body["type"], body["geometry"]) == (ID, "Feature", HERE)
        assert body["@context"] == CORE
        assert body["properties"]["type"] == "BusStop"
        assert body["properties"]["location"] == {"type": "GeoProperty", "value": HERE}
        assert "id" not in body["properties"]
        plain = await client.get(AT, headers=GEO | {"Prefer": "body=json"})
        assert "@context" not in plain.json()
        assert CORE in plain.headers["link"]
        # Only the default instance, or the one that datasetId names (§4.5.16.1).
        other = await client.get(f"{AT}?geometryProperty=home", headers=GEO)
        assert other.json()["geometry"] is None
        named = await client.get(f"{AT}?geometryProperty=home&datasetId=urn:x:map", headers=GEO)
        assert named.json()["geometry"] == THERE
        many = (await client.get("entities?type=BusStop&format=simplified", headers=GEO)).json()
        assert many["type"] == "FeatureCollection"
        assert many["@context"] == CORE
        assert many["features"][0]["properties"]["location"] == HERE
        assert "@context" not in many["features"][0]
        for path in (f"{AT}?geometryProperty=home", "entities?type=T&geometryProperty=home"):
            answer = await client.get(path)
            assert answer.status_code == 400
            assert answer.json()["type"].endswith("/BadRequestData")
            assert "geometryProperty" in answer.json()["detail"]
            plain = await client.get(path.replace("geometryProperty=home", ""))
            assert plain.status_code == 200

    serve(test)


@pytest.mark.parametrize(
    "query",
    [
        "", "id=urn:a:b", "idPattern=urn", "scopeQ=/A", "pick=name", "local=false",
        "attrs=createdAt", "q=createdAt>2020-01-01T00:00:00Z", "attrs=modifiedAt,expiresAt",
        "type=BusStop&pick=", "type=BusStop&omit=",
        "type=*&local=false", "type=", "type=T&local=maybe",
        "type=T&id=nouri", "type=T&idPattern=(", "type=T&q=", "type=T&q=a==", "type=T&q=a{b}",
        "type=T&georel=near&geometry=Point&coordinates=[0,0]", "type=T&georel=within",
        "type=T&geometry=Point&coordinates=[0,0]", "type=T&coordinates=[0,0]",
        "type=T&georel=beside&geometry=Point&coordinates=[0,0]",
        "type=T&georel=near;maxDistance==x&geometry=Point&coordinates=[0,0]",
        "type=T&georel=equals&geometry=Point&coordinates=[a]",
        "type=T&georel=equals&geometry=Ball&coordinates=[0,0]", "type=T&scopeQ=;",
        "type=T&limit=0", "type=T&limit=-1", "type=T&limit=x", "type=T&offset=-1",
        "type=T&count=yes", "type=(A", "type=A,,B",
    ],
)  # fmt: skip
def test_queries_that_are_refused(serve: Serve, query: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        assert kind(await client.get(f"entities?{query}")) == (400, "BadRequestData")

    serve(test)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("type=T&unknown=1", "unknown"),
        ("type=T&timerel=after", "timerel"),
        ("type=T&options=temporalValues", "temporalValues"),
        ("type=T&options=sysAttrs,noOverwrite", "noOverwrite"),
        ("type=T&format=xml", "xml"),
    ],
)
def test_parameters_of_other_operations_are_refused(serve: Serve, query: str, named: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        answer = await client.get(f"entities?{query}")
        assert kind(answer) == (400, "InvalidRequest")
        assert named in answer.json()["detail"]

    serve(test)


@pytest.mark.parametrize(
    "query",
    ["attrs=steps", "q=steps", "type=*", "local=true", "type=BusStop&join=@none",
     "type=BusStop&splitEntities=false", f"type=BusStop&id={ID},urn:a:b",
     "type=BusStop&idPattern=BusStop:[0-9]", "type=BusStop&count=true&limit=1",
     "georel=near;maxDistance==10&geometry=Point&coordinates=[16.9,52.4]"],
)  # fmt: skip
def test_queries_that_select_it(serve: Serve, query: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=stop())
        answer = await client.get(f"entities?{query}")
        assert [one["id"] for one in answer.json()] == [ID]
        assert ("ngsild-results-count" in answer.headers) == ("count" in query)

    serve(test)


def test_words_of_a_vocabulary_are_compared_expanded(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=stop())

        async def count(**params: str) -> int:
            return len((await client.get("entities", params=params | {"type": "BusStop"})).json())

        assert await count(q="kind==Shelter", expandValues="kind") == 1
        assert await count(q='kind=="Shelter"', expandValues="name,kind") == 1
        assert await count(q='kind=="Bench"', expandValues="kind") == 0
        assert await count(q=f'kind=="{DEFAULT_VOCAB}Shelter"') == 1
        body = {"type": "Query", "q": 'kind=="Shelter"', "expandValues": "kind"}
        assert len((await client.post("entityOperations/query", json=body)).json()) == 1

    serve(test)


@pytest.mark.parametrize(
    "query",
    [
        "type=BusStop&limit=2&q=steps%3E0",
        "limit=1&type=BusStop&q=steps>0&limit=2",
        "%74ype=BusStop&%6Cimit=2&q=steps%3E0",
        "type=BusStop&limit=2&q=steps%3E0&idPattern=Bus.top",
        "type=BusStop&limit=2&q=steps%3E0|name==%22a+b%22",
        "limit=2&offset=0&type=BusStop&q=steps%3E0&",
    ],
)
def test_links_lead_to_the_other_pages_however_a_query_is_written(serve: Serve, query: str) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        many = [stop(id=f"{ID}{n}", steps={"value": n}) for n in range(6)]
        await client.post("entityOperations/create", json=many)

        async def ids(url: str) -> tuple[list[str], dict[str, str]]:
            page = await client.get(url)
            assert page.status_code == 200
            links = [x.partition(">") for x in page.headers.get_list("link")]
            urls = {rest.split('"')[1]: url[1:] for url, _, rest in links}
            return [one["id"][len(ID) :] for one in page.json()], urls

        for _from_memory in (False, True):
            first, links = await ids(f"entities?{query}")
            second, further = await ids("http://rynek.test" + links["next"])
            back = await ids("http://rynek.test" + further["prev"])
            assert (first, second, back[0]) == (["1", "2"], ["3", "4"], ["1", "2"])

    serve(test)


def test_queries_by_post(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        many = [stop(id=f"{ID}{n}", steps={"value": n}) for n in range(5)]
        await client.post("entityOperations/create", json=many)

        async def post(query: str = "", **members: Any) -> httpx.Response:
            body = {"type": "Query"} | members
            return await client.post(f"entityOperations/query{query}", json=body)

        everything = [{"type": "BusStop"}]
        page = await post("?limit=2&count=true&format=simplified", entities=everything, q="steps>0")
        assert [one["steps"] for one in page.json()] == [1, 2]
        assert page.headers["ngsild-results-count"] == "4"
        following = next(x for x in page.headers.get_list("link") if 'rel="next"' in x)
        url = following.partition(">")[0].removeprefix("<")
        assert url.startswith("/ngsi-ld/v1/entityOperations/query?")
        again = await client.post(
            "http://rynek.test" + url,
            json={"type": "Query", "entities": everything, "q": "steps>0"},
        )
        assert [one["steps"] for one in again.json()] == [3, 4]
        one = await post(entities=[{"type": "BusStop", "id": f"{ID}3"}], attrs=["name"])
        assert [set(found) for found in one.json()] == [{"id", "type", "name"}]
        several = [
            {"type": "BusStop", "id": [f"{ID}1", f"{ID}3"], "idPattern": "nothing"},
            {"type": "BusStop", "idPattern": "4$"},
            {"type": "Tram"},
        ]
        some = await post("?count=true", entities=several, pick=["id"])
        assert [found["id"][-1] for found in some.json()] == ["1", "3", "4"]
        assert some.headers["ngsild-results-count"] == "3"
        some = await post(entities=several, q="steps<4", pick=["id"])
        assert [found["id"][-1] for found in some.json()] == ["1", "3"]
        whole = await post(entities=[{"type": "*"}, {"type": "A", "id": "urn:a:1"}], pick=["id"])
        assert len(whole.json()) == 5
        geo = {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [16.9, 52.4]}
        assert len((await post(geoQ=geo, pick=["id"])).json()) == 5
        wrongs: tuple[dict[str, Any], ...] = (
            {},
            {"type": "Search"},
            {"entities": []},
            {"entities": [{"id": ID}]},
            {"entities": [*everything, {"type": "A", "id": "no uri"}]},
            {"entities": [*everything, {"type": "A", "idPattern": "("}]},
            {"entities": [*everything, {"type": "A", "id": []}]},
            {"entities": [{"type": "A"}, "B"]},
            {"entities": everything, "attrs": []},
            {"entities": everything, "attrs": [""]},
            {"entities": [{"type": "A", "id": ID, "idPattern": 5}]},
            {"entities": everything, "q": 5},
            {"entities": everything, "geoQ": []},
            {"entities": everything, "geoQ": {}},
            {"entities": everything, "geoQ": {"georel": "within", "geometry": "Point"}},
            {"entities": [{"type": "urn:ngsi-ld:null"}]},
            {"entities": everything, "lang": None},
            {"entities": everything, "temporalQ": {}},
        )
        for wrong in wrongs:
            assert kind(await post(**wrong)) == (400, "BadRequestData"), wrong
        assert kind(await post(entities=everything, joinLevel="1")) == (400, "BadRequestData")

    serve(test)


def test_kinds_of_one_attribute_that_came_together(serve: Serve) -> None:
    """§5.7.7: all types of attribute that existing entities have, also of one batch."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        batch = [
            {"id": "urn:ngsi-ld:Mixed:1", "type": ["Mixed", "Other"], "a": 1},
            {"id": "urn:ngsi-ld:Mixed:2", "type": "Mixed", "a": {"object": "urn:x:1"}},
            {"id": "urn:ngsi-ld:Mixed:3", "type": "Mixed", "a": {"vocab": "x"}},
        ]
        await client.post("entityOperations/create", json=batch)
        (told,) = (await client.get("types/Mixed")).json()["attributeDetails"]
        assert told["attributeTypes"] == ["Property", "Relationship", "VocabProperty"]
        assert (await client.get("types/Mixed")).json()["entityCount"] == 3

    serve(test)


def test_types_and_attributes(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=stop(type=["BusStop", "Thing"]))
        listed = (await client.get("types")).json()
        assert listed["type"] == "EntityTypeList"
        assert set(listed["typeList"]) == {"BusStop", "Thing"}
        details = await client.get("types?details=true")
        assert CORE in details.headers["link"]
        assert {one["type"] for one in details.json()} == {"EntityType"}
        info = (await client.get("types/BusStop")).json()
        assert info["type"] == "EntityTypeInfo"
        assert info["id"] == DEFAULT_VOCAB + "BusStop"
        steps = next(a for a in info["attributeDetails"] if a["attributeName"] == "steps")
        assert steps == {
            "id": DEFAULT_VOCAB + "steps",
            "type": "Attribute",
            "attributeName": "steps",
            "attributeTypes": ["ListProperty"],
        }
        ld = await client.get("attributes", headers={"Accept": "application/ld+json"})
        assert ld.json()["@context"] == CORE
        # What becomes of another kind, or has been of one, is told.
        await client.put(f"{AT}/attrs/steps", json={"type": "Property", "value": 4})
        steps = (await client.get("attributes/steps")).json()
        assert set(steps["attributeTypes"]) == {"ListProperty", "Property"}
        attribute = (await client.get("attributes/steps")).json()
        assert set(attribute["typeNames"]) == {"BusStop", "Thing"}
        assert kind(await client.get("attributes/none")) == (404, "ResourceNotFound")
        assert kind(await client.get("types?details=maybe")) == (400, "BadRequestData")

    serve(test)


def test_a_type_that_gets_an_attribute_is_found_by_it_at_once(serve: Serve) -> None:
    """A query without a type looks at the types that have its attribute; which those are is not
    remembered for longer than it is true."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        def one(number: int, kind: str, attr: str) -> dict[str, Any]:
            value = {"type": "Property", "value": number}
            return {"id": f"urn:ngsi-ld:{kind}:{number}", "type": kind, attr: value}

        async def found() -> list[str]:
            page = await client.get("entities?q=warmth>0&local=true")
            return sorted(x["id"] for x in page.json())

        await client.post("entities", json=one(1, "Aaa", "warmth"))
        await client.post("entities", json=one(2, "Bbb", "damp"))
        assert await found() == ["urn:ngsi-ld:Aaa:1"]
        await client.post("entities", json=one(3, "Bbb", "warmth"))
        assert await found() == ["urn:ngsi-ld:Aaa:1", "urn:ngsi-ld:Bbb:3"]
        await client.delete("entities/urn:ngsi-ld:Bbb:3")
        assert await found() == ["urn:ngsi-ld:Aaa:1"]
        await client.post("entities", json=one(4, "Bbb", "warmth"))
        assert await found() == ["urn:ngsi-ld:Aaa:1", "urn:ngsi-ld:Bbb:4"]

    serve(test)
