"""A day of the service's own figures, as its recorder writes them: for tests of the page."""

from __future__ import annotations

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from rynek.app import Engine
from rynek.base.clock import MICRO
from rynek.base.ids import SERVICE_TENANT
from rynek.base.settings import load
from rynek.web import Figures, Gatherer, Span, describe
from rynek.web.tally import Answered

MINUTE = 60 * MICRO
_BATCH = 240


async def write_day(engine: Engine, *, gap: tuple[int, int] = (500, 420)) -> list[dict[str, Any]]:
    """Write a value for each of the last 1440 minutes, but for those `gap` minutes ago, in which
    the service was not there; the documents. Load comes and goes as in a day."""
    gathered = await Gatherer(engine).gather()
    until = time.time_ns() // 1000
    before: Figures | None = None
    documents = []
    buckets = [0] * 17
    cpu = 0.0
    for ago in range(1440, 0, -1):
        load = 1.2 + math.sin(ago / 1440 * 2 * math.pi) + 0.2 * math.sin(ago / 7)
        cpu += 6 * load
        for place, share in ((2, 700), (4, 190), (7, 10)):
            buckets[place] += int(share * load)
        api = Answered("entities/*", "GET", 200, 1.0, 100, tuple(buckets))
        pages = Answered("/c/*/map", "GET", 200, 1.0, 100, (1440 - ago, *[0] * 16))
        process = msgspec.structs.replace(
            gathered.process,
            cpu_seconds=cpu,
            resident=int(4e8 + 5e7 * load),
            disk_free=int(2e11 - 1e6 * (1440 - ago)),
        )
        at = until - ago * MINUTE
        now = msgspec.structs.replace(gathered, at=at, answered=[api, pages], process=process)
        if not gap[0] >= ago > gap[1]:
            span = Span(before, now, 60.0, 0.004 * load)
            up = ((1440 if ago > gap[0] else gap[1]) - ago) * 60.0
            documents.append(describe(engine.folder.identity, span, up))
        before = now
    own = engine.tenant(SERVICE_TENANT)
    for first in range(0, len(documents), _BATCH):
        report = await own.context.ingest(documents[first : first + _BATCH], "service")
        assert report.rejected == []
    return documents


def prepare(folder: Path, default: str) -> None:
    """Write the day into a data folder that nobody serves yet."""

    async def body() -> None:
        given = {"data.path": str(folder), "tenants.default": default, "metrics.history": False}
        engine = Engine(load(None, {}, given))
        engine.open()
        await engine.start()
        try:
            await write_day(engine)
        finally:
            await engine.stop()

    # A driver of browsers has a loop of its own in this thread.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(body())).result()
