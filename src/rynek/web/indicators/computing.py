"""Values of cities: computed beside the event loop, one scan at a time, and kept for a while."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from rynek.base.errors import Problem, ResourceNotFound, Unavailable
from rynek.base.storage import storage_problem
from rynek.context import DEFAULT_VOCAB
from rynek.history import EngineSettings, Record
from rynek.indicators import (
    Definition,
    KeptDays,
    Period,
    Sources,
    Value,
    compute_indicator_trend,
    definitions,
)

__all__ = ["COMMON", "GIVEN", "LATER", "NOW", "SOON", "Computing", "Found", "types_of"]

_logger = logging.getLogger(__name__)
NOW, SOON, LATER = 0, 1, 2
"""What is computed first: what somebody waits for, what a page shows beside it, trends."""

COMMON: Final = ("PT1H", "PT24H", "P7D", "P30D", "P365D", "today")
"""The periods that pages offer: they come before any other, and a quarter of the queue is theirs,
so that who asks for very many periods does not take the pages from everybody."""

GIVEN: Final = ""
"""In the place of a type: indicators that are asked of people or imported."""

_RUNNING_S: Final = 60.0
_OVER_S: Final = 600.0
_FAILED_S: Final = 10.0
_STALE_S: Final = 900.0
_TYPES_S: Final = 30.0
# Pages and programs ask again every few seconds for what they still want.
_FORGOTTEN_S: Final = 120.0
_SETTLED_US: Final = 3_600_000_000
_MOST_WAITING: Final = 400
_MOST_OTHERS: Final = 300
_MOST_KEPT: Final = 2_000
_MOST_THINGS: Final = 200_000
_MOST_TOGETHER: Final = 64
_LIMITS: Final = EngineSettings(memory="512MB", threads=1, connections=1, seconds=120.0)

Key = tuple[str, str, int, str]


class Found(NamedTuple):
    """What there is of a city's values for a period: `done` of `total` parts are computed. `at` is
    the oldest time (epoch µs, the city's clock) that one was computed at, and `period` what was
    asked for then: what ends now has moved on since. None without any."""

    values: list[Value]
    done: int
    total: int
    at: int | None
    problem: Problem | None = None
    period: Period | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is still being computed."""
        return self.done == self.total


class _Part(msgspec.Struct, eq=False):
    """The indicators over one type of things in one period: their values, once they are there."""

    folder: Path
    type: str
    sources: Sources
    period: Period
    now: int
    ready: asyncio.Event
    values: tuple[Value, ...] = ()
    problem: Problem | None = None
    computed: float = 0.0
    at: int | None = None
    computed_for: Period | None = None
    asked: float = 0.0
    """When somebody asked for it last."""
    waiting: int | None = None
    """How urgently it is waited for; None while it is not in the queue."""

    @property
    def things(self) -> int:
        """How many parts of things its values hold: what it weighs."""
        return sum(len(one.things) for one in self.values)

    def fresh(self, now: float) -> bool:
        """Whether it need not be computed again."""
        if not self.ready.is_set():
            return False
        return now - self.computed < self._keeps()

    def _keeps(self) -> float:
        if self.problem is not None:
            return _FAILED_S
        over = self.period.end + _SETTLED_US < self.now
        known = all(one.status == "ok" for one in self.values if one.things)
        return _OVER_S if over and known and self.values else _RUNNING_S


class Computing:
    """Values of the cities of one engine. Whoever asks gets what there is, and waits no longer than
    it says; what is too old is computed again meanwhile."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._parts: OrderedDict[Key, _Part] = OrderedDict()
        self._queue: asyncio.PriorityQueue[tuple[int, bool, int, _Part]] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._number = itertools.count()
        self._things = 0
        self._types: dict[str, tuple[float, set[str]]] = {}

    async def find(
        self,
        tenant: Any,
        period: Period,
        wanted: Iterable[Definition],
        *,
        patience: float,
        urgency: int = NOW,
    ) -> Found:
        """The values for a period, by theme and id. Indicators of whose things the city has none are
        not among them. Unavailable where too many wait already."""
        asked = list(wanted)
        types = types_of(asked) & (self.known_types(tenant) | {GIVEN})
        parts = [self._part(tenant, period, each, urgency) for each in sorted(types)]
        late = [part for part in parts if not part.ready.is_set()]
        if late and patience > 0:
            waits = [asyncio.ensure_future(part.ready.wait()) for part in late]
            _, left = await asyncio.wait(waits, timeout=patience)
            for one in left:
                one.cancel()
        ids = {one.id for one in asked}
        values = [value for part in parts for value in part.values if value.definition.id in ids]
        values.sort(key=lambda one: (one.definition.theme, one.definition.id))
        done = [part for part in parts if part.ready.is_set()]
        oldest = min((part for part in done if part.at is not None), key=_time, default=None)
        at, of = (None, None) if oldest is None else (oldest.at, oldest.computed_for)
        problem = next((part.problem for part in done if part.problem is not None), None)
        return Found(values, len(done), len(parts), at, problem, of)

    def _sources(self, tenant: Any) -> Sources:
        # Surveys ask many communities: what they answered is no figure of one city.
        return Sources(self._engine.references, tuple(tenant.city.known_as))

    def known_types(self, tenant: Any) -> set[str]:
        """The types of which a city has things, in short names; looked at twice a minute."""
        at, types = self._types.get(tenant.name, (0.0, set()))
        now = time.monotonic()
        if not types or now - at > _TYPES_S:
            types = {one.type.removeprefix(DEFAULT_VOCAB) for one in tenant.context.types()}
            self._types[tenant.name] = (now, types)
        return types

    def _part(self, tenant: Any, period: Period, type_name: str, urgency: int) -> _Part:
        """The part, queued where it is not there or not fresh."""
        # Rolling periods keep their name while they move: what is kept of them is by name.
        fixed = 0 if period.label.startswith(("P", "today")) else period.start
        key = (str(tenant.name), period.label, fixed, type_name)
        part, now = self._parts.get(key), time.monotonic()
        if part is None:
            part = _Part(
                Path(tenant.folder),
                type_name,
                self._sources(tenant),
                period,
                tenant.clock.now(),
                asyncio.Event(),
            )
            self._parts[key] = part
            self._forget()
        self._parts.move_to_end(key)
        part.asked = now
        if part.fresh(now):
            return part
        if now - part.computed > _STALE_S:
            part.ready.clear()
        if part.ready.is_set():
            # Nobody waits for what is there already: what was never computed comes first.
            urgency = max(urgency, SOON)
        if part.waiting is None or part.waiting > urgency:
            other = period.label not in COMMON
            if part.waiting is None and self._waiting() >= (
                _MOST_OTHERS if other else _MOST_WAITING
            ):
                raise Unavailable("too many indicators are being computed; ask again in a minute")
            part.waiting, part.period, part.now = urgency, period, tenant.clock.now()
            self._start().put_nowait((urgency, other, next(self._number), part))
        return part

    def _waiting(self) -> int:
        return 0 if self._queue is None else self._queue.qsize()

    def _start(self) -> asyncio.PriorityQueue[tuple[int, bool, int, _Part]]:
        if self._queue is None:
            self._queue = asyncio.PriorityQueue()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(
                self._work(self._queue), name="indicators"
            )
        return self._queue

    async def _work(self, queue: asyncio.PriorityQueue[tuple[int, bool, int, _Part]]) -> None:
        """One part after the other, the most urgent first."""
        while not self._engine.stopping.is_set():
            urgency, _, _, part = await queue.get()
            if part.waiting != urgency:
                continue  # it was asked for more urgently, and is done
            if time.monotonic() - part.asked > _FORGOTTEN_S:
                # Who asked for very much and left must not hold up the others.
                part.waiting = None
                continue
            await self._compute([part, *self._alike(part)])

    def _alike(self, part: _Part) -> list[_Part]:
        """What else waits as patiently for the same things of the same city: steps of a trend, which
        are computed together since they share days."""
        if part.waiting != LATER:
            return []
        every = self._parts.values()
        alike = (
            one
            for one in every
            if one is not part and (one.folder, one.type) == (part.folder, part.type)
        )
        return [one for one in alike if one.waiting == LATER][: _MOST_TOGETHER - 1]

    async def _compute(self, parts: list[_Part]) -> None:
        problem: Problem | None = None
        values: list[tuple[Value, ...]] = [()] * len(parts)
        try:
            values = await asyncio.to_thread(_computed, parts)
        except Problem as found:
            problem = found
        except Exception as error:
            problem = _as_problem(error, parts[0])
        for part, own in zip(parts, values, strict=True):
            self._things -= part.things
            part.values, part.problem = own, problem
            self._things += part.things
            part.waiting, part.computed = None, time.monotonic()
            part.at, part.computed_for = part.now, part.period
            part.ready.set()
        self._forget()

    def _forget(self) -> None:
        """Keep no more than what memory is meant for it, the last used."""
        for key in list(self._parts):
            if len(self._parts) <= _MOST_KEPT and self._things <= _MOST_THINGS:
                return
            if self._parts[key].waiting is None:
                self._things -= self._parts.pop(key).things


def _time(part: _Part) -> int:
    return part.at or 0


def _computed(parts: list[_Part]) -> list[tuple[Value, ...]]:
    """The values of one type's indicators in some periods, from the table as it is on disk."""
    first = parts[0]
    wanted = [one for one in definitions() if _type_of(one) == first.type]
    periods, now = [part.period for part in parts], max(part.now for part in parts)
    found: list[list[Value]] = [[] for _ in parts]
    with ExitStack() as stack:
        record = kept = None
        if first.type != GIVEN:
            try:
                record = stack.enter_context(Record(first.folder / "history", _LIMITS))
            except ResourceNotFound:
                return [() for _ in parts]  # nothing was written to a table yet
            kept = stack.enter_context(KeptDays(first.folder))
        every = compute_indicator_trend(record, wanted, periods, now, first.sources, kept)
        counted: dict[str, int] = {}
        for value in every:
            # For each indicator they come in the order of the periods.
            name = value.definition.id
            at = counted[name] = counted.get(name, -1) + 1
            found[at].append(value)
    return [tuple(values) for values in found]


def _as_problem(error: Exception, part: _Part) -> Problem:
    known = storage_problem(error, part.folder)
    if known is not None:
        return known
    _logger.error("indicators over %s of %s", part.type, part.period.label, exc_info=error)
    return Unavailable("the indicators could not be computed; the log of the service says why")


def _type_of(one: Definition) -> str:
    return one.computation.type if one.computation is not None else GIVEN


def types_of(wanted: Sequence[Definition]) -> set[str]:
    """The types of things that indicators are computed from; GIVEN stands for what is asked of
    people or imported."""
    return {_type_of(one) for one in wanted}
