"""Disks that fail, as the operating system shows them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

__all__ = ["unseen"]


def unseen(name: str) -> Callable[..., os.stat_result]:
    """An `os.stat` that fails for files of that name, as XFS answers once it has shut itself down."""
    looked = os.stat

    def stat(path: Any, *args: Any, **named: Any) -> os.stat_result:
        if str(path).endswith(name):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return looked(path, *args, **named)

    return stat
