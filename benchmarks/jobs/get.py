"""Retrieve one entity by id, 50 connections, ids in random order."""

import random

from benchmarks.entities import identifier
from benchmarks.load import http

COMPARED = True


def requests(count: int) -> list[bytes]:
    numbers = random.Random(1).sample(range(count), min(count, 5000))
    return [http("GET", f"/ngsi-ld/v1/entities/{identifier(number)}") for number in numbers]
