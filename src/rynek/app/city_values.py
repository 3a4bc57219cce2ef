"""What is measured of each city, computed beside the event loop: what cities are compared by."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rynek.base.clock import MICRO
from rynek.base.errors import Problem, ResourceNotFound
from rynek.history import EngineSettings, Record
from rynek.indicators import (
    LABELS,
    KeptDays,
    Period,
    Sources,
    Value,
    compute_indicator_trend,
    definitions,
    inhabitants,
)

if TYPE_CHECKING:
    from rynek.app.engine import Engine

__all__ = ["keep_city_values"]

_logger = logging.getLogger(__name__)
_LIMITS: Final = EngineSettings(memory="512MB", threads=1, connections=1, seconds=120.0)
_DAY_US: Final = 86_400 * MICRO
_MINUTE_US: Final = 60 * MICRO


async def keep_city_values(engine: Engine, *, missing: bool = False) -> int:
    """Compute and keep the values of every city, or of those that are `missing`, one after the
    other: of how many that was done. One whose recordings are still being loaded waits; one whose
    files cannot be read keeps what it had, and is named in the log."""
    done = 0
    known = (await asyncio.to_thread(engine.profiles.all)).keys()
    if known - engine.tenants.keys():
        await asyncio.to_thread(engine.profiles.forget, known - engine.tenants.keys())
    for name, tenant in list(engine.tenants.items()):
        if tenant.loading or (missing and name in known):
            continue
        # A tenant that nobody asked for yet is not started for this.
        now = tenant.clock.now() if tenant.begun else engine.clock.now()
        sources = Sources(engine.references, tuple(tenant.city.known_as))
        try:
            values, people = await asyncio.to_thread(
                _values, tenant.folder, tenant.city.zone, now, sources
            )
        except Problem as problem:
            _logger.warning("the indicators of %s were not renewed: %s", name, problem)
            continue
        await asyncio.to_thread(
            engine.profiles.keep,
            name,
            values,
            country=tenant.city.country,
            known_as=tenant.city.known_as,
            population=people,
        )
        done += 1
    return done


def _values(
    folder: Path, zone: str, now: int, sources: Sources
) -> tuple[dict[str, list[Value]], float | None]:
    """The values of each of LABELS up to `now`, from the table as it is on disk, and the people."""
    end = now // _MINUTE_US * _MINUTE_US
    periods = [Period(label, end - int(label[1:-1]) * _DAY_US, end, zone) for label in LABELS]
    with ExitStack() as stack:
        record = kept = None
        try:
            record = stack.enter_context(Record(folder / "history", _LIMITS))
            kept = stack.enter_context(KeptDays(folder))
        except ResourceNotFound:
            pass  # nothing was written to a table yet: what is imported is there all the same
        every = list(
            compute_indicator_trend(record, list(definitions()), periods, now, sources, kept)
        )
    found: dict[str, list[Value]] = {label: [] for label in LABELS}
    counted: dict[str, int] = {}
    for value in every:
        # For each indicator they come in the order of the periods.
        at = counted[value.definition.id] = counted.get(value.definition.id, -1) + 1
        found[LABELS[at]].append(value)
    people = inhabitants(periods[0], sources)
    return found, None if people is None else people.amount
