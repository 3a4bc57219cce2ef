"""Several brokers in one process, each behind a real HTTP server on loopback, and sources that
misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from granian.constants import Interfaces
from granian.server.embed import Server

from rynek.app import Engine
from rynek.base.settings import load
from rynek.web import Application

REDIRECTION = ["redirectionOps", "retrieveOps", "createBatch", "upsertBatch", "updateBatch",
               "deleteBatch", "mergeBatch"]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Broker:
    """A running rynek: its address, a client of it, its engine."""

    url: str
    client: httpx.AsyncClient
    engine: Engine

    async def create(self, *entities: dict[str, Any], tenant: str | None = None) -> None:
        headers = {"NGSILD-Tenant": tenant} if tenant else {}
        for entity in entities:
            made = await self.client.post("entities?local=true", json=entity, headers=headers)
            assert made.status_code == 201, made.text

    async def register(self, source: str, **members: Any) -> str:
        """Register a source for rooms (or what `members` say); the registration's id."""
        document = {
            "type": "ContextSourceRegistration",
            "endpoint": source,
            "information": [{"entities": [{"type": "Room"}]}],
        } | members
        made = await self.client.post("csourceRegistrations", json=document)
        assert made.status_code == 201, made.text
        return made.headers["location"].rpartition("/")[2]

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.client.get(path, params=params or None)

    async def local(self, entity_id: str) -> dict[str, Any] | None:
        """What the broker itself holds of an entity."""
        answer = await self.client.get(f"entities/{entity_id}", params={"local": "true"})
        if answer.status_code == 404:
            return None
        found: dict[str, Any] = answer.json()
        return found


@contextlib.asynccontextmanager
async def broker(folder: Path, **overrides: object) -> AsyncIterator[Broker]:
    port = free_port()
    given = {
        "data.path": str(folder),
        "server.port": port,
        "access.anonymous": "write",
        "network.allow_private": True,
        "federation.timeout_seconds": 2.0,
    }
    engine = Engine(load(None, {}, given | {k.replace("__", "."): v for k, v in overrides.items()}))
    engine.open()
    await engine.start()
    server = Server(
        Application(engine),
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    await answering(port)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=f"{url}/ngsi-ld/v1/", timeout=20) as client:
            yield Broker(url, client, engine)
    finally:
        engine.stopping.set()
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(serving, 2)
        await engine.stop()


async def answering(port: int) -> None:
    for _ in range(10_000):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the server did not come up")


def run(
    folder: Path, test: Callable[..., Awaitable[None]], brokers: int = 2, **given: object
) -> None:
    """Run a test with so many brokers."""

    async def body() -> None:
        async with contextlib.AsyncExitStack() as stack:
            some = [
                await stack.enter_async_context(broker(folder / f"b{i}", **given))
                for i in range(brokers)
            ]
            await test(*some)

    asyncio.run(body())


Responder = Callable[[str, str, bytes], tuple[int, dict[str, str], bytes]]


@dataclass
class Odd:
    """A source whose every answer a test decides, and what it was asked."""

    url: str = ""
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)


@contextlib.asynccontextmanager
async def odd(respond: Responder, delay: float = 0) -> AsyncIterator[Odd]:
    source = Odd()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {
                    k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                source.asked.append((method, path, headers, json.loads(body) if body else None))
                if delay:
                    await asyncio.sleep(delay)
                status, told, answer = respond(method, path, body)
                told = {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(answer)),
                } | told
                lines = "".join(f"{k}: {v}\r\n" for k, v in told.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + answer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    source.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield source
    finally:
        server.close()
        for writer in writers:
            writer.close()


def says(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Responder:
    """Always this document."""
    body = b"" if status == 204 else json.dumps(document).encode()
    return lambda *_: (status, headers or {}, body)


def room(number: int, **attrs: Any) -> dict[str, Any]:
    return {"id": f"urn:ngsi-ld:Room:{number}", "type": "Room"} | {
        name: value if isinstance(value, (dict, list)) else {"type": "Property", "value": value}
        for name, value in attrs.items()
    }
