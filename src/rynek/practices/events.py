"""Dated events beside a specification: a list in it, a CSV, or a calendar (iCalendar)."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Final

from rynek.base.errors import BadRequestData
from rynek.practices.specification import Event, Specification

__all__ = ["events_of"]

_MAX_BYTES: Final = 8 << 20
_MAX_EVENTS: Final = 10_000
_FOLDED: Final = re.compile(r"\r?\n[ \t]")


def events_of(spec: Specification, folder: Path) -> tuple[Event, ...] | None:
    """The events of a specification; a file has columns name, date, until and units (divided by
    |), or is a calendar. None where nothing is said of events. BadRequestData."""
    if spec.events is None:
        return None
    if isinstance(spec.events, list):
        return tuple(spec.events)
    path = folder / spec.events
    if "\0" in spec.events or not path.resolve().is_relative_to(folder.resolve()):
        raise BadRequestData(f"events: {spec.events!r} does not lie beside the specification")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadRequestData(f"events: {path.name} is over {_MAX_BYTES >> 20} MiB")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequestData(f"events: {spec.events} cannot be read: {error}") from None
    found = _calendar(text) if path.suffix.lower() == ".ics" else _table(text, path.name)
    if len(found) > _MAX_EVENTS:
        raise BadRequestData(f"events: at most {_MAX_EVENTS:,}")
    return tuple(found)


def _table(text: str, name: str) -> list[Event]:
    head = text[: text.find("\n")]
    delimiter = max((",", ";", "\t"), key=head.count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    try:
        if not {"name", "date"} <= set(rows.fieldnames or ()):
            raise BadRequestData(f"events: {name} needs the columns name and date")
        return [
            Event(
                row["name"] or "",
                row["date"],
                row.get("until") or None,
                (row.get("units") or "").split("|") if row.get("units") else None,
            )
            for row in rows
            if row["date"]
        ]
    except csv.Error as error:
        raise BadRequestData(f"events: {name}, after line {rows.line_num}: {error}") from None


def _calendar(text: str) -> list[Event]:
    """VEVENTs with SUMMARY, DTSTART and DTEND, whose end is not included for whole days (RFC
    5545 §3.6.1); the day counts."""
    found = []
    for block in _FOLDED.sub("", text).split("BEGIN:VEVENT")[1:]:
        fields: dict[str, str] = {}
        for line in block.split("END:VEVENT")[0].splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.split(";")[0].upper(), value.strip())
        start, end = (_day(fields.get(one, "")) for one in ("DTSTART", "DTEND"))
        if start is not None:
            found.append(Event(fields.get("SUMMARY", "event"), start, end))
    return found


def _day(value: str) -> str | None:
    found = re.match(r"(\d{4})(\d{2})(\d{2})", value)
    return "-".join(found.groups()) if found else None
