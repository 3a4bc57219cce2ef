"""A log file that begins anew when it is large or old; a bounded number of old ones stays."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

__all__ = ["RotatingFile"]


class RotatingFile(RotatingFileHandler):
    """`path`, with the old ones beside it as `path.1` (the newest) to `path.<keep>`.

    A new file is begun before a line that would take it beyond `max_bytes`, and with the first line
    of a new span of `hours` (counted from 1970 in UTC, so that a restart changes nothing); 0 sets
    no bound. OSError when the file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = 0,
        hours: float = 0.0,
        keep: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=max_bytes, backupCount=keep, encoding="utf-8")
        self._span = hours * 3600
        self._clock = clock
        written = path.stat()
        self._last = written.st_mtime if written.st_size else clock()

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - the library's name
        """Whether this line opens a new file."""
        before, self._last = self._last, self._clock()
        if self._span and before // self._span != self._last // self._span:
            return Path(self.baseFilename).exists()
        return bool(super().shouldRollover(record))
