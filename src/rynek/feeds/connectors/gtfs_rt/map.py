"""Records → `Vehicle`, `ArrivalEstimation` and `Alert` of the Smart Data Models.

Every observed attribute carries the vehicle's own time. Where a vehicle has none, or one more
than five minutes after the header's (a wrong clock or zone), it is the header's; a vehicle whose
time is more than a day ahead is kept out. Ages are measured against the header, so a recording is
judged as it was on its day.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from google.transit import gtfs_realtime_pb2 as pb

from rynek.base.clock import MICRO
from rynek.feeds.connectors.gtfs_rt.alerts import alert_documents
from rynek.feeds.connectors.gtfs_rt.decode import AlertRecord, Record, VehicleRecord
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit import document, moment, place_problem, point, prop, provenance, rel, urn
from rynek.feeds.kit.content import text
from rynek.feeds.kit.schedule import Route, Trip, route_kind

_STALE_YEARS = 365 * 86_400 * MICRO
_MILLISECONDS = 100_000_000_000
_FUTURE_FLAG = 300 * MICRO
_FUTURE_LIMIT = 86_400 * MICRO
_STOPPED = pb.VehiclePosition.STOPPED_AT
_OCCUPANCY = pb.VehiclePosition.OccupancyStatus
_CONGESTION = pb.VehiclePosition.CongestionLevel
_NO_SERVICE = {pb.TripDescriptor.CANCELED, pb.TripDescriptor.DELETED}
_DUPLICATED = pb.TripDescriptor.DUPLICATED
_UNPLANNED = {pb.TripDescriptor.ADDED, pb.TripDescriptor.UNSCHEDULED, pb.TripDescriptor.REPLACEMENT,
              _DUPLICATED, 8}  # fmt: skip
"""8 is NEW, which older bindings lack."""
_STOP_STATE = pb.TripUpdate.StopTimeUpdate
_NO_STOP = {_STOP_STATE.SKIPPED, _STOP_STATE.NO_DATA}
_BEHIND = 60 * MICRO
_VEHICLE_TYPES = {"tram": "tram", "bus": "bus", "trolleybus": "trolley", "ferry": "passengerVessel"}
"""Words of the Vehicle schema; it has none for rail, metro and the rest: `other`."""


def map_record(record: Record, situation: Situation) -> Iterator[Document]:
    """The entities that one record makes."""
    if isinstance(record, AlertRecord):
        yield from alert_documents(record, scope_of(situation), situation)
        return
    if not record.key.startswith("\0"):
        vehicle = _vehicle(record, situation)
        if vehicle is not None:
            yield vehicle
        else:
            return
    if record.update is None:
        return
    if record.update.trip.schedule_relationship in _NO_SERVICE:
        if record.key.startswith("\0") or record.position is not None:
            situation.findings.add("trip-cancelled", "info", record.update.trip.trip_id)
        return
    yield from _arrivals(record, situation)


def scope_of(situation: Situation) -> str:
    """The part of ids that tells this operator from others."""
    return str(situation.config.options.get("scope") or situation.config.name)


def _vehicle(record: VehicleRecord, situation: Situation) -> Document | None:
    config, findings = situation.config, situation.findings
    position, update = record.position, record.update
    descriptor = (update if position is None else position).vehicle
    trip_message = (update if position is None else position).trip
    trip, route = _match(trip_message, record, situation)
    label = descriptor.label
    made = document(
        urn("Vehicle", scope_of(situation), record.key),
        "Vehicle",
        name=prop(label or record.key),
        fleetVehicleId=prop(record.key),
        category=prop(["public"]),
        vehicleType=_vehicle_type(route, situation),
        vehiclePlateIdentifier=prop(descriptor.license_plate) if descriptor.license_plate else None,
        **provenance(config),
    )
    stamp = (update if position is None else position).timestamp
    if _seconds(stamp) * MICRO - (record.header or situation.now) > _FUTURE_LIMIT:
        findings.add("time-in-future", "error", f"{record.key}: {stamp}")
        return None
    if position is not None:
        observed = _observed(position.timestamp, record, situation)
        _motion(made, position, observed, record, situation)
        _service(made, trip_message, trip, route, label, observed, record, situation)
    if update is not None:
        observed = _observed(update.timestamp, record, situation)
        if position is None:
            _service(made, trip_message, trip, route, label, observed, record, situation)
        cancelled = update.trip.schedule_relationship in _NO_SERVICE
        delay = None if cancelled else _delay(update, record, situation)
        if delay is not None:
            made["delay"] = prop(delay, observed, "SEC")
    return made


def _seconds(stamp: int) -> int:
    """A POSIX time as the specification wants it, also where the source sends milliseconds."""
    return stamp if stamp < _MILLISECONDS else stamp // 1000


def _observed(stamp: int, record: VehicleRecord, situation: Situation) -> int | None:
    """The source's own time in microseconds: the vehicle's, else the header's, else none."""
    findings = situation.findings
    if not stamp:
        findings.add("time-missing", "warning", record.key)
        return record.header or None
    if stamp >= _MILLISECONDS:
        findings.add("time-in-milliseconds", "warning", f"{record.key}: {stamp}")
    micros = _seconds(stamp) * MICRO
    ahead = micros - (record.header or situation.now)
    if ahead > _FUTURE_FLAG:
        findings.add("time-ahead", "warning", f"{record.key}: {ahead // MICRO} s after the header")
        return record.header or None
    return micros


