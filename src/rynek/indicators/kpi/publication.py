"""Publishing values on a schedule: which periods are due, and what became of each city's last run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from rynek.base.database import Database
from rynek.base.errors import ResourceNotFound
from rynek.history import EngineSettings, Record
from rynek.indicators.definition import Definition
from rynek.indicators.kpi.compute import compute
from rynek.indicators.kpi.kept import KeptDays
from rynek.indicators.kpi.known import Sources
from rynek.indicators.kpi.period import HOUR_US, Period, last_month, parse_period
from rynek.indicators.kpi.value import Value

__all__ = ["Publication", "Publications", "due_periods", "published_values"]

_SETTLED_US: Final = HOUR_US
"""So long after the end of a period late readings are waited for."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIMITS: Final = EngineSettings(memory="512MB", threads=1, connections=1, seconds=120.0)


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the last run of a city for one length of period: `at` (epoch µs) it was made,
    `published` entities were written, `without` of them have no value. `problem` says why it failed;
    the entities are then those of before."""

    city: str
    kind: str
    period: str
    at: int
    published: int = 0
    without: int = 0
    problem: str = ""


class Publications:
    """The last run of each city and length of period."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, run: Publication) -> None:
        """Write down a run in the place of the one before."""
        with self._database.writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO publication VALUES (?, ?, ?, ?, ?, ?, ?)",
                msgspec.structs.astuple(run),
            )

    def all(self) -> list[Publication]:
        """Every last run, by city, days before months."""
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT city, kind, period, at, published, without, problem FROM publication"
                " ORDER BY city, kind"
            ).fetchall()
        names = Publication.__struct_fields__
        return [Publication(**dict(zip(names, row, strict=True))) for row in rows]


def due_periods(runs: list[Publication], city: str, now: int, zone: str) -> list[Period]:
    """The last whole day and month of a city's calendar that were not published yet. An hour passes
    after midnight first."""
    settled = now - _SETTLED_US
    today = (_EPOCH + timedelta(microseconds=settled)).astimezone(ZoneInfo(zone)).date()
    yesterday = (today - timedelta(days=1)).isoformat()
    done = {(run.kind, run.period) for run in runs if run.city == city and not run.problem}
    wanted = [parse_period(yesterday, zone), last_month(settled, zone)]
    return [one for one in wanted if (one.kind, one.label) not in done]


def published_values(
    home: Path,
    wanted: Sequence[Definition],
    period: Period,
    now: int,
    sources: Sources,
    progress: Callable[[int], None],
) -> list[Value]:
    """The values of indicators of the city in the folder `home`, from its table on disk and its
    kept days; `progress` is told how many are computed."""
    found: list[Value] = []
    with ExitStack() as stack:
        try:
            record = stack.enter_context(Record(home / "history", _LIMITS))
        except ResourceNotFound:
            return []  # nothing was written to a table yet
        kept = stack.enter_context(KeptDays(home))
        for value in compute(record, wanted, period, now, sources, kept):
            found.append(value)
            progress(len(found))
    return sorted(found, key=lambda one: (one.definition.theme, one.definition.id))
