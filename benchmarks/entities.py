"""The entities that jobs work on, made from their number and a seed: the same for ever.

A vehicle has 544 bytes and five attributes, as in the published figures of others. A city has
seven kinds, counted from published figures of lights, bins, vehicles, signals and stations.
"""

from __future__ import annotations

import math
import urllib.request
from bisect import bisect_right
from itertools import accumulate
from typing import Any, Final, NamedTuple

import orjson

TYPE = "Vehicle"
_FILL = (
    "a city that measures what it does, day after day, and says so to whoever lives there and asks"
)
_MASK: Final = (1 << 64) - 1
_LON, _LAT = 16.93, 52.41
_DEGREE_M: Final = 111_320.0


class Kind(NamedTuple):
    """One kind of thing in a city: its type, the attribute that a reading changes, a second number,
    a word for its name."""

    type: str
    value: str
    second: str
    word: str


KINDS: Final = {
    kind.type: kind
    for kind in (
        Kind("Vehicle", "speed", "heading", "vehicle"),
        Kind("Streetlight", "powerConsumption", "illuminanceLevel", "lamp"),
        Kind("WasteContainer", "fillingLevel", "temperature", "container"),
        Kind("ParkingSpot", "occupancy", "batteryLevel", "space"),
        Kind("EVChargingStation", "availableCapacity", "amperage", "charger"),
        Kind("BikeHireDockingStation", "availableBikeNumber", "freeSlotNumber", "station"),
        Kind("TrafficSignal", "cycleTime", "queueLength", "crossing"),
    )
}

# How many of each kind: a town of 10,000 people, a city of 500,000, a capital of 1.3 million.
SCALES: Final = {
    "town": {
        "Streetlight": 1_400, "WasteContainer": 400, "ParkingSpot": 150, "Vehicle": 20,
        "EVChargingStation": 10, "BikeHireDockingStation": 10, "TrafficSignal": 10,
    },
    "city": {
        "Streetlight": 45_000, "WasteContainer": 20_000, "ParkingSpot": 23_000, "Vehicle": 700,
        "EVChargingStation": 700, "BikeHireDockingStation": 300, "TrafficSignal": 300,
    },
    "capital": {
        "Streetlight": 150_000, "WasteContainer": 70_000, "ParkingSpot": 72_000, "Vehicle": 2_000,
        "EVChargingStation": 2_000, "BikeHireDockingStation": 800, "TrafficSignal": 700,
    },
}  # fmt: skip


class Data:
    """A number of entities of one or several kinds, numbered through from 0."""

    def __init__(self, counts: dict[str, int], name: str) -> None:
        self.counts = counts
        self.name = name
        self.count = sum(counts.values())
        self._types = list(counts)
        self._ends = list(accumulate(counts.values()))
        self.main = KINDS[max(counts, key=lambda kind: counts[kind])]
        self._first = self._ends[self._types.index(self.main.type)] - counts[self.main.type]

    def identifier(self, number: int) -> str:
        """The id of entity `number`."""
        at = bisect_right(self._ends, number)
        return identifier(number, self._types[at])

    def entity(
        self, number: int, seed: int = 0, *, place: int = 0, step_m: float = 0
    ) -> dict[str, Any]:
        """Entity `number`; `seed` changes the one value of its readings, `place` counts how often
        it moved by `step_m` metres (up to 1 km on a straight line, longer steps on a hexagon)."""
        kind = KINDS[self._types[bisect_right(self._ends, number)]]
        return entity(number, seed, kind=kind, place=place, step_m=step_m)

    def of_main(self, count: int) -> list[int]:
        """Numbers of `count` entities of the most frequent kind, spread over all of them."""
        many = self.counts[self.main.type]
        return [self._first + draw(n, 0, 7) % many for n in range(count)]

    def ranges(self, count: int, size: int) -> list[range]:
        """`count` runs of `size` entities, spread over all of them, none twice."""
        size = min(size, self.count)
        places = self.count // size
        return [range(n * size, n * size + size) for n in _spread(places, min(count, places))]


