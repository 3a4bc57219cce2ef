"""`q=speed>…`, limit 20, for bounds that leave from 5 to 50 of 100 entities."""

from benchmarks.entities import TYPE
from benchmarks.load import http

COMPARED = True


def requests(count: int) -> list[bytes]:
    bounds = range(50, 95, 5)
    paths = [f"?type={TYPE}&q=speed%3E{bound}&limit=20" for bound in bounds]
    return [http("GET", f"/ngsi-ld/v1/entities{path}") for path in paths]
