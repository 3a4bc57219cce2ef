"""One tenant: its rooms, each opened when it is first needed, and joined."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rynek.app.replay import ContextSink, ReplayState
from rynek.base.clock import Clock
from rynek.base.errors import Problem, Unavailable
from rynek.base.http import own_authorities
from rynek.base.ids import SERVICE_TENANT
from rynek.base.progress import Loading
from rynek.base.settings import Settings
from rynek.base.sqlite import MigrationError
from rynek.base.storage import storage_problem
from rynek.base.trouble import Trouble
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
    distribution,
    open_context,
    open_source_subscriptions,
    open_subscriptions,
)
from rynek.context.operations import IngestReport
from rynek.feeds import FeedRunner
from rynek.history import (
    EngineSettings,
    FollowerSettings,
    History,
    HistorySettings,
    ParquetReference,
    UpkeepSettings,
)
from rynek.scope import SnapshotScope
from rynek.web import TOKEN_PREFIX, read_city

if TYPE_CHECKING:
    from rynek.app.engine import Engine

_OWN_FLUSH_SECONDS: Final = 900.0
_OWN_LOG_HOURS: Final = 1.0
_logger = logging.getLogger(__name__)


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
        self._replay: ReplayState | None = None
        self.begun = False
        self.trouble = Trouble(f"starting tenant {name}", _logger)
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
            replay = self._replay = ReplayState(self)
            self._feeds = FeedRunner(
                self.folder / "feeds",
                ContextSink(self._ingest, replay),
                guard=self._engine.guard,
                reference=ParquetReference(self.folder / "reference"),
                replay=replay.options(self._engine.replay),
                on_round=replay.begin_round,
                city_zone=self.city.zone,
            )
        return self._feeds

    async def _ingest(self, documents: Sequence[dict[str, Any]], source: str) -> IngestReport:
        # The context asks the feeds for their clock: it is not there yet when they are made.
        return await self.context.ingest(documents, source)

    @property
    def clock(self) -> Clock:
        """The machine's clock, or the recording's where the tenant replays one."""
        return self.feeds.clock

    @property
    def context(self) -> Context:
        """The live picture."""
        if self._context is None:
            try:
                self._open()
            except Exception as error:
                self._context = None
                problem = storage_problem(error, self.folder / "state.db")
                if problem is None and isinstance(error, MigrationError):
                    problem = Unavailable(str(error))
                if problem is None:
                    raise
                raise problem from error
        assert self._context is not None
        return self._context

    def _open(self) -> None:
        settings = self._engine.settings
        own = self.name == self._engine.default_tenant
        self._context = open_context(
            self.folder,
            self.clock,
            self._resolver,
            self._store_limits(),
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
        history, zone = history_settings(settings), self.city.zone
        return SnapshotScope(
            self.context, folder, settings, history, zone, snapshot.id, self.service_alias
        )

    def _resolver(self, stored: StoredContexts) -> ContextResolver:
        settings = self._engine.settings
        return ContextResolver(
            stored,
            self._engine.guard,
            list(settings.context.default),
            own_authorities(settings.server.host, self._engine.port),
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
                self._history_settings(),
                self.city.zone,
            )
        return self._history

    def _store_limits(self) -> StoreLimits:
        settings = self._engine.settings
        hours = settings.changes.keep_hours
        return StoreLimits(
            settings.changes.keep_rows,
            # Nobody follows the service's own changes: what the history has read may go.
            min(hours, _OWN_LOG_HOURS) if self.name == SERVICE_TENANT else hours,
            settings.limits.max_value_indexes,
            settings.context.max_contexts,
            self._engine.remember_bytes(),
        )

    def _history_settings(self) -> HistorySettings:
        settings = self._engine.settings
        found = history_settings(settings)
        found.follower.recent_rows = self._engine.recent_rows()
        if self.name == SERVICE_TENANT:
            # A few rows a minute: the log and memory hold them until a file is worth it.
            found.follower.flush_seconds = max(_OWN_FLUSH_SECONDS, settings.history.flush_seconds)
            found.upkeep.retention_days = settings.metrics.keep_days or None
        return found

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
        if self.feeds.replay is not None and self._replay is not None:
            self._replay.start()
        await self.feeds.start()

    async def stop(self) -> None:
        """Stop the feeds, write history, close the store."""
        if self._replay is not None:
            await self._replay.stop()
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
        self._feeds = self._history = self._context = self._replay = None
        self._registrations = self._forwarder = self._subscriptions = None
        self._source_subscriptions = self._remote_subscriptions = self._snapshots = None
        self.begun = False

    async def _guarded_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        try:
            await stop()
        except Exception as error:
            known = storage_problem(error, self.folder)
            _logger.error(  # noqa: TRY400 - the disk's fault, not the code's, where it is known
                "a part of tenant %s did not stop in good order: %s",
                self.name, error, exc_info=None if known or isinstance(error, Problem) else error,
            )  # fmt: skip


def history_settings(settings: Settings) -> HistorySettings:
    history = settings.history
    return HistorySettings(
        follower=FollowerSettings(
            flush_seconds=history.flush_seconds, flush_rows=history.flush_rows
        ),
        engine=EngineSettings(memory=f"{history.memory_mb}MB", threads=history.threads),
        upkeep=UpkeepSettings(retention_days=history.retention_days or None),
    )


__all__ = ["Tenant", "history_settings"]
