"""Change one attribute of one entity, each answer after the commit."""

import json
import random

from benchmarks.entities import identifier
from benchmarks.load import http


def requests(count: int) -> list[bytes]:
    draw = random.Random(3)
    return [
        http(
            "PATCH",
            f"/ngsi-ld/v1/entities/{identifier(draw.randrange(count))}/attrs",
            json.dumps({"speed": {"type": "Property", "value": draw.randrange(100_000)}}).encode(),
            Content_Type="application/json",
        )
        for _ in range(5000)
    ]
