"""A plan as files that offices open: CSV and iCalendar (RFC 5545)."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from datetime import date, timedelta

from rynek.base.errors import BadRequestData
from rynek.practices.planning.rollout import Start
from rynek.practices.times import moment

__all__ = ["as_csv", "as_ics"]

_EPOCH = date(1970, 1, 1)
_WIDTH = 73


def as_csv(starts: Sequence[Start]) -> str:
    """place, group, start; those compared have group 0 and no start. What a spreadsheet would take
    for a formula is put behind an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["place", "group", "start"])
    for one in starts:
        writer.writerow([_cell(one.place), one.group, one.period or ""])
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def as_ics(starts: Sequence[Start], title: str) -> str:
    """One event for each place on the first day of its first period. BadRequestData where periods
    are no dates."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//rynek//pilot//EN"]
    for one in starts:
        if one.period is None:
            continue
        day = _day(one.period)
        key = hashlib.sha256(f"{title}|{one.place}|{one.period}".encode()).hexdigest()[:24]
        lines += [
            "BEGIN:VEVENT",
            f"UID:{key}@rynek",
            f"DTSTAMP:{day:%Y%m%d}T000000Z",
            f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
            f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}",
            *_folded(f"SUMMARY:{_text(title)}: {_text(one.place)}"),
            f"CATEGORIES:group {one.group}",
            "END:VEVENT",
        ]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def _day(period: str) -> date:
    try:
        days = moment(
            f"{period}-01-01" if period.isdigit() and len(period) == 4 else period, "first"
        )
        return _EPOCH + timedelta(days=int(days))
    except (BadRequestData, OverflowError):
        raise BadRequestData(f"the period {period!r} is no date: a calendar needs dates") from None


def _text(value: str) -> str:
    for mark in ("\\", ";", ","):
        value = value.replace(mark, "\\" + mark)
    return " ".join(value.split())


def _folded(line: str) -> list[str]:
    """Lines of at most 75 octets, the later ones begun by a space."""
    parts, rest = [], line
    while len(rest.encode()) > _WIDTH:
        cut = _WIDTH
        while len(rest[:cut].encode()) > _WIDTH:
            cut -= 1
        parts.append(rest[:cut])
        rest = " " + rest[cut:]
    return [*parts, rest]
