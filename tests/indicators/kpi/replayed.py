"""A recording replayed by an engine into a data folder, as a city would have recorded it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from rynek.app import Engine
from rynek.base.settings import load
from rynek.feeds import ReplayOptions


def replayed_history(folder: Path, files: str, feed: str, others: Mapping[str, str] = {}) -> Path:
    """The history of a tenant `city` whose feed `feed` (TOML) replays `files`, once and fast;
    `others` are feeds by name that must have been read before."""
    feeds = folder / "tenants" / "city" / "feeds"
    (feeds / "recording").mkdir(parents=True)
    (feeds / "recording" / "r.toml").write_text(
        f'speed = 1000.0\nmax_gap = 200.0\n[[read]]\nfiles = "{files}"\n'
    )
    for name, text in others.items():
        (feeds / f"{name}.toml").write_text(text)
    if others:
        asyncio.run(_run(folder, set(others), "ok"))
    (feeds / "r.toml").write_text(f'source = "replay:recording/r.toml"\n{feed}')
    asyncio.run(_run(folder, {"r"}, "ended"))
    return folder / "tenants" / "city" / "history"


async def _run(folder: Path, names: set[str], state: str) -> None:
    """Run the engine until those feeds are in that state."""
    settings = load(None, {}, {"data.path": str(folder), "history.flush_seconds": 0.2})
    engine = Engine(settings, replay=ReplayOptions(loop=False))
    engine.open()
    try:
        await engine.start()
        tenant = engine.tenant("city")
        for _ in range(1200):
            states = {one.name: one.state for one in tenant.feeds.health() if one.name in names}
            if states and set(states.values()) == {state}:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError(
                [(one.name, one.state, one.error) for one in tenant.feeds.health()]
            )
    finally:
        await engine.stop()
