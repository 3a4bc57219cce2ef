"""GBFS 2.x and 3.0: docking stations and free-floating vehicles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rynek.feeds.connectors.gbfs.decode import (
    DISCOVERY,
    INFORMATION,
    STATUS,
    SYSTEM,
    TYPES,
    VEHICLES,
    decode,
    feeds,
    kind_of,
    read,
)
from rynek.feeds.connectors.gbfs.map import map_record
from rynek.feeds.contract import Document, Situation

__all__ = ["Gbfs", "connector"]

_SLOW = (SYSTEM, TYPES, INFORMATION)
_FAST = (STATUS, VEHICLES, "free_bike_status")


class Gbfs:
    """Reads a system from its gbfs.json, or any one of its files; see docs/feeds/gbfs.md."""

    kind = "gbfs"
    optional = frozenset({*_SLOW, *_FAST})

    def sniff(self, head: bytes, name: str) -> float:
        """Sure when the head has GBFS members; a CSV when it lists stations with their places."""
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        columns = start.split(b"\n", 1)[0].replace(b'"', b"").strip().split(b",")
        if {b"station_id", b"lat", b"lon"} <= set(columns):
            return 0.6
        if start[:1] != b"{" or b'"data"' not in head:
            return 0.0
        envelope = (b'"last_updated"', b'"ttl"', b'"version"')
        if all(member in head for member in envelope):
            return 0.95
        members = (b'"station_id"', b'"bike_id"', b'"vehicle_type_id"', b'"system_id"')
        if any(member in head for member in members):
            return 0.95 if b'"last_updated"' in head or b'"ttl"' in head else 0.7
        discovery = b'"feeds"' in head and (b"station_" in head or b"system_information" in head)
        return 0.95 if discovery else 0.0

    def follow(self, data: bytes, situation: Situation) -> Sequence[tuple[str, str]]:
        """The files that a discovery document lists, or the `station_information` option.

        Slow-changing files come first, and only when `refresh` seconds (3600) have passed.
        """
        document = read(data)
        options, memory = situation.config.options, situation.memory
        due = memory.get("slow_due", 0) <= situation.now
        wanted: list[tuple[str, str]] = []
        what = kind_of(document)
        if what == DISCOVERY:
            listed = feeds(document, str(options.get("language", "")))
            slow = [(name, listed[name]) for name in _SLOW if name in listed] if due else []
            wanted = slow + [(name, listed[name]) for name in _FAST if name in listed]
        elif what == STATUS and due and options.get(INFORMATION):
            wanted = [(INFORMATION, str(options[INFORMATION]))]
        return wanted

    def decode(self, data: bytes, situation: Situation) -> Iterable[Any]:
        """One GBFS document → records; ValueError when it is none."""
        return decode(data, situation)

    def map(self, record: Any, situation: Situation) -> Iterable[Document]:
        """One record → BikeHireDockingStation or Vehicle entities."""
        return map_record(record, situation)


connector = Gbfs()
