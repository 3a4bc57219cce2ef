"""Batches of 20 existing entities, every value changed, each answer after the commit."""

from benchmarks.entities import batch
from benchmarks.load import http

PER_REQUEST = 20


def requests(count: int) -> list[bytes]:
    starts = range(0, count - PER_REQUEST + 1, max(PER_REQUEST, count // 100))
    path = "/ngsi-ld/v1/entityOperations/upsert"
    return [
        http(
            "POST",
            path,
            batch(range(start, start + PER_REQUEST), seed),
            Content_Type="application/json",
        )
        for seed in range(1, 6)
        for start in starts
    ]
