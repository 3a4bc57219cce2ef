"""A connection of the HTTP server without TLS: any bytes in any pieces. What h11 takes as well means
the same to both."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any, cast

import h11
from tests.fuzz.target import Target

from rynek.server.connection import Connection
from rynek.server.plain import Plain

Request = tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]
HELD = 262_144
PIPELINED = 129
_MARK = re.compile(rb"\r\nx-number: (\d+)\r\n")


class Wire:
    """What a connection writes, and whether it reads and has ended."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.is_paused = self.is_over = self.is_silent = False

    def get_extra_info(self, _: str) -> tuple[str, int]:
        return "192.0.2.1", 1

    def write(self, data: bytes) -> None:
        assert not self.is_silent, "something is said after the end"
        if not self.is_over:
            self.sent += data

    def write_eof(self) -> None:
        self.is_silent = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.is_over = True

    abort = close

    def is_closing(self) -> bool:
        return self.is_over

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class Listener:
    """The part of `Plain` that a connection sees."""

    is_full = is_ending = False
    date = b"date: now\r\n\r\n"
    first = 0.0

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.connections: set[Connection] = set()
        self.outgoing: list[tuple[Wire, bytes]] = []
        self.asked: list[Request] = []

    def flush(self) -> None:
        out, self.outgoing = self.outgoing, []
        for wire, data in out:
            wire.write(data)

    def spare_seconds(self, wanted: float) -> float:
        return 30 - wanted

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)

    async def app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Reads the body and answers with the number of the request."""
        number, body = len(self.asked), b""
        request = [scope["method"].encode(), scope["raw_path"], scope["headers"]]
        self.asked.append((request[0], request[1], request[2], b"?"))
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            assert len(message["body"]) <= 2 * HELD
            body += message["body"]
            if not message["more_body"]:
                self.asked[number] = (request[0], request[1], request[2], body)
                break
        headers = [(b"x-number", b"%d" % number)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})


async def _serve(parts: Iterable[bytes]) -> tuple[Listener, Wire, Connection]:
    loop = asyncio.get_running_loop()
    listener, wire = Listener(loop), Wire()
    connection = Connection(cast("Plain", listener))
    connection.connection_made(cast("asyncio.Transport", wire))
    for part in parts:
        for _ in range(8 * PIPELINED):
            if not wire.is_paused:
                break
            await asyncio.sleep(0)
        assert not wire.is_paused, "it never reads on"
        if wire.is_over:
            break
        connection.data_received(part)
    for _ in range(8):
        await asyncio.sleep(0)
    if not wire.is_over and not connection.eof_received():
        wire.close()
    for _ in range(8 * PIPELINED):
        if wire.is_over:
            break
        await asyncio.sleep(0)
    return listener, wire, connection


def _run(data: bytes) -> None:
    """The first byte says how large the pieces are."""
    size, data = 1 + 7 * data[0] if data[:1] not in {b"", b"\x00"} else 65_536, data[1:]
    failures: list[dict[str, Any]] = []

    async def run() -> tuple[Listener, Wire, Connection]:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: failures.append(told))
        return await _serve(data[at : at + size] for at in range(0, len(data), size))

    listener, wire, connection = asyncio.run(run())
    assert not failures, failures
    # Nothing more is awaited, or not for ever.
    assert wire.is_over or connection.since <= listener.loop.time() + 30
    numbers = [int(found) for found in _MARK.findall(bytes(wire.sent))]
    assert numbers == list(range(len(numbers))), "answers out of order, or twice"
    assert len(numbers) <= len(listener.asked)
    refusals = wire.sent.count(b"application/problem+json")
    assert refusals <= 1
    assert wire.sent.count(b"connection: close") <= 1
    for own, other in zip(listener.asked, _h11(data), strict=False):
        if own[3] != b"?":
            assert own == other, (own, other)


def _h11(data: bytes) -> list[Request]:
    """What h11 reads, up to the first thing it refuses."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    found: list[Request] = []
    head: h11.Request | None = None
    body = b""
    try:
        reader.receive_data(data)
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                path = head.target.partition(b"?")[0]
                if not path.startswith((b"/", b"*")):
                    return found
                found.append((head.method, path, list(head.headers), body))
                reader.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
                reader.send(h11.EndOfMessage())
                if reader.our_state is not h11.DONE:
                    return found
                reader.start_next_cycle()
            else:
                return found
    except h11.ProtocolError:
        return found


HEAD = b" HTTP/1.1\r\nHost: x\r\n"


def _seeds() -> Iterable[bytes]:
    one = b"GET /a?b=c" + HEAD + b"Accept: */*\r\n\r\n"
    told = b"POST /b" + HEAD + b"Content-Length: 3\r\n\r\nabc"
    chunks = (
        b"PUT /c" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n"
    )
    upgrade = (
        b"POST /d" + HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc"
    )
    expects = b"POST /e" + HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"
    close = b"GET /f" + HEAD + b"Connection: close\r\n\r\n"
    old = b"GET /g HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    for size in (b"\x00", b"\x01", b"\x05"):
        yield size + one + told + chunks + upgrade + expects + old + close
        yield size + one * 140
        yield from (size + each + one for each in (told, chunks, upgrade, expects, close, old))


TARGETS = (
    Target(
        "http",
        _run,
        _seeds,
        ("Content-Length: ", "Transfer-Encoding: chunked", "Connection: close", "Upgrade: h2c", "\r\n",
         "Expect: 100-continue", "HTTP/1.0", "CONNECT", "HEAD", "OPTIONS * ", "Host: x", "0\r\n\r\n"),
    ),
)  # fmt: skip
