"""How late an event loop is: a probe that wakes up a few times a second and sees how late it was."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from typing import Final

__all__ = ["DELAYS", "LoopDelay"]

DELAYS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the buckets of delays, in seconds; one more holds the longer ones."""

_EVERY: Final = 0.25


class LoopDelay:
    """Delays of the running loop, since `start`. A wake-up costs a few microseconds."""

    def __init__(self, every: float = _EVERY) -> None:
        self._every = every
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._worst = 0.0
        self.buckets = [0] * (len(DELAYS) + 1)
        self.seconds = 0.0

    def start(self) -> None:
        """Begin to look, on the running loop."""
        if self._timer is None:
            self._next(asyncio.get_running_loop())

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def take_worst(self) -> float:
        """The longest delay since this was last asked."""
        worst, self._worst = self._worst, 0.0
        return worst

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + self._every
        self._timer = loop.call_at(self._due, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        late = max(0.0, loop.time() - self._due)
        self.buckets[bisect_left(DELAYS, late)] += 1
        self.seconds += late
        self._worst = max(self._worst, late)
        self._next(loop)
