"""The provision operations, clause by clause, through HTTP (CIM 009 §5.6.1 - §5.6.6, §5.6.17 - §5.6.21)."""

from __future__ import annotations

from typing import Any, Final

import httpx
import pytest

from rynek.app import Engine
from rynek.context import DEFAULT_VOCAB

from .conftest import Serve
from .parking import AT, ID, NULL, POINT, TIME, is_problem, parking, read

UNKNOWN: Final = "entities/urn:ngsi-ld:Parking:none"

# (method, path below the entity, a body that is right)
ON_ONE: Final[list[tuple[str, str, Any]]] = [
    ("PUT", "", parking(id="urn:ngsi-ld:Parking:none")),
    ("PATCH", "", {"free": 1}),
    ("POST", "/attrs", {"free": 1}),
    ("PATCH", "/attrs", {"free": 1}),
    ("PATCH", "/attrs/free", {"value": 1}),
    ("PUT", "/attrs/free", {"value": 1}),
]


def test_success_has_no_body(serve: Serve) -> None:
    """Tables 6.4.3.1-1, 6.5.3.2-2 and on: 201 with Location, 204, both without a body."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        created = await client.post("entities", json=parking())
        assert (created.status_code, created.content) == (201, b"")
        assert created.headers["location"] == f"/ngsi-ld/v1/entities/{ID}"
        assert "content-type" not in created.headers
        for method, path, body in ON_ONE:
            right = body if method != "PUT" or path else parking()
            answer = await client.request(method, AT + path, json=right)
            assert (answer.status_code, answer.content) == (204, b""), (method, path, answer.text)
        for path in ("/attrs/free", ""):
            answer = await client.delete(AT + path)
            assert (answer.status_code, answer.content) == (204, b"")

    serve(test)


def test_the_order_of_errors(serve: Serve) -> None:
    """An id that is none comes first, then that the entity is unknown, then what is wrong about the
    body; of a partial update, the body comes before the entity (§5.6.4.4)."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        wrong = {"free": {"type": "Propertty", "value": 1}}
        for method, path, body in ON_ONE:
            answer = await client.request(method, "entities/nothing" + path, json=body)
            assert is_problem(answer, 400, "BadRequestData"), (method, path)
            answer = await client.request(method, UNKNOWN + path, json=body)
            assert is_problem(answer, 404, "ResourceNotFound"), (method, path)
            bad = wrong["free"] if path.endswith("free") else wrong
            answer = await client.request(method, UNKNOWN + path, json=bad)
            first = (400, "BadRequestData") if path.endswith("free") and method == "PATCH" else (
                404, "ResourceNotFound")  # fmt: skip
            assert is_problem(answer, *first), (method, path)
            answer = await client.request(method, f"{AT}{path}?type=Other", json=bad)
            assert is_problem(answer, *first), (method, path)
            answer = await client.request(method, AT + path, json=bad)
            assert is_problem(answer, 400, "BadRequestData"), (method, path)
            head = {"content-type": "application/json"}
            answer = await client.request(method, AT + path, content=b"{", headers=head)
            assert is_problem(answer, 400, "InvalidRequest"), (method, path)
            answer = await client.request(method, AT + path, json=[1])
            assert is_problem(answer, 400, "BadRequestData"), (method, path)
            head = {"content-type": "text/plain"}
            answer = await client.request(method, UNKNOWN + path, content=b"{}", headers=head)
            assert (answer.status_code, answer.content) == (415, b"")
        for method, body in (("PATCH", {"value": 1}), ("PUT", {"value": 1}), ("DELETE", None)):
            for name in ("a b", "@value", "createdAt"):
                answer = await client.request(method, f"{UNKNOWN}/attrs/{name}", json=body)
                assert is_problem(answer, 400, "BadRequestData"), (method, name)
            missing = await client.request(method, f"{AT}/attrs/nothing", json=body)
            assert is_problem(missing, 404, "ResourceNotFound"), method
            assert "nothing" in missing.json()["detail"]
        assert is_problem(await client.delete(UNKNOWN), 404, "ResourceNotFound")
        assert is_problem(await client.delete("entities/nothing"), 400, "BadRequestData")
        assert await read(client) == parking()

    serve(test)


