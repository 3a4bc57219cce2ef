"""Temporal operations that write (CIM 009 §5.6.11 - §5.6.16): what they find, check and keep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.context import Entity, Instance, TemporalAbout, TemporalFragment

from .amend import Known, key_of
from .decode import created_at, to_reading
from .overlay import Overlay
from .schema import Reading, to_readings
from .select import Selection
from .temporal import seq_of, uri_of

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


class Asked(Protocol):
    """The questions an editor asks of what is recorded (History answers them)."""

    async def rows(self, select: Selection) -> pa.Table:
        """Readings of the selection."""
        ...

    async def entities(self, select: Selection) -> pa.Table:
        """The entities that have readings in the selection, with type and attributes."""
        ...

    async def type_of(self, entity_id: str) -> str | None:
        """A type of an entity that has readings; None where it has none."""
        ...


class Editor:
    """Writes to one tenant's past, one at a time; each returns once it is on disk.

    `mark` reads the log to its head and returns the newest change read; `corrected` hears whose past
    is about to be corrected, and up to which change. `current` is the entity
    of the live picture, where there is one; `now` is the tenant's time (epoch µs).
    """

    def __init__(
        self,
        overlay: Overlay,
        asked: Asked,
        mark: Callable[[], Awaitable[int]],
        writer: ThreadPoolExecutor,
        corrected: Callable[[str, int], None],
    ) -> None:
        self._overlay = overlay
        self._asked = asked
        self._mark = mark
        self._writer = writer
        self._corrected = corrected
        self._lock = asyncio.Lock()

    def known(self, entity_id: str, current: Entity | None, kind: str) -> TemporalAbout:
        """What is known of an entity that has readings, one of which says it is a `kind`."""
        known = self._overlay.known.get(entity_id, Known())
        if current is not None:
            types = _union(current.types, known.types)
            return TemporalAbout(types, current.created_at, current.modified_at, current.expires_at)
        types = list(known.types) or [kind]
        if known.own:
            return TemporalAbout(types, known.created, known.modified)
        return TemporalAbout(types)

    async def about(self, entity_id: str, current: Entity | None) -> TemporalAbout | None:
        """What is known of an entity's evolution; None when there is none."""
        await self._mark()
        known = self._overlay.known.get(entity_id, Known())
        if known.own or (current is not None and not known.deleted >= current.created_at > 0):
            return self.known(entity_id, current, "")
        kind = await self._asked.type_of(entity_id)
        return None if kind is None else self.known(entity_id, current, kind)

    async def add(
        self,
        entity_id: str,
        fragment: TemporalFragment,
        current: Entity | None,
        *,
        now: int,
        create: bool,
    ) -> bool:
        """Add the fragment's instances and types; whether that made the evolution (`create`).

        ResourceNotFound where there is none and it is not to be made; BadRequestData where it is
        and the fragment has no type.
        """
        async with self._lock:
            about = await self.about(entity_id, current)
            if about is None and not create:
                raise ResourceNotFound(f"nothing is known of the past of {entity_id}")
            known = self._overlay.known.get(entity_id, Known())
            types = _union(about.types if about else (), fragment.types or ())
            if not types:
                raise BadRequestData("the entity has no type")
            if about is None:
                known = Known(tuple(types), own=True, created=now, modified=now)
            elif known.own or len(types) > 1:
                known = msgspec.structs.replace(known, types=tuple(types), modified=now)
            rows = [
                to_reading(one, entity_id=entity_id, type_=types[0], attr=attr, seq=0, at=now)
                for attr, instances in fragment.attrs.items()
                for one in instances
            ]
            await self._write(lambda: self._overlay.add(entity_id, rows, known))
            return about is None

    async def delete(self, entity_id: str, current: Entity | None, *, now: int) -> None:
        """Remove the whole evolution; what is written later begins a new one."""
        async with self._lock:
            if await self.about(entity_id, current) is None:
                raise ResourceNotFound(f"nothing is known of the past of {entity_id}")
            known = Known() if current is None else Known(deleted=now)
            await self._bury(entity_id, None, None, now, known)

    async def delete_attribute(
        self,
        entity_id: str,
        attr: str,
        *,
        now: int,
        dataset_id: str | None = None,
        every: bool = False,
    ) -> None:
        """Remove the instances of an attribute: of one dataset (None: the default one) or all."""
        async with self._lock:
            await self._mark()
            wanted = None if every else (dataset_id,)
            select = Selection(
                entity_ids=(entity_id,), attrs=(attr,), dataset_ids=wanted, deleted=True
            )
            if len(await self._asked.entities(select)) == 0:
                raise ResourceNotFound(f"the past of {entity_id} has no such attribute: {attr}")
            dataset = None if every else dataset_id or ""
            await self._bury(entity_id, attr, dataset, now, self._touched(entity_id, now))

    async def modify_instance(
        self, entity_id: str, attr: str, instance_id: str, instance: Instance, *, now: int
    ) -> None:
        """Put another one in the place of an instance, which keeps its id and creation time."""
        async with self._lock:
            row = await self._find(entity_id, attr, instance_id)
            if instance.dataset_id is None:
                instance.dataset_id = row.dataset_id
            elif instance.dataset_id != row.dataset_id:
                raise BadRequestData("the datasetId of an instance cannot be changed")
            changed = to_reading(
                instance,
                entity_id=entity_id,
                type_=row.type,
                attr=attr,
                seq=row.seq,
                at=max(now, row.at + 1),
                created=created_at(row),
            )
            changed.previous_count, changed.previous_until = row.previous_count, row.previous_until
            await self._patch(row, changed, now)

    async def delete_instance(
        self, entity_id: str, attr: str, instance_id: str, *, now: int
    ) -> None:
        """Remove one instance."""
        async with self._lock:
            row = await self._find(entity_id, attr, instance_id)
            await self._patch(row, None, now)

    async def _find(self, entity_id: str, attr: str, instance: str) -> Reading:
        """The reading behind an instanceId; ResourceNotFound."""
        await self._mark()
        seq = seq_of(instance)
        if seq is not None:
            select = Selection(entity_ids=(entity_id,), attrs=(attr,), seq=seq, deleted=True)
            for row in to_readings(await self._asked.rows(select)):
                if uri_of(row) == instance:
                    return row
        raise ResourceNotFound(f"the past of {entity_id} has no such instance of {attr}")

    async def _bury(
        self, entity_id: str, attr: str | None, dataset: str | None, now: int, known: Known
    ) -> None:
        seq = await self._mark()
        self._corrected(entity_id, seq)
        at = max(now, time.time_ns() // 1000)
        await self._write(
            lambda: self._overlay.bury(entity_id, attr, dataset, seq=seq, at=at, known=known)
        )

    async def _patch(self, row: Reading, new: Reading | None, now: int) -> None:
        self._corrected(row.entity_id, await self._mark())
        known = self._touched(row.entity_id, now)
        await self._write(lambda: self._overlay.patch(row.entity_id, key_of(row), new, known))

    def _touched(self, entity_id: str, now: int) -> Known:
        known = self._overlay.known.get(entity_id, Known())
        return msgspec.structs.replace(known, modified=now)

    async def _write(self, work: Callable[[], T]) -> T:
        # Shielded: whoever stops waiting must not let the next write in beside this one.
        future = asyncio.get_running_loop().run_in_executor(self._writer, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})
            raise


def _union(types: Iterable[str], more: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*types, *more]))
