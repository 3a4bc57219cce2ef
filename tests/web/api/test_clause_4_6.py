"""Names, data types, places, scopes and expiry (CIM 009 §4.4, §4.6 - §4.8, §4.16, §4.18, §4.22)."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest

from rynek.app import Engine

from .conftest import Serve

NULL: Final = "urn:ngsi-ld:null"
ID: Final = "urn:ngsi-ld:Thing:1"
AT: Final = f"entities/{ID}"
LD: Final = {"content-type": "application/ld+json"}


def thing(**attrs: Any) -> dict[str, Any]:
    return {"id": ID, "type": "Thing"} | attrs


async def refused(client: httpx.AsyncClient, body: Any, says: str) -> None:
    answer = await client.post("entities", json=body)
    assert answer.status_code == 400, (body, answer.text)
    problem = answer.json()
    assert problem["type"] == "https://uri.etsi.org/ngsi-ld/errors/BadRequestData", body
    assert says in problem["detail"], (body, problem["detail"])
    assert problem["status"] == 400
    assert problem["title"]


@pytest.mark.parametrize(
    "name",
    ["speed", "Speed2", "a_b", "швидкість", "速度", "sub-level", "PM2.5", "ex:speed", "ex:a/b#c",
     "https://example.org/speed", "urn:x:speed", "value", "object", "title"],
)  # fmt: skip
def test_legal_names(serve: Serve, name: str) -> None:
    """§4.6.2, and hyphens and dots, which published models have."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        body = thing(
            **{name: {"type": "Property", "value": 5, name.removeprefix("value") or "w": 1}}
        )
        created = await client.post("entities", json=body)
        if name in ("object", "value"):  # in an attribute these words have their own meaning
            assert created.status_code == (201 if name == "value" else 400)
            return
        assert created.status_code == 201, created.text
        got = (await client.get(AT)).json()
        assert got[name]["value"] == 5
        assert got[name][name]["value"] == 1
        path = f"{AT}/attrs/{quote(name, safe='')}"
        assert (await client.patch(path, json={"value": 6})).status_code == 204
        assert (await client.put(path, json={"value": 7})).status_code == 204
        assert (await client.get(AT + "?options=keyValues")).json()[name] == 7
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(AT)).json() == thing()
        assert (await client.delete(path)).status_code == 404

    serve(test)


ILLEGAL: Final = [
    "", " ", "a b", "5g", "_a", "-a", "a<b", "a>b", 'a"b', "a'b", "a=b", "a;b", "a(b", "a)b", "a$b",
    "a|b", "a,b", "a{b", "a[b", "a*b", "a!b", "a&b", "a?b", "😀", "a\u0000b", "@value", "@graph",
    "@none", "ex:", ":a", "a" * 3000,
]  # fmt: skip
RESERVED: Final = ["datasetId", "instanceId", "observedAt", "unitCode", "lang", "objectType",
                   "valueType", "previousValue"]  # fmt: skip


def test_illegal_names(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=thing(a=1))
        for name in ILLEGAL:
            await refused(client, thing(**{name: 5}), "")
            await refused(client, thing(a={"value": 1, name: 5}) if name != "@value" else {}, "")
            await refused(client, {"id": ID, "type": name}, "type")
            if len(name) < 1000:
                path = f"{AT}/attrs/{quote(name, safe='')}"
                for method, body in (
                    ("PATCH", {"value": 1}),
                    ("PUT", {"value": 1}),
                    ("DELETE", None),
                ):
                    answer = await client.request(method, path, json=body)
                    if name:  # without a name the path is that of all attributes
                        assert answer.status_code == 400, (method, name)
        for name in RESERVED:
            await refused(client, thing(**{name: {"type": "Property", "value": 1}}), name)
        # By its IRI a member is the member; what is none of an entity stays none.
        for name, says in (("scope", "not a scope"), ("datasetId", "ngsi-ld/datasetId")):
            await refused(client, thing(**{f"https://uri.etsi.org/ngsi-ld/{name}": 5}), says)

    serve(test)


