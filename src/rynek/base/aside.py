"""Threads for short waits beside an event loop, with less around each than a pool's futures have."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

A = TypeVar("A")
T = TypeVar("T")
_Work = tuple[Callable[[Any], Any], Any, "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class Aside:
    """Up to `most` threads, begun as they are needed; they end with the process."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._todo: SimpleQueue[_Work] = SimpleQueue()
        self._threads = 0
        self._busy = 0  # given and not called back yet; the event loop's own count

    def run(self, work: Callable[[A], T], argument: A) -> asyncio.Future[T]:
        """What `work(argument)` returns or raises in a thread. Call it on an event loop; what has
        begun goes on when the future is cancelled."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._busy += 1
        if self._busy > self._threads and self._threads < self._most:
            self._threads += 1
            name = f"{self._name}_{self._threads}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()
        self._todo.put((work, argument, done, loop))
        return done

    def _serve(self) -> None:
        while True:
            work, argument, done, loop = self._todo.get()
            result: Any = None
            fault: BaseException | None = None
            try:
                result = work(argument)
            except BaseException as error:
                fault = error
            # A loop that has ended waits for nothing.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._over, done, result, fault)
            del work, argument, done, loop, result, fault

    def _over(self, done: asyncio.Future[Any], result: object, fault: BaseException | None) -> None:
        self._busy -= 1
        if done.done():
            return
        if fault is None:
            done.set_result(result)
        else:
            done.set_exception(fault)
