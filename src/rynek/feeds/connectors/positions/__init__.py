"""Vehicle positions polled as JSON by field names, as many city trackers publish them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rynek.feeds.connectors.positions.decode import ROUTES, decode
from rynek.feeds.connectors.positions.map import map_reading
from rynek.feeds.contract import Document, Situation

__all__ = ["Positions", "connector"]


class Positions:
    """Reads polls of vehicle positions with a catalogue of routes; see docs/feeds/positions.md."""

    kind = "positions"

    def sniff(self, head: bytes, name: str) -> float:
        """Fairly sure of a JSON object with a list of positions or a catalogue of routes."""
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:4096]
        if start[:1] != b"{":
            return 0.0
        if b'"positions"' in start and b'"lat"' in start and b'"vehicle_id"' in start:
            return 0.9
        return 0.6 if b'"route_count"' in start and b'"routes"' in start else 0.0

    def follow(self, data: bytes, situation: Situation) -> Sequence[tuple[str, str]]:
        """The catalogue of routes (option `routes`), until it was read once."""
        url = str(situation.config.options.get(ROUTES) or "")
        return [(ROUTES, url)] if url and ROUTES not in situation.memory else []

    def decode(self, data: bytes, situation: Situation) -> Iterable[Any]:
        """One poll, or one a line → readings; ValueError when it is neither."""
        return decode(data, situation)

    def map(self, record: Any, situation: Situation) -> Iterable[Document]:
        """One reading → one Vehicle."""
        return map_reading(record, situation)


connector = Positions()
