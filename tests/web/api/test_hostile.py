"""Requests that no honest client sends: a clear 4xx, soon, and nothing half-written."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from .test_fuzz import Ask, ask

__all__ = ["ask"]

MEGABYTE = 1 << 20
LIMIT = 50 * MEGABYTE
NEW = "urn:ngsi-ld:Hostile:1"


def kind(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def entity(**members: Any) -> dict[str, Any]:
    return {"id": NEW, "type": "Hostile", **members}


def absent(ask: Ask, entity_id: str = NEW) -> None:
    assert ask("GET", f"entities/{quote(entity_id, safe=':')}").status == 404


# Sizes


def test_a_body_at_the_bound_and_one_byte_more(ask: Ask) -> None:
    document = json.dumps(entity(a=1)).encode()
    assert (
        ask("POST", "entities", "", document + b" " * (LIMIT - len(document)), seconds=20).status
        == 201
    )
    assert ask("DELETE", f"entities/{NEW}").status == 204
    over = ask("POST", "entities", "", document + b" " * (LIMIT + 1 - len(document)), seconds=20)
    assert over.status == 413 and "larger than" in over.json()["detail"]
    absent(ask)


def test_attributes_without_end(ask: Ask) -> None:
    many = entity(**{f"a{number}": number for number in range(100_000)})
    answer = ask("POST", "entities", "", json.dumps(many).encode(), seconds=10)
    assert kind(answer) == (400, "BadRequestData") and "5000 attributes" in answer.json()["detail"]
    absent(ask)


def test_a_batch_without_end(ask: Ask) -> None:
    batch = [{"id": f"urn:ngsi-ld:Hostile:{n}", "type": "Hostile", "a": n} for n in range(20_000)]
    for operation in ("create", "upsert", "update", "merge"):
        answer = ask(
            "POST", f"entityOperations/{operation}", "", json.dumps(batch).encode(), seconds=15
        )
        assert answer.status in (400, 403) and "10000" in answer.json()["detail"]
    ids = json.dumps([one["id"] for one in batch]).encode()
    assert ask("POST", "entityOperations/delete", "", ids, seconds=15).status in (400, 403)
    absent(ask)


def test_one_bad_entity_in_a_batch_leaves_nothing_of_it(ask: Ask) -> None:
    batch = [
        entity(
            a=1,
            location={"type": "GeoProperty", "value": {"type": "Point", "coordinates": [999, 0]}},
        ),
        {"id": "urn:ngsi-ld:Hostile:2", "type": "Hostile", "a": 1},
    ]
    answer = ask("POST", "entityOperations/upsert", "", json.dumps(batch).encode())
    assert answer.status == 207
    absent(ask)
    assert ask("DELETE", "entities/urn:ngsi-ld:Hostile:2").status == 204


@pytest.mark.parametrize("entity_id", [[None], {"a": 1}, 5, True, None])
def test_an_id_that_is_no_text_is_told_as_none(ask: Ask, entity_id: Any) -> None:
    body = json.dumps([{"id": entity_id, "type": "Hostile", "a": 1}]).encode()
    for verb in ("create", "upsert", "update", "merge"):
        answer = ask("POST", f"entityOperations/{verb}", "", body)
        told = answer.json()["errors"] if answer.status == 207 else []
        assert [one["entityId"] for one in told] == ["urn:ngsi-ld:null"], answer


# Text


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"urn:x:\x00","type":"T"}', b'{"id":"urn:x:\\u0000","type":"T"}',
        b'{"id":"no uri","type":"T"}', b'{"id":"urn:x:<script>","type":"T"}', b'{"id":"","type":"T"}',
        b'{"id":"urn:x:%zz","type":"T"}', b'{"id":5,"type":"T"}', b'{"id":"urn:x:\xed\xa0\x80","type":"T"}',
        b'{"id":"urn:x:1","type":"T","a\\u0000b":1}', b'{"id":"urn:x:1","type":"\\u0000"}',
        b'{"id":"urn:x:1","type":"T","a":{"type":"Property","value":1,"observedAt":"9999-99-99T00:00:00Z"}}',
        b'{"id":"urn:x:1","type":"T","a":{"type":"Property","value":1,"observedAt":"2026-01-01T00:00:00"}}',
        b'{"id":"urn:x:1","type":"T","a":NaN}', b'{"id":"urn:x:1","type":"T","a":-Infinity}',
        b'{"id":"urn:x:1","type":"T","a":1e400}', b'{"id":"urn:x:1","type":"T","a":' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_uri_no_name_no_time_and_no_number(ask: Ask, body: bytes) -> None:
    answer = ask("POST", "entities", "", body)
    assert answer.status == 400 and answer.json()["detail"]
    absent(ask, "urn:x:1")


def test_odd_but_legal_text_comes_back_as_it_was(ask: Ask) -> None:
    odd = {"nul": "a\x00b", "mark": "\ufeff\u202e", "emoji": "👩‍👩‍👧", "high": 1e308, "tiny": 5e-324,
           "long": 2**53 + 1, "quote": "\"\\\u2028</script>'"}  # fmt: skip
    assert ask("POST", "entities", "", json.dumps(entity(**odd)).encode()).status == 201
    shown = ask("GET", f"entities/{NEW}", "options=keyValues").json()
    assert {name: shown[name] for name in odd} == odd
    assert ask("DELETE", f"entities/{NEW}").status == 204


def test_of_doubled_keys_the_last_counts(ask: Ask) -> None:
    body = b'{"id":"urn:x:0","id":"urn:ngsi-ld:Hostile:1","type":"T","a":1,"a":2}'
    assert ask("POST", "entities", "", body).status == 201
    assert ask("GET", f"entities/{NEW}", "options=keyValues").json()["a"] == 2
    absent(ask, "urn:x:0")
    assert ask("DELETE", f"entities/{NEW}").status == 204


# Queries


@pytest.mark.parametrize(
    ("q", "says"),
    [
        (";".join(["a==1"] * 300), "256"), ("(" * 100 + "a" + ")" * 100, "64"),
        ("a==" + ",".join(["1"] * 5000), "256"), ("a{" * 4000 + "b" + "}" * 4000, "join"), ("a~=" + "(" * 500, "pattern"),
        ("a~=" + "x" * 1025, "1024"), ("a~=(a{1,1000}){1,1000}", "pattern"), ("a==" + "9" * 401, "400"),
        ("a==" + "b:" * 9000, "16"), ("a" * 17_000, "16"), ("a==1e400", "double"),
    ],
)  # fmt: skip
def test_queries_beyond_the_bounds(ask: Ask, q: str, says: str) -> None:
    answer = ask("GET", "entities", f"type=Thing&q={quote(q)}")
    assert answer.status in (400, 403) and says in answer.json()["detail"]


@pytest.mark.parametrize(
    "pattern",
    ["^(a+)+$", "(a|aa)+$", "(.*)*x", "(a?){30}a{30}", "([a-z]+)*=", "^(([a-z])+.)+[A-Z]$"],
)
def test_patterns_that_explode_elsewhere_take_linear_time(ask: Ask, pattern: str) -> None:
    made = entity(a="a" * 50_000 + "!", b={"value": ["a" * 1000 + "!"] * 100})
    assert ask("POST", "entities", "", json.dumps(made).encode()).status == 201
    for query in (
        f"q=a~={quote(pattern)}",
        f"q=b~={quote(pattern)}",
        f"idPattern={quote(pattern)}",
    ):
        assert ask("GET", "entities", f"type=Hostile&{query}", seconds=1.0).status == 200
    assert ask("DELETE", f"entities/{NEW}").status == 204


RING = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
BOW = [[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]


@pytest.mark.parametrize(
    "coordinates",
    [
        [BOW], [[]], [], [RING[:3]], [[[0, 0]] * 4], [[[0, 0], [4, 0], [4, 4], [0, 1]]], [[[999, 0], *RING[1:-1], [999, 0]]],
        [RING, BOW], [[RING]], [[["0", "0"]] * 4], [[[True, False]] * 4], [[[0, 0, 0, 0]] * 4], "x", {"a": 1}, None,
    ],
)  # fmt: skip
def test_polygons_that_are_none(ask: Ask, coordinates: Any) -> None:
    query = (
        f"type=Thing&georel=within&geometry=Polygon&coordinates={quote(json.dumps(coordinates))}"
    )
    answer = ask("GET", "entities", query)
    assert kind(answer) == (400, "BadRequestData")
    body = {"type": "Query", "entities": [{"type": "Thing"}],
            "geoQ": {"georel": "within", "geometry": "Polygon", "coordinates": coordinates}}  # fmt: skip
    assert ask("POST", "entityOperations/query", "", json.dumps(body).encode()).status == 400
    made = entity(
        area={"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": coordinates}}
    )
    answer = ask("POST", "entities", "", json.dumps(made).encode())
    if answer.status == 201:  # crossing itself breaks no rule of the standard for a stored place
        assert coordinates in ([BOW], [RING, BOW], [[[0, 0]] * 4])
        for georel in ("within", "intersects", "overlaps", "equals", "disjoint", "contains"):
            near = f"type=Hostile&georel={georel}&geoproperty=area&geometry=Polygon&coordinates={json.dumps([RING])}"
            assert ask("GET", "entities", quote(near, safe="=&")).status == 200
        assert ask("DELETE", f"entities/{NEW}").status == 204
    absent(ask)


def test_a_polygon_of_points_without_end(ask: Ask) -> None:
    points = [[number % 360 / 2, number % 90] for number in range(200_000)]
    body = json.dumps(
        entity(area={"type": "Polygon", "coordinates": [[*points, points[0]]]})
    ).encode()
    answer = ask("POST", "entities", "", body, seconds=10)
    assert answer.status == 400 and "positions" in answer.json()["detail"]
    query = json.dumps({"type": "Query", "entities": [{"type": "Thing"}],
                        "geoQ": {"georel": "within", "geometry": "Polygon", "coordinates": [points]}})  # fmt: skip
    answer = ask("POST", "entityOperations/query", "", query.encode(), seconds=10)
    assert answer.status in (400, 403)
    absent(ask)


@pytest.mark.parametrize(
    ("period", "status"),
    [
        ("PT1S", (200, 403)), ("PT0.000001S", (200, 403)), ("P9999Y", (200,)), ("P9999999Y", (400,)), ("P999999W", (400,)),
        ("P1Y1D", (200, 403)), ("PT87600000H", (200,)), ("P3652059D", (200,)), ("P" + "9" * 300 + "D", (400,)), ("PT1e9S", (400,)),
    ],
)  # fmt: skip
def test_periods_over_ten_thousand_years(ask: Ask, period: str, status: tuple[int, ...]) -> None:
    times = "timerel=between&timeAt=0001-01-01T00:00:00Z&endTimeAt=9999-12-31T23:59:59Z"
    query = f"type=Thing&{times}&options=aggregatedValues&aggrMethods=avg,max&aggrPeriodDuration={period}"
    assert ask("GET", "temporal/entities", query, seconds=5).status in status
    if status == (400,) and period == "P9999999Y":
        assert "more than 10000 years" in ask("GET", "temporal/entities", query).json()["detail"]


# Contexts


def test_contexts_that_nest_loop_or_swell(ask: Ask) -> None:
    deep: Any = {"a": "https://example.org/a"}
    for _ in range(100):
        deep = [deep]
    chain = {f"t{n}": f"t{n + 1}" for n in range(900)}
    loop = {"a": "b:x", "b": "a:y"}
    wide = {f"t{n}": f"https://example.org/{'x' * 20}{n}" for n in range(60_000)}
    for context in (deep, chain, loop, wide, ["https://example.org/"] * 51, {"@import": 5}):
        body = json.dumps(entity(a=1) | {"@context": context}).encode()
        answer = ask(
            "POST", "entities", "", body, ((b"content-type", b"application/ld+json"),), seconds=10
        )
        assert answer.status in (400, 504) and answer.json()["detail"]
    absent(ask)
