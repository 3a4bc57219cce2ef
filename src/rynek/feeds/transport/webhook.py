"""Bodies that others post: a bounded queue between the web room and the feed's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rynek.base.errors import PayloadTooLarge, Unavailable
from rynek.feeds.contract import FeedConfig, WriteReport
from rynek.feeds.kit.content import inflate
from rynek.feeds.transport.contract import Payload

QUEUE = 256


class WebhookSource:
    """Answers each `deliver` only after its body is written, or with what was wrong with it."""

    paced = True

    def __init__(self, config: FeedConfig) -> None:
        self._max_bytes = config.max_bytes
        self._queue: asyncio.Queue[tuple[Payload, asyncio.Future[WriteReport]]] = asyncio.Queue(
            QUEUE
        )
        self._current: asyncio.Future[WriteReport] | None = None
        self._closed = False

    async def deliver(self, body: bytes, part: str = "") -> WriteReport:
        """Hand one body in and wait for the write.

        PayloadTooLarge beyond the feed's max_bytes; Unavailable when too many are waiting or the
        feed stops; ValueError when the body is not of the feed's kind.
        """
        if len(body) > self._max_bytes:
            raise PayloadTooLarge(f"a body of this feed may have at most {self._max_bytes} bytes")
        if self._closed:
            raise Unavailable("the feed is not running")
        answer: asyncio.Future[WriteReport] = asyncio.get_running_loop().create_future()
        try:
            payload = Payload(inflate(body, self._max_bytes), part, "webhook")
            self._queue.put_nowait((payload, answer))
        except asyncio.QueueFull:
            raise Unavailable(f"{QUEUE} bodies are waiting already; try again later") from None
        return await answer

    async def fetch(self) -> Sequence[Payload]:
        """Wait for the next body whose sender is still there."""
        while True:
            payload, answer = await self._queue.get()
            if not answer.done():
                self._current = answer
                return [payload]

    async def more(self, documents: Sequence[tuple[str, str]]) -> Sequence[Payload]:
        """A body stands alone."""
        return []

    def confirm(self, report: WriteReport) -> None:
        """Tell the sender what became of it."""
        if self._current is not None and not self._current.done():
            self._current.set_result(report)
        self._current = None

    def reject(self, error: Exception) -> None:
        """Tell the sender why not."""
        if self._current is not None and not self._current.done():
            self._current.set_exception(error)
        self._current = None

    async def close(self) -> None:
        """Refuse whoever still waits."""
        self._closed = True
        self.reject(Unavailable("the feed is stopping"))
        while not self._queue.empty():
            _, self._current = self._queue.get_nowait()
            self.reject(Unavailable("the feed is stopping"))
