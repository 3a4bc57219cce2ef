"""GTFS-Realtime bytes → records: one for each vehicle (position and trip update joined), one for
each trip update that names no vehicle, one for each alert."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from google.protobuf import json_format, text_format
from google.protobuf.message import DecodeError
from google.transit import gtfs_realtime_pb2 as pb

from rynek.base.clock import MICRO
from rynek.feeds.contract import Situation
from rynek.feeds.kit import inflate
from rynek.feeds.kit.content import text
from rynek.feeds.kit.schedule import Schedule, schedule_for

MAX_ENTITIES = 200_000
MAX_MESSAGE = 32 * 1024 * 1024
_DEPTH = 20
_FUTURE = 300 * MICRO


class VehicleRecord(msgspec.Struct):
    """What one poll says about one vehicle; `header` is the message's time in microseconds or 0."""

    key: str
    header: int
    position: Any = None
    update: Any = None
    schedule: Schedule | None = None


class AlertRecord(msgspec.Struct):
    """One service alert; `key` is the feed entity's id."""

    key: str
    header: int
    alert: Any
    schedule: Schedule | None = None


Record = VehicleRecord | AlertRecord


def decode(data: bytes, situation: Situation) -> Iterator[Record]:
    """ValueError when the bytes are no FeedMessage (GTFS-Realtime 1.0 or 2.0)."""
    message = _parse(inflate(data, MAX_MESSAGE))
    header = _header_time(message, situation)
    options = situation.config.options
    schedule = schedule_for(
        situation.memory, situation.reference, str(options.get("schedule") or "")
    )
    return _records(message, header, schedule, situation)


def _parse(data: bytes) -> Any:
    message = pb.FeedMessage()
    try:
        if is_json(data):
            json_format.Parse(data, message, ignore_unknown_fields=True, max_recursion_depth=_DEPTH)
        elif is_text(data):
            text_format.Parse(data, message, allow_unknown_field=True)
        else:
            message.ParseFromString(data)
    except (DecodeError, json_format.ParseError, text_format.ParseError, ValueError) as error:
        raise ValueError(f"not a GTFS-Realtime message: {str(error)[:300]}") from error
    except RecursionError:
        raise ValueError("not a GTFS-Realtime message: nested too deep") from None
    version = message.header.gtfs_realtime_version
    if not message.IsInitialized() or not version[:1].isdigit():
        raise ValueError("not a GTFS-Realtime message: it has no header with a version")
    if len(message.entity) > MAX_ENTITIES:
        raise ValueError(f"more than {MAX_ENTITIES} entities in one message")
    return message


def is_json(head: bytes) -> bool:
    """Whether it is the JSON notation of protobuf, which some publishers give (names in either case:
    `tripUpdate`, `trip_update`)."""
    start = head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    named = b"gtfsRealtimeVersion" in start or b"gtfs_realtime_version" in start
    return start[:1] == b"{" and named


def is_text(head: bytes) -> bool:
    """Whether it is the text notation of protobuf (.pbtxt), which starts with its header."""
    start = head[:4096].lstrip(b" \t\r\n")
    return start.startswith(b"header") and b"gtfs_realtime_version" in start


def _header_time(message: Any, situation: Situation) -> int:
    stamp = int(message.header.timestamp) * MICRO
    findings = situation.findings
    if stamp == 0:
        findings.add("header-without-time", "warning", message.header.gtfs_realtime_version)
    elif stamp > situation.now + _FUTURE:
        findings.add("header-in-future", "warning", message.header.timestamp)
    return stamp


def _records(
    message: Any, header: int, schedule: Schedule | None, situation: Situation
) -> Iterator[Record]:
    vehicles: dict[str, VehicleRecord] = {}
    by_trip: dict[str, str] = {}
    updates: list[Any] = []
    stops = int(situation.config.options.get("arrivals", 1))
    for entity in message.entity:
        if not _readable(entity, stops):
            _repair(entity, situation)
        if entity.is_deleted:
            situation.findings.add("entity-deleted", "info", entity.id)
            continue
        if entity.HasField("vehicle"):
            _position(entity, header, schedule, situation, vehicles, by_trip)
        if entity.HasField("trip_update"):
            updates.append(entity)
        if entity.HasField("alert"):
            yield AlertRecord(entity.id, header, entity.alert, schedule)
        if not (entity.ListFields()[1:]):
            situation.findings.add("entity-empty", "warning", entity.id)
    _remember(vehicles, by_trip, situation)
    for entity in updates:
        _update(entity, header, schedule, situation, vehicles)
    yield from vehicles.values()


