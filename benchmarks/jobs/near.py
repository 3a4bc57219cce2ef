"""Entities within 2 km of a point, limit 20, points all over the city."""

from benchmarks.entities import Data, position
from benchmarks.load import http
from benchmarks.results import Target

TARGET = Target(of_bare=0.20)


def requests(data: Data) -> list[bytes]:
    path = f"/ngsi-ld/v1/entities?type={data.main.type}&limit=20"
    path += "&georel=near%3BmaxDistance==2000&geometry=Point&coordinates=%5B{:.4f},{:.4f}%5D"
    return [http("GET", path.format(*position(10_000_000 + n))) for n in range(1000)]
