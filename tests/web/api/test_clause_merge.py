"""Merge Entity, alone and in a batch (CIM 009 §5.5.12, §5.6.17, §5.6.20, §6.5.3.4)."""

from __future__ import annotations

from typing import Any, Final

import httpx

from rynek.app import Engine

from .conftest import Serve
from .parking import AT, ERRORS, ID, NULL, POINT, is_problem, parking, read

MERGED: Final[list[tuple[Any, dict[str, Any]]]] = [
    # body, what is different afterwards (a value of None: the attribute is gone)
    ({"free": {"type": "Property", "value": 3}}, {"free": parking()["free"] | {"value": 3}}),
    ({"free": 3}, {"free": parking()["free"] | {"value": 3}}),
    ({"free": {"unitCode": "X"}}, {"free": parking()["free"] | {"unitCode": "X"}}),
    ({"free": {"sure": {"value": 1, "unitCode": "P1"}}},
     {"free": parking()["free"] | {"sure": {"type": "Property", "value": 1, "unitCode": "P1"}}}),
    ({"free": {"sure": {"unitCode": "P1"}}},
     {"free": parking()["free"] | {"sure": {"type": "Property", "value": 0.9, "unitCode": "P1"}}}),
    ({"free": {"by": {"object": "urn:x:y"}}},
     {"free": parking()["free"] | {"by": {"type": "Relationship", "object": "urn:x:y"}}}),
    ({"address": {"value": {"street": "Celetná", "city": NULL}}},
     {"address": {"type": "Property", "value": {"street": "Celetná"}}}),
    ({"address": {"street": "Celetná", "city": NULL}},
     {"address": {"type": "Property", "value": {"street": "Celetná"}}}),
    ({"address": {"value": {"a": {"b": {"c": 1, "d": NULL}}}}},
     {"address": {"type": "Property", "value": {"street": "Karlova", "city": "Praha",
                                                "a": {"b": {"c": 1}}}}}),
    ({"address": {"value": "Celetná 5"}}, {"address": {"type": "Property", "value": "Celetná 5"}}),
    ({"address": {"sure": {"type": "Property", "value": 1}}},
     {"address": parking()["address"] | {"sure": {"type": "Property", "value": 1}}}),
    ({"name": {"languageMap": {"cs": NULL, "de": "Platz"}}},
     {"name": {"type": "LanguageProperty", "languageMap": {"en": "Square", "de": "Platz"}}}),
    ({"name": {"languageMap": {"cs": NULL, "en": NULL}}}, {"name": None}),
    ({"owner": "urn:x:y"}, {"owner": {"type": "Relationship", "object": "urn:x:y"}}),
    ({"owner": {"objectType": "Firm"}}, {"owner": parking()["owner"] | {"objectType": "Firm"}}),
    ({"owner": {"objectType": NULL}}, {}),
    ({"kind": "lot"}, {"kind": {"type": "VocabProperty", "vocab": "lot"}}),
    ({"raw": {"json": {"b": {"c": NULL, "d": 1}}}},
     {"raw": {"type": "JsonProperty", "json": {"a": 1, "b": {"d": 1}}}}),
    ({"days": [3]}, {"days": {"type": "ListProperty", "valueList": [3]}}),
    ({"days": {"valueList": [3]}}, {"days": {"type": "ListProperty", "valueList": [3]}}),
    ({"location": {"type": "Point", "coordinates": [1, 2]}},
     {"location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}}}),
    ({"owner": {"type": "Property", "value": 5}}, {"owner": {"type": "Property", "value": 5}}),
    ({"new": {"street": "x"}}, {"new": {"type": "Property", "value": {"street": "x"}}}),
    ({"new": {"value": {"a": NULL, "b": 1}}}, {"new": {"type": "Property", "value": {"b": 1}}}),
    ({"new": NULL, "never": {"value": NULL, "datasetId": "urn:d:1"}}, {}),
    ({"free": {"value": 5, "datasetId": "urn:d:1"}},
     {"free": [parking()["free"], {"type": "Property", "value": 5, "datasetId": "urn:d:1"}]}),
    ({}, {}),
]  # fmt: skip
UNMERGEABLE: Final[list[Any]] = [
    {"new": {"unitCode": "C62"}},
    {"new": {"type": "VocabProperty"}},
    {"new": {"languageMap": {"en": NULL}}},
    {"name": "a text without its language"},
    {"owner": 5},
    {"location": "here"},
    {"location": {"type": "Property", "value": 5}},
    {"free": {"value": 1, "datasetId": NULL}},
    {"free": {"value": 1, "unitCode": None}},
    {"free": None},
    {"owner": {"unitCode": "C62"}},
    {"type": NULL},
    {"id": "urn:x:y"},
    {"free": {"datasetId": "urn:d:1", "type": "Relationship", "object": "urn:x:y"}},
]


def test_merge(serve: Serve) -> None:
    """§5.6.17 with §5.5.12, alone and in a batch (§5.6.20)."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for body, changed in MERGED:
            after = {k: v for k, v in parking(**changed).items() if v is not None}
            await client.post("entityOperations/upsert", json=[parking()])
            answer = await client.patch(AT, json=body)
            assert answer.status_code == 204, (body, answer.text)
            assert await read(client) == after, body
            await client.post("entityOperations/upsert", json=[parking()])
            answer = await client.post("entityOperations/merge", json=[{"id": ID} | body])
            assert answer.status_code == 204, (body, answer.text)
            assert await read(client) == after, body
        await client.post("entityOperations/upsert", json=[parking()])
        for body in UNMERGEABLE:
            answer = await client.patch(AT, json=body)
            assert is_problem(answer, 400, "BadRequestData"), body
            if "id" not in body:
                answer = await client.post("entityOperations/merge", json=[{"id": ID} | body])
                assert answer.status_code == 207, body
                assert answer.json()["success"] == []
                assert answer.json()["errors"][0]["error"]["type"] == ERRORS + "BadRequestData"
            assert await read(client) == parking(), body
        patch = {"content-type": "application/merge-patch+json"}
        assert (await client.patch(AT, content=b'{"free": 1}', headers=patch)).status_code == 204

    serve(test)


SIMPLIFIED: Final[list[tuple[str, Any, dict[str, Any]]]] = [
    ("", {"free": 3, "owner": "urn:x:y", "kind": "lot", "days": [9]},
     {"free": parking()["free"] | {"value": 3}, "owner": {"type": "Relationship", "object": "urn:x:y"},
      "kind": {"type": "VocabProperty", "vocab": "lot"},
      "days": {"type": "ListProperty", "valueList": [9]}}),
    ("", {"name": {"languageMap": {"de": "Platz"}}, "kind": {"vocab": "lot"}, "raw": {"json": {"a": 2}}},
     {"name": {"type": "LanguageProperty",
               "languageMap": {"en": "Square", "cs": "Náměstí", "de": "Platz"}},
      "kind": {"type": "VocabProperty", "vocab": "lot"},
      "raw": {"type": "JsonProperty", "json": {"a": 2, "b": {"c": 2}}}}),
    ("", {"address": {"type": "PostalAddress", "city": NULL}},
     {"address": {"type": "Property", "value": {"street": "Karlova", "type": "PostalAddress"}}}),
    ("&lang=cs", {"name": "Plocha"},
     {"name": {"type": "LanguageProperty", "languageMap": {"en": "Square", "cs": "Plocha"}}}),
    ("&lang=pl", {"name": ["Plac", "Rynek"]},
     {"name": {"type": "LanguageProperty",
               "languageMap": {"en": "Square", "cs": "Náměstí", "pl": ["Plac", "Rynek"]}}}),
    ("&observedAt=2026-11-23T10:00:00Z", {"free": 3, "owner": "urn:x:y"},
     {"free": parking()["free"] | {"value": 3, "observedAt": "2026-11-23T10:00:00Z"},
      "owner": {"type": "Relationship", "object": "urn:x:y"}}),
    ("", {"location": {"type": "Point", "coordinates": [1, 2]}, "free": POINT},
     {"location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
      "free": parking()["free"] | {"value": POINT}}),
    ("", {"new": {"type": "PostalAddress"}, "other": [1], "free": {"dataset": {"urn:d:1": 4}}},
     {"new": {"type": "Property", "value": {"type": "PostalAddress"}},
      "other": {"type": "Property", "value": [1]},
      "free": [parking()["free"], {"type": "Property", "value": 4, "datasetId": "urn:d:1"}]}),
    ("", {"owner": NULL, "kind": NULL, "never": NULL}, {"owner": None, "kind": None}),
]  # fmt: skip


def test_merge_of_a_simplified_body(serve: Serve) -> None:
    """Table 6.5.3.4-1: the type of an attribute stays; an attempt to change it is an error."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for query, body, changed in SIMPLIFIED:
            after = {k: v for k, v in parking(**changed).items() if v is not None}
            for word in ("format=simplified", "format=keyValues", "options=keyValues"):
                await client.post("entityOperations/upsert", json=[parking()])
                answer = await client.patch(f"{AT}?{word}{query}", json=body)
                assert answer.status_code == 204, (body, answer.text)
                assert await read(client) == after, body
        await client.post("entityOperations/upsert", json=[parking()])
        wrong: Any
        for wrong in (
            {"owner": {"vocab": "x"}},
            {"owner": {"type": "Property", "value": 1}},
            {"free": {"languageMap": {"en": "x"}}},
            {"free": {"json": {}}},
            {"name": {"json": {}}},
            {"name": "no language"},
            {"location": 5},
            {"owner": 5},
        ):
            answer = await client.patch(f"{AT}?format=simplified", json=wrong)
            assert is_problem(answer, 400, "BadRequestData"), wrong
        assert await read(client) == parking()
        for query in ("format=concise", "observedAt=noon", "options=sysAttrs"):
            answer = await client.patch(f"{AT}?{query}", json={"free": 1})
            assert answer.status_code == 400, query

    serve(test)


def test_a_common_time_reaches_what_had_one(serve: Serve) -> None:
    """§5.6.17.4: observedAt of the request, unless the body tells its own."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=parking())
        query = "?observedAt=2026-11-23T10:00:00Z"
        body = {"free": {"value": 1, "observedAt": "2026-11-24T10:00:00Z"}, "address": {"value": 1}}
        await client.patch(AT + query, json=body)
        now = await read(client)
        assert now["free"]["observedAt"] == "2026-11-24T10:00:00Z"
        assert "observedAt" not in now["address"]
        await client.patch(AT + query, json={"free": {"value": 2}})
        assert (await read(client))["free"]["observedAt"] == "2026-11-23T10:00:00Z"

    serve(test)
