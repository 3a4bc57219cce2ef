"""Indicators of every city as entities of its own live picture, once a day."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rynek.base.progress import calm
from rynek.base.trouble import Trouble
from rynek.context import DEFAULT_VOCAB, parse_entity
from rynek.context.operations import create, replace
from rynek.indicators import (
    Definition,
    Period,
    Publication,
    Sources,
    Value,
    definitions,
    due_periods,
    entity_id,
    published_values,
    value_entity,
)

if TYPE_CHECKING:
    from rynek.app.engine import Engine
    from rynek.app.tenant import Tenant

__all__ = ["IndicatorEntities"]

_logger = logging.getLogger(__name__)
_EVERY: Final = 60.0
_SOURCE: Final = "indicators"
_SOME: Final = 20
_SHORTEST: Final = 60.0
_LONGEST: Final = 3600.0


class IndicatorEntities:
    """Publishes the last whole day and month of each city that keeps a history, one city after the
    other. What fails is written down, and tried again after a minute, then ever later, at most an
    hour. `time_of` and `running` are the clocks, of cities (epoch µs) and of the machine (s)."""

    def __init__(
        self,
        engine: Engine,
        time_of: Callable[[Tenant], int] | None = None,
        running: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._time_of = time_of or (lambda tenant: tenant.clock.now())
        self._running = running
        self._troubles: dict[str, Trouble] = {}
        self._not_before: dict[str, float] = {}

    async def run(self) -> None:
        """Go on until cancelled."""
        trouble = Trouble("looking for indicators to publish", _logger)
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.publish()
                trouble.over()
            except Exception as error:
                trouble.note(error)

    async def publish(self) -> None:
        """Publish what is due in any city."""
        for name, tenant in list(self._engine.tenants.items()):
            if self._engine.stopping.is_set():
                return
            # A city without a history is not started for this.
            if not (tenant.folder / "history" / "readings").exists():
                continue
            if self._running() >= self._not_before.get(name, 0.0):
                await self._publish_city(name)

    async def _publish_city(self, name: str) -> None:
        tenant = self._engine.tenant(name)
        now, publications = self._time_of(tenant), self._engine.publications
        for period in due_periods(publications.all(), name, now, tenant.city.zone):
            await calm()
            trouble = self._trouble(name)
            try:
                made = await self._publish_period(tenant, period, now)
            except Exception as error:
                self._not_before[name] = self._running() + trouble.note(error)
                failed = Publication(
                    city=name, kind=period.kind, period=period.label, at=now, problem=trouble.error
                )
                await asyncio.to_thread(publications.put, failed)
                return
            finally:
                self._engine.publishing = None
            trouble.over()
            await asyncio.to_thread(publications.put, made)

    async def _publish_period(self, tenant: Tenant, period: Period, now: int) -> Publication:
        wanted = _wanted(tenant, period)
        total = len(wanted)

        def progress(done: int) -> None:
            self._engine.publishing = (tenant.name, period.label, done, total)

        progress(0)
        sources = Sources(self._engine.references, tuple(tenant.city.known_as))
        values = await asyncio.to_thread(
            published_values, tenant.folder, wanted, period, now, sources, progress
        )
        published = without = 0
        for start in range(0, len(values), _SOME):
            written = await _write(tenant, values[start : start + _SOME], now)
            published += len(written)
            without += sum(one.value is None for one in written)
        return Publication(
            city=tenant.name, kind=period.kind, period=period.label, at=now,
            published=published, without=without,
        )  # fmt: skip

    def _trouble(self, name: str) -> Trouble:
        if name not in self._troubles:
            self._troubles[name] = Trouble(
                f"publishing indicators of {name}", _logger, shortest=_SHORTEST, longest=_LONGEST
            )
        return self._troubles[name]


def _wanted(tenant: Tenant, period: Period) -> list[Definition]:
    """Indicators of whose things the city has some, that were published before, and with months
    those that are imported, which are of a year."""
    types = {one.type.removeprefix(DEFAULT_VOCAB) for one in tenant.context.types()}
    imports = period.kind == "month" and bool(tenant.city.known_as)

    def has(one: Definition) -> bool:
        if one.computation is None:
            return imports and one.source == "imported"
        return not types.isdisjoint(one.computation.types)

    return [
        one
        for one in definitions()
        if has(one) or tenant.context.get(entity_id(tenant.name, one, period)) is not None
    ]


async def _write(tenant: Tenant, values: Sequence[Value], now: int) -> list[Value]:
    """Write the values as entities, in the place of those of the period before; which were written.
    One that is there already is not left standing when its things are gone."""
    ctx = await tenant.context.default_ld()
    parsed = [
        (one, parse_entity(value_entity(one, tenant.name, now), ctx, now=0, lenient=True))
        for one in values
    ]

    def job(txn: Any) -> list[Value]:
        written = []
        for one, entity in parsed:
            there = txn.get(entity.id) is not None
            if there or one.things or one.value is not None:
                (replace if there else create)(txn, entity, ctx, _SOURCE)
                written.append(one)
        return written

    return await tenant.context.write(job)
