"""Everything one process serves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from rynek.app.card_entities import CardEntities
from rynek.app.indicator_entities import IndicatorEntities
from rynek.app.recorder import Recorder
from rynek.app.tenant import Tenant
from rynek.app.upkeep import Upkeep
from rynek.base.client import Client
from rynek.base.clock import SystemClock
from rynek.base.errors import BadRequestData, Forbidden, NonexistentTenant, Problem
from rynek.base.folder import DataFolder
from rynek.base.http import Guard
from rynek.base.ids import SERVICE_TENANT, TENANT_NAME
from rynek.base.looplag import LoopDelay
from rynek.base.progress import calm
from rynek.base.settings import Settings
from rynek.context import (
    StoredContexts,
    has_subscriptions,
    refuse_newer,
)
from rynek.feeds import ReplayOptions, list_feeds
from rynek.indicators import (
    Comparisons,
    Profiles,
    Publications,
    References,
    Surveys,
    open_indicators,
)
from rynek.practices.cards import FILE as CARDS_FILE
from rynek.practices.cards import Cards, seed
from rynek.practices.search import INDEX_FILE, SearchIndex, price_tables
from rynek.web import Access, Tally, TokenStore

_logger = logging.getLogger(__name__)
_REMEMBER_BYTES = 64 << 20
# Readings that stay in memory after they went to the table, of all tenants: 1 to 1.5 kB each.
_RECENT_ROWS, _RECENT_ROWS_EACH, _RECENT_ROWS_LEAST = 500_000, 100_000, 5_000


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
        self.port = settings.server.port  # the server says which one it got for 0, or from systemd
        self.stopping = asyncio.Event()
        self.started = time.monotonic()
        told = settings.log
        self.tally = Tally(settings.tenants.default, access=told.access, slow=told.slow_seconds)
        self.loop_delay = LoopDelay()
        self.client = Client(allow_private=settings.network.allow_private)
        self.places = asyncio.Semaphore(settings.federation.max_parallel)
        self.publishing: tuple[str, str, int, int] | None = None
        """The city whose indicators are being published, the period, how many of how many."""
        self._tenants: dict[str, Tenant] = {}
        self._own: Tenant | None = None
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
        scheme = "https" if server.tls_certificate else "http"
        return f"{scheme}://{name}:{self.port}{server.base_path}"

    @cached_property
    def alias(self) -> str:
        """The pseudonym of the default tenant: as set, or from the data folder's own id."""
        return self.settings.federation.alias or f"rynek-{self.folder.identity}"

    @cached_property
    def cards(self) -> Cards:
        """The practice cards, those that come with rynek among them."""
        cards = Cards(self.folder.path / CARDS_FILE)
        try:
            seed(cards)
        except Problem as problem:
            # What cannot be written may be read all the same.
            _logger.warning("the cards that come with rynek were not brought in: %s", problem)
        return cards

    @cached_property
    def card_index(self) -> SearchIndex:
        """What the practice cards are searched by; it follows them when somebody asks."""
        return SearchIndex(self.folder.path / INDEX_FILE, price_tables(self.references))

    def default_contexts(self) -> StoredContexts:
        """The @contexts of the default tenant: others may use what it hosts."""
        return self.tenant(self.default_tenant).context.stored_contexts

    def open(self) -> None:
        """Take the data folder and look at its tenants; FolderError when that can't be."""
        self.folder.open()
        self.tokens = TokenStore(self.folder.path / "system.db")
        self.access = Access(
            self.settings.access.anonymous, self.tokens, self.settings.metrics.anonymous
        )
        indicators = open_indicators(self.folder.path)
        self.comparisons, self.references = Comparisons(indicators), References(indicators)
        self.publications = Publications(indicators)
        self.surveys = Surveys(self.folder.path)
        self.profiles = Profiles(self.folder.path)
        for path in sorted(self.folder.tenants.iterdir()):
            known = path.name != SERVICE_TENANT and TENANT_NAME.fullmatch(path.name)
            if path.is_dir() and known:
                refuse_newer(path)
                self._tenants[path.name] = Tenant(path.name, path, self)
        if self.default_tenant not in self._tenants:
            self._add(self.default_tenant)

    async def start(self) -> None:
        """Open the default tenant and all that have feeds or subscriptions; their feeds begin right after, one
        tenant at a time, so that the first pages need not wait. Errors of one stop no other."""
        self.loop_delay.start()
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
        if self.settings.metrics.history:
            self._later(Recorder(self).run())
        if self.settings.practices.entities:
            self._later(CardEntities(self).run())
        if self.settings.indicators.publish != "off":
            self._later(IndicatorEntities(self).run())
        if self.settings.practices.recompute:
            self._later(Upkeep(self).run())

    async def _run_feeds(self, tenants: Sequence[Tenant]) -> None:
        for tenant in tenants:
            if not tenant.trouble.error:  # else it starts, feeds and all, when it can
                await self._guarded(tenant, tenant.run_feeds)
            await calm()

    def tenant(self, name: str, *, create: bool = False) -> Tenant:
        """The tenant, made on its first write where `create`; NonexistentTenant otherwise."""
        found = self._tenants.get(name) if name != SERVICE_TENANT else self.own
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

    @property
    def own(self) -> Tenant:
        """The tenant that holds the service's own figures: in its place on disk as every other,
        but not among `tenants`."""
        if self._own is None:
            folder = self.folder.tenants / SERVICE_TENANT
            folder.mkdir(parents=True, exist_ok=True)
            self._own = Tenant(SERVICE_TENANT, folder, self)
        return self._own

    def remember_bytes(self) -> int:
        """What a tenant that starts now may keep of what its reads found."""
        share = (self.settings.limits.remember_mb << 20) // max(len(self._tenants), 1)
        return min(share, _REMEMBER_BYTES)

    def recent_rows(self) -> int:
        """How many readings a tenant that starts now may keep in memory beside its table."""
        share = _RECENT_ROWS // max(len(self._tenants), 1)
        return max(min(share, _RECENT_ROWS_EACH), _RECENT_ROWS_LEAST)

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
        except Exception as error:
            # What is damaged may be mended, a full disk be given room: also where nobody asks, for
            # feeds wait for it.
            loop = asyncio.get_running_loop()
            loop.call_later(tenant.trouble.note(error), self._again, tenant)
        else:
            tenant.trouble.over()

    def _again(self, tenant: Tenant) -> None:
        """Start a tenant that could not be started."""
        tenant.begun = False
        if not self.stopping.is_set():
            self._begin(tenant)

    def _later(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End streams, stop every tenant, give the folder back."""
        self.stopping.set()
        self.loop_delay.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        known = [*self._tenants.values(), *filter(None, (self._own,))]
        stops = (tenant.stop() for tenant in known)
        await asyncio.gather(*stops, return_exceptions=True)
        await self.guard.aclose()
        await self.client.aclose()
        self.tokens.close()
        if "cards" in self.__dict__:
            self.cards.close()
        if "card_index" in self.__dict__:
            self.card_index.close()
        self.comparisons.close()
        self.surveys.close()
        self.profiles.close()
        self.folder.close()


__all__ = ["Engine"]
