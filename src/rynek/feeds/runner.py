"""All feeds of one tenant: a task each, started, watched, reloaded and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from rynek.base.clock import Clock, SystemClock
from rynek.base.errors import ResourceNotFound
from rynek.context import ReferenceStore
from rynek.feeds.contract import FeedConfig, Sink, WriteReport
from rynek.feeds.files import list_feeds, load_feed, save_feed
from rynek.feeds.health import FeedHealth, Vitals
from rynek.feeds.loop import FeedLoop, reason_of
from rynek.feeds.registry import kind_of
from rynek.feeds.rotation import Rotation
from rynek.feeds.transport import (
    Fetcher,
    FileSource,
    HttpSource,
    Recording,
    Replay,
    ReplayOptions,
    ReplaySource,
    Source,
    SourceError,
    WebhookSource,
    open_recording,
)

RELOAD_EVERY = 2.0
REPLAY = "replay:"
WEBHOOK = "webhook:"
ROTATION = ".rotation"
"""Beside the feeds: keys of pseudonyms, which no backup takes along."""
_log = logging.getLogger(__name__)
_Stamp = tuple[int, int]


class FeedRunner:
    """Runs the feeds of `<folder>/*.toml`.

    With at least one enabled `replay:` feed, `clock` is the recordings' (made here, so that the
    tenant can take it before anything starts); otherwise the one given, else the machine's.
    `on_round` is awaited before the first document of each round of a replay: 0 at the start, 1
    and more for loops, for which the caller empties the state and keeps no history. Days and weeks
    of rotating ids begin in `city_zone`.
    """

    def __init__(
        self,
        folder: Path,
        sink: Sink,
        *,
        guard: Fetcher | None = None,
        reference: ReferenceStore | None = None,
        clock: Clock | None = None,
        replay: ReplayOptions | None = None,
        on_round: Callable[[int], Awaitable[None]] | None = None,
        city_zone: str = "UTC",
    ) -> None:
        self._folder = folder
        self._sink = sink
        self._guard = guard
        self._reference = reference
        self._on_round = on_round
        self._names: set[str] = set()
        self._rotation = Rotation(folder.parent / ROTATION, city_zone, self._names)
        self._loops: dict[str, FeedLoop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._broken: dict[str, Vitals] = {}
        self._stamps: dict[str, _Stamp] = {}
        self._recordings: dict[str, Recording] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._conductor: asyncio.Task[None] | None = None
        self._replay = self._prepare(replay or ReplayOptions())
        given = clock or SystemClock()
        self.clock: Clock = given if self._replay is None else self._replay.clock

    @property
    def replay(self) -> Replay | None:
        """What is being replayed; None for a tenant of live feeds."""
        return self._replay

    async def start(self) -> None:
        """Start every enabled feed and the watch over the feed files."""
        if self._replay is not None:
            await self._round(0)
            self._replay.clock.run(self._replay.resume)
            self._conductor = asyncio.create_task(self._conduct(self._replay), name="replay")
        self._rotation.discard_ended(self.clock.now())
        await self.reload()
        self._watcher = asyncio.create_task(self._watch(), name="feed files")

    async def stop(self) -> None:
        """Stop everything; returns when all tasks have ended."""
        extra = [task for task in (self._watcher, self._conductor) if task is not None]
        tasks = [*extra, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._rotation.discard_ended(self.clock.now())
        for loop in self._loops.values():
            loop.vitals.health.state = "stopped"

    def health(self) -> list[FeedHealth]:
        """Every feed by name, also those that are disabled or whose file is wrong."""
        now = self.clock.now()
        found = [loop.health() for loop in self._loops.values()]
        found += [vitals.snapshot(now) for vitals in self._broken.values()]
        return sorted(found, key=lambda health: health.name)

    def configs(self) -> list[FeedConfig]:
        """The configurations in use, by name, with defaults filled in."""
        return [self._loops[name].config for name in sorted(self._loops)]

    async def deliver(self, feed: str, body: bytes, part: str = "") -> WriteReport:
        """Hand a posted body to a webhook feed; returns after the durable write.

        ResourceNotFound for a feed that takes no posts; ValueError when the body is not of the
        feed's kind; PayloadTooLarge, Unavailable.
        """
        loop = self._loops.get(feed) if feed in self._tasks else None
        if loop is None or not isinstance(loop.source, WebhookSource):
            raise ResourceNotFound(f"no feed {feed!r} takes posts")
        return await loop.source.deliver(body, part)

    async def reload(self) -> None:
        """Follow the feed files: start what is new, restart what changed, stop what is gone."""
        paths = list_feeds(self._folder)
        self._names.update(paths)
        for name in [*self._loops, *self._broken]:
            if name not in paths:
                await self._drop(name)
                self._names.discard(name)
        for name, path in paths.items():
            try:
                stat = path.stat()
            except OSError:
                continue
            stamp = (stat.st_mtime_ns, stat.st_size)
            if self._stamps.get(name) != stamp:
                await self._drop(name)
                self._stamps[name] = stamp
                self._begin(name, path)

    async def add(self, config: FeedConfig) -> Path:
        """Write a feed file and start the feed. ValueError when the configuration is wrong."""
        path = save_feed(self._folder, config)
        await self.reload()
        return path

    def _begin(self, name: str, path: Path) -> None:
        try:
            config = load_feed(path)
            loop = self._loop(config)
        except (ValueError, OSError, SourceError) as error:
            wrong = Vitals(FeedConfig(name=name, kind="", source=""), SystemClock().now)
            wrong.failure(f"configuration: {reason_of(error)}")
            self._broken[name] = wrong
            _log.warning("feed is not usable", extra={"feed": name, "reason": reason_of(error)})
            return
        self._loops[name] = loop
        if config.enabled:
            self._tasks[name] = asyncio.create_task(loop.run(), name=f"feed {name}")

    def _loop(self, config: FeedConfig) -> FeedLoop:
        connector = kind_of(config.kind).connector
        return FeedLoop(
            config,
            connector,
            self._source(config),
            self._sink,
            self.clock,
            self._reference,
            rotation=self._rotation,
        )

    def _source(self, config: FeedConfig) -> Source:
        if config.source.startswith(WEBHOOK):
            return WebhookSource(config)
        if config.source.startswith(REPLAY):
            return self._replay_source(config)
        if config.source.startswith(("http://", "https://")):
            if self._guard is None:
                raise SourceError("there is no way out to the network here")
            return HttpSource(config, self._guard)
        return FileSource(config, self._folder)

    def _replay_source(self, config: FeedConfig) -> Source:
        if not config.enabled:
            return WebhookSource(config)
        if self._replay is None or config.name not in self._recordings:
            raise SourceError("a replay sets the tenant's clock and begins at the next start")
        return ReplaySource(config, self._recordings[config.name], self._replay.clock)

    async def _drop(self, name: str) -> None:
        self._stamps.pop(name, None)
        self._broken.pop(name, None)
        loop = self._loops.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if loop is not None:
            await loop.source.close()
            self._rotation.discard_ended(self.clock.now())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_EVERY)
            try:
                await self.reload()
                self._rotation.discard_ended(self.clock.now())
            except Exception:  # the watch must outlive a folder that is gone for a moment
                _log.exception("feed files cannot be read")

    def _prepare(self, options: ReplayOptions) -> Replay | None:
        for name, path in list_feeds(self._folder).items():
            # A file that is wrong is reported when its feed is started.
            with contextlib.suppress(ValueError, OSError, SourceError):
                config = load_feed(path)
                if config.enabled and config.source.startswith(REPLAY):
                    self._recordings[name] = open_recording(
                        recording_path(config.source, self._folder), config.zone
                    )
        found = list(self._recordings.values())
        return Replay(found, options) if found else None

    async def _conduct(self, replay: Replay) -> None:
        """Begin again at the end, once every feed has written what it had."""
        played = 0
        while replay.loop:
            await replay.clock.sleep_until(replay.clock.end)
            while not all(source.idle for source in self._replayed()):  # noqa: ASYNC110 - rare
                await asyncio.sleep(0.05)
            await asyncio.sleep(1.0 / min(replay.clock.speed, 10.0))
            played += 1
            for loop in self._loops.values():
                loop.forget()
            await self._round(played)
            replay.clock.rewind()

    def _replayed(self) -> list[ReplaySource]:
        sources = [self._loops[name].source for name in self._tasks if name in self._loops]
        return [source for source in sources if isinstance(source, ReplaySource)]

    async def _round(self, number: int) -> None:
        if self._on_round is not None:
            await self._on_round(number)


def recording_path(source: str, folder: Path) -> Path:
    """The path in a `replay:` source; relative ones start at the feeds folder."""
    path = Path(source.removeprefix(REPLAY)).expanduser()
    return path if path.is_absolute() else folder / path
