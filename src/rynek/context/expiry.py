"""Nothing is shown that has expired: it is removed before the next read, or when its time comes."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from rynek.base.clock import MICRO, Clock, ClockWatch, SystemClock
from rynek.base.trouble import Trouble
from rynek.context.operations.expiry import expire
from rynek.context.store.contract import Store

_AT_ONCE: Final = 500
_LONGEST_SLEEP: Final = 5.0
_RETRY_SECONDS: Final = 5.0
_logger = logging.getLogger(__name__)


class Expiry:
    """Removes what has expired in one store, by the tenant's clock (§4.22)."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failed_until = 0.0
        self._closed = False
        self._watch = ClockWatch()
        self._trouble = Trouble("removing what has expired", _logger)

    async def settle(self) -> None:
        """Return once everything that has expired by now is removed. What the disk has no room to
        remove stays for a while, and so does all after the clock was set: reading goes on."""
        self.watch()
        loop = asyncio.get_running_loop()
        if not self._is_due() or loop.time() < self._failed_until:
            return
        if isinstance(self._clock, SystemClock) and not self._watch.is_steady():
            self._failed_until = loop.time() + _RETRY_SECONDS
            return
        async with self._lock:
            try:
                while self._is_due():
                    await self._store.write(lambda txn: expire(txn, _AT_ONCE))
                    # A job of its own: it sees what the one before has committed.
                    await self._store.write(lambda txn: txn.note_expiry())
            except Exception as error:
                self._failed_until = loop.time() + _RETRY_SECONDS
                self._trouble.note(error)
            else:
                self._trouble.over()

    def retry(self) -> None:
        """Try again at once after a failure."""
        self._failed_until = 0.0

    def _is_due(self) -> bool:
        soonest = self._store.soonest
        return soonest is not None and soonest <= self._clock.now()

    def watch(self) -> None:
        """Remove what expires later at its time too, while there is something."""
        if self._task is None and self._store.soonest is not None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        try:
            while (soonest := self._store.soonest) is not None:
                left = (soonest - self._clock.now()) / MICRO
                held = self._failed_until - asyncio.get_running_loop().time()
                await asyncio.sleep(min(max(left, held, 0.001), _LONGEST_SLEEP))
                await self.settle()
        finally:
            self._task = None

    async def close(self) -> None:
        """Stop waiting. Writes that the store still finishes begin nothing anew."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
