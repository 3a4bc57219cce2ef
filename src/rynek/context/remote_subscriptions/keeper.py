"""Keeps subscriptions at sources as ours and their registrations are (CIM 009 §5.8.1.4, §5.8.2.4,
§5.8.5.4).

What ought to be is worked out anew from subscription and registration whenever one of them changes,
and compared with what the source was told last: so nothing is lost between a crash, a source that
is away and the next change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.base.errors import Problem
from rynek.context.contexts import ContextResolver
from rynek.context.distribution import Answer, Forwarder, Origin, Outbound
from rynek.context.jsonld import CompiledContext
from rynek.context.registrations import AUXILIARY, Match, Registration, Registrations
from rynek.context.remote_subscriptions.copy import reduced_copy
from rynek.context.remote_subscriptions.mapping import Mapping, Mappings, Pair
from rynek.context.source_subscriptions.index import SourceIndex
from rynek.context.source_subscriptions.selector import selector_of
from rynek.context.subscriptions import Subscription, Subscriptions

__all__ = ["Keeper", "is_split"]

_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 600.0
_MOST_DELETIONS: Final = 12
_AGAIN: Final = frozenset((408, 425, 429))
_NULL: Final = "urn:ngsi-ld:null"
_logger = logging.getLogger(__name__)


def is_split(one: Subscription, *, default: bool) -> bool:
    """Whether entities may be in parts at several sources, for a subscription."""
    member = one.members.get("splitEntities")
    return default if member is None else bool(member.value)


class Keeper:
    """Does what is to be done at sources, one thing at a time for each pair of subscription and
    registration, again with growing delays where a source cannot be had."""

    def __init__(
        self,
        mappings: Mappings,
        subscriptions: Subscriptions,
        registrations: Registrations,
        forwarder: Callable[[], Forwarder],
        resolver: ContextResolver,
        url: Callable[[str], str],
        *,
        split: bool,
    ) -> None:
        self._mappings = mappings
        self._subscriptions = subscriptions
        self._registrations = registrations
        self._forwarder = forwarder
        self._resolver = resolver
        self._url = url
        self._split = split
        self._index: SourceIndex | None = None
        self._tasks: dict[Pair, asyncio.Task[None]] = {}
        self._changed: dict[Pair, asyncio.Event] = {}
        self._stopped = False

    async def stop(self) -> None:
        """Leave what is under way for the next start."""
        self._stopped = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def subscription_changed(self, subscription_id: str) -> None:
        """A subscription came, changed or went."""
        one = self._subscriptions.find(subscription_id)
        if self._index is not None:
            self._put(one) if one is not None else self._index.remove(subscription_id)
        pairs = self._mappings.with_subscription(subscription_id)
        if one is not None and not self._registrations.empty and _is_shared(one):
            found = self._registrations.selected(selector_of(one, strict=False))
            pairs |= {
                (one.id, match.registration.id) for match in found if _takes(match.registration)
            }
        self._look_at(pairs)

    def registration_changed(self, registration_id: str) -> None:
        """A registration came, changed or went."""
        pairs = self._mappings.with_registration(registration_id)
        registration = self._registrations.find(registration_id)
        if registration is not None and _takes(registration):
            pairs |= {
                (one.id, registration_id)
                for one, selector in self._all().candidates((registration,))
                if selector.match(registration) is not None
            }
        self._look_at(pairs)

    def everything(self) -> None:
        """At start: whatever may have been left undone."""
        self._look_at(set(self._mappings.pairs()))
        for registration in self._registrations.all():
            self.registration_changed(registration.id)

    def _all(self) -> SourceIndex:
        """Every subscription that sources are to know, by what it looks for; made when there is a
        first registration to look for it."""
        if self._index is None:
            self._index = SourceIndex()
            for one in self._subscriptions.all():
                self._put(one)
        return self._index

    def _put(self, one: Subscription) -> None:
        assert self._index is not None
        if _is_shared(one):
            self._index.put(one, selector_of(one, strict=False))
        else:
            self._index.remove(one.id)

    def _match(self, one: Subscription, registration: Registration) -> Match | None:
        """Whether the source is to have a subscription, and the parts it is about."""
        if not _is_shared(one) or not _takes(registration):
            return None
        return selector_of(one, strict=False).match(registration)

    def _look_at(self, pairs: set[Pair]) -> None:
        for pair in () if self._stopped else pairs:
            event = self._changed.setdefault(pair, asyncio.Event())
            event.set()
            if pair not in self._tasks:
                task = asyncio.get_running_loop().create_task(self._keep_up(pair, event))
                self._tasks[pair] = task

    async def _keep_up(self, pair: Pair, changed: asyncio.Event) -> None:
        """Work until what is at the source is what ought to be."""
        failures = 0
        try:
            while True:
                if changed.is_set():
                    changed.clear()
                    failures = 0
                if await self._settle(pair, failures):
                    if not changed.is_set():
                        return
                    continue
                delay = min(_FIRST_DELAY * 2**failures, _LONGEST_DELAY)
                failures += 1
                try:
                    await asyncio.wait_for(changed.wait(), delay)
                except TimeoutError:
                    continue
        except Exception:
            _logger.exception("the subscription %s at the source %s is not kept up", *pair)
        finally:
            self._tasks.pop(pair, None)
            self._changed.pop(pair, None)

    async def _settle(self, pair: Pair, failures: int) -> bool:
        """One attempt; True when there is nothing left to do, or it is of no use."""
        one = self._subscriptions.find(pair[0])
        registration = self._registrations.find(pair[1])
        mapping = self._mappings.find(pair)
        match = None
        if one is not None and registration is not None:
            match = self._match(one, registration)
        if one is None or match is None:
            return mapping is None or await self._withdraw(mapping, failures)
        assert registration is not None
        if mapping is not None and _elsewhere(mapping.registration, registration):
            if not await self._withdraw(mapping, failures):
                return False
            mapping = None
        ld = await self._words(one, registration)
        if mapping is None:
            if self._copy(one, match, ld, "") is None:
                return True
            mapping = await self._mappings.make(one.id, registration)
        document = self._copy(one, match, ld, mapping.secret)
        if document is None:
            return await self._withdraw(mapping, failures)
        mapping.registration = registration
        if mapping.sent == document:
            return True
        return await self._tell(mapping, one, document, ld)

    def _copy(
        self, one: Subscription, match: Match, ld: CompiledContext, secret: str
    ) -> dict[str, Any] | None:
        remote_id = f"urn:ngsi-ld:Subscription:{secret}"
        return reduced_copy(
            one,
            match,
            ld,
            split=is_split(one, default=self._split),
            remote_id=remote_id,
            uri=self._url(secret),
        )

    async def _words(self, one: Subscription, registration: Registration) -> CompiledContext:
        """The @context of what is sent: the source's own (§4.3.6.6), or the subscription's."""
        own = registration.info_value("jsonldContext")
        if own is not None:
            try:
                return await self._resolver.resolve(own)
            except Problem as problem:
                _logger.warning("the @context of %s: %s", registration.id, problem.detail)
        return one.notify_ld

    async def _tell(
        self,
        mapping: Mapping,
        one: Subscription,
        document: dict[str, Any],
        ld: CompiledContext,
    ) -> bool:
        """Create or update the subscription at the source."""
        if mapping.sent is None:
            answer = await self._ask(mapping, one, "POST", ("subscriptions",), document, ld)
            if answer.status == 409:  # an earlier attempt got through, its answer did not
                answer = await self._patch(mapping, one, document, ld)
        elif mapping.registration.supports("updateSubscription"):
            answer = await self._patch(mapping, one, document, ld)
            if answer.status == 404:
                mapping.sent = None
                answer = await self._ask(mapping, one, "POST", ("subscriptions",), document, ld)
        else:
            return True
        if answer.ok:
            mapping.sent = document
            await self._mappings.keep(mapping)
            return True
        return _is_final(answer)

    async def _patch(
        self,
        mapping: Mapping,
        one: Subscription,
        document: dict[str, Any],
        ld: CompiledContext,
    ) -> Answer:
        gone = {name: _NULL for name in mapping.sent or () if name not in document}
        fragment = {name: value for name, value in document.items() if name != "id"} | gone
        path = ("subscriptions", mapping.remote_id)
        return await self._ask(mapping, one, "PATCH", path, fragment, ld)

    async def _withdraw(self, mapping: Mapping, failures: int) -> bool:
        """Delete the subscription at the source; it is forgotten also when the source says no, or
        could not be had for long."""
        if mapping.registration.supports("deleteSubscription") and failures < _MOST_DELETIONS:
            path = ("subscriptions", mapping.remote_id)
            answer = await self._ask(mapping, None, "DELETE", path, None, None)
            if not answer.ok and not _is_final(answer):
                return False
        await self._mappings.forget(mapping)
        return True

    async def _ask(
        self,
        mapping: Mapping,
        one: Subscription | None,
        method: str,
        path: tuple[str, ...],
        document: dict[str, Any] | None,
        ld: CompiledContext | None,
    ) -> Answer:
        source = mapping.registration
        # `local=true` is not for subscriptions: localOnly in the document says it (§5.5.13).
        management = msgspec.structs.replace(source.management, local_only=None)
        source = msgspec.structs.replace(source, management=management)
        via = {} if one is None or not one.via else {"via": ", ".join(f"1.1 {v}" for v in one.via)}
        request = Outbound(method, path, document=document, kind="subscription")
        origin = Origin(via, ld or await self._resolver.resolve(None))
        return await self._forwarder().ask(source, request, origin)


def _is_shared(one: Subscription) -> bool:
    """Whether it is about more than what is held here."""
    local = one.members.get("localOnly")
    return local is None or local.value is not True


def _takes(registration: Registration) -> bool:
    """Whether a source may be subscribed to."""
    return registration.mode != AUXILIARY and registration.supports("createSubscription")


def _elsewhere(was: Registration, now: Registration) -> bool:
    """Whether another source, or another tenant of it, is to be asked now."""
    return (was.endpoint, was.tenant) != (now.endpoint, now.tenant)


def _is_final(answer: Answer) -> bool:
    """Whether the source refused, so that asking again is of no use until something changes."""
    return 400 <= answer.status < 500 and answer.status not in _AGAIN
