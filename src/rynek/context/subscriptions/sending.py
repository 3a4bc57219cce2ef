"""What a line asks of whoever sends its messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from rynek.context.store.outbox import Message
from rynek.context.subscriptions.order import Item

__all__ = ["PARALLEL", "Awaited", "Done", "Rejected", "Sender"]

PARALLEL: Final = 16


class Rejected(Exception):
    """The receiver answered that it did not take a message."""


Done = Callable[[Sequence[Item], int | Exception | None], None]


class Sender(Protocol):
    """Sends messages, at most `parallel` at a time to a receiver that takes all of them."""

    parallel: int

    def __call__(self, items: Sequence[Item], done: Done) -> None:
        """Begin to send messages and say what is `under_way`. `done` is called, once for each, when
        the receiver has it (None), with the status that it answered, or with OutgoingRefused or
        Rejected when it was not taken. Not any more after `cancel`."""
        ...


class Awaited:
    """A sender from a coroutine that returns when the receiver has the message."""

    def __init__(self, send: Callable[[Message], Awaitable[None]]) -> None:
        self.parallel = PARALLEL
        self._send = send

    def __call__(self, items: Sequence[Item], done: Done) -> None:
        """Begin to send."""
        loop = asyncio.get_running_loop()
        for item in items:
            item.under_way = loop.create_task(self._run(item, done))

    async def _run(self, item: Item, done: Done) -> None:
        try:
            await self._send(item.message)
        except Exception as error:
            done((item,), error)
        else:
            done((item,), None)