IDS: Final = [
    "urn:ngsi-ld:Łódź:ulica/Piotrkowska", "https://example.org/a?b=c&d=e#f", "urn:x:100%25",
    "urn:x:a+b", "urn:x:(a)'b;c=d,e", "a:b", "urn:x:" + "y" * 2000, "urn:x:名前",
]  # fmt: skip
NO_IDS: Final = ["", "x", "no uri", "urn:x:a b", "urn:x:<a>", "urn:x:\u0000", "urn:x:a\nb", ":x",
                 "urn:", "urn:x:%zz", "1a:b", "urn:x:" + "y" * 3000, 5, None, ["urn:x:y"], NULL,
                 "urn:x:\\u005c{}"]  # fmt: skip


def test_identifiers(serve: Serve) -> None:
    """§5.2.1: URIs and IRIs; percent-encoded in paths."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for one in IDS:
            created = await client.post("entities", json=thing(id=one, a=1))
            assert created.status_code == 201, one
            path = created.headers["location"].removeprefix("/ngsi-ld/v1/")
            assert (await client.get(path)).json()["id"] == one
            assert (await client.get(f"entities/{quote(one, safe='')}")).json()["id"] == one
            assert (await client.patch(f"{path}/attrs/a", json={"value": 2})).status_code == 204
            assert (await client.delete(path)).status_code == 204
        for wrong in NO_IDS:
            await refused(client, thing(id=wrong), "id")
            if isinstance(wrong, str) and 0 < len(wrong) < 1000 and wrong != NULL:
                path = f"entities/{quote(wrong, safe='')}"
                for method, at, body in (
                    ("GET", path, None), ("DELETE", path, None), ("PATCH", path, {}),
                    ("PUT", path, thing()), ("POST", f"{path}/attrs", {}),
                    ("PATCH", f"{path}/attrs", {}), ("PATCH", f"{path}/attrs/a", {}),
                    ("PUT", f"{path}/attrs/a", {"value": 1}), ("DELETE", f"{path}/attrs/a", None),
                ):  # fmt: skip
                    answer = await client.request(method, at, json=body)
                    assert answer.status_code == 400, (method, wrong)
                    assert answer.json()["type"].endswith("/BadRequestData")

    serve(test)


TIMES: Final = {
    "2026-11-22T10:00:00Z": "2026-11-22T10:00:00Z",
    "2026-11-22T10:00:00.1Z": "2026-11-22T10:00:00.1Z",
    "2026-11-22T10:00:00.123456Z": "2026-11-22T10:00:00.123456Z",
    "2026-11-22T10:00:00,5Z": "2026-11-22T10:00:00.5Z",
    "2024-02-29T23:59:59Z": "2024-02-29T23:59:59Z",
    "2016-12-31T23:59:60Z": "2016-12-31T23:59:59Z",
}
NO_TIMES: Final = [
    "", "now", "2026-11-22", "10:00:00Z", "2026-11-22T10:00Z", "2026-11-22T10:00:00",
    "2026-11-22T10:00:00+00:00", "2026-11-22T11:00:00+01:00", "2026-11-22 10:00:00Z",
    "20261122T100000Z", "2026-11-22T10:00:00.1234567Z", "2026-11-22T10:00:00.Z",
    "2026-02-29T10:00:00Z", "2026-13-01T10:00:00Z", "2026-11-22T25:00:00Z", "2026-W47-7T10:00:00Z",
    "2026-11-22T10:00:00z", "２０２６-11-22T10:00:00Z", 1700000000, None, {"@value": "x"},
    ["2026-11-22T10:00:00Z"], {"type": "Property", "value": "2026-11-22T10:00:00Z"},
]  # fmt: skip


def test_date_times(serve: Serve) -> None:
    """§4.6.3, §4.8: UTC, with seconds and up to six digits of their fraction; never reified."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for given, kept in TIMES.items():
            body = thing(
                a={"value": 1, "observedAt": given, "sub": {"value": 1, "observedAt": given}}
            )
            assert (await client.post("entityOperations/upsert", json=[body])).status_code < 300
            got = (await client.get(AT)).json()["a"]
            assert (got["observedAt"], got["sub"]["observedAt"]) == (kept, kept)
            assert (
                await client.patch(f"{AT}?observedAt={given}", json={"a": 2})
            ).status_code == 204
        for wrong in NO_TIMES:
            await refused(client, thing(a={"value": 1, "observedAt": wrong}), "a: observedAt")
            await refused(
                client, thing(a={"value": 1, "b": {"value": 1, "observedAt": wrong}}), "a.b: "
            )
            await refused(client, thing(expiresAt=wrong), "expiresAt")
            if isinstance(wrong, str):
                path = f"{AT}?observedAt={quote(wrong)}"
                assert (await client.patch(path, json={"a": 2})).status_code == 400, wrong

    serve(test)


