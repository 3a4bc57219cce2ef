"""Subscriptions to registrations of one tenant: kept durably, told of changes (CIM 009 §5.11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.context.jsonld import CompiledContext
from rynek.context.live import Context
from rynek.context.registrations import Registrations
from rynek.context.source_subscriptions.notifier import SourceNotifier
from rynek.context.source_subscriptions.selector import selector_of
from rynek.context.store.contract import Txn
from rynek.context.subscriptions import (
    Deliveries,
    Subscription,
    changed_subscription,
    forget,
    kept,
    new_subscription,
    notify_context,
)
from rynek.context.subscriptions.parse import check_identity, read
from rynek.context.subscriptions.roll import Roll, system_clock

__all__ = ["SourceSubscriptions", "new_source_subscription"]

_GEO_JSON: Final = "application/geo+json"


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


class SourceSubscriptions(Roll[SourceNotifier]):
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
        self._registrations = registrations
        self._most = most
        clock = clock or system_clock
        notifier = SourceNotifier(context, registrations, deliveries, via, clock)
        super().__init__(context, notifier, kept.SOURCES_KIND, clock)
        self._load(notifier.again)

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
            self._refuse(made, self._most)
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
            forget(txn, self.target_of(subscription_id))
            self._notifier.take(subscription_id)

        await self._write(job, subscription_id)
        await self._notifier.remove(subscription_id)

    def _keep(self, txn: Txn, made: Subscription) -> None:
        """Keep it and tell it of all that matches, in one commit."""
        super()._keep(txn, made)
        self._notifier.again(made)
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
            self._notifier.again(before)
            self._notifier.begin(before)


def _check(made: Subscription) -> None:
    """The rules that only subscriptions to registrations have."""
    selector_of(made)
    if made.endpoint.media == _GEO_JSON:
        raise BadRequestData("notification.endpoint.accept: registrations have no GeoJSON form")
