"""Publishing to a real MQTT broker: versions, qualities of service, accounts, TLS, faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiomqtt
import pytest
from tests.certificates import make_certificate
from tests.mosquitto import free_port, mosquitto

from rynek.base.errors import OutgoingRefused
from rynek.base.mqtt import MqttPublisher, MqttTarget, Version, parse_mqtt_target


async def publish(
    publisher: MqttPublisher,
    target: MqttTarget,
    payload: bytes = b"hello",
    qos: int = 1,
    version: Version = "mqtt5.0",
    timeout: float = 5.0,
) -> None:
    """Publish with the usual of everything."""
    await publisher.publish(target, payload, qos=qos, version=version, timeout=timeout)


def run(test: Callable[[MqttPublisher], Awaitable[None]], *, allow_private: bool = True) -> None:
    """Run `test` with a publisher."""

    async def body() -> None:
        publisher = MqttPublisher(allow_private=allow_private)
        try:
            await test(publisher)
        finally:
            await publisher.aclose()

    asyncio.run(body())


async def refused(publisher: MqttPublisher, target: MqttTarget, timeout: float = 5.0) -> str:
    """The reason why a message was not published."""
    with pytest.raises(OutgoingRefused) as caught:
        await publish(publisher, target, timeout=timeout)
    return str(caught.value.extra["reason"])


@pytest.mark.mosquitto
@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0"])
def test_messages_arrive_in_every_quality_of_service(tmp_path: Path, version: Version) -> None:
    with mosquitto(tmp_path) as port:

        async def test(publisher: MqttPublisher) -> None:
            target = parse_mqtt_target(f"mqtt://localhost:{port}/city/north")
            async with aiomqtt.Client("127.0.0.1", port) as receiver:
                await receiver.subscribe("city/#", qos=2)
                for qos in (0, 1, 2):
                    await publish(publisher, target, b"%d" % qos, qos, version)
                got = [await anext(receiver.messages) for _ in range(3)]
            assert [(m.topic.value, m.payload, m.qos) for m in got] == [
                ("city/north", b"%d" % qos, qos) for qos in (0, 1, 2)
            ]

        run(test)


@pytest.mark.mosquitto
def test_an_account_in_the_url(tmp_path: Path) -> None:
    with mosquitto(tmp_path, passwords={"ann": "s3cret@/"}) as port:

        async def test(publisher: MqttPublisher) -> None:
            url = f"mqtt://ann:s3cret%40%2F@127.0.0.1:{port}/t"
            await publish(publisher, parse_mqtt_target(url))
            assert await refused(publisher, parse_mqtt_target(f"mqtt://127.0.0.1:{port}/t"))

        run(test)


@pytest.mark.mosquitto
def test_tls_with_a_known_authority_and_not_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_certificate(tmp_path)
    with mosquitto(tmp_path, tls=(certificate, key)) as port:
        target = parse_mqtt_target(f"mqtts://localhost:{port}/t")

        async def unknown(publisher: MqttPublisher) -> None:
            assert await refused(publisher, target) == "network"

        async def known(publisher: MqttPublisher) -> None:
            await publish(publisher, target, version="mqtt3.1.1", qos=2)

        run(unknown)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        run(known)


@pytest.mark.mosquitto
def test_a_broker_that_was_away_is_found_again(tmp_path: Path) -> None:
    port = free_port()
    target = parse_mqtt_target(f"mqtt://127.0.0.1:{port}/t")

    async def test(publisher: MqttPublisher) -> None:
        assert await refused(publisher, target) == "network"
        for _ in range(2):
            broker = mosquitto(tmp_path, port=port)
            broker.__enter__()
            await publish(publisher, target)
            broker.__exit__(None, None, None)

    run(test)


def test_a_silent_broker_ends_with_the_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def test(publisher: MqttPublisher) -> None:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = parse_mqtt_target(f"mqtt://127.0.0.1:{port}/t")
        assert await refused(publisher, target, 0.2) in ("timeout", "network")
        server.close()

    run(test)


def test_private_addresses_are_refused() -> None:
    async def test(publisher: MqttPublisher) -> None:
        for host in ("127.0.0.1", "localhost", "[::1]", "192.168.1.1"):
            target = parse_mqtt_target(f"mqtt://{host}/t")
            assert await refused(publisher, target) == "address"

    run(test, allow_private=False)


@pytest.mark.parametrize(
    "url",
    ["http://a/b", "mqtt:///t", "mqtt://a", "mqtt://a/", "mqtt://a/x/+/y", "mqtt://a/%23",
     "mqtt://a:99999/t"],
)  # fmt: skip
def test_what_is_no_target(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_mqtt_target(url)


def test_targets() -> None:
    plain = parse_mqtt_target("mqtt://a.example/one/two")
    assert plain == MqttTarget("a.example", 1883, False, None, None, "one/two")
    secure = parse_mqtt_target("mqtts://u:p%40@a.example/one")
    assert (secure.port, secure.secure, secure.username, secure.password) == (8883, True, "u", "p@")


def test_what_a_broker_floods_us_with_is_not_kept() -> None:
    """Nobody subscribed to anything; then the broker goes, and the next message finds it again."""
    flood = b"\x30" + bytes([0x87, 0x08]) + b"\x00\x01t\x00" + b"x" * 1027
    accepted: list[asyncio.StreamWriter] = []

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        await reader.read(1000)
        writer.write(b"\x20\x03\x00\x00\x00")
        if len(accepted) == 1:
            for _ in range(2000):
                writer.write(flood)
            await writer.drain()

    async def test(publisher: MqttPublisher) -> None:
        server = await asyncio.start_server(broker, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = parse_mqtt_target(f"mqtt://127.0.0.1:{port}/city")
        await publish(publisher, target, qos=0)
        (link,) = publisher._links.values()
        assert link._client is not None
        while link._client._queue.qsize() == 0:  # noqa: ASYNC110 - the flood is on its way
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert link._client._queue.qsize() == 1
        accepted[0].close()
        while not link._client._disconnected.done():  # noqa: ASYNC110 - as is its end
            await asyncio.sleep(0.01)
        await publish(publisher, target, qos=0)
        assert len(accepted) == 2
        server.close()

    run(test)
