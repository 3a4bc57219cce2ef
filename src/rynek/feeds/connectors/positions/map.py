"""Readings of vehicles → Vehicle (Smart Data Models, Transportation), old ones told from fresh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rynek.base.clock import MICRO
from rynek.base.ids import urn
from rynek.feeds.connectors.positions.decode import ROUTES, Reading, names
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit.checked import finite, label, placed
from rynek.feeds.kit.documents import document, point, prop, provenance

_YEAR = 365 * 86_400 * MICRO
_AHEAD = 300 * MICRO


def map_reading(reading: Reading, situation: Situation) -> Iterator[Document]:
    """One reading → one Vehicle; none when the position is unusable or older than known."""
    own, data, findings = reading.own, reading.data, situation.findings
    fields = names(situation.config.options)
    newest = situation.memory.setdefault("newest", {})
    if reading.seen < newest.get(own, 0):
        findings.add("time-backwards", "warning", f"{own}: {reading.seen // MICRO}")
        return
    if reading.seen - reading.polled > _AHEAD:
        findings.add("time-in-future", "warning", f"{own}: {reading.seen // MICRO}")
        return
    where = placed(data.get(fields.lon), data.get(fields.lat), situation, own)
    if where is None:
        return
    newest[own] = reading.seen
    service, position = _judged(reading, situation)
    at = reading.seen
    yield document(
        urn("Vehicle", str(situation.config.options.get("scope") or situation.config.name), own),
        "Vehicle",
        location=point(*where, at),
        serviceStatus=service,
        positionStatus=position,
        bearing=_bearing(data, situation, at),
        speed=_speed(data, situation, at),
        name=prop(own),
        fleetVehicleId=prop(own),
        category=prop(["public"]),
        serviceProvided=prop(["urbanTransit"]),
        **_route(data.get(fields.route), situation, at),
        **provenance(situation.config),
    )


def _judged(reading: Reading, situation: Situation) -> tuple[dict[str, Any], dict[str, Any]]:
    """Service and position status by the age of the position at the time of the poll.

    A status that follows from age is observed at the moment the age was reached, so that
    repeating an old position changes nothing.
    """
    own, seen, findings = reading.own, reading.seen, situation.findings
    config = situation.config
    parked_after = int(config.stale_after * MICRO)
    stale_after = int(float(config.options.get("lost_after", 86_400)) * MICRO)
    age = reading.polled - seen
    if age > _YEAR:
        findings.add("years-old", "warning", f"{own}: {age // _YEAR} years")
    if age > stale_after:
        findings.add("stale-position", "warning", f"{own}: {age // (86_400 * MICRO)} days")
    elif age > parked_after:
        findings.add("parked", "info", f"{own}: {age // MICRO} s")
    service = prop("onRoute", seen) if age <= parked_after else prop("parked", seen + parked_after)
    position = prop("current", seen) if age <= stale_after else prop("stale", seen + stale_after)
    return service, position


def _bearing(data: dict[str, Any], situation: Situation, at: int) -> dict[str, Any] | None:
    """Degrees clockwise from north; 0 is left out, as trackers send it for 'unknown'."""
    name = str(situation.config.options.get("bearing", ""))
    value = finite(data.get(name)) if name else None
    if value is None or value == 0:
        return None
    if not 0 < value < 360:
        situation.findings.add("bad-bearing", "info", value)
        return None
    return prop(value, at, "DD")


def _speed(data: dict[str, Any], situation: Situation, at: int) -> dict[str, Any] | None:
    """km/h, from a field in km/h."""
    name = str(situation.config.options.get("speed", ""))
    value = finite(data.get(name)) if name else None
    if value is None:
        return None
    if not 0 <= value <= 250:
        situation.findings.add("bad-speed", "warning", value)
        return None
    return prop(value, at, "KMH")


def _route(value: Any, situation: Situation, at: int) -> dict[str, dict[str, Any]]:
    """Line and vehicle type from the catalogue; the bare route id where it has none."""
    own = label(value)
    if own is None:
        return {}
    made = {"routeId": prop(own, at)}
    catalogue = situation.memory.get(ROUTES)
    if catalogue is None:
        return made
    route = catalogue.get(own)
    if route is None:
        situation.findings.add("unknown-route", "warning", own)
        return made
    line = label(route.get("number"), 40)
    if line:
        made["lineName"] = prop(line, at)
    types = situation.config.options.get("vehicle_types", {})
    kind = types.get(str(route.get("type"))) if isinstance(types, dict) else None
    if kind:
        made["vehicleType"] = prop(str(kind))
    return made
