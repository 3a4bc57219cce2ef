"""The yardstick: an app that returns 600 bytes, on the HTTP server that rynek uses.

`python benchmarks/bare.py PORT` runs it just as rynek runs its own without TLS; with `--granian`
behind it on granian's embedded server, which rynek uses with TLS. `GET /<n>` answers n bytes of JSON,
any other path 600; nothing is read, checked or stored. What rynek reaches is given as a share of the
first, because absolute figures hold for one machine only. `python -m granian --interface asgi
benchmarks.bare:app` is granian as a program of its own.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from rynek.base import settings
from rynek.server.listening import listen
from rynek.server.plain import Plain

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

SIZE = 600
_bodies: dict[str, bytes] = {}


def body(size: int) -> bytes:
    """A JSON text of exactly `size` bytes (at least two)."""
    return b'"' + b"x" * (max(size, 2) - 2) + b'"'


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI app; takes HTTP requests alone."""
    if scope["type"] != "http":
        return
    path: str = scope["path"]
    answer = _bodies.get(path)
    if answer is None:
        size = path.strip("/")
        answer = _bodies[path] = body(int(size) if size.isdigit() else SIZE)
    headers = [
        (b"content-type", b"application/ld+json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    whole = scope.get("extensions", {}).get("rynek.whole")
    if whole is not None:
        whole(200, headers, answer)
        return
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _own(port: int) -> None:
    server = settings.Server(host="127.0.0.1", port=port)
    with listen(server) as sock:
        Plain(sock, server, 10_000).begin(app)
        await asyncio.Event().wait()


async def _granian(port: int) -> None:
    server = Server(
        app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
    )
    await server.serve()


if __name__ == "__main__":
    sys.setswitchinterval(0.001)
    gc.freeze()
    serve = _granian if "--granian" in sys.argv else _own
    uvloop.run(serve(int(sys.argv[1])))
