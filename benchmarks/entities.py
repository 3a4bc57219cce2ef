"""The entities that jobs work on: 544 bytes, five attributes, as in the published figures."""

from __future__ import annotations

import json
import random
import urllib.request
from typing import Any

TYPE = "Vehicle"
_FILL = "a city that measures what it does, day after day, and says so"


def entity(number: int, seed: int = 0) -> dict[str, Any]:
    """Vehicle `number`, within 20 km of a centre; `seed` changes every value."""
    draw = random.Random(f"{number}:{seed}")
    second = (number + seed) % 60
    observed = f"2026-11-22T10:00:{second:02d}Z"
    place = [round(16.93 + draw.uniform(-0.3, 0.3), 5), round(52.41 + draw.uniform(-0.18, 0.18), 5)]
    return {
        "id": identifier(number),
        "type": TYPE,
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": place}},
        "speed": {"type": "Property", "value": draw.randrange(100), "observedAt": observed},
        "heading": {"type": "Property", "value": draw.randrange(360), "observedAt": observed},
        "name": {"type": "Property", "value": f"vehicle {number:07d} of the fleet of {_FILL}"},
        "route": {"type": "Relationship", "object": f"urn:ngsi-ld:Route:{number % 100}"},
    }


def identifier(number: int) -> str:
    """The id of entity `number`."""
    return f"urn:ngsi-ld:{TYPE}:bench:{number:07d}"


def batch(numbers: range, seed: int = 0) -> bytes:
    """The body of a batch operation."""
    return json.dumps([entity(number, seed) for number in numbers]).encode()


def fill(port: int, count: int, step: int = 500) -> None:
    """Create entities 0 to `count`; RuntimeError when the server refuses some."""
    url = f"http://127.0.0.1:{port}/ngsi-ld/v1/entityOperations/upsert"
    for start in range(0, count, step):
        body = batch(range(start, min(start + step, count)))
        request = urllib.request.Request(
            url, body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            if answer.status not in {201, 204}:
                raise RuntimeError(f"the server refused entities: {answer.read(500)!r}")