def test_create(serve: Serve) -> None:
    """§5.6.1: AlreadyExists comes after what is wrong about the body."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        assert (await client.post("entities", json=parking())).status_code == 201
        again = await client.post("entities", json=parking(type="Other"))
        assert is_problem(again, 409, "AlreadyExists")
        assert ID in again.json()["detail"]
        answer = await client.post("entities", json=parking(free=None))
        assert is_problem(answer, 400, "BadRequestData")
        for body in ({"type": "Parking"}, {"id": ID}, {}, {"id": ID, "type": "Parking", "a": None}):
            assert is_problem(await client.post("entities", json=body), 400, "BadRequestData"), body
        assert (
            await client.post("entities", json={"id": ID + "2", "type": "T"})
        ).status_code == 201
        head = {"content-type": "application/json"}
        for content in (b"", b"{", b"\xff", b'{"id": "a:b", "type": }', b"nul", b"{} {}"):
            answer = await client.post("entities", content=content, headers=head)
            assert is_problem(answer, 400, "InvalidRequest"), content

    serve(test)


def test_update(serve: Serve) -> None:
    """§5.6.2: whole instances are replaced, others appended, NGSI-LD Nulls delete."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking(scope="/CZ"))
        before = await read(client, "?options=sysAttrs")
        body = {
            "id": ID,
            "type": "Garage",
            "scope": ["/CZ", "/CZ/Praha"],
            "free": {"value": 7, "unitCode": NULL, "observedAt": NULL, "sure": NULL,
                     "by": {"object": NULL}, "note": {"value": "x"}},
            "owner": "a text now",
            "name": {"languageMap": {"de": "Platz"}},
            "address": {"value": {"zip": "11000"}},
            "kind": NULL,
            "never": NULL,
            "total": 30,
        }  # fmt: skip
        assert (await client.patch(f"{AT}/attrs", json=body)).status_code == 204
        now = await read(client)
        assert now["free"] == {"type": "Property", "value": 7,
                               "note": {"type": "Property", "value": "x"}}  # fmt: skip
        assert now["owner"] == {"type": "Property", "value": "a text now"}
        assert now["name"]["languageMap"] == {"de": "Platz"}
        assert now["address"]["value"] == {"zip": "11000"}
        assert now["total"]["value"] == 30
        assert now["type"] == ["Parking", "Garage"]
        assert now["scope"] == ["/CZ", "/CZ/Praha"]
        assert {"kind", "never"}.isdisjoint(now)
        after = await read(client, "?options=sysAttrs")
        assert (
            after["free"]["createdAt"] == before["free"]["createdAt"] < after["free"]["modifiedAt"]
        )
        assert after["free"]["note"]["createdAt"] == after["free"]["modifiedAt"]
        assert after["raw"] == before["raw"]
        assert after["createdAt"] == before["createdAt"] < after["modifiedAt"]
        assert (await client.patch(f"{AT}/attrs", json={"scope": NULL})).status_code == 204
        assert "scope" not in await read(client)
        assert (await client.patch(f"{AT}/attrs", json={"scope": "/X"})).status_code == 204
        assert "scope" not in await read(client)  # it only replaces one

    serve(test)


