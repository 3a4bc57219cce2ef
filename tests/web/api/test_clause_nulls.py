"""The NGSI-LD Null and datasetIds in each operation (CIM 009 §4.5.0, §4.5.5, §5.2.1, §5.5.4)."""

from __future__ import annotations

from typing import Any, Final

import httpx

from rynek.app import Engine

from .conftest import Serve
from .test_clause_4_5 import AT, ID, NULL, R1, form, thing

DELETING: Final[list[tuple[str, Any]]] = [
    ("number", NULL),
    ("number", {"type": "Property", "value": NULL}),
    ("number", {"value": NULL}),
    ("place", {"type": "GeoProperty", "value": NULL}),
    ("place", {"value": NULL}),
    ("link", {"object": NULL}),
    ("links", {"type": "Relationship", "object": [NULL]}),
    ("name", {"languageMap": {"@none": NULL}}),
    ("name", {"type": "LanguageProperty", "languageMap": NULL}),
    ("name", NULL),
    ("word", {"vocab": NULL}),
    ("words", {"type": "VocabProperty", "vocab": [NULL]}),
    ("raw", {"json": NULL}),
    ("path", {"valueList": [NULL]}),
    ("route", {"objectList": [NULL]}),
    ("route", {"type": "ListRelationship", "objectList": [{"object": NULL}]}),
    ("other", {"value": NULL, "datasetId": "urn:d:1"}),
    ("several", [{"value": NULL}, {"value": NULL, "datasetId": "urn:d:1"}]),
    ("several", {"dataset": {"@none": NULL, "urn:d:1": NULL}}),
]


def test_the_ngsi_ld_null_of_each_kind_deletes(serve: Serve) -> None:
    """§4.5.0 with §5.5.8 and §5.5.12: in updates and merges; elsewhere it is BadRequestData."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for name, raw in DELETING:
            single = name not in {"other", "several"} and isinstance(raw, dict)
            for method, path, body in (
                ("PATCH", AT, {name: raw}),
                ("PATCH", f"{AT}/attrs", {name: raw}),
                ("PATCH", f"{AT}/attrs/{name}", raw if single else None),
                ("POST", "entityOperations/merge", [{"id": ID, name: raw}]),
            ):
                if body is None:
                    continue
                await client.post("entityOperations/upsert", json=[form(0)])
                answer = await client.request(method, path, json=body)
                assert answer.status_code == 204, (method, path, raw, answer.text)
                left = (await client.get(AT)).json()
                assert left == {k: v for k, v in form(0).items() if k != name}, (name, method)
            for method, path, body in (
                ("POST", "entities", thing(id=R1, **{name: raw})),
                ("POST", f"{AT}/attrs", {name: raw}),
                ("PUT", AT, thing(**{name: raw})),
                ("PUT", f"{AT}/attrs/{name}", raw if single else None),
            ):
                if body is None:
                    continue
                answer = await client.request(method, path, json=body)
                assert answer.status_code == 400, (method, path, raw)
                assert answer.json()["type"].endswith("/BadRequestData")

    serve(test)


NOWHERE: Final[list[Any]] = [
    {"type": "Property", "value": {"a": NULL}},
    {"type": "Property", "value": [1, NULL]},
    {"type": "Property", "value": [{"a": [NULL]}]},
    {"a": NULL},
    {"type": "Relationship", "object": [R1, NULL]},
    {"type": "VocabProperty", "vocab": ["x", NULL]},
    {"type": "ListProperty", "valueList": [1, NULL]},
    {"type": "ListRelationship", "objectList": [R1, NULL]},
    {"type": "LanguageProperty", "languageMap": {"en": "x", "pl": NULL}},
    {"type": "LanguageProperty", "languageMap": {"en": ["x", NULL]}},
    {"type": "Property", "value": 1, "datasetId": NULL},
    {"type": "Relationship", "object": R1, "objectType": ["Thing", NULL]},
]


def test_the_ngsi_ld_null_has_no_place_inside_of_a_value(serve: Serve) -> None:
    """§5.2.1, §5.5.4: but for merges, and there only as a member of an object (§5.5.12)."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=thing(a=1, x={"value": 1}))
        for raw in NOWHERE:
            for method, path, body in (
                ("POST", "entities", thing(id=R1, x=raw)),
                ("POST", f"{AT}/attrs", {"x": raw}),
                ("PATCH", f"{AT}/attrs", {"x": raw}),
                ("PUT", f"{AT}/attrs/x", raw),
            ):
                answer = await client.request(method, path, json=body)
                assert answer.status_code == 400, (method, path, raw)
        assert (await client.get(f"{AT}?options=keyValues")).json() == thing(a=1, x=1)

    serve(test)


def test_datasets(serve: Serve) -> None:
    """§4.5.5.1: a write reaches only the instances whose datasetId it names; @none is the default."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        many = [{"value": 1, "datasetId": "@none"}, {"value": 2, "datasetId": "urn:d:1"},
                {"value": 3, "datasetId": "urn:d:2"}]  # fmt: skip
        assert (await client.post("entities", json=thing(a=many))).status_code == 201

        async def now() -> Any:
            return (await client.get(AT + "?options=keyValues")).json().get("a")

        assert await now() == {"dataset": {"@none": 1, "urn:d:1": 2, "urn:d:2": 3}}
        assert "datasetId" not in (await client.get(AT)).json()["a"][0]
        await client.patch(f"{AT}/attrs", json={"a": {"value": 9, "datasetId": "urn:d:1"}})
        assert await now() == {"dataset": {"@none": 1, "urn:d:1": 9, "urn:d:2": 3}}
        await client.post(f"{AT}/attrs", json={"a": {"value": 4, "datasetId": "urn:d:3"}})
        await client.patch(f"{AT}/attrs/a", json={"value": 8, "datasetId": "@none"})
        await client.put(f"{AT}/attrs/a", json={"value": 7, "datasetId": "urn:d:2"})
        assert await now() == {"dataset": {"@none": 8, "urn:d:1": 9, "urn:d:2": 7, "urn:d:3": 4}}
        await client.delete(f"{AT}/attrs/a")
        assert await now() == {"dataset": {"urn:d:1": 9, "urn:d:2": 7, "urn:d:3": 4}}
        await client.delete(f"{AT}/attrs/a?datasetId=urn:d:2")
        await client.patch(AT, json={"a": [{"value": NULL, "datasetId": "urn:d:3"}, {"value": 5}]})
        assert await now() == {"dataset": {"urn:d:1": 9, "@none": 5}}
        await client.delete(f"{AT}/attrs/a?datasetId=@none")
        assert await now() == {"dataset": {"urn:d:1": 9}}
        gone = await client.delete(f"{AT}/attrs/a")
        assert gone.status_code == 404
        assert (await client.delete(f"{AT}/attrs/a?datasetId=d")).status_code == 400
        assert (await client.delete(f"{AT}/attrs/a?deleteAll=yes")).status_code == 400
        assert (await client.delete(f"{AT}/attrs/a?deleteAll=true")).status_code == 204
        assert await now() is None

    serve(test)
