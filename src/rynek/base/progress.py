"""Long work that people wait for: what it is, how far it is."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

_CALM_SECONDS: Final = 5.0
_CALM_PAUSE: Final = 0.05


class Loading(msgspec.Struct):
    """Something that is being loaded: `title` by language, `done` of `total` records.

    `error` says why it ended early; what was stored by then stays and is not stored again.
    """

    title: dict[str, str]
    total: int
    done: int = 0
    finished: bool = False
    error: str = ""


async def calm() -> None:
    """Return once the event loop has time again, after a few seconds at the latest."""
    loop = asyncio.get_running_loop()
    latest = loop.time() + _CALM_SECONDS
    while loop.time() < latest:
        before = loop.time()
        await asyncio.sleep(_CALM_PAUSE)
        if loop.time() - before < 2 * _CALM_PAUSE:
            return
