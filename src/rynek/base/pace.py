"""Long work on an event loop, in slices: whoever asks for little waits for one of them."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import Final

__all__ = ["Pace"]

_SLICE_SECONDS: Final = 0.001


class _Line:
    """Those on one event loop that have done a slice. One of them a round of the loop goes on: the
    others wait as long for many of them as for one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: deque[asyncio.Future[None]] = deque()

    def wait(self) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = self.loop.create_future()
        if not self._waiting:
            self.loop.call_soon(self._next)
        self._waiting.append(turn)
        return turn

    def _next(self) -> None:
        waiting = self._waiting
        while waiting:
            turn = waiting.popleft()
            if not turn.done():  # nor cancelled
                turn.set_result(None)
                break
        if waiting:
            self.loop.call_soon(self._next)


_lines: list[_Line] = []


class Pace:
    """What one long piece of work asks after each of its steps: `if pace.due(): await pace.turn()`.
    A slice is so many seconds long, and one step longer."""

    def __init__(self, seconds: float = _SLICE_SECONDS) -> None:
        self._seconds = seconds
        self._until = perf_counter() + seconds

    def due(self) -> bool:
        """Whether others are to get their turn now."""
        return perf_counter() >= self._until

    async def turn(self) -> None:
        """Let others go on; the next slice begins when this returns."""
        loop = asyncio.get_running_loop()
        if not _lines or _lines[0].loop is not loop:
            _lines[:] = [_Line(loop)]
        await _lines[0].wait()
        self._until = perf_counter() + self._seconds
