"""Subscriptions that reach further than what is held here: each is also made, reduced, at the
registered sources that can tell of what it asks for (CIM 009 §5.8.1.4, §5.8.6)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.context import distribution
from rynek.context.distribution.merge import merge
from rynek.context.jsonld import CompiledContext, parse_link_header
from rynek.context.live import Context
from rynek.context.model import Entity
from rynek.context.registrations import Registrations, RegistrationSpec
from rynek.context.remote_subscriptions.keeper import Keeper, is_split
from rynek.context.remote_subscriptions.mapping import Mapping as Remote
from rynek.context.remote_subscriptions.mapping import Mappings
from rynek.context.remote_subscriptions.received import (
    Part,
    entities_of,
    forwarded_body,
    part_of,
)
from rynek.context.store.contract import Txn
from rynek.context.subscriptions import Subscription, Subscriptions, pack_head, pack_keys
from rynek.context.subscriptions.content import GEO_JSON, JSON_LD, notification_body
from rynek.context.subscriptions.delta import Delta
from rynek.context.subscriptions.match import meets

__all__ = ["RemoteSubscriptions"]


class RemoteSubscriptions:
    """The part of a tenant's subscriptions that is kept at sources.

    `url` makes of a secret the URL to which a source sends notifications; `deliver` takes them.
    """

    def __init__(
        self,
        context: Context,
        subscriptions: Subscriptions,
        registrations: Registrations,
        forwarder: Callable[[], distribution.Forwarder],
        url: Callable[[str], str],
        *,
        split: bool,
    ) -> None:
        self._context = context
        self._subscriptions = subscriptions
        self._registrations = registrations
        self._forwarder = forwarder
        self._split = split
        self._mappings = Mappings(context)
        self._keeper = Keeper(
            self._mappings,
            subscriptions,
            registrations,
            forwarder,
            context.resolver,
            url,
            split=split,
        )
        # Numbers of messages begin anew where a backup is restored: no id may come twice.
        self._run = uuid4().hex[:12]

    def start(self) -> None:
        """Do at sources what is to be done there, now and from now on."""
        self._subscriptions.listeners.append(self._keeper.subscription_changed)
        self._registrations.listeners.append(self._keeper.registration_changed)
        self._keeper.everything()

    async def stop(self) -> None:
        """Leave what is under way for the next start."""
        await self._keeper.stop()

    async def deliver(
        self, secret: str, headers: Mapping[str, str], document: dict[str, Any]
    ) -> None:
        """Pass a notification of a source on to the subscriber; returns after the commit.
        ResourceNotFound for a secret that is nobody's, BadRequestData when it is none."""
        remote = self._mappings.by_secret(secret)
        if remote is None:
            raise ResourceNotFound("no subscription is kept under this address")
        entities = entities_of(document)
        one = self._subscriptions.find(remote.subscription_id)
        if one is None or one.status(self._subscriptions.now()) != "active":
            return
        ld = await self._words(headers, document)
        if is_split(one, default=self._split):
            parts = [part_of(each, ld) for each in entities]
            await self._pass_on(one, await self._whole(one, remote, parts))
        else:
            await self._copy(one, entities, ld)

    async def _words(self, headers: Mapping[str, str], document: dict[str, Any]) -> CompiledContext:
        """The @context of a notification: that in its body, else that of its Link header."""
        spec = document.get("@context")
        if spec is None and "link" in headers:
            spec = parse_link_header(headers["link"])
        return await self._context.resolver.resolve(spec if spec is not None else [])

    async def _copy(
        self, one: Subscription, entities: list[dict[str, Any]], ld: CompiledContext
    ) -> None:
        """Send a copy under our subscription's id."""
        now = self._subscriptions.now()
        probe = forwarded_body(one, "urn:ngsi-ld:x", now, entities, ld)
        if probe is None:
            return

        def body(n: int) -> bytes:
            made = forwarded_body(one, self._id(n), now, entities, ld)
            assert made is not None
            return made[1]

        await self._send(one, probe[0], body)

    async def _whole(self, one: Subscription, remote: Remote, parts: list[Part]) -> list[Delta]:
        """The entities as all sources together have them, those that meet the conditions."""
        found = []
        for part in parts:
            whole = await self._merged(one, remote, part)
            delta = part.delta(whole)
            if one.selects(delta.id, delta.types) and meets(
                one.query, delta.subject, self._context.get
            ):
                found.append(delta)
        return found

    async def _merged(self, one: Subscription, remote: Remote, part: Part) -> Entity | None:
        entity = part.entity
        spec = RegistrationSpec(entity_types=entity.types, ids=(entity.id,), via=one.via)
        matches = [
            match
            for match in self._registrations.matching(spec, "retrieveEntity")
            if match.registration.id != remote.registration.id
        ]
        local = self._context.get(entity.id)
        now = self._context.clock.now()
        origin = distribution.Origin({}, one.notify_ld)
        resolve = self._context.resolver.resolve
        reader = distribution.Reader(self._forwarder(), origin, resolve, now)
        wanted = distribution.Retrieval(entity.id, one.notify_ld)
        others = await distribution.retrieve(reader, wanted, local, matches)
        held = [each for each in (part.held, others) if each is not None]
        return merge(held, now) if held else None

    async def _pass_on(self, one: Subscription, deltas: list[Delta]) -> None:
        if not deltas:
            return
        now = self._subscriptions.now()
        get = self._context.get

        def body(n: int) -> bytes:
            return notification_body(one, self._id(n), now, deltas, get, now)

        await self._send(one, [delta.id for delta in deltas], body)

    async def _send(self, one: Subscription, ids: list[str], body: Callable[[int], bytes]) -> None:
        """Put it into the line of the subscriber."""
        about = pack_keys(zlib.crc32(each.encode()) for each in ids)
        media = one.endpoint.media
        inside = media == JSON_LD or (media == GEO_JSON and not one.endpoint.prefers_plain_body)
        head = pack_head(media, None if inside else one.link)

        def job(txn: Txn) -> None:
            if self._subscriptions.find(one.id) is not one:
                raise BadRequestData("the subscription has just changed: send it again")
            txn.send(self._subscriptions.target_of(one.id), about, head, body)

        await self._context.write(job)

    def _id(self, n: int) -> str:
        return f"urn:ngsi-ld:Notification:{self._run}-{n}"
