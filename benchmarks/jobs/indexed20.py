"""Batches of 20 that exist: one value changes, one of two that are indexed."""

from benchmarks.batches import index_two, upserts
from benchmarks.entities import Data
from benchmarks.results import Target

PER_REQUEST = 20
WRITES = True
TARGET = Target(at_least=10_000)

prepare = index_two


def requests(data: Data) -> list[bytes]:
    return upserts(data, PER_REQUEST, requests=4000, steps=4)
