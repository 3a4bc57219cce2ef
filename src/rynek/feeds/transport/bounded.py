"""Files as others leave them: a pipe, a device, one without end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rynek.feeds.kit.content import inflate


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file, without gzip. ValueError when it is a pipe, a device … or has
    more than `max_bytes`; nothing is waited for."""
    # A pipe without a writer would hold up an ordinary open for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_size > max_bytes:
            raise ValueError(f"{status.st_size} bytes, more than max_bytes = {max_bytes}")
        return inflate(stream.read(max_bytes + 1), max_bytes)
