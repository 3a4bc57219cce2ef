"""The lines of one tenant's receivers, and what became of their messages, kept lazily."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import msgspec

from rynek.base.trouble import Trouble
from rynek.base.typed import decoder
from rynek.context.live import Context
from rynek.context.store.contract import Txn
from rynek.context.store.outbox import Message, Outbox
from rynek.context.subscriptions.counters import Counters, DeliveryFigures, Health
from rynek.context.subscriptions.line import Line, LineLimits, Tally
from rynek.context.subscriptions.model import Subscription
from rynek.context.subscriptions.senders import Receiver, Senders

__all__ = ["Deliveries", "DeliveryLimits"]

_FLUSH_SECONDS: Final = 0.1
_TOGETHER: Final = 1_000
_COUNT_SECONDS: Final = 1.0
_REPLAY_BATCH: Final = 200
_KEEP: Final = "INSERT OR REPLACE INTO delivery(target, body) VALUES(?, ?)"
_FORGET_MESSAGES: Final = "DELETE FROM outbox WHERE target = ? AND n <= ?"
_FORGET: Final = (
    "DELETE FROM held WHERE target = ?",
    "DELETE FROM delivery WHERE target = ?",
)
_DROP: Final = "DELETE FROM outbox WHERE target = ? AND dead = 0 AND n <= ?"
_TRIM: Final = (
    "DELETE FROM outbox WHERE n IN"
    " (SELECT n FROM outbox WHERE target = ?1 AND dead = 1 ORDER BY n LIMIT ?2)"
)
_UNBURY: Final = "DELETE FROM outbox WHERE n = ?"
_decode: Final = decoder(Counters).decode
_encode: Final = msgspec.json.Encoder().encode
_logger = logging.getLogger(__name__)


class DeliveryLimits(msgspec.Struct, frozen=True):
    """Bounds of what waits: messages a receiver, bytes of all, dead letters a receiver."""

    max_backlog: int = 1_000_000
    max_bytes: int = 1 << 30
    max_dead: int = 1_000
    line: LineLimits = LineLimits()


class Deliveries:
    """Delivers what write jobs put into the outbox (`Txn.send`).

    A target is a key of the owner's choice. `open` makes its line: from then on its messages are
    sent to `receiver`, those that a former process left included. `close_line` with the job that
    removes the owner. What became of messages is in `counters`.
    """

    def __init__(
        self,
        context: Context,
        outbox: Outbox,
        senders: Senders,
        clock: Callable[[], int],
        limits: DeliveryLimits,
    ) -> None:
        self._context = context
        self._outbox = outbox
        self._senders = senders
        self._clock = clock
        self._limits = limits
        self._receivers: dict[str, tuple[Receiver, bool]] = {}
        self._lines: dict[str, Line] = {}
        self._tally = Tally()
        self._left: dict[str, tuple[int, int]] = {}
        self._dead: dict[str, int] = {}
        self._kept: dict[str, Counters] = {}
        self._flusher: asyncio.Task[None] | None = None
        self._full: set[str] = set()

    def start(self) -> None:
        """Look at what a former process left, and take what commits write from now on."""
        for backlog in self._outbox.backlog():
            if backlog.dead:
                self._dead[backlog.target] = backlog.messages
            else:
                self._left[backlog.target] = backlog.messages, backlog.size
        self._kept = {target: _decode(body) for target, body in self._outbox.counters()}
        self._outbox.receive = self._receive
        self._outbox.together = _TOGETHER
        self._flusher = asyncio.get_running_loop().create_task(self._flush_often())

    async def stop(self) -> None:
        """Stop sending and keep what became of messages; the rest stays in the file."""
        self._outbox.receive = None
        await asyncio.gather(*(line.close() for line in self._lines.values()))
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
        self._count()
        await self._flush()
        await self._senders.aclose()

    def open(self, target: str, receiver: Receiver, *, active: bool) -> None:
        """Deliver to a target, or from now on to another receiver; one that is not active keeps
        its messages. Its line is made when there is something to send."""
        self._receivers[target] = receiver, active
        line = self._lines.get(target)
        if line is not None:
            line.send, line.cooldown = self._senders.to(receiver), receiver.endpoint.cooldown
            line.active = active
            line.wake()
        elif target in self._left:
            self._make(target).restore(*self._left.pop(target))

    def _make(self, target: str) -> Line:
        receiver, active = self._receivers[target]
        line = self._lines[target] = Line(
            target,
            self._outbox,
            self._clock,
            self._limits.line,
            self._kept.pop(target, Counters()),
            self._tally,
            self._senders.to(receiver),
            receiver.endpoint.cooldown,
        )
        line.active = active
        line.dead = self._dead.pop(target, 0)
        return line

    async def close_line(self, target: str) -> None:
        """Deliver to a target no more."""
        self._receivers.pop(target, None)
        self._left.pop(target, None)
        self._dead.pop(target, None)
        self._kept.pop(target, None)
        line = self._lines.pop(target, None)
        if line is not None:
            await line.close()

    async def drop(self, target: str, let_go: Callable[[Txn], int | None]) -> None:
        """Delete what waits for a target; `let_go` says how many changes it held back and lets them
        go in the same write, or None where the target has not expired any more. They are counted.
        Dead letters stay."""

        def job(txn: Txn) -> int | None:
            held = let_go(txn)
            if held is not None:
                txn.later(_DROP, (target, txn.sent))
                txn.later(_FORGET[0], (target,))
            return held

        held = await self._context.write(job)
        if held is None or target not in self._receivers:
            return  # it goes on, or its owner was removed meanwhile
        line = self._lines.pop(target, None)
        waited = self._left.pop(target, (0, 0))[0] + (0 if line is None else line.waiting)
        if line is not None:
            self._kept[target], self._dead[target] = line.counters, line.dead
            self._full.discard(target)
        left = self._outbox.waiting(target)  # what came meanwhile, where it goes on after all
        counters = self.counters(target) or self._kept.setdefault(target, Counters())
        if waited + held > left[0]:
            counters.drop(waited + held - left[0])
            self._outbox.later(_KEEP, (target, _encode(counters)))
        if left[0]:
            self._make(target).restore(*left)
        if line is not None:
            await line.close()

    def line(self, target: str) -> Line | None:
        """The line of a target; None before it had any message."""
        return self._lines.get(target)

    def counters(self, target: str) -> Counters | None:
        """What became of a target's messages; None when there were none."""
        line = self._lines.get(target)
        return self._kept.get(target) if line is None else line.counters

    def dead(self, target: str) -> int:
        """How many dead letters a target has."""
        line = self._lines.get(target)
        return self._dead.get(target, 0) if line is None else line.dead

    def totals(self) -> DeliveryFigures:
        """What waits, was given up and was sent, of all receivers together."""
        counters = [line.counters for line in self._lines.values()] + list(self._kept.values())
        return DeliveryFigures(
            waiting=sum(line.waiting for line in self._lines.values())
            + sum(messages for messages, _ in self._left.values()),
            waiting_bytes=self._tally.size + sum(size for _, size in self._left.values()),
            dead=sum(line.dead for line in self._lines.values()) + sum(self._dead.values()),
            sent=sum(one.times_sent for one in counters),
            failed=sum(one.times_failed for one in counters),
            dropped=sum(one.dropped for one in counters),
        )

    def health(self, target: str, one: Subscription, now: int) -> Health:
        """How one subscription fares at a time (epoch µs)."""
        counters = self.counters(target) or Counters()
        line = self.line(target)
        name = one.members.get("subscriptionName")
        return Health(
            one.id,
            None if name is None else name.value,
            one.status(now),
            one.endpoint.uri,
            counters.status,
            counters.times_sent,
            counters.times_failed,
            counters.last_notification,
            counters.last_success,
            counters.last_failure,
            counters.last_error,
            0 if line is None else line.waiting,
            self.dead(target),
            counters.dropped,
            0 if line is None else line.cursor,
        )

    async def replay(self, target: str, after: int) -> int:
        """Put the dead letters of a target that are above number `after` in line again, as they
        are; how many those were."""
        line = self._lines.get(target) or self._make(target)
        replayed = 0
        await self._flush()
        # What is put in line again may be given up again meanwhile, under a higher number.
        last = self._outbox.head
        while True:
            found = self._outbox.read(target, after, _REPLAY_BATCH, dead=True)
            found = [message for message in found if message.n <= last]
            if not found:
                return replayed
            after = found[-1].n
            await self._context.write(partial(_send_again, messages=found))
            line.dead -= len(found)
            replayed += len(found)

    def _receive(self, messages: list[Message]) -> None:
        by_target: dict[str, list[Message]] = {}
        for message in messages:
            by_target.setdefault(message.target, []).append(message)
        lines = []
        for target, some in by_target.items():
            line = self._lines.get(target)
            if line is None:
                if target not in self._receivers:
                    continue
                line = self._make(target)
            line.put(some)
            lines.append(line)
            if line.waiting > self._limits.max_backlog:
                self._shed(line, self._limits.max_backlog)
        if self._tally.size > self._limits.max_bytes:
            largest = max(self._lines.values(), key=lambda line: line.size)
            self._shed(largest, largest.waiting - max(1, largest.waiting // 100))
        for line in lines:
            line.wake()

    def _shed(self, line: Line, most: int) -> None:
        if line.shed(most) and line.target not in self._full:
            self._full.add(line.target)
            _logger.warning(
                "the backlog of %s is full: its oldest messages are given up", line.target
            )

    async def _flush_often(self) -> None:
        """Settle what was taken, also when nobody writes, and count now and then."""
        counted = 0.0
        trouble = Trouble("noting what was delivered", _logger)
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            counted += _FLUSH_SECONDS
            if counted >= _COUNT_SECONDS:
                counted = 0.0
                self._count()
            try:
                await self._flush()
            except Exception as error:
                trouble.note(error)
            else:
                trouble.over()

    async def _flush(self) -> None:
        if self._outbox.unsettled:
            self._outbox.hurry()
            await self._context.write(_nothing)

    def _count(self) -> None:
        """Hand what became of messages to the next commit; drop the oldest of many dead letters."""
        moved, self._tally.moved = self._tally.moved, set()
        for target in moved:
            line = self._lines.get(target)
            if line is None:
                continue
            self._outbox.later(_KEEP, (line.target, _encode(line.counters)))
            excess = line.dead - self._limits.max_dead
            if excess > 0:
                line.dead -= excess
                self._outbox.later(_TRIM, (line.target, excess))


def forget(txn: Txn, target: str) -> None:
    """Delete everything of a target so far, in the job that removes its owner."""
    txn.later(_FORGET_MESSAGES, (target, txn.sent))
    for sql in _FORGET:
        txn.later(sql, (target,))


def _nothing(_: Txn) -> None:
    """A job for the sake of its commit."""


def _send_again(txn: Txn, messages: Iterable[Message]) -> None:
    for message in messages:
        txn.send(message.target, message.about, message.head, partial(_same, message.body))
        txn.later(_UNBURY, (message.n,))


def _same(body: bytes, _: int) -> bytes:
    return body