def test_append(serve: Serve) -> None:
    """§5.6.3: with and without overwriting; UpdateResult where something was left out."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        twice = [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}]
        body = {"free": twice, "new": 5, "type": "Garage", "scope": "/CZ"}
        answer = await client.post(f"{AT}/attrs?options=noOverwrite", json=body)
        assert answer.status_code == 207
        assert answer.json().keys() == {"updated", "notUpdated"}
        assert answer.json()["updated"] == [DEFAULT_VOCAB + "free", DEFAULT_VOCAB + "new"]
        (left,) = answer.json()["notUpdated"]
        assert left["attributeName"] == DEFAULT_VOCAB + "free"
        assert left["reason"]
        now = await read(client)
        assert [one["value"] for one in now["free"]] == [25, 2]
        assert (now["type"], now["scope"]) == (["Parking", "Garage"], "/CZ")
        answer = await client.post(
            f"{AT}/attrs?options=noOverwrite", json={"scope": ["/DE", "/CZ"]}
        )
        assert answer.status_code == 204
        assert (await read(client))["scope"] == ["/CZ", "/DE"]
        assert (await client.post(f"{AT}/attrs", json=body)).status_code == 204
        now = await read(client)
        assert [one["value"] for one in now["free"]] == [1, 2]
        assert "unitCode" not in now["free"][0]
        assert now["scope"] == "/CZ"
        for null in ({"free": NULL}, {"scope": NULL}, {"expiresAt": NULL},
                     {"free": {"value": 1, "observedAt": NULL}}):  # fmt: skip
            answer = await client.post(f"{AT}/attrs", json=null)
            assert is_problem(answer, 400, "BadRequestData"), null

    serve(test)


PARTIAL: Final[list[tuple[str, Any, Any]]] = [
    # attribute, body, what the attribute is afterwards (None: unchanged and 400)
    ("free", {"type": "Property", "value": 3},
     {"type": "Property", "value": 3, "unitCode": "C62", "observedAt": TIME,
      "sure": {"type": "Property", "value": 0.9}}),
    ("free", {"observedAt": "2026-11-22T11:00:00Z", "unitCode": NULL, "sure": NULL},
     {"type": "Property", "value": 25, "observedAt": "2026-11-22T11:00:00Z"}),
    ("free", {"sure": {"type": "Property", "value": 1}, "by": {"object": "urn:x:y"}},
     {"type": "Property", "value": 25, "unitCode": "C62", "observedAt": TIME,
      "sure": {"type": "Property", "value": 1}, "by": {"type": "Relationship", "object": "urn:x:y"}}),
    ("address", {"value": {"zip": "1"}}, {"type": "Property", "value": {"zip": "1"}}),
    ("address", {"value": POINT}, {"type": "Property", "value": POINT}),
    ("name", {"languageMap": {"de": "Platz"}},
     {"type": "LanguageProperty", "languageMap": {"de": "Platz"}}),
    ("owner", {"object": "urn:x:z", "objectType": "Firm"},
     {"type": "Relationship", "object": "urn:x:z", "objectType": "Firm"}),
    ("kind", {"vocab": "lot"}, {"type": "VocabProperty", "vocab": "lot"}),
    ("raw", {"json": [1]}, {"type": "JsonProperty", "json": [1]}),
    ("location", {"value": {"type": "Point", "coordinates": [1, 2]}},
     {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}}),
    ("free", {}, parking()["free"]),
    ("free", {"createdAt": "x", "instanceId": 5}, parking()["free"]),
    ("free", {"type": "Relationship", "object": "urn:x:y"}, None),
    ("free", {"object": "urn:x:y"}, None),
    ("free", {"type": "Propertty"}, None),
    ("free", {"observedAt": "noon"}, None),
    ("free", {"value": None}, None),
    ("free", {"datasetId": NULL}, None),
    ("owner", {"unitCode": "C62"}, None),
    ("owner", {"value": 5}, None),
    ("name", {"value": "x"}, None),
    ("name", {"languageMap": {"en": NULL}}, None),
    ("location", {"value": 5}, None),
    ("address", {"value": {"city": NULL}}, None),
    ("free", {"new": {"unitCode": "C62"}}, None),
]  # fmt: skip


def test_partial_update(serve: Serve) -> None:
    """§5.6.4 with §5.5.8: members are overwritten one by one, the type stays."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for name, body, after in PARTIAL:
            await client.post("entityOperations/upsert", json=[parking()])
            answer = await client.patch(f"{AT}/attrs/{name}", json=body)
            if after is None:
                assert is_problem(answer, 400, "BadRequestData"), (name, body)
                assert await read(client) == parking(), (name, body)
            else:
                assert answer.status_code == 204, (name, body, answer.text)
                assert await read(client) == parking(**{name: after}), (name, body)
        for body in ({"value": 1, "datasetId": "urn:d:9"}, {"datasetId": "urn:d:9"}):
            answer = await client.patch(f"{AT}/attrs/free", json=body)
            assert is_problem(answer, 404, "ResourceNotFound")

    serve(test)


