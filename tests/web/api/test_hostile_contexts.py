"""@contexts on other hosts that loop, swell, nest, multiply or never answer: the request that names one is
refused, and nothing of it is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.context import contexts

from .conftest import Serve

LD = {"Content-Type": "application/ld+json"}
Origin = Callable[[str], str]


@asynccontextmanager
async def origin() -> AsyncIterator[Origin]:
    """The URLs of a host with contexts of every bad kind."""
    port = 0

    def url(name: str) -> str:
        return f"http://127.0.0.1:{port}/{name}"

    def content(name: str) -> bytes:
        kind, _, number = name.partition("-")
        step = int(number or 0)
        made: dict[str, Any] = {
            "loop": [url(f"loop-{1 - step}")],
            "self": {"@import": url("self")},
            "chain": [url(f"chain-{step + 1}")],
            "laughs": [url(f"laughs-{step + 1}")] * 50 if step < 9 else [],
            "import": {"@import": url(f"import-{step + 1}")},
            "terms": {f"t{n}": "a:b" for n in range(51_000)} if kind == "terms" else 0,
        }  # fmt: skip
        if kind == "huge":
            return b'{"@context":"' + b"a" * (50 << 20) + b'"}'
        if kind == "deep":
            return b'{"@context":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
        if kind == "html":
            return b"<html></html>"
        return json.dumps({"@context": made.get(kind, 5)}, separators=(",", ":")).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            name = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].strip(b"/").decode()
            if name == "never":
                await asyncio.sleep(60)
            body = content(name)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield url
    server.close()


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("loop-0", 400, "refers to itself"),
        ("self", 400, "refers to itself"),
        ("chain-0", 400, "too deep"),
        ("laughs-0", 400, "too many parts"),
        ("import-0", 400, "not a plain object"),
        ("terms", 400, "50000 terms"),
        ("huge", 504, "larger than 1048576 bytes"),
        ("deep", 400, "not JSON"),
        ("html", 400, "not JSON"),
        ("number", 400, "an @context is a URL"),
        ("never", 504, "no complete answer"),
    ],
)
def test_contexts_of_others(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, name: str, status: int, says: str
) -> None:
    monkeypatch.setattr(contexts, "FETCH_SECONDS", 1.0 if name == "never" else 20.0)

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        async with origin() as url:
            document = {"id": "urn:x:1", "type": "T", "a": 1, "@context": url(name)}
            answer = await client.post("entities", json=document, headers=LD)
            assert answer.status_code == status, answer.text
            assert says in answer.json()["detail"]
            assert (await client.get("entities/urn:x:1")).status_code == 404
            # Asked for at once again, one that cannot be had is not waited for.
            again = await client.post("entities", json=document, headers=LD)
            assert again.status_code == status

    serve(test, network__allow_private=True)
