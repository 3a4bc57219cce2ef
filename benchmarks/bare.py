"""The yardstick: a bare ASGI app on the same server, with as many bytes in each answer.

`GET /<n>` answers n bytes of JSON; nothing is read, checked or stored. What rynek reaches is given
as a share of this, because absolute figures hold for one machine only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

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
        answer = _bodies[path] = body(int(size) if size.isdigit() else 2)
    headers = [
        (b"content-type", b"application/ld+json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
