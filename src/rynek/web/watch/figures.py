"""The service's own figures at one moment: plain values, read on the loop, made into text elsewhere."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from rynek.context import DeliveryFigures, StoreFigures
from rynek.feeds import FeedHealth
from rynek.history import FollowerState, HistoryStats
from rynek.web.tally import Answered

__all__ = ["Figures", "Gatherer", "ProcessFigures", "TenantFigures"]

_logger = logging.getLogger(__name__)
_COUNT_SECONDS: Final = 60.0
_STATUS: Final = Path("/proc/self/status")
_FIELD: Final = re.compile(r"^(RssAnon|VmRSS|Threads):\s+(\d+)", re.MULTILINE)


class TenantFigures(msgspec.Struct, frozen=True):
    """One tenant that is open."""

    name: str
    entities: int
    types: int
    store: StoreFigures
    follower: FollowerState
    history: HistoryStats
    delivery: DeliveryFigures
    sources: int
    sources_resting: int
    source_requests: int
    source_failures: int
    feeds: list[FeedHealth]


class ProcessFigures(msgspec.Struct, frozen=True):
    """The process and its disk; bytes, and seconds of processor time."""

    cpu_seconds: float
    resident: int
    anonymous: int
    threads: int
    open_files: int
    disk_free: int
    disk_size: int


class Figures(msgspec.Struct, frozen=True):
    """Everything at one moment (`at`, epoch µs): what was answered, the tenants that are open, of
    how many there are, the process, and the delays of its event loop (buckets and their sum)."""

    at: int
    answered: list[Answered]
    tenants: list[TenantFigures]
    known_tenants: int
    failing_tenants: int
    process: ProcessFigures
    delays: tuple[int, ...]
    delay_seconds: float


class Gatherer:
    """Reads an engine's figures; entities are counted at most once a minute."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._counts: dict[str, tuple[float, tuple[int, int]]] = {}

    async def gather(self) -> Figures:
        """All figures now."""
        engine = self._engine
        tenants = []
        for tenant in list(engine.tenants.values()):
            try:
                if tenant.begun:
                    count = await self._count(tenant)
                    tenants.append(_of_tenant(tenant, *count))
                    await asyncio.sleep(0)  # of hundreds, others get their turn between
            except Exception as error:  # damaged, or closing: the others have figures all the same
                _logger.debug("no figures of %s: %s", tenant.name, error)
        delay = engine.loop_delay
        return Figures(
            at=time.time_ns() // 1000,
            answered=list(engine.tally.answered()),
            tenants=tenants,
            known_tenants=len(engine.tenants),
            failing_tenants=sum(1 for one in engine.tenants.values() if one.trouble.error),
            process=process_figures(engine.folder.path),
            delays=tuple(delay.buckets),
            delay_seconds=delay.seconds,
        )

    async def _count(self, tenant: Any) -> tuple[int, int]:
        now = time.monotonic()
        at, found = self._counts.get(tenant.name, (0.0, (0, 0)))
        if not at or now - at >= _COUNT_SECONDS:
            found = await tenant.context.store.count()
            self._counts[tenant.name] = now, found
        return found


def _of_tenant(tenant: Any, entities: int, types: int) -> TenantFigures:
    sources = tenant.registrations.health()
    return TenantFigures(
        name=tenant.name,
        entities=entities,
        types=types,
        store=tenant.context.store.figures(),
        follower=tenant.history.state(),
        history=tenant.history.stats(),
        delivery=tenant.subscriptions.deliveries.totals(),
        sources=len(sources),
        sources_resting=tenant.forwarder.resting(),
        source_requests=sum(one.times_sent for one in sources),
        source_failures=sum(one.times_failed for one in sources),
        feeds=tenant.feeds.health(),
    )


def process_figures(folder: Path) -> ProcessFigures:
    """This process, and the disk with `folder`; what the system does not tell is 0."""
    told = dict(_FIELD.findall(_read(_STATUS)))
    try:
        files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        files = 0
    try:
        disk = shutil.disk_usage(folder)
        free, size = disk.free, disk.total
    except OSError:
        free = size = 0
    return ProcessFigures(
        cpu_seconds=time.process_time(),
        resident=int(told.get("VmRSS", 0)) << 10,
        anonymous=int(told.get("RssAnon", 0)) << 10,
        threads=int(told.get("Threads", 0)),
        open_files=files,
        disk_free=free,
        disk_size=size,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
