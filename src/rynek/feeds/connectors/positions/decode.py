"""JSON polls of vehicle positions, one document or one a line → readings in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from rynek.base.clock import MICRO
from rynek.base.typed import decoder
from rynek.feeds.contract import Situation
from rynek.feeds.kit.checked import finite, label, when

MAX_LINE = 16 * 1024 * 1024
MAX_VEHICLES = 200_000
"""Vehicles of one poll that are read; the largest city fleets have under 20,000."""

ROUTES = "routes"
_object = decoder(dict[str, Any]).decode


class Names(NamedTuple):
    """The members of a poll and of a vehicle, from the options of the feed."""

    items: str
    poll_time: str
    vehicle: str
    time: str
    lon: str
    lat: str
    route: str


class Reading(NamedTuple):
    """One vehicle as one poll gives it; times in epoch µs."""

    own: str
    seen: int
    polled: int
    data: dict[str, Any]


def names(options: dict[str, Any]) -> Names:
    """Field names with the defaults of feed.toml."""
    return Names(
        str(options.get("items", "positions")),
        str(options.get("poll_time", "timestamp")),
        str(options.get("vehicle", "vehicle_id")),
        str(options.get("time", "timestamp")),
        str(options.get("lon", "lon")),
        str(options.get("lat", "lat")),
        str(options.get("route", "route_id")),
    )


def documents(data: bytes) -> Iterator[dict[str, Any]]:
    """One JSON object, or one a line; ValueError names the first line that is none."""
    stripped = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if stripped[:1] != b"{":
        raise ValueError("not vehicle positions: no JSON object, or one a line, was found")
    try:
        yield _object(stripped)
        return
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if b"\n" not in stripped.rstrip():
            raise ValueError(f"not vehicle positions: {error}") from None
    for number, line in enumerate(stripped.splitlines(), 1):
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            raise ValueError(f"line {number}: longer than {MAX_LINE} bytes")
        try:
            yield _object(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"line {number}: {error}") from None


def decode(data: bytes, situation: Situation) -> Iterator[Reading]:
    """All vehicles of all polls; a catalogue of routes is remembered and yields nothing."""
    fields = names(situation.config.options)
    for document in documents(data):
        rows = document.get(fields.items)
        if isinstance(rows, list):
            yield from _poll(document, rows, fields, situation)
        elif isinstance(document.get(ROUTES), list):
            _catalogue(document[ROUTES], situation)
        else:
            missing = f"not vehicle positions: no list {fields.items!r} in the document"
            raise ValueError(missing)  # noqa: TRY004 - contract


def _catalogue(rows: list[Any], situation: Situation) -> None:
    known = situation.memory.setdefault(ROUTES, {})
    for row in rows[:MAX_VEHICLES]:
        own = label(row.get("id")) if isinstance(row, dict) else None
        if own is None:
            situation.findings.add("bad-route", "warning", row)
        else:
            known[own] = row


def _poll(
    document: dict[str, Any], rows: list[Any], fields: Names, situation: Situation
) -> list[Reading]:
    """The readings of one poll by vehicle time, so that later ones win."""
    findings = situation.findings
    polled = when(document.get(fields.poll_time), situation.config.zone)
    if polled is None:
        findings.add("no-poll-time", "warning", str(document.get(fields.poll_time)))
        polled = situation.now
    if len(rows) > MAX_VEHICLES:
        findings.add("too-many-records", "error", len(rows), len(rows) - MAX_VEHICLES)
    claimed = finite(document.get("count"))
    if claimed is not None and claimed != len(rows):
        findings.add("count-differs", "warning", f"count {claimed}, {len(rows)} positions")
    found: list[Reading] = []
    for row in rows[:MAX_VEHICLES]:
        own = label(row.get(fields.vehicle)) if isinstance(row, dict) else None
        if own is None:
            findings.add("bad-record", "warning", row)
            continue
        seen = when(row.get(fields.time), situation.config.zone)
        if seen is None:
            findings.add("bad-time", "warning", f"{own}: {row.get(fields.time)}")
            continue
        found.append(Reading(own, seen, polled, row))
    repeated = len(found) - len({reading.own for reading in found})
    if repeated:
        findings.add("several-readings", "info", "in one poll", repeated)
    youngest = min((polled - reading.seen for reading in found), default=0)
    if youngest > situation.config.stale_after * MICRO:
        findings.add("nothing-fresh", "warning", f"youngest {youngest // MICRO} s: right zone?")
    return sorted(found, key=lambda reading: reading.seen)