POSITIONS: Final[dict[str, Any]] = {
    "Point": [16.9, 52.4],
    "MultiPoint": [[16.9, 52.4, 80.5], [17, 52]],
    "LineString": [[16.9, 52.4], [17, 52]],
    "MultiLineString": [[[16.9, 52.4], [17, 52]]],
    "Polygon": [[[0, 0], [4, 0], [4, 4], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 1]]],
    "MultiPolygon": [[[[0, 0], [4, 0], [4, 4], [0, 0]]]],
}


def test_geometries(serve: Serve) -> None:
    """§4.7: the six kinds, as objects or as the JSON text of one; places are GeoProperties."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        raw: Any
        for kind, positions in POSITIONS.items():
            geometry = {"type": kind, "coordinates": positions}
            for raw in (
                {"type": "GeoProperty", "value": geometry},
                {"type": "GeoProperty", "value": json.dumps(geometry)},
                {"value": geometry},
                geometry,
            ):
                body = thing(location=raw, other=raw)
                assert (await client.post("entityOperations/upsert", json=[body])).status_code < 300
                got = (await client.get(AT)).json()
                assert got["location"] == got["other"]
                assert got["other"] == {"type": "GeoProperty", "value": geometry}
        for name in ("location", "observationSpace", "operationSpace"):
            for raw in ("here", {"value": 5}, {"type": "Relationship", "object": ID},
                        {"type": "Property", "value": geometry}):  # fmt: skip
                await refused(client, thing(**{name: raw}), name)
                answer = await client.put(f"{AT}/attrs/location", json={"value": 5})
                assert answer.status_code == 400
        for text in ('{"type": "Point"}', "{", "[1, 2]", '{"type":"Point","coordinates":[500,0]}'):
            await refused(client, thing(place={"type": "GeoProperty", "value": text}), "place: ")

    serve(test)


SCOPES: Final = ["/Madrid", "Madrid", "/Madrid/Gardens/ParqueNorte", "/Łódź/a_1", "/a/2b"[:2],
                 ["/a", "/b"], ["/a"]]  # fmt: skip
NO_SCOPES: Final = ["", "/", "//a", "/a/", "/a//b", "/1a", "/a/2b", "/_a", "/a-b", "/a b", "/a/+",
                    "/#", 5, None, [], ["/a", 5], {"value": "/a"}, NULL, [NULL], ["/a", NULL],
                    "/a\u0000", {"type": "Property", "value": "/a"}]  # fmt: skip


def test_scopes(serve: Serve) -> None:
    """§4.18: levels begin with a letter; one alone is a text, several are an array."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for scope in SCOPES:
            body = thing(scope=scope)
            assert (await client.post("entityOperations/upsert", json=[body])).status_code < 300
            got = (await client.get(AT)).json()["scope"]
            assert got == (scope[0] if isinstance(scope, list) and len(scope) == 1 else scope)
        for wrong in NO_SCOPES:
            await refused(client, thing(scope=wrong), "scope")

    serve(test)


def test_expiry_is_parsed_and_kept(serve: Serve) -> None:
    """§4.22: expiresAt of entities and instances, set, changed and removed; shown as a system
    attribute (§6.3.11)."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        async def read() -> tuple[Any, Any]:
            got = (await client.get(AT + "?options=sysAttrs")).json()
            return got.get("expiresAt"), got["a"].get("expiresAt")

        late, later = "2199-01-01T00:00:00Z", "2299-01-01T00:00:00Z"
        body = thing(expiresAt=late, a={"value": 1, "expiresAt": late})
        assert (await client.post("entities", json=body)).status_code == 201
        assert await read() == (late, late)
        change = {"expiresAt": later, "a": {"value": 1, "expiresAt": later}}
        assert (await client.patch(AT, json=change)).status_code == 204
        assert await read() == (later, later)
        gone = {"expiresAt": NULL, "a": {"expiresAt": NULL}}
        assert (await client.patch(AT, json=gone)).status_code == 204
        assert await read() == (None, None)

    serve(test)


def test_types_are_only_added(serve: Serve) -> None:
    """§4.16: every operation that writes attributes may add types; only replacing removes them."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=thing(type=["A", "B"]))
        for number, (method, path) in enumerate(
            [("PATCH", AT), ("POST", f"{AT}/attrs"), ("PATCH", f"{AT}/attrs")]
        ):
            body = {"type": ["B", f"T{number}"], "a": 1}
            assert (await client.request(method, path, json=body)).status_code == 204
        assert (await client.get(AT)).json()["type"] == ["A", "B", "T0", "T1", "T2"]
        for query, verb in (("?options=update", "upsert"), ("", "update"), ("", "merge")):
            many = [thing(type=verb.title())]
            answer = await client.post(f"entityOperations/{verb}{query}", json=many)
            assert answer.status_code == 204, answer.text
        assert (await client.get(AT)).json()["type"][-3:] == ["Upsert", "Update", "Merge"]
        for wrong in (NULL, ["A", NULL], [], 5, None, ["A", 5]):
            answer = await client.patch(AT, json={"type": wrong})
            assert answer.status_code == 400, wrong
        await client.put(AT, json=thing(type="C"))
        assert (await client.get(AT)).json()["type"] == "C"
        await client.post("entityOperations/upsert", json=[thing(type=["D", "D"])])
        assert (await client.get(AT)).json()["type"] == "D"

    serve(test)


