"""The pages as the tally sees them: counted, timed until they begin, with a request id on errors."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Final

from rynek.base.request import CURRENT, HEADER, OVER, id_of
from rynek.web.tally import plain_path

__all__ = ["Counted", "route_of"]

_logger = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
App = Callable[..., Awaitable[None]]

_FIRST: Final = frozenset(
    ("about", "developers", "entities", "feeds", "health", "i18n", "map", "metrics", "notified",
     "service", "static")
)  # fmt: skip
"""First parts of paths that a client cannot make up; all others are counted as one."""


def route_of(path: str, base: str) -> str:
    """The class of a page's path."""
    parts = path.removeprefix(base).split("/")
    city = len(parts) > 2 and parts[1] == "c"
    first = "/".join(parts[3:4] if city else parts[1:2])
    if first and first not in _FIRST:
        return "other"
    return f"/c/*/{first}" if city else f"/{first}"


class Counted:
    """An ASGI application whose answers are counted. Times end where the answer begins: a stream
    of events is no slow answer."""

    def __init__(self, app: App, engine: Any) -> None:
        self._app = app
        self._tally = engine.tally
        self._base = str(engine.settings.server.base_path)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        CURRENT.set(scope)
        status = 0
        route = route_of(scope["path"], self._base)

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= 400:
                    message["headers"] = [*message["headers"], (HEADER, id_of(scope).encode())]
                length = next((v for k, v in message["headers"] if k == b"content-length"), b"0")
                size = int(length) if length.isdigit() else 0
                self._tally.note(route, scope["method"], status, started, size, scope)
            await send(message)

        try:
            await self._app(scope, receive, told)
        except Exception:
            _logger.exception("%s %s failed", scope["method"], plain_path(scope))
            if not status:
                await _failed(told)
        finally:
            scope[OVER] = True


async def _failed(send: Any) -> None:
    """The last resort, where not even the page that says so could be made."""
    head = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 500, "headers": head})
    await send({"type": "http.response.body", "body": b"an unexpected error"})
