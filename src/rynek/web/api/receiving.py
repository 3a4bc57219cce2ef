"""Bodies of requests, bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic
from typing import Any, Final

from rynek.base.errors import BadRequestData, PayloadTooLarge, RequestTimeout

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_MIB: Final = 1024 * 1024
# So many pieces of any size, and one more for each of these bytes: each piece costs as much as a
# small request.
_PIECES: Final = 4096
_PIECE_BYTES: Final = 64


class Bodies:
    """The bodies that are on their way. One that takes longer than `seconds`, and as long again
    for each MiB of it, is given up by `sweep`: a look now and then costs a request less than a
    timer of its own."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}

    async def read(self, receive: Receive, headers: dict[str, str]) -> bytes:
        """The whole body. PayloadTooLarge beyond the bound, before it is read where it is told;
        RequestTimeout; BadRequestData when the client goes before its end."""
        told = headers.get("content-length")
        if told is not None and told.isdigit() and int(told) > self._most:
            raise PayloadTooLarge(f"the body is larger than {self._most} bytes")
        task = asyncio.current_task()
        assert task is not None
        self._due[task] = begun = monotonic() + self._seconds
        try:
            message = await receive()
            first = _part(message)
            if not message.get("more_body") and len(first) <= self._most:
                return first
            body, pieces = bytearray(first), 1
            while message.get("more_body") and len(body) <= self._most:
                self._due[task] = begun + len(body) / _MIB * self._seconds
                message = await receive()
                body += _part(message)
                pieces += 1
                if pieces > _PIECES + len(body) // _PIECE_BYTES:
                    raise BadRequestData("the body comes in too many small pieces")
        except asyncio.CancelledError:
            if self._due[task] != 0.0:
                raise
            task.uncancel()
            raise RequestTimeout(f"the body did not come within {self._seconds:g} s") from None
        finally:
            del self._due[task]
        return self.bounded(bytes(body))

    def bounded(self, body: bytes) -> bytes:
        """A body that has come; PayloadTooLarge."""
        if len(body) > self._most:
            raise PayloadTooLarge(f"the body is larger than {self._most} bytes")
        return body

    def sweep(self) -> None:
        """Give up what is overdue."""
        now = monotonic()
        for task, due in list(self._due.items()):
            if due < now:
                self._due[task] = 0.0
                task.cancel()


def _part(message: MutableMapping[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise BadRequestData("the connection ended before the body did")
    body: bytes = message.get("body", b"")
    return body
