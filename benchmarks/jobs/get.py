"""Retrieve one entity by id, ids in random order."""

from benchmarks.entities import Data, draw
from benchmarks.load import http
from benchmarks.results import Target

TARGET = Target(of_bare=0.45)


def requests(data: Data) -> list[bytes]:
    numbers = (draw(n, 0, 8) % data.count for n in range(20_000))
    return [http("GET", f"/ngsi-ld/v1/entities/{data.identifier(number)}") for number in numbers]
