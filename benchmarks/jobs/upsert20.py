"""Batches of 20 that exist: one value changes, the place does not, no value index was asked for."""

from benchmarks.batches import upserts
from benchmarks.entities import Data
from benchmarks.results import Target

PER_REQUEST = 20
WRITES = True
TARGET = Target(at_least=15_000)


def requests(data: Data) -> list[bytes]:
    return upserts(data, PER_REQUEST, requests=4000, steps=4)
