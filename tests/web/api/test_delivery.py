"""Delivery over HTTP and MQTT: receivers that fail, lie or are hostile, restarts, dead letters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import pytest
from tests.certificates import make_certificate
from tests.mosquitto import free_port, mosquitto
from tests.web.api.conftest import Serve
from tests.web.api.receiver import Received, Receiver
from tests.web.api.test_notifications import BUS, CORE, City, Test, city  # noqa: F401 - a fixture

from rynek.app import Engine
from rynek.base.clock import to_iso
from rynek.context.subscriptions.counters import Counters


async def until(done: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not done():  # noqa: ASYNC110 - of the tested code, not ours
            await asyncio.sleep(0.005)


async def failure(c: City, subscription_id: str) -> dict[str, Any]:
    """The subscription's notification once it has failed."""
    async with asyncio.timeout(60):
        while True:
            told: dict[str, Any] = (await c.shown(subscription_id))["notification"]
            if told.get("status") == "failed":
                return told
            await asyncio.sleep(0.01)


def counters(c: City, subscription_id: str) -> Counters:
    """What the service counted; nothing before the first notification."""
    found: Counters | None = c.engine.tenant("default").subscriptions.counters(subscription_id)
    return found or Counters()


def ids(received: list[Received]) -> list[str]:
    """The entities in notifications."""
    return [entity["id"] for one in received for entity in one.body["data"]]


def last_error(c: City) -> str:
    """What went wrong last, as pages say it."""
    (health,) = c.engine.tenant("default").subscriptions.health()
    return health.last_error


@pytest.mark.parametrize("status", [204, 202])
def test_any_success_is_one(city: Callable[[Test], None], status: int) -> None:  # noqa: F811
    async def test(c: City) -> None:
        c.receiver._answers = lambda _: status
        one = await c.subscribe()
        await c.create(speed=1)
        await c.bodies(1)
        assert (await c.shown(one))["notification"]["status"] == "ok"

    city(test)


def test_a_failure_is_counted_and_the_same_notification_comes_again(
    city: Callable[[Test], None],  # noqa: F811
) -> None:
    async def test(c: City) -> None:
        answers = [500]
        c.receiver._answers = lambda _: answers.pop() if answers else 200
        one = await c.subscribe()
        await c.create(speed=1)
        told = await failure(c, one)
        assert (told["timesSent"], told["timesFailed"]) == (1, 1)
        assert told["lastFailure"] >= told["lastNotification"]
        assert "lastSuccess" not in told
        assert last_error(c) == "the receiver answered with status 500"
        first, second = await c.receiver.wait(2)
        assert first.body == second.body
        await until(lambda: counters(c, one).status == "ok")
        told = (await c.shown(one))["notification"]
        assert (told["timesSent"], told["timesFailed"], told["status"]) == (1, 1, "ok")

    city(test)


def test_hostile_receivers_are_failures_and_the_others_get_theirs_at_once(
    city: Callable[[Test], None],  # noqa: F811
) -> None:
    endless = b"HTTP/1.1 500 X\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000

    async def test(c: City) -> None:
        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 20")
            while await reader.read(1 << 16):
                pass
            writer.close()

        server = await asyncio.start_server(slow, "127.0.0.1", 0)
        loop_at = b"HTTP/1.1 302 X\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"

        def answer(got: Received) -> int | bytes:
            return {"/endless": endless, "/loop": loop_at}.get(got.path, 200)

        c.receiver._answers = answer
        bad = {
            "endless": await c.subscribe({"endpoint": {"uri": c.receiver.uri("/endless")}}),
            "loop": await c.subscribe({"endpoint": {"uri": c.receiver.uri("/loop")}}),
            "away": await c.subscribe(
                {"endpoint": {"uri": f"http://127.0.0.1:{free_port()}/"}}
            ),
            "slow": await c.subscribe(
                {"endpoint": {"uri": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/",
                              "timeout": 200}}
            ),
        }  # fmt: skip
        await c.subscribe({"endpoint": {"uri": c.receiver.uri("/good")}})
        await c.create(speed=1)
        await until(lambda: any(one.path == "/good" for one in c.receiver.received))
        for one in bad.values():
            await failure(c, one)
        errors = {
            one.id: one.last_error for one in c.engine.tenant("default").subscriptions.health()
        }
        assert "500" in errors[bad["endless"]]
        assert "302" in errors[bad["loop"]]
        assert "connection failed" in errors[bad["away"]]
        assert "within 0.2 s" in errors[bad["slow"]]
        server.close()

    city(test)


