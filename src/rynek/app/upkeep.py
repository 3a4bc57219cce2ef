"""What is computed again by itself, now and then: the values that cities are compared by."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from rynek.app.city_values import keep_city_values
from rynek.base.clock import MICRO
from rynek.base.trouble import Trouble

if TYPE_CHECKING:
    from rynek.app.engine import Engine

__all__ = ["Upkeep"]

_logger = logging.getLogger(__name__)
_FIRST_S: Final = 60.0
_LOOK_S: Final = 600.0


class Upkeep:
    """A job of the service that runs once in `practices.recompute_hours`, in one thread, and looks
    every ten minutes whether it is due; what it did last outlives a restart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._trouble = Trouble("computing estimates and the values of cities again", _logger)

    async def run(self) -> None:
        """Go on until cancelled; what fails is tried again."""
        await asyncio.sleep(_FIRST_S)
        while True:
            try:
                await self.work()
                self._trouble.over()
            except Exception as error:
                self._trouble.note(error)
            await asyncio.sleep(_LOOK_S)

    async def work(self) -> None:
        """Do what is due."""
        engine = self._engine
        hours = engine.settings.practices.recompute_hours
        last = await asyncio.to_thread(engine.profiles.last)
        due = last is None or engine.clock.now() - last >= hours * 3600 * MICRO
        await keep_city_values(engine, missing=not due)
