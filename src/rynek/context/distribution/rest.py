"""Which sources are left alone because they failed (CIM 009 §5.2.34 `cooldown`, §6.3.17)."""

from __future__ import annotations

import asyncio
from typing import Final

from rynek.context.distribution.answer import Answer
from rynek.context.registrations import Registration

__all__ = ["Rest"]

_TOLERATED: Final = 3
_REMEMBERED: Final = 10_000


class Rest:
    """Which sources are left alone because they failed (§5.2.34 `cooldown`)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[tuple[str, str], float] = {}
        self._failed: dict[tuple[str, str], int] = {}

    def is_resting(self, source: Registration) -> bool:
        """Whether it is not to be asked now."""
        key = (source.id, source.endpoint)
        until = self._until.get(key)
        if until is None:
            return False
        if asyncio.get_running_loop().time() < until:
            return True
        del self._until[key]
        return False

    def resting(self) -> int:
        """How many sources are left alone now."""
        now = asyncio.get_running_loop().time()
        return sum(1 for until in self._until.values() if now < until)

    def note(self, source: Registration, answer: Answer) -> None:
        """Take in how a request went: a cooldown that the registration sets begins with the first
        failure, ours with the third in a row that cost the whole timeout."""
        key = (source.id, source.endpoint)
        told = source.management.cooldown_ms
        if answer.ok or (answer.status and told is None):
            self._failed.pop(key, None)
            return
        if told is None and answer.failure != "timeout":
            return
        failed = self._failed[key] = self._failed.get(key, 0) + 1
        if told is None and failed < _TOLERATED:
            return
        seconds = self._seconds if told is None else told / 1000
        self._until[key] = asyncio.get_running_loop().time() + seconds
        for memory in (self._until, self._failed):
            if len(memory) > _REMEMBERED:
                memory.pop(next(iter(memory)))
