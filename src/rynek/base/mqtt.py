"""Messages to MQTT brokers: one kept connection for each broker, account and protocol version.

Broker names are resolved and checked as those of all outgoing requests (see addresses.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

import aiomqtt
import httpx
import msgspec

from rynek.base.addresses import resolve
from rynek.base.errors import OutgoingRefused

__all__ = ["MqttPublisher", "MqttTarget", "Version", "parse_mqtt_target"]

Version = Literal["mqtt3.1.1", "mqtt5.0"]
_PROTOCOL: Final[dict[str, aiomqtt.ProtocolVersion]] = {
    "mqtt3.1.1": aiomqtt.ProtocolVersion.V311,
    "mqtt5.0": aiomqtt.ProtocolVersion.V5,
}
_MAX_TOPIC: Final = 65_535
_IDLE_SECONDS: Final = 120.0
_HANDSHAKE_SECONDS: Final = 5.0
# aiomqtt warns above 10 publishes under way, which are nothing unusual here.
_quiet = logging.getLogger(f"{__name__}.client")
_quiet.setLevel(logging.ERROR)


class MqttTarget(msgspec.Struct, frozen=True):
    """A topic of a broker, and the account to use."""

    host: str
    port: int
    secure: bool
    username: str | None
    password: str | None
    topic: str


def parse_mqtt_target(url: str) -> MqttTarget:
    """The target of `mqtt[s]://[user][:password]@host[:port]/topic/…` (CIM 009 §7.2); ValueError
    says what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError("not an mqtt or mqtts URL with a host")
    topic = unquote(parts.path).removeprefix("/")
    if not topic:
        raise ValueError("an MQTT URL without a topic")
    if "+" in topic or "#" in topic or "\x00" in topic or len(topic.encode()) > _MAX_TOPIC:
        raise ValueError("an MQTT topic to publish on has no wildcard and at most 65,535 bytes")
    secure = parts.scheme == "mqtts"
    return MqttTarget(
        parts.hostname,
        parts.port or (8883 if secure else 1883),
        secure,
        unquote(parts.username) if parts.username is not None else None,
        unquote(parts.password) if parts.password is not None else None,
        topic,
    )


class MqttPublisher:
    """Publishes; one belongs to one event loop, `aclose` ends its connections."""

    def __init__(self, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        self._links: dict[tuple[object, ...], _Link] = {}

    async def publish(
        self, target: MqttTarget, payload: bytes, *, qos: int, version: Version, timeout: float
    ) -> None:
        """Publish and return when the broker has it as `qos` says (0: when it has left).

        OutgoingRefused (reason: name, address, timeout, network) when that does not come about
        within `timeout` seconds.
        """
        key = (
            target.host, target.port, target.secure, target.username, target.password, version,
        )  # fmt: skip
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = _Link(target, version, allow_private=self._allow_private)
        try:
            async with asyncio.timeout(timeout):
                await link.publish(target.topic, payload, qos, timeout)
        except TimeoutError:
            await link.drop()
            raise _refused("timeout", f"the broker took nothing within {timeout:g} s") from None
        except aiomqtt.MqttError as error:
            await link.drop()
            raise _refused("network", f"MQTT: {error}") from None
        await self._tidy()

    async def _tidy(self) -> None:
        """Close connections that nobody used for a while."""
        now = asyncio.get_running_loop().time()
        for key, link in list(self._links.items()):
            if not link.busy and now - link.used > _IDLE_SECONDS:
                del self._links[key]
                await link.drop()

    async def aclose(self) -> None:
        """Say goodbye to every broker."""
        links, self._links = list(self._links.values()), {}
        await asyncio.gather(*(link.drop() for link in links))


class _Link:
    """The connection to one broker, made when it is first needed and again when it broke."""

    def __init__(self, target: MqttTarget, version: Version, *, allow_private: bool) -> None:
        self._target = target
        self._version = version
        self._allow_private = allow_private
        self._client: aiomqtt.Client | None = None
        self._opening = asyncio.Lock()
        self.busy = 0
        self.used = 0.0

    async def publish(self, topic: str, payload: bytes, qos: int, timeout: float) -> None:
        """Publish on the open connection, or on a new one when that turns out to have ended."""
        self.busy += 1
        try:
            client = self._client
            if client is not None:
                try:
                    return await _publish(client, topic, payload, qos, timeout)
                except aiomqtt.MqttError:
                    if self._client is client:
                        await self.drop()
            client = await self._open(timeout)
            return await _publish(client, topic, payload, qos, timeout)
        finally:
            self.busy -= 1
            self.used = asyncio.get_running_loop().time()

    async def _open(self, timeout: float) -> aiomqtt.Client:
        async with self._opening:
            if self._client is not None:
                return self._client
            target = self._target
            client = aiomqtt.Client(
                target.host,
                target.port,
                username=target.username,
                password=target.password,
                protocol=_PROTOCOL[self._version],
                tls_context=_tls() if target.secure else None,
                timeout=timeout,
                logger=_quiet,
                # We subscribe to nothing: what a broker sends all the same is not kept.
                max_queued_incoming_messages=1,
            )
            # Connecting is ours: the client would resolve the name itself, and block a thread.
            connected = await self._connect()
            inner: Any = client._client
            inner._create_socket_connection = lambda: connected
            inner._connect_timeout = connected.gettimeout()
            try:
                await client.__aenter__()
            except BaseException:
                connected.close()
                raise
            client._disconnected.add_done_callback(_look_at)
            self._client = client
            return client

    async def _connect(self) -> socket.socket:
        """A socket to a checked address of the broker; MqttError when none takes it."""
        host, port = self._target.host, self._target.port
        failure = OSError("no address")
        for address in await resolve(host, port, allow_private=self._allow_private):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            made = socket.socket(family, socket.SOCK_STREAM)
            made.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(made, (address, port))
            except OSError as error:
                made.close()
                failure = error
            except BaseException:
                made.close()
                raise
            else:
                made.settimeout(_HANDSHAKE_SECONDS)
                return made
        raise aiomqtt.MqttError(f"the connection failed: {failure}")

    async def drop(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await client.__aexit__(None, None, None)


async def _publish(
    client: aiomqtt.Client, topic: str, payload: bytes, qos: int, timeout: float
) -> None:
    """Publish; MqttError as soon as the connection ends, which the client itself waits through."""
    ended: asyncio.Future[None] = client._disconnected
    if ended.done():
        raise aiomqtt.MqttError("the connection ended")
    work = asyncio.ensure_future(client.publish(topic, payload, qos=qos, timeout=timeout))
    try:
        await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise aiomqtt.MqttError("the connection ended")
        await work
    finally:
        work.cancel()


def _look_at(ended: asyncio.Future[None]) -> None:
    """Take note of why a connection ended, so that asyncio does not report it as overlooked."""
    if not ended.cancelled():
        ended.exception()


def _tls() -> ssl.SSLContext:
    """Certificates are checked; SSL_CERT_FILE names other authorities."""
    return httpx.create_ssl_context()


def _refused(reason: str, detail: str) -> OutgoingRefused:
    return OutgoingRefused(detail, reason=reason)
