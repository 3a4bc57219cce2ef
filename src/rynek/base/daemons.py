"""Threads for work that may never end: each has one to itself, and one that is done is used again."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

__all__ = ["start"]

_IDLE_SECONDS: Final = 10.0
_Queue = SimpleQueue[Callable[[], object]]
_idle: deque[_Queue] = deque()


def start(work: Callable[[], object]) -> None:
    """Begin `work`, which must not raise, in a thread that runs nothing else meanwhile and does not
    hold up the end of the process.

    To begin a thread takes a turn of the new one: whoever begins one waits for that.
    """
    try:
        queue = _idle.pop()
    except IndexError:
        queue = SimpleQueue()
        threading.Thread(target=_serve, args=(queue,), name="daemon", daemon=True).start()
    queue.put(work)


def _serve(queue: _Queue) -> None:
    while (work := _next(queue)) is not None:
        work()
        del work  # whatever it holds is not needed until the next
        _idle.append(queue)


def _next(queue: _Queue) -> Callable[[], object] | None:
    """What to do next; None where nobody has wanted this thread for a while."""
    with contextlib.suppress(Empty):
        return queue.get(timeout=_IDLE_SECONDS)
    try:
        _idle.remove(queue)
    except ValueError:
        return queue.get()  # it was taken in this moment: work is on its way
    return None
