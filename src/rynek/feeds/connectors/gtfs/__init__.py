"""GTFS schedule: the published timetable of a city's public transport."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rynek.feeds.connectors.gtfs.decode import decode
from rynek.feeds.connectors.gtfs.map import map_row
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit import is_zip

__all__ = ["connector"]
_NAMES = (b"stop_times.txt", b"routes.txt", b"agency.txt", b"trips.txt", b"stops.txt")


class GtfsSchedule:
    """The connector; stateless. What it makes depends on the bytes only."""

    kind = "gtfs"
    timeless = True

    def sniff(self, head: bytes, name: str) -> float:
        """A zip in whose start one of the GTFS files is named."""
        if not is_zip(head):
            return 0.0
        if any(known in head for known in _NAMES):
            return 0.95
        return 0.35 if "gtfs" in name.lower() else 0.25

    def follow(self, data: bytes, situation: Situation) -> Sequence[tuple[str, str]]:
        """A schedule is one document."""
        return ()

    def decode(self, data: bytes, situation: Situation) -> Iterable[Any]:
        """See decode.py."""
        return decode(data, situation)

    def map(self, record: Any, situation: Situation) -> Iterable[Document]:
        """See map.py."""
        return map_row(record, situation)


connector = GtfsSchedule()
