"""What the clauses on temporal representations and queries say, one by one (CIM 009 §4.5.6 - §4.5.9,
§4.5.19, §4.11, §4.18, §5.7.3, §5.7.4, §6.3.10 - §6.3.13)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.context import TemporalQuery

from .conftest import Serve

ID = "urn:ngsi-ld:Thing:1"
V1 = f"temporal/entities/{ID}"
NULL = "urn:ngsi-ld:null"
SPAN = {
    "timerel": "between",
    "timeAt": "2024-05-01T10:00:00Z",
    "endTimeAt": "2024-05-01T11:00:00Z",
}
WHOLE = [SPAN["timeAt"], SPAN["endTimeAt"]]


def at(minute: int) -> str:
    return f"2024-05-01T10:{minute:02d}:00Z"


def prop(value: Any, minute: int | None, **more: Any) -> dict[str, Any]:
    instance = {"type": "Property", "value": value, **more}
    return instance if minute is None else instance | {"observedAt": at(minute)}


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


async def put(client: httpx.AsyncClient, entity_id: str = ID, **attrs: Any) -> None:
    body = {"id": entity_id, "type": "Thing"} | attrs
    assert (await client.post("temporal/entities", json=body)).status_code in (201, 204)


async def get(client: httpx.AsyncClient, **params: Any) -> Any:
    answer = await client.get(V1, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def find(client: httpx.AsyncClient, **params: Any) -> Any:
    answer = await client.get("temporal/entities", params={"type": "Thing", **SPAN, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


# Data type → values, and what each method says of them (None: nothing), Tables 4.5.19.1-1 to -3.
TABLE: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    (
        "number",
        [prop(v, i) for i, v in enumerate((1, 2.5, 2.5, 4))],
        {"avg": 2.5, "min": 1, "max": 4, "sum": 10, "sumsq": 29.5, "stddev": 1.0606601717798212,
         "distinctCount": 3, "totalCount": 4},
    ),
    (
        "boolean",
        [prop(v, i) for i, v in enumerate((True, False, True, True))],
        {"avg": 0.75, "min": 0, "max": 1, "sum": 3, "sumsq": 3, "stddev": 0.4330127018922193,
         "distinctCount": 2, "totalCount": 4},
    ),
    (
        "string",
        [prop(v, i) for i, v in enumerate(("b", "a", "c", "a"))],
        {"min": "a", "max": "c", "distinctCount": 3, "totalCount": 4},
    ),
    (
        "object",
        [prop(v, i) for i, v in enumerate(({"a": 1}, {"a": 2}, {"a": 1}))],
        {"distinctCount": 2, "totalCount": 3},
    ),
    (
        "array",
        [prop(v, i) for i, v in enumerate(([1], [1, 2, 3], [1]))],
        {"avg": 5 / 3, "min": 1, "max": 3, "sum": 5, "distinctCount": 2, "totalCount": 3},
    ),
    (
        "dateTime",
        [prop({"@type": "DateTime", "@value": v}, i)
         for i, v in enumerate(("2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00Z"))],
        {"min": {"@type": "DateTime", "@value": "2020-01-01T00:00:00Z"},
         "max": {"@type": "DateTime", "@value": "2020-01-01T00:00:00.5Z"},
         "distinctCount": 2, "totalCount": 2},
    ),
    (
        "date",
        [prop({"@type": "Date", "@value": v}, i) for i, v in enumerate(("2020-01-02", "2020-01-01"))],
        {"min": {"@type": "Date", "@value": "2020-01-01"},
         "max": {"@type": "Date", "@value": "2020-01-02"}, "distinctCount": 2, "totalCount": 2},
    ),
    (
        "time",
        [prop({"@type": "Time", "@value": v}, i) for i, v in enumerate(("10:00:00Z", "11:00:01Z"))],
        {"avg": {"@type": "Time", "@value": "10:30:00.500000Z"},
         "min": {"@type": "Time", "@value": "10:00:00Z"},
         "max": {"@type": "Time", "@value": "11:00:01Z"}, "distinctCount": 2, "totalCount": 2},
    ),
    (
        "uri",
        [prop({"@type": "URI", "@value": v}, i) for i, v in enumerate(("urn:a:1", "urn:a:2"))],
        {"distinctCount": 2, "totalCount": 2},
    ),
    (
        "relationship",
        [{"type": "Relationship", "object": v, "observedAt": at(i)}
         for i, v in enumerate(("urn:a:1", ["urn:a:1", "urn:a:2"], "urn:a:2"))],
        {"distinctCount": 2, "totalCount": 3},
    ),
    (
        "geo",
        [{"type": "GeoProperty", "value": {"type": "Point", "coordinates": [i, 2]}, "observedAt": at(i)}
         for i in range(2)],
        {"distinctCount": 2, "totalCount": 2},
    ),
    (
        "language",
        [{"type": "LanguageProperty", "languageMap": {"en": v}, "observedAt": at(i)}
         for i, v in enumerate("aab")],
        {"distinctCount": 2, "totalCount": 3},
    ),
    (
        "vocab",
        [{"type": "VocabProperty", "vocab": v, "observedAt": at(i)} for i, v in enumerate("aab")],
        {"distinctCount": 2, "totalCount": 3},
    ),
    (
        "list",
        [{"type": "ListProperty", "valueList": v, "observedAt": at(i)}
         for i, v in enumerate(([1], [2, 3]))],
        {"avg": 1.5, "min": 1, "max": 2, "sum": 3, "distinctCount": 2, "totalCount": 2},
    ),
]  # fmt: skip
METHODS = "avg,min,max,sum,sumsq,stddev,distinctCount,totalCount"


@pytest.mark.parametrize(("name", "instances", "told"), TABLE, ids=[one[0] for one in TABLE])
@pytest.mark.parametrize("merged", [False, True], ids=["overlay", "table"])
def test_aggregates_of_every_data_type(
    serve: Serve, name: str, instances: list[Any], told: dict[str, Any], merged: bool
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await put(client, x=instances)
        if merged:
            await engine.tenant("default").history.merge()
        asked = {"format": "aggregatedValues", "aggrMethods": METHODS, **SPAN}
        shown = (await get(client, **asked))["x"]
        assert shown.pop("type") == instances[0]["type"]
        for method, rows in shown.items():
            ((value, start, end),) = rows
            assert [start, end] == WHOLE
            if isinstance(told[method], float):
                value = pytest.approx(value)
            assert told[method] == value, method
        assert shown.keys() == told.keys()
        missing = {"sum", "sumsq", "avg", "min", "stddev"} - told.keys()
        if missing:
            params = asked | {"type": "Thing", "attrs": "x", "aggrMethods": ",".join(missing)}
            refused = await client.get("temporal/entities", params=params)
            assert kind(refused) == (400, "InvalidRequest")

    serve(test)


def test_periods_follow_time_at_and_the_calendar(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await put(client, x=[prop(v, m) for v, m in ((120, 3), (80, 5), (100, 7))])
        asked = {"format": "aggregatedValues", "aggrMethods": "max,avg", "attrs": "x"}
        shown = (await find(client, aggrPeriodDuration="PT4M", **asked))[0]["x"]
        first, second = [at(0), at(4)], [at(4), at(8)]
        assert shown == {
            "type": "Property",
            "max": [[120, *first], [100, *second]],
            "avg": [[120, *first], [90, *second]],
        }
        month = {"timerel": "after", "timeAt": "2024-02-01T00:00:00Z"}
        shown = (await get(client, aggrPeriodDuration="P1M", **asked, **month))["x"]["max"]
        assert shown == [[120, "2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z"]]
        after = {"timerel": "after", "timeAt": at(4)}
        assert (await get(client, **asked, **after))["x"]["max"] == [[100, at(4), at(7)]]
        before = {"timerel": "before", "timeAt": at(6)}
        assert (await get(client, **asked, **before))["x"]["max"] == [[120, at(3), at(6)]]
        newest = await get(client, **asked, **SPAN, lastN=2)
        assert newest["x"]["max"] == [[100, *WHOLE]]
        for wrong in ("PT", "P1", "hour", "P1H", "PT-1S"):
            params = asked | {"aggrPeriodDuration": wrong}
            assert kind(await client.get(V1, params=params)) == (400, "BadRequestData"), wrong
        for wrong in ("median", "avg,", ""):
            params = asked | {"aggrMethods": wrong}
            assert kind(await client.get(V1, params=params)) == (400, "BadRequestData"), wrong

    serve(test)


def test_format_wins_over_options_that_name_one_form(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await put(client, x=[prop(1, 1)])
        both = {"options": "aggregatedValues", "format": "temporalValues"}
        assert (await get(client, **both))["x"] == {"type": "Property", "values": [[1, at(1)]]}
        two = await client.get(V1, params={"options": "aggregatedValues,temporalValues"})
        assert kind(two) == (400, "BadRequestData")

    serve(test)


def test_system_times(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await put(client, x=[prop(1, 1)])
        plain = await get(client)
        assert plain.keys() == {"id", "type", "x"}
        assert plain["x"][0].keys() == {"type", "value", "observedAt", "instanceId"}
        shown = await get(client, options="sysAttrs")
        assert shown.keys() == {"id", "type", "x", "createdAt", "modifiedAt"}
        more = {"createdAt", "modifiedAt"}
        assert shown["x"][0].keys() == plain["x"][0].keys() | more
        assert shown["createdAt"] == shown["x"][0]["createdAt"]
        by_creation = await get(client, timeproperty="createdAt")
        assert by_creation["x"][0]["createdAt"] == shown["createdAt"]
        assert (await find(client, options="sysAttrs"))[0]["modifiedAt"] == shown["modifiedAt"]

    serve(test)


def test_concise_instances(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        place = {"type": "Point", "coordinates": [1, 2]}
        await put(
            client,
            x=[prop(1, 1, unitCode="CEL")],
            owner=[{"type": "Relationship", "object": "urn:a:b", "observedAt": at(1)}],
            place=[{"type": "GeoProperty", "value": place}],
        )
        shown = await get(client, format="concise")
        for ones in (shown["x"], shown["owner"], shown["place"]):
            del ones[0]["instanceId"]
        assert shown["x"] == [{"value": 1, "unitCode": "CEL", "observedAt": at(1)}]
        assert shown["owner"] == [{"object": "urn:a:b", "observedAt": at(1)}]
        assert shown["place"] == [{"value": place}]

    serve(test)


NULLS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "Property": ({"value": 1}, "value", NULL),
    "GeoProperty": ({"value": {"type": "Point", "coordinates": [1, 2]}}, "value", NULL),
    "Relationship": ({"object": "urn:a:b"}, "object", NULL),
    "LanguageProperty": ({"languageMap": {"en": "x"}}, "languageMap", {"@none": NULL}),
    "JsonProperty": ({"json": {"a": 1}}, "json", NULL),
    "VocabProperty": ({"vocab": "a"}, "vocab", NULL),
    "ListProperty": ({"valueList": [1]}, "valueList", [NULL]),
    "ListRelationship": ({"objectList": ["urn:a:b"]}, "objectList", [{"object": NULL}]),
}


@pytest.mark.parametrize("of", NULLS)
def test_a_deleted_attribute_leaves_an_instance_of_its_kind(serve: Serve, of: str) -> None:
    """§4.5.7: its value is the NGSI-LD Null and deletedAt is set."""
    given, member, null = NULLS[of]

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        body = {"id": ID, "type": "Thing", "x": {"type": of, **given}}
        assert (await client.post("entities", json=body)).status_code == 201
        assert (await client.delete(f"entities/{ID}/attrs/x")).status_code == 204
        for flushed in (False, True):
            if flushed:
                await engine.tenant("default").history.flush()
            shown = (await get(client))["x"]
            assert len(shown) == 2
            gone = shown[1]
            assert gone.keys() == {"type", member, "deletedAt", "instanceId"}
            assert (gone["type"], gone[member]) == (of, null)
            when = {"timeproperty": "deletedAt", "timerel": "after", "timeAt": gone["deletedAt"]}
            assert (await get(client, **when))["x"] == [gone]
            found = await client.get("temporal/entities", params={"type": "Thing", **when})
            assert [one["x"] for one in found.json()] == [[gone]]
            assert "x" not in await get(client, **when | {"timerel": "before"})
            ((value, time),) = next(
                pairs
                for name, pairs in (await get(client, format="temporalValues", **when))["x"].items()
                if name != "type"
            )
            assert time == gone["deletedAt"]
            assert NULL in str(value)

    serve(test)


def test_a_deleted_entity(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        body = {"id": ID, "type": ["Thing", "Other"], "x": 1, "scope": "/a"}
        await client.post("entities", json=body)
        await client.delete(f"entities/{ID}")
        shown = await get(client, options="sysAttrs")
        assert shown["type"] == ["Thing", "Other"]
        assert shown["x"][1]["value"] == NULL
        assert [one["value"] for one in shown["scope"]] == ["/a", NULL]
        assert shown["deletedAt"] == shown["x"][1]["deletedAt"] == shown["scope"][1]["deletedAt"]
        assert "deletedAt" not in await get(client)

    serve(test)


def test_scopes_evolve(serve: Serve) -> None:
    """§4.5.6, §4.18: a scope of the core API is observed when it was set."""

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await client.post("entities", json={"id": ID, "type": "Thing", "scope": "/a", "x": 1})
        await client.post(f"entities/{ID}/attrs", json={"scope": ["/b", "/c"]})
        await client.patch(f"entities/{ID}/attrs", json={"x": 2})
        await client.delete(f"entities/{ID}/attrs/scope")
        for flushed in (False, True):
            if flushed:
                await engine.tenant("default").history.flush()
            shown = (await get(client, options="sysAttrs"))["scope"]
            assert [one["value"] for one in shown] == ["/a", ["/b", "/c"], NULL]
            for one in shown[:2]:
                assert one["type"] == "Property"
                assert one["observedAt"] == one["modifiedAt"] == one["createdAt"]
            assert "deletedAt" in shown[2]
            assert "scope" not in await get(client, attrs="x")
            assert (await get(client, attrs="scope")).keys() == {"id", "type", "scope"}
            assert (await get(client, pick="scope")).keys() == {"scope"}
            assert "scope" not in await get(client, omit="scope")

    serve(test)


def test_a_scope_query_looks_at_when_scopes_were_valid(serve: Serve) -> None:
    """The example of annex C.5.16."""
    before = "2024-05-01T09:00:00Z"
    other = "urn:ngsi-ld:Thing:2"

    def scope(value: Any, when: str) -> dict[str, Any]:
        return {"type": "Property", "value": value, "observedAt": when}

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await put(client, scope=[scope("/M/C", before)], x=[prop(v, v) for v in (3, 5, 7)])
        await put(
            client,
            other,
            scope=[scope("/M", before), scope(["/M/C", "/U"], at(10)), scope("/U", at(20))],
            x=[prop(v, v) for v in (9, 12, 14, 21)],
        )
        await put(client, "urn:ngsi-ld:Thing:3", scope=[scope("/M", at(1))], x=[prop(1, 1)])
        for merged in (False, True):
            if merged:
                await engine.tenant("default").history.merge()
            asked = {"attrs": "x,scope", "format": "temporalValues", "scopeQ": "/M/C"}
            first, second = await find(client, **asked)
            assert first["scope"]["values"] == [["/M/C", before]]
            assert first["x"]["values"] == [[v, at(v)] for v in (3, 5, 7)]
            assert second["scope"]["values"] == [[["/M/C", "/U"], at(10)]]
            assert second["x"]["values"] == [[v, at(v)] for v in (12, 14)]
            newest = await find(client, **asked, lastN=1)
            assert [one["x"]["values"] for one in newest] == [[[7, at(7)]], [[14, at(14)]]]
            sums = {"format": "aggregatedValues", "aggrMethods": "sum", "attrs": "x"}
            told = await find(client, scopeQ="/M/C", **sums)
            assert [one["x"]["sum"][0][0] for one in told] == [15, 26]
            late = {"timeAt": at(20), "endTimeAt": at(30)}
            assert await find(client, scopeQ="/M/C", **late) == []

    serve(test)


def test_instances_meet_the_query(serve: Serve) -> None:
    """§5.7.4.4: instances of an attribute that `q` tests are shown where they satisfy it."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await put(client, x=[prop(v, v) for v in (1, 5, 9)], y=[prop("a", 1), prop("b", 5)])
        await put(client, "urn:ngsi-ld:Thing:2", x=[prop(2, 2)], y=[prop("a", 3)])
        shown = await find(client, q='x>3;y=="a"', format="temporalValues")
        assert len(shown) == 1
        assert [v for v, _ in shown[0]["x"]["values"]] == [5, 9]
        assert [v for v, _ in shown[0]["y"]["values"]] == ["a"]
        other = await find(client, q='y=="b"', attrs="x", format="temporalValues")
        assert [v for v, _ in other[0]["x"]["values"]] == [1, 5, 9]
        assert "y" not in other[0]
        newest = await find(client, q="x<9", attrs="x", lastN=1, format="temporalValues")
        assert [one["x"]["values"] for one in newest] == [[[5, at(5)]], [[2, at(2)]]]
        sums = {"format": "aggregatedValues", "aggrMethods": "sum", "attrs": "x"}
        told = await find(client, q="x>1;x<9", **sums)
        assert [one["x"]["sum"][0][0] for one in told] == [5, 2]
        outside = await find(client, q="x==9", endTimeAt=at(9))
        assert outside == []

    serve(test)


