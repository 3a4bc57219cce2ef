"""Time buckets: ISO 8601 durations, fixed or by the calendar of a zone."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from rynek.base.errors import BadRequestData, TooComplexQuery

from .schema import DAY_US
from .select import to_datetime

if TYPE_CHECKING:
    import ibis.expr.types as ir

_DURATION = re.compile(
    r"P(?:(\d+)W|(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?"
    r"(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,6})\d*)?S)?)?)\Z",
    re.ASCII,
)
_LONGEST_TEXT = 200
_LONGEST_YEARS = 10_000
_FIRST_DAY = (datetime.min - datetime(1970, 1, 1)).days
_LAST_DAY = (datetime.max - datetime(1970, 1, 1)).days
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Clocks are known to change between these years; before and after they stay as they are then. One
# reading of the year 9999 would make them change sixteen thousand times otherwise.
_FIRST_CHANGE = (datetime(1800, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST_CHANGE = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_SECOND = 1_000_000
_MAX_MIXED = 1_000
_MONDAY = 4
"""1970-01-05 was a Monday: day numbers of Mondays leave 4 when divided by 7."""


class Duration(msgspec.Struct, frozen=True):
    """A length of time: calendar months, calendar days, and microseconds besides."""

    months: int = 0
    days: int = 0
    micros: int = 0

    @property
    def whole(self) -> bool:
        """Zero length: the whole range in one bucket (CIM 009 §4.5.19)."""
        return not (self.months or self.days or self.micros)


def parse_duration(text: str) -> Duration:
    """An ISO 8601 duration, `P[n]Y[n]M[n]DT[n]H[n]M[n]S` or `P[n]W`; BadRequestData if it is none
    or longer than the calendar."""
    match = _DURATION.match(text) if len(text) <= _LONGEST_TEXT else None
    if match is None or not any(match.groups()):
        raise BadRequestData(f"Not an ISO 8601 duration: {text[:64]!r}")
    weeks, years, months, days, hours, minutes, seconds, fraction = match.groups()
    found = Duration(
        months=int(years or 0) * 12 + int(months or 0),
        days=int(weeks or 0) * 7 + int(days or 0),
        micros=(int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)) * _SECOND
        + int((fraction or "0").ljust(6, "0")),
    )
    if found.months / 12 + (found.days + found.micros / DAY_US) / 366 > _LONGEST_YEARS:
        raise BadRequestData(f"A duration of more than {_LONGEST_YEARS} years: {text[:64]!r}")
    return found


class Buckets:
    """Buckets of one length. Without `origin` they follow the calendar of `zone`: months and
    years, days from local midnight, weeks from Monday; hours and less are those of UTC. With
    `origin` (epoch µs) the first starts there and a day is 24 hours, a month a calendar month.
    Months together with days or less start at the origin, or at `start`.

    [start, end) is the span of time that they are for.
    """

    def __init__(
        self, length: Duration, zone: ZoneInfo, span: tuple[int, int], origin: int | None = None
    ) -> None:
        if length.whole:
            raise BadRequestData("A bucket of no length")
        self.length = length
        self.zone = zone
        self.span = span
        self.origin = origin
        self._by_day = bool(length.days) and not length.micros and origin is None
        self._width = length.days * DAY_US + length.micros
        self._bounds: list[int] = []
        if length.months and self._width:
            self._bounds = self._mixed(span[0] if origin is None else origin, span[1])

    def _mixed(self, first: int, end: int) -> list[int]:
        """Where the buckets start, and the end of the last."""
        bounds = [first]
        while bounds[-1] < end:
            if len(bounds) > _MAX_MIXED:
                raise TooComplexQuery(f"More than {_MAX_MIXED} periods; ask for longer ones")
            number = len(bounds)
            month = add_months(first, number * self.length.months)
            bounds.append(month + number * self._width)
        return bounds

    def key(self, us: ir.IntegerColumn) -> Any:
        """Something equal for times of one bucket and rising with them, as an Ibis expression."""
        if self._bounds:
            import ibis

            later = [(us < bound, number) for number, bound in enumerate(self._bounds[1:-1])]
            last = len(self._bounds) - 2
            return ibis.cases(*later, else_=last) if later else ibis.literal(0)
        if self.length.months:
            base = 0 if self.origin is None else self._within_month(self.origin)
            moment = ((self._local(us) - base) // 1000).as_timestamp("ms")
            return (moment.year() * 12 + moment.month() - 1) // self.length.months
        if self._by_day:
            day = self._local(us) // DAY_US
            return (day - self._day_shift()) // self.length.days
        # A remainder of whole numbers: dividing them would be done with fractions.
        return us - (us - self._low) % self._width

    @property
    def steady(self) -> tuple[int, int] | None:
        """The start of some bucket, and the width, where all are of one width."""
        if self._bounds or self.length.months or self._by_day:
            return None
        return self._low, self._width

    @property
    def _low(self) -> int:
        """The start of some bucket not after the span."""
        origin = self.origin or 0
        return origin + (self.span[0] - origin) // self._width * self._width

    def shape(self) -> tuple[object, ...]:
        """What `key` depends on besides the length: equal shapes give equal expressions."""
        if self._bounds:
            return tuple(self._bounds)
        if self.length.months or self._by_day:
            changes = offsets(self.zone, *self.span)
            return (self.zone.key, self.origin, changes[0][1], *changes[1:])
        return (self._low,)

    def bounds(self, key: int) -> tuple[int, int]:
        """Start and end of the bucket with this key, in epoch µs."""
        if self._bounds:
            return self._bounds[key], self._bounds[key + 1]
        if self.length.months or self._by_day:
            return self.start(key), self.start(key + 1)
        return key, key + self._width

    def start(self, index: int) -> int:
        """Where a bucket of the calendar starts, in epoch µs."""
        if self.length.months:
            year, month = divmod(index * self.length.months, 12)
            base = 0 if self.origin is None else self._within_month(self.origin)
            naive = datetime(min(max(year, 1), 9999), month + 1, 1) + timedelta(microseconds=base)
            return self._to_utc(naive)
        if self._by_day:
            day = index * self.length.days + self._day_shift()
            day = min(max(day, _FIRST_DAY), _LAST_DAY)
            return self._to_utc(datetime(1970, 1, 1) + timedelta(days=day))
        raise ValueError("buckets of one width have no numbers")

    def _day_shift(self) -> int:
        return _MONDAY if self.length.days % 7 == 0 else 0

    def _to_utc(self, naive: datetime) -> int:
        us = (naive.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
        if not _FIRST_CHANGE < us < _LAST_CHANGE:
            return us - _offset(self.zone, us)
        return (naive.replace(tzinfo=self.zone) - _EPOCH) // timedelta(microseconds=1)

    def _within_month(self, micros: int) -> int:
        local = to_datetime(micros + _offset(self.zone, micros))
        first = datetime(local.year, local.month, 1, tzinfo=UTC)
        return (local - first) // timedelta(microseconds=1)

    def _local(self, us: ir.IntegerColumn) -> Any:
        """Local wall-clock time as if it were UTC: one shift between two changes of the clocks."""
        import ibis

        changes = offsets(self.zone, *self.span)
        if len(changes) == 1:
            return us + changes[0][1]
        branches = [(us < until, shift) for (_, shift), (until, _) in pairwise(changes)]
        return us + ibis.cases(*branches, else_=changes[-1][1])


def add_months(micros: int, months: int) -> int:
    """The same time of day (UTC) so many calendar months later, at the month's end at the latest."""
    moment = _EPOCH + timedelta(microseconds=micros)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    year, month = min(year, 9999), month + 1
    day = min(moment.day, monthrange(year, month)[1])
    return (moment.replace(year=year, month=month, day=day) - _EPOCH) // timedelta(microseconds=1)


def offsets(zone: ZoneInfo, start: int, end: int) -> list[tuple[int, int]]:
    """When the zone's clocks change in [start, end]: (from, offset), both in µs."""
    step = 7 * DAY_US
    found = [(start, _offset(zone, start))]
    at, last = max(start, _FIRST_CHANGE), min(end, _LAST_CHANGE)
    while at < last:
        later = min(at + step, last)
        shift = _offset(zone, later)
        if shift != found[-1][1]:
            found.append((_first(zone, at, later), shift))
        at = later
    return found


def _first(zone: ZoneInfo, low: int, high: int) -> int:
    wanted = _offset(zone, high)
    while high - low > _SECOND:
        middle = (low + high) // 2
        if _offset(zone, middle) == wanted:
            high = middle
        else:
            low = middle
    return high // _SECOND * _SECOND


def _offset(zone: ZoneInfo, micros: int) -> int:
    known = min(max(micros, _FIRST_CHANGE), _LAST_CHANGE)
    moment = (_EPOCH + timedelta(microseconds=known)).astimezone(zone)
    return (moment.utcoffset() or timedelta(0)) // timedelta(microseconds=1)
