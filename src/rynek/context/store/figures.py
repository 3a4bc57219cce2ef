"""What a store has done since it was opened and how large it is: numbers for who watches it."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import msgspec

__all__ = ["COMMIT_SECONDS", "GROUP_JOBS", "Commits", "StoreFigures"]

COMMIT_SECONDS: Final = (
    0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
)  # fmt: skip
"""Upper bounds of the buckets of commit times; one more holds what took longer."""
GROUP_JOBS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper bounds of the buckets of group sizes, in write jobs."""


class Commits:
    """Groups of write jobs: how many, of how many jobs and rows, and how long each took to be
    written and synced."""

    __slots__ = ("failed", "jobs", "rows", "seconds", "sizes", "times")

    def __init__(self) -> None:
        self.jobs = self.rows = self.failed = 0
        self.seconds = 0.0
        self.times = [0] * (len(COMMIT_SECONDS) + 1)
        self.sizes = [0] * (len(GROUP_JOBS) + 1)

    def note(self, jobs: int, rows: int, seconds: float) -> None:
        """One group is in the file."""
        self.jobs += jobs
        self.rows += rows
        self.seconds += seconds
        self.times[bisect_left(COMMIT_SECONDS, seconds)] += 1
        self.sizes[bisect_left(GROUP_JOBS, jobs)] += 1

    def copy(self) -> Commits:
        """The numbers as they are now."""
        made = Commits()
        made.jobs, made.rows, made.failed = self.jobs, self.rows, self.failed
        made.seconds, made.times, made.sizes = self.seconds, self.times[:], self.sizes[:]
        return made

    @property
    def groups(self) -> int:
        """How many groups were written."""
        return sum(self.times)


class StoreFigures(msgspec.Struct, frozen=True):
    """`head` is the seq of the newest change, `rows` are those that are kept; `size` is the bytes
    of the database and of its write-ahead log; `indexes` are the value indexes, `building` those
    under construction."""

    commits: Commits
    head: int
    rows: int
    size: int
    indexes: int
    building: int
