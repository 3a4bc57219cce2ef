"""Frames of changed features for event streams: few, bounded, and honest about what was lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

QUEUE_FRAMES: Final = 8
KEEP_BYTES: Final = 2_000_000
HEARTBEAT_S: Final = 15.0
MAX_WATCHERS: Final = 2000
RESYNC: Final = b"event: resync\ndata: {}\n\n"
GONE: Final = b"event: bye\ndata: {}\n\n"


def event(name: str, data: bytes, number: int | None = None) -> bytes:
    """One server-sent event; `data` must be one line."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {name}\ndata: ".encode() + data + b"\n\n"


class Watcher:
    """One open stream: a short queue; when it is full the oldest go and a resync is owed."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque(maxlen=QUEUE_FRAMES)
        self._ready = asyncio.Event()
        self._lost = False

    def offer(self, frame: bytes) -> None:
        """Queue a frame; a slow reader loses the oldest and is told to resync."""
        if len(self._frames) == QUEUE_FRAMES:
            self._lost = True
        self._frames.append(frame)
        self._ready.set()

    async def take(self, timeout: float) -> bytes | None:
        """Everything queued, as bytes; None when nothing came within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._ready.wait()
        except TimeoutError:
            return None
        self._ready.clear()
        parts = [RESYNC, *self._frames] if self._lost else list(self._frames)
        self._lost = False
        self._frames.clear()
        return b"".join(parts)


class Broadcast:
    """Sends frames to every watcher and keeps a few for those who come back.

    `number` is the newest frame's. Frames are kept up to KEEP_BYTES.
    """

    def __init__(self, epoch: int = 0) -> None:
        self.number = epoch
        self.watchers: set[Watcher] = set()
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0

    def send(self, name: str, data: bytes, *, keep: bool = True) -> None:
        """Number, keep and queue one event for everyone who watches."""
        if keep:
            self.number += 1
        frame = event(name, data, self.number if keep else None)
        if keep:
            self._kept.append((self.number, frame))
            self._kept_bytes += len(frame)
            while self._kept_bytes > KEEP_BYTES:
                self._kept_bytes -= len(self._kept.popleft()[1])
        for watcher in self.watchers:
            watcher.offer(frame)

    def skip(self) -> None:
        """Something changed while nobody watched: whoever comes back must resync."""
        self.number += 1
        self._kept.clear()
        self._kept_bytes = 0

    def deltas(self, since: int) -> list[bytes] | None:
        """The frames after number `since`; None when they are no longer kept (resync)."""
        if since == self.number:
            return []
        if since > self.number or not self._kept or self._kept[0][0] > since + 1:
            return None
        return [frame for number, frame in self._kept if number > since]

    async def follow(
        self, clock: Callable[[], bytes], last_event_id: int | None, stopping: asyncio.Event
    ) -> AsyncIterator[bytes]:
        """The bytes of one client's stream, until `stopping` is set or the client leaves.

        `clock` gives the data of `hello` and of the `beat` that follows every silence of
        HEARTBEAT_S (an event, because browsers do not show comments to scripts).
        """
        watcher = Watcher()
        missed = self.deltas(last_event_id) if last_event_id is not None else []
        self.watchers.add(watcher)
        ended = asyncio.ensure_future(stopping.wait())
        try:
            yield b"retry: 3000\n" + event("hello", clock(), self.number)
            yield RESYNC if missed is None else b"".join(missed)
            while not stopping.is_set():
                taking = asyncio.ensure_future(watcher.take(HEARTBEAT_S))
                await asyncio.wait({taking, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    taking.cancel()
                    break
                yield taking.result() or event("beat", clock())
            yield GONE
        finally:
            ended.cancel()
            self.watchers.discard(watcher)
