"""Snapshots: made, cloned, used through the header, changed, purged (CIM 009 §5.16, §5.5.15)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from rynek.app import Engine
from rynek.base.clock import MICRO, parse_iso
from rynek.context import Snapshot

from .conftest import Serve
from .federation import Broker, room, run
from .receiver import Receiver

HOST = "http://rynek.test"
IN = "NGSILD-Snapshot"


def lamp(number: int, **attrs: Any) -> dict[str, Any]:
    return {
        "id": f"urn:Lamp:{number}",
        "type": "Lamp",
        "power": {"type": "Property", "value": number},
        "at": {"type": "Relationship", "object": "urn:Street:1"},
    } | attrs


STREET = {"id": "urn:Street:1", "type": "Street", "name": {"type": "Property", "value": "Main"}}


def lamps(**members: Any) -> dict[str, Any]:
    return {"type": "Query", "entities": [{"type": "Lamp"}]} | members


def kind(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[1]


async def fill(client: httpx.AsyncClient) -> None:
    done = await client.post("entityOperations/create", json=[lamp(1), lamp(2), lamp(3), STREET])
    assert done.status_code == 201


async def ready(client: httpx.AsyncClient, where: str) -> dict[str, Any]:
    host = str(client.base_url).partition("/ngsi-ld")[0]
    for _ in range(10_000):
        found: dict[str, Any] = (await client.get(host + where)).json()
        if found["snapshotStatus"] != "preparing":
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("it is never ready")


async def made(client: httpx.AsyncClient, *queries: Any, **members: Any) -> tuple[str, str]:
    """(place, id) of a snapshot that is ready."""
    body = {"type": "Snapshot", "snapshotQueries": list(queries) or [lamps()]} | members
    answer = await client.post("snapshots", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.content == b""
    where = answer.headers["location"]
    found = await ready(client, where)
    return where, str(found["id"])


def test_a_snapshot_stays_as_it_was(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        before = (await client.get("entities/urn:Lamp:1?options=sysAttrs")).json()
        where, one = await made(client, lamps(q="power<3"), lamps(q="power>9"))
        assert where == f"/ngsi-ld/v1/snapshots/{one}"
        await client.patch("entities/urn:Lamp:1", json={"power": 77})
        await client.post("entities", json=lamp(0))
        inside = {IN: one}
        seen = await client.get("entities?type=Lamp&count=true", headers=inside)
        assert seen.json() == [lamp(1), lamp(2)]
        assert seen.headers["ngsild-results-count"] == "2"
        assert seen.headers[IN] == one
        same = await client.get("entities/urn:Lamp:1?options=sysAttrs", headers=inside)
        assert same.json() == before
        assert (await client.get("entities/urn:Lamp:0", headers=inside)).status_code == 404
        assert (await client.get("types", headers=inside)).json()["typeList"] == ["Lamp"]
        # Everything is local in there: no filter is needed, and order is allowed.
        everything = await client.get("entities?local=false&orderBy=power;desc", headers=inside)
        assert [x["id"] for x in everything.json()] == ["urn:Lamp:2", "urn:Lamp:1"]
        page = await client.get("entities?type=Lamp&limit=1&entityMap=true", headers=inside)
        assert page.status_code == 201
        assert "local" not in page.headers.get_list("link")[-1]
        posted = await client.post("entityOperations/query", json=lamps(), headers=inside)
        assert len(posted.json()) == 2
        status = (await client.get(HOST + where)).json()
        assert status["snapshotStatus"] == "partial"
        assert [d["resultStatus"] for d in status["snapshotQueriesDetails"]] == [
            "success",
            "empty",
        ]
        assert status["snapshotPriority"] == 5
        now = engine.clock.now()
        assert abs(parse_iso(status["expiresAt"]) - now - 86_400 * MICRO) < 60 * MICRO
        assert status["lastUsedAt"] > status["createdAt"] <= status["modifiedAt"]
        listed = [t.name for t in (engine.folder.tenants).iterdir()]
        assert listed == ["default"]

    serve(test)


def test_what_if(serve: Serve) -> None:
    """Entities are written inside a snapshot, and nobody outside sees it."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        _id, one = await made(client)
        inside = {IN: one}
        created = await client.post("entities", json=lamp(9), headers=inside)
        assert (created.status_code, created.headers[IN]) == (201, one)
        patched = await client.patch("entities/urn:Lamp:1", json={"power": 5}, headers=inside)
        assert patched.status_code == 204
        gone = await client.delete("entities/urn:Lamp:2", headers=inside)
        assert gone.status_code == 204
        seen = await client.get("entities?type=Lamp&format=simplified", headers=inside)
        assert [x["power"] for x in seen.json()] == [5, 3, 9]
        outside = await client.get("entities?type=Lamp&format=simplified")
        assert [x["power"] for x in outside.json()] == [1, 2, 3]
        history = await client.get(
            "temporal/entities/urn:Lamp:1?timerel=after&timeAt=2000-01-01T00:00:00Z"
            "&timeproperty=modifiedAt",
            headers=inside,
        )
        assert history.status_code == 200
        assert [x["value"] for x in history.json()["power"]] == [5]

    serve(test)