def test_private_receivers_are_refused_visibly_unless_they_are_allowed(serve: Serve) -> None:
    async def body(client: httpx.AsyncClient, engine: Engine) -> None:
        async with Receiver() as receiver:
            c = City(client, engine, receiver)
            one = await c.subscribe()
            await c.create(speed=1)
            await failure(c, one)
            assert "private or local network" in last_error(c)
            assert receiver.received == []

    serve(body)


def test_a_subscription_to_ourselves_does_not_go_round(
    city: Callable[[Test], None],  # noqa: F811
) -> None:
    """The receiver hands everything to this service's own API, as its address would."""

    async def test(c: City) -> None:
        tries = 0

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal tries
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
            headers = {name.lower(): value for name, _, value in lines}
            body = await reader.readexactly(int(headers["content-length"]))
            tries += 1
            kept = {n: v for n, v in headers.items() if n not in ("host", "content-length")}
            answer = await c.client.post("entities", content=body, headers=kept)
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % answer.status_code)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(forward, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        one = await c.subscribe(
            {"endpoint": {"uri": f"http://127.0.0.1:{port}/ngsi-ld/v1/entities"}},
            entities=[{"type": "*"}],
        )
        await c.create(speed=1)
        await failure(c, one)
        assert "508" in last_error(c)
        found = await c.client.get("entities?type=*&count=true&local=true&limit=5")
        assert found.headers["ngsild-results-count"] == "1"
        assert tries <= 2
        server.close()

    city(test)


def test_nothing_is_lost_or_doubled_over_a_restart(serve: Serve, tmp_path: Path) -> None:
    port = free_port()

    async def dead(client: httpx.AsyncClient, engine: Engine) -> None:
        c = City(client, engine, Receiver())
        c.receiver.port = port
        one = await c.subscribe()
        for speed in range(3):
            await (c.update(speed=speed) if speed else c.create(speed=speed))
        await failure(c, one)

    async def alive(client: httpx.AsyncClient, engine: Engine) -> None:
        receiver = Receiver()
        receiver._server = await asyncio.start_server(receiver._serve, "127.0.0.1", port)
        try:
            got = await receiver.wait(3)
            assert [one.body["data"][0]["speed"]["value"] for one in got] == [0, 1, 2]
            assert len({one.body["id"] for one in got}) == 3
            known = engine.tenant("default").subscriptions
            await until(lambda: known.health()[0].backlog == 0)
        finally:
            receiver._server.close()

    async def quiet(client: httpx.AsyncClient, engine: Engine) -> None:
        receiver = Receiver()
        receiver._server = await asyncio.start_server(receiver._serve, "127.0.0.1", port)
        await asyncio.sleep(0.1)
        assert receiver.received == []
        receiver._server.close()

    serve(dead, network__allow_private=True)
    serve(alive, network__allow_private=True)
    serve(quiet, network__allow_private=True)


def test_what_throttling_holds_survives_a_restart(serve: Serve) -> None:
    port = free_port()

    async def before(client: httpx.AsyncClient, engine: Engine) -> None:
        receiver = Receiver()
        receiver._server = await asyncio.start_server(receiver._serve, "127.0.0.1", port)
        receiver.port = port
        c = City(client, engine, receiver)
        await c.subscribe({"showChanges": True}, throttling=0.5)
        await c.create(speed=1)
        await receiver.wait(1)
        await c.update(speed=2)
        await c.update(speed=3)
        receiver._server.close()

    async def after(client: httpx.AsyncClient, engine: Engine) -> None:
        receiver = Receiver()
        receiver._server = await asyncio.start_server(receiver._serve, "127.0.0.1", port)
        (got,) = await receiver.wait(1)
        speed = got.body["data"][0]["speed"]
        assert (speed["value"], speed["previousValue"]) == (3, 1)
        receiver._server.close()

    serve(before, network__allow_private=True)
    serve(after, network__allow_private=True)


def test_a_subscription_that_is_deleted_takes_its_backlog_along(
    city: Callable[[Test], None],  # noqa: F811
) -> None:
    async def test(c: City) -> None:
        c.receiver._answers = lambda _: 503
        one = await c.subscribe()
        await c.create(speed=1)
        await failure(c, one)
        await c.client.delete(f"subscriptions/{one}")
        count = len(c.receiver.received)
        await asyncio.sleep(1.1)
        assert len(c.receiver.received) == count
        assert c.engine.tenant("default").context.store.outbox.backlog() == []

    city(test)


def test_what_waits_for_a_subscription_that_expires_is_dropped_and_counted(
    city: Callable[[Test], None],  # noqa: F811
) -> None:
    async def test(c: City) -> None:
        c.receiver._answers = lambda _: 503
        one = await c.subscribe(throttling=0.2)
        other = await c.subscribe()
        await c.create(speed=1)
        await c.update(speed=2)  # held for the first
        await failure(c, one)
        await failure(c, other)
        soon = to_iso(c.engine.tenant("default").subscriptions.now() + 200_000)
        await c.client.patch(f"subscriptions/{one}", json={"expiresAt": soon})
        store = c.engine.tenant("default").context.store
        await until(lambda: counters(c, one).dropped)
        dropped = counters(c, one).dropped
        # What was held may have come into line meanwhile: it is one of the two either way.
        assert dropped == 2
        subscriptions = c.engine.tenant("default").subscriptions
        assert subscriptions.deliveries.totals().dropped == 2
        assert [health.dropped for health in subscriptions.health()] == [2, 0]
        page = c.client.base_url.copy_with(path="/developers")
        assert "Dropped when it expired" in (await c.client.get(page)).text
        assert [one.target for one in store.outbox.backlog()] == [f"subscription:{other}"]
        assert store.outbox.held() == []
        later = {"expiresAt": "2999-01-01T00:00:00Z"}
        await c.client.patch(f"subscriptions/{one}", json=later)
        c.receiver._answers = lambda _: 200
        del c.receiver.received[:]
        await c.update(speed=3)
        await until(lambda: one in {got.body["subscriptionId"] for got in c.receiver.received})
        assert counters(c, one).dropped == 2

    city(test)


def test_a_backlog_goes_to_the_new_address_when_it_is_corrected(
    city: Callable[[Test], None],  # noqa: F811
) -> None:
    async def test(c: City) -> None:
        one = await c.subscribe({"endpoint": {"uri": f"http://127.0.0.1:{free_port()}/"}})
        await c.create(speed=1)
        await failure(c, one)
        fixed = {"notification": {"endpoint": {"uri": c.receiver.uri()}}}
        await c.client.patch(f"subscriptions/{one}", json=fixed)
        await c.bodies(1)

    city(test)


def test_dead_letters_are_counted_and_can_be_replayed(
    city: Callable[[Test], None],  # noqa: F811
) -> None:
    async def test(c: City) -> None:
        known = c.engine.tenant("default").subscriptions
        c.receiver._answers = lambda _: 503
        one = await c.subscribe()
        for number in range(4):
            await c.create(f"urn:b:{number}", speed=number)
        await failure(c, one)
        health = known.health()[0]
        assert (health.backlog, health.dead) == (2, 2)
        assert health.status == "active"
        assert health.notification_status == "failed"
        c.receiver._answers = lambda _: 200
        await until(lambda: known.health()[0].backlog == 0)
        taken = ids(c.receiver.received[-2:])
        del c.receiver.received[:]
        assert await known.replay(one) == 2
        replayed = ids(await c.receiver.wait(2))
        assert sorted(taken + replayed) == [f"urn:b:{n}" for n in range(4)]
        await until(lambda: known.health()[0].dead == 0)
        assert await known.replay(one) == 0

    city(test, notifications__max_backlog=2)  # type: ignore[call-arg]


def test_a_subscription_in_another_tenant_wakes_up_with_the_service(serve: Serve) -> None:
    """A tenant without feeds is started because of its subscriptions."""
    port = free_port()

    async def make(client: httpx.AsyncClient, engine: Engine) -> None:
        client.headers["NGSILD-Tenant"] = "lodz"
        c = City(client, engine, Receiver())
        c.receiver.port = port
        await c.create(speed=1)
        await c.subscribe(timeInterval=0.2)

    async def wait(client: httpx.AsyncClient, engine: Engine) -> None:
        receiver = Receiver()
        receiver._server = await asyncio.start_server(receiver._serve, "127.0.0.1", port)
        (got,) = await receiver.wait(1)
        assert got.headers["ngsild-tenant"] == "lodz"
        receiver._server.close()

    serve(make, network__allow_private=True)
    serve(wait, network__allow_private=True)


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0", None])
def test_notifications_over_mqtt(
    city: Callable[[Test], None],  # noqa: F811
    tmp_path: Path,
    version: str | None,
) -> None:
    with mosquitto(tmp_path, passwords={"ann": "secret", "bob": "x"}) as port:

        async def test(c: City) -> None:
            listening = aiomqtt.Client("127.0.0.1", port, username="bob", password="x")
            async with listening as client:
                await client.subscribe("city/#", qos=2)
                for qos in ("0", "1", "2"):
                    info = [{"key": "MQTT-QoS", "value": qos}]
                    if version is not None:
                        info.append({"key": "MQTT-Version", "value": version})
                    endpoint = {
                        "uri": f"mqtt://ann:secret@127.0.0.1:{port}/city/{qos}",
                        "notifierInfo": info,
                        "receiverInfo": [{"key": "Secret", "value": "abc"}],
                    }
                    if qos == "2":
                        endpoint["accept"] = "application/ld+json"
                    await c.subscribe({"endpoint": endpoint, "format": "keyValues"})
                await c.create(speed=1)
                got = [await anext(client.messages) for _ in range(3)]
            by_topic = {str(m.topic): (m.qos, json.loads(m.payload)) for m in got}
            for wanted in (0, 1, 2):
                sent, message = by_topic[f"city/{wanted}"]
                assert sent == wanted
                assert set(message) == {"metadata", "body"}
                assert message["metadata"]["Secret"] == "abc"
                assert message["body"]["type"] == "Notification"
                assert message["body"]["data"][0]["speed"] == 1
            plain, ld = by_topic["city/0"][1], by_topic["city/2"][1]
            assert plain["metadata"]["Content-Type"] == "application/json"
            assert plain["metadata"]["Link"].startswith(f"<{CORE}>; rel=")
            assert ld["metadata"]["Content-Type"] == "application/ld+json"
            assert "Link" not in ld["metadata"]
            assert ld["body"]["data"][0]["@context"] == CORE

        city(test)


@pytest.mark.mosquitto
def test_notifications_over_mqtts(
    city: Callable[[Test], None],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate, key = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mosquitto(tmp_path, tls=(certificate, key)) as port:

        async def test(c: City) -> None:
            uri = f"mqtts://localhost:{port}/secure"
            info = [{"key": "MQTT-QoS", "value": "1"}]
            one = await c.subscribe({"endpoint": {"uri": uri, "notifierInfo": info}})
            await c.create(speed=1)
            await until(lambda: counters(c, one).status == "ok")

        city(test)
