from __future__ import annotations

from typing import Any

import pytest

from rynek.base.errors import BadRequestData, TooComplexQuery
from rynek.context.model import LOCATION, Entity, Instance
from rynek.context.query import Query, parse_geo, parse_q, parse_scope, parse_types


def expand(name: str) -> str:
    return f"https://example.org/{name}"


BIN = Entity(
    "urn:ngsi-ld:WasteContainer:7",
    [expand("WasteContainer")],
    {
        expand("fillingLevel"): [Instance("Property", 0.8)],
        LOCATION: [Instance("GeoProperty", {"type": "Point", "coordinates": [14.42, 50.08]})],
    },
    scopes=["/Praha/Praha1"],
)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, True),
        ({"ids": ["urn:ngsi-ld:WasteContainer:7"]}, True),
        ({"ids": ["urn:ngsi-ld:WasteContainer:8"]}, False),
        ({"ids": []}, False),
        ({"id_pattern": "Container:[0-9]$"}, True),
        ({"id_pattern": "^Container"}, False),
        ({"types": parse_types("WasteContainer", expand)}, True),
        ({"types": parse_types("Vehicle", expand)}, False),
        ({"attrs": [expand("x"), expand("fillingLevel")]}, True),
        ({"attrs": [expand("x")]}, False),
        ({"q": parse_q("fillingLevel>0.7", expand)}, True),
        ({"q": parse_q("fillingLevel>0.9", expand)}, False),
        ({"scope": parse_scope("/Praha/#")}, True),
        ({"scope": parse_scope("/Brno/#")}, False),
        ({"geo": parse_geo("near;maxDistance==100", "Point", [14.42, 50.08])}, True),
        ({"geo": parse_geo("near;maxDistance==100", "Point", [14.43, 50.08])}, False),
        ({"geo": parse_geo("disjoint", "Point", [1, 1], "none", expand)}, False),
        ({"geo": parse_geo("disjoint", "Point", [1, 1], "fillingLevel", expand)}, False),
    ],
)
def test_each_part_selects(parts: dict[str, Any], expected: bool) -> None:
    query = Query(**parts)
    assert query.matches(BIN) is expected
    assert query.matches(BIN) is expected


def test_all_parts_must_hold() -> None:
    parts: dict[str, Any] = {
        "types": parse_types("WasteContainer", expand),
        "q": parse_q("fillingLevel>0.7", expand),
        "scope": parse_scope("/Praha/#"),
    }
    assert Query(**parts).matches(BIN)
    assert not Query(**parts, id_pattern="Vehicle").matches(BIN)


def test_bad_id_patterns_fail_when_the_query_is_made() -> None:
    with pytest.raises(BadRequestData, match="idPattern: bad pattern"):
        Query(id_pattern="(")
    with pytest.raises(TooComplexQuery, match="idPattern"):
        Query(id_pattern="a" * 2_000)


def test_every_type_is_no_condition() -> None:
    query = Query(types=parse_types("*", expand))
    assert query.types is None
    assert query.matches(BIN)