def _motion(
    made: Document,
    position: Any,
    observed: int | None,
    record: VehicleRecord,
    situation: Situation,
) -> None:
    place = position.position
    findings = situation.findings
    lon, lat = place.longitude, place.latitude
    problem = place_problem(lon, lat, situation.config.bounds)
    if not position.HasField("position"):
        findings.add("position-missing", "warning", record.key)
    elif problem is not None:
        findings.add(problem, "warning", f"{record.key}: {lon:.5f} {lat:.5f}")
    else:
        made["location"] = point(lon, lat, observed)
        if place.HasField("bearing") and 0 <= place.bearing <= 360:
            made["bearing"] = prop(round(place.bearing % 360, 1), observed, "DD")
    if place.HasField("speed"):
        speed = round(place.speed * 3.6, 1)
        if 0 <= speed <= float(situation.config.options.get("speed_limit", 250.0)):
            made["speed"] = prop(speed, observed, "KMH")
        else:
            findings.add("speed-impossible", "warning", f"{record.key}: {speed} km/h")
    if position.HasField("occupancy_status"):
        name = _name(_OCCUPANCY, position.occupancy_status)
        made["occupancyStatus"] = prop(name, observed)
    if position.HasField("occupancy_percentage"):
        made["occupancy"] = prop(position.occupancy_percentage, observed, "P1")
    if position.congestion_level:
        made["congestionLevel"] = prop(_name(_CONGESTION, position.congestion_level), observed)
    if position.HasField("current_status"):
        stopped = position.current_status == _STOPPED
        made["vehicleRunningStatus"] = prop("stopped" if stopped else "running", observed)


def _service(
    made: Document,
    message: Any,
    trip: Trip | None,
    route: Route | None,
    label: str,
    observed: int | None,
    record: VehicleRecord,
    situation: Situation,
) -> None:
    """What the vehicle is doing for the public: line, trip, stop, status."""
    line = _line(message, route, label, situation)
    if line:
        made["lineName"] = prop(line, observed)
    route_id = message.route_id or (trip.route_id if trip is not None else "")
    if route_id:
        made["routeId"] = prop(route_id, observed)
    if route is not None and record.schedule is not None:
        made["hasRoute"] = rel(urn("GtfsRoute", record.schedule.scope, route.route_id), observed)
    if message.trip_id:
        made["tripId"] = prop(message.trip_id, observed)
    if trip is not None and trip.headsign:
        made["headSign"] = prop(trip.headsign, observed)
    position = record.position
    if position is not None and position.HasField("current_stop_sequence"):
        made["currentStopSequence"] = prop(position.current_stop_sequence, observed)
    if position is not None and position.stop_id:
        scope = record.schedule.scope if record.schedule is not None else scope_of(situation)
        made["hasStop"] = rel(urn("GtfsStop", scope, position.stop_id), observed)
    made["serviceStatus"] = prop(_status(message, observed, record, situation), observed)


def _status(message: Any, observed: int | None, record: VehicleRecord, situation: Situation) -> str:
    """`parked` when the report is stale, `onRoute` on a trip, else `outOfService`."""
    reference = record.header or situation.now
    if observed is not None and reference - observed > situation.config.stale_after * MICRO:
        code = "time-years-old" if reference - observed > _STALE_YEARS else "time-stale"
        age = (reference - observed) // MICRO
        situation.findings.add(code, "warning", f"{record.key}: {age} s old")
        return "parked"
    if message.schedule_relationship in _NO_SERVICE:
        situation.findings.add("trip-cancelled", "info", message.trip_id)
        return "outOfService"
    return "onRoute" if message.trip_id or message.route_id else "outOfService"


def _match(
    message: Any, record: VehicleRecord, situation: Situation
) -> tuple[Trip | None, Route | None]:
    schedule, findings = record.schedule, situation.findings
    if schedule is None:
        return None, None
    trip = None
    if message.trip_id:
        trip, cut = schedule.trip(message.trip_id)
        if trip is None and message.schedule_relationship in _UNPLANNED:
            findings.add("trip-added", "info", message.trip_id)
        elif trip is None:
            findings.add("trip-unknown", "warning", message.trip_id)
        else:
            findings.add(
                "trip-matched-without-day" if cut else "trip-matched", "info", trip.trip_id
            )
    route_id = message.route_id or (trip.route_id if trip is not None else "")
    route = schedule.routes.get(route_id)
    if route_id and route is None:
        findings.add("route-unknown", "warning", route_id)
    return trip, route


