"""Who is notified of what: matching in the commit of each write, throttling, periodic notifications."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Final
from uuid import uuid4

import msgspec

from rynek.base.clock import to_iso
from rynek.base.typed import decoder
from rynek.context.live import Context
from rynek.context.model import Entity
from rynek.context.store.contract import Txn
from rynek.context.store.txn import GroupTxn
from rynek.context.store.written import Written
from rynek.context.subscriptions.content import GEO_JSON, JSON, JSON_LD, notification_body
from rynek.context.subscriptions.deliveries import Deliveries, DeliveryLimits
from rynek.context.subscriptions.delta import Altered, Delta
from rynek.context.subscriptions.index import SubscriptionIndex
from rynek.context.subscriptions.intervals import selected
from rynek.context.subscriptions.match import concerns
from rynek.context.subscriptions.model import Subscription
from rynek.context.subscriptions.order import KEY_BYTES, pack_keys
from rynek.context.subscriptions.senders import Receiver, Senders, pack_head
from rynek.context.subscriptions.timed import Timed

__all__ = ["Notifier"]

_PREFIX: Final = "subscription:"
_MAX_ENTITIES: Final = 1_000
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = decoder(Entity).decode
_logger = logging.getLogger(__name__)


def _head_of(one: Subscription) -> bytes:
    """What goes beside the body of its notifications."""
    endpoint = one.endpoint
    in_body = endpoint.media == JSON_LD or (
        endpoint.media == GEO_JSON and not endpoint.prefers_plain_body
    )
    return _packed(endpoint.media, None if in_body else one.link)


_packed: Final = lru_cache(maxsize=1024)(pack_head)


class _Way(msgspec.Struct, frozen=True):
    """The target of a subscription and the head of its messages; `stored` is what stands between the
    id and the time in them, where an entity that was only altered is told of at once and as it is
    stored."""

    one: Subscription
    target: str
    head: bytes
    stored: bytes | None


class Notifier(Timed[Entity]):
    """The subscriptions of a tenant as writes, timers and deliveries see them."""

    def __init__(
        self,
        context: Context,
        senders: Senders,
        via: str,
        clock: Callable[[], int],
        limits: DeliveryLimits,
        snapshot: str | None = None,
    ) -> None:
        outbox = context.store.outbox
        deliveries = Deliveries(context, outbox, senders, clock, limits)
        super().__init__(context, deliveries, clock, _PREFIX, _encode, _decode)
        self._snapshot = snapshot
        self._outbox = outbox
        self._via = via
        self._index = SubscriptionIndex()
        outbox.on_failure.append(lambda _: self._index.forget())
        # Numbers of messages begin anew where a backup is restored: no id may come twice.
        self._ids = f"urn:ngsi-ld:Notification:{uuid4().hex[:12]}-"
        self._begin = b'{"id":"%b' % self._ids.encode()
        self._said = 0, b""
        self._ways: dict[str, _Way] = {}

    async def start(self) -> None:
        """Deliver, from what a former process left on."""
        self.deliveries.start()
        await super().start()

    async def stop(self) -> None:
        """Stop timers and deliveries; matching goes on until the store is closed."""
        await super().stop()
        if self._started:
            await self.deliveries.stop()

    def put(self, one: Subscription) -> None:
        """Match writes against a subscription, in the place of the one with its id."""
        self.all[one.id] = one
        if one.status(self._clock()) == "active" and one.time_interval is None:
            self._index.put(one)
        else:
            self._index.remove(one.id)
        self._look()

    again = put

    def take(self, subscription_id: str) -> None:
        """Match writes against a subscription no more."""
        self.all.pop(subscription_id, None)
        self._ways.pop(subscription_id, None)
        self._index.remove(subscription_id)
        self._look()

    def _look(self) -> None:
        """Look at writes only while there is somebody to tell of them."""
        self._outbox.watch = self._watch if len(self._index) else None

    def begin(self, one: Subscription) -> None:
        """Set line and timers of a subscription that is new, changed or loaded."""
        if not self._started or self.all.get(one.id) is not one:
            return
        self.end(one.id)
        now = self._clock()
        active = one.status(now) == "active"
        target = self.target_of(one.id)
        receiver = Receiver(one.endpoint, one.tenant, self._via, self._snapshot)
        self.deliveries.open(target, receiver, active=active)
        if active:
            self._expires(one, now)
        if active and one.time_interval is not None:
            last = self._last_notification(target)
            waited = (now - last) / 1e6 if last else 0.0
            self._intervals.set(one, max(one.time_interval - waited, 0.0))
        if active:
            self._throttle.arm(target)

    def _watch(self, txn: GroupTxn, written: list[list[Written]]) -> None:
        """Put notifications of what each job wrote into its commit."""
        now = self._clock()
        certain, ways = self._index.certain, self._ways
        matched: list[tuple[Subscription, Sequence[Delta]]] = []
        for job in written:
            try:
                found = certain(job[0]) if len(job) == 1 else None
                if found is None:
                    matched += self._matched(txn, job, now)
                    continue
                delta, told = found
                for one in told:
                    matched.append((one, (delta,)))
            except Exception:
                self._index.forget()  # it may not have been told of everything
                _logger.exception("what a write concerns could not be found")
        for one, deltas in matched:
            try:
                delta, way = deltas[0], ways.get(one.id)
                if (
                    way is not None
                    and way.one is one
                    and way.stored is not None
                    and len(deltas) == 1
                    and type(delta) is Altered
                ):
                    self._send_stored(txn, way, way.stored, delta, now)
                elif one.throttling is None:
                    self._send(txn, one, deltas, now)
                else:
                    self._notify(txn, one, one.throttling, deltas, now)
            except Exception:
                # One that cannot be written (its @context has no name for something, say) is
                # no reason to tell the others nothing.
                _logger.exception("%s could not be notified", one.id)

    def _matched(
        self, txn: GroupTxn, job: list[Written], now: int
    ) -> Iterable[tuple[Subscription, list[Delta]]]:
        """Who is to be told of what a job wrote."""
        matched: dict[str, tuple[Subscription, list[Delta]]] = {}
        for written in job:
            found = self._index.candidates(written)
            if found is None:
                continue
            delta, candidates = found
            for one in candidates:
                if (one.expires is None or one.expires > now) and concerns(one, delta, txn.get):
                    matched.setdefault(one.id, (one, []))[1].append(delta)
        return matched.values()

    def _notify(
        self, txn: Txn, one: Subscription, seconds: float, deltas: Sequence[Delta], now: int
    ) -> None:
        """Notify now or hold it: so many seconds are to lie between notifications."""
        target = self.target_of(one.id)
        last = self._last_notification(target)
        if not self._throttle.must_wait(txn, target, now, seconds, last):
            self._send(txn, one, deltas, now)
            return
        hold = self._throttle.hold
        left = [delta for delta in deltas if not hold(txn, target, delta.id, delta.before)]
        if left:
            self._send(txn, one, left, now)

    def _send(self, txn: Txn, one: Subscription, deltas: Sequence[Delta], now: int) -> None:
        """Put one notification into the outbox, or several when it tells of very many entities."""
        if len(deltas) <= _MAX_ENTITIES:
            self._send_one(txn, one, deltas, now)
            return
        for first in range(0, len(deltas), _MAX_ENTITIES):
            self._send_one(txn, one, deltas[first : first + _MAX_ENTITIES], now)

    def _send_one(self, txn: Txn, one: Subscription, deltas: Sequence[Delta], now: int) -> None:
        about = pack_keys([zlib.crc32(delta.id.encode()) for delta in deltas])
        way = self._ways.get(one.id)
        if way is None or way.one is not one:
            way = self._ways[one.id] = self._way(one)
        prefix = self._ids

        def body(n: int) -> bytes:
            return notification_body(one, f"{prefix}{n}", now, deltas, txn.get, txn.now)

        txn.send(way.target, about, way.head, body)

    def _send_stored(self, txn: Txn, way: _Way, told: bytes, delta: Altered, now: int) -> None:
        """`_send_one` with the bytes that are stored, in few steps: most notifications are so."""
        about = zlib.crc32(delta.id.encode()).to_bytes(KEY_BYTES, "big")
        stored = delta.body(way.one.notify_ld)
        if self._said[0] != now:
            self._said = now, to_iso(now).encode()
        begin, said = self._begin, self._said[1]
        txn.send(
            way.target, about, way.head,
            lambda n: b'%b%d%b%b","data":[%b]}' % (begin, n, told, said, stored),
        )  # fmt: skip

    def _way(self, one: Subscription) -> _Way:
        quick = one.plain and one.endpoint.media == JSON and one.throttling is None
        stored = one.told if quick else None
        return _Way(one, self.target_of(one.id), _head_of(one), stored)

    async def _release(self, target: str) -> None:
        """Tell in one notification of what throttling held back."""
        one = self.all.get(target.removeprefix(_PREFIX))
        if one is None or one.status(self._clock()) != "active":
            return  # a paused one goes on when it is active again
        left = self._throttle.left(
            target, self._clock(), one.throttling or 0.0, self._last_notification(target)
        )
        if left > 0:
            self._throttle.arm(target, left)
            return
        taken: list[tuple[str, Entity | None]] = []

        def job(txn: Txn) -> None:
            now = self._clock()
            before = self._throttle.last(target)
            taken[:] = self._throttle.take(txn, target, now)
            pairs = [(before, txn.get(entity_id)) for entity_id, before in taken]
            # What came and went meanwhile is nothing to tell.
            deltas = [Delta(*pair) for pair in pairs if pair != (None, None)]
            told = [delta for delta in deltas if not delta.empty and concerns(one, delta, txn.get)]
            if told:
                self._send(txn, one, told, now)
            else:
                self._throttle.nothing_told(target, before)

        try:
            await self._context.write(job)
        except Exception as error:
            _logger.warning("%s could not be notified yet: %s", one.id, error)
            self._throttle.put_back(target, taken)
        else:
            self._throttle.told(target)

    async def _fire(self, one: Subscription) -> None:
        """Tell a periodic subscription of everything that it selects (§5.8.6)."""
        if one.csf:
            return
        entities = await selected(self._context, one)
        if entities:
            await self._context.write(partial(self._send_all, one=one, entities=entities))

    def _send_all(self, txn: Txn, one: Subscription, entities: Iterable[Entity]) -> None:
        self._send(txn, one, [Delta(entity, entity) for entity in entities], self._clock())
