"""What a store of the live picture promises; one suite in tests/ runs every implementation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec

from rynek.context.changes import ChangeLog
from rynek.context.formats import Sheet
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity, Instance
from rynek.context.query import Ordering, Query
from rynek.context.store.figures import StoreFigures
from rynek.context.store.outbox import Outbox

T = TypeVar("T")

Moved = dict[str, tuple[Instance, Instance]]
"""Attributes (IRIs) that are written alone: as they were, and as they are."""


class Row(msgspec.Struct):
    """One entity as stored: `body` is its normalized representation under `ctx`, without
    @context and system times; `times` holds those (see formats.encode_times)."""

    n: int
    ctx: CompiledContext
    body: bytes
    times: bytes


class Page(msgspec.Struct):
    """Rows that match, in the store's stable order; `count` only when it was asked for."""

    rows: list[Row]
    count: int | None = None
    more: bool = False


class Bodies(msgspec.Struct):
    """A page of entities as they are sent: each as `Row.body` under the one @context asked for."""

    bodies: list[bytes]
    count: int | None = None
    more: bool = False


class TypeSummary(msgspec.Struct):
    """An entity type in use: how many entities, and for each attribute how many and its kinds."""

    type: str
    entities: int
    attrs: dict[str, tuple[int, list[str]]]


class Txn(Protocol):
    """What a write job sees: the committed state with the group's earlier writes on top."""

    now: int

    def get(self, entity_id: str) -> Entity | None:
        """The entity as this group has it so far; never mutate it."""
        ...

    def put(
        self,
        entity: Entity,
        ctx: CompiledContext,
        *,
        op: str,
        attrs: dict[str, list[Instance]],
        deleted: list[tuple[str, str | None]] | None = None,
        source: str | None = None,
    ) -> None:
        """Store `entity` and append one change row with what this write set and deleted."""
        ...

    def sheet(self, entity_id: str, ctx: CompiledContext) -> Sheet | None:
        """The entity in its parts as this group has it so far; None where it is not there, not
        stored under this @context, was written as a whole in this group, or is not so simple."""
        ...

    def alter(
        self,
        entity_id: str,
        ctx: CompiledContext,
        sheet: Sheet,
        moved: Moved,
        said: dict[str, list[Instance]],
        source: str | None = None,
        seen: dict[str, list[Instance]] | None = None,
    ) -> None:
        """Store an entity (see `sheet`) of which only attributes in `moved` differ, each of the
        same kind as before; one change row tells what was `said`, one what was only `seen` again."""
        ...

    def remove(self, entity: Entity, *, source: str | None = None) -> None:
        """Delete `entity` (as returned by get) and append its change row."""
        ...

    def restore(self, entity: Entity, ctx: CompiledContext) -> None:
        """Store an entity just as it is, with its times; no change row, for copies."""
        ...

    def context_of(self, entity_id: str) -> CompiledContext | None:
        """The @context that an entity is stored under; None where there is none."""
        ...

    def expired(self, limit: int) -> list[str]:
        """Entities of which something (expiresAt) had expired before this group."""
        ...

    def note_expiry(self) -> None:
        """Look up anew when something expires next, as committed before this group."""
        ...

    def rewrite(self, entity_id: str) -> None:
        """Store an entity again as it is, in today's form; no change row."""
        ...

    def keep(self, kind: str, document_id: str, body: bytes) -> None:
        """Keep a document beside the entities, in the place of the one that had its id."""
        ...

    def forget(self, kind: str, document_id: str) -> None:
        """Delete a kept document; a no-op when there is none."""
        ...

    def keep_context(self, ctx: CompiledContext) -> None:
        """Keep this very version of a @context, so that `Store.context_by_id` finds it."""
        ...

    def send(self, target: str, about: bytes, head: bytes, body: Callable[[int], bytes]) -> int:
        """Put a message for `target` in the outbox, in this job's commit; its number, from which
        `body` makes the message. `about`, `head`: see store.outbox.Message."""
        ...

    @property
    def sent(self) -> int:
        """The number of the newest message, those of this group so far included."""
        ...

    def later(self, sql: str, args: tuple[object, ...]) -> None:
        """Run a statement of the context's own tables after the group's rows and messages are
        written."""
        ...


class Documents(Protocol):
    """Reads of the documents kept beside the entities (see Txn.keep), as committed."""

    def list(self, kind: str) -> list[tuple[str, bytes]]:
        """(id, body) of every document of a kind, in the order in which they were first kept."""
        ...

    def find(self, kind: str, document_id: str) -> bytes | None:
        """The body of one document, or None."""
        ...


class Store(Protocol):
    """The live picture of one tenant. Reads see committed state only and never wait for writes.

    A write is durable when `write` returns. Writes that wait together share one commit; a job
    that raises leaves no trace and never harms its neighbours.
    """

    @property
    def changes(self) -> ChangeLog:
        """The ordered change log."""
        ...

    @property
    def documents(self) -> Documents:
        """The documents kept beside the entities."""
        ...

    @property
    def outbox(self) -> Outbox:
        """Messages to other hosts, written with what caused them."""
        ...

    @property
    def soonest(self) -> int | None:
        """When something expires first (epoch µs), at the earliest; None where nothing does."""
        ...

    def row(self, entity_id: str) -> Row | None:
        """The stored form of one entity."""
        ...

    def body(self, entity_id: str, ctx: CompiledContext) -> bytes | None:
        """One entity as `bodies` has it; None if there is none."""
        ...

    def get(self, entity_id: str) -> Entity | None:
        """One entity, decoded."""
        ...

    async def select(self, query: Query, *, limit: int, offset: int, count: bool) -> Page:
        """One page of the entities that match; limit 0 with count asks for the number only."""
        ...

    async def bodies(
        self, query: Query, ctx: CompiledContext, *, limit: int, offset: int, count: bool
    ) -> Bodies:
        """The page of `select` as bodies under `ctx`; those stored under it as they are."""
        ...

    async def ordered(
        self,
        query: Query,
        ordering: Ordering,
        *,
        limit: int,
        offset: int,
        most: int,
        compact: Callable[[str], str],
    ) -> Page:
        """One page in an order, and the number of matches; equal ones come as in `select`.

        `compact` turns type IRIs into the names they are sorted by. TooComplexQuery when more
        than `most` entities would have to be sorted.
        """
        ...

    async def ids(
        self, query: Query, ordering: Ordering | None, *, most: int, compact: Callable[[str], str]
    ) -> list[str]:
        """The ids of all matches, in order. TooComplexQuery when more than `most` match."""
        ...

    def context_by_id(self, digest: str) -> CompiledContext | None:
        """A @context that an entity or a document was kept under, by its id."""
        ...

    def scan(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Entity]]:
        """All entities by internal number, ascending, those above `after`."""
        ...

    def types(self) -> list[TypeSummary]:
        """The types in use with their attributes."""
        ...

    @property
    def failing(self) -> str:
        """Why the last write or upkeep failed; empty while they work."""
        ...

    def figures(self) -> StoreFigures:
        """What was written since the store was opened, and how large all is; never waits."""
        ...

    async def count(self) -> tuple[int, int]:
        """How many entities there are, and of how many types."""
        ...

    def write(self, job: Callable[[Txn], T]) -> Awaitable[T]:
        """Run `job` in the next group; its result is awaited until the durable commit."""
        ...

    def on_expiring(self, watch: Callable[[], None]) -> None:
        """Call `watch` after each group while something is to expire (`soonest`)."""
        ...

    async def close(self) -> None:
        """Finish waiting writes, checkpoint, close."""
        ...