def of(entities: int, scale: str | None = None) -> Data:
    """Vehicles alone, or the things of a town, a city or a capital."""
    if scale:
        return Data(SCALES[scale], scale)
    return Data({TYPE: entities}, f"{entities:,} vehicles")


def draw(number: int, seed: int, salt: int) -> int:
    """64 bits that depend on all three and on nothing else (splitmix64)."""
    x = (
        number * 0x9E3779B97F4A7C15 + seed * 0xD1B54A32D192ED03 + salt * 0x8CB92BA72F3D8DD7
    ) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def identifier(number: int, kind: str = TYPE) -> str:
    """The id of entity `number`."""
    return f"urn:ngsi-ld:{kind}:bench:{number:07d}"


def entity(
    number: int,
    seed: int = 0,
    *,
    kind: Kind = KINDS[TYPE],
    place: int = 0,
    step_m: float = 0,
) -> dict[str, Any]:
    """One entity within 20 km of a centre; its value lies between 0 and 100 and changes with
    `seed`, the second number below 360 does not."""
    minute, second = divmod(draw(number, 0, 1) + seed, 60)
    observed = f"2026-11-22T10:{minute % 60:02d}:{second:02d}Z"
    value = draw(number, seed, 2) % 10_000 / 100
    return {
        "id": identifier(number, kind.type),
        "type": kind.type,
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": position(number, place, step_m)},
        },
        kind.value: {"type": "Property", "value": value, "observedAt": observed},
        kind.second: {
            "type": "Property",
            "value": draw(number, 0, 3) % 360,
            "observedAt": "2026-11-22T10:00:00Z",
        },
        "name": {"type": "Property", "value": f"{kind.word} {number:07d} of the fleet of {_FILL}"},
        "route": {"type": "Relationship", "object": f"urn:ngsi-ld:Route:{number % 100}"},
    }


def position(number: int, place: int = 0, step_m: float = 0) -> list[float]:
    """Longitude and latitude of an entity after `place` steps of `step_m` metres."""
    east = (draw(number, 0, 4) % 1_000_000 / 500_000 - 1) * 0.3
    north = (draw(number, 0, 5) % 1_000_000 / 500_000 - 1) * 0.18
    turn = draw(number, 0, 6) % 360 * math.pi / 180
    if step_m <= 1000:
        east_m, north_m = place * step_m * math.cos(turn), place * step_m * math.sin(turn)
    else:  # around a hexagon, whose corners are as far from each other as from its centre
        turn += place * math.pi / 3
        east_m, north_m = step_m * math.cos(turn), step_m * math.sin(turn)
    lat = _LAT + north + north_m / _DEGREE_M
    lon = _LON + east + east_m / (_DEGREE_M * math.cos(_LAT * math.pi / 180))
    return [round(lon, 5), round(lat, 5)]


def batch(numbers: range, seed: int = 0) -> bytes:
    """The body of a batch operation on vehicles."""
    return orjson.dumps([entity(number, seed) for number in numbers])


def fill(port: int, data: Data | int, step: int = 1000) -> None:
    """Create all entities; RuntimeError when the server refuses some."""
    every = of(data) if isinstance(data, int) else data
    url = f"http://127.0.0.1:{port}/ngsi-ld/v1/entityOperations/upsert"
    for start in range(0, every.count, step):
        numbers = range(start, min(start + step, every.count))
        body = orjson.dumps([every.entity(number) for number in numbers])
        request = urllib.request.Request(
            url, body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            if answer.status not in {201, 204}:
                raise RuntimeError(f"the server refused entities: {answer.read(500)!r}")


def _spread(places: int, count: int) -> list[int]:
    """`count` different numbers below `places`, in no order but always the same."""
    step = max(1, int(places * 0.618))
    while math.gcd(step, places) > 1:
        step += 1
    return [n * step % places for n in range(count)]
