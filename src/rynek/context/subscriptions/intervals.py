"""Subscriptions that are notified periodically (CIM 009 §5.8.6, timeInterval)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from rynek.context.formats import decode
from rynek.context.live import Context
from rynek.context.model import Entity
from rynek.context.subscriptions.match import meets
from rynek.context.subscriptions.members import SHORTEST
from rynek.context.subscriptions.model import Subscription

__all__ = ["Intervals", "selected"]

_PAGE = 1_000
_logger = logging.getLogger(__name__)


class Intervals:
    """Fires each subscription when its interval is over; one firing at a time for each."""

    def __init__(self, fire: Callable[[Subscription], Awaitable[None]]) -> None:
        self._fire = fire
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def set(self, one: Subscription, wait: float) -> None:
        """Fire a subscription in `wait` seconds and then periodically."""
        self.unset(one.id)
        loop = asyncio.get_running_loop()
        self._tasks[one.id] = loop.create_task(self._run(one, wait))

    def unset(self, subscription_id: str) -> None:
        """Fire a subscription no more."""
        task = self._tasks.pop(subscription_id, None)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Fire none any more."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, one: Subscription, wait: float) -> None:
        assert one.time_interval is not None
        # Kept ones may be from before there was a least.
        interval = max(one.time_interval, SHORTEST)
        loop = asyncio.get_running_loop()
        due = loop.time() + wait
        while True:
            await asyncio.sleep(max(due - loop.time(), 0.0))
            try:
                await self._fire(one)
            except Exception as error:
                _logger.warning("%s could not be notified, it goes on: %s", one.id, error)
            due = max(due + interval, loop.time())


async def selected(context: Context, one: Subscription) -> list[Entity]:
    """Every entity that a subscription selects and that meets its conditions, each once."""
    queries = [selector.query(one.query) for selector in one.selectors] or [one.query]
    found: dict[str, Entity] = {}
    for query in queries:
        offset = 0
        while True:
            page = await context.select(query, limit=_PAGE, offset=offset)
            for row in page.rows:
                entity = decode(row.body, row.times, row.ctx)
                if not query.linked or meets(query, entity, context.get):
                    found[entity.id] = entity
            if not page.more:
                break
            offset += _PAGE
    return list(found.values())
