"""Messages → requests of a protocol: HTTP (CIM 009 §6.3.8) and MQTT (§7.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek import __version__
from rynek.base.delivery import CONNECTIONS, PIPELINE, Post, Poster, opening
from rynek.base.mqtt import MqttPublisher
from rynek.base.typed import decoder
from rynek.context.jsonld import link_header
from rynek.context.store.outbox import Message
from rynek.context.subscriptions.model import Endpoint
from rynek.context.subscriptions.order import Item
from rynek.context.subscriptions.sending import Awaited, Done, Sender

__all__ = ["Receiver", "Senders", "pack_head"]

_AGENT: Final = f"rynek/{__version__}"


class Head(msgspec.Struct, array_like=True):
    """What goes beside the body of a message: its media type, and the URL of its @context where
    the body does not say it."""

    media: str
    context: str | None = None


_decode: Final = decoder(Head).decode


def pack_head(media: str, context: str | None) -> bytes:
    """The head of a message, for the outbox."""
    return msgspec.json.encode(Head(media, context))


class Receiver(msgspec.Struct, frozen=True):
    """Where messages go: the endpoint, and the tenant and snapshot that the client named when it
    subscribed; `via` names this service, so that it knows its own messages when they come back."""

    endpoint: Endpoint
    tenant: str | None
    via: str
    snapshot: str | None = None


class Senders:
    """The connections of one tenant to its receivers. `timeout` in seconds where an endpoint says
    none, and at most."""

    def __init__(
        self,
        *,
        allow_private: bool,
        timeout: float = 10.0,
        connections: int = CONNECTIONS,
        pipeline: int = PIPELINE,
    ) -> None:
        self._poster = Poster(
            allow_private=allow_private, connections=connections, pipeline=pipeline
        )
        self._publisher = MqttPublisher(allow_private=allow_private)
        self._timeout = timeout

    async def aclose(self) -> None:
        """Close every connection."""
        await self._poster.aclose()
        await self._publisher.aclose()

    def to(self, receiver: Receiver) -> Sender:
        """What sends messages to a receiver."""
        timeout = min(receiver.endpoint.timeout or self._timeout, self._timeout)
        if receiver.endpoint.mqtt is not None:
            return Awaited(MqttSender(self._publisher, receiver, timeout))
        return HttpSender(self._poster, receiver, timeout)


class HttpSender:
    """Posts messages; headers are made once for each kind of head."""

    def __init__(self, poster: Poster, receiver: Receiver, timeout: float) -> None:
        self.parallel = poster.connections * poster.pipeline
        self._poster = poster
        self._receiver = receiver
        self._timeout = timeout
        assert receiver.endpoint.http is not None
        self._target = receiver.endpoint.http
        self._opened: dict[bytes, bytes] = {}

    def __call__(self, items: Sequence[Item], done: Done) -> None:
        """Post them."""
        posts: list[Post] = []
        timeout, known = self._timeout, self._opened
        for item in items:
            message = item.message
            opened = known.get(message.head) or self._open(message.head)
            body = message.body
            request = b"%b%d\r\n\r\n%b" % (opened, len(body), body)
            item.under_way = post = Post(request, timeout, done, item)
            posts.append(post)
        self._poster.begin(self._target, posts)

    def _open(self, head: bytes) -> bytes:
        """What posts with such a head begin with."""
        if len(self._opened) > 64:
            self._opened.clear()
        opened = self._opened[head] = opening(self._target, self._headers(head))
        return opened

    def _headers(self, packed: bytes) -> bytes:
        head = _decode(packed)
        receiver = self._receiver
        given = {key.lower() for key, _ in receiver.endpoint.headers}
        ours = [
            ("Host", self._target.netloc),
            ("User-Agent", _AGENT),
            ("Via", f"1.1 {receiver.via}"),
            ("Content-Type", head.media),
        ]
        if head.context is not None:
            ours.append(("Link", link_header(head.context)))
        if receiver.tenant is not None:
            ours.append(("NGSILD-Tenant", receiver.tenant))
        if receiver.snapshot is not None:
            ours.append(("NGSILD-Snapshot", receiver.snapshot))
        kept = [pair for pair in ours if pair[0].lower() not in given or pair[0] == "Via"]
        lines = [f"{key}: {value}\r\n" for key, value in (*kept, *receiver.endpoint.headers)]
        return "".join(lines).encode("latin-1")


class MqttSender:
    """Publishes messages: body and what would be headers in one JSON object (§7.2)."""

    def __init__(self, publisher: MqttPublisher, receiver: Receiver, timeout: float) -> None:
        self._publisher = publisher
        self._receiver = receiver
        self._timeout = timeout

    async def __call__(self, message: Message) -> None:
        """Publish one."""
        endpoint = self._receiver.endpoint
        assert endpoint.mqtt is not None
        await self._publisher.publish(
            endpoint.mqtt,
            self._payload(message),
            qos=endpoint.mqtt_qos,
            version=endpoint.mqtt_version,
            timeout=self._timeout,
        )

    def _payload(self, message: Message) -> bytes:
        head = _decode(message.head)
        metadata: dict[str, Any] = dict(self._receiver.endpoint.headers)
        metadata["Content-Type"] = head.media
        if head.context is not None:
            metadata["Link"] = link_header(head.context)
        if self._receiver.tenant is not None:
            metadata["NGSILD-Tenant"] = self._receiver.tenant
        if self._receiver.snapshot is not None:
            metadata["NGSILD-Snapshot"] = self._receiver.snapshot
        return b'{"metadata":%b,"body":%b}' % (msgspec.json.encode(metadata), message.body)
