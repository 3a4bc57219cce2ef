"""Subscriptions as timers and deliveries see them, whatever they are told of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, Generic, TypeVar

from rynek.context.live import Context
from rynek.context.store.contract import Txn
from rynek.context.subscriptions.deliveries import Deliveries, forget
from rynek.context.subscriptions.intervals import Intervals
from rynek.context.subscriptions.model import Subscription
from rynek.context.subscriptions.throttle import Throttle

__all__ = ["Timed"]

_LONGEST_TIMER: Final = 86_400.0
T = TypeVar("T")
_logger = logging.getLogger(__name__)


class Timed(Generic[T]):
    """The subscriptions of one kind: when they end, what is held back for them, and what a former
    process left. Whoever is one says what they are told (of changes of a `T`).

    `prefix` and the id of a subscription are the key of its messages in the outbox.
    """

    def __init__(
        self,
        context: Context,
        deliveries: Deliveries,
        clock: Callable[[], int],
        prefix: str,
        encode: Callable[[T], bytes],
        decode: Callable[[bytes], T],
    ) -> None:
        self.all: dict[str, Subscription] = {}
        # Ids of those that are kept and cannot be read: what waits for them stays.
        self.unread: set[str] = set()
        self.deliveries = deliveries
        self._context = context
        self._clock = clock
        self._prefix = prefix
        self._throttle: Throttle[T] = Throttle(self._release_later, encode, decode)
        context.store.outbox.on_failure.append(self._throttle.failed)
        self._intervals = Intervals(self._fire)
        self._alarms: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = False

    def target_of(self, subscription_id: str) -> str:
        """The key of a subscription's messages in the outbox."""
        return self._prefix + subscription_id

    async def start(self) -> None:
        """Deliver, from what a former process left on; `deliveries` has started."""
        self._started = True
        outbox = self._context.store.outbox
        self._throttle.load([row for row in outbox.held() if row[0].startswith(self._prefix)])
        for one in self.all.values():
            self.begin(one)
        known = {self.target_of(one) for one in (*self.all, *self.unread)}
        there = {*self._throttle.targets, *(one.target for one in outbox.backlog())}
        for one in self.all.values():
            if one.status(self._clock()) == "expired" and self.target_of(one.id) in there:
                self._spawn(self._drop(one))
        for target in there - known:
            if target.startswith(self._prefix):
                self._throttle.forget(target)
                await self._context.write(partial(forget, target=target))

    async def stop(self) -> None:
        """Stop timers; changes still reach the outbox until the store is closed."""
        for alarm in self._alarms.values():
            alarm.cancel()
        self._throttle.stop()
        await self._intervals.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def begin(self, one: Subscription) -> None:
        """Set line and timers of a subscription that is new, changed or loaded."""
        raise NotImplementedError

    def again(self, one: Subscription) -> None:
        """Look at changes for a subscription as it is by now (active, expired …)."""
        raise NotImplementedError

    def end(self, subscription_id: str) -> None:
        """End the timers of a subscription."""
        self._intervals.unset(subscription_id)
        alarm = self._alarms.pop(subscription_id, None)
        if alarm is not None:
            alarm.cancel()

    async def remove(self, subscription_id: str) -> None:
        """Forget a subscription that was taken out, and end its line."""
        target = self.target_of(subscription_id)
        self.end(subscription_id)
        self._throttle.forget(target)
        await self.deliveries.close_line(target)

    def _expires(self, one: Subscription, now: int) -> None:
        """Set the alarm of an active subscription that has an expiration date."""
        if one.expires is not None:
            seconds = min((one.expires - now) / 1e6 + 0.001, _LONGEST_TIMER)
            loop = asyncio.get_running_loop()
            self._alarms[one.id] = loop.call_later(seconds, self._alarm, one.id)

    def _alarm(self, subscription_id: str) -> None:
        """Its expiration date is due, or is nearer by a day."""
        one = self.all.get(subscription_id)
        if one is not None:
            self.again(one)
            self.begin(one)
            if one.status(self._clock()) == "expired":
                self._spawn(self._drop(one))

    async def _drop(self, one: Subscription) -> None:
        """It has expired: what was not sent is not sent any more."""
        target = self.target_of(one.id)

        def let_go(txn: Txn) -> int | None:
            # It may have been changed since: what is held back for it is told then.
            return self._throttle.drop(txn, target) if self.all.get(one.id) is one else None

        try:
            await self.deliveries.drop(target, let_go)
        except Exception as error:
            _logger.warning("what waited for %s could not be deleted: %s", one.id, error)

    def _last_notification(self, target: str) -> int:
        counters = self.deliveries.counters(target)
        return 0 if counters is None else counters.last_notification

    def _release_later(self, target: str) -> None:
        self._spawn(self._release(target))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _release(self, target: str) -> None:
        """Tell of what throttling held back."""
        raise NotImplementedError

    async def _fire(self, one: Subscription) -> None:
        """Tell a periodic subscription of everything."""
        raise NotImplementedError
