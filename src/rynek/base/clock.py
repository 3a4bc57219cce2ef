"""Time as epoch microseconds inside, ISO 8601 UTC at the edges; clocks that can be a recording's."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)\Z"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = 1_000_000


class Clock(Protocol):
    """What tells the time of a tenant: the machine's, or a recording's."""

    def now(self) -> int:
        """Epoch microseconds, UTC."""
        ...


class SystemClock:
    """The machine's clock, never stepping back within one process."""

    def __init__(self) -> None:
        self._last = 0

    def now(self) -> int:
        """Epoch microseconds, UTC; at least the previous answer plus one."""
        now = time.time_ns() // 1000
        self._last = now if now > self._last else self._last + 1
        return self._last


def to_iso(micros: int) -> str:
    """Epoch microseconds → `2026-11-22T10:00:00.123456Z` (fraction left out where zero)."""
    seconds, fraction = divmod(micros, MICRO)
    base = _second(seconds)
    return f"{base}.{fraction:06d}Z" if fraction else f"{base}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Remembered: what happens at about the same time is told about the same time."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def parse_iso(text: str) -> int:
    """An ISO 8601 date-time with a zone → epoch microseconds; ValueError when it is none."""
    match = _ISO.match(text)
    if match is None:
        raise ValueError(f"not an ISO 8601 date-time with zone: {text[:64]!r}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    moment = datetime(
        int(year), int(month), int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
    )
    micros = int((fraction or "0").ljust(6, "0")[:6])
    delta = moment - _EPOCH
    total = (delta.days * 86_400 + delta.seconds) * MICRO + micros
    if zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        total -= (offset if zone[0] == "+" else -offset) * MICRO
    return total
