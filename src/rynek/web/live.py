"""The live hub of a tenant: follows the change log and answers what a map asks, from memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from rynek.base.clock import Clock
from rynek.base.trouble import Trouble
from rynek.context import LOCATION, Change
from rynek.web.live_shapes import MAX_SHAPES, POINT, Shapes
from rynek.web.live_stream import Broadcast
from rynek.web.live_table import REFERENCE, STATUSES, THING, LiveTable, Rows, stale_table
from rynek.web.live_trace import dots
from rynek.web.live_view import Box, clusters, feature, points, visible
from rynek.web.themes import THEMES

__all__ = ["Hubs", "LiveHub"]

log = logging.getLogger(__name__)
CHUNK: Final = 100  # a few milliseconds of work before others get their turn
FRAME_S: Final = 0.5
FRAME_FEATURES: Final = 2000
MAX_POINTS: Final = 3000
_SEARCH_SLICE: Final = 20_000
_IDLE_S: Final = 10.0


class LiveHub:
    """Where everything of a tenant is now, for its map.

    `start()` loads the live picture in chunks in the background and then follows the change log
    from the position it had before, so nothing is missed; `loaded` tells when the first part is
    done. Positions are kept in memory only: a restart loads again.
    """

    def __init__(
        self,
        context: Any,
        clock: Clock,
        zone: str = "UTC",
        stale_after: Mapping[str, float] | None = None,
    ) -> None:
        self.context = context
        self.clock = clock
        self.zone = zone
        self.table = LiveTable()
        # A frame number that a restarted server does not repeat: clients then resync by themselves.
        self.shapes = Shapes(context)
        self.stream = Broadcast(int(time.time()) * 1000)
        self.loaded = False
        self._first = asyncio.Event()
        self._stale = stale_table(dict(stale_after or {}))
        self._task: asyncio.Task[None] | None = None
        self._dirty: set[int] = set()
        self._gone: set[str] = set()
        self._more = False
        self._legend: tuple[float, dict[str, Any]] = (-1.0, {})

    def start(self) -> None:
        """Begin to load and follow; a no-op when already begun. Needs a running loop."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def ready(self, timeout: float) -> bool:
        """Wait until everything was loaded once, `timeout` seconds at the most; whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._first.wait()
        return self.loaded

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        trouble = Trouble("following the change log for the live map", log, shortest=2, longest=60)
        position: int | None = None
        while True:
            try:
                if position is None:
                    position = await self._load()
                position = await self._follow(position)
            except Exception as error:
                await asyncio.sleep(trouble.note(error))
            else:
                if trouble.error:
                    trouble.over()

    async def _load(self) -> int:
        position = int(self.context.changes.head())
        after = 0
        while True:
            found = self.context.scan(after, CHUNK)
            if not found:
                break
            for _, entity in found:
                self.table.put(entity)
            after = found[-1][0]
            await asyncio.sleep(0)
        self.loaded = True
        self._first.set()
        self._more = True
        return position

    async def _follow(self, position: int) -> int:
        changes = self.context.changes
        await changes.wait(position, _IDLE_S)
        started = time.monotonic()
        while True:
            if changes.oldest() > position + 1:
                return await self._reload()
            rows: Sequence[Change] = changes.read(position, CHUNK)
            if not rows:
                break
            self.apply(rows)
            position = rows[-1].seq
            await asyncio.sleep(0)
            if time.monotonic() - started > FRAME_S:
                break
        self.flush()
        await asyncio.sleep(max(0.0, FRAME_S - (time.monotonic() - started)))
        return position

    async def _reload(self) -> int:
        """The log was trimmed past our position: begin anew."""
        self.table = LiveTable()
        position = await self._load()
        self.stream.send("resync", b"{}")
        return position

    def apply(self, rows: Iterable[Change]) -> None:
        """Take changes in; they reach the watchers with the next `flush`."""
        for change in rows:
            if LOCATION in change.attrs:
                self.shapes.forget(change.entity_id)
            if change.op == "delete":
                row = self.table.remove(change.entity_id)
                if row is not None:
                    self._dirty.discard(row)
                    self._gone.add(change.entity_id)
                continue
            row = self.table.set(change.entity_id, change.types, change.attrs)
            if change.deleted:
                self.table.drop(row, [iri for iri, _ in change.deleted])
            self._gone.discard(change.entity_id)
            if self.table.role[row] != REFERENCE:
                self._dirty.add(row)

    def flush(self) -> None:
        """Send what changed since the last time as one bounded frame, if anything did."""
        if not (self._dirty or self._gone or self._more):
            return
        if self.stream.watchers:
            rows = np.fromiter(self._dirty, dtype=np.int64, count=len(self._dirty))
            located = rows[~np.isnan(self.table.lon[rows])] if len(rows) else rows
            sent = located[-FRAME_FEATURES:]
            gone = list(self._gone)[:FRAME_FEATURES]
            body = {
                "now": self.clock.now() // 1000,
                "features": points(self.table, sent, self.statuses(sent)),
                "gone": gone,
                "more": self._more or len(sent) < len(located) or len(gone) < len(self._gone),
            }
            self.stream.send("changes", orjson.dumps(body))
        else:
            self.stream.skip()
        self._dirty.clear()
        self._gone.clear()
        self._more = False

    def statuses(self, rows: Rows) -> Any:
        """Index into STATUSES for each of `rows`, at the tenant's clock."""
        return self.table.status(rows, self.clock.now(), self._stale)

    def features(
        self,
        box: Box | None,
        zoom: float,
        themes: Sequence[int] = range(len(THEMES)),
        limit: int = MAX_POINTS,
        statuses: Sequence[int] | None = None,
    ) -> dict[str, Any]:
        """What is in `box` (west, south, east, north degrees) as a GeoJSON FeatureCollection.

        All points while there are at most `limit`, else clusters by place; `total` counts what is
        in view, `clustered` tells which of the two it is.
        """
        rows = visible(self.table, box, zoom, themes)
        if statuses is not None and len(rows):
            rows = rows[np.isin(self.statuses(rows), np.array(statuses, dtype=np.uint8))]
        plain = len(rows) <= max(0, min(limit, MAX_POINTS))
        if plain:
            made = points(self.table, rows, self.statuses(rows))
            self._shape(made, rows)
        else:
            made, _ = clusters(self.table, rows, zoom, self.statuses)
        return {
            "type": "FeatureCollection",
            "features": made,
            "total": len(rows),
            "clustered": not plain,
            "now": self.clock.now() // 1000,
            "frame": self.stream.number,
            "loaded": self.loaded,
        }

    def _shape(self, made: list[dict[str, Any]], rows: Rows) -> None:
        """Give features of lines and areas their `shape`, while there are few of them."""
        wide = np.flatnonzero(self.table.extent[rows] != POINT)
        if len(wide) <= MAX_SHAPES:
            for i in wide.tolist():
                if shape := self.shapes.of(made[i]["properties"]["id"]):
                    made[i]["shape"] = shape

    def traces(self) -> tuple[bytes, str]:
        """GeoJSON of where vehicles have been and where very many things stand; its hash."""
        table, n = self.table, self.table.size
        rows = np.flatnonzero(table.alive[:n] & (table.role[:n] == THING) & ~table.moves[:n])
        return table.trace.geojson(dots(table.lon[rows], table.lat[rows]))

    def unplaced(self, limit: int = 500) -> tuple[list[dict[str, Any]], int]:
        """Things without coordinates (for the list beside the map), and how many there are."""
        table, n = self.table, self.table.size
        rows = np.flatnonzero(table.alive[:n] & (table.role[:n] == THING) & np.isnan(table.lon[:n]))
        some = rows[:limit]
        return points(table, some, self.statuses(some)), len(rows)

    def legend(self) -> dict[str, Any]:
        """Counts of things by theme and status, and of everything by type.

        At most a second old (a few seconds where there are a million things).
        """
        now = time.monotonic()
        if now > self._legend[0]:
            counted = self._count()
            # Counting a million takes a while; it may use a twentieth of the time at the most.
            self._legend = (now + max(1.0, 20 * (time.monotonic() - now)), counted)
        return self._legend[1]

    def _count(self) -> dict[str, Any]:
        table, n = self.table, self.table.size
        rows = np.flatnonzero(table.alive[:n] & (table.role[:n] == THING))
        states, themes = self.statuses(rows), table.theme[rows]
        placed = ~np.isnan(table.lon[rows])
        cells = np.bincount(
            themes.astype(np.int64) * len(STATUSES) + states, minlength=len(THEMES) * len(STATUSES)
        ).reshape(len(THEMES), len(STATUSES))
        counted = {}
        for i, theme in enumerate(THEMES):
            if cells[i].any():
                counted[theme.key] = {
                    "total": int(cells[i].sum()),
                    "placed": int(placed[themes == i].sum()),
                    "status": {STATUSES[s]: int(cells[i][s]) for s in np.flatnonzero(cells[i])},
                }
        everything = table.kind[:n][table.alive[:n]]
        types = Counter(
            {table.kinds[k]: int(c) for k, c in enumerate(np.bincount(everything)) if c}
        )
        return {
            "themes": counted,
            "types": dict(types.most_common(200)),
            "total": len(rows),
            "now": self.clock.now() // 1000,
            "loaded": self.loaded,
        }

    def latest(self, theme: int, limit: int = 20) -> list[dict[str, Any]]:
        """The things of a theme that were seen last, newest first (the page without script)."""
        table, n = self.table, self.table.size
        mask = table.alive[:n] & (table.role[:n] == THING) & (table.theme[:n] == theme)
        rows = np.flatnonzero(mask)
        if len(rows) > limit:
            newest = np.argpartition(table.seen[rows], len(rows) - limit)[len(rows) - limit :]
            rows = rows[newest]
        rows = rows[np.argsort(-table.seen[rows], kind="stable")]
        return points(table, rows, self.statuses(rows))

    def bounds(self) -> Box | None:
        """A box around most of the things (2nd to 98th percentile); None when nothing has a place."""
        rows = visible(self.table, None, 0, range(len(THEMES)))
        if not len(rows):
            return None
        west, east = np.percentile(self.table.lon[rows], (2, 98))
        south, north = np.percentile(self.table.lat[rows], (2, 98))
        return float(west), float(south), float(east), float(north)

    async def search(self, query: str, limit: int = 20) -> list[dict[str, Any]]:
        """Things and stops whose name, label or id contains every word of `query`.

        Names that begin with it come first. Yields to other work between slices.
        """
        words = query.casefold().split()[:8]
        if not words:
            return []
        first: list[int] = []
        rest: list[int] = []
        table = self.table
        for start in range(0, table.size, _SEARCH_SLICE):
            for row in range(start, min(start + _SEARCH_SLICE, table.size)):
                if not table.ids[row] or table.role[row] == REFERENCE:
                    continue
                said = f"{table.names[row]} {table.labels[row]} {table.ids[row]}".casefold()
                if all(word in said for word in words):
                    starts = table.names[row].casefold().startswith(words[0])
                    starts = starts or table.labels[row].casefold() == words[0]
                    (first if starts else rest).append(row)
            if len(first) >= limit:
                break
            await asyncio.sleep(0)
        rows = np.array((first + rest)[:limit], dtype=np.int64)
        return points(table, rows, self.statuses(rows))

    def find(self, entity_id: str) -> dict[str, Any] | None:
        """One entity as a feature; None when it is not here."""
        row = self.table.rows.get(entity_id)
        if row is None:
            return None
        return feature(self.table, row, int(self.statuses(np.array([row]))[0]))


