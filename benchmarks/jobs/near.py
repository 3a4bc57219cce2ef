"""Entities within 2 km of a point, limit 20."""

import random

from benchmarks.entities import TYPE
from benchmarks.load import http

COMPARED = True


def requests(count: int) -> list[bytes]:
    draw = random.Random(2)
    place = "&georel=near%3BmaxDistance==2000&geometry=Point&coordinates=%5B{:.4f},{:.4f}%5D"
    return [
        http(
            "GET",
            f"/ngsi-ld/v1/entities?type={TYPE}&limit=20"
            + place.format(draw.uniform(16.73, 17.13), draw.uniform(52.29, 52.53)),
        )
        for _ in range(200)
    ]
