"""Periods as requests name them: of the calendar, and rolling ones that end now."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rynek.base.errors import BadRequestData
from rynek.history import parse_duration
from rynek.indicators import Period, last_month, parse_period

__all__ = ["EVERY", "HOUR_US", "MINUTE_US", "Steps", "fixed", "read_period", "steps_of", "trend"]

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
EVERY: Final = ("hour", "day", "week", "month", "year")
_ROLLING: Final = re.compile(r"P(?:\d{1,3}D|T\d{1,3}H)\Z", re.ASCII)
_LONGEST_US: Final = 400 * DAY_US
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS: Final = ("today", "yesterday", "last-month")
# A period's usual steps: the longest step that is no longer than about the period itself.
_STEP_OF: Final = ((3 * HOUR_US, "hour"), (3 * DAY_US, "day"), (21 * DAY_US, "week"),
                   (200 * DAY_US, "month"))  # fmt: skip
_MANY: Final = {"hour": 8, "day": 7, "week": 8, "month": 12, "year": 4}
Steps = list[Period]


def read_period(text: str, now: int, zone: str) -> Period:
    """`today`, `yesterday`, `last-month`, an ISO 8601 duration of days or hours that ends now
    (`P7D`, `PT24H`), or what `parse_period` takes. `now` in epoch µs. BadRequestData."""
    today = _local(now, zone).date()
    if text == "today":
        return Period("today", parse_period(today.isoformat(), zone).start, now, zone)
    if text == "yesterday":
        return parse_period((today - timedelta(days=1)).isoformat(), zone)
    if text == "last-month":
        return last_month(now, zone)
    if _ROLLING.match(text):
        length = parse_duration(text)
        micros = length.micros + length.days * DAY_US
        if not 0 < micros <= _LONGEST_US:
            raise BadRequestData(f"The period {text!r} is empty or longer than 400 days")
        end = now // MINUTE_US * MINUTE_US
        return Period(text, end - micros, end, zone)
    if text.startswith("P") or text in {"week", "month", "year", "hour", "day"}:
        raise BadRequestData(
            f"Not a period: {text[:64]!r}; write P7D or PT24H for what ends now, {', '.join(_WORDS)},"
            " 2022, 2022-Q4, 2022-11, 2022-W45, 2022-11-05 or 2022-11-05/2022-11-12"
        )
    found = parse_period(text, zone)
    if found.start > now:
        raise BadRequestData(f"The period {text[:64]!r} has not begun yet")
    return found


def fixed(period: Period) -> str:
    """The period so that it means the same tomorrow: its label, or from … to in UTC."""
    if period.kind != "span" or "/" in period.label:
        return period.label
    return f"{_moment(period.start)}/{_moment(period.end)}"


def steps_of(period: Period) -> str:
    """By what a period's trend is told: the step that is about as long as the period."""
    length = period.end - period.start
    if period.kind in EVERY:
        return period.kind
    return next((name for most, name in _STEP_OF if length <= most), "year")


def trend(every: str, before: int, zone: str, many: int | None = None) -> Steps:
    """The `many` last hours, days, ISO weeks, months or years that were over at `before` (epoch µs),
    oldest first."""
    many = _MANY[every] if many is None else many
    if every == "hour":
        last = before // HOUR_US * HOUR_US
        starts = (last - (many - n) * HOUR_US for n in range(many))
        return [
            Period(f"{_moment(at)}/{_moment(at + HOUR_US)}", at, at + HOUR_US, zone)
            for at in starts
        ]
    day = _local(before, zone).date()
    return [parse_period(label, zone) for label in reversed(_labels(every, day, many))]


def _labels(every: str, day: date, many: int) -> list[str]:
    """The labels of the steps before the one that `day` is in, newest first."""
    if every == "day":
        return [(day - timedelta(days=n)).isoformat() for n in range(1, many + 1)]
    if every == "week":
        weeks = [(day - timedelta(weeks=n)).isocalendar() for n in range(1, many + 1)]
        return [f"{one.year:04}-W{one.week:02}" for one in weeks]
    if every == "month":
        numbers = [day.year * 12 + day.month - 1 - n for n in range(1, many + 1)]
        return [f"{one // 12:04}-{one % 12 + 1:02}" for one in numbers]
    return [f"{day.year - n:04}" for n in range(1, many + 1)]


def _local(us: int, zone: str) -> datetime:
    return (_EPOCH + timedelta(microseconds=us)).astimezone(ZoneInfo(zone))


def _moment(us: int) -> str:
    return f"{(_EPOCH + timedelta(microseconds=us)):%Y-%m-%dT%H:%M:%SZ}".zfill(20)
