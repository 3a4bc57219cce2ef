"""Messages to one receiver: in order for each entity, side by side otherwise, again when they fail."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from rynek.base.errors import OutgoingRefused
from rynek.context.store.outbox import Message, Outbox
from rynek.context.subscriptions.counters import Counters
from rynek.context.subscriptions.order import KEY_BYTES, Item, Order, entity_keys
from rynek.context.subscriptions.sending import PARALLEL, Rejected, Sender

__all__ = ["Line", "LineLimits", "Tally"]

_logger = logging.getLogger(__name__)

WINDOW: Final = 1_000
WINDOW_BYTES: Final = 4 << 20
# With so much in memory for all lines together, each keeps only a few messages there.
MEMORY_BYTES: Final = 64 << 20
FEW: Final = PARALLEL
# A receiver that failed so often in a row, whatever it was sent, is left alone for a while.
STREAK: Final = 20
MAX_ATTEMPTS: Final = 60
_FIRST_DELAY: Final = 1.0
_GROWTH: Final = 1.5
_MAX_DELAY: Final = 60.0
_MAX_DELAY_ALIVE: Final = 5.0
_READ_AGAIN: Final = 1.0


class LineLimits(msgspec.Struct, frozen=True):
    """`keep` is how long a message is tried, in seconds; the delays are for tests."""

    keep: float = 86_400.0
    first_delay: float = _FIRST_DELAY
    max_delay: float = _MAX_DELAY


class Tally(msgspec.Struct):
    """What several lines have together: bytes that wait, bytes of those that are in memory, and
    the targets of lines whose numbers moved since somebody looked."""

    size: int = 0
    loaded: int = 0
    moved: set[str] = msgspec.field(default_factory=set)


class Line:
    """The line before one receiver.

    Messages come by `put` once they are in the file; only a window of them is in memory. A failed
    one is tried again after a delay that grows, and holds back what is about the same entities;
    after `STREAK` failures in a row the whole line pauses, then a single message probes. A message
    older than `keep` is given up, and so is one that the receiver refused `MAX_ATTEMPTS` times
    while it took others.
    """

    def __init__(
        self,
        target: str,
        outbox: Outbox,
        clock: Callable[[], int],
        limits: LineLimits,
        counters: Counters,
        tally: Tally,
        send: Sender,
        cooldown: float | None = None,
    ) -> None:
        self.target = target
        self.counters = counters
        self.send = send
        self.cooldown = cooldown
        self.active = True
        self.waiting = 0
        self.size = 0
        self.dead = 0
        self.newest = 0
        self._tally = tally
        self._outbox = outbox
        self._clock = clock
        self._limits = limits
        self._order = Order()
        self._items: dict[int, Item] = {}
        self._bytes = 0
        self._ready: deque[Item] = deque()
        self._loaded = 0
        self._more = False
        self._leaving = 0
        self._most = PARALLEL
        self._waking = False
        self._timers: set[asyncio.TimerHandle] = set()
        self._streak = 0
        self._pauses = 0
        self._probing = False
        self._paused_until = 0.0
        self._closed = False

    def restore(self, messages: int, size: int) -> None:
        """At start: so much waits in the file."""
        self.waiting, self.size = messages, size
        self._tally.size += size
        self._more = messages > 0
        self._refill()
        self.wake()

    def put(self, messages: Sequence[Message]) -> None:
        """Messages that a commit has written; they leave with the next `wake`."""
        self.waiting += len(messages)
        self._weigh(sum([len(one.body) + len(one.head) for one in messages]))
        room = min(self._room - len(self._items), len(messages))
        for message in messages:
            if message.n <= self._loaded:
                continue  # read from the file already, between its commit and this call
            if self._more or room <= 0 or self._bytes >= WINDOW_BYTES:
                self._more = True
                return
            room -= 1
            self._push(message)

    def wake(self) -> None:
        """Send what may leave now."""
        if self._waking:
            return  # whoever began it goes on
        self._waking = True
        try:
            while (
                self._ready
                and self.active
                and not self._closed
                and self._leaving < (most := 1 if self._probing else self._most)
                and not (self._paused_until and self._paused)
            ):
                self._attempt(most - self._leaving)
        finally:
            self._waking = False

    def shed(self, most: int) -> int:
        """Give up the oldest messages until at most `most` wait; how many that were. Those on
        their way are let go."""
        shed = 0
        for item in list(self._items.values()):
            if self.waiting <= most:
                break
            if not item.in_flight:
                self._give_up(item, "the backlog is full")
                shed += 1
        self._refill()
        return shed

    async def close(self) -> None:
        """Stop; what was not taken stays in the file."""
        self._closed = True
        self._weigh(-self.size)
        self._tally.loaded -= self._bytes
        for timer in self._timers:
            timer.cancel()
        items = list(self._items.values())
        leaving = [item.under_way for item in items if item.under_way is not None]
        for one in leaving:
            one.cancel()
        tasks = [one for one in leaving if isinstance(one, asyncio.Task)]
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def cursor(self) -> int:
        """The number up to which every message was taken or given up."""
        return next(iter(self._items), self.newest + 1) - 1

    @property
    def _paused(self) -> bool:
        if self._paused_until <= asyncio.get_running_loop().time():
            self._paused_until = 0.0
        return self._paused_until > 0.0

    @property
    def _room(self) -> int:
        """How many messages may be in memory."""
        return WINDOW if self._tally.loaded < MEMORY_BYTES else FEW

    def _weigh(self, size: int) -> None:
        self.size += size
        self._tally.size += size

    def _push(self, message: Message) -> None:
        about = message.about
        item = Item(message, (about,) if len(about) == KEY_BYTES else entity_keys(about))
        self._loaded = n = message.n
        self._items[n] = item
        size = len(message.body)
        self._bytes += size
        self._tally.loaded += size
        if self._order.push(item):
            self._ready.append(item)

    def _refill(self) -> None:
        """Read on in the file where more waits than is in memory."""
        room = self._room
        if not self._more or len(self._items) > room // 2 or self._bytes > WINDOW_BYTES // 2:
            return
        wanted = room - len(self._items)
        try:
            found = self._outbox.read(self.target, self._loaded, wanted, size=WINDOW_BYTES)
        except Exception:
            # The disk, most likely: what is in the file has to wait, and is looked for again.
            _logger.exception("what waits for %s could not be read", self.target)
            self._later(_READ_AGAIN, None)
            return
        if not found:
            self._more = False
        for message in found:
            self._push(message)

    def _attempt(self, most: int) -> None:
        """Begin to send messages that may leave; `_done` is what follows."""
        now = self._clock()
        oldest = now - self._limits.keep * 1e6
        items: list[Item] = []
        new = 0
        while self._ready and len(items) < most:
            item = self._ready.popleft()
            if item.gone:
                continue
            if item.message.at < oldest:
                self._give_up(item, "it could not be delivered in time")
                continue
            item.attempts += 1
            new += item.attempts == 1
            item.in_flight = True
            items.append(item)
        if not items:
            return
        self._tally.moved.add(self.target)
        if new:
            self.counters.sent(now, new)
        self._leaving += len(items)
        try:
            self.send(items, self._done)
        except Exception as error:
            self._done([one for one in items if one.in_flight and one.under_way is None], error)

    def _done(self, items: Sequence[Item], outcome: int | Exception | None) -> None:
        """The receiver has them, or does not."""
        if self._closed:
            return
        self._leaving -= len(items)
        if outcome is None or (isinstance(outcome, int) and 200 <= outcome < 300):
            self._succeeded(items)
        else:
            for item in items:
                item.in_flight = False
                item.under_way = None
            reason, answered = self._reason(outcome)
            for item in items:
                self._failed(item, reason, answered=answered)
        if self._ready:
            self.wake()

    def _reason(self, outcome: int | Exception) -> tuple[str, bool]:
        """Why messages were not taken, and whether the receiver said so."""
        if isinstance(outcome, int):
            return f"the receiver answered with status {outcome}", True
        if isinstance(outcome, OutgoingRefused):
            return outcome.detail, False
        if isinstance(outcome, Rejected):
            return str(outcome), True
        _logger.error("a message to %s could not be sent", self.target, exc_info=outcome)
        return f"an unexpected error: {outcome}", True

    def _succeeded(self, items: Sequence[Item]) -> None:
        self.counters.succeeded(self._clock())
        self._streak = self._pauses = 0
        self._probing = False
        # With a cooldown none is to follow one that fails: few are under way.
        if self.cooldown is None and self._most < self.send.parallel:
            self._most = min(self._most + len(items), self.send.parallel)
        self._outbox.took(*[item.message.n for item in items])
        self._leave(items)

    def _failed(self, item: Item, reason: str, *, answered: bool) -> None:
        self.counters.failed(self._clock(), reason, first=item.attempts == 1)
        if answered and item.attempts >= MAX_ATTEMPTS and self._streak < STREAK:
            self._give_up(item, reason)
            return
        self._streak += 1
        self._most = PARALLEL
        loop = asyncio.get_running_loop()
        if (self._probing or self._streak >= STREAK) and not self._paused:
            self._pause(self._delay(self._pauses))
            self._pauses += 1
            self._probing = True
        if self.cooldown is not None:
            self._pause(self.cooldown)
        # A receiver that takes others is asked again sooner than one that takes none.
        most = _MAX_DELAY_ALIVE if self._streak < STREAK else _MAX_DELAY
        wait = self._delay(item.attempts - 1, most)
        self._later(max(wait, self._paused_until - loop.time()), item)

    def _delay(self, times: int, most: float = _MAX_DELAY) -> float:
        limits = self._limits
        delay = min(limits.first_delay * _GROWTH ** min(times, 40), limits.max_delay, most)
        return delay * random.uniform(0.75, 1.0)

    def _pause(self, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        if until > self._paused_until:
            self._paused_until = until
            self._later(seconds + 0.001, None)

    def _later(self, seconds: float, item: Item | None) -> None:
        def due() -> None:
            self._timers.discard(timer)
            if item is not None and not item.gone:
                self._ready.appendleft(item)
            if self._more:
                self._refill()
            self.wake()

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._timers.add(timer)

    def _give_up(self, item: Item, reason: str) -> None:
        self.counters.last_error = reason[:500]
        self.dead += 1
        self._outbox.bury(item.message.n)
        self._leave((item,))

    def _leave(self, items: Sequence[Item]) -> None:
        """Items are settled: count them out, let those behind them move up."""
        self._tally.moved.add(self.target)
        bodies = heads = 0
        newest, there, done = self.newest, self._items, self._order.done
        for item in items:
            item.gone = True
            item.in_flight = False
            item.under_way = None
            message = item.message
            n = message.n
            del there[n]
            bodies += len(message.body)
            heads += len(message.head)
            if n > newest:  # noqa: PLR1730  a call of max costs as much as the rest
                newest = n
            if item.waiting == 0:
                following = done(item)
                if following:
                    self._advance(following)
        self.newest = newest
        self.waiting -= len(items)
        self._bytes -= bodies
        self._tally.loaded -= bodies
        self._weigh(-bodies - heads)
        if self._more:
            self._refill()

    def _advance(self, following: Sequence[Item]) -> None:
        """Those may leave now; what was settled before its turn just makes way, however many."""
        left = deque(following)
        while left:
            item = left.popleft()
            if item.gone:
                left.extendleft(reversed(self._order.done(item)))
            else:
                self._ready.append(item)
