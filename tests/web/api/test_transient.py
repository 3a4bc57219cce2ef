"""expiresAt: shown with sysAttrs, gone from its moment on, removed with a change row (§4.22)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.base.clock import MICRO, to_iso
from rynek.context import Context

from .conftest import Serve

AT = "entities/urn:Alert:1"


def alert(number: int = 1, **attrs: Any) -> dict[str, Any]:
    return {"id": f"urn:Alert:{number}", "type": "Alert"} | attrs


def prop(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value} | more


class Hands:
    """A clock that only moves when it is told to."""

    def __init__(self, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = context.clock.now()
        monkeypatch.setattr(context.clock, "now", self.now)

    def now(self) -> int:
        self.time += 1
        return self.time

    def at(self, seconds: float) -> str:
        return to_iso(self.time + int(seconds * MICRO))

    def move(self, seconds: float) -> None:
        self.time += int(seconds * MICRO)


def test_it_is_shown_only_with_system_attributes(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        late, later = "2999-01-01T00:00:00Z", "2999-01-01T00:00:00.5Z"
        sub = prop(1, expiresAt=later)
        made = alert(
            expiresAt=late,
            level=[prop(1), prop(2, datasetId="urn:d:1", expiresAt=later, by=sub)],
            expired=prop({"expiresAt": "today"}),
        )
        assert (await client.post("entities", json=made)).status_code == 201
        plain = alert(
            level=[prop(1), prop(2, datasetId="urn:d:1", by=prop(1))],
            expired=prop({"expiresAt": "today"}),
        )
        assert (await client.get(AT)).json() == plain
        assert (await client.get("entities?type=Alert")).json() == [plain]
        assert "expiresAt" not in (await client.get(f"{AT}?format=concise")).json()
        shown = (await client.get(f"{AT}?options=sysAttrs")).json()
        assert shown["expiresAt"] == late
        assert shown["level"][1]["expiresAt"] == later
        assert shown["level"][1]["by"]["expiresAt"] == later
        assert "expiresAt" not in shown["level"][0]
        past = f"temporal/{AT}"  # Table 6.3.11-1 says the same of temporal representations
        assert "expiresAt" not in (await client.get(past)).json()
        assert (await client.get(f"{past}?options=sysAttrs")).json()["expiresAt"] == late
        found = await client.get("entities?type=Alert&q=expiresAt>2998-01-01T00:00:00Z")
        assert len(found.json()) == 1
        found = await client.get("entities?type=Alert&q=level.expiresAt>2998-01-01T00:00:00Z")
        assert len(found.json()) == 1
        # Other writes leave it alone; the NGSI-LD Null takes it away.
        await client.patch(AT, json={"level": 5})
        shown = (await client.get(f"{AT}?options=sysAttrs")).json()
        assert (shown["expiresAt"], shown["level"][1]["expiresAt"]) == (late, later)
        await client.patch(AT, json={"expiresAt": "urn:ngsi-ld:null"})
        assert "expiresAt" not in (await client.get(f"{AT}?options=sysAttrs")).json()

    serve(test)


def test_what_has_expired_is_nowhere_from_that_moment_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        context = engine.tenant("default").context
        clock = Hands(context, monkeypatch)
        soon = clock.at(10)
        await client.post("entities", json=alert(1, expiresAt=soon, level=prop(7)))
        await client.post("entities", json=alert(2, level=prop(7)))
        counted = await client.get("entities?type=Alert&q=level==7&count=true")
        assert counted.headers["ngsild-results-count"] == "2"
        clock.move(9.9)
        assert (await client.get(AT)).status_code == 200
        clock.move(0.2)
        counted = await client.get("entities?type=Alert&q=level==7&count=true")
        assert counted.headers["ngsild-results-count"] == "1"
        assert [one["id"] for one in counted.json()] == ["urn:Alert:2"]
        assert (await client.get(AT)).status_code == 404
        assert (await client.get("types/Alert")).json()["entityCount"] == 1
        last = context.changes.read(0)[-1]
        assert (last.op, last.entity_id, last.source) == ("delete", "urn:Alert:1", "expiry")
        assert context.store.soonest is None

    serve(test)


def test_its_id_is_free_again_and_its_neighbours_stay(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        clock = Hands(engine.tenant("default").context, monkeypatch)
        many = [alert(n, expiresAt=clock.at(n / 100)) for n in range(1, 1201)]
        done = await client.post("entityOperations/create", json=many)
        assert done.status_code == 201
        clock.move(6.005)
        assert (await client.post("entities", json=alert(1, level=1))).status_code == 201
        assert (await client.delete("entities/urn:Alert:2")).status_code == 404
        counted = await client.get("entities?type=Alert&count=true&limit=0")
        assert counted.headers["ngsild-results-count"] == "601"
        clock.move(600)
        assert (await client.get("types/Alert")).json()["entityCount"] == 1

    serve(test)


def test_attributes_expire_alone(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        context = engine.tenant("default").context
        clock = Hands(context, monkeypatch)
        soon, late = clock.at(5), clock.at(50)
        made = alert(
            gone=prop(1, expiresAt=soon),
            level=[prop(1), prop(2, datasetId="urn:d:1", expiresAt=soon)],
            kept=prop(3, by=prop(1, expiresAt=soon), why=prop(2)),
            later=prop(4, expiresAt=late),
        )
        await client.post("entities", json=made)
        before = context.changes.head()
        clock.move(5)
        left = alert(level=prop(1), kept=prop(3, why=prop(2)), later=prop(4))
        assert (await client.get(AT)).json() == left
        (change,) = context.changes.read(before)
        assert (change.op, change.source) == ("update", "expiry")
        names = {attr.rpartition("/")[2] for attr in change.attrs}
        gone = {(attr.rpartition("/")[2], dataset) for attr, dataset in change.deleted}
        assert (names, gone) == ({"kept"}, {("gone", None), ("level", "urn:d:1")})
        assert (await client.get("entities?type=Alert&q=gone")).json() == []
        shown = (await client.get(f"{AT}?options=sysAttrs")).json()
        assert shown["later"]["expiresAt"] == late
        assert shown["modifiedAt"] > shown["createdAt"] == shown["later"]["modifiedAt"]
        clock.move(50)
        assert "later" not in (await client.get(AT)).json()

    serve(test)


def test_it_is_removed_in_time_without_any_request(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        context = engine.tenant("default").context
        soon = to_iso(context.clock.now() + 150_000)
        await client.post("entities", json=alert(expiresAt=soon))
        await client.post("entities", json=alert(2, expiresAt="2001-01-01T00:00:00Z"))
        head = context.changes.head()
        for _ in range(2_000):
            if context.changes.head() >= head + 1 and context.get("urn:Alert:1") is None:
                break
            await asyncio.sleep(0.01)
        assert context.get("urn:Alert:1") is None
        assert context.get("urn:Alert:2") is None

    serve(test)
