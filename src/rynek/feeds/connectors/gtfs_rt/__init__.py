"""GTFS-Realtime (version 1.0 and 2.0): vehicle positions, trip updates, service alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from rynek.feeds.connectors.gtfs_rt.decode import decode, is_json, is_text
from rynek.feeds.connectors.gtfs_rt.map import map_record
from rynek.feeds.contract import Document, Situation

__all__ = ["connector"]


class GtfsRealtime:
    """The connector; stateless."""

    kind = "gtfs_rt"

    def sniff(self, head: bytes, name: str) -> float:
        """A FeedMessage starts with its header, and that with its version ("2.0")."""
        versioned = head[:1] == b"\x0a" and head[2:4] == b"\x0a\x03" and head[5:6] == b"."
        if versioned or is_json(head) or is_text(head):
            return 0.98
        return 0.3 if head[:1] == b"\x0a" and name.endswith((".pb", ".pbf")) else 0.0

    def follow(self, data: bytes, situation: Situation) -> Sequence[tuple[str, str]]:
        """The URLs of the option `also`, named by the last part of their path."""
        if situation.part:
            return ()
        urls = situation.config.options.get("also") or ()
        return [(urlsplit(str(url)).path.rsplit("/", 1)[-1] or "also", str(url)) for url in urls]

    def decode(self, data: bytes, situation: Situation) -> Iterable[Any]:
        """See decode.py."""
        return decode(data, situation)

    def map(self, record: Any, situation: Situation) -> Iterable[Document]:
        """See map.py."""
        return map_record(record, situation)


connector = GtfsRealtime()
