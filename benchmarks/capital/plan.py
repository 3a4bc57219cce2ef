"""The feeds of a capital of 1.3 million people: what each holds, how it comes, how often it changes.

Counts are those of entities.SCALES; together the normal hours make 310 updates a second, the worst
hour (vehicles and signals every second) 2,900. An update changes three attributes. What is said
about entity `e` for the k-th time is a function of both, so nothing has to be remembered to
compare what was sent with what is there.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson
from benchmarks.entities import SCALES, draw, position
from google.transit import gtfs_realtime_pb2 as pb

MICRO: Final = 1_000_000
Values = tuple[Any, ...]


class Feed(NamedTuple):
    """One feed. `way` is `poll` (the city publishes a document with everything), `batch` (a system
    posts what changed in the last second) or `single` (a network server posts each message);
    `normal` and `worst` are seconds between two updates of one entity."""

    name: str
    kind: str
    type: str
    way: str
    normal: float
    worst: float
    columns: tuple[tuple[str, int, int], ...] = ()

    @property
    def total(self) -> int:
        return SCALES["capital"][self.type]

    @property
    def attrs(self) -> tuple[str, ...]:
        """The attributes that an update changes, as rynek calls them."""
        return _ATTRS.get(self.kind) or tuple(name for name, _, _ in self.columns)

    def entity_id(self, e: int) -> str:
        return f"urn:ngsi-ld:{self.type}:{self.name}:{e:06d}"

    def values(self, e: int, k: int) -> Values:
        """What the k-th update says of entity e, in the order of `attrs`, as it must be stored."""
        if self.kind == "gtfs_rt":
            lon, lat = _place(e, k)
            return ([_single(lon), _single(lat)], float((e * 7 + k * 10) % 360), _kmh(e, k))
        if self.kind == "gbfs":
            bikes = (e + k) % 20
            docks = 20 - bikes
            return (bikes, docks, (e + k) % 3, "empty" if not bikes else "working")
        return tuple((e * 37 + k * step) % most / 10 for _, most, step in self.columns)

    def stamp(self, at: int) -> int:
        """`at` (µs) as the format can say it: whole seconds, or milliseconds."""
        step = MICRO if self.kind in _ATTRS else 1000
        return at // step * step

    def document(self, numbers: Sequence[int], k: int, at: int) -> bytes:
        """The document (or body) that says update k of these entities, true at `at` (µs)."""
        if self.kind == "gtfs_rt":
            return _vehicles(numbers, k, at)
        if self.kind == "gbfs":
            return _stations(numbers, k, at)
        return b"\n".join(orjson.dumps(self.record(e, k, at)) for e in numbers)

    def record(self, e: int, k: int, at: int) -> dict[str, Any]:
        """One line of a table."""
        lon, lat = position(e)
        made: dict[str, Any] = {"id": f"{e:06d}", "at": iso(at)}
        made |= {name: value for (name, _, _), value in
                 zip(self.columns, self.values(e, k), strict=True)}  # fmt: skip
        if self.way != "batch" or k == 0:
            made |= {"lon": lon, "lat": lat, "name": f"{self.name} {e:06d}"}
        return made

    def toml(self, base: str) -> str:
        """The feed's file; `base` is where the city publishes."""
        source = f"{base}/{self.name}" if self.way == "poll" else "webhook:"
        every = 0.5 if self.worst <= 1 else 1.0
        lines = [f'kind = "{self.kind}"', f'source = "{source}"', f"every = {every}"]
        lines += ['provider = "The capital"', 'licence = "open data"', "bounds = [16, 52, 18, 53]"]
        lines += ["", "[options]"]
        if self.kind == "gtfs_rt":
            lines += ["route_type = 3"]
        elif self.kind == "gbfs":
            lines += [f'station_information = "{base}/{self.name}/information"']
        else:
            lines += self._mapping()
        return "\n".join(lines) + "\n"

    def _mapping(self) -> list[str]:
        lines = ["[options.map]", f'type = "{self.type}"', 'id = "{id}"', ""]
        lines += ["[options.map.table]", 'format = "jsonl"', ""]
        lines += ["[options.map.time]", 'column = "at"', ""]
        lines += ["[options.map.location]", 'lon = "lon"', 'lat = "lat"', "required = false", ""]
        lines += ["[[options.map.attribute]]", 'name = "name"', 'column = "name"', "static = true"]
        for name, _, _ in self.columns:
            lines += ["", "[[options.map.attribute]]", f'name = "{name}"', f'column = "{name}"']
            lines += ['kind = "number"']
        return lines


