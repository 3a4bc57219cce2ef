"""Answers of sources that may be used again for a while (CIM 009 §6.3.17, `cacheDuration`)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

import msgspec

from rynek.context.distribution.answer import Answer

__all__ = ["Cache"]

_MOST: Final = 1000
_MOST_BYTES: Final = 32 * 1024 * 1024
_LARGEST: Final = 1024 * 1024
Key = tuple[str, ...]


class _Kept(msgspec.Struct):
    answer: Answer
    until: float


class Cache:
    """Bounded in number and bytes; who was not asked for longest makes room."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0

    def find(self, key: Key) -> Answer | None:
        """A kept answer whose time is not over."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until < asyncio.get_running_loop().time():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.answer

    def keep(self, key: Key, answer: Answer, seconds: float) -> None:
        """Keep a good answer for so long."""
        if not answer.ok or len(answer.body) > _LARGEST:
            return
        self._drop(key)
        stale = msgspec.structs.replace(answer, stale=True)
        self._kept[key] = _Kept(stale, asyncio.get_running_loop().time() + seconds)
        self._bytes += len(answer.body)
        while len(self._kept) > _MOST or self._bytes > _MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def forget(self, source_id: str) -> None:
        """Forget everything of a source: something was written to it."""
        for key in [one for one in self._kept if one[0] == source_id]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept.answer.body)
