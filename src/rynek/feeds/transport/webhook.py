"""Bodies that others post: a bounded queue between the web room and the feed's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rynek.base.errors import PayloadTooLarge, Unavailable
from rynek.feeds.contract import FeedConfig, WriteReport
from rynek.feeds.kit.content import inflate
from rynek.feeds.transport.contract import Payload

QUEUE = 256
AT_ONCE = 64
_Waiting = tuple[Payload, asyncio.Future[WriteReport]]


class WebhookSource:
    """Answers each `deliver` only after its body is written, or with what was wrong with it."""

    paced = True

    def __init__(self, config: FeedConfig) -> None:
        self._max_bytes = config.max_bytes
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(QUEUE)
        self._fetched: list[_Waiting] = []
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
        """Wait for a body whose sender is still there; it and those behind it, 64 at most."""
        while True:
            found = [await self._queue.get()]
            while len(found) < AT_ONCE and not self._queue.empty():
                found.append(self._queue.get_nowait())
            self._fetched = [(payload, answer) for payload, answer in found if not answer.done()]
            if self._fetched:
                return [payload for payload, _ in self._fetched]

    async def more(self, documents: Sequence[tuple[str, str]]) -> Sequence[Payload]:
        """A body stands alone."""
        return []

    def settle(self, payload: Payload, outcome: WriteReport | Exception) -> None:
        """Tell the sender of one body what became of it, or why nothing did."""
        for fetched, answer in self._fetched:
            if fetched is payload and not answer.done():
                if isinstance(outcome, Exception):
                    answer.set_exception(outcome)
                else:
                    answer.set_result(outcome)

    def confirm(self, report: WriteReport) -> None:
        """Every body was settled by itself."""
        self._fetched = []

    def reject(self, error: Exception) -> None:
        """Tell those that were not settled why not."""
        for payload, _ in self._fetched:
            self.settle(payload, error)
        self._fetched = []

    async def close(self) -> None:
        """Refuse whoever still waits."""
        self._closed = True
        self.reject(Unavailable("the feed is stopping"))
        while not self._queue.empty():
            self._fetched = [self._queue.get_nowait()]
            self.reject(Unavailable("the feed is stopping"))