def test_queries_with_projection_and_linked_entities(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        extra = lamp(1, extra={"type": "Property", "value": 1}, expiresAt="2999-01-01T00:00:00Z")
        await client.post("entityOperations/create", json=[extra, lamp(2), STREET])
        _id, one = await made(
            client,
            lamps(pick=["id", "power"], q="power==1"),
            lamps(omit=["power"], q="power==1", join="flat"),
        )
        inside = {IN: one}
        seen = (await client.get("entities/urn:Lamp:1?options=sysAttrs", headers=inside)).json()
        assert {"power", "at", "extra"} < seen.keys()
        assert "expiresAt" not in seen
        assert (await client.get("entities/urn:Street:1", headers=inside)).json() == STREET
        joined = await client.get("entities/urn:Lamp:1?join=inline", headers=inside)
        assert joined.json()["at"]["entity"] == STREET

    serve(test)


def test_clones(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        where, one = await made(client)
        await client.delete("entities/urn:Lamp:1", headers={IN: one})
        body = {"type": "Snapshot", "id": "urn:snapshot:clone", "snapshotPriority": 7}
        cloned = await client.post(HOST + where + "/clone", json=body)
        assert cloned.status_code == 201
        status = await ready(client, cloned.headers["location"])
        assert (status["id"], status["snapshotStatus"]) == ("urn:snapshot:clone", "success")
        assert status["snapshotPriority"] == 7
        assert (await client.delete(HOST + where)).status_code == 204
        seen = await client.get("entities?type=Lamp", headers={IN: "urn:snapshot:clone"})
        assert seen.json() == [lamp(2), lamp(3)]
        assert kind(await client.post(HOST + where + "/clone", json=body)) == (
            404,
            "ResourceNotFound",
        )
        again = await client.post("snapshots/urn:snapshot:clone/clone", json=body)
        assert kind(again) == (409, "AlreadyExists")
        queries = body | {"id": "urn:snapshot:x", "snapshotQueries": [lamps()]}
        wrong = await client.post("snapshots/urn:snapshot:clone/clone", json=queries)
        assert kind(wrong) == (400, "BadRequestData")

    serve(test)


def test_updates(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        where, one = await made(client, endpoint="http://127.0.0.1:9/x")
        change = {"snapshotLifetime": "PT1H", "snapshotPriority": 9, "snapshotStatus": "success"}
        done = await client.patch(HOST + where, json=change)
        assert done.status_code == 200
        told = done.json()
        assert (told["snapshotPriority"], told["snapshotStatus"]) == (9, "empty")
        now = engine.clock.now()
        assert abs(parse_iso(told["expiresAt"]) - now - 3600 * MICRO) < 60 * MICRO
        assert told["modifiedAt"] > told["createdAt"]
        null = {"endpoint": "urn:ngsi-ld:null", "snapshotPriority": "urn:ngsi-ld:null"}
        told = (await client.patch(HOST + where, json=null)).json()
        assert "endpoint" not in told
        assert told["snapshotPriority"] == 5
        far = (await client.patch(HOST + where, json={"snapshotLifetime": "P9Y"})).json()
        assert abs(parse_iso(far["expiresAt"]) - engine.clock.now() - 604_800 * MICRO) < 60 * MICRO
        wrongs: list[dict[str, Any]] = [
            {"snapshotPriority": 11},
            {"snapshotPriority": "5"},
            {"snapshotLifetime": "soon"},
            {"snapshotLifetime": 5},
            {"endpoint": "no uri"},
            {"receiverInfo": [{"key": "a"}], "endpoint": "http://127.0.0.1:9/x"},
            {"id": "urn:snapshot:other"},
            {"type": "Query"},
            {"snapshotQueries": [lamps()]},
        ]
        for wrong in wrongs:
            assert kind(await client.patch(HOST + where, json=wrong)) == (400, "BadRequestData")
        missing = await client.patch("snapshots/urn:snapshot:none", json=change)
        assert kind(missing) == (404, "ResourceNotFound")
        assert one

    serve(test)


def test_purges(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        for n in range(4):
            await made(client, id=f"urn:snapshot:{n}", snapshotPriority=n + 1)
        await client.get("entities?type=Lamp", headers={IN: "urn:snapshot:0"})
        folder = engine.folder.tenants / "default" / "snapshots"
        assert len(list(folder.iterdir())) == 4
        assert (await client.delete("snapshots?q=snapshotPriority<3")).status_code == 204
        assert len(list(folder.iterdir())) == 2
        assert (await client.get("snapshots/urn:snapshot:1")).status_code == 404
        none = await client.delete("snapshots?q=snapshotPriority<3")
        assert kind(none) == (404, "ResourceNotFound")
        wanted = 'q=snapshotStatus=="success";expiresAt>2020-01-01T00:00:00Z;id!="urn:snapshot:3"'
        assert (await client.delete(f"snapshots?{wanted}")).status_code == 204
        assert (await client.get("snapshots/urn:snapshot:3")).status_code == 200
        for wrong in ("", "?q=", "?q=a==", "?q=power>3"):
            assert kind(await client.delete(f"snapshots{wrong}")) == (400, "BadRequestData")

    serve(test)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"snapshotQueries": []},
        {"snapshotQueries": lamps()},
        {"snapshotQueries": ["x"]},
        {"snapshotQueries": [{"type": "Search"}]},
        {"snapshotQueries": [lamps(temporalQ={"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"})]},
        {"snapshotTemporalQueries": [lamps()]},
        {"snapshotQueries": [lamps(q="a===")]},
        {"snapshotQueries": [lamps(q="a{b}")]},
        {"snapshotQueries": [{"type": "Query"}]},
        {"snapshotQueries": [lamps(join="sideways")]},
        {"snapshotQueries": [lamps()], "id": "no uri"},
        {"snapshotQueries": [lamps()], "snapshotPriority": 0},
        {"snapshotQueries": [lamps()], "snapshotLifetime": "1 day"},
        {"snapshotQueries": [lamps()], "endpoint": 5},
        {"snapshotQueries": [lamps()], "receiverInfo": []},
        {"snapshotQueries": [lamps()], "type": "Query"},
    ],
)  # fmt: skip
def test_what_is_no_snapshot_is_refused(serve: Serve, members: dict[str, Any]) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        answer = await client.post("snapshots", json={"type": "Snapshot"} | members)
        assert kind(answer) == (400, "BadRequestData")

    serve(test)


def test_headers_and_places_outside(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        where, one = await made(client)
        missing = await client.get("entities?type=Lamp", headers={IN: "urn:snapshot:none"})
        assert kind(missing) == (404, "ResourceNotFound")
        assert missing.headers[IN] == "urn:snapshot:none"
        bad = await client.get("entities?type=Lamp", headers={IN: "nothing"})
        assert kind(bad) == (400, "BadRequestData")
        elsewhere = {IN: one, "NGSILD-Tenant": "other"}
        nowhere = await client.post("entities", json=lamp(7), headers=elsewhere)
        assert kind(nowhere) == (404, "NonexistentTenant")
        await client.post("entities", json=lamp(7), headers={"NGSILD-Tenant": "other"})
        assert kind(await client.get("entities?type=Lamp", headers=elsewhere)) == (
            404,
            "ResourceNotFound",
        )
        # Snapshots themselves are not inside one.
        assert (
            await client.get(HOST + where, headers={IN: "urn:snapshot:none"})
        ).status_code == 200
        source = {
            "type": "ContextSourceRegistration",
            "endpoint": "http://127.0.0.1:9",
            "information": [{"entities": [{"type": "Lamp"}]}],
        }
        refused = await client.post("csourceRegistrations", json=source, headers={IN: one})
        assert kind(refused) == (422, "OperationNotSupported")
        for method in ("GET", "PATCH", "DELETE"):
            gone = await client.request(method, "snapshots/urn:snapshot:none", json={})
            assert kind(gone) == (404, "ResourceNotFound")
            bad = await client.request(method, "snapshots/none", json={})
            assert kind(bad) == (400, "BadRequestData")
        twice = {"type": "Snapshot", "id": one, "snapshotQueries": [lamps()]}
        assert kind(await client.post("snapshots", json=twice)) == (409, "AlreadyExists")

    serve(test)


def test_room_and_size_are_bounded(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        where, _id = await made(client, lamps(), lamps(q="power==1"), snapshotPriority=6)
        status = (await client.get(HOST + where)).json()
        first, second = status["snapshotQueriesDetails"]
        assert status["snapshotStatus"] == "partial"
        assert (first["resultStatus"], second["resultStatus"]) == ("failure", "success")
        assert first["problemDetails"]["type"].endswith("TooManyResults")
        low, _id = await made(client, lamps(q="power==1"), snapshotPriority=2)
        high, _id = await made(client, lamps(q="power==1"), snapshotPriority=6)
        assert (await client.get(HOST + low)).status_code == 404
        full = {"type": "Snapshot", "snapshotQueries": [lamps()], "snapshotPriority": 5}
        assert (await client.post("snapshots", json=full)).status_code == 403
        for kept in (where, high):
            assert (await client.get(HOST + kept)).status_code == 200

    serve(test, snapshots__max=2, snapshots__max_entities=2)


def test_snapshots_end_are_closed_and_survive_a_restart(serve: Serve) -> None:
    async def first(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        _id, short = await made(client, id="urn:snapshot:short", snapshotLifetime="PT0.5S")
        await made(client, id="urn:snapshot:kept")
        snapshots = engine.tenant("default").snapshots
        for _ in range(2_000):
            if len(list((engine.folder.tenants / "default" / "snapshots").iterdir())) == 1:
                break
            await asyncio.sleep(0.02)
        assert [one.id for one in snapshots.all()] == ["urn:snapshot:kept"]
        missing = await client.get("entities?type=Lamp", headers={IN: short})
        assert missing.status_code == 404
        for _ in range(2_000):
            if not snapshots._rooms._opened:
                break
            await asyncio.sleep(0.02)
        assert not snapshots._rooms._opened
        await client.patch("entities/urn:Lamp:1", json={"power": 1000})

    async def second(client: httpx.AsyncClient, engine: Engine) -> None:
        seen = await client.get("entities?type=Lamp", headers={IN: "urn:snapshot:kept"})
        assert seen.json()[0] == lamp(1)
        stray = engine.folder.tenants / "default" / "snapshots" / "stray"
        stray.mkdir()

    async def third(client: httpx.AsyncClient, engine: Engine) -> None:
        folder = engine.folder.tenants / "default" / "snapshots"
        assert len(list(folder.iterdir())) == 1
        status = (await client.get("snapshots/urn:snapshot:kept")).json()
        assert status["lastUsedAt"] > status["createdAt"]

    for test in (first, second, third):
        serve(test, snapshots__idle_seconds=0.05)


def test_an_interrupted_preparation_has_failed(serve: Serve) -> None:
    async def first(client: httpx.AsyncClient, engine: Engine) -> None:
        snapshots = engine.tenant("default").snapshots

        async def never(_: Any) -> Any:
            await asyncio.Event().wait()

        from rynek.context import new_snapshot

        one = new_snapshot(
            {"type": "Snapshot", "id": "urn:snapshot:cut", "snapshotQueries": [lamps()]},
            now=engine.clock.now(),
            lifetime=lambda _: 10**12,
            clone=False,
        )
        await snapshots.create(one, never)
        status = (await client.get("snapshots/urn:snapshot:cut")).json()
        assert status["snapshotStatus"] == "preparing"

    async def second(client: httpx.AsyncClient, _: Engine) -> None:
        status = (await client.get("snapshots/urn:snapshot:cut")).json()
        assert status["snapshotStatus"] == "failure"
        assert status["snapshotQueriesDetails"][0]["resultStatus"] == "failure"

    serve(first)
    serve(second)


def test_what_is_deleted_while_it_is_filled_is_gone(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Deleted at any moment of its making, or while a clone is made of it: no error, no files."""

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        _, original = await made(client, id="urn:snapshot:original")
        body = {"type": "Snapshot", "snapshotQueries": [lamps(), lamps(q="power>1")]}
        folder = engine.folder.tenants / "default" / "snapshots"
        for number in range(12):
            one = f"urn:snapshot:{number}"
            assert (await client.post("snapshots", json=body | {"id": one})).status_code == 201
            for _ in range(number):
                await asyncio.sleep(0)
            assert (await client.delete(f"snapshots/{one}")).status_code == 204
            assert (await client.get(f"snapshots/{one}")).status_code == 404
        clone = {"type": "Snapshot", "id": "urn:snapshot:clone"}
        answer = await client.post(f"snapshots/{original}/clone", json=clone)
        await client.delete(f"snapshots/{original}")
        found = await ready(client, answer.headers["location"])
        assert found["snapshotStatus"] in ("success", "failure")
        # The clone is whole, or it came too late for its original and has nothing.
        files = int(found["snapshotStatus"] == "success")
        for _ in range(4_000):
            if len(list(folder.iterdir())) == files:
                break
            await asyncio.sleep(0.01)
        assert len(list(folder.iterdir())) == files
        assert [one.id for one in engine.tenant("default").snapshots.all()] == [clone["id"]]

    serve(test)
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []


def test_few_are_filled_at_once(serve: Serve) -> None:
    """Whoever asks for many snapshots of a city waits for them alone."""

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await made(client, lamps(), id="urn:snapshot:first")
        snapshots = engine.tenant("default").snapshots
        first = snapshots.get("urn:snapshot:first")
        running = 0
        two, gate = asyncio.Event(), asyncio.Event()

        async def slow(one: Snapshot) -> Snapshot:
            nonlocal running
            running += 1
            assert running <= 2
            if running == 2:
                two.set()
            await gate.wait()
            running -= 1
            return msgspec.structs.replace(one, status="success")

        for number in range(6):
            one = {"id": f"urn:snapshot:{number}", "key": f"k{number}", "status": "preparing"}
            await snapshots.create(msgspec.structs.replace(first, **one), slow)
        await asyncio.wait_for(two.wait(), 30)
        for _ in range(20):
            await asyncio.sleep(0)
        assert running == 2
        gate.set()
        for _ in range(4_000):
            if all(one.status != "preparing" for one in snapshots.all()):
                break
            await asyncio.sleep(0.01)
        assert [one.status for one in snapshots.all()][1:] == ["success"] * 6

    serve(test)


def test_a_change_while_it_becomes_ready_keeps_both(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        for number in range(6):
            body = {"type": "Snapshot", "snapshotQueries": [lamps()], "id": f"urn:s:{number}"}
            where = (await client.post("snapshots", json=body)).headers["location"]
            for _ in range(number):
                await asyncio.sleep(0)
            for priority in (7, 8, 9):
                await client.patch(f"snapshots/urn:s:{number}", json={"snapshotPriority": priority})
            found = await ready(client, where)
            assert (found["snapshotStatus"], found["snapshotPriority"]) == ("success", 9)
            context = engine.tenant("default").context
            await context.write(lambda _: None)  # after what was being kept
            kept = dict(context.store.documents.list("snapshot"))[f"urn:s:{number}"]
            assert b'"status":"success"' in kept
            assert b'"priority":9' in kept

    serve(test)


def test_what_comes_and_goes_while_it_is_filled_hides_nothing(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        every = [lamp(number) for number in range(1400)]
        for start in (0, 700):
            some = every[start : start + 700]
            assert (await client.post("entityOperations/create", json=some)).status_code == 201
        body = {"type": "Snapshot", "snapshotQueries": [lamps()], "id": "urn:snapshot:moved"}
        where = (await client.post("snapshots", json=body)).headers["location"]
        for number in range(0, 400, 20):
            await client.delete(f"entities/urn:Lamp:{number}")
        await ready(client, where)
        seen = set()
        for offset in (0, 1000):
            page = await client.get(
                f"entities?type=Lamp&limit=1000&offset={offset}&pick=id",
                headers={IN: "urn:snapshot:moved"},
            )
            seen |= {one["id"] for one in page.json()}
        kept = {f"urn:Lamp:{n}" for n in range(1400)} - {f"urn:Lamp:{n}" for n in range(0, 400, 20)}
        assert kept <= seen

    serve(test)


def test_what_sources_have_is_frozen_too(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.create(room(1, a=1))
        await there.create(room(1, b=1), room(2, b=2))
        await here.register(there.url)
        _id, one = await made(here.client, {"type": "Query", "entities": [{"type": "Room"}]})
        await there.client.delete("entities/urn:ngsi-ld:Room:2")
        seen = await here.client.get("entities?type=Room", headers={IN: one})
        assert seen.json() == [room(1, a=1, b=1), room(2, b=2)]

    run(tmp_path, test)


def test_endpoints_are_told_what_becomes_of_snapshots(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await fill(client)
        async with Receiver() as receiver:
            where, one = await made(
                client,
                endpoint=receiver.uri(),
                receiverInfo=[{"key": "X-Own", "value": "yes"}],
            )
            (first,) = await receiver.wait(1)
            assert first.headers["x-own"] == "yes"
            assert first.headers["ngsild-snapshot"] == one
            assert first.headers["content-type"] == "application/json"
            body = first.body
            assert body["id"].startswith("urn:ngsi-ld:SnapshotNotification:")
            assert body == {
                "id": body["id"],
                "type": "SnapshotNotification",
                "expiresAt": body["expiresAt"],
                "notifiedAt": body["notifiedAt"],
                "snapshotId": one,
                "snapshotPriority": 5,
                "snapshotStatus": "success",
                "snapshotQueriesDetails": [{"resultStatus": "success"}],
            }
            assert body["notifiedAt"] < body["expiresAt"]
            await client.patch(HOST + where, json={"snapshotPriority": 3})
            (_first, second) = await receiver.wait(2)
            assert second.body["snapshotPriority"] == 3
            await client.delete(HOST + where)
            last = (await receiver.wait(3))[2].body
            assert last["expiresAt"] < last["notifiedAt"]

    serve(test, network__allow_private=True)


def test_subscriptions_inside_a_snapshot(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        _id, one = await made(client)
        inside = {IN: one}
        async with Receiver() as receiver:
            document = {
                "type": "Subscription",
                "entities": [{"type": "Lamp"}],
                "notification": {"endpoint": {"uri": receiver.uri()}},
            }
            subscribed = await client.post("subscriptions", json=document, headers=inside)
            assert subscribed.status_code == 201
            await client.patch("entities/urn:Lamp:1", json={"power": 8})
            await client.patch("entities/urn:Lamp:2", json={"power": 9}, headers=inside)
            (told,) = await receiver.wait(1)
            assert told.headers["ngsild-snapshot"] == one
            assert [x["id"] for x in told.body["data"]] == ["urn:Lamp:2"]
            assert (await client.get("subscriptions")).json() == []
            assert len((await client.get("subscriptions", headers=inside)).json()) == 1
            snapshots = engine.tenant("default").snapshots
            await asyncio.sleep(0.1)
            await snapshots._rooms.close_idle()
            assert snapshots._rooms._opened  # someone waits for notifications

    serve(test, network__allow_private=True, snapshots__idle_seconds=0.05)


EVER = {"timerel": "after", "timeAt": "2000-01-01T00:00:00Z"}


def seen(value: int, minute: int) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": f"2026-05-01T10:{minute:02}:00Z"}


async def values(client: httpx.AsyncClient, entity: str, headers: dict[str, str]) -> list[int]:
    found = await client.get(
        f"temporal/entities/{entity}", params=EVER | {"options": "temporalValues"}, headers=headers
    )
    assert found.status_code == 200, found.text
    return [value for value, _ in found.json()["power"]["values"]]


def test_the_past_is_frozen_and_goes_on_inside(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        for minute in range(5):
            for number in (1, 2):
                await client.post(
                    "entityOperations/upsert",
                    json=[lamp(number, power=seen(10 * number + minute, minute))],
                )
        past = lamps(
            q="power<20",
            temporalQ={
                "timerel": "between",
                "timeAt": "2026-05-01T10:01:00Z",
                "endTimeAt": "2026-05-01T10:04:00Z",
            },
        )
        nothing = lamps(temporalQ={"timerel": "before", "timeAt": "2001-01-01T00:00:00Z"})
        where, one = await made(client, lamps(), snapshotTemporalQueries=[past, nothing])
        status = (await client.get(HOST + where)).json()
        assert [d["resultStatus"] for d in status["snapshotTemporalQueriesDetails"]] == [
            "success",
            "empty",
        ]
        inside = {IN: one}
        assert await values(client, "urn:Lamp:1", inside) == [11, 12, 13]
        # What happens outside is not seen, what happens inside is, under numbers of its own.
        await client.patch("entities/urn:Lamp:1", json={"power": seen(99, 30)})
        assert await values(client, "urn:Lamp:1", inside) == [11, 12, 13]
        await client.patch("entities/urn:Lamp:1", json={"power": seen(55, 31)}, headers=inside)
        assert await values(client, "urn:Lamp:1", inside) == [11, 12, 13, 55]
        found = await client.get("temporal/entities/urn:Lamp:1", params=EVER, headers=inside)
        ids = [x["instanceId"] for x in found.json()["power"]]
        assert len(set(ids)) == 4
        outside = (await client.get("temporal/entities/urn:Lamp:1", params=EVER)).json()["power"]
        assert ids[:3] == [x["instanceId"] for x in outside[1:4]]
        assert await values(client, "urn:Lamp:1", {}) == [10, 11, 12, 13, 14, 99]
        cloned = await client.post(HOST + where + "/clone", json={"type": "Snapshot"})
        copy = await ready(client, cloned.headers["location"])
        assert await values(client, "urn:Lamp:1", {IN: copy["id"]}) == [11, 12, 13, 55]
        few = {"type": "Snapshot", "snapshotTemporalQueries": [lamps(temporalQ=EVER)]}
        many = await client.post("snapshots", json=few)
        told = await ready(client, many.headers["location"])
        assert told["snapshotStatus"] == "failure"
        assert engine.clock.now()

    serve(test, snapshots__max_readings=8)


def test_the_past_of_sources_is_frozen(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        for value in (1, 2):
            await here.client.post(
                "entityOperations/upsert?local=true",
                json=[room(1, power=seen(value, value))],
            )
            await there.client.post(
                "entityOperations/upsert", json=[room(1, power=seen(value + 10, value + 10))]
            )
        await here.register(there.url, operations=["queryTemporal"],
                            observationInterval={"startAt": "2020-01-01T00:00:00Z"})  # fmt: skip
        body = {
            "type": "Snapshot",
            "snapshotTemporalQueries": [
                {"type": "Query", "entities": [{"type": "Room"}], "temporalQ": EVER}
            ],
        }
        answer = await here.client.post("snapshots", json=body)
        told = await ready(here.client, answer.headers["location"])
        assert told["snapshotStatus"] == "success", told
        assert await values(here.client, "urn:ngsi-ld:Room:1", {IN: told["id"]}) == [1, 2, 11, 12]

    run(tmp_path, test)


def test_what_is_frozen_is_no_change_that_its_history_missed(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        _where, one = await made(client)
        patched = await client.patch("entities/urn:Lamp:1", json={"power": 7}, headers={IN: one})
        assert patched.status_code == 204
        (opened,) = engine.tenant("default").snapshots._rooms._opened.values()
        scope: Any = opened.scope
        await scope.history._follower.drain()
        assert scope.context.changes.oldest() > 1
        assert scope.history.stats().lost == 0

    serve(test)
