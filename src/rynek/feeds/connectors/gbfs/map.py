"""GBFS records → BikeHireDockingStation and Vehicle (Smart Data Models, Transportation)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rynek.base.clock import MICRO
from rynek.base.ids import urn
from rynek.feeds.connectors.gbfs.decode import INFORMATION, STATUS, SYSTEM, TYPES, Record
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit.checked import flag, label, placed, when, whole
from rynek.feeds.kit.documents import document, language, point, prop, provenance

_AHEAD = 300 * MICRO
_YEAR = 365 * 86_400 * MICRO
_FORMS = {
    "bicycle": ("bicycle", "e-bike"),
    "cargo_bicycle": ("bicycle", "e-bike"),
    "scooter": ("other", "e-scooter"),
    "scooter_standing": ("other", "e-scooter"),
    "scooter_seated": ("other", "e-scooter"),
    "moped": ("moped", "e-moped"),
    "car": ("car", "car"),
}
"""GBFS form_factor → SDM vehicleType without and with a motor that drives or helps."""

_UNPOWERED = frozenset({"human", ""})


def map_record(record: Record, situation: Situation) -> Iterator[Document]:
    """One record → at most one entity; types and system information only inform later ones."""
    memory = situation.memory
    if record.what == SYSTEM:
        memory["system"] = record.data
    elif record.what == TYPES:
        memory.setdefault("types", {})[record.data["id"]] = record.data
    elif record.what == INFORMATION:
        known = memory.setdefault("stations", {})
        if known.get(record.data["id"]) != record.data:
            known[record.data["id"]] = record.data
            yield _station(record.data["id"], {}, situation)
    elif record.what == STATUS:
        yield from _status(record, situation)
    else:
        yield from _vehicle(record, situation)


def _entity_id(kind: str, own: str, situation: Situation) -> str:
    config = situation.config
    return urn(kind, str(config.options.get("scope") or config.name), own)


def texts(value: Any, preferred: str = "") -> dict[str, str]:
    """Language → text from a plain string (2.x) or an array of {text, language} (3.0)."""
    plain = label(value)
    if plain:
        return {preferred: plain}
    found: dict[str, str] = {}
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict) and (content := label(entry.get("text"))):
            found[label(entry.get("language")) or preferred] = content
    return found


def _named(value: Any) -> dict[str, Any] | None:
    found = texts(value)
    if len(found) > 1:
        return language(found)
    return prop(next(iter(found.values()))) if found else None


def _station(own: str, dynamic: dict[str, Any], situation: Situation) -> Document:
    """A station with what station_information says of it (may be nothing yet) and `dynamic`."""
    data = situation.memory.get("stations", {}).get(own, {})
    where = placed(data.get("lon"), data.get("lat"), situation, own) if data else None
    street = " ".join(texts(data.get("address")).values())
    address = {"streetAddress": street, "postalCode": label(data.get("post_code"))}
    given = {name: text for name, text in address.items() if text}
    capacity = whole(data.get("capacity"))
    operator = texts(situation.memory.get("system", {}).get("name"))
    name = _named(data.get("name"))
    return document(
        _entity_id("BikeHireDockingStation", own, situation),
        "BikeHireDockingStation",
        name=name,
        stationName=name,
        stationCode=prop(own),
        location=point(*where) if where else None,
        address=prop(given) if given else None,
        totalSlotNumber=prop(capacity) if capacity is not None else None,
        provider=prop(next(iter(operator.values()))) if operator else None,
        **dynamic,
        **provenance(situation.config),
    )


def observed(record: Record, situation: Situation) -> int | None:
    """When a record was true, in epoch µs.

    `last_reported` where it is a time; the document's `last_updated` where it is missing, 0 or
    more than five minutes ahead of it. A stale one stays what it is, and is counted.
    """
    reported, updated = record.data.get("last_reported"), record.updated
    moment = when(reported)
    findings, own = situation.findings, record.data["id"]
    if moment is None:
        code = "no-last-reported" if reported in (None, 0, "", "0") else "bad-time"
        findings.add(code, "info" if record.what != STATUS else "warning", f"{own}: {reported}")
        return updated
    if updated is None:
        return moment
    if moment - updated > _AHEAD:
        findings.add("time-in-future", "warning", f"{own}: {reported}")
        return updated
    if updated - moment > _YEAR:
        findings.add("years-old", "warning", f"{own}: {reported}")
    elif updated - moment > situation.config.stale_after * MICRO:
        findings.add("stale", "info", f"{own}: {reported}")
    return moment


def _status(record: Record, situation: Situation) -> Iterator[Document]:
    data, own, findings = record.data, record.data["id"], situation.findings
    bikes = whole(data.get("num_bikes_available", data.get("num_vehicles_available")))
    docks = whole(data.get("num_docks_available"))
    if bikes is None:
        findings.add("bad-record", "warning", f"station {own}: no valid number of bikes")
        return
    at = observed(record, situation)
    blocked = whole(data.get("num_docks_disabled"))
    kinds = _kinds(data)
    dynamic = {
        "availableBikeNumber": prop(bikes, at),
        "freeSlotNumber": prop(docks, at) if docks is not None else None,
        "outOfServiceSlotNumber": prop(blocked, at) if blocked is not None else None,
        "availableVehicleTypes": prop(kinds, at) if len(kinds) > 1 else None,
        "status": prop(_state(data, bikes, docks, situation), at),
    }
    station = situation.memory.get("stations", {}).get(own, {})
    capacity = whole(station.get("capacity"))
    if capacity is not None and bikes + (docks or 0) > capacity:
        findings.add("over-capacity", "info", f"{own}: {bikes} + {docks} > {capacity}")
    yield _station(own, dynamic, situation)


def _kinds(data: dict[str, Any]) -> dict[str, int]:
    """Available vehicles by type: `vehicle_types_available`, or the older counts by propulsion."""
    found: dict[str, int] = {}
    listed = data.get("vehicle_types_available")
    for entry in listed if isinstance(listed, list) else ():
        kind = label(entry.get("vehicle_type_id"), 80) if isinstance(entry, dict) else None
        count = whole(entry.get("count")) if kind else None
        if kind and count is not None:
            found[kind] = count
    older = data.get("num_bikes_available_types")
    for kind, value in older.items() if isinstance(older, dict) else ():
        count = whole(value)
        if count is not None:
            found[kind[:80]] = count
    return found


def _state(data: dict[str, Any], bikes: int, docks: int | None, situation: Situation) -> str:
    """SDM status; the rule stands in docs/feeds/gbfs.md."""
    own, findings = data["id"], situation.findings
    if flag(data.get("is_installed")) is False:
        findings.add("not-installed", "info", own)
        return "outOfService"
    renting, returning = flag(data.get("is_renting")), flag(data.get("is_returning"))
    if renting is False and returning is False:
        findings.add("out-of-service", "info", own)
        return "outOfService"
    if renting is False or returning is False:
        findings.add("one-way", "info", f"{own}: renting {renting}, returning {returning}")
        return "withIncidence"
    if bikes == 0:
        return "empty"
    return "full" if docks == 0 else "working"


def _vehicle(record: Record, situation: Situation) -> Iterator[Document]:
    data, own = record.data, record.data["id"]
    station = label(data.get("station_id"))
    if station:
        situation.findings.add("docked-vehicle", "info", f"{own} at {station}")
        return
    where = placed(data.get("lon"), data.get("lat"), situation, own)
    if where is None:
        return
    at = observed(record, situation)
    named = label(data.get("vehicle_type_id"))
    kind = situation.memory.get("types", {}).get(named, {})
    if named and not kind:
        situation.findings.add("type-unknown", "warning", f"{own}: vehicle_type_id {named}")
    share = data.get("current_fuel_percent")
    usable = isinstance(share, int | float) and 0 <= share <= 1
    disabled = flag(data.get("is_disabled"))
    yield document(
        _entity_id("Vehicle", own, situation),
        "Vehicle",
        name=_named(kind.get("name")),
        vehicleType=prop(_type(kind)) if kind or not named else None,
        category=prop(["public"]),
        fleetVehicleId=prop(own),
        location=point(*where, at),
        serviceStatus=prop("broken" if disabled else "parked", at),
        reserved=prop(flag(data.get("is_reserved")), at) if "is_reserved" in data else None,
        battery=prop(share, at) if usable else None,
        **provenance(situation.config),
    )


def _type(kind: dict[str, Any]) -> str:
    """SDM vehicleType; before GBFS 2.1 every vehicle is a bicycle."""
    plain, powered = _FORMS.get(str(kind.get("form_factor", "bicycle")), ("other", "other"))
    return plain if str(kind.get("propulsion_type", "")) in _UNPOWERED else powered
