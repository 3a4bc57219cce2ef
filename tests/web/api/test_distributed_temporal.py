"""Temporal evolutions over several brokers (CIM 009 §5.7.3, §5.7.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rynek.context.distribution.temporal import merge_evolutions

from .federation import Broker, odd, room, run, says

R1 = "urn:ngsi-ld:Room:1"
SINCE = {"timerel": "after", "timeAt": "2026-05-01T00:00:00Z"}
TEMPORAL = {
    "operations": ["retrieveTemporal", "queryTemporal"],
    "observationInterval": {"startAt": "2020-01-01T00:00:00Z"},
}


def seen(value: int, hour: int) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": f"2026-05-01T{hour:02d}:00:00Z"}


async def observe(broker: Broker, number: int, name: str, *hours: int) -> None:
    await broker.create(room(number, **{name: seen(hours[0], hours[0])}))
    for hour in hours[1:]:
        done = await broker.client.patch(
            f"entities/{room(number)['id']}/attrs?local=true", json={name: seen(hour, hour)}
        )
        assert done.status_code == 204


def test_the_past_of_an_entity_is_one_series(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await observe(here, 1, "a", 1, 3)
        await observe(there, 1, "a", 2, 3, 4)
        await observe(there, 2, "b", 5)
        await here.register(there.url, **TEMPORAL)
        found = (await here.get(f"temporal/entities/{R1}", **SINCE)).json()
        assert [one["value"] for one in found["a"]] == [1, 2, 3, 4]
        values = await here.get(f"temporal/entities/{R1}", options="temporalValues", **SINCE)
        assert [pair[0] for pair in values.json()["a"]["values"]] == [1, 2, 3, 4]
        last = (await here.get(f"temporal/entities/{R1}", lastN=2, **SINCE)).json()
        assert sorted(one["value"] for one in last["a"]) == [3, 4]
        # Only the source knows that one.
        two = (await here.get("temporal/entities/urn:ngsi-ld:Room:2", **SINCE)).json()
        assert two["b"][0]["value"] == 5
        assert (await here.get("temporal/entities/urn:x:9", **SINCE)).status_code == 404
        local = (await here.get(f"temporal/entities/{R1}", local="true", **SINCE)).json()
        assert [one["value"] for one in local["a"]] == [1, 3]
        # Nothing of it is asked for what is now.
        assert (await here.get("entities/urn:ngsi-ld:Room:2")).status_code == 404

    run(tmp_path, test)


def test_pages_of_the_past_of_many(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        for number in (1, 2):
            await observe(here, number, "a", 1)
        for number in (2, 3, 4):
            await observe(there, number, "a", 2)
        await here.register(there.url, **TEMPORAL)
        page = await here.get("temporal/entities", type="Room", count="true", **SINCE)
        values = {one["id"][-1]: [i["value"] for i in one["a"]] for one in page.json()}
        assert values == {"1": [1], "2": [1, 2], "3": [2], "4": [2]}
        assert page.headers["ngsild-results-count"] == "4"
        some = await here.get("temporal/entities", type="Room", limit=2, offset=1, **SINCE)
        assert [one["id"][-1] for one in some.json()] == ["2", "3"]
        assert 'rel="next"' in some.headers["link"]
        query = {"type": "Query", "entities": [{"type": "Room"}], "temporalQ": SINCE}
        posted = await here.client.post("temporal/entityOperations/query", json=query)
        assert len(posted.json()) == 4
        deep = await here.get("temporal/entities", type="Room", offset=1000, **SINCE)
        assert deep.status_code == 403
        split = await here.get(
            "temporal/entities", type="Room", q="a>1", splitEntities="true", **SINCE
        )
        assert split.status_code == 422
        old = {"timerel": "before", "timeAt": "2019-01-01T00:00:00Z"}
        assert (await here.get("temporal/entities", type="Room", **old)).json() == []

    run(tmp_path, test)


def test_a_source_that_sends_no_evolution_is_named(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        await observe(here, 1, "a", 1)
        for wrong in (5, {"id": R1}, {"id": R1, "type": "Room", "a": 5}):
            async with odd(says(wrong)) as source:
                one = await here.register(source.url, **TEMPORAL)
                found = await here.get(f"temporal/entities/{R1}", **SINCE)
                assert found.status_code == 200
                assert found.headers["ngsild-warning"].startswith("111 ")
                await here.client.delete(f"csourceRegistrations/{one}")
        async with odd(says({"id": R1, "type": "Room", "a": [seen(7, 7)]})) as source:
            await here.register(source.url, **TEMPORAL)
            found = await here.get(f"temporal/entities/{R1}", attrs="a", lang="de", **SINCE)
            assert [one["value"] for one in found.json()["a"]] == [1, 7]
            assert "timerel=after" in source.asked[0][1]
            assert "attrs=a" in source.asked[0][1]

    run(tmp_path, test, 1)


WRITES = ["upsertTemporal", "appendAttrsTemporal", "deleteAttrsTemporal", "deleteTemporal",
          "updateAttrInstanceTemporal", "deleteAttrInstanceTemporal"]  # fmt: skip


def past(number: int, **attrs: int) -> dict[str, Any]:
    return room(number, **{name: [seen(hour, hour)] for name, hour in attrs.items()})


@pytest.mark.parametrize("mode", ["inclusive", "redirect", "exclusive"])
def test_the_past_is_written_where_it_belongs(tmp_path: Path, mode: str) -> None:
    async def test(here: Broker, there: Broker) -> None:
        entity = {"type": "Room"} | ({"id": R1} if mode == "exclusive" else {})
        await here.register(
            there.url,
            **TEMPORAL | {"operations": WRITES},
            mode=mode,
            information=[{"entities": [entity], "propertyNames": ["a"]}],
        )

        async def held(broker: Broker) -> dict[str, list[int]] | None:
            answer = await broker.get(f"temporal/entities/{R1}", local="true", **SINCE)
            if answer.status_code == 404:
                return None
            series = {k: v for k, v in answer.json().items() if k not in {"id", "type"}}
            return {name: sorted(one["value"] for one in some) for name, some in series.items()}

        made = await here.client.post("temporal/entities", json=past(1, a=1, b=1))
        assert made.status_code == 201, made.text
        assert made.headers["location"].endswith(R1)
        both = mode == "inclusive"
        assert await there_has(there) == {"a": [1]}
        assert await held(here) == ({"a": [1], "b": [1]} if both else {"b": [1]})
        more = {"a": [seen(2, 2)], "b": [seen(2, 2)]}
        added = await here.client.post(f"temporal/entities/{R1}/attrs", json=more)
        assert added.status_code == 204, added.text
        assert await there_has(there) == {"a": [1, 2]}
        assert await held(here) == ({"a": [1, 2], "b": [1, 2]} if both else {"b": [1, 2]})
        gone = await here.client.delete(f"temporal/entities/{R1}/attrs/a?deleteAll=true")
        assert gone.status_code == 204, gone.text
        assert not (await there_has(there) or {}).get("a")
        await here.client.delete(f"temporal/entities/{R1}")
        assert await there_has(there) is await held(here) is None

    async def there_has(there: Broker) -> dict[str, list[int]] | None:
        answer = await there.get(f"temporal/entities/{R1}", **SINCE)
        if answer.status_code == 404:
            return None
        series = {k: v for k, v in answer.json().items() if k not in {"id", "type"}}
        return {name: sorted(one["value"] for one in some) for name, some in series.items()}

    run(tmp_path, test)


def test_single_instances_are_changed_at_the_source(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says({}, 204)) as source:
            await here.register(source.url, **TEMPORAL | {"operations": WRITES}, mode="redirect")
            path = f"temporal/entities/{R1}/attrs/a/urn:i:1"
            changed = await here.client.patch(path, json={"a": seen(1, 1)})
            assert changed.status_code == 204
            assert (await here.client.delete(path)).status_code == 204
            assert [(method, url) for method, url, _, _ in source.asked] == [
                ("PATCH", f"/ngsi-ld/v1/{path}"), ("DELETE", f"/ngsi-ld/v1/{path}"),
            ]  # fmt: skip
            assert source.asked[0][3] == {"a": seen(1, 1)}
        for request in (
            here.client.post("temporal/entities", json=past(1, a=1)),
            here.client.delete(f"temporal/entities/{R1}"),
        ):
            assert (await request).status_code == 502
        wrong = await here.client.post("temporal/entities", json=room(1, a=None))
        assert wrong.status_code == 400

    run(tmp_path, test, 1)


def test_a_source_of_the_past_that_takes_no_writes_is_a_conflict(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        await here.register(
            "http://127.0.0.1:1", **TEMPORAL, mode="redirect",
            information=[{"entities": [{"type": "Room"}], "propertyNames": ["a"]}],
        )  # fmt: skip
        whole = await here.client.post("temporal/entities", json=past(1, a=1))
        assert whole.status_code == 409
        partly = await here.client.post("temporal/entities", json=past(1, a=1, b=1))
        assert partly.status_code == 207
        assert partly.json()["success"] == [R1]

    run(tmp_path, test, 1)


def test_merging_series() -> None:
    def instance(value: int, at: int, **members: Any) -> dict[str, Any]:
        return seen(value, at) | members

    def merged(*parts: Any, extra: Any = None, descending: bool = False) -> list[Any]:
        documents = [{"id": "u", "type": "T", "a": part} for part in parts]
        extras = [{"id": "u", "type": "T", "a": extra}] if extra else []
        found = merge_evolutions(documents, extras, "observedAt", descending=descending)
        return [one["value"] for one in found["a"]]

    late, early = {"modifiedAt": "2026-05-02T00:00:00Z"}, {"modifiedAt": "2026-05-01T00:00:00Z"}
    assert merged([instance(1, 1, **early)], [instance(2, 1, **late)]) == [2]
    assert merged([instance(1, 1)], [instance(2, 1, datasetId="urn:d:1")]) == [1, 2]
    assert merged([instance(1, 1)], extra=[instance(9, 1), instance(3, 3)]) == [1, 3]
    assert merged([instance(1, 1)], instance(2, 2), descending=True) == [2, 1]
    parts: list[dict[str, Any]] = [
        {"id": "u", "type": "T", "a": {"type": "Property", "values": [[1, "2026-05-01T01:00:00Z"]]}},
        {"id": "u", "type": ["T", "U"],
         "a": [{"type": "Property", "values": [[0, "2026-05-01T00:00:00Z"]]},
               {"type": "Property", "datasetId": "urn:d", "values": []}]},
    ]  # fmt: skip
    found = merge_evolutions(parts, [], "observedAt", descending=False)
    assert found["type"] == ["T", "U"]
    assert [one["values"] for one in found["a"]] == [
        [[0, "2026-05-01T00:00:00Z"], [1, "2026-05-01T01:00:00Z"]], [],
    ]  # fmt: skip
    average = {"type": "Property", "avg": [[1, "x", "y"]]}
    other = {"type": "Property", "avg": [[2, "x", "y"]]}
    both = [
        {"id": "u", "type": "T", "a": average},
        {"id": "u", "type": "T", "a": other, "b": other},
    ]
    found = merge_evolutions(both, [], "observedAt", descending=False)
    assert found["a"] == average and found["b"] == other
