"""Until when a survey is asked, on the clocks of a place."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rynek.base.clock import MICRO
from rynek.base.errors import BadRequestData

__all__ = ["read_deadline", "zone_of"]


def zone_of(place: str) -> ZoneInfo:
    """A zone of the IANA database. BadRequestData."""
    try:
        return ZoneInfo(place)
    except (ValueError, OSError, KeyError):
        raise BadRequestData(
            f"zone {place[:60]!r}: the name of a time zone, such as Europe/Warsaw"
        ) from None


def read_deadline(text: str, place: str = "") -> tuple[int, int]:
    """A time in epoch microseconds, and the minutes that its clock is east of UTC.

    Without a distance from UTC it is read on the clocks of `place`; what they skip or show twice is
    refused, as is a distance that they do not have then. BadRequestData says what to write.
    """
    zone = zone_of(place) if place else None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None and zone is not None:
            at = at.replace(tzinfo=zone)
            if _twice_or_never(at):
                raise BadRequestData(
                    f"deadline {text[:60]!r}: clocks in {place} change then: write the distance"
                    " from UTC, such as +01:00"
                )
        east, seconds = at.utcoffset(), at.timestamp()
    except (ValueError, OverflowError):
        raise BadRequestData(
            f"deadline {text[:60]!r}: a time such as 2026-12-31T23:59+01:00"
        ) from None
    if east is None:
        raise BadRequestData(
            f"deadline {text[:60]!r}: with its distance from UTC, such as +01:00, or with a zone"
        )
    if zone is not None and at.astimezone(zone).utcoffset() != east:
        there = at.astimezone(zone).isoformat(timespec="minutes")
        raise BadRequestData(f"deadline {text[:60]!r}: in {place} it is {there} then: write that")
    return int(seconds) * MICRO, round(east / timedelta(minutes=1))


def _twice_or_never(at: datetime) -> bool:
    return at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset()
