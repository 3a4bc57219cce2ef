"""Time as epoch microseconds inside, ISO 8601 UTC at the edges; clocks that can be a recording's."""

from __future__ import annotations

import logging
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
_TICK = 1000
# Lengths of a time in UTC with whole seconds, milliseconds, microseconds.
_USUAL = frozenset((20, 24, 27))
_FOLLOWED = 3600 * MICRO
_HOLD_SECONDS = 600.0
_logger = logging.getLogger(__name__)


class Clock(Protocol):
    """What tells the time of a tenant: the machine's, or a recording's."""

    def now(self) -> int:
        """Epoch microseconds, UTC."""
        ...


class SystemClock:
    """The machine's clock, never stepping back within one process while it is set right by less
    than an hour: then it goes at half speed until it is right. A longer way back is followed.
    """

    def __init__(self) -> None:
        self._last = 0
        self._slowed = -1
        self._slowed_at = 0

    def now(self) -> int:
        """Epoch microseconds, UTC; above the previous answer, but after a long step back."""
        now = time.time_ns() // 1000
        self._last = now if now > self._last else self._behind(now)
        return self._last

    def _behind(self, now: int) -> int:
        """The machine's clock is not above the last answer."""
        ahead = self._last - now
        if ahead < _TICK:
            return self._last + 1
        if ahead > _FOLLOWED:
            _logger.warning("the clock went back by %d s, to %s", ahead // MICRO, to_iso(now))
            return now
        running = time.monotonic_ns() // 1000
        passed = running - self._slowed_at if self._slowed == self._last else 0
        self._slowed_at = running
        self._slowed = self._last + max(1, passed // 2)
        return self._slowed


class ClockWatch:
    """Whether the machine's clock may decide on what cannot be undone: not for ten minutes after it
    was set by more than an hour, since such a step is often taken back."""

    def __init__(self) -> None:
        self._wall, self._running = time.time(), _running()
        self._held_until = 0.0

    def hold(self, seconds: float) -> None:
        """Trust it only after that time."""
        self._held_until = max(self._held_until, self._running + seconds)

    def is_steady(self) -> bool:
        """Whether it has gone evenly; looks anew with every call."""
        wall, running = time.time(), _running()
        jump = (wall - self._wall) - (running - self._running)
        self._wall, self._running = wall, running
        if abs(jump) > _FOLLOWED / MICRO:
            _logger.warning("the clock was set by %+.0f s: nothing is deleted for a while", jump)
            self.hold(_HOLD_SECONDS)
        return running >= self._held_until


def _running() -> float:
    """Seconds that only ever pass, also while the machine sleeps where the system counts that."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def to_iso(micros: int) -> str:
    """Epoch microseconds → `2026-11-22T10:00:00.123456Z` (fraction left out where zero)."""
    seconds, fraction = divmod(micros, MICRO)
    base = _second(seconds)
    return f"{base}.{fraction:06d}Z" if fraction else f"{base}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Remembered: what happens at about the same time is told about the same time."""
    # Of a year before 1000 the C library writes no zeros.
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).zfill(19)


def _is_usual(text: str) -> bool:
    """Whether marks stand where those of an extended date and time have their place; the
    standard library reads other forms of ISO 8601 as well."""
    return (
        text[-1] == "Z"
        and text[10] == "T"
        and text[4] == text[7] == "-"
        and text[13] == text[16] == ":"
        and (len(text) == 20 or text[19] == ".")
    )


@lru_cache(maxsize=8192)
def parse_iso(text: str) -> int:
    """An ISO 8601 date-time with a zone → epoch microseconds; ValueError when it is none.

    Remembered: the attributes of one reading share their time, and each is asked several times.
    """
    if len(text) in _USUAL and _is_usual(text):
        try:
            since = datetime.fromisoformat(text) - _EPOCH
        except ValueError:  # a leap second, or none at all
            pass
        else:
            return (since.days * 86_400 + since.seconds) * MICRO + since.microseconds
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