def test_delete_attribute(serve: Serve) -> None:
    """§5.6.5, also of scope, by its name or its IRI."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        scope = "https%3A%2F%2Furi.etsi.org%2Fngsi-ld%2Fscope"
        await client.post("entities", json=parking(scope="/CZ"))
        assert (await client.delete(f"{AT}/attrs/scope")).status_code == 204
        answer = await client.delete(f"{AT}/attrs/scope")
        assert is_problem(answer, 404, "ResourceNotFound")
        await client.post(f"{AT}/attrs", json={"scope": "/CZ"})
        assert (await client.delete(f"{AT}/attrs/{scope}")).status_code == 204
        iri = "https%3A%2F%2Furi.etsi.org%2Fngsi-ld%2Fdefault-context%2Ffree"
        assert (await client.delete(f"{AT}/attrs/{iri}")).status_code == 204
        assert is_problem(await client.delete(f"{AT}/attrs/free"), 404, "ResourceNotFound")
        for name in ("scope", scope):
            for method in ("PATCH", "PUT"):
                answer = await client.request(method, f"{AT}/attrs/{name}", json={"value": "/X"})
                assert is_problem(answer, 400, "BadRequestData")

    serve(test)


def test_replace(serve: Serve) -> None:
    """§5.6.18: everything but id and createdAt; §5.6.19: one instance, whole."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking(scope="/CZ", expiresAt="2199-01-01T00:00:00Z"))
        created = (await read(client, "?options=sysAttrs"))["createdAt"]
        body = {"id": ID, "type": "Garage", "free": 1}
        assert (await client.put(AT, json=body)).status_code == 204
        now = await read(client, "?options=sysAttrs")
        assert now["createdAt"] == created < now["modifiedAt"]
        assert await read(client) == body | {"free": {"type": "Property", "value": 1}}
        assert (await client.put(AT, json={"type": "Garage", "free": 2})).status_code == 204
        for wrong in ({"id": ID + "2", "type": "T"}, {"@id": ID + "2", "type": "T"}, {"id": ID},
                      {"id": ID, "type": "T", "free": NULL}):  # fmt: skip
            assert is_problem(await client.put(AT, json=wrong), 400, "BadRequestData"), wrong
        at = f"{AT}/attrs/free"
        before = (await read(client, "?options=sysAttrs"))["free"]
        assert (await client.put(at, json={"object": "urn:x:y"})).status_code == 204
        after = (await read(client, "?options=sysAttrs"))["free"]
        assert (after["type"], after["object"]) == ("Relationship", "urn:x:y")
        assert after["createdAt"] == before["createdAt"] < after["modifiedAt"]
        for raw in (5, "x", [{"value": 1}]):
            assert (await client.put(at, json=raw)).status_code == 400, raw
        assert (await client.put(at, json={"value": 1, "datasetId": "urn:d:1"})).status_code == 404
        assert (await client.put(at, json={})).status_code == 204  # an empty object is a value
        assert (await read(client))["free"] == {"type": "Property", "value": {}}

    serve(test)


def test_times_of_attributes_of_attributes(serve: Serve) -> None:
    """§4.8: createdAt and modifiedAt of every property, whatever it belongs to."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        before = (await read(client, "?options=sysAttrs"))["free"]
        await client.patch(AT, json={"free": {"note": {"value": "x", "by": 1}}})
        added = (await read(client, "?options=sysAttrs"))["free"]
        assert added["createdAt"] == before["createdAt"]
        assert added["sure"] == before["sure"]
        assert added["note"]["createdAt"] == added["modifiedAt"] > before["modifiedAt"]
        assert added["note"]["by"]["createdAt"] == added["modifiedAt"]
        await client.patch(f"{AT}/attrs/free", json={"sure": {"value": 1}})
        changed = (await read(client, "?options=sysAttrs"))["free"]
        assert changed["note"] == added["note"]
        assert changed["sure"]["modifiedAt"] == changed["modifiedAt"] > added["modifiedAt"]

    serve(test)


@pytest.mark.parametrize("context", ["link", "body"])
def test_terms_are_those_of_the_request(serve: Serve, context: str, tmp_path: Any) -> None:
    """§6.3.5: JSON takes its @context from Link, JSON-LD from the body; mixing them is an error."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        local = {"free": "https://example.org/free"}
        await client.post("entities", json=parking())
        ld = {"content-type": "application/ld+json"}
        link = {"link": '<http://127.0.0.1:1/c.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'}
        for method, path, body in ON_ONE:
            right = body if method != "PUT" or path else parking()
            at = AT + path
            if context == "body":
                inside = right | {"@context": local}
                answer = await client.request(method, at, json=inside)
                assert is_problem(answer, 400, "BadRequestData"), (method, path)
                answer = await client.request(method, at, json=right, headers=ld)
                assert is_problem(answer, 400, "BadRequestData"), (method, path)
                answer = await client.request(method, at, json=inside, headers=ld | link)
                assert answer.status_code in (400, 504), (method, path)
            else:
                answer = await client.request(method, at, json=right, headers=link)
                assert is_problem(answer, 504, "LdContextNotAvailable"), (method, path)
        assert await read(client) == parking()

    serve(test)
