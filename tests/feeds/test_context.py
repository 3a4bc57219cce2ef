"""Feeds into the real store: the way in that the service uses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.recorded import DATA

from rynek.base.clock import SystemClock
from rynek.base.http import Guard
from rynek.context import Context, ContextResolver, open_context
from rynek.feeds import FeedConfig, FeedRunner, WriteReport, save_feed

POZNAN = DATA / "gtfs_rt" / "poznan"


class IntoContext:
    """The sink of a tenant."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def write(self, documents: Sequence[dict[str, Any]], source: str) -> WriteReport:
        report = await self.context.ingest(documents, source)
        return WriteReport(
            report.created, report.updated, report.observed, report.unchanged, report.rejected
        )


def test_recorded_vehicles_are_stored_and_follow_their_observations(tmp_path: Path) -> None:
    async def work() -> None:
        context = open_context(
            tmp_path / "tenant",
            SystemClock(),
            lambda stored: ContextResolver(stored, Guard()),
        )
        feeds = tmp_path / "feeds"
        save_feed(feeds, FeedConfig(name="poznan", kind="gtfs_rt", source="webhook:"))
        runner = FeedRunner(feeds, IntoContext(context))
        await runner.start()
        first = await runner.deliver(
            "poznan", (POZNAN / "2026-01-28T150339Z_feeds.pb").read_bytes()
        )
        assert (first.created, first.rejected) == (548, [])
        newer = (POZNAN / "2026-01-28T150359Z_vehicle_positions.pb").read_bytes()
        second = await runner.deliver("poznan", newer)
        assert second.created + second.updated + second.observed + second.unchanged == 544
        assert second.updated > 400 and second.rejected == []
        again = await runner.deliver("poznan", newer)
        assert again.unchanged == 544 and again.updated == again.created == 0
        stored = context.get("urn:ngsi-ld:Vehicle:poznan:7003")
        assert stored is not None
        (place,) = stored.attrs["https://uri.etsi.org/ngsi-ld/location"]
        assert place.value["coordinates"] == [16.88003, 52.347279]
        assert place.observed_at == "2026-01-28T15:03:45Z"
        await runner.stop()
        await context.close()

    asyncio.run(asyncio.wait_for(work(), 60))
