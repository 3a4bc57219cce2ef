"""On which days each service runs: calendar.txt and calendar_dates.txt → (service, day) pairs."""

from __future__ import annotations

import re
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rynek.feeds.contract import Findings

EPOCH = date(1970, 1, 1)
MAX_DAYS = 800
MAX_PAIRS = 20_000_000
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SUFFIX = re.compile(r"_((?:19|20)\d{6})\Z")
Pairs = tuple[list[str], npt.NDArray[np.int32], npt.NDArray[np.int32]]
"""Service ids; for each running day the row of its service and the days since 1970-01-01."""


def service_days(calendar: pa.Table, exceptions: pa.Table, findings: Findings) -> Pairs:
    """Expand the calendars; a range beyond 800 days is cut and counted."""
    days: dict[str, set[int]] = {}
    total = 0
    for row in calendar.to_pylist():
        first, last = _day(row["start_date"]), _day(row["end_date"])
        if row["service_id"] is None or first is None or last is None or last < first:
            findings.add("calendar-wrong", "warning", row["service_id"])
            continue
        if last - first > MAX_DAYS:
            findings.add("calendar-long", "warning", row["service_id"])
            last = first + MAX_DAYS
        runs = [row[name] == "1" for name in _WEEK]
        # 1970-01-01 was a Thursday, the fourth day of the week.
        found = {day for day in range(first, last + 1) if runs[(day + 3) % 7]}
        days.setdefault(row["service_id"], set()).update(found)
        total += len(found)
        if total > MAX_PAIRS:
            raise ValueError(f"more than {MAX_PAIRS} service days")
    _exceptions(days, exceptions, findings)
    return _pairs(days)


def days_in_trip_ids(trip_ids: list[str | None]) -> tuple[list[str | None], Pairs]:
    """For schedules without any calendar whose trip ids end in `_YYYYMMDD`: a service for each
    such day (its name is the day), and the service of each trip."""
    services: list[str | None] = []
    days: dict[str, set[int]] = {}
    for trip_id in trip_ids:
        match = _SUFFIX.search(trip_id or "")
        day = _day(match.group(1)) if match else None
        services.append(match.group(1) if match and day is not None else None)
        if match and day is not None:
            days.setdefault(match.group(1), set()).add(day)
    return services, _pairs(days)


def _exceptions(days: dict[str, set[int]], table: pa.Table, findings: Findings) -> None:
    services, dates = table.column("service_id").to_pylist(), table.column("date").to_pylist()
    kinds = table.column("exception_type").to_pylist()
    for service, text, kind in zip(services, dates, kinds, strict=True):
        day = _day(text)
        if service is None or day is None or kind not in ("1", "2"):
            findings.add("calendar-date-wrong", "warning", f"{service}: {text} {kind}")
        elif kind == "1":
            days.setdefault(service, set()).add(day)
        else:
            days.setdefault(service, set()).discard(day)


def _pairs(days: dict[str, set[int]]) -> Pairs:
    names = sorted(days)
    rows = np.repeat(
        np.arange(len(names), dtype=np.int32), [len(days[name]) for name in names]
    ).astype(np.int32)
    flat = np.array([day for name in names for day in sorted(days[name])], dtype=np.int32)
    return names, rows, flat


def _day(text: str | None) -> int | None:
    if text is None or len(text) != 8 or not text.isdigit():
        return None
    try:
        found = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
    return (found - EPOCH).days


def day_text(day: int) -> str:
    """Days since 1970-01-01 → 2026-11-22."""
    return (EPOCH + timedelta(days=int(day))).isoformat()
