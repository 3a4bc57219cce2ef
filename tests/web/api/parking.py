"""One car park with every kind of attribute, which the tests of the provision clauses change."""

from __future__ import annotations

from typing import Any, Final

import httpx

NULL: Final = "urn:ngsi-ld:null"
ID: Final = "urn:ngsi-ld:Parking:1"
AT: Final = f"entities/{ID}"
ERRORS: Final = "https://uri.etsi.org/ngsi-ld/errors/"
TIME: Final = "2026-11-22T10:00:00Z"
POINT: Final = {"type": "Point", "coordinates": [16.92, 52.41]}


def parking(**attrs: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "type": "Parking",
        "free": {"type": "Property", "value": 25, "unitCode": "C62", "observedAt": TIME,
                 "sure": {"type": "Property", "value": 0.9}},
        "name": {"type": "LanguageProperty", "languageMap": {"en": "Square", "cs": "Náměstí"}},
        "owner": {"type": "Relationship", "object": "urn:ngsi-ld:Firm:1"},
        "address": {"type": "Property", "value": {"street": "Karlova", "city": "Praha"}},
        "kind": {"type": "VocabProperty", "vocab": "deck"},
        "raw": {"type": "JsonProperty", "json": {"a": 1, "b": {"c": 2}}},
        "days": {"type": "ListProperty", "valueList": [1, 2]},
        "location": {"type": "GeoProperty", "value": POINT},
    } | attrs  # fmt: skip


async def read(client: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(AT + query)).json()
    return found


def is_problem(answer: httpx.Response, status: int, kind: str) -> bool:
    problem = answer.json()
    return (
        answer.status_code == status == problem["status"]
        and problem["type"] == ERRORS + kind
        and answer.headers["content-type"] == "application/json"
        and {"title", "detail"} <= problem.keys()
    )
