"""A list of 20 by type, from offsets all over the first thousand."""

from benchmarks.entities import Data
from benchmarks.load import http
from benchmarks.results import Target

TARGET = Target(of_bare=0.35)


def requests(data: Data) -> list[bytes]:
    last = min(data.counts[data.main.type], 1000) - 20
    offsets = range(0, max(last, 1), 20)
    path = f"/ngsi-ld/v1/entities?type={data.main.type}&limit=20&offset="
    return [http("GET", f"{path}{offset}") for offset in offsets]
