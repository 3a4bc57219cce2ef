"""What the pages of a city's indicators need: its values, those before, and those of its peers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from rynek.base.errors import Problem
from rynek.indicators import Definition, Period, Value, definitions
from rynek.web.indicators.computing import LATER, SOON, Computing, Found, types_of
from rynek.web.indicators.periods import read_period, steps_of, trend

__all__ = ["Gathered", "Step", "choose_period", "computable", "gather", "told"]

_PATIENCE_S: Final = 3.0
_CANDIDATES: Final = ("P7D", "PT24H", "PT1H")
_ENOUGH: Final = 0.5
_MOST_PEERS: Final = 30


class Step(NamedTuple):
    """One step of a trend; values by indicator. `pending`: it is still being computed."""

    period: Period
    values: Mapping[str, Value]
    pending: bool = False


class Gathered(NamedTuple):
    """A city in a period. `pending`: something beside its own values is still being computed."""

    period: Period
    found: Found
    steps: Sequence[Step]
    peers: Mapping[str, Sequence[Value]]
    pending: bool


def computable() -> list[Definition]:
    """Every indicator: computed from readings, asked of people, imported."""
    return list(definitions())


def told(value: Value) -> bool:
    """Whether there is anything to say: things that were looked at, or a figure that was given."""
    return bool(value.things) or value.value is not None


async def choose_period(computing: Computing, tenant: Any) -> tuple[str, Found | None]:
    """The longest of some periods up to now of which enough was observed, so that half of what
    there is has a number; where none is so, the one with most. None while it is being computed."""
    best, most = _CANDIDATES[0], -1
    for name in _CANDIDATES:
        period = read_period(name, tenant.clock.now(), tenant.city.zone)
        found = await computing.find(tenant, period, computable(), patience=_PATIENCE_S)
        if not found.complete:
            return name, None
        there = [one for one in found.values if one.things and one.definition.computation]
        known = sum(one.status == "ok" for one in there)
        if there and known >= _ENOUGH * len(there):
            return name, found
        if known > most:
            best, most = name, known
    return best, None if most < 0 else found


async def gather(
    computing: Computing,
    tenant: Any,
    others: Mapping[str, Any],
    asked: str,
    wanted: Sequence[Definition] | None = None,
) -> Gathered:
    """The values of a city in a period, waiting a moment for its own and for nothing else."""
    wanted = computable() if wanted is None else wanted
    zone = tenant.city.zone
    period = read_period(asked, tenant.clock.now(), zone)
    found = await computing.find(tenant, period, wanted, patience=_PATIENCE_S)
    if not found.complete:
        return Gathered(period, found, [], {}, pending=True)
    # What ends now was computed a moment ago: the page tells of the time that its values are of.
    period = found.period or period
    peers, late = await _peers(computing, tenant, others, asked, wanted)
    steps = []
    for one in trend(steps_of(period), period.start, zone):
        part = await computing.find(tenant, one, wanted, patience=0, urgency=LATER)
        late = late or not part.complete
        values = {value.definition.id: value for value in part.values}
        steps.append(Step(one, values, not part.complete))
    return Gathered(period, found, steps, peers, late)


async def _peers(
    computing: Computing,
    tenant: Any,
    others: Mapping[str, Any],
    asked: str,
    wanted: Sequence[Definition],
) -> tuple[dict[str, Sequence[Value]], bool]:
    """The values of other cities that have things of the same types, each up to its own now."""
    types = types_of(wanted) & computing.known_types(tenant)
    found: dict[str, Sequence[Value]] = {}
    late = False
    for name, other in list(others.items())[:_MOST_PEERS]:
        try:
            shared = types & computing.known_types(other)
            same = [one for one in wanted if types_of([one]) & shared]
            if name == tenant.name or not same:
                continue
            period = read_period(asked, other.clock.now(), other.city.zone)
            part = await computing.find(other, period, same, patience=0, urgency=SOON)
        except Problem:
            continue  # a city whose files are damaged, or where that period has not begun
        late = late or not part.complete
        if part.values:
            found[name] = part.values
    return found, late
