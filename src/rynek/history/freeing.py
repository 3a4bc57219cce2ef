"""Rows that memory lets go of, beside an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from .schema import Reading

# Until then whoever had them written has ended, and holds them no more.
_AFTER_SECONDS: Final = 1.0
_AT_ONCE: Final = 1_000
_PAUSE_SECONDS: Final = 0.002


def free_later(rows: list[Reading], thread: ThreadPoolExecutor) -> None:
    """Free rows in a thread, some at a time: a hundred thousand objects in one go hold up all who
    want the interpreter for tens of milliseconds. Whoever still has some of them keeps those."""
    if rows:
        asyncio.get_running_loop().call_later(_AFTER_SECONDS, _submit, rows, thread)


def _submit(rows: list[Reading], thread: ThreadPoolExecutor) -> None:
    with contextlib.suppress(RuntimeError):  # the thread has ended: so does all of it
        thread.submit(_free, rows)


def _free(rows: list[Reading]) -> None:
    while rows:
        del rows[-_AT_ONCE:]
        time.sleep(_PAUSE_SECONDS)
