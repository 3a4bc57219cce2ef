"""Which core serves and which makes the load: the first two that the process may use."""

from __future__ import annotations

import os
from typing import Final

ALL: Final = sorted(os.sched_getaffinity(0))
SERVER: Final = ALL[0]
LOAD: Final = ALL[1] if len(ALL) > 1 else ALL[0]
