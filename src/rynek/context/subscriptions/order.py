"""Which messages may leave now: those about one entity leave one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from rynek.context.store.outbox import Message

__all__ = ["Item", "Order", "UnderWay", "entity_keys", "pack_keys"]

KEY_BYTES = 4
MAX_KEYS = 256


class UnderWay(Protocol):
    """A message that is being sent."""

    def cancel(self) -> object:
        """Nobody waits for it any more."""
        ...


class Item(msgspec.Struct, eq=False):
    """A message on its way: for how many of its keys it still waits, how often it was tried, what
    is being sent now; one that is settled before its turn is `gone`."""

    message: Message
    keys: tuple[bytes, ...]
    waiting: int = 0
    attempts: int = 0
    in_flight: bool = False
    under_way: UnderWay | None = None
    gone: bool = False


def pack_keys(hashes: Iterable[int]) -> bytes:
    """The keys of the entities that a message tells of; empty, which is all, when they are many."""
    if isinstance(hashes, list) and len(hashes) == 1:
        return int(hashes[0]).to_bytes(KEY_BYTES, "big")
    keys = {one.to_bytes(KEY_BYTES, "big") for one in hashes}
    return b"" if len(keys) > MAX_KEYS else b"".join(sorted(keys))


def entity_keys(about: bytes) -> tuple[bytes, ...]:
    """The single keys of packed ones."""
    if len(about) == KEY_BYTES:
        return (about,)
    return tuple(about[at : at + KEY_BYTES] for at in range(0, len(about), KEY_BYTES))


class Order:
    """Keeps the order per key. An item with no keys waits for all before it, and all after it
    wait for it."""

    def __init__(self) -> None:
        # An item that is the only one about something stands there alone.
        self._lines: dict[bytes, Item | deque[Item]] = {}
        self._inside = 0
        self._barriers: deque[Item] = deque()

    def push(self, item: Item) -> bool:
        """Add an item at the end; whether it may leave at once."""
        if self._barriers or (self._inside and (not item.keys or not self._lines)):
            item.waiting = 1
            self._barriers.append(item)
            return False
        keys = item.keys
        if len(keys) == 1 and keys[0] not in self._lines:
            self._inside += 1
            self._lines[keys[0]] = item
            return True
        return self._enter(item)

    def done(self, item: Item) -> Sequence[Item]:
        """The item has left (or was given up): those that may leave now because of that."""
        lines = self._lines
        ready: list[Item] = []
        for key in item.keys:
            line = lines[key]
            if line is item:
                del lines[key]
                continue
            assert type(line) is deque
            if len(line) == 1:
                del lines[key]
                continue
            line.popleft()
            following = line[0]
            following.waiting -= 1
            if following.waiting == 0:
                ready.append(following)
        self._inside -= 1
        while self._barriers:
            first = self._barriers[0]
            if self._inside and (not first.keys or self._alone):
                break
            self._barriers.popleft()
            if self._enter(first):
                ready.append(first)
        return ready

    @property
    def _alone(self) -> bool:
        """Whether what is inside is an item without keys."""
        return not self._lines

    def _enter(self, item: Item) -> bool:
        self._inside += 1
        item.waiting = 0
        for key in item.keys:
            line = self._lines.get(key)
            if line is None:
                self._lines[key] = item
                continue
            if type(line) is Item:
                line = self._lines[key] = deque((line,))
            assert type(line) is deque
            line.append(item)
            item.waiting += 1
        return item.waiting == 0
