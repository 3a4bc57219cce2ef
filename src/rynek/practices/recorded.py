"""A panel asked of recorded history: the same question over the same readings gives the same one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.context import DEFAULT_VOCAB
from rynek.history import AggregateQuery, History, Record, Selection
from rynek.practices.panel import Panel
from rynek.practices.saying import say
from rynek.practices.specification import Question
from rynek.practices.times import Clock, complete

__all__ = ["panel_of_history", "panel_of_record"]

_DURATIONS: Final = {
    "year": "P1Y", "quarter": "P3M", "month": "P1M", "week": "P1W", "day": "P1D", "hour": "PT1H",
}  # fmt: skip
_METHODS: Final = {"mean": "avg", "sum": "sum", "min": "min", "max": "max", "count": "totalCount"}
_MAX_CELLS: Final = 5_000_000


async def panel_of_history(history: History, question: Question) -> Panel:
    """The answer to `question`: a unit for each entity, a period for each length of time in the
    city's zone. BadRequestData where nothing was recorded."""
    answer = await history.aggregate(_query(question, history.zone))
    return _panel(answer, question, history.zone)


def panel_of_record(record: Record, question: Question, zone: ZoneInfo) -> Panel:
    """The same of the table as it stands on disk, also beside a running service."""
    return _panel(record.aggregate(_query(question, zone), zone), question, zone)


def _query(question: Question, zone: ZoneInfo) -> AggregateQuery:
    start, end = (_micros(one, zone) for one in (question.first, question.last))
    if start >= end:
        raise BadRequestData(say("history-order"))
    select = Selection(
        types=(_iri(question.entity_type),),
        attrs=(_iri(question.attribute),),
        entity_ids=None if question.places is None else tuple(question.places),
        start=start,
        end=end,
    )
    return AggregateQuery(
        select=select,
        methods=(_METHODS[question.aggregation],),
        group=("entity_id",),
        bucket=_DURATIONS[question.every],
    )


def _panel(answer: Any, question: Question, zone: ZoneInfo) -> Panel:
    if answer.num_rows > _MAX_CELLS:
        raise BadRequestData(say("history-cells", count=answer.num_rows, most=_MAX_CELLS))
    method = _METHODS[question.aggregation]
    rows = answer.select(["entity_id", "start", method]).to_pylist()
    rows = [row for row in rows if row[method] is not None]
    if not rows:
        raise BadRequestData(
            say(
                "history-none",
                attribute=question.attribute,
                kind=question.entity_type,
                first=question.first,
                last=question.last,
            )
        )
    return _arranged(rows, method, question, zone)


def _arranged(rows: list[dict[str, Any]], method: str, question: Question, zone: ZoneInfo) -> Panel:
    clock = Clock(question.every)
    units = tuple(sorted({row["entity_id"] for row in rows}))
    numbers = [clock.number(_local(row["start"], zone), "period") for row in rows]
    times = complete(np.unique(np.array(numbers)), clock)
    if len(units) * len(times) > _MAX_CELLS:
        raise BadRequestData(say("history-large", units=len(units), times=len(times)))
    values = np.full((len(units), len(times)), np.nan)
    place = {name: number for number, name in enumerate(units)}
    for row, number in zip(rows, numbers, strict=True):
        values[place[row["entity_id"]], int(np.searchsorted(times, number))] = float(row[method])
    labels = tuple(clock.label(float(one)) for one in times)
    return Panel(units, times, labels, {question.attribute: values}, clock)


def _iri(name: str) -> str:
    """A name as history has it: short ones belong to the default vocabulary."""
    return name if ":" in name else DEFAULT_VOCAB + name


def _micros(text: str, zone: ZoneInfo) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequestData(say("no-day", value=text[:40])) from None
    return int(found.replace(tzinfo=found.tzinfo or zone).timestamp()) * 1_000_000


def _local(micros: int, zone: ZoneInfo) -> datetime:
    """The wall clock of the city: a day is its day."""
    found = datetime.fromtimestamp(micros / 1e6, UTC).astimezone(zone)
    return found.replace(tzinfo=None)
