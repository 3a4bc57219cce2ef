"""Who is told of which change of a registration, in the commit of that change (CIM 009 §5.11.7)."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final
from uuid import uuid4

import msgspec

from rynek.base.typed import decoder
from rynek.context.live import Context
from rynek.context.registrations import Match, Registration, Registrations
from rynek.context.registrations.watched import (
    Reason,
    SourceSelector,
    reason,
    shown_information,
)
from rynek.context.source_subscriptions.content import JSON_LD, Shown, notification_body
from rynek.context.source_subscriptions.index import SourceIndex
from rynek.context.source_subscriptions.selector import selector_of
from rynek.context.store.contract import Txn
from rynek.context.subscriptions import (
    Deliveries,
    Receiver,
    Subscription,
    pack_head,
    pack_keys,
)
from rynek.context.subscriptions.timed import Timed

__all__ = ["SourceNotifier"]

_PREFIX: Final = "csourceSubscription:"
_MAX_REGISTRATIONS: Final = 1_000
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = decoder(Registration).decode
_logger = logging.getLogger(__name__)


class SourceNotifier(Timed[Registration]):
    """Subscriptions to registrations as changes, timers and deliveries see them."""

    def __init__(
        self,
        context: Context,
        registrations: Registrations,
        deliveries: Deliveries,
        via: str,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(context, deliveries, clock, _PREFIX, _encode, _decode)
        self.selectors: dict[str, SourceSelector] = {}
        self._registrations = registrations
        self._via = via
        self._index = SourceIndex()
        # Numbers of messages begin anew where a backup is restored: no id may come twice.
        self._run = uuid4().hex[:12]

    async def stop(self) -> None:
        """Stop timers; changes still reach the outbox until the store is closed."""
        self._started = False
        await super().stop()

    def again(self, one: Subscription) -> None:
        """Look at changes for a subscription, in the place of the one with its id. BadRequestData
        where it asks for what registrations do not have."""
        selector = selector_of(one)
        self.all[one.id] = one
        self.selectors[one.id] = selector
        if one.status(self._clock()) == "active" and one.time_interval is None:
            self._index.put(one, selector)
        else:
            self._index.remove(one.id)
        self._look()

    def take(self, subscription_id: str) -> None:
        """Look at changes for a subscription no more."""
        self.all.pop(subscription_id, None)
        self.selectors.pop(subscription_id, None)
        self._index.remove(subscription_id)
        self._look()

    def _look(self) -> None:
        """Look at changes only while there is somebody to tell of them."""
        watchers = self._registrations.watchers
        if len(self._index) and self._watch not in watchers:
            watchers.append(self._watch)
        elif not len(self._index) and self._watch in watchers:
            watchers.remove(self._watch)

    def begin(self, one: Subscription) -> None:
        """Set line and timers of a subscription that is new, changed or loaded."""
        if not self._started or self.all.get(one.id) is not one:
            return
        self.end(one.id)
        self.open(one)
        now = self._clock()
        if one.status(now) != "active":
            return
        target = self.target_of(one.id)
        self._expires(one, now)
        if one.time_interval is not None:
            counters = self.deliveries.counters(target)
            last = counters.last_notification if counters is not None else one.modified_at
            waited = max(now - max(last, one.modified_at), 0) / 1e6
            self._intervals.set(one, max(one.time_interval - waited, 0.0))
        self._throttle.arm(target)

    def open(self, one: Subscription) -> None:
        """Let its messages leave as soon as they are in the file; before the first is."""
        if self._started:
            active = one.status(self._clock()) == "active"
            receiver = Receiver(one.endpoint, one.tenant, self._via)
            self.deliveries.open(self.target_of(one.id), receiver, active=active)

    def tell_all(self, txn: Txn, one: Subscription) -> None:
        """Tell of every registration that matches now, where the subscription is active: what
        comes first, after an update, and periodically.

        Only a periodic one is told that there are none; what throttling held back is told too.
        """
        if one.status(self._clock()) != "active":
            return
        matches = self._registrations.selected(self.selectors[one.id])
        self._throttle.take(txn, self.target_of(one.id), self._clock())
        if not matches and one.time_interval is None:
            return
        shown = [self._shown(None, found, found.registration) for found in matches]
        for first in range(0, max(len(shown), 1), _MAX_REGISTRATIONS):
            self._send(txn, one, "newlyMatching", shown[first : first + _MAX_REGISTRATIONS])

    def _watch(self, txn: Txn, before: Registration | None, after: Registration | None) -> None:
        """Put what a change of a registration means to each subscription into its commit."""
        now = self._clock()
        for one, selector in self._index.candidates((before, after)):
            if one.expires is not None and one.expires <= now:
                continue
            was = None if before is None else selector.match(before)
            found = None if after is None else selector.match(after)
            why = reason(was, found)
            if why is None:
                continue
            if one.throttling is not None and self._must_wait(txn, one, one.throttling, now):
                subject = after or before
                assert subject is not None
                target = self.target_of(one.id)
                if self._throttle.hold(txn, target, subject.id, before, in_job=True):
                    continue
            shown = self._shown(was, found, after or before, gone=after is None)
            self._send(txn, one, why, [shown])

    def _must_wait(self, txn: Txn, one: Subscription, seconds: float, now: int) -> bool:
        target = self.target_of(one.id)
        last = self._last_notification(target)
        return self._throttle.must_wait(txn, target, now, seconds, last)

    def _shown(
        self,
        was: Match | None,
        found: Match | None,
        registration: Registration | None,
        *,
        gone: bool = False,
    ) -> Shown:
        assert registration is not None
        information = shown_information(was, found, None if gone else registration)
        return Shown(registration, information, self._registrations.counters(registration.id))

    def _send(
        self, txn: Txn, one: Subscription, why: Reason, registrations: Sequence[Shown]
    ) -> None:
        """Put one notification into the outbox; those about one registration keep their order."""
        now = self._clock()
        about = pack_keys(zlib.crc32(each.registration.id.encode()) for each in registrations)
        media = one.endpoint.media

        def body(n: int) -> bytes:
            notification_id = f"urn:ngsi-ld:ContextSourceNotification:{self._run}-{n}"
            return notification_body(one, notification_id, now, why, registrations)

        head = pack_head(media, None if media == JSON_LD else one.link)
        txn.send(self.target_of(one.id), about, head, body)

    async def _release(self, target: str) -> None:
        """Tell of what throttling held back, in one notification for each reason."""
        one = self.all.get(target.removeprefix(_PREFIX))
        if one is None or one.status(self._clock()) != "active":
            return  # a paused one goes on when it is active again
        taken: list[tuple[str, Registration | None]] = []

        def job(txn: Txn) -> None:
            taken[:] = self._throttle.take(txn, target, self._clock())
            for why, shown in self._told(self.selectors[one.id], taken).items():
                self._send(txn, one, why, shown)

        try:
            await self._registrations.alone(lambda: self._context.write(job))
        except Exception as error:
            _logger.warning("%s could not be notified yet: %s", one.id, error)
            self._throttle.put_back(target, taken)
        else:
            self._throttle.told(target)

    def _told(
        self, selector: SourceSelector, taken: Iterable[tuple[str, Registration | None]]
    ) -> dict[Reason, list[Shown]]:
        told: dict[Reason, list[Shown]] = {}
        for registration_id, before in taken:
            after = self._registrations.find(registration_id)
            was = None if before is None else selector.match(before)
            found = None if after is None else selector.match(after)
            why = reason(was, found)
            if why is not None:
                shown = self._shown(was, found, after or before, gone=after is None)
                told.setdefault(why, []).append(shown)
        return told

    async def _fire(self, one: Subscription) -> None:
        """Tell a periodic subscription of everything that matches."""
        job: Any = partial(self.tell_all, one=one)
        await self._registrations.alone(lambda: self._context.write(job))
