"""The past through HTTP (CIM 009 §5.7.3, §5.7.4, §6.18, §6.19, §6.24)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rynek.app import Engine

from .conftest import Serve

ID = "urn:ngsi-ld:Sensor:1"
V1 = f"temporal/entities/{ID}"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
SPAN = {"timerel": "between", "timeAt": "2026-11-22T08:00:00Z", "endTimeAt": "2026-11-22T09:00:00Z"}


async def fill(client: httpx.AsyncClient) -> None:
    """Four readings, five minutes apart, of every kind that is shown in its own way."""
    await client.post("entities", json={"id": ID, "type": "Sensor"})
    for n in range(4):
        at = {"observedAt": f"2026-11-22T08:{n * 5:02d}:00Z"}
        body = {
            "level": {"type": "Property", "value": n * 10} | at,
            "note": {"type": "LanguageProperty", "languageMap": {"en": f"n{n}"}} | at,
            "raw": {"type": "JsonProperty", "json": {"n": n}} | at,
            "state": {"type": "VocabProperty", "vocab": f"State{n}"} | at,
            "steps": {"type": "ListProperty", "valueList": [n]} | at,
            "next": {"type": "ListRelationship", "objectList": [{"object": f"urn:x:{n}"}]} | at,
            "owner": {"type": "Relationship", "object": f"urn:o:{n}"} | at,
        }
        assert (await client.post(f"entities/{ID}/attrs", json=body)).status_code == 204


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


def test_temporal_values_of_every_kind(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        shown = await client.get(V1, params={"format": "temporalValues", "lastN": 1})
        assert CORE in shown.headers["link"]
        at = "2026-11-22T08:15:00Z"
        assert shown.json() == {
            "id": ID,
            "type": "Sensor",
            "level": {"type": "Property", "values": [[30, at]]},
            "note": {
                "type": "LanguageProperty",
                "languageMaps": [[{"languageMap": {"en": "n3"}}, at]],
            },
            "raw": {"type": "JsonProperty", "jsons": [[{"json": {"n": 3}}, at]]},
            "state": {"type": "VocabProperty", "vocabs": [[{"vocab": "State3"}, at]]},
            "steps": {"type": "ListProperty", "valueLists": [[[3], at]]},
            "next": {"type": "ListRelationship", "objectLists": [[["urn:x:3"], at]]},
            "owner": {"type": "Relationship", "objects": [["urn:o:3", at]]},
        }

    serve(test)


@pytest.mark.parametrize(
    ("params", "levels"),
    [
        ({"timerel": "after", "timeAt": "2026-11-22T08:10:00Z"}, [20, 30]),
        ({"timerel": "before", "timeAt": "2026-11-22T08:10:00Z"}, [0, 10]),
        ({"timerel": "between", "timeAt": "2026-11-22T08:05:00Z",
          "endTimeAt": "2026-11-22T08:15:00Z"}, [10, 20]),
        ({}, [0, 10, 20, 30]),
        ({"lastN": 2}, [20, 30]),
    ],
)  # fmt: skip
def test_bounds(serve: Serve, params: dict[str, Any], levels: list[int]) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        shown = (await client.get(V1, params=params | {"attrs": "level"})).json()
        assert [one["value"] for one in shown["level"]] == levels
        assert all(one["instanceId"].startswith("urn:") for one in shown["level"])

    serve(test)


def test_the_same_by_get_and_by_post(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        values = "?options=temporalValues&count=true"
        got = await client.get(
            "temporal/entities" + values, params={"type": "Sensor", "q": "level>5", **SPAN}
        )
        assert got.status_code == 200
        body = {"type": "Query", "entities": [{"type": "Sensor"}], "q": "level>5"}
        posted = await client.post(
            "temporal/entityOperations/query" + values, json=body | {"temporalQ": SPAN}
        )
        assert posted.json()[0]["level"]["values"][0] == [10, "2026-11-22T08:05:00Z"]
        assert posted.headers["ngsild-results-count"] == "1"
        mean = await client.post(
            "temporal/entityOperations/query?format=aggregatedValues",
            json=body
            | {"temporalQ": SPAN | {"lastN": 5}, "attrs": ["level"]}
            | {"aggrParams": {"aggrMethods": ["avg", "max"], "aggrPeriodDuration": "PT10M"}},
        )
        assert [row[0] for row in mean.json()[0]["level"]["avg"]] == [10, 25]
        for wrong in (
            body,
            body | {"temporalQ": {"timerel": "after"}},
            {"type": "Query", "temporalQ": SPAN},
            body | {"temporalQ": []},
        ):
            answer = await client.post("temporal/entityOperations/query", json=wrong)
            assert kind(answer) == (400, "BadRequestData"), wrong

    serve(test)


@pytest.mark.parametrize("period", [None, "PT0S", "P0D"])
def test_a_period_of_zero_is_the_whole_range(serve: Serve, period: str | None) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        params = {"format": "aggregatedValues", "aggrMethods": "sum", "attrs": "level", **SPAN}
        if period is not None:
            params["aggrPeriodDuration"] = period
        shown = (await client.get(V1, params=params)).json()
        assert [row[0] for row in shown["level"]["sum"]] == [60]
        assert "note" not in (await client.get(V1, params=params | {"attrs": ""})).json()
        texts = await client.get(V1, params=params | {"attrs": "level,note"})
        assert kind(texts) == (400, "InvalidRequest")

    serve(test)


def test_what_is_refused(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        for query in (
            "type=Sensor",
            "timerel=after&timeAt=2026-11-22T08:00:00Z",
            "type=Sensor&timerel=after",
            "type=Sensor&timerel=between&timeAt=2026-11-22T08:00:00Z",
            "type=Sensor&timerel=during&timeAt=2026-11-22T08:00:00Z",
            "type=Sensor&timerel=after&timeAt=noon",
            f"id={ID}&timerel=after&timeAt=2026-11-22T08:00:00Z",
        ):
            answer = await client.get(f"temporal/entities?{query}")
            assert kind(answer) == (400, "BadRequestData"), query
        for query in ("timeAt=2026-11-22T08:00:00Z", "lastN=0", "lastN=x", "timeproperty=when",
                      "format=aggregatedValues"):  # fmt: skip
            assert kind(await client.get(f"{V1}?{query}")) == (400, "BadRequestData"), query
        assert kind(await client.get(f"{V1}?format=simplified")) == (400, "InvalidRequest")
        geo = await client.get(V1, headers={"Accept": "application/geo+json"})
        assert kind(geo) == (406, "InvalidRequest")
        assert kind(await client.get("temporal/entities/urn:x:none")) == (404, "ResourceNotFound")

    serve(test)


@pytest.mark.parametrize("value", [2**64, -(10**30), [{"deep": 10**25}]])
def test_a_number_beyond_64_bits_comes_back(serve: Serve, value: Any) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        entity = {"id": "urn:x:1", "type": "Big", "a": {"type": "Property", "value": value}}
        assert (await client.post("entities", json=entity)).status_code == 201
        since = {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "modifiedAt"}
        for form in ("normalized", "temporalValues"):
            asked = {"type": "Big", "format": form, **since}
            assert (await client.get("temporal/entities", params=asked)).status_code == 200
        one = (await client.get("temporal/entities", params={"type": "Big", **since})).json()
        assert one[0]["a"][0]["value"] == value

    serve(test)


def test_a_time_at_the_end_of_the_calendar_holds_up_no_history(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        late = {"type": "Property", "value": 1, "observedAt": "9999-12-31T23:59:59.999999Z"}
        body = {"id": "urn:late:1", "type": "Late", "a": late}
        assert (await client.post("entities", json=body)).status_code == 201
        assert (await client.post("temporal/entities", json=body | {"a": [late]})).status_code < 300
        history = engine.tenant("default").history
        await history.flush()
        assert history.stats().rows >= 1
        found = await client.get("temporal/entities/urn:late:1")
        assert found.json()["a"][0]["observedAt"] == late["observedAt"]

    serve(test)
