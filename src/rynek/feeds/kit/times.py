"""Source times → epoch microseconds, UTC.

Local times without a zone follow two rules for the two odd hours of a year: an hour that
happens twice (autumn) means its first occurrence, summer time; a time inside the hour that
is skipped (spring) moves forward by the length of the gap, as if the clock had been late.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rynek.base.clock import MICRO, parse_iso

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d+)?\Z")
_ISO_LOCAL = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?\Z"
)
EARLIEST = parse_iso("1970-01-02T00:00:00Z")
LATEST = parse_iso("2200-01-01T00:00:00Z")


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """An IANA zone; ValueError when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}") from error


def local_to_micros(local: datetime, zone: str) -> int:
    """A zoneless local time → epoch microseconds by the rules above."""
    moment = local.replace(tzinfo=zone_of(zone), fold=0) - _EPOCH
    return (moment.days * 86_400 + moment.seconds) * MICRO + moment.microseconds


def epoch_to_micros(value: float | int) -> int:
    """Epoch seconds, milliseconds or microseconds (told apart by size) → microseconds.

    ValueError when the moment is not between 1970-01-02 and 2200.
    """
    size = abs(value)
    factor = MICRO if size < 1e11 else 1000 if size < 1e14 else 1
    micros = int(value * factor) if isinstance(value, int) else round(value * factor)
    if not EARLIEST <= micros < LATEST:
        raise ValueError(f"not a plausible time: {value!r}")
    return micros


def to_micros(value: str | float | int, zone: str = "UTC", pattern: str | None = None) -> int:
    """Any time a source gives → epoch microseconds.

    Takes epoch numbers (also as text), ISO 8601 with or without zone, or text by a `strptime`
    `pattern`. Without a zone the time is local to `zone`. ValueError when it is no time.
    """
    if isinstance(value, bool):
        raise ValueError(f"not a time: {value!r}")  # noqa: TRY004 - one error for a bad source
    if isinstance(value, (int, float)):
        return epoch_to_micros(value)
    text = value.strip()
    if pattern is not None:
        return _aware(datetime.strptime(text, pattern), zone)
    if _NUMBER.match(text):
        return epoch_to_micros(float(text) if "." in text else int(text))
    return _iso(text, zone)


def _iso(text: str, zone: str) -> int:
    match = _ISO_LOCAL.match(text)
    if match is None:
        raise ValueError(f"not a time: {text[:64]!r}")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    moment = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59)
    )
    micros = int((fraction or "0").ljust(6, "0")[:6])
    if offset is None:
        return local_to_micros(moment, zone) + micros
    return parse_iso(moment.strftime("%Y-%m-%dT%H:%M:%S") + offset) + micros


def _aware(moment: datetime, zone: str) -> int:
    if moment.tzinfo is None:
        return local_to_micros(moment, zone)
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * MICRO + delta.microseconds


def service_midnight(day: date, zone: str) -> int:
    """What GTFS times of a service day count from: noon minus 12 hours, in epoch microseconds."""
    noon = datetime(day.year, day.month, day.day, 12)
    return local_to_micros(noon, zone) - 12 * 3600 * MICRO


def local_day(micros: int, zone: str) -> date:
    """The calendar day of a moment in `zone`."""
    return (_EPOCH + timedelta(microseconds=micros)).astimezone(zone_of(zone)).date()


def is_stale(observed: int, reference: int, after: float) -> bool:
    """Whether `observed` lies more than `after` seconds before `reference` (both microseconds)."""
    return reference - observed > after * MICRO
