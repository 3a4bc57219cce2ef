"""Bodies of requests, bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic
from typing import Any, Final

from rynek.base.errors import BadRequestData, PayloadTooLarge, RequestTimeout

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_MIB: Final = 1024 * 1024


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
            chunks = [_part(message)]
            size = len(chunks[0])
            if not message.get("more_body") and size <= self._most:
                return chunks[0]
            while message.get("more_body") and size <= self._most:
                self._due[task] = begun + size / _MIB * self._seconds
                message = await receive()
                chunks.append(_part(message))
                size += len(chunks[-1])
        except asyncio.CancelledError:
            if self._due[task] != 0.0:
                raise
            task.uncancel()
            raise RequestTimeout(f"the body did not come within {self._seconds:g} s") from None
        finally:
            del self._due[task]
        if size > self._most:
            raise PayloadTooLarge(f"the body is larger than {self._most} bytes")
        return b"".join(chunks)

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
