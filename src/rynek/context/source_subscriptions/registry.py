"""Subscriptions to registrations of one tenant: kept durably, told of changes (CIM 009 §5.11)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.base.errors import AlreadyExists, BadRequestData, Forbidden, ResourceNotFound
from rynek.context.jsonld import CompiledContext
from rynek.context.live import Context
from rynek.context.registrations import Registrations
from rynek.context.source_subscriptions.notifier import SourceNotifier, target_of
from rynek.context.source_subscriptions.selector import selector_of
from rynek.context.store.contract import Txn
from rynek.context.subscriptions import (
    Counters,
    Deliveries,
    Health,
    Subscription,
    changed_subscription,
    forget,
    kept,
    new_subscription,
    notify_context,
)
from rynek.context.subscriptions.parse import check_identity, read

__all__ = ["SourceSubscriptions", "new_source_subscription"]

_GEO_JSON: Final = "application/geo+json"
_logger = logging.getLogger(__name__)


def new_source_subscription(
    document: dict[str, Any],
    ld: CompiledContext,
    *,
    link: str,
    tenant: str | None,
    now: int,
    via: tuple[str, ...] = (),
) -> Subscription:
    """The subscription that a document asks for; BadRequestData says why it is none."""
    made = new_subscription(document, ld, link=link, tenant=tenant, now=now, via=via, sources=True)
    _check(made)
    return made


class SourceSubscriptions:
    """What the API and pages need of a tenant's subscriptions to registrations.

    From construction on every change of a registration is looked at; `start` begins to deliver.
    """

    def __init__(
        self,
        context: Context,
        registrations: Registrations,
        deliveries: Deliveries,
        via: str,
        most: int = 100_000,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._context = context
        self._registrations = registrations
        self._most = most
        self._clock = clock or _now
        self._notifier = SourceNotifier(context, registrations, deliveries, via, self._clock)
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
        """Stop timers and deliveries."""
        await self._notifier.stop()

    async def create(
        self,
        document: dict[str, Any],
        ld: CompiledContext,
        *,
        link: str,
        tenant: str | None,
        via: tuple[str, ...] = (),
    ) -> Subscription:
        """Create Context Source Registration Subscription (§5.11.2). `link` is the URL of `ld`;
        `tenant` what the request's header named, `via` the sources it came through.
        BadRequestData, AlreadyExists, LdContextNotAvailable."""
        now = self._clock()
        checked = new_source_subscription(document, ld, link=link, tenant=tenant, now=now, via=via)
        resolver = self._context.resolver
        notify_ld, link = await notify_context(resolver, checked.members, ld, link)
        made = msgspec.structs.replace(checked, notify_ld=notify_ld, link=link)

        def job(txn: Txn) -> None:
            if made.id in self._notifier.all:
                raise AlreadyExists(f"there is a subscription {made.id} already")
            if len(self._notifier.all) >= self._most:
                raise Forbidden(
                    f"there are {len(self._notifier.all)} subscriptions, no more are allowed"
                )
            self._keep(txn, made)

        await self._write(job, made.id)
        return made

    async def update(
        self, subscription_id: str, fragment: dict[str, Any], ld: CompiledContext
    ) -> Subscription:
        """Update Context Source Registration Subscription (§5.11.3); it is then told of all that
        matches. ResourceNotFound, BadRequestData, LdContextNotAvailable."""
        self._get(subscription_id)
        check_identity(fragment, expected=subscription_id)
        changes = read(fragment, ld, fragment=True, sources=True)
        context = None
        if changes.get("jsonldContext") is not None:
            context = await notify_context(self._context.resolver, changes, ld, "")

        def job(txn: Txn) -> None:
            current = self._get(subscription_id)
            made = changed_subscription(current, changes, context, self._clock())
            _check(made)
            self._keep(txn, made)

        await self._write(job, subscription_id)
        return self._get(subscription_id)

    async def delete(self, subscription_id: str) -> None:
        """Delete Context Source Registration Subscription (§5.11.6). ResourceNotFound."""

        def job(txn: Txn) -> None:
            self._get(subscription_id)
            txn.forget(kept.SOURCES_KIND, subscription_id)
            forget(txn, target_of(subscription_id))
            self._notifier.take(subscription_id)

        await self._write(job, subscription_id)
        await self._notifier.remove(subscription_id)

    def _load(self) -> None:
        for one, body in self._context.store.documents.list(kept.SOURCES_KIND):
            try:
                made = kept.load(body, self._context.store.context_by_id)
                self._notifier.put(made, selector_of(made))
            except Exception:
                self._notifier.unread.add(one)
                _logger.exception("subscription %s cannot be read, it is not notified", one)

    def _get(self, subscription_id: str) -> Subscription:
        found = self._notifier.all.get(subscription_id)
        if found is None:
            raise ResourceNotFound(f"no subscription {subscription_id}")
        return found

    def _keep(self, txn: Txn, made: Subscription) -> None:
        """Keep it and tell it of all that matches, in one commit."""
        for ld in kept.contexts_of(made):
            txn.keep_context(ld)
        txn.keep(kept.SOURCES_KIND, made.id, kept.dump(made))
        self._notifier.put(made, selector_of(made))
        self._notifier.open(made)
        self._notifier.tell_all(txn, made)

    async def _write(self, job: Callable[[Txn], None], subscription_id: str) -> None:
        """Run a job that changes what is in memory, while no registration changes: what is told
        first and what is told of changes leave nothing out between them. What does not come into
        the file leaves memory too."""

        async def run() -> None:
            before = self.find(subscription_id)
            try:
                await self._context.write(job)
            except Exception:
                if self.find(subscription_id) is not before:
                    await self._put_back(subscription_id, before)
                raise
            made = self.find(subscription_id)
            if made is not None:
                self._notifier.begin(made)

        await self._registrations.alone(run)

    async def _put_back(self, subscription_id: str, before: Subscription | None) -> None:
        """The commit failed: as it was."""
        if before is None:
            self._notifier.take(subscription_id)
            await self._notifier.remove(subscription_id)
        else:
            self._notifier.put(before, selector_of(before))
            self._notifier.begin(before)


def _check(made: Subscription) -> None:
    """The rules that only subscriptions to registrations have."""
    selector_of(made)
    if made.endpoint.media == _GEO_JSON:
        raise BadRequestData("notification.endpoint.accept: registrations have no GeoJSON form")


def _now() -> int:
    return time.time_ns() // 1000