def test_places_meet_the_geo_query(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await put(
            client,
            location=[
                {
                    "type": "GeoProperty",
                    "value": {"type": "Point", "coordinates": [i, 50]},
                    "observedAt": at(i),
                }
                for i in range(3)
            ],
            x=[prop(1, 1)],
        )
        near = {"georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": "[1,50]"}
        shown = await find(client, **near)
        places = [one["value"]["coordinates"] for one in shown[0]["location"]]
        assert places == [[1, 50]]
        assert len(shown[0]["x"]) == 1
        assert await find(client, **near | {"coordinates": "[1,51]"}) == []

    serve(test)


def test_datasets_are_filtered_and_last_n_counts_each(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        a, b = "urn:d:a", "urn:d:b"
        await put(
            client,
            x=[prop(v, v) for v in (1, 2)]
            + [prop(v, v, datasetId=a) for v in (3, 4)]
            + [prop(v, v, datasetId=b) for v in (5, 6)],
            y=[prop(9, 9)],
        )
        shown = await get(client, lastN=1)
        assert [one["value"] for one in shown["x"]] == [2, 4, 6]
        shown = await get(client, datasetId=f"{a},@none")
        assert [one["value"] for one in shown["x"]] == [1, 2, 3, 4]
        only = (await find(client, datasetId=b))[0]
        assert [one["value"] for one in only["x"]] == [5, 6]
        assert "y" not in only
        none = await find(client, datasetId="urn:d:none")
        assert none == [{"id": ID, "type": "Thing"}]
        simple = (await get(client, format="temporalValues", datasetId=f"{a},{b}"))["x"]
        assert [one["datasetId"] for one in simple] == [a, b]
        assert kind(await client.get(V1, params={"datasetId": "x"})) == (400, "BadRequestData")

    serve(test)


def test_entities_without_the_attributes_in_the_interval_are_left_out(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await put(client, x=[prop(1, 1)], still=[prop("no time", None)])
        await put(client, "urn:ngsi-ld:Thing:2", y=[prop(1, 1)])
        await put(client, "urn:ngsi-ld:Thing:3", still=[prop("no time", None)])
        everything = await find(client)
        assert [one["id"][-1] for one in everything] == ["1", "2"]
        assert "still" not in everything[0]
        assert [one["id"][-1] for one in await find(client, attrs="x")] == ["1"]
        assert [one["id"][-1] for one in await find(client, attrs="x,y")] == ["1", "2"]
        assert await find(client, pick="x") == [
            {"x": [prop(1, 1) | {"instanceId": everything[0]["x"][0]["instanceId"]}]}
        ]
        assert [one["id"][-1] for one in await find(client, pick="id,y")] == ["2"]
        assert {one for e in await find(client, omit="x,type") for one in e} == {"id", "y"}
        written = {"timeproperty": "modifiedAt", "endTimeAt": "2100-01-01T00:00:00Z"}
        found = await find(client, **written)
        assert [one["id"][-1] for one in found] == ["1", "2", "3"]

    serve(test)


def test_languages(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        words = {"en": "bus", "pl": "autobus"}
        await put(
            client, x=[{"type": "LanguageProperty", "languageMap": words, "observedAt": at(1)}]
        )
        (one,) = (await get(client, lang="pl"))["x"]
        assert (one["type"], one["value"], one["lang"]) == ("Property", "autobus", "pl")
        simple = (await get(client, lang="pl", format="temporalValues"))["x"]
        assert simple == {"type": "Property", "values": [["autobus", at(1)]]}

    serve(test)


def test_pages_of_entities(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for number in range(5):
            await put(client, f"urn:ngsi-ld:Thing:{number}", x=[prop(1, 1)])
        params: dict[str, Any] = {"type": "Thing", **SPAN, "limit": 2, "offset": 2, "count": "true"}
        page = await client.get("temporal/entities", params=params)
        assert [one["id"][-1] for one in page.json()] == ["2", "3"]
        assert page.headers["ngsild-results-count"] == "5"
        links = page.headers.get_list("link")
        assert 'rel="next"' in ",".join(links) and 'rel="prev"' in ",".join(links)
        only = await client.get("temporal/entities", params=params | {"limit": 0})
        assert (only.json(), only.headers["ngsild-results-count"]) == ([], "5")
        bare: dict[str, Any] = {"type": "Thing", **SPAN, "limit": 0}
        none = await client.get("temporal/entities", params=bare)
        assert kind(none) == (400, "BadRequestData")
        many = await client.get("temporal/entities", params=params | {"limit": 1001})
        assert kind(many) == (403, "TooManyResults")

    serve(test)


def test_order_by_id(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for number in range(3):
            await put(client, f"urn:ngsi-ld:Thing:{number}", x=[prop(number, 1)])
        down = await find(client, orderBy="id;desc", local="true")
        assert [one["id"][-1] for one in down] == ["2", "1", "0"]
        other = {"type": "Thing", "orderBy": "x", "local": "true", **SPAN}
        assert kind(await client.get("temporal/entities", params=other)) == (400, "BadRequestData")

    serve(test)


BOUNDED = {"limits__max_instances": 3}


@pytest.mark.parametrize(
    ("params", "shown", "span"),
    [
        (SPAN, [0, 1, 2], f"{at(0)}-{at(2)}/*"),
        ({"timerel": "after", "timeAt": at(1)}, [1, 2, 3], f"{at(1)}-{at(3)}/*"),
        ({"timerel": "before", "timeAt": at(9)}, [0, 1, 2], f"{at(0)}-{at(2)}/*"),
        ({}, [0, 1, 2], f"{at(0)}-{at(2)}/*"),
        ({**SPAN, "lastN": 4}, [3, 4, 5], f"{SPAN['endTimeAt']}-{at(3)}/4"),
        ({"timerel": "before", "timeAt": at(9), "lastN": 5}, [3, 4, 5], f"{at(9)}-{at(3)}/5"),
        ({"timerel": "after", "timeAt": at(1), "lastN": 5}, [3, 4, 5], f"{at(5)}-{at(3)}/5"),
        ({"lastN": 100}, [3, 4, 5], f"{at(5)}-{at(3)}/100"),
        ({"lastN": 3}, [3, 4, 5], None),
    ],
)
def test_what_is_too_much_comes_in_parts(
    serve: Serve, params: dict[str, Any], shown: list[int], span: str | None
) -> None:
    """§6.3.10: 206 and Content-Range, forwards, or backwards with lastN."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await put(client, x=[prop(v, v) for v in range(6)], y=[prop(v, v) for v in (0, 5)])
        answer = await client.get(V1, params=params)
        assert answer.status_code == (200 if span is None else 206)
        assert answer.headers.get("content-range") == (span and f"DateTime {span}")
        document = answer.json()
        assert [one["value"] for one in document["x"]] == shown
        others = [one["value"] for one in document.get("y", [])]
        assert others == [v for v in (0, 5) if span is None or shown[0] <= v <= shown[-1]]
        if "timerel" in params:
            many = await client.get("temporal/entities", params={"type": "Thing", **params})
            assert many.status_code == 206
            assert many.headers["content-range"] == f"DateTime {span}"

    serve(test, **BOUNDED)


def test_an_answer_is_bounded_as_a_whole(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        for number in range(4):
            await put(client, f"urn:ngsi-ld:Thing:{number}", x=[prop(v, v) for v in range(6)])
        params = {"type": "Thing", "attrs": "x", **SPAN}
        cut = await client.get("temporal/entities", params=params)
        assert cut.status_code == 206
        assert [len(one["x"]) for one in cut.json()] == [2, 2, 2, 2]
        assert cut.headers["content-range"] == f"DateTime {at(0)}-{at(1)}/*"
        one = await client.get("temporal/entities", params=params | {"limit": 1})
        assert (one.status_code, len(one.json()[0]["x"])) == (200, 6)
        found = await engine.tenant("default").history.evolution([ID], TemporalQuery(bound=2))
        assert not found[ID].complete

    serve(test, limits__max_answer_instances=8)


def test_several_selectors(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for number in range(3):
            await put(client, f"urn:ngsi-ld:Thing:{number}", x=[prop(1, 1)])
        body = {
            "type": "Query",
            "entities": [
                {"type": "Thing", "id": "urn:ngsi-ld:Thing:0"},
                {"type": "Thing", "idPattern": ":2$"},
            ],
            "temporalQ": SPAN,
        }
        found = await client.post("temporal/entityOperations/query", json=body)
        assert [one["id"][-1] for one in found.json()] == ["0", "2"]

    serve(test)


@pytest.mark.parametrize(
    "query",
    [
        {"timeAt": "2024-05-01T10:00:00"},
        {"timeAt": "2024-05-01"},
        {"timeAt": "2024-05-01T10:00:00+02:00"},
        {"timerel": "during"},
        {"endTimeAt": "later"},
        {"timeproperty": "seenAt"},
        {"lastN": "-1"},
        {"lastN": "1.5"},
        {"pick": "x{y}"},
        {"q": "x{y}==1"},
    ],
)
def test_what_is_no_temporal_query(serve: Serve, query: dict[str, str]) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        params = {"type": "Thing", **SPAN, **query}
        assert kind(await client.get("temporal/entities", params=params)) == (400, "BadRequestData")

    serve(test)
