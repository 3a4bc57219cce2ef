"""The days that a period is told from: its own, and those up to LOOK_US before and after it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from rynek.indicators.kpi.period import Period
from rynek.indicators.kpi.states import DAY_US, LOOK_US

__all__ = ["Segment", "month_of", "segments"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)


class Segment(msgspec.Struct, frozen=True):
    """[start, end) in epoch µs: a day of the city's zone, `number` days after 1970-01-01, or (not
    `whole`) the part of one before or after the end of a period. `month` counts from year 0."""

    start: int
    end: int
    number: int
    month: int
    whole: bool
    inside: bool


def segments(period: Period) -> list[Segment]:
    """Side by side, ascending."""
    zone = ZoneInfo(period.zone)
    day = _date(period.start, zone) - timedelta(days=LOOK_US // DAY_US)
    last = _date(max(period.end - 1, period.start), zone) + timedelta(days=LOOK_US // DAY_US)
    found: list[Segment] = []
    start = _midnight(day, zone)
    while day <= last:
        after = day + timedelta(days=1)
        end = _midnight(after, zone)
        cuts = sorted(
            {start, end, *(one for one in (period.start, period.end) if start < one < end)}
        )
        for low, high in pairwise(cuts):
            inside = period.start <= low and high <= period.end
            number = (day - _EPOCH.date()).days
            whole = len(cuts) == 2
            found.append(Segment(low, high, number, day.year * 12 + day.month - 1, whole, inside))
        day, start = after, end
    return found


def month_of(moment: int, zone: str) -> int:
    """The month of a time (epoch µs), as segments count them."""
    day = _date(moment, ZoneInfo(zone))
    return day.year * 12 + day.month - 1


def _date(moment: int, zone: ZoneInfo) -> date:
    return (_EPOCH + moment * _MICRO).astimezone(zone).date()


def _midnight(day: date, zone: ZoneInfo) -> int:
    return (datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) // _MICRO
