"""An application that says what it was asked, the server without TLS in front of it, and a client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

from rynek.base.settings import Server
from rynek.server.plain import Plain
from rynek.server.turn import BODY, WHOLE

Send = Callable[[dict[str, Any]], Any]
LARGE = 3_000_000


async def app(scope: dict[str, Any], receive: Any, send: Send) -> None:
    """Answers by its path."""
    path = scope["path"]
    if path == "/fails":
        raise RuntimeError("on purpose")
    if path == "/unread":
        await answer(scope, send, 413, b"too large")
        return
    if path == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one", b"", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
        return
    if path == "/split":
        await answer(scope, send, 200, b"", [(b"x-told", b"a\r\nset-cookie: b")])
        return
    if path == "/at-once":
        taken = await whole_body(scope)
        again = scope["extensions"][BODY]()
        await answer(scope, send, 200, b"%r %r" % (taken, again))
        return
    if path == "/waits":
        while (await receive())["type"] != "http.disconnect":
            pass
        scope["state"]["gone"].set()
        return
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    if path == "/large":
        await answer(scope, send, 200, b"x" * LARGE)
    elif path == "/none":
        await answer(scope, send, 204, b"")
    elif path == "/whole":
        scope["extensions"][WHOLE](200, [(b"content-length", b"5")], b"whole")
    else:
        told = {
            "method": scope["method"],
            "path": path,
            "raw": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode("latin-1"),
            "version": scope["http_version"],
            "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]],
            "body": body.decode("latin-1"),
        }
        await answer(scope, send, 200, json.dumps(told).encode())


async def whole_body(scope: dict[str, Any]) -> bytes | None:
    """A body that comes in one piece, once it has come."""
    for _ in range(1000):
        body: bytes | None = scope["extensions"][BODY]()
        if body is not None:
            return body
        await asyncio.sleep(0.001)
    return None


async def answer(
    scope: dict[str, Any],
    send: Send,
    status: int,
    body: bytes,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    start = {"type": "http.response.start", "status": status, "headers": headers or []}
    await send(start)
    sent = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": sent})


@contextlib.asynccontextmanager
async def serving(app: Any = app, **more: Any) -> AsyncIterator[tuple[Plain, int]]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        plain = Plain(sock, Server(**more), 100)
        plain.begin(app)
        try:
            yield plain, sock.getsockname()[1]
        finally:
            await plain.end(2)


async def said(port: int, *parts: bytes, end: bool = True) -> bytes:
    """All that is answered to what is sent in these parts, until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.001)
        if end:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(-1), 60)
    finally:
        writer.close()


def request(path: str, *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *lines, "", ""]).encode()


CLOSE = "Connection: close"
