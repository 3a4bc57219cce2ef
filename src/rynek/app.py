"""The composition root: the only file that picks implementations and joins the rooms."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from rynek.base.clock import Clock, SystemClock
from rynek.base.errors import BadRequestData, Forbidden, NonexistentTenant
from rynek.base.folder import DataFolder
from rynek.base.http import Guard
from rynek.base.settings import Settings
from rynek.context import (
    Context,
    ContextResolver,
    ReferenceStore,
    RemoteContexts,
    StoreLimits,
    Txn,
    open_context,
    operations,
)
from rynek.feeds import FeedRunner, ReplayOptions, WriteReport, list_feeds
from rynek.history import (
    EngineSettings,
    FollowerSettings,
    History,
    HistorySettings,
    ParquetReference,
    UpkeepSettings,
)
from rynek.web import Access, City, TokenStore, parse_city

_logger = logging.getLogger(__name__)
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_RESET_BATCH: Final = 500


class Tenant:
    """One city's rooms; its store, feeds and history open when they are first needed."""

    def __init__(self, name: str, folder: Path, engine: Engine) -> None:
        self.name = name
        self.folder = folder
        self._engine = engine
        self._context: Context | None = None
        self._history: History | None = None
        self._feeds: FeedRunner | None = None
        self.city = _read_city(folder, name)

    @property
    def reference(self) -> ReferenceStore:
        """The reference tables of the tenant's connectors."""
        return self.history.reference

    @property
    def feeds(self) -> FeedRunner:
        """The feed runner; `start` sets it going."""
        if self._feeds is None:
            self._feeds = FeedRunner(
                self.folder / "feeds",
                _ContextSink(self),
                guard=self._engine.guard,
                reference=ParquetReference(self.folder / "reference"),
                replay=self._engine.replay,
                on_round=self._on_round,
            )
        return self._feeds

    @property
    def clock(self) -> Clock:
        """The machine's clock, or the recording's where the tenant replays one."""
        return self.feeds.clock

    @property
    def context(self) -> Context:
        """The live picture."""
        if self._context is None:
            settings = self._engine.settings
            self._context = open_context(
                self.folder,
                self.clock,
                lambda store: ContextResolver(
                    RemoteContexts(store), self._engine.guard, list(settings.context.default)
                ),
                StoreLimits(
                    settings.changes.keep_rows,
                    settings.changes.keep_hours,
                    settings.limits.max_value_indexes,
                ),
            )
        return self._context

    @property
    def history(self) -> History:
        """What was; follows the log once the tenant is started."""
        if self._history is None:
            self._history = History(
                self.folder / "history",
                self.context.changes,
                _history_settings(self._engine.settings),
                self.city.zone,
            )
        return self._history

    async def start(self) -> None:
        """Follow the log and run the feeds."""
        await self.history.start()
        await self.feeds.start()

    async def stop(self) -> None:
        """Stop the feeds, write history, close the store."""
        if self._feeds is not None:
            await self._feeds.stop()
        if self._history is not None:
            await self._history.stop()
        if self._context is not None:
            await self._context.close()
        self._feeds = self._history = self._context = None

    async def _on_round(self, number: int) -> None:
        """A replay that begins anew starts from an empty picture and keeps no second history."""
        if number == 0:
            return
        self.history.mute()
        context = self.context
        while batch := context.scan(0, _RESET_BATCH):
            ids = [entity.id for _, entity in batch]
            result = operations.BatchResult()
            await context.write(partial(_delete, ids=ids, result=result))


def _delete(txn: Txn, ids: list[str], result: operations.BatchResult) -> None:
    operations.delete_all(txn, ids, result)


class _ContextSink:
    """`feeds.Sink` onto the tenant's one way in."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    async def write(self, documents: Sequence[dict[str, Any]], source: str) -> WriteReport:
        """Upsert what a feed says; returns after the commit."""
        done = await self._tenant.context.ingest(documents, source)
        return WriteReport(
            created=done.created,
            updated=done.updated,
            observed=done.observed,
            unchanged=done.unchanged + done.late,
            rejected=done.rejected,
        )


class Engine:
    """Everything one process serves: settings, tenants, tokens, the outgoing guard."""

    def __init__(self, settings: Settings, *, replay: ReplayOptions | None = None) -> None:
        self.settings = settings
        self.replay = replay
        self.folder = DataFolder(Path(settings.data.path))
        self.guard = Guard(
            allow_private=settings.network.allow_private,
            timeout=settings.network.timeout_seconds,
            max_bytes=settings.network.max_bytes,
            max_redirects=settings.network.max_redirects,
        )
        self.clock = SystemClock()
        self.default_tenant = settings.tenants.default
        self.stopping = asyncio.Event()
        self._tenants: dict[str, Tenant] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def tenants(self) -> Mapping[str, Tenant]:
        """Tenants by name."""
        return self._tenants

    def open(self) -> None:
        """Take the data folder and look at its tenants; FolderError when that can't be."""
        self.folder.open()
        self.tokens = TokenStore(self.folder.path / "system.db")
        self.access = Access(self.settings.access.anonymous, self.tokens)
        for path in sorted(self.folder.tenants.iterdir()):
            if path.is_dir() and _NAME.fullmatch(path.name):
                self._tenants[path.name] = Tenant(path.name, path, self)
        if self.default_tenant not in self._tenants:
            self._add(self.default_tenant)

    async def start(self) -> None:
        """Open the default tenant and start all that have feeds; errors of one stop no other."""
        for tenant in list(self._tenants.values()):
            if tenant.name == self.default_tenant or list_feeds(tenant.folder / "feeds"):
                await self._start(tenant)

    def tenant(self, name: str, *, create: bool = False) -> Tenant:
        """The tenant, made on its first write where `create`; NonexistentTenant otherwise."""
        found = self._tenants.get(name)
        if found is not None:
            if found._history is None:
                self._later(self._start(found))
            return found
        if not _NAME.fullmatch(name):
            raise BadRequestData("a tenant's name has up to 64 letters, digits and . _ -")
        if not create:
            raise NonexistentTenant(f"no tenant {name!r}")
        if len(self._tenants) >= self.settings.tenants.max:
            raise Forbidden(f"there are {len(self._tenants)} tenants, no more are allowed")
        return self._add(name)

    def _add(self, name: str) -> Tenant:
        folder = self.folder.tenants / name
        folder.mkdir(parents=True, exist_ok=True)
        tenant = self._tenants[name] = Tenant(name, folder, self)
        return tenant

    async def _start(self, tenant: Tenant) -> None:
        try:
            await tenant.start()
        except Exception:
            _logger.exception("tenant %s did not start", tenant.name)

    def _later(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End streams, stop every tenant, give the folder back."""
        self.stopping.set()
        await asyncio.gather(*(tenant.stop() for tenant in self._tenants.values()))
        await self.guard.aclose()
        self.tokens.close()
        self.folder.close()


def _history_settings(settings: Settings) -> HistorySettings:
    history = settings.history
    return HistorySettings(
        follower=FollowerSettings(
            flush_seconds=history.flush_seconds, flush_rows=history.flush_rows
        ),
        engine=EngineSettings(memory=f"{history.memory_mb}MB", threads=history.threads),
        upkeep=UpkeepSettings(retention_days=history.retention_days or None),
    )


def _read_city(folder: Path, name: str) -> City:
    file = folder / "city.toml"
    if not file.exists():
        return City(name=name)
    try:
        return parse_city(file.read_text(encoding="utf-8"))
    except ValueError as error:
        _logger.warning("%s: %s", file, error)
        return City(name=name)


__all__ = ["Engine", "Tenant"]
