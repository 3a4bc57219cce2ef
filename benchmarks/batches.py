"""The bodies of jobs that upsert batches, and the indexes that some of them ask for."""

from __future__ import annotations

import urllib.request

import orjson
from benchmarks.entities import Data
from benchmarks.load import http

_PATH = "/ngsi-ld/v1/entityOperations/upsert"


def upserts(data: Data, size: int, *, requests: int, steps: int, step_m: float = 0) -> list[bytes]:
    """`requests` upserts of `size` entities that exist. One value of each entity differs from the
    one before; with `step_m` its place moves as well. Each entity comes again after all others, in
    `steps` states."""
    ranges = data.ranges(max(1, requests // steps), size)
    return [
        http("POST", _PATH, orjson.dumps(
            [data.entity(n, seed, place=seed if step_m else 0, step_m=step_m) for n in numbers]
        ), Content_Type="application/json")
        for seed in range(1, steps + 1)
        for numbers in ranges
    ]  # fmt: skip


def index_two(port: int, data: Data) -> None:
    """Ask for both numbers of the most frequent kind: from then on both are indexed."""
    for name in (data.main.value, data.main.second):
        path = f"/ngsi-ld/v1/entities?type={data.main.type}&q={name}%3E99.5&limit=1"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=300) as answer:
            answer.read()
