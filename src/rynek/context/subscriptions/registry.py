"""The subscriptions of one tenant: kept durably, matched in the commit of each write, delivered."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.base.errors import AlreadyExists, Forbidden, ResourceNotFound
from rynek.context.jsonld import CompiledContext
from rynek.context.live import Context
from rynek.context.store.contract import Txn
from rynek.context.subscriptions import kept
from rynek.context.subscriptions.changing import (
    changed_subscription,
    new_subscription,
    notify_context,
)
from rynek.context.subscriptions.counters import Counters, Health
from rynek.context.subscriptions.deliveries import Deliveries, DeliveryLimits, forget
from rynek.context.subscriptions.model import Subscription
from rynek.context.subscriptions.notifier import Notifier, target_of
from rynek.context.subscriptions.parse import check_identity, read
from rynek.context.subscriptions.senders import Senders

__all__ = ["SubscriptionLimits", "Subscriptions"]

_MAX_ENTITIES: Final = 1_000
_LONGEST_TIMER: Final = 86_400.0
_logger = logging.getLogger(__name__)


class SubscriptionLimits(msgspec.Struct, frozen=True):
    """How many subscriptions there may be, and what bounds deliveries."""

    max_subscriptions: int = 100_000
    delivery: DeliveryLimits = DeliveryLimits()


class Subscriptions:
    """What the API and pages need of a tenant's subscriptions.

    From construction on every write is matched; `start` begins to deliver. Times of subscriptions
    are the machine's, whatever clock the tenant's entities have.
    """

    def __init__(
        self,
        context: Context,
        senders: Senders,
        via: str,
        limits: SubscriptionLimits | None = None,
        clock: Callable[[], int] | None = None,
        snapshot: str | None = None,
    ) -> None:
        self._context = context
        self._limits = limits or SubscriptionLimits()
        self._clock = clock or _now
        self._notifier = Notifier(
            context,
            context.store.outbox,
            senders,
            via,
            self._clock,
            self._limits.delivery,
            snapshot,
        )
        # Called with the id of a subscription that came, changed or went, after its commit.
        self.listeners: list[Callable[[str], None]] = []
        # What the newest group of writes changed in memory, and how it was before.
        self._group: weakref.ref[Txn] | None = None
        self._were: list[tuple[str, Subscription | None]] = []
        context.store.outbox.on_failure.append(self._failed)
        self._load()

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
        return self._notifier.deliveries.counters(target_of(subscription_id))

    def now(self) -> int:
        """The time that statuses are told at, epoch microseconds."""
        return self._clock()

    def health(self) -> list[Health]:
        """How every subscription fares, for pages."""
        now = self._clock()
        deliveries = self._notifier.deliveries
        return [deliveries.health(target_of(one.id), one, now) for one in self.all()]

    async def replay(self, subscription_id: str, after: int = 0) -> int:
        """Put the dead letters above number `after` in line again; how many those were.
        ResourceNotFound when there is no such subscription."""
        self._get(subscription_id)
        return await self._notifier.deliveries.replay(target_of(subscription_id), after)

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

    async def create(
        self,
        document: dict[str, Any],
        ld: CompiledContext,
        *,
        link: str,
        tenant: str | None,
        via: tuple[str, ...] = (),
    ) -> Subscription:
        """Create Subscription (§5.8.1). `link` is the URL of `ld`; `tenant` what the request's
        header named, `via` the sources it came through. BadRequestData, AlreadyExists,
        LdContextNotAvailable."""
        now = self._clock()
        checked = new_subscription(document, ld, link=link, tenant=tenant, now=now, via=via)
        notify_ld, link = await notify_context(self._context.resolver, checked.members, ld, link)
        made = msgspec.structs.replace(checked, notify_ld=notify_ld, link=link)

        def job(txn: Txn) -> None:
            if made.id in self._notifier.all:
                raise AlreadyExists(f"there is a subscription {made.id} already")
            if len(self._notifier.all) >= self._limits.max_subscriptions:
                raise Forbidden(
                    f"there are {len(self._notifier.all)} subscriptions, no more are allowed"
                )
            self._keep(txn, made)
            self._changing(txn, made.id)
            self._notifier.put(made)

        await self._context.write(job)
        self._notifier.begin(made)
        self._told(made.id)
        return made

    async def update(
        self, subscription_id: str, fragment: dict[str, Any], ld: CompiledContext
    ) -> Subscription:
        """Update Subscription (§5.8.2). ResourceNotFound, BadRequestData, LdContextNotAvailable."""
        self._get(subscription_id)
        check_identity(fragment, expected=subscription_id)
        changes = read(fragment, ld, fragment=True)
        context = None
        if changes.get("jsonldContext") is not None:
            context = await notify_context(self._context.resolver, changes, ld, "")
        made: list[Subscription] = []

        def job(txn: Txn) -> None:
            current = self._get(subscription_id)
            made[:] = [changed_subscription(current, changes, context, self._clock())]
            self._keep(txn, made[0])
            self._changing(txn, subscription_id)
            self._notifier.put(made[0])

        await self._context.write(job)
        self._notifier.begin(made[0])
        self._told(subscription_id)
        return made[0]

    async def delete(self, subscription_id: str) -> None:
        """Delete Subscription (§5.8.5). ResourceNotFound when there is none."""
        target = target_of(subscription_id)

        def job(txn: Txn) -> None:
            self._get(subscription_id)
            txn.forget(kept.KIND, subscription_id)
            forget(txn, target)
            self._changing(txn, subscription_id)
            self._notifier.take(subscription_id)

        await self._context.write(job)
        await self._notifier.remove(subscription_id)
        self._told(subscription_id)

    def _told(self, subscription_id: str) -> None:
        for listener in self.listeners:
            listener(subscription_id)

    def _load(self) -> None:
        for one, body in self._context.store.documents.list(kept.KIND):
            try:
                self._notifier.put(kept.load(body, self._context.store.context_by_id))
            except Exception:
                self._notifier.unread.add(one)
                _logger.exception("subscription %s cannot be read, it is not notified", one)

    def _get(self, subscription_id: str) -> Subscription:
        found = self._notifier.all.get(subscription_id)
        if found is None:
            raise ResourceNotFound(f"no subscription {subscription_id}")
        return found

    def _keep(self, txn: Txn, made: Subscription) -> None:
        for ld in kept.contexts_of(made):
            txn.keep_context(ld)
        txn.keep(kept.KIND, made.id, kept.dump(made))

    def _changing(self, txn: Txn, subscription_id: str) -> None:
        """A job is about to change one in memory: it is as the file will have it."""
        if self._group is None or self._group() is not txn:
            self._group, self._were = weakref.ref(txn), []
        self._were.append((subscription_id, self._notifier.all.get(subscription_id)))

    def _failed(self, txn: Txn | None) -> None:
        """Nothing of a group is in the file: memory is as it was before any other group runs, or
        the next change would bring along what was refused."""
        if txn is None or self._group is None or self._group() is not txn:
            return
        for subscription_id, before in reversed(self._were):
            if before is None:
                self._notifier.take(subscription_id)
            else:
                self._notifier.put(before)
        self._were = []


def _now() -> int:
    return time.time_ns() // 1000
