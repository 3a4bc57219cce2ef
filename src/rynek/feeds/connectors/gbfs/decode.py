"""GBFS documents (2.x, 3.0) and station lists in CSV → records; counts what does not fit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from rynek.base.clock import MICRO
from rynek.feeds.contract import Situation
from rynek.feeds.kit.checked import label, when

MAX_RECORDS = 500_000
"""Records of one document that are read; the largest public systems have under 20,000."""

INFORMATION = "station_information"
STATUS = "station_status"
VEHICLES = "vehicle_status"
TYPES = "vehicle_types"
SYSTEM = "system_information"
DISCOVERY = "gbfs"


class Record(NamedTuple):
    """One station, vehicle … of a document; `updated` is the document's last_updated in µs."""

    what: str
    data: dict[str, Any]
    updated: int | None


def read(data: bytes) -> dict[str, Any]:
    """The document as a dictionary; a CSV station list becomes station_information.

    ValueError when it is neither.
    """
    head = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] not in (b"{", b"["):
        return _stations_from_csv(data)
    try:
        document = msgspec.json.decode(data.lstrip(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a GBFS document: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("data"), dict):
        raise ValueError("not a GBFS document: no object 'data'")  # noqa: TRY004 - contract
    return document


def _stations_from_csv(data: bytes) -> dict[str, Any]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
        columns = {name.strip() for name in reader.fieldnames or () if name}
        if not {"station_id", "lat", "lon"} <= columns:
            raise ValueError("not a GBFS document: neither JSON nor CSV with station_id, lat, lon")
        rows = [row for _, row in zip(range(MAX_RECORDS + 1), reader, strict=False)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"not a GBFS document: {error}") from None
    return {"data": {"stations": [{k: v for k, v in row.items() if v} for row in rows]}}


def kind_of(document: dict[str, Any]) -> str:
    """Which GBFS file a document is, by its content; ValueError when by none."""
    data = document["data"]
    if feeds(document):
        return DISCOVERY
    if isinstance(data.get("stations"), list):
        first = next((s for s in data["stations"] if isinstance(s, dict)), {})
        counted = {"num_bikes_available", "num_vehicles_available"} & first.keys()
        return STATUS if counted or "is_renting" in first else INFORMATION
    if isinstance(data.get("bikes", data.get("vehicles")), list):
        return VEHICLES
    if isinstance(data.get(TYPES), list):
        return TYPES
    if "system_id" in data:
        return SYSTEM
    raise ValueError(
        "a GBFS document of a kind that is not read; read are gbfs, system_information, "
        "vehicle_types, station_information, station_status, free_bike_status, vehicle_status"
    )


def feeds(document: dict[str, Any], language: str = "") -> dict[str, str]:
    """Name → URL from a discovery document: `data.feeds` (3.0) or `data.<language>.feeds` (2.x)."""
    data = document["data"]
    listing = data.get("feeds")
    if listing is None:
        listings = {
            str(tag): value["feeds"]
            for tag, value in data.items()
            if isinstance(value, dict) and isinstance(value.get("feeds"), list)
        }
        listing = listings.get(language) or listings.get("en") or next(iter(listings.values()), [])
    found: dict[str, str] = {}
    for entry in listing if isinstance(listing, list) else ():
        if isinstance(entry, dict) and label(entry.get("name")) and label(entry.get("url")):
            found[str(entry["name"]).strip()] = str(entry["url"]).strip()
    return found


def decode(data: bytes, situation: Situation) -> Iterator[Record]:
    """One GBFS document → its stations, vehicles, types or system; ValueError when it is none."""
    document = read(data)
    what = kind_of(document)
    updated = when(document.get("last_updated"))
    if what == DISCOVERY:
        _tell_missing(document, situation)
        return iter(())
    if what in (SYSTEM, TYPES, INFORMATION):
        refresh = float(situation.config.options.get("refresh", 3600))
        situation.memory["slow_due"] = situation.now + int(refresh * MICRO)
    if what == SYSTEM:
        return iter([Record(SYSTEM, document["data"], updated)])
    if updated is None and what in (STATUS, VEHICLES):
        situation.findings.add("no-last-updated", "warning", what)
    if what in (INFORMATION, STATUS):
        rows, key = document["data"]["stations"], "station_id"
    elif what == VEHICLES:
        content = document["data"]
        old = "bikes" in content
        rows, key = content["bikes" if old else "vehicles"], "bike_id" if old else "vehicle_id"
    else:
        rows, key = document["data"][TYPES], "vehicle_type_id"
    good = list(_identified(rows, key, situation))
    _remember(what, {row["id"] for row in good}, situation)
    return (Record(what, row, updated) for row in good)


def _tell_missing(document: dict[str, Any], situation: Situation) -> None:
    """The listed files that have not been read: the server does not have them, or no one who keeps
    the files has put them beside gbfs.json."""
    listed = feeds(document, str(situation.config.options.get("language", "")))
    for name in (TYPES, INFORMATION, STATUS, VEHICLES, "free_bike_status"):
        what = VEHICLES if name == "free_bike_status" else name
        if name in listed and f"ids:{what}" not in situation.memory:
            situation.findings.add("file-missing", "warning", f"{name}: {listed[name]}")


def _identified(rows: Iterable[Any], key: str, situation: Situation) -> Iterator[dict[str, Any]]:
    """Rows with their `id` as text, each id once; others are counted and left out."""
    seen: set[str] = set()
    for count, row in enumerate(rows):
        if count >= MAX_RECORDS:
            situation.findings.add("too-many-records", "error", f"more than {MAX_RECORDS}")
            return
        found = label(row.get(key)) if isinstance(row, dict) else None
        if found is None:
            situation.findings.add("bad-record", "warning", row)
        elif found in seen:
            situation.findings.add("duplicate-id", "warning", found)
        else:
            seen.add(found)
            yield row | {"id": found}


def _remember(what: str, ids: set[str], situation: Situation) -> None:
    """Compare the ids of this document with the other file's and with the poll before."""
    before = situation.memory.get(f"ids:{what}")
    situation.memory[f"ids:{what}"] = ids
    if what == VEHICLES:
        if before and ids and len(ids & before) * 2 < len(ids):
            situation.findings.add("ids-change", "info", f"{len(ids - before)} of {len(ids)} new")
        return
    if before is not None and what == STATUS and before != ids:
        for gone in sorted(before - ids):
            situation.findings.add("station-gone", "info", gone)
        for new in sorted(ids - before):
            situation.findings.add("station-new", "info", new)
    other = situation.memory.get(f"ids:{STATUS if what == INFORMATION else INFORMATION}")
    if what not in (INFORMATION, STATUS):
        return
    status, information = (other, ids) if what == INFORMATION else (ids, other)
    if status is None or information is None:
        return
    for station in sorted(status - information):
        situation.findings.add("status-without-information", "warning", station)
    for station in sorted(information - status):
        situation.findings.add("information-without-status", "info", station)
