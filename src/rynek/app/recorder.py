"""The service writes down its own figures, each minute, as it writes everything else."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from rynek.base.ids import SERVICE_TENANT
from rynek.base.trouble import Trouble
from rynek.web import Figures, Gatherer, Span, describe

if TYPE_CHECKING:
    from rynek.app.engine import Engine

__all__ = ["Recorder"]

_logger = logging.getLogger(__name__)
_EVERY: Final = 60.0
_SOURCE: Final = "service"


class Recorder:
    """Reads the figures at every full minute and writes them into the service's own tenant."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._gatherer = Gatherer(engine)
        self._before: Figures | None = None
        self._at = engine.started
        self._trouble = Trouble("writing the service's own figures", _logger)

    async def run(self) -> None:
        """Go on until cancelled; what fails is tried again with the next minute."""
        while True:
            await asyncio.sleep(_EVERY - time.time() % _EVERY)
            try:
                await self.record()
                self._trouble.over()
            except Exception as error:
                self._trouble.note(error)

    async def record(self) -> None:
        """Write what happened since this was last called, or since the start."""
        figures = await self._gatherer.gather()
        now, worst = time.monotonic(), self._engine.loop_delay.take_worst()
        span = Span(self._before, figures, now - self._at, worst)
        self._before, self._at = figures, now
        document = describe(self._engine.folder.identity, span, now - self._engine.started)
        own = self._engine.tenant(SERVICE_TENANT)
        report = await own.context.ingest([document], _SOURCE)
        for _, reason in report.rejected:
            raise ValueError(reason)
