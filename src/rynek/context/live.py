"""The live picture of one tenant: what rooms and pages see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from rynek.base.clock import Clock
from rynek.context.changes import ChangeLog
from rynek.context.contexts import ContextResolver
from rynek.context.expiry import Expiry
from rynek.context.hosting import ContextServer
from rynek.context.jsonld import CompiledContext
from rynek.context.maps import EntityMaps, MapLimits
from rynek.context.model import Entity
from rynek.context.operations import IngestReport, ingest
from rynek.context.query import Ordering, Query
from rynek.context.store.contexts import StoredContexts
from rynek.context.store.contract import Bodies, Page, Row, Store, Txn, TypeSummary
from rynek.context.store.sqlite import SqliteStore, StoreLimits, prepare_store

T = TypeVar("T")

_JOB: Final = 25
"""Documents of a feed that are taken in without a pause: about a millisecond's work."""


class Context:
    """One tenant's entities, their changes and the contexts their names come from."""

    def __init__(
        self,
        store: Store,
        stored: StoredContexts,
        resolver: ContextResolver,
        clock: Clock,
        maps: MapLimits | None = None,
        parent: Context | None = None,
    ) -> None:
        self.store = store
        self.stored_contexts = stored
        self.resolver = resolver
        self.clock = clock
        self._parent = parent
        if parent is None:
            self.contexts = ContextServer(stored, resolver)
            resolver.on_documents = self.contexts.keep_fresh
        else:
            self.contexts = parent.contexts
        self.changes: ChangeLog = store.changes
        self.expiry = Expiry(store, clock)
        store.on_expiring(self.expiry.watch)
        self.entity_maps = EntityMaps(store, clock, maps or MapLimits())

    def get(self, entity_id: str) -> Entity | None:
        """One entity; None if there is none."""
        return self.store.get(entity_id)

    @property
    def expires(self) -> bool:
        """Whether something here will expire: then reads `settle` first."""
        return self.store.soonest is not None

    @property
    def watched(self) -> bool:
        """Whether somebody is to be told of what is written."""
        return self.store.outbox.watch is not None

    async def settle(self) -> None:
        """Return once what has expired by now is removed (§4.22)."""
        await self.expiry.settle()

    def row(self, entity_id: str) -> Row | None:
        """One entity in its stored form."""
        return self.store.row(entity_id)

    def body(self, entity_id: str, ctx: CompiledContext) -> bytes | None:
        """One entity as it is sent under `ctx`; None if there is none."""
        return self.store.body(entity_id, ctx)

    def scan(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Entity]]:
        """All entities by internal number, ascending, those above `after`."""
        return self.store.scan(after, limit)

    def types(self) -> list[TypeSummary]:
        """The types in use with counts and attributes."""
        return self.store.types()

    async def select(
        self, query: Query, *, limit: int = 20, offset: int = 0, count: bool = False
    ) -> Page:
        """One page of the entities that match."""
        return await self.store.select(query, limit=limit, offset=offset, count=count)

    async def bodies(
        self, query: Query, ctx: CompiledContext, *, limit: int, offset: int, count: bool
    ) -> Bodies:
        """The page of `select` as bodies under one @context."""
        return await self.store.bodies(query, ctx, limit=limit, offset=offset, count=count)

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
        """One page of the entities that match, in an order, and how many match."""
        return await self.store.ordered(
            query, ordering, limit=limit, offset=offset, most=most, compact=compact
        )

    async def ids(
        self, query: Query, ordering: Ordering | None, *, most: int, compact: Callable[[str], str]
    ) -> list[str]:
        """The ids of all entities that match, in order."""
        return await self.store.ids(query, ordering, most=most, compact=compact)

    def write(self, job: Callable[[Txn], T]) -> Awaitable[T]:
        """Run verbs of `operations` in the next group; what is awaited is the durable commit."""
        # No coroutine of its own where there is nothing to wait for: each costs memory that is
        # cold again when the commit wakes it.
        return self.store.write(job) if self.store.soonest is None else self._settled(job)

    async def _settled(self, job: Callable[[Txn], T]) -> T:
        await self.expiry.settle()
        return await self.store.write(job)

    async def default_ld(self) -> CompiledContext:
        """The tenant's default user @context."""
        return await self.resolver.resolve(None)

    async def ingest(self, documents: Sequence[dict[str, Any]], source: str) -> IngestReport:
        """Upsert documents of a feed (short names in the default @context); what is unchanged
        writes nothing. A document that is no entity is rejected with its reason."""
        ctx = await self.default_ld()
        report = IngestReport()
        # Several jobs: a store with much to take in gives reads their turn between them.
        await asyncio.gather(
            *(
                self.store.write(
                    partial(
                        ingest,
                        documents=documents[first : first + _JOB],
                        ctx=ctx,
                        source=source,
                        report=report,
                    )
                )
                for first in range(0, len(documents), _JOB)
            )
        )
        return report

    async def close(self) -> None:
        """Finish what waits and close the store."""
        await self.expiry.close()
        if self._parent is None:
            await self.contexts.close()
        await self.store.close()


def open_context(
    folder: Path,
    clock: Clock,
    make_resolver: Callable[[StoredContexts], ContextResolver],
    limits: StoreLimits | None = None,
    *,
    maps: MapLimits | None = None,
    namespace: str = "",
    elsewhere: Callable[[], StoredContexts] | None = None,
) -> Context:
    """The live picture kept in `folder`, made if it is not there; `namespace` and `elsewhere` are
    those of StoredContexts."""
    store = SqliteStore(folder, clock, limits)
    stored = StoredContexts(store, namespace, elsewhere)
    return Context(store, stored, make_resolver(stored), clock, maps)


def open_inside(
    parent: Context, folder: Path, limits: StoreLimits, maps: MapLimits | None = None
) -> Context:
    """A store of its own in `folder` that shares the @contexts and the clock of `parent`: what a
    snapshot holds. Its changes are numbered after those of `parent` at the time when it is made."""
    prepare_store(folder, parent.changes.head())
    store = SqliteStore(folder, parent.clock, limits)
    return Context(store, parent.stored_contexts, parent.resolver, parent.clock, maps, parent)
