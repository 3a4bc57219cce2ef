"""Entity maps: which entities a sequence of requests is about, and who has them (§4.5.25, §5.5.14).

Kept beside the entities, bounded in number and lifetime; the one that expires first makes room.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Final
from uuid import uuid4

import msgspec

from rynek.base.clock import MICRO, Clock
from rynek.base.errors import ResourceNotFound
from rynek.base.typed import decoder
from rynek.context.store.contract import Store, Txn

__all__ = ["LOCAL", "EntityMap", "EntityMaps", "MapLimits"]

LOCAL: Final = "@none"
_KIND: Final = "entityMap"
_CACHED: Final = 8


class EntityMap(msgspec.Struct):
    """One map: `entities` has the registrations (or LOCAL) behind each id, in the order of the
    query; `linked` the maps of other sources by registration. `ld` is the id of the @context that
    it was made under, `expires_at` epoch microseconds."""

    id: str
    expires_at: int
    ld: str
    entities: dict[str, list[str]]
    linked: dict[str, str] = {}
    temporal: bool = False


class MapLimits(msgspec.Struct, frozen=True):
    """Most maps at once, and how long they live unless asked otherwise and at the longest."""

    most: int = 100
    seconds: float = 900.0
    max_seconds: float = 86_400.0


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = decoder(EntityMap).decode


class EntityMaps:
    """The maps of one tenant (or snapshot)."""

    def __init__(self, store: Store, clock: Clock, limits: MapLimits) -> None:
        self._store = store
        self._clock = clock
        self.limits = limits
        self._expiry: dict[str, int] | None = None
        self._cache: OrderedDict[str, EntityMap] = OrderedDict()

    def find(self, map_id: str) -> EntityMap | None:
        """A map that has not expired, or None."""
        found = self._cache.get(map_id)
        if found is None:
            body = self._store.documents.find(_KIND, map_id)
            if body is None:
                return None
            found = _decode(body)
            self._remember(found)
        return found if found.expires_at > self._clock.now() else None

    def get(self, map_id: str) -> EntityMap:
        """A map that has not expired; ResourceNotFound otherwise."""
        found = self.find(map_id)
        if found is None:
            raise ResourceNotFound(f"no entity map {map_id[:200]}, or it has expired")
        return found

    async def create(
        self,
        entities: Mapping[str, list[str]],
        *,
        ld: str,
        linked: Mapping[str, str] | None = None,
        lifetime: int | None = None,
        temporal: bool = False,
    ) -> EntityMap:
        """Keep a new map; `lifetime` in microseconds is a wish."""
        made = EntityMap(
            f"urn:ngsi-ld:EntityMap:{uuid4()}",
            self._until(lifetime),
            ld,
            dict(entities),
            dict(linked or {}),
            temporal,
        )
        # Both before the write: two that are made at once do not count on the same room.
        known = self._known()
        gone = {one: known.pop(one) for one in self._making_room(known)}
        known[made.id] = made.expires_at
        try:
            await self._keep(made, gone)
        except BaseException:
            known.pop(made.id, None)
            known.update(gone)
            raise
        return made

    async def prune(self, entity_map: EntityMap, gone: Collection[str]) -> None:
        """Take entities out that no longer fit the query (§5.5.9.3)."""
        left = {one: who for one, who in entity_map.entities.items() if one not in gone}
        entity_map.entities = left
        await self._keep(entity_map, ())

    async def relink(self, entity_map: EntityMap, used: Mapping[str, str]) -> None:
        """Note the maps that sources used, by registration (§5.7.1.4); written where it is new."""
        linked = entity_map.linked | dict(used)
        if linked != entity_map.linked:
            entity_map.linked = linked
            await self._keep(entity_map, ())

    async def extend(self, map_id: str, expires_at: int) -> None:
        """Let a map expire at another time, as late as the limits allow. ResourceNotFound."""
        found = self.get(map_id)
        latest = self._clock.now() + int(self.limits.max_seconds * MICRO)
        found.expires_at = min(expires_at, latest)
        if map_id in self._known():
            self._known()[map_id] = found.expires_at
        await self._keep(found, ())

    async def delete(self, map_id: str) -> None:
        """Forget a map. ResourceNotFound."""
        until = self.get(map_id).expires_at
        # Before the write, so that a request that uses the map does not keep it again.
        self._known().pop(map_id, None)
        try:
            await self._store.write(lambda txn: txn.forget(_KIND, map_id))
        except BaseException:
            self._known()[map_id] = until
            raise
        self._cache.pop(map_id, None)

    async def _keep(self, entity_map: EntityMap, gone: Collection[str]) -> None:
        """Write a map in the place of others; one that is not known (any more) is not written."""
        body = _encode(entity_map)
        known = self._known()

        def job(txn: Txn) -> None:
            for one in gone:
                txn.forget(_KIND, one)
            if entity_map.id in known:
                txn.keep(_KIND, entity_map.id, body)

        await self._store.write(job)
        for one in gone:
            self._cache.pop(one, None)
        if entity_map.id in known:
            self._remember(entity_map)

    def _until(self, lifetime: int | None) -> int:
        longest = int(self.limits.max_seconds * MICRO)
        wanted = int(self.limits.seconds * MICRO) if lifetime is None else lifetime
        return self._clock.now() + min(wanted, longest)

    def _known(self) -> dict[str, int]:
        if self._expiry is None:
            kept = self._store.documents.list(_KIND)
            self._expiry = {one: _decode(body).expires_at for one, body in kept}
        return self._expiry

    def _making_room(self, expiry: Mapping[str, int]) -> list[str]:
        """The maps that are over, and as many as have to go for one more."""
        now = self._clock.now()
        gone = [one for one, until in expiry.items() if until <= now]
        left = sorted((until, one) for one, until in expiry.items() if until > now)
        return gone + [one for _, one in left[: max(len(left) + 1 - self.limits.most, 0)]]

    def _remember(self, entity_map: EntityMap) -> None:
        self._cache[entity_map.id] = entity_map
        self._cache.move_to_end(entity_map.id)
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
