"""Changes that throttling holds back: they are told in one notification when its time is over."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from rynek.context.store.contract import Txn

__all__ = ["Throttle"]

_HOLD: Final = "INSERT OR IGNORE INTO held(target, entity, before) VALUES(?, ?, ?)"
_AGAIN_SECONDS: Final = 1.0
_GROWTH: Final = 1.5
_MOST_SECONDS: Final = 60.0
# Of all targets of a tenant together, changes and the bytes of what was before them.
MAX_HELD: Final = 100_000
MAX_BYTES: Final = 64 << 20
_LET_GO: Final = "DELETE FROM held WHERE target = ? AND entity = ?"
T = TypeVar("T")
_logger = logging.getLogger(__name__)


class Throttle(Generic[T]):
    """What changed (entities, registrations) while its target had to wait, and how it was before;
    in the file as soon as the change is. `release` is called with a target when its time is over;
    where it comes to nothing (`failed`, `put_back`) again, after pauses that grow until `told`.

    What is held is bounded: once it is full a change of something else is told at once, for a
    notification too soon is better than none.
    """

    def __init__(
        self,
        release: Callable[[str], None],
        encode: Callable[[T], bytes],
        decode: Callable[[bytes], T],
    ) -> None:
        self._release = release
        self._encode = encode
        self._decode = decode
        self._held: dict[str, dict[str, bytes | None]] = {}
        self._count = self._bytes = 0
        self._full = False
        self._failures: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        # What the newest group of writes began to hold and what it let go, and when a target that
        # it notifies was notified before: nothing of it is so when it fails.
        self._group: weakref.ref[Txn] | None = None
        self._new: list[tuple[str, str]] = []
        # What it held and let go itself; of the last that failed, what never was to be held.
        self._fresh: list[tuple[str, str]] = []
        self._void: set[tuple[str, str]] = set()
        self._gone: list[tuple[str, dict[str, bytes | None]]] = []
        self._were: dict[str, int] = {}
        # What is held of which the file may know nothing: what was put back, and what a job began
        # to hold that may have been undone alone since.
        self._unsure: dict[str, set[str]] = {}

    def load(self, rows: list[tuple[str, str, bytes | None]]) -> None:
        """What a former process held."""
        for target, entity_id, before in rows:
            self._put(target, entity_id, before)

    @property
    def targets(self) -> list[str]:
        """The targets for which something is held."""
        return list(self._held)

    def failed(self, txn: Txn | None) -> None:
        """Nothing of a group of writes came to pass."""
        if txn is None or self._group is None or self._group() is not txn:
            return  # it held nothing and let nothing go
        for target, entity_id in (*self._new, *self._fresh):
            held = self._held.get(target, {})
            if entity_id in held:
                self._weigh(-1, held.pop(entity_id))
            if not held:
                self._held.pop(target, None)
        for target, gone in self._gone:
            for entity_id, before in gone.items():
                self._put(target, entity_id, before)
            self._unsure.setdefault(target, set()).update(gone)
            self._again(target)
        self._last.update(self._were)
        self._void = set(self._fresh)
        self._new, self._fresh, self._gone, self._were = [], [], [], {}

    def _in(self, txn: Txn) -> None:
        """From here on it is about this group: the one before is in the file, or `failed`."""
        if self._group is None or self._group() is not txn:
            self._group = weakref.ref(txn)
            self._new, self._fresh, self._gone, self._were = [], [], [], {}

    def must_wait(self, txn: Txn, target: str, now: int, seconds: float, last: int) -> bool:
        """Whether a target is to wait at a time (epoch µs); `last` is when it was notified last,
        as far as the counters know. If it need not wait, it is notified now."""
        left = self.left(target, now, seconds, last)
        if target in self._held or left > 0:
            self._arm(target, left)
            return True
        self._in(txn)
        self._were.setdefault(target, self._last.get(target, 0))
        self._last[target] = now
        return False

    def left(self, target: str, now: int, seconds: float, last: int) -> float:
        """How many seconds a target has to wait yet."""
        last = max(last, self._last.get(target, 0))
        return max((last - now) / 1e6 + seconds, 0.0)

    def hold(
        self, txn: Txn, target: str, entity_id: str, before: T | None, *, in_job: bool = False
    ) -> bool:
        """Hold a change; of several to one entity the first says how it was before. False where
        there is no room for it: it is to be told now. `in_job`: a job that may yet be undone alone
        says so."""
        held = self._held.get(target, {})
        if entity_id in held:
            if entity_id in self._unsure.get(target, ()):
                txn.later(_HOLD, (target, entity_id, held[entity_id]))
            return True
        if self._count >= MAX_HELD or self._bytes >= MAX_BYTES:
            if not self._full:
                self._full = True
                _logger.warning(
                    "what throttling holds back is full: further changes are told at once"
                )
            return False
        self._full = False
        self._in(txn)
        self._new.append((target, entity_id))
        self._void.discard((target, entity_id))
        encoded = None if before is None else self._encode(before)
        self._put(target, entity_id, encoded)
        if in_job:
            self._unsure.setdefault(target, set()).add(entity_id)
        txn.later(_HOLD, (target, entity_id, encoded))
        return True

    def last(self, target: str) -> int:
        """When a target was notified last, as far as this process knows (epoch µs); 0 for never."""
        return self._last.get(target, 0)

    def take(self, txn: Txn, target: str, now: int) -> list[tuple[str, T | None]]:
        """What is held for a target, which is notified of it now."""
        held = self._taken(txn, target)
        self._were.setdefault(target, self._last.get(target, 0))
        self._last[target] = now
        return [(one, None if was is None else self._decode(was)) for one, was in held.items()]

    def drop(self, txn: Txn, target: str) -> int:
        """Let go what is held for a target, which is not to be told of it; how much that was."""
        return len(self._taken(txn, target))

    def put_back(self, target: str, taken: list[tuple[str, T | None]]) -> None:
        """What was taken could not be told of."""
        for entity_id, before in taken:
            if (target, entity_id) not in self._void:
                self._put(target, entity_id, None if before is None else self._encode(before))
                self._unsure.setdefault(target, set()).add(entity_id)
        self._again(target)

    def told(self, target: str) -> None:
        """What was taken is in the file as a notification."""
        self._failures.pop(target, None)

    def arm(self, target: str, seconds: float = 0.0) -> None:
        """See to it that what is held is released in so many seconds."""
        if target in self._held:
            self._arm(target, seconds)

    def nothing_told(self, target: str, before: int) -> None:
        """What was taken came to nothing: the last notification is still that of `before`."""
        self._last[target] = before

    def forget(self, target: str) -> None:
        """Hold nothing for a target any more."""
        self._let_go(target)
        self._failures.pop(target, None)
        self._last.pop(target, None)
        self._gone = [one for one in self._gone if one[0] != target]
        self._were.pop(target, None)
        timer = self._timers.pop(target, None)
        if timer is not None:
            timer.cancel()

    def stop(self) -> None:
        """Release nothing any more; what is held stays in the file."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _put(self, target: str, entity_id: str, before: bytes | None) -> None:
        held = self._held.setdefault(target, {})
        if entity_id in held:
            self._weigh(-1, held[entity_id])
        held[entity_id] = before
        self._weigh(1, before)

    def _taken(self, txn: Txn, target: str) -> dict[str, bytes | None]:
        held = self._let_go(target)
        self._in(txn)
        # What began to be held in this very group is not to come back when it fails.
        fresh = [one for one in self._new if one[0] == target]
        gone = held
        if fresh:
            gone = {one: was for one, was in held.items() if (target, one) not in fresh}
            self._new = [one for one in self._new if one[0] != target]
            self._fresh += fresh
        if gone:
            self._gone.append((target, gone))
        for entity_id in held:
            txn.later(_LET_GO, (target, entity_id))
        return held

    def _let_go(self, target: str) -> dict[str, bytes | None]:
        self._unsure.pop(target, None)
        held = self._held.pop(target, {})
        for before in held.values():
            self._weigh(-1, before)
        return held

    def _weigh(self, sign: int, before: bytes | None) -> None:
        """Count one change in or out."""
        self._count += sign
        self._bytes += sign * len(before or b"")

    def _again(self, target: str) -> None:
        """What is held could not be told of: try again after a pause, longer each time."""
        if target in self._timers:
            return
        failures = self._failures.get(target, 0)
        self._failures[target] = min(failures + 1, 40)
        self._arm(target, min(_AGAIN_SECONDS * _GROWTH**failures, _MOST_SECONDS))

    def _arm(self, target: str, seconds: float) -> None:
        if target not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[target] = loop.call_later(max(seconds, 0.001), self._due, target)

    def _due(self, target: str) -> None:
        self._timers.pop(target, None)
        self._release(target)