CONTEXTS: Final[list[tuple[Any, int]]] = [
    ([], 201),
    ({}, 201),
    ([{"Thing": "https://example.org/Thing"}], 201),
    ({"@vocab": "https://example.org/"}, 201),
    ({"ex": "https://example.org/", "a": "ex:a"}, 201),
    ({"ex": {"@id": "https://example.org/", "@prefix": True}, "a": "ex:a"}, 201),
    ({"a": {"@id": "https://example.org/a", "@type": "@id"}}, 201),
    ({"a": {"@id": "https://example.org/a", "@type": "DateTime"}}, 201),
    ({"a": {"@id": "https://example.org/a", "@container": "@list"}}, 201),
    ({"@version": 1.1, "@language": "en", "a": "https://example.org/a"}, 201),
    ({"Property": "https://example.org/Property", "id": "https://example.org/id"}, 201),
    ([None, {"a": "https://example.org/a"}], 201),
    ({"a": {"@id": "https://example.org/a", "@context": {"value": "https://example.org/v"}}}, 400),
    ({"a": {"@reverse": "https://example.org/a"}}, 400),
    ({"a": None}, 400),
    ({"a": 5}, 400),
    ({"a": {"@id": 5}}, 400),
    ({"a": "b", "b": "a"}, 400),
    ({"a": "@id"}, 400),
    (5, 400),
    (True, 400),
    ([5], 400),
    (None, 400),
    ("no url", 504),
]


def test_contexts_in_bodies(serve: Serve) -> None:
    """§4.4, §5.5.7: the core context wins; scoped contexts and what is none are refused."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for context, status in CONTEXTS:
            body = thing(a={"type": "Property", "value": 1}) | {"@context": context}
            answer = await client.post("entities", json=body, headers=LD)
            assert answer.status_code == status, (context, answer.text)
            if status == 201:
                got = await client.get(AT, headers={"accept": "application/ld+json"})
                (name,) = got.json().keys() - {"id", "type", "@context"}
                assert got.json()[name] == {"type": "Property", "value": 1}
                await client.delete(AT)
            elif status == 400:
                assert answer.json()["type"].endswith("/BadRequestData")

    serve(test)


def test_values_come_back_as_they_came(serve: Serve) -> None:
    """§4.6.4: whatever they hold; §4.5.2.2: numbers are JSON numbers."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        value: Any
        for value in (
            "<script>alert('x')</script>", 'a"b;c=(d)', "\u0000\u001f\u2028😀", "ą" * 1000,
            0, -0.0, 1e300, -1e-300, 2**53, 2**63, 2**64, -(2**64), 10**30, 0.1, 1e16,
            {"": {"a.b": {"$x": 1}}}, {"id": 5, "type": 7, "value": None}, [[[]]], [None], {},
            {"@id": "x", "ngsi-ld:hasValue": [1]},
        ):  # fmt: skip
            body = thing(a={"type": "Property", "value": value})
            created = await client.post("entityOperations/upsert", json=[body])
            assert created.status_code < 300, (value, created.text)
            got = (await client.get(AT)).json()["a"]["value"]
            assert got == value, (value, got)
            assert type(got) is type(value) or isinstance(got, (int, float)), value

    serve(test)
