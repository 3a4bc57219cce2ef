"""Payloads for clients of an earlier version of the standard (CIM 009 §4.3.6.8, §6.3.6)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rynek.app import Engine
from rynek.web.api.bodies import dumps, load_json
from rynek.web.api.call import Reply
from rynek.web.api.conformance import conform, preferred_version

from .conftest import Serve

ID = "urn:ngsi-ld:Museum:1"
MUSEUM: dict[str, Any] = {
    "id": ID,
    "type": ["Museum", "Building"],
    "scope": "/city",
    "name": {"type": "LanguageProperty", "languageMap": {"en": "Salt", "pl": "Sól"}},
    "raw": {"type": "JsonProperty", "json": {"a": 1}},
    "kind": {"type": "VocabProperty", "vocab": "open"},
    "floors": {"type": "ListProperty", "valueList": [1, 2], "valueType": "xsd:integer"},
    "near": {"type": "ListRelationship", "objectList": ["urn:x:1", "urn:x:2"]},
    "owner": {"type": "Relationship", "object": "urn:x:3", "objectType": "City"},
    "visitors": [
        {"type": "Property", "value": 1, "datasetId": "urn:d:1", "observedAt": "2026-01-01T00:00:00Z"},
        {"type": "Property", "value": 2, "unitCode": "C62",
         "error": {"type": "LanguageProperty", "languageMap": {"en": "none"}}},
    ],
}  # fmt: skip


def asking(version: str) -> dict[str, str]:
    return {"Prefer": f"ngsi-ld={version}"}


def test_each_version_gets_what_it_knows(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=MUSEUM)
        now = await client.get(f"entities/{ID}", headers=asking("1.9"))
        assert (now.status_code, now.headers["preference-applied"]) == (200, "ngsi-ld=1.9")
        newer = await client.get(f"entities/{ID}", headers=asking("2.4"))
        assert (newer.status_code, newer.headers["preference-applied"]) == (200, "ngsi-ld=1.9")

        eight = await client.get(f"entities/{ID}", headers=asking("1.8"))
        assert (eight.status_code, eight.headers["preference-applied"]) == (203, "ngsi-ld=1.8")
        assert eight.json()["floors"] == {"type": "ListProperty", "valueList": [1, 2]}
        assert eight.json()["owner"] == now.json()["owner"]

        [five] = (await client.get("entities?type=Museum", headers=asking("1.5"))).json()
        assert five["raw"] == {"type": "Property", "value": {"a": 1}}
        assert five["kind"] == {"type": "Property", "value": "open"}
        assert five["floors"] == {"type": "Property", "value": [1, 2]}
        assert five["near"] == {"type": "Relationship", "object": ["urn:x:1", "urn:x:2"]}
        assert five["owner"] == {"type": "Relationship", "object": "urn:x:3"}
        assert five["name"]["type"] == "LanguageProperty"
        assert five["scope"] == "/city"

        first = (await client.get(f"entities/{ID}", headers=asking("1.0"))).json()
        assert first["type"] in ("Museum", "Building")
        assert "scope" not in first
        assert first["name"] == {"type": "Property", "value": MUSEUM["name"]["languageMap"]}
        assert first["visitors"] == {
            "type": "Property", "value": 2, "error": {"type": "Property", "value": {"en": "none"}},
        }  # fmt: skip

    serve(test)


def test_other_forms_and_answers(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=MUSEUM)
        path = f"entities/{ID}"
        concise = await client.get(f"{path}?format=concise", headers=asking("1.5"))
        assert concise.json()["kind"] == {"type": "Property", "value": "open"}
        short = await client.get(f"{path}?format=simplified", headers=asking("1.3"))
        assert short.status_code == 203
        assert "scope" not in short.json()
        assert short.json()["raw"] == {"json": {"a": 1}}
        geo = asking("1.5") | {"Accept": "application/geo+json"}
        feature = (await client.get(path, headers=geo)).json()
        assert feature["properties"]["raw"]["type"] == "Property"
        plain = {"id": "urn:x:9", "type": "T", "a": {"type": "Property", "value": 1}}
        await client.post("entities", json=plain)
        same = await client.get("entities/urn:x:9", headers=asking("1.2"))
        assert (same.status_code, same.headers["preference-applied"]) == (200, "ngsi-ld=1.2")
        types = await client.get("types", headers=asking("1.2"))
        assert (types.status_code, types.headers["preference-applied"]) == (200, "ngsi-ld=1.9")
        missing = await client.get("entities/urn:x:none", headers=asking("1.2"))
        assert "preference-applied" not in missing.headers
        other = await client.get(path, headers={"Prefer": "return=minimal"})
        assert "preference-applied" not in other.headers

    serve(test)


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ("ngsi-ld=1.5", (1, 5)),
        ('respond-async, ngsi-ld="1.8"; x=1', (1, 8)),
        ("NGSI-LD=1.0", (1, 0)),
        ("ngsi-ld=1", None),
        ("ngsi-ld=1.8.1", None),
        ("xngsi-ld=1.8", None),
        ("body=json", None),
        ("", None),
    ],
)
def test_the_version_in_a_prefer_header(header: str, version: tuple[int, int] | None) -> None:
    assert preferred_version(header) == version


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abtypevalue@", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "value", "vocab", "objectList", "scope", "datasetId", "x"]),
            inner | st.sampled_from(["VocabProperty", "ListRelationship", "Feature"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON, st.tuples(st.integers(0, 3), st.integers(0, 12)), st.booleans())
@example({"type": [[None]]}, (0, 0), False)
def test_any_payload_is_amended_once(
    document: Any, version: tuple[int, int], simplified: bool
) -> None:
    reply = Reply(200, dumps(document))
    once = conform(reply, version, entities=True, simplified=simplified)
    assert once.status in (200, 203)
    assert (load_json(once.body) == document) or once.status == 203
    twice = conform(Reply(200, once.body), version, entities=True, simplified=simplified)
    assert twice.body == once.body