class _TenantClock:
    """The tenant's clock, asked for anew each time: a replay that begins brings its own."""

    def __init__(self, tenant: Any) -> None:
        self._tenant = tenant

    def now(self) -> int:
        """Epoch microseconds in the tenant."""
        return int(self._tenant.clock.now())


class Hubs:
    """The hubs of all tenants of an engine, each begun when it is first asked for.

    They end when `stopping` is set.
    """

    def __init__(self, tenants: Mapping[str, Any], stopping: asyncio.Event | None = None) -> None:
        self._tenants = tenants
        self._stopping = stopping
        self._hubs: dict[str, LiveHub] = {}
        self._end: asyncio.Task[None] | None = None

    def get(self, name: str) -> LiveHub:
        """The tenant's hub, begun if it was not; KeyError for an unknown tenant."""
        tenant = self._tenants[name]
        hub = self._hubs.get(name)
        if hub is None:
            hub = LiveHub(tenant.context, _TenantClock(tenant), tenant.city.zone)
            self._hubs[name] = hub
        if self._stopping is None or not self._stopping.is_set():
            hub.start()
            if self._end is None and self._stopping is not None:
                self._end = asyncio.create_task(self._when_stopping(self._stopping))
        return hub

    def start(self) -> None:
        """Begin every tenant's hub. Needs a running loop."""
        for name in list(self._tenants):
            self.get(name)

    async def stop(self) -> None:
        """Stop them all."""
        await asyncio.gather(*(hub.stop() for hub in self._hubs.values()))

    async def _when_stopping(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        await self.stop()
