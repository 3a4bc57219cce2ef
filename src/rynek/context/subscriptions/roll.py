"""What the subscriptions of one kind can be asked, whatever they are told of."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rynek.base.errors import AlreadyExists, Forbidden, ResourceNotFound
from rynek.context.live import Context
from rynek.context.store.contract import Txn
from rynek.context.subscriptions import kept
from rynek.context.subscriptions.counters import Counters, Health
from rynek.context.subscriptions.deliveries import Deliveries
from rynek.context.subscriptions.model import Subscription
from rynek.context.subscriptions.timed import Timed

__all__ = ["Roll", "system_clock"]

N = TypeVar("N", bound=Timed[Any])
_logger = logging.getLogger(__name__)


class Roll(Generic[N]):
    """The subscriptions of one kind of a tenant, kept as documents of `kind`. Times are the
    machine's, whatever clock the tenant's entities have."""

    def __init__(self, context: Context, notifier: N, kind: str, clock: Callable[[], int]) -> None:
        self._context = context
        self._notifier = notifier
        self._kind = kind
        self._clock = clock

    def __len__(self) -> int:
        return len(self._notifier.all)

    def find(self, subscription_id: str) -> Subscription | None:
        """One subscription, or None."""
        return self._notifier.all.get(subscription_id)

    def all(self) -> list[Subscription]:
        """Every one, in the order in which they came."""
        return list(self._notifier.all.values())

    def counters(self, subscription_id: str) -> Counters | None:
        """What became of its notifications."""
        return self.deliveries.counters(self.target_of(subscription_id))

    def target_of(self, subscription_id: str) -> str:
        """The key of its messages in the outbox."""
        return self._notifier.target_of(subscription_id)

    def now(self) -> int:
        """The time that statuses are told at, epoch microseconds."""
        return self._clock()

    def health(self) -> list[Health]:
        """How every subscription fares, for pages."""
        now, health = self._clock(), self.deliveries.health
        return [health(self.target_of(one.id), one, now) for one in self.all()]

    async def replay(self, subscription_id: str, after: int = 0) -> int:
        """Put the dead letters above number `after` in line again; how many those were.
        ResourceNotFound when there is no such subscription."""
        self._get(subscription_id)
        return await self.deliveries.replay(self.target_of(subscription_id), after)

    async def start(self) -> None:
        """Deliver, from what a former process left on."""
        await self._notifier.start()

    async def stop(self) -> None:
        """Stop timers and deliveries; matching goes on until the store is closed."""
        await self._notifier.stop()

    @property
    def deliveries(self) -> Deliveries:
        """What delivers; for messages of other owners too."""
        return self._notifier.deliveries

    def _load(self, put: Callable[[Subscription], None]) -> None:
        for one, body in self._context.store.documents.list(self._kind):
            try:
                put(kept.load(body, self._context.store.context_by_id))
            except Exception:
                self._notifier.unread.add(one)
                _logger.exception("subscription %s cannot be read, it is not notified", one)

    def _get(self, subscription_id: str) -> Subscription:
        found = self._notifier.all.get(subscription_id)
        if found is None:
            raise ResourceNotFound(f"no subscription {subscription_id}")
        return found

    def _refuse(self, made: Subscription, most: int) -> None:
        """Of the id of another, or one too many."""
        if made.id in self._notifier.all:
            raise AlreadyExists(f"there is a subscription {made.id} already")
        if len(self) >= most:
            raise Forbidden(f"there are {len(self)} subscriptions, no more are allowed")

    def _keep(self, txn: Txn, made: Subscription) -> None:
        for ld in kept.contexts_of(made):
            txn.keep_context(ld)
        txn.keep(self._kind, made.id, kept.dump(made))


def system_clock() -> int:
    """The machine's time, epoch microseconds."""
    return time.time_ns() // 1000
