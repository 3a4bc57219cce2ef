"""`q` on a number, limit 20, selective: bounds that leave 5 to 10 of 10,000 entities."""

from benchmarks.entities import Data
from benchmarks.load import http
from benchmarks.results import Target

TARGET = Target(of_bare=0.25)


def requests(data: Data, rarest: float = 0.05) -> list[bytes]:
    """Bounds that leave from `rarest` to `rarest` + 0.05 percent of the entities."""
    path = f"/ngsi-ld/v1/entities?type={data.main.type}&limit=20&q={data.main.value}"
    left = [rarest + step / 100 for step in range(5)]
    bounds = [f"%3E{99.99 - percent:.2f}" for percent in left]
    bounds += [f"%3C{percent:.2f}" for percent in left]
    return [http("GET", path + bound) for bound in bounds]
