"""`q` on a number, limit 20, selective: bounds that leave 5 to 10 of 10,000 entities."""

from benchmarks.entities import Data
from benchmarks.load import http
from benchmarks.results import Target

TARGET = Target(of_bare=0.25)


def requests(data: Data) -> list[bytes]:
    path = f"/ngsi-ld/v1/entities?type={data.main.type}&limit=20&q={data.main.value}"
    bounds = [f"%3E{99.9 + step / 100:.2f}" for step in range(5)]
    bounds += [f"%3C{0.09 - step / 100:.2f}" for step in range(5)]
    return [http("GET", path + bound) for bound in bounds]