def _line(message: Any, route: Route | None, label: str, situation: Situation) -> str:
    if route is not None and (route.short or route.long):
        return route.short or route.long
    if situation.config.options.get("line_from") == "label" and "/" in label:
        return label.split("/", 1)[0].strip()
    return str(message.route_id)


def _line_of(record: VehicleRecord, trip: Trip | None) -> str:
    """The line of a trip update: what its route is called, else the route's id."""
    route_id = record.update.trip.route_id or (trip.route_id if trip is not None else "")
    route = record.schedule.routes.get(route_id) if record.schedule is not None else None
    return (route.short or route.long) if route is not None else str(route_id)


def _vehicle_type(route: Route | None, situation: Situation) -> dict[str, Any] | None:
    kind = route.kind if route is not None else int(situation.config.options.get("route_type", -1))
    return prop(_VEHICLE_TYPES.get(route_kind(kind), "other")) if kind >= 0 else None


def _delay(update: Any, record: VehicleRecord, situation: Situation) -> int | None:
    """Seconds behind the schedule: the trip's own figure, else the first that a stop gives."""
    delay: int | None = None
    if update.HasField("delay"):
        delay = update.delay
    else:
        for stop in chain(next_stops(update, record.header), update.stop_time_update[-1:]):
            delay = _stop_delay(stop)
            if delay is not None:
                break
    if delay is None:
        situation.findings.add("delay-missing", "info", update.trip.trip_id)
    elif abs(delay) > int(situation.config.options.get("delay_limit", 3600)):
        situation.findings.add("delay-outlier", "warning", f"{record.key}: {delay} s")
    return delay


def next_stops(update: Any, header: int) -> Iterator[Any]:
    """The stops of a trip update that are still ahead: some sources list the whole trip, also what
    lies behind. One that is listed alone is where the trip is, for sources that tell nothing else.
    Skipped stops and those without data are none."""
    alone = len(update.stop_time_update) == 1
    for stop in update.stop_time_update:
        at = _seconds(stop.departure.time or stop.arrival.time) * MICRO
        behind = 0 < at < header - _BEHIND and not alone
        if not behind and stop.schedule_relationship not in _NO_STOP:
            yield stop


def _stop_delay(stop: Any) -> int | None:
    for event in (stop.arrival, stop.departure):
        if event.HasField("delay"):
            return int(event.delay)
    return None


def trip_of(update: Any) -> str:
    """The id of the trip: a duplicate of a scheduled one has an id of its own."""
    if update.trip.schedule_relationship == _DUPLICATED and update.trip_properties.trip_id:
        return str(update.trip_properties.trip_id)
    return str(update.trip.trip_id)


def _arrivals(record: VehicleRecord, situation: Situation) -> Iterator[Document]:
    """One ArrivalEstimation for each of the next stops that the update names by id."""
    update = record.update
    config, trip_id = situation.config, trip_of(update)
    wanted = int(config.options.get("arrivals", 1))
    scope = scope_of(situation)
    observed = _seconds(update.timestamp) * MICRO or record.header or None
    if observed is not None and record.header:
        observed = min(observed, record.header)
    for stop in islice(next_stops(update, record.header), wanted if trip_id else 0):
        stop_id = stop.stop_id
        if type(stop_id) is bytes:  # only the first ones were put right
            stop_id = text(stop_id)[0]
        if not stop_id:
            situation.findings.add("stop-without-id", "info", f"trip {trip_id}")
            continue
        delay = _stop_delay(stop)
        if delay is None and update.HasField("delay"):
            delay = update.delay
        at = _seconds(stop.arrival.time or stop.departure.time)
        if delay is None and not at:
            continue
        yield _arrival(record, stop_id, delay, at, observed, scope, situation)


def _arrival(
    record: VehicleRecord,
    stop_id: str,
    delay: int | None,
    at: int,
    observed: int | None,
    scope: str,
    situation: Situation,
) -> Document:
    config, trip_id = situation.config, trip_of(record.update)
    schedule = record.schedule
    where = schedule.scope if schedule is not None else scope
    if schedule is not None and stop_id not in schedule.stops:
        situation.findings.add("stop-unknown", "warning", stop_id)
    trip = schedule.trip(trip_id)[0] if schedule is not None else None
    line = _line_of(record, trip)
    on_vehicle = not record.key.startswith("\0")
    return document(
        urn("ArrivalEstimation", scope, trip_id, stop_id),
        "ArrivalEstimation",
        hasStop=rel(urn("GtfsStop", where, stop_id)),
        hasTrip=rel(urn("GtfsTrip", where, trip.trip_id if trip is not None else trip_id)),
        headSign=prop(trip.headsign) if trip is not None and trip.headsign else None,
        lineName=prop(line) if line else None,
        hasVehicle=rel(urn("Vehicle", scope, record.key), observed) if on_vehicle else None,
        delay=prop(delay, observed, "SEC") if delay is not None else None,
        arrivalTime=prop(moment(int(at) * MICRO), observed) if at else None,
        **provenance(config),
    )


def _name(enum: Any, value: int) -> str:
    try:
        return str(enum.Name(value))
    except ValueError:
        return str(value)
