"""A list of 20 by type, from offsets all over the first thousand."""

from benchmarks.entities import TYPE
from benchmarks.load import http

COMPARED = True


def requests(count: int) -> list[bytes]:
    last = min(count, 1000) - 20
    paths = [f"?type={TYPE}&limit=20&offset={offset}" for offset in range(0, max(last, 1), 20)]
    return [http("GET", f"/ngsi-ld/v1/entities{path}") for path in paths]
