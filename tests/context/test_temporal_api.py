"""GET /temporal/entities and /temporal/entities/{id} over a real context and a real history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from rynek.base.clock import SystemClock
from rynek.base.errors import (
    BadRequestData,
    ResourceNotFound,
)
from rynek.base.http import Guard
from rynek.base.settings import Limits
from rynek.context import ContextResolver, core_context, open_context, operations
from rynek.history import History
from rynek.web.api.call import JSON, JSON_LD, Call, Reply
from rynek.web.api.temporal import query_temporal, retrieve_temporal

LD = core_context()
V1, V2 = "urn:ngsi-ld:Vehicle:1", "urn:ngsi-ld:Vehicle:2"
DAY = "2026-03-10T"
SPAN = {"timerel": "between", "timeAt": f"{DAY}00:00:00Z", "endTimeAt": "2026-03-11T00:00:00Z"}


class City:
    """One tenant with a context, a history, and its API."""

    def __init__(self, folder: Path) -> None:
        self.context = open_context(
            folder, SystemClock(), lambda stored: ContextResolver(stored, Guard())
        )
        self.history = History(folder / "history", self.context.changes, None, "Europe/Kyiv")

    async def see(self, entity: str, time: str, kind: str = "Vehicle", **values: Any) -> None:
        """A feed sees values at a time."""
        document: dict[str, Any] = {"id": entity, "type": kind}
        for name, value in values.items():
            document[name] = (
                value
                if isinstance(value, dict)
                else {"type": "Property", "value": value, "observedAt": DAY + time}
            )
        report = await self.context.ingest([document], "feed:test")
        assert not report.rejected

    async def get(self, entity: str, accept: Any = JSON, **params: str) -> Any:
        """The document of one entity."""
        return orjson.loads((await self.reply(entity, accept, **params)).body)

    async def reply(self, entity: str, accept: Any = JSON, **params: str) -> Reply:
        """The reply of one entity."""
        return await retrieve_temporal(self._call((entity,), accept, params))

    async def find(self, accept: Any = JSON, **params: str) -> Any:
        """The documents of a query."""
        return orjson.loads((await query_temporal(self._call((), accept, params))).body)

    async def found(self, **params: str) -> list[str]:
        """The last parts of the ids that a query of the test day gives."""
        return [one["id"].rsplit(":", 1)[1] for one in await self.find(**SPAN | params)]

    def _call(self, args: tuple[str, ...], accept: bytes, params: dict[str, str]) -> Call:
        return Call(
            method="GET",
            path="/".join(["/ngsi-ld/v1/temporal/entities", *args]),
            path_args=args,
            params=params,
            headers={},
            body=b"",
            tenant=SimpleNamespace(context=self.context, history=self.history),
            ld=LD,
            limits=Limits(),
            accept=accept,
        )


def run(folder: Path, test: Callable[[City], Awaitable[None]]) -> None:
    """Run `test` twice over the same writes: from memory, and from the table."""

    async def body(flush: bool) -> None:
        city = City(folder / str(flush))
        await city.history.start()
        try:
            await _drive(city)
            if flush:
                await city.history.flush()
            await test(city)
        finally:
            await city.history.stop()
            await city.context.close()

    for flush in (False, True):
        asyncio.run(body(flush))


async def _drive(city: City) -> None:
    for minute, speed in enumerate((10, 20, 30, 40)):
        await city.see(V1, f"08:0{minute}:00Z", speed=speed, line="A")
    await city.see(V2, "08:00:00Z", speed=90, line="B")
    place = {"type": "Point", "coordinates": [30.5, 50.45]}
    await city.see(
        V2,
        "08:01:00Z",
        location={"type": "GeoProperty", "value": place, "observedAt": f"{DAY}08:01:00Z"},
    )
    await city.see("urn:ngsi-ld:Stop:1", "08:00:00Z", kind="GtfsStop", name="Majdan")


def test_normalized_form_holds_every_instance_with_its_id(tmp_path: Path) -> None:
    async def test(city: City) -> None:
        document = await city.get(V1)
        assert document["id"] == V1
        assert document["type"] == "Vehicle"
        speeds = document["speed"]
        assert [one["value"] for one in speeds] == [10, 20, 30, 40]
        assert [one["observedAt"] for one in speeds] == [f"{DAY}08:0{m}:00Z" for m in range(4)]
        assert all(one["type"] == "Property" for one in speeds)
        ids = {one["instanceId"] for one in speeds + document["line"]}
        assert len(ids) == 5
        assert all(one.startswith("urn:ngsi-ld:instance:") for one in ids)
        assert [one["value"] for one in document["line"]] == ["A"]

    run(tmp_path, test)


def test_json_ld_carries_the_context_and_json_a_link(tmp_path: Path) -> None:
    async def test(city: City) -> None:
        assert "@context" in await city.get(V1, JSON_LD)
        reply = await city.reply(V1)
        assert reply.status == 200
        assert any(name == b"link" for name, _ in reply.headers)
        assert all("@context" in one for one in await city.find(JSON_LD, type="Vehicle", **SPAN))

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"timerel": "before", "timeAt": f"{DAY}08:02:00Z"}, [10, 20]),
        ({"timerel": "after", "timeAt": f"{DAY}08:02:00Z"}, [30, 40]),
        (
            {
                "timerel": "between",
                "timeAt": f"{DAY}08:01:00Z",
                "endTimeAt": f"{DAY}08:03:00Z",
            },
            [20, 30],
        ),
        ({"lastN": "1"}, [40]),
        ({"lastN": "2", "timerel": "before", "timeAt": f"{DAY}08:03:00Z"}, [20, 30]),
        ({"timerel": "after", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "modifiedAt"},
         [10, 20, 30, 40]),
        ({"timerel": "before", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "createdAt"}, []),
    ],
)  # fmt: skip
def test_the_interval(tmp_path: Path, params: dict[str, str], wanted: list[int]) -> None:
    async def test(city: City) -> None:
        document = await city.get(V1, attrs="speed", **params)
        assert [one["value"] for one in document.get("speed", [])] == wanted
        assert "line" not in document

    run(tmp_path, test)


def test_temporal_values_and_projection(tmp_path: Path) -> None:
    async def test(city: City) -> None:
        document = await city.get(V1, options="temporalValues", pick="id,speed")
        assert document == {
            "id": V1,
            "speed": {
                "type": "Property",
                "values": [[10 * (m + 1), f"{DAY}08:0{m}:00Z"] for m in range(4)],
            },
        }
        assert set(await city.get(V1, omit="speed")) == {"id", "type", "line"}
        place = (await city.get(V2, format="temporalValues"))["location"]["values"]
        assert place == [[{"type": "Point", "coordinates": [30.5, 50.45]}, f"{DAY}08:01:00Z"]]

    run(tmp_path, test)


def test_aggregates_over_periods_from_time_at(tmp_path: Path) -> None:
    async def test(city: City) -> None:
        document = await city.get(
            V1,
            options="aggregatedValues",
            aggrMethods="avg,max,totalCount",
            aggrPeriodDuration="PT2M",
            timerel="between",
            timeAt=f"{DAY}08:00:00Z",
            endTimeAt=f"{DAY}09:00:00Z",
        )
        first = [f"{DAY}08:00:00Z", f"{DAY}08:02:00Z"]
        second = [f"{DAY}08:02:00Z", f"{DAY}08:04:00Z"]
        assert document["speed"] == {
            "type": "Property",
            "avg": [[15, *first], [35, *second]],
            "max": [[20, *first], [40, *second]],
            "totalCount": [[2, *first], [2, *second]],
        }
        assert document["line"] == {
            "type": "Property",
            "max": [["A", *first]],
            "totalCount": [[1, *first]],
        }
        (whole,) = await city.find(
            options="aggregatedValues", aggrMethods="sum", type="Vehicle", id=V1, **SPAN
        )
        assert whole["speed"]["sum"] == [[100, SPAN["timeAt"], SPAN["endTimeAt"]]]

    run(tmp_path, test)


def test_queries_select_by_what_was(tmp_path: Path) -> None:
    async def test(city: City) -> None:
        assert await city.found(type="Vehicle") == ["1", "2"]
        assert await city.found(type="Vehicle,GtfsStop") == ["1", "1", "2"]
        assert await city.found(type="GtfsStop;Vehicle") == []
        assert await city.found(type="Vehicle", idPattern="2$") == ["2"]
        assert await city.found(attrs="name") == ["1"]
        assert await city.found(type="Vehicle", q="speed==20") == ["1"]
        assert await city.found(type="Vehicle", q="speed>80") == ["2"]
        assert await city.found(type="Vehicle", q='speed<15;line=="A"') == ["1"]
        near = {"georel": "near;maxDistance==500", "geometry": "Point"}
        assert await city.found(**near, coordinates="[30.501,50.45]") == ["2"]
        assert await city.found(**near, coordinates="[31,50.45]") == []
        assert await city.found(type="Vehicle", limit="1", offset="1") == ["2"]
        late = {"timerel": "after", "timeAt": f"{DAY}08:02:30Z"}
        assert [one["id"] for one in await city.find(type="Vehicle", **late)] == [V1]

    run(tmp_path, test)


def test_a_deleted_entity_keeps_its_past(tmp_path: Path) -> None:
    async def test(city: City) -> None:
        await city.context.write(lambda txn: operations.delete(txn, V1))
        assert "deletedAt" not in await city.get(V1)
        document = await city.get(V1, options="sysAttrs")
        assert "deletedAt" in document
        assert document["type"] == "Vehicle"
        assert [one["value"] for one in document["speed"]] == [10, 20, 30, 40, "urn:ngsi-ld:null"]
        assert "deletedAt" in document["speed"][-1]
        gone = await city.get(
            V1, timeproperty="deletedAt", timerel="after", timeAt="2020-01-01T00:00:00Z"
        )
        assert [one["value"] for one in gone["speed"]] == ["urn:ngsi-ld:null"]

    run(tmp_path, test)


def test_a_bound_cuts_all_series_at_one_moment_and_says_so(tmp_path: Path) -> None:
    async def test(city: City) -> None:
        from rynek.context import TemporalQuery

        found = await city.history.evolution([V1], TemporalQuery(bound=2))
        assert not found[V1].complete
        assert len(found[V1].attrs[LD.expand_term("speed")]) == 2

    run(tmp_path, test)


@pytest.mark.parametrize(
    "params",
    [
        {"timerel": "sometime", "timeAt": f"{DAY}08:00:00Z"},
        {"timerel": "after"},
        {"timerel": "after", "timeAt": "yesterday"},
        {"timerel": "between", "timeAt": f"{DAY}08:00:00Z"},
        {"timeAt": f"{DAY}08:00:00Z"},
        {"lastN": "0"},
        {"lastN": "-1"},
        {"timeproperty": "seenAt"},
        {"options": "aggregatedValues"},
        {"options": "aggregatedValues", "aggrMethods": "median"},
        {"options": "aggregatedValues", "aggrMethods": "avg", "aggrPeriodDuration": "1 hour"},
        {"options": "keyValues"},
    ],
)
def test_nonsense_is_refused(tmp_path: Path, params: dict[str, str]) -> None:
    async def test(city: City) -> None:
        with pytest.raises(BadRequestData):
            await city.get(V1, **params)

    run(tmp_path, test)


def test_unknown_entities_and_queries_without_a_filter_say_so(tmp_path: Path) -> None:
    async def test(city: City) -> None:
        with pytest.raises(ResourceNotFound):
            await city.get("urn:ngsi-ld:Vehicle:nowhere")
        with pytest.raises(BadRequestData):
            await city.find(type="Vehicle")
        with pytest.raises(BadRequestData):
            await city.find(**SPAN)

    run(tmp_path, test)
