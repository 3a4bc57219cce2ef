"""What context needs of a temporal storage: the contract, implemented by history (CIM 009 §4.11).

Times are epoch microseconds UTC; attribute and type names are expanded IRIs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from rynek.context.query import Only

if TYPE_CHECKING:
    import pyarrow as pa

    from rynek.context.formats import TemporalFragment
    from rynek.context.model import Entity, Instance

TimeProperty = Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"]
TimeRelation = Literal["before", "after", "between"]


class TemporalQuery(msgspec.Struct, kw_only=True, frozen=True):
    """Which readings are asked for (CIM 009 §4.11): time is [start, end), either side open.

    `attrs` empty means all. `last_n` keeps the newest N instances of each (attribute, dataset);
    an answer never holds more than `bound` instances of one (attribute, dataset).
    `observed_only` leaves out instances that had no observedAt; `deleted` lets in the marks of
    deleted attributes; `gone` asks also when the entities themselves were deleted. `only` leaves out
    instances that cannot pass a query's tests of their values.
    """

    start: int | None = None
    end: int | None = None
    time_property: TimeProperty = "observedAt"
    attrs: tuple[str, ...] = ()
    dataset_ids: tuple[str | None, ...] | None = None
    last_n: int | None = None
    bound: int = 10_000
    observed_only: bool = False
    deleted: bool = True
    gone: bool = False
    only: tuple[Only, ...] = ()


class TemporalInstance(msgspec.Struct):
    """One reading: the instance as it was, when it was, and where it came from.

    `time` is observedAt, else modifiedAt; `deleted` marks the moment the attribute went away
    (the value is then the NGSI-LD null).
    """

    attr: str
    instance: Instance
    instance_id: str
    time: int
    at: int
    deleted: bool = False
    source: str | None = None


class TemporalEntity(msgspec.Struct):
    """The temporal evolution of one entity: readings by attribute, oldest first.

    `complete` is False where the bound cut instances off: then every series holds all of its
    instances of [start, end] (of the query's time property) and none besides. `deleted_at` is
    the newest delete of the entity within the query's time.
    """

    id: str
    types: list[str]
    attrs: dict[str, list[TemporalInstance]]
    complete: bool = True
    start: int | None = None
    end: int | None = None
    deleted_at: int | None = None


class Written(msgspec.Struct):
    """What a bulk append did: `rows` stored now, `skipped` because they were stored before."""

    rows: int
    skipped: int = 0


class ReadingsSink(Protocol):
    """The one way in for past recordings: straight into the history, past state and log."""

    async def append(
        self,
        source_key: str,
        batches: Iterable[pa.RecordBatch],
        expand: Callable[[str], str],
        progress: Callable[[int], None] | None = None,
    ) -> Written:
        """Store readings once per `source_key` (the same key again stores nothing more).

        Columns: entity_id, type, attr, dataset_id, kind, number, text, json, lon, lat,
        observed_at (epoch µs or Arrow timestamp); optional unit_code. `attr` and `type` are
        short names that `expand` turns into IRIs. The same key must bring the same rows in the
        same order. ValueError when a column is missing or of the wrong type.
        """
        ...

    def newest(self, source_key: str) -> list[dict[str, Any]]:
        """The newest value of each (entity, attribute) that append(source_key) just stored,
        as NGSI-LD documents in short names, one per entity: what state should see.
        """
        ...


class TemporalAbout(msgspec.Struct):
    """What is known of an entity's temporal evolution besides its readings: types, when the entity
    was created and last modified (epoch µs; 0 where nobody knows), and when it is to end."""

    types: list[str]
    created_at: int = 0
    modified_at: int = 0
    expires_at: str | None = None


class TemporalEditor(Protocol):
    """Writes to the past as the NGSI-LD API needs them. `current` is the entity of the live
    picture, where there is one; `now` the tenant's time (epoch µs). A write is durable when it
    returns, and changes nothing in the live picture.
    """

    def known(self, entity_id: str, current: Entity | None, kind: str) -> TemporalAbout:
        """What is known of an entity that has readings, one of which says it is a `kind`."""
        ...

    async def about(self, entity_id: str, current: Entity | None) -> TemporalAbout | None:
        """What is known of an entity's evolution; None when there is none."""
        ...

    async def add(
        self,
        entity_id: str,
        fragment: TemporalFragment,
        current: Entity | None,
        *,
        now: int,
        create: bool,
    ) -> bool:
        """Add instances and types (§5.6.12); whether that made the evolution, which it does only
        with `create` (§5.6.11). ResourceNotFound, BadRequestData for one to make without types.
        """
        ...

    async def delete(self, entity_id: str, current: Entity | None, *, now: int) -> None:
        """Remove the whole evolution (§5.6.16). ResourceNotFound."""
        ...

    async def delete_attribute(
        self,
        entity_id: str,
        attr: str,
        *,
        now: int,
        dataset_id: str | None = None,
        every: bool = False,
    ) -> None:
        """Remove the instances of an attribute: of one dataset (None: the default one) or all
        (§5.6.13). ResourceNotFound."""
        ...

    async def modify_instance(
        self, entity_id: str, attr: str, instance_id: str, instance: Instance, *, now: int
    ) -> None:
        """Put another instance in the place of one (§5.6.14). ResourceNotFound."""
        ...

    async def delete_instance(
        self, entity_id: str, attr: str, instance_id: str, *, now: int
    ) -> None:
        """Remove one instance (§5.6.15). ResourceNotFound."""
        ...


class TemporalStore(Protocol):
    """The past as the NGSI-LD API needs it."""

    @property
    def edit(self) -> TemporalEditor:
        """The operations that write."""
        ...

    async def evolution(
        self, entity_ids: Sequence[str], query: TemporalQuery
    ) -> dict[str, TemporalEntity]:
        """The readings of some entities; an entity without any is left out."""
        ...
