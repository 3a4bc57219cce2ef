"""Which subscription of ours has which one at a source (CIM 009 §5.8.1.4), as it is kept."""

from __future__ import annotations

import secrets
from typing import Any, Final

import msgspec

from rynek.base.typed import decoder
from rynek.context.live import Context
from rynek.context.registrations import Registration
from rynek.context.store.contract import Txn

__all__ = ["Mapping", "Mappings", "Pair"]

KIND: Final = "remoteSubscription"
_SECRET_BYTES: Final = 16
_encode: Final = msgspec.json.Encoder().encode

Pair = tuple[str, str]
"""The ids of a subscription and of a registration."""


class Mapping(msgspec.Struct, omit_defaults=True):
    """One of our subscriptions at one source. `secret` is in the URL to which the source sends
    notifications, and in the id that the subscription has there; `registration` is the source as
    it was asked last; `sent` the document that it took, None before it took any."""

    secret: str
    subscription_id: str
    registration: Registration
    sent: dict[str, Any] | None = None

    @property
    def pair(self) -> Pair:
        """Whom it is between."""
        return self.subscription_id, self.registration.id

    @property
    def remote_id(self) -> str:
        """The id of the subscription at the source."""
        return f"urn:ngsi-ld:Subscription:{self.secret}"


_decode: Final = decoder(Mapping).decode


class Mappings:
    """All of a tenant, in memory and in the file."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._by_secret: dict[str, Mapping] = {}
        self._by_pair: dict[Pair, Mapping] = {}
        self._sources: dict[str, set[str]] = {}
        self._subscribed: dict[str, set[str]] = {}
        for _, body in context.store.documents.list(KIND):
            self._note(_decode(body))

    def find(self, pair: Pair) -> Mapping | None:
        """The one between these two, or None."""
        return self._by_pair.get(pair)

    def by_secret(self, secret: str) -> Mapping | None:
        """The one whose notifications come with this secret, or None."""
        return self._by_secret.get(secret)

    def with_subscription(self, subscription_id: str) -> set[Pair]:
        """Those of a subscription."""
        there = self._sources.get(subscription_id, ())
        return {(subscription_id, registration_id) for registration_id in there}

    def with_registration(self, registration_id: str) -> set[Pair]:
        """Those at a source."""
        there = self._subscribed.get(registration_id, ())
        return {(subscription_id, registration_id) for subscription_id in there}

    def pairs(self) -> list[Pair]:
        """Whom there are some between."""
        return list(self._by_pair)

    async def make(self, subscription_id: str, registration: Registration) -> Mapping:
        """A new one, kept before the source hears of it."""
        made = Mapping(secrets.token_hex(_SECRET_BYTES), subscription_id, registration)
        await self.keep(made)
        return made

    async def keep(self, one: Mapping) -> None:
        """Keep it as it is now."""
        body = _encode(one)

        def job(txn: Txn) -> None:
            txn.keep(KIND, one.secret, body)

        await self._context.write(job)
        self._note(one)

    async def forget(self, one: Mapping) -> None:
        """The source has it no more."""

        def job(txn: Txn) -> None:
            txn.forget(KIND, one.secret)

        await self._context.write(job)
        self._by_secret.pop(one.secret, None)
        self._by_pair.pop(one.pair, None)
        subscription_id, registration_id = one.pair
        _drop(self._sources, subscription_id, registration_id)
        _drop(self._subscribed, registration_id, subscription_id)

    def _note(self, one: Mapping) -> None:
        self._by_secret[one.secret] = one
        self._by_pair[one.pair] = one
        subscription_id, registration_id = one.pair
        self._sources.setdefault(subscription_id, set()).add(registration_id)
        self._subscribed.setdefault(registration_id, set()).add(subscription_id)


def _drop(sets: dict[str, set[str]], key: str, item: str) -> None:
    there = sets.get(key, set())
    there.discard(item)
    if not there:
        sets.pop(key, None)
