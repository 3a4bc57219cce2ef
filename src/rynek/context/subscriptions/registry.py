"""The subscriptions of one tenant: kept durably, matched in the commit of each write, delivered."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import msgspec

from rynek.context.jsonld import CompiledContext
from rynek.context.live import Context
from rynek.context.store.contract import Txn
from rynek.context.subscriptions import kept
from rynek.context.subscriptions.changing import (
    changed_subscription,
    new_subscription,
    notify_context,
)
from rynek.context.subscriptions.deliveries import DeliveryLimits, forget
from rynek.context.subscriptions.model import Subscription
from rynek.context.subscriptions.notifier import Notifier
from rynek.context.subscriptions.parse import check_identity, read
from rynek.context.subscriptions.roll import Roll, system_clock
from rynek.context.subscriptions.senders import Senders

__all__ = ["SubscriptionLimits", "Subscriptions"]


class SubscriptionLimits(msgspec.Struct, frozen=True):
    """How many subscriptions there may be, and what bounds deliveries."""

    max_subscriptions: int = 100_000
    delivery: DeliveryLimits = DeliveryLimits()


class Subscriptions(Roll[Notifier]):
    """What the API and pages need of a tenant's subscriptions.

    From construction on every write is matched; `start` begins to deliver.
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
        self._limits = limits or SubscriptionLimits()
        clock = clock or system_clock
        notifier = Notifier(context, senders, via, clock, self._limits.delivery, snapshot)
        super().__init__(context, notifier, kept.KIND, clock)
        # Called with the id of a subscription that came, changed or went, after its commit.
        self.listeners: list[Callable[[str], None]] = []
        # What the newest group of writes changed in memory, and how it was before.
        self._group: weakref.ref[Txn] | None = None
        self._were: list[tuple[str, Subscription | None]] = []
        context.store.outbox.on_failure.append(self._failed)
        self._load(self._notifier.put)

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
            self._refuse(made, self._limits.max_subscriptions)
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

        def job(txn: Txn) -> None:
            self._get(subscription_id)
            txn.forget(kept.KIND, subscription_id)
            forget(txn, self.target_of(subscription_id))
            self._changing(txn, subscription_id)
            self._notifier.take(subscription_id)

        await self._context.write(job)
        await self._notifier.remove(subscription_id)
        self._told(subscription_id)

    def _told(self, subscription_id: str) -> None:
        for listener in self.listeners:
            listener(subscription_id)

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
