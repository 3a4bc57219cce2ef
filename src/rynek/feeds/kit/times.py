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
# As the hour alone: 10:24:00 has no other midnight in it.
_MIDNIGHT = re.compile(r"(?<![\d:.])24:00(?::00)?(?![\d:])")
_DAY = timedelta(days=1)
_EXCEL_EPOCH = datetime(1899, 12, 30)
EXCEL = "excel"
"""Instead of a `strptime` pattern: days since 1899-12-30, as spreadsheets count them."""
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
    `pattern`. Of an ISO interval (`a/b`) the end counts; 24:00 is the midnight that ends the day.
    Without a zone the time is local to `zone`. ValueError when it is no time.
    """
    if isinstance(value, bool):
        raise ValueError(f"not a time: {value!r}")  # noqa: TRY004 - one error for a bad source
    if pattern == EXCEL:
        return _from_excel(value, zone)
    if pattern is not None:
        text = str(value).strip()
        plain = _MIDNIGHT.sub("00:00" if "%S" not in pattern else "00:00:00", text)
        moment = datetime.strptime(plain, pattern)
        return _aware(moment if plain == text else moment + _DAY, zone)
    if isinstance(value, (int, float)):
        return epoch_to_micros(value)
    text = value.strip()
    if _NUMBER.match(text):
        return epoch_to_micros(float(text) if "." in text else int(text))
    return _iso(text, zone)


def _iso(text: str, zone: str) -> int:
    if "/" in text:
        text = text.rpartition("/")[2]
    plain = _MIDNIGHT.sub("00:00", text) if "24:00" in text else text
    match = _ISO_LOCAL.match(plain)
    if match is None:
        raise ValueError(f"not a time: {text[:64]!r}")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    moment = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59)
    )
    moment = moment if plain is text else moment + _DAY
    micros = int((fraction or "0").ljust(6, "0")[:6])
    if offset is None:
        return local_to_micros(moment, zone) + micros
    return parse_iso(moment.isoformat(timespec="seconds") + offset) + micros


def _from_excel(value: str | float | int, zone: str) -> int:
    """A spreadsheet's day number → epoch microseconds, to the second."""
    days = float(value.strip().replace(",", ".")) if isinstance(value, str) else float(value)
    if not 25_569 <= days < 110_000:
        raise ValueError(f"not a spreadsheet's day number: {value!r}")
    return local_to_micros(_EXCEL_EPOCH + timedelta(seconds=round(days * 86_400)), zone)


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
