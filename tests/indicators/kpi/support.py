"""Histories made of recordings and of changes, for indicators."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from tests.history.support import ListLog, iri

from rynek.feeds import FeedConfig, past_batches
from rynek.history import History, Record
from rynek.indicators import Value, compute_indicators, find_definition, parse_period

FAR = 1 << 60


def recorded_history(folder: Path, paths: Sequence[Path], mapping: str, zone: str) -> Path:
    """A history with recordings as a feed reads them."""

    async def fill(history: History, _: ListLog) -> None:
        for path in paths:
            config = FeedConfig(
                name="x", kind="tabular", source="file:x", zone=zone, options={"mapping": mapping}
            )
            batches = past_batches(config, path.read_bytes())
            await history.sink.append(path.name, batches, iri)

    return made_history(folder, zone, fill)


def made_history(
    folder: Path, zone: str, fill: Callable[[History, ListLog], Awaitable[Any]]
) -> Path:
    """A history filled through its public face, stopped, as it stands on disk."""

    async def make() -> None:
        log = ListLog()
        history = History(folder, log, zone=zone)
        await history.start()
        await history.ready()
        await fill(history, log)
        await history.flush()
        await history.stop()

    asyncio.run(make())
    return folder


def values(
    folder: Path, names: Sequence[str], period: str, zone: str, now: int = FAR
) -> dict[str, Value]:
    """The values of some indicators, by id."""
    with Record(folder) as record:
        found = compute_indicators(
            record, [find_definition(name) for name in names], parse_period(period, zone), now
        )
        return {one.definition.id: one for one in found}
