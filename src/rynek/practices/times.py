"""Times of a panel: years, quarters, months, ISO weeks, days, hours, moments, or plain numbers.

Each kind counts its periods by whole numbers, so that a period in which nothing was recorded is a
gap and not a shorter way from one to the next.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.practices.arrays import Array
from rynek.practices.saying import say
from rynek.practices.written import as_iso, months_with_points, two_ways

__all__ = ["KINDS", "PLAIN", "YEARS", "Clock", "Kind", "clock_of", "complete", "moment"]

Kind = Literal["number", "year", "quarter", "month", "week", "day", "hour", "moment"]
KINDS: Final = ("year", "quarter", "month", "week", "day", "hour")
_EPOCH: Final = 719_163
_YEARS: Final = (1000, 3000)
_PERIOD: Final = re.compile(r"(\d{4})-?(?:(M|Q|W)?(\d{1,2}))(?:-([1-7]))?", re.IGNORECASE)
_DOTTED: Final = re.compile(
    r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?"
)
# A panel may be mostly gaps, but not made of them.
_MOST_GAPS: Final = 3


@dataclass(frozen=True)
class Clock:
    """How the times of a panel are counted. `kind` number takes numbers as they are, moment days
    since 1970 with their fraction; the others count whole periods. `form` is how the panel writes
    its times, where that was said: others may be written so too."""

    kind: Kind = "number"
    form: str | None = None

    def number(self, value: Any, what: str, *, last: bool = False) -> float:
        """The number of the period that `value` lies in; `last` takes the end of a longer one (a
        year among months). BadRequestData where it is no time of this kind."""
        if self.kind == "number":
            return moment(value, what)
        wall = self.kind not in {"hour", "moment"}
        if self.form is not None and isinstance(value, str):
            try:
                return self.of_days(_formed(value.strip(), self.form, what, wall=wall))
            except BadRequestData:
                pass
        months = months_with_points([value])
        value = months[0] if months else value
        return self.of_days(_day(value, what, last=last, dated=True, wall=wall))

    def of_days(self, days: float) -> float:
        """The number of the period of a day since 1970."""
        if self.kind == "moment":
            return days
        if self.kind == "hour":
            return math.floor(days * 24 + 1e-6)
        whole = math.floor(days)
        if self.kind == "day":
            return whole
        if self.kind == "week":
            return (whole + 3) // 7
        day = _date(whole)
        if self.kind == "year":
            return day.year
        if self.kind == "quarter":
            return day.year * 4 + (day.month - 1) // 3
        return day.year * 12 + day.month - 1

    def label(self, number: float) -> str:
        """How a period is called that no row names."""
        if self.kind in {"number", "year"}:
            return f"{number:g}"
        whole = int(number)
        if self.kind == "quarter":
            return f"{whole // 4}-Q{whole % 4 + 1}"
        if self.kind == "month":
            return f"{whole // 12}-{whole % 12 + 1:02}"
        if self.kind == "week":
            year, week, _ = _date(whole * 7 - 3).isocalendar()
            return f"{year}-W{week:02}"
        if self.kind == "day":
            return _date(whole).isoformat()
        days = number / 24 if self.kind == "hour" else number
        found = datetime(1970, 1, 1) + timedelta(days=days)
        return found.isoformat(timespec="minutes" if self.kind == "hour" else "seconds")


# How long a year is in periods that are much shorter.
YEARS: Final = {"week": 365.25 / 7, "day": 365.25, "hour": 365.25 * 24}
PLAIN: Final = Clock()


def moment(value: Any, what: str, *, last: bool = False, form: str | None = None) -> float:
    """A time as a number: years and other numbers as they are, dates (ISO 8601, also `2019-05`,
    `2019-Q2`, `2019-W18` and `2.5.2019`, or by `form` as strptime has it) as days since 1970, UTC
    (`_day` with `wall`: by the clock on the wall where an offset is written); `last` takes the
    end of a period. BadRequestData."""
    return _day(value, what, last=last, form=form)


def _day(
    value: Any,
    what: str,
    *,
    last: bool = False,
    form: str | None = None,
    dated: bool = False,
    wall: bool = False,
) -> float:
    if isinstance(value, bool) or value is None:
        raise BadRequestData(say("no-time", key=what, value=str(value)))
    if isinstance(value, datetime):
        return _instant(value, wall=wall)
    if isinstance(value, date):
        return _days(value)
    text = str(value).strip()
    if form is not None:
        return _formed(text, form, what, wall=wall)
    try:
        number = float(text)
    except ValueError:
        return _written(text, what, last=last, wall=wall)
    if not math.isfinite(number):
        raise BadRequestData(say("no-time", key=what, value=text[:40]))
    return _dated(number, what, last=last) if dated else number


def _dated(number: float, what: str, *, last: bool) -> float:
    """A number among dates: a year (2019), a month (201905) or a day (20190502)."""
    if number.is_integer() and _YEARS[0] <= number <= _YEARS[1]:
        return _end(int(number), 1, 12) if last else _days(date(int(number), 1, 1))
    if _is_month(number):
        year, month = divmod(int(number), 100)
        return _end(year, month, 1) if last else _days(date(year, month, 1))
    if _is_day(number):
        return _days(date.fromisoformat(f"{number:.0f}"))
    raise BadRequestData(say("no-date-number", key=what, number=number))


def _formed(text: str, form: str, what: str, *, wall: bool = False) -> float:
    try:
        return _instant(datetime.strptime(text, form), wall=wall)
    except (ValueError, re.error):
        raise BadRequestData(say("no-time-formed", key=what, value=text[:40], form=form)) from None


def _written(text: str, what: str, *, last: bool, wall: bool = False) -> float:
    try:
        period = _PERIOD.fullmatch(text)
        if period is not None:
            return _period(period, last=last)
        dotted = _DOTTED.fullmatch(text)
        if dotted is not None:
            day, month, year, hour, minute, second = (int(one or 0) for one in dotted.groups())
            return _instant(datetime(year, month, day, hour, minute, second))
        if len(text) == 10:
            return _days(date.fromisoformat(text))
        return _instant(datetime.fromisoformat(text), wall=wall)
    except (ValueError, OverflowError):
        known = as_iso(text)
        # What is as ISO has it already, and no time: the 53rd week of a year of 52.
        if known is not None and known != text:
            return _written(known, what, last=last, wall=wall)
        either = re.match(r"\d{1,2}[/-]\d{1,2}[/-]\d{2,4}", text)
        told = {"key": what, "value": text[:40]}
        raise BadRequestData(say("no-time-order" if either else "no-time-form", **told)) from None


def _period(found: re.Match[str], *, last: bool) -> float:
    year, number = int(found[1]), int(found[3])
    letter = (found[2] or "M").upper()
    if letter == "W":
        first = _days(date.fromisocalendar(year, number, int(found[4] or 1)))
        return first + 6 if last and not found[4] else first
    if found[4]:
        raise ValueError
    width = 3 if letter == "Q" else 1
    month = (number - 1) * width + 1
    return _end(year, month, width) if last else _days(date(year, month, 1))


def _end(year: int, month: int, width: int) -> float:
    """The last day of `width` months from one on."""
    after = year * 12 + month - 1 + width
    return _days(date(after // 12, after % 12 + 1, 1)) - 1


def _days(value: date) -> float:
    return float(value.toordinal() - _EPOCH)


def _date(days: int) -> date:
    return date.fromordinal(max(1, min(days + _EPOCH, date.max.toordinal())))


def _instant(value: datetime, *, wall: bool = False) -> float:
    """Days since 1970; what carries an offset is taken to UTC, or stays as the wall clock had it."""
    if value.tzinfo is not None and not wall:
        value = value.astimezone(UTC)
    seconds = value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    return _days(value.date()) + seconds / 86400


def _is_month(number: float) -> bool:
    return number.is_integer() and 100001 <= number <= 300012 and 1 <= number % 100 <= 12


def _is_day(number: float) -> bool:
    if not (number.is_integer() and 10000101 <= number <= 30001231):
        return False
    try:
        date.fromisoformat(f"{number:.0f}")
    except ValueError:
        return False
    return True


def clock_of(
    stamps: Sequence[Any], form: str | None, every: Kind | None, what: str
) -> tuple[Clock, Array]:
    """How the times of a column are counted, and the number of each stamp: days and longer by the
    clock on the wall, hours and moments in UTC, in which none comes twice. BadRequestData."""
    if form is None and (ways := two_ways(stamps)):
        raise BadRequestData(f"{what}: {str(stamps[0])[:40]!r} may be {ways}")
    stamps = stamps if form else months_with_points(stamps) or stamps
    plain = [_day(one, what, form=form, wall=True) for one in stamps]
    if every == "hour" or (every is None and any(one != math.floor(one) for one in plain)):
        plain = [_day(one, what, form=form) for one in stamps]
    numeric = form is None and all(_is_number(one) for one in stamps)
    if not numeric and any(_is_number(one) for one in stamps) and form is None:
        plain = [_day(one, what, dated=True) for one in stamps]
    if numeric and every is None and not any(map(all, _written_as_numbers(plain))):
        return Clock("year" if _are_years(plain) else "number"), np.array(plain)
    if numeric:
        plain = [_dated(one, what, last=False) for one in plain]
    clock = Clock(every or _kind(np.unique(np.array(plain))), form)
    return clock, np.array([clock.of_days(one) for one in plain], dtype=np.float64)


def _written_as_numbers(plain: Sequence[float]) -> tuple[Iterator[bool], Iterator[bool]]:
    """Whether numbers are months (201905), and whether they are days (20190502)."""
    return map(_is_month, plain), map(_is_day, plain)


def _is_number(value: Any) -> bool:
    if isinstance(value, int | float):
        return True
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _are_years(plain: Sequence[float]) -> bool:
    return all(one.is_integer() and _YEARS[0] <= one <= _YEARS[1] for one in plain)


def _kind(days: Array) -> Kind:
    """The longest kind of period of which each holds one stamp at most and that leaves few gaps."""
    if (np.abs(days * 24 - np.round(days * 24)) > 1e-4).any():
        return "moment"
    if (days != np.floor(days)).any():
        return "hour"
    for kind in ("year", "quarter", "month", "week"):
        clock = Clock(kind)
        numbers = np.unique([clock.of_days(float(one)) for one in days])
        if len(numbers) == len(days) and len(days) > 1:
            return kind
    return "day"


def complete(numbers: Array, clock: Clock) -> Array:
    """The times with those in between that no row has, where they follow a regular step."""
    if clock.kind == "moment" or len(numbers) < 3 or (numbers != np.round(numbers)).any():
        return numbers
    if np.abs(numbers).max() >= 2**53:
        return numbers
    step = int(np.gcd.reduce(np.diff(numbers).astype(np.int64)))
    count = round((numbers[-1] - numbers[0]) / step) + 1
    if count > _MOST_GAPS * len(numbers):
        return numbers
    return np.asarray(numbers[0] + step * np.arange(count), dtype=np.float64)
