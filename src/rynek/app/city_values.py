"""What is measured of each city, which cities are compared by: computed in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rynek.app.child import run_command
from rynek.base.clock import MICRO, to_iso
from rynek.history import EngineSettings, Record
from rynek.indicators import (
    FEWEST_CITIES,
    LABELS,
    KeptDays,
    Period,
    Profiles,
    References,
    Sources,
    Value,
    compute_indicator_trend,
    definitions,
    inhabitants,
    open_indicators,
)
from rynek.web import read_city

if TYPE_CHECKING:
    from rynek.app.engine import Engine

__all__ = ["keep_city_values", "measure_city"]

_logger = logging.getLogger(__name__)
_LIMITS: Final = EngineSettings(memory="512MB", threads=1, connections=1, seconds=120.0)
_DAY_US: Final = 86_400 * MICRO
_MINUTE_US: Final = 60 * MICRO
_NICE: Final = 19
_TOGETHER: Final = 10
"""So many cities are measured by one process: it costs more to begin than most cities do."""


async def keep_city_values(engine: Engine, *, before: int | None = None) -> int:
    """Have the values of every city computed and kept, or of those last measured `before` (epoch
    µs) or never, one after the other: how many are left for later, as their recordings are still
    being loaded.

    Nothing is computed where there are fewer cities than a comparison needs. One whose files cannot
    be read keeps what it had, and is named in the log."""
    kept = await asyncio.to_thread(engine.profiles.all)
    if kept.keys() - engine.tenants.keys():
        await asyncio.to_thread(engine.profiles.forget, kept.keys() - engine.tenants.keys())
    known = {name for name, one in kept.items() if before is not None and one.at > max(before, 0)}
    if len(engine.tenants) < FEWEST_CITIES:
        return 0
    later, due = 0, {}
    for name, tenant in list(engine.tenants.items()):
        if name in known:
            continue
        if any(not one.error for one in tenant.loading):
            later += 1
            continue
        # A tenant that nobody asked for yet is not started for this.
        due[name] = tenant.clock.now() if tenant.begun else engine.clock.now()
    names = list(due)
    for first in range(0, len(names), _TOGETHER):
        await _measure(engine, {n: due[n] for n in names[first : first + _TOGETHER]})
    return later


async def _measure(engine: Engine, due: dict[str, int]) -> None:
    began = engine.clock.now()
    moments = [part for now in due.values() for part in ("--until", to_iso(now))]
    command = ("practice", "measure", *due, *moments)
    try:
        ended = await run_command(engine.folder.path, *command, nice=_NICE)
    except TimeoutError:
        _logger.warning("measuring %s took too long and was ended", ", ".join(due))
        if len(due) > 1:
            # Whichever it was, those behind it are not to wait for it for ever.
            kept = await asyncio.to_thread(engine.profiles.all)
            for name, now in due.items():
                if name not in kept or kept[name].at < began:
                    await _measure(engine, {name: now})
        return
    if ended.code:
        _logger.warning("cities were not measured anew: %s", ended.told)


def measure_city(folder: Path, name: str, now: int, *, told: bool = False) -> int:
    """Compute and keep the values of one city of a data folder up to `now` (epoch µs), also while
    it is served: how many indicators have one. With `told` only what tables tell, at once, where
    nothing is kept of the city. Problem where its files cannot be read."""
    home = folder / "tenants" / name
    city = read_city(home, name)
    with closing(Profiles(folder)) as profiles:
        before = profiles.all().get(name)
        if told and before is not None:
            return len(before.measured.values)
        sources = Sources(References(open_indicators(folder)), tuple(city.known_as))
        values, people = _values(home, city.zone, now, sources, told=told)
        profiles.keep(
            name,
            values,
            country=city.country,
            known_as=city.known_as,
            population=people,
            whole=not told,
        )
        return len(profiles.all()[name].measured.values)


def _values(
    folder: Path, zone: str, now: int, sources: Sources, *, told: bool
) -> tuple[dict[str, list[Value]], float | None]:
    """The values of each of LABELS up to `now`, from the table as it is on disk (with `told` only
    those that tables tell), and the people."""
    end = now // _MINUTE_US * _MINUTE_US
    periods = [Period(label, end - int(label[1:-1]) * _DAY_US, end, zone) for label in LABELS]
    wanted = [one for one in definitions() if not told or one.source == "imported"]
    with ExitStack() as stack:
        record = kept = None
        if not told and (folder / "history").is_dir():
            record = stack.enter_context(Record(folder / "history", _LIMITS))
            kept = stack.enter_context(KeptDays(folder))
        # Without a table what is imported is there all the same.
        every = list(compute_indicator_trend(record, wanted, periods, now, sources, kept))
    found: dict[str, list[Value]] = {label: [] for label in LABELS}
    counted: dict[str, int] = {}
    for value in every:
        # For each indicator they come in the order of the periods.
        at = counted[value.definition.id] = counted.get(value.definition.id, -1) + 1
        found[LABELS[at]].append(value)
    people = inhabitants(periods[0], sources)
    return found, None if people is None else people.amount