_ATTRS: Final = {
    "gtfs_rt": ("location", "bearing", "speed"),
    "gbfs": ("availableBikeNumber", "freeSlotNumber", "outOfServiceSlotNumber", "status"),
}

FEEDS: Final = (
    Feed("vehicles", "gtfs_rt", "Vehicle", "poll", 20, 1),
    Feed("signals", "tabular", "TrafficSignal", "poll", 60, 1,
         (("cycleTime", 1200, 7), ("queueLength", 400, 11), ("greenShare", 1000, 13))),
    Feed("chargers", "tabular", "EVChargingStation", "poll", 60, 60,
         (("availableCapacity", 40, 1), ("amperage", 630, 7), ("voltage", 4000, 9))),
    Feed("bikes", "gbfs", "BikeHireDockingStation", "poll", 30, 30),
    Feed("lights", "tabular", "Streetlight", "batch", 1800, 1800,
         (("powerConsumption", 1500, 7), ("illuminanceLevel", 1000, 11), ("voltage", 2400, 9))),
    Feed("bins", "tabular", "WasteContainer", "single", 3600, 3600,
         (("fillingLevel", 1000, 7), ("temperature", 400, 3), ("batteryLevel", 1000, 1))),
    Feed("parking", "tabular", "ParkingSpot", "single", 1800, 1800,
         (("occupancy", 20, 1), ("temperature", 400, 3), ("batteryLevel", 1000, 1))),
)  # fmt: skip


def updates_per_second(worst: bool, speed: float) -> float:
    """How many entities report a second."""
    return speed * sum(feed.total / (feed.worst if worst else feed.normal) for feed in FEEDS)


def iso(at: int) -> str:
    """Epoch microseconds as ISO 8601 with milliseconds."""
    return f"{datetime.fromtimestamp(at / MICRO, UTC):%Y-%m-%dT%H:%M:%S}.{at // 1000 % 1000:03d}Z"


def information(feed: Feed) -> bytes:
    """GBFS station_information."""
    stations = []
    for e in range(feed.total):
        lon, lat = position(e)
        stations.append(
            {"station_id": f"{e:06d}", "name": f"station {e}", "lon": lon, "lat": lat,
             "capacity": 22}
        )  # fmt: skip
    return orjson.dumps({"last_updated": 1_790_000_000, "ttl": 60, "version": "2.3",
                         "data": {"stations": stations}})  # fmt: skip


def _place(e: int, k: int) -> tuple[float, float]:
    """A vehicle goes 8 m a step, 200 steps one way, and begins again."""
    lon, lat = position(e)
    turn = draw(e, 0, 11) % 360 * math.pi / 180
    step = k % 200 * 8e-5
    return lon + step * math.cos(turn), lat + step * math.sin(turn)


def _single(value: float) -> float:
    """A coordinate after the message's single precision, rounded as connectors do."""
    return round(float(struct.unpack("<f", struct.pack("<f", value))[0]), 6)


def _metres_per_second(e: int, k: int) -> float:
    return (e + k * 3) % 20 / 2


def _kmh(e: int, k: int) -> float:
    return round(_metres_per_second(e, k) * 3.6, 1)


def _vehicles(numbers: Sequence[int], k: int, at: int) -> bytes:
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = at // MICRO
    for e in numbers:
        entity = message.entity.add()
        key = entity.id = f"{e:06d}"
        vehicle = entity.vehicle
        vehicle.vehicle.id = vehicle.vehicle.label = key
        vehicle.trip.trip_id, vehicle.trip.route_id = f"trip {e}", str(e % 100)
        vehicle.position.longitude, vehicle.position.latitude = _place(e, k)
        vehicle.position.bearing = (e * 7 + k * 10) % 360
        vehicle.position.speed = _metres_per_second(e, k)
        vehicle.timestamp = at // MICRO
    return bytes(message.SerializeToString())


def _stations(numbers: Sequence[int], k: int, at: int) -> bytes:
    stations = []
    for e in numbers:
        bikes = (e + k) % 20
        stations.append(
            {"station_id": f"{e:06d}", "num_bikes_available": bikes,
             "num_docks_available": 20 - bikes, "num_docks_disabled": (e + k) % 3,
             "is_installed": True, "is_renting": True, "is_returning": True,
             "last_reported": at // MICRO}
        )  # fmt: skip
    return orjson.dumps({"last_updated": at // MICRO, "ttl": 1, "version": "2.3",
                         "data": {"stations": stations}})  # fmt: skip