def _readable(entity: Any, stops: int) -> bool:
    """Whether the texts that are read from it are UTF-8: the protocol does not see to that, and its
    reader gives bytes for those that are not. Alerts are few, and looked through whole."""
    if entity.HasField("alert"):
        return False
    texts = [entity.id]
    if entity.HasField("vehicle"):
        part = entity.vehicle
        vehicle, trip = part.vehicle, part.trip
        texts += (part.stop_id, vehicle.id, vehicle.label, vehicle.license_plate)
        texts += (trip.trip_id, trip.route_id)
    if entity.HasField("trip_update"):
        part = entity.trip_update
        vehicle, trip = part.vehicle, part.trip
        texts += (vehicle.id, vehicle.label, vehicle.license_plate, trip.trip_id, trip.route_id)
        texts += [stop.stop_id for stop in part.stop_time_update[:stops]]
    return bytes not in map(type, texts)


def _repair(message: Any, situation: Situation) -> None:
    """Put the texts that are no UTF-8 right, in the encoding that they look like."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for part in (value,) if hasattr(value, "ListFields") else value:
                _repair(part, situation)
        elif type(value) is bytes:
            found, encoding = text(value)
            situation.findings.add("encoding", "warning", f"{field.name}: {found} ({encoding})")
            setattr(message, field.name, found)


def _position(
    entity: Any,
    header: int,
    schedule: Schedule | None,
    situation: Situation,
    vehicles: dict[str, VehicleRecord],
    by_trip: dict[str, str],
) -> None:
    position = entity.vehicle
    key = position.vehicle.id
    if not key:
        key = position.vehicle.label or entity.id
        situation.findings.add("vehicle-without-id", "warning", entity.id)
    known = vehicles.get(key)
    if known is not None:
        situation.findings.add("vehicle-twice", "warning", key)
        if known.position.timestamp >= position.timestamp:
            return
    vehicles[key] = VehicleRecord(key, header, position, None, schedule)
    if position.trip.trip_id:
        by_trip[position.trip.trip_id] = key


def _update(
    entity: Any,
    header: int,
    schedule: Schedule | None,
    situation: Situation,
    vehicles: dict[str, VehicleRecord],
) -> None:
    update = entity.trip_update
    key = update.vehicle.id or situation.memory.get("trips", {}).get(update.trip.trip_id, "")
    if not key:
        situation.findings.add("update-without-vehicle", "info", update.trip.trip_id)
        key = f"\0{update.trip.trip_id or entity.id}"
    record = vehicles.get(key)
    if record is None:
        vehicles[key] = VehicleRecord(key, header, None, update, schedule)
    elif record.update is None:
        record.update = update
    else:
        situation.findings.add("update-twice", "warning", key)


def _remember(
    vehicles: dict[str, VehicleRecord], by_trip: dict[str, str], situation: Situation
) -> None:
    """Compare with the last poll, where at least half of the trips go on: a trip under another
    vehicle id is told, and so is a feed in which most ids are new (made afresh each time)."""
    if not vehicles:
        return
    memory, findings = situation.memory, situation.findings
    before: dict[str, str] = memory.get("trips", {})
    seen: set[str] = memory.get("seen", set())
    memory["trips"], memory["seen"] = by_trip, set(vehicles)
    going_on = [trip for trip in by_trip if trip in before]
    if len(going_on) < max(1, len(by_trip) / 2):
        return
    changed = [trip for trip in going_on if before[trip] != by_trip[trip]]
    for trip in changed:
        findings.add(
            "vehicle-id-changed", "warning", f"trip {trip}: {before[trip]}, {by_trip[trip]}"
        )
    fresh = sum(key not in seen for key in vehicles)
    if len(seen) >= 10 and fresh > len(vehicles) / 2:
        findings.add("ids-unstable", "error", f"{fresh} of {len(vehicles)} ids are new")
