"""Periods of a city's calendar: days, weeks, months, quarters, years, or from … to."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from rynek.base.clock import parse_iso
from rynek.base.errors import BadRequestData
from rynek.history import Buckets, parse_duration

__all__ = ["HOUR_US", "Marks", "Period", "last_month", "marks_of", "parse_period"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
HOUR_US: Final = 3_600_000_000
_YEARS: Final = (1900, 9000)
_LONGEST: Final = 40 * 366 * 24 * HOUR_US
_FORMS: Final = (
    (re.compile(r"(\d{4})\Z", re.ASCII), "year"),
    (re.compile(r"(\d{4})-Q([1-4])\Z", re.ASCII), "quarter"),
    (re.compile(r"(\d{4})-(\d\d)\Z", re.ASCII), "month"),
    (re.compile(r"(\d{4})-W(\d\d)\Z", re.ASCII), "week"),
    (re.compile(r"(\d{4})-(\d\d)-(\d\d)\Z", re.ASCII), "day"),
)


class Period(msgspec.Struct, frozen=True):
    """[start, end) in epoch µs; days begin at midnight of `zone`. `kind` is day, week, month, quarter
    or year, or `span` for any other."""

    label: str
    start: int
    end: int
    zone: str
    kind: str = "span"

    def until(self, now: int) -> Period:
        """The part of it that has passed."""
        return msgspec.structs.replace(self, end=max(self.start, min(self.end, now)))


def parse_period(text: str, zone: str) -> Period:
    """`2022`, `2022-Q4`, `2022-11`, `2022-W45`, `2022-11-05`, or two of days or moments with `/`
    between them (the second day is the first that is not in it). BadRequestData."""
    try:
        if "/" in text:
            first, _, second = text.partition("/")
            start, end, kind = _moment(first, zone), _moment(second, zone), "span"
        else:
            first_day, last_day, kind = _days(text)
            start, end = _midnight(first_day, zone), _midnight(last_day, zone)
    except (ValueError, OverflowError):
        raise BadRequestData(
            f"Not a period: {text[:64]!r}; write 2022, 2022-Q4, 2022-11, 2022-W45, 2022-11-05 or"
            " 2022-11-05/2022-11-12"
        ) from None
    if not 0 < end - start <= _LONGEST:
        raise BadRequestData(f"The period {text[:64]!r} ends before it begins, or is too long")
    return Period(text, start, end, zone, kind)


def last_month(now: int, zone: str) -> Period:
    """The last month that has ended."""
    today = (_EPOCH + timedelta(microseconds=now)).astimezone(ZoneInfo(zone)).date()
    last = today.replace(day=1) - timedelta(days=1)
    return parse_period(f"{last.year:04}-{last.month:02}", zone)


def _days(text: str) -> tuple[date, date, str]:
    """The first day, the first one after it, and what it is."""
    for form, kind in _FORMS:
        match = form.match(text)
        if match is None:
            continue
        numbers = [int(one) for one in match.groups()]
        year = numbers[0]
        if not _YEARS[0] <= year <= _YEARS[1]:
            break
        if kind == "day":
            first = date(*numbers)
            return first, first + timedelta(days=1), kind
        if kind == "week":
            first = date.fromisocalendar(year, numbers[1], 1)
            return first, first + timedelta(days=7), kind
        months = {"year": 12, "quarter": 3, "month": 1}[kind]
        month = 1 if kind == "year" else (numbers[1] - 1) * months + 1
        after = year * 12 + month - 1 + months
        return date(year, month, 1), date(after // 12, after % 12 + 1, 1), kind
    raise ValueError(text)


def _moment(text: str, zone: str) -> int:
    if len(text) == len("2022-11-05"):
        return _midnight(date.fromisoformat(text), zone)
    return parse_iso(text)


def _midnight(day: date, zone: str) -> int:
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return (local - _EPOCH) // _MICRO


class Marks:
    """The days (P1D, of the zone: 23 to 25 hours) or hours (PT1H, of UTC) that a period is in."""

    def __init__(self, bucket: str, period: Period) -> None:
        span = (period.start, max(period.end, period.start + 1))
        zone = self._zone = ZoneInfo(period.zone)
        self._buckets = Buckets(parse_duration(bucket), zone, span)
        if bucket == "PT1H":
            first = period.start // HOUR_US * HOUR_US
            keys = range(first, span[1], HOUR_US)
        else:
            days = [(_EPOCH + us * _MICRO).astimezone(zone).date() for us in (span[0], span[1] - 1)]
            low, high = ((day - _EPOCH.date()).days for day in days)
            keys = range(low, high + 1)
        bounds = [(key, *self._buckets.bounds(key)) for key in keys]
        self.bounds = [
            (key, max(low, period.start), min(high, period.end)) for key, low, high in bounds
        ]
        self.whole = [
            key for key, low, high in bounds if low >= period.start and high <= period.end
        ]
        """Those that lie in the period from beginning to end."""
        self.shape = (bucket, self._buckets.shape())

    def within(self, hours: tuple[int, int]) -> list[tuple[int, int, int]]:
        """The bounds of those that begin in these hours of the city's day."""
        return [
            (key, low, high)
            for key, low, high in self.bounds
            if hours[0] <= (_EPOCH + low * _MICRO).astimezone(self._zone).hour < hours[1]
        ]

    def key(self, us: Any) -> Any:
        """The bucket of a time, as an Ibis expression."""
        return self._buckets.key(us).cast("int64")


@lru_cache(maxsize=64)
def marks_of(bucket: str, period: Period) -> Marks:
    """The marks of a period: many indicators have the same."""
    return Marks(bucket, period)
