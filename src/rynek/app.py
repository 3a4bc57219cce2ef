"""The composition root: the only file that picks implementations and joins the rooms."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import msgspec

from rynek.base.client import Client
from rynek.base.clock import Clock, SystemClock
from rynek.base.errors import BadRequestData, Forbidden, NonexistentTenant
from rynek.base.folder import DataFolder, write_atomically
from rynek.base.http import Guard, own_authorities
from rynek.base.ids import TENANT_NAME
from rynek.base.progress import Loading, calm
from rynek.base.settings import Settings
from rynek.context import (
    Context,
    ContextResolver,
    MapLimits,
    ReferenceStore,
    Registrations,
    RemoteSubscriptions,
    Snapshot,
    SnapshotLimits,
    SnapshotNotices,
    Snapshots,
    SourceSubscriptions,
    StoredContexts,
    StoreLimits,
    Subscriptions,
    Txn,
    distribution,
    has_subscriptions,
    open_context,
    open_source_subscriptions,
    open_subscriptions,
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
from rynek.scope import SnapshotScope
from rynek.web import TOKEN_PREFIX, Access, TokenStore, read_city

_logger = logging.getLogger(__name__)
_RESET_BATCH: Final = 500
_RESUME_FILE: Final = "replay.json"
_RESUME_SECONDS: Final = 5.0
_REPLAY: Final = "replay:"


class _Resume(msgspec.Struct):
    """Where a replay was when it was last seen: recording time, and the change after which its
    feeds write no history because it had begun anew (None in the first round)."""

    at: int
    muted_after: int | None = None


class Tenant:
    """One city's rooms; its store, feeds and history open when they are first needed."""

    def __init__(self, name: str, folder: Path, engine: Engine) -> None:
        self.name = name
        self.folder = folder
        self._engine = engine
        self._context: Context | None = None
        self._registrations: Registrations | None = None
        self._source_subscriptions: SourceSubscriptions | None = None
        self._remote_subscriptions: RemoteSubscriptions | None = None
        self._subscriptions: Subscriptions | None = None
        self._snapshots: Snapshots | None = None
        self._forwarder: distribution.Forwarder | None = None
        self._history: History | None = None
        self._feeds: FeedRunner | None = None
        self._resume: _Resume | None = None
        self._saver: asyncio.Task[None] | None = None
        self.begun = False
        self._replayed: set[str] = set()
        self.loading: list[Loading] = []
        self.city = read_city(folder, name)

    @property
    def reference(self) -> ReferenceStore:
        """The reference tables of the tenant's connectors."""
        return self.history.reference

    @property
    def feeds(self) -> FeedRunner:
        """The feed runner; `start` sets it going."""
        if self._feeds is None:
            self._resume = _read_resume(self.folder / _RESUME_FILE)
            self._feeds = FeedRunner(
                self.folder / "feeds",
                _ContextSink(self),
                guard=self._engine.guard,
                reference=ParquetReference(self.folder / "reference"),
                replay=self._replay_options(),
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
            own = self.name == self._engine.default_tenant
            self._context = open_context(
                self.folder,
                self.clock,
                self._resolver,
                StoreLimits(
                    settings.changes.keep_rows,
                    settings.changes.keep_hours,
                    settings.limits.max_value_indexes,
                    settings.context.max_contexts,
                ),
                maps=MapLimits(
                    settings.limits.max_entity_maps,
                    settings.limits.entity_map_seconds,
                    settings.limits.max_entity_map_seconds,
                ),
                namespace="" if own else self.name,
                elsewhere=None if own else self._engine.default_contexts,
            )
            # From now on every write is matched; deliveries begin when the tenant starts.
            self._subscriptions = open_subscriptions(self._context, settings, self.service_alias)
        return self._context

    @property
    def subscriptions(self) -> Subscriptions:
        """Who is notified of changes, and how that goes."""
        if self._subscriptions is None:
            _ = self.context
        assert self._subscriptions is not None
        return self._subscriptions

    @property
    def snapshots(self) -> Snapshots:
        """Results of queries, frozen."""
        if self._snapshots is None:
            told = self._engine.settings.snapshots
            self._snapshots = Snapshots(
                self.context,
                self.folder / "snapshots",
                self._open_scope,
                SnapshotNotices(self.subscriptions.deliveries, self.service_alias),
                SnapshotLimits(
                    told.max,
                    told.max_entities,
                    told.max_readings,
                    told.lifetime_seconds,
                    told.max_lifetime_seconds,
                    told.idle_seconds,
                ),
            )
        return self._snapshots

    def _open_scope(self, folder: Path, snapshot: Snapshot) -> SnapshotScope:
        settings = self._engine.settings
        history, zone = _history_settings(settings), self.city.zone
        return SnapshotScope(
            self.context, folder, settings, history, zone, snapshot.id, self.service_alias
        )

    def _resolver(self, stored: StoredContexts) -> ContextResolver:
        settings = self._engine.settings
        return ContextResolver(
            stored,
            self._engine.guard,
            list(settings.context.default),
            own_authorities(settings.server.host, settings.server.port),
        )

    @property
    def registrations(self) -> Registrations:
        """The context sources that are registered with the tenant."""
        if self._registrations is None:
            self._registrations = Registrations(self.context)
            self._source_subscriptions = open_source_subscriptions(
                self.context,
                self._registrations,
                self.subscriptions,
                self._engine.settings,
                self.service_alias,
            )
        return self._registrations

    @property
    def source_subscriptions(self) -> SourceSubscriptions:
        """Who is notified of changes of registrations, and how that goes."""
        if self._source_subscriptions is None:
            _ = self.registrations
        assert self._source_subscriptions is not None
        return self._source_subscriptions

    @property
    def remote_subscriptions(self) -> RemoteSubscriptions:
        """The part of subscriptions that is kept at registered sources."""
        if self._remote_subscriptions is None:
            self._remote_subscriptions = RemoteSubscriptions(
                self.context,
                self.subscriptions,
                self.registrations,
                lambda: self.forwarder,
                lambda secret: f"{self._engine.public_url}/notified/{self.name}/{secret}",
                split=self._engine.settings.federation.split_entities,
            )
        return self._remote_subscriptions

    @property
    def forwarder(self) -> distribution.Forwarder:
        """Sends requests to the registered context sources."""
        if self._forwarder is None:
            told = self._engine.settings.federation
            self._forwarder = distribution.Forwarder(
                self._engine.client.request,
                self.alias,
                distribution.Limits(
                    told.timeout_seconds,
                    told.max_answer_bytes,
                    told.cooldown_seconds,
                    told.split_entities,
                    told.max_candidates,
                    max(1, told.max_parallel // 8),
                ),
                resolve=self.context.resolver.resolve,
                note=self._note_answer,
                places=self._engine.places,
                own_tokens=TOKEN_PREFIX,
            )
        return self._forwarder

    def _note_answer(self, registration_id: str, failure: str) -> None:
        if failure:
            self.registrations.note_failure(registration_id, failure)
        else:
            self.registrations.note_success(registration_id)

    def may_write(self, authorization: str | None) -> bool:
        """Whether a client with that Authorization header may write here."""
        return self._engine.access.may(authorization, "write", self.name)

    @property
    def alias(self) -> str:
        """The pseudonym of this tenant as a context source (CIM 009 §5.2.40), the same for ever."""
        base = self._engine.alias
        return base if self.name == self._engine.default_tenant else f"{self.name}.{base}"

    @property
    def service_alias(self) -> str:
        """The pseudonym of the whole service."""
        return self._engine.alias

    @property
    def uptime_seconds(self) -> float:
        """How long the service has been up."""
        return time.monotonic() - self._engine.started

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
        await self.follow()
        await self.run_feeds()

    async def follow(self) -> None:
        """Open the store, follow its log and deliver notifications."""
        await self.history.start()
        await self.subscriptions.start()
        await self.source_subscriptions.start()
        self.remote_subscriptions.start()
        await self.snapshots.start()

    async def run_feeds(self) -> None:
        """Set the feeds going."""
        if self.feeds.replay is not None:
            if self._resume is not None and self._resume.muted_after is not None:
                self.history.mute(self._resume.muted_after)
            self._saver = asyncio.create_task(self._remember(), name=f"replay of {self.name}")
        await self.feeds.start()

    async def stop(self) -> None:
        """Stop the feeds, write history, close the store."""
        if self._saver is not None:
            self._saver.cancel()
            await asyncio.gather(self._saver, return_exceptions=True)
            self._save_resume()
        # Each part is stopped whatever became of the one before: the store comes last.
        for part in (self._feeds, self._history):
            if part is not None:
                await self._guarded_stop(part.stop)
        if self._remote_subscriptions is not None:
            await self._guarded_stop(self._remote_subscriptions.stop)
        if self._snapshots is not None:
            await self._guarded_stop(self._snapshots.stop)
        if self._source_subscriptions is not None:
            await self._guarded_stop(self._source_subscriptions.stop)
        if self._subscriptions is not None:
            await self._guarded_stop(self._subscriptions.stop)
        if self._registrations is not None:
            await self._guarded_stop(self._registrations.close)
        if self._context is not None:
            await self._guarded_stop(self._context.close)
        self._feeds = self._history = self._context = self._saver = None
        self._registrations = self._forwarder = self._subscriptions = None
        self._source_subscriptions = self._remote_subscriptions = self._snapshots = None
        self.begun = False

    async def _guarded_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        try:
            await stop()
        except Exception:
            _logger.exception("a part of tenant %s did not stop in good order", self.name)

    def note_written(self, documents: Sequence[dict[str, Any]], source: str) -> None:
        """Remember what a replayed feed wrote: the next round begins without it."""
        if source in self._replayed_feeds:
            self._replayed.update(document["id"] for document in documents)

    @cached_property
    def _replayed_feeds(self) -> frozenset[str]:
        configs = self.feeds.configs()
        return frozenset(f"feed:{c.name}" for c in configs if c.source.startswith(_REPLAY))

    def _replay_options(self) -> ReplayOptions | None:
        if self._resume is None:
            return self._engine.replay
        given = self._engine.replay or ReplayOptions()
        return msgspec.structs.replace(given, resume=self._resume.at)

    async def _remember(self) -> None:
        """Write down every few seconds where the replay is, so that a restart goes on there."""
        while True:
            await asyncio.sleep(_RESUME_SECONDS)
            self._save_resume()

    def _save_resume(self) -> None:
        muted = None if self._resume is None else self._resume.muted_after
        self._resume = _Resume(self.clock.now(), muted)
        write_atomically(self.folder / _RESUME_FILE, msgspec.json.encode(self._resume))

    async def _on_round(self, number: int) -> None:
        """A replay that begins anew starts from an empty picture and keeps no second history.

        Only what its feeds wrote is taken away, not what people or other feeds did.
        """
        if number == 0:
            return
        if self._resume is None or self._resume.muted_after is None:
            self._resume = _Resume(self.clock.now(), self.context.changes.head())
        self.history.mute(self._resume.muted_after)
        self._save_resume()
        gone = sorted(self._replayed)
        self._replayed.clear()
        for first in range(0, len(gone), _RESET_BATCH):
            batch = gone[first : first + _RESET_BATCH]
            await self.context.write(partial(_remove, ids=batch))


def _remove(txn: Txn, ids: Sequence[str]) -> None:
    for entity_id in ids:
        entity = txn.get(entity_id)
        if entity is not None:
            txn.remove(entity, source="feed:replay")


def _read_resume(path: Path) -> _Resume | None:
    """Where the replay was; None at the first start or when the file cannot be used."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Resume)
    except (OSError, msgspec.MsgspecError):
        return None


class _ContextSink:
    """`feeds.Sink` onto the tenant's one way in."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    async def write(self, documents: Sequence[dict[str, Any]], source: str) -> WriteReport:
        """Upsert what a feed says; returns after the commit."""
        self._tenant.note_written(documents, source)
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
        self.started = time.monotonic()
        self.client = Client(allow_private=settings.network.allow_private)
        self.places = asyncio.Semaphore(settings.federation.max_parallel)
        self._tenants: dict[str, Tenant] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def tenants(self) -> Mapping[str, Tenant]:
        """Tenants by name."""
        return self._tenants

    @property
    def public_url(self) -> str:
        """How others reach the service, without a slash at the end."""
        server = self.settings.server
        if server.public_url:
            return server.public_url.rstrip("/")
        host = "127.0.0.1" if server.host in ("", "0.0.0.0", "::") else server.host  # noqa: S104
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{server.port}{server.base_path}"

    @cached_property
    def alias(self) -> str:
        """The pseudonym of the default tenant: as set, or from the data folder's own id."""
        return self.settings.federation.alias or f"rynek-{self.folder.identity}"

    def default_contexts(self) -> StoredContexts:
        """The @contexts of the default tenant: others may use what it hosts."""
        return self.tenant(self.default_tenant).context.stored_contexts

    def open(self) -> None:
        """Take the data folder and look at its tenants; FolderError when that can't be."""
        self.folder.open()
        self.tokens = TokenStore(self.folder.path / "system.db")
        self.access = Access(self.settings.access.anonymous, self.tokens)
        for path in sorted(self.folder.tenants.iterdir()):
            if path.is_dir() and TENANT_NAME.fullmatch(path.name):
                self._tenants[path.name] = Tenant(path.name, path, self)
        if self.default_tenant not in self._tenants:
            self._add(self.default_tenant)

    async def start(self) -> None:
        """Open the default tenant and all that have feeds or subscriptions; their feeds begin right after, one
        tenant at a time, so that the first pages need not wait. Errors of one stop no other."""
        begun = [
            tenant
            for tenant in self._tenants.values()
            if tenant.name == self.default_tenant
            or list_feeds(tenant.folder / "feeds")
            or has_subscriptions(tenant.folder)
        ]
        begun.sort(key=lambda tenant: tenant.name != self.default_tenant)
        for tenant in begun:
            tenant.begun = True
            await self._guarded(tenant, tenant.follow)
        self._later(self._run_feeds(begun))

    async def _run_feeds(self, tenants: Sequence[Tenant]) -> None:
        for tenant in tenants:
            await self._guarded(tenant, tenant.run_feeds)
            await calm()

    def tenant(self, name: str, *, create: bool = False) -> Tenant:
        """The tenant, made on its first write where `create`; NonexistentTenant otherwise."""
        found = self._tenants.get(name)
        if found is not None:
            self._begin(found)
            return found
        if not TENANT_NAME.fullmatch(name):
            raise BadRequestData("a tenant's name has up to 64 letters, digits and . _ -")
        if not create:
            raise NonexistentTenant(f"no tenant {name!r}")
        if len(self._tenants) >= self.settings.tenants.max:
            raise Forbidden(f"there are {len(self._tenants)} tenants, no more are allowed")
        made = self._add(name)
        self._begin(made)
        return made

    def _begin(self, tenant: Tenant) -> None:
        """Start a tenant once, however many requests come for it at the same time."""
        if not tenant.begun:
            tenant.begun = True
            self._later(self._start(tenant))

    def _add(self, name: str) -> Tenant:
        folder = self.folder.tenants / name
        folder.mkdir(parents=True, exist_ok=True)
        tenant = self._tenants[name] = Tenant(name, folder, self)
        return tenant

    async def _start(self, tenant: Tenant) -> None:
        await self._guarded(tenant, tenant.start)

    async def _guarded(self, tenant: Tenant, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:
            tenant.begun = False
            _logger.exception("tenant %s did not start", tenant.name)

    def _later(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End streams, stop every tenant, give the folder back."""
        self.stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        stops = (tenant.stop() for tenant in self._tenants.values())
        await asyncio.gather(*stops, return_exceptions=True)
        await self.guard.aclose()
        await self.client.aclose()
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


__all__ = ["Engine", "Tenant"]
