"""Which core serves and which makes the load: the first two that the process may use."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

ALL: Final = sorted(os.sched_getaffinity(0))
SERVER: Final = ALL[0]
LOAD: Final = ALL[1] if len(ALL) > 1 else ALL[0]


def take_precedence() -> None:
    """Where the caller raised our priority (nice -n -10), raise that of the whole session as well:
    Linux weighs sessions against each other first."""
    wanted = os.getpriority(os.PRIO_PROCESS, 0)
    if wanted < 0:
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(wanted))
