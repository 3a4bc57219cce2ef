"""What a command says while it is busy: one line on a terminal, and nothing anywhere else."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO, TypeVar

__all__ = ["each", "waiting"]

_AFTER_SECONDS: Final = 1.5
_EVERY_SECONDS: Final = 0.5
_CLEAR: Final = "\r\x1b[K"
T = TypeVar("T")


@contextmanager
def waiting(
    doing: str, stream: TextIO | None = None, after: float = _AFTER_SECONDS
) -> Iterator[Callable[[str], None]]:
    """Say what is being done, and for how long, where it takes more than a second or two.

    What is given says what comes next ("file 3 of 40"). The line is gone at the end, so that
    results begin where it stood. `stream` is standard error where none is named.
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        yield lambda _: None
        return
    line = _Line(doing, stream, after)
    line.thread.start()
    try:
        yield line.say
    finally:
        line.end()


def each(doing: str, items: Iterable[T]) -> Iterator[T]:
    """The items, with `waiting` for each of them; what is done with one has the terminal."""
    left = iter(items)
    while True:
        with waiting(doing):
            try:
                one = next(left)
            except StopIteration:
                return
        yield one


class _Line:
    """Written by a thread of its own: one long call of a library says nothing by itself."""

    def __init__(self, doing: str, stream: TextIO, after: float) -> None:
        self._doing, self._detail = doing, ""
        self._stream, self._after = stream, after
        self._began = time.monotonic()
        self._over = threading.Event()
        self._is_shown = False
        self.thread = threading.Thread(target=self._run, name="waiting", daemon=True)

    def say(self, detail: str) -> None:
        """What comes next."""
        self._detail = detail

    def end(self) -> None:
        """Take the line away."""
        self._over.set()
        self.thread.join()
        if self._is_shown:
            self._put(_CLEAR)

    def _run(self) -> None:
        pause = self._after
        while not self._over.wait(pause):
            pause = _EVERY_SECONDS
            self._is_shown = True
            seconds = time.monotonic() - self._began
            told = ": ".join(filter(None, (self._doing, self._detail)))
            room = shutil.get_terminal_size().columns - 12
            self._put(f"{_CLEAR}{told[:room]} … {seconds:.0f} s")

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
