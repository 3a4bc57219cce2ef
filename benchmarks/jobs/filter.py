"""`q` on a number, limit 20, not selective: bounds that leave from 5 to 50 of 100 entities."""

from benchmarks.entities import Data
from benchmarks.load import http
from benchmarks.results import Target

TARGET = Target(of_bare=0.25)


def requests(data: Data) -> list[bytes]:
    path = f"/ngsi-ld/v1/entities?type={data.main.type}&limit=20&q={data.main.value}%3E"
    return [http("GET", f"{path}{bound}") for bound in range(50, 95, 5)]
