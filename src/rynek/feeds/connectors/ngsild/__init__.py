"""Another NGSI-LD broker by pull, or a file of entities."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from rynek.feeds.connectors.ngsild.decode import decode
from rynek.feeds.connectors.ngsild.map import map_entity
from rynek.feeds.connectors.ngsild.request import (
    MAX_PAGES,
    is_broker,
    page_size,
    page_url,
    prepared,
)
from rynek.feeds.contract import Document, FeedConfig, Situation

__all__ = ["NgsiLd", "connector"]

_PART = "page-"
_SIMPLE = re.compile(rb'[\[{\s]+"id"\s*:\s*"[^"]*"\s*,\s*"type"\s*:\s*"[A-Z]')


class NgsiLd:
    """Reads entities; see docs/feeds/ngsild.md."""

    kind = "ngsild"

    def prepare(self, config: FeedConfig) -> FeedConfig:
        """The configuration with types, query, tenant and context in URL and headers."""
        return prepared(config)

    def sniff(self, head: bytes, name: str) -> float:
        """Sure of objects with id and type that look like attributes or urn:ngsi-ld ids."""
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if start[:1] not in (b"{", b"[") or b'"type"' not in head or b'"id"' not in head:
            return 0.0
        if b'"urn:ngsi-ld:' in head or b'"@context"' in head:
            return 0.9
        kinds = (b'"Property"', b'"GeoProperty"', b'"StructuredValue"', b'"geo:json"')
        if any(kind in head for kind in kinds):
            return 0.7
        return 0.4 if _SIMPLE.match(start) else 0.05

    def follow(self, data: bytes, situation: Situation) -> Sequence[tuple[str, str]]:
        """The next pages, when the first one is full.

        How many there are shows only when they are read: up to three at first, twice as many in
        the next poll as long as the last one is full, 32 at most.
        """
        if not is_broker(situation.config.source):
            return ()
        full = sum(1 for _ in decode(data, situation)) >= page_size(situation.config)
        if not full:
            situation.memory["pages"] = 3
            return ()
        wanted = min(int(situation.memory.setdefault("pages", 3)), MAX_PAGES - 1)
        return [(f"{_PART}{n}", page_url(situation.config, n)) for n in range(1, wanted + 1)]

    def decode(self, data: bytes, situation: Situation) -> Iterable[Any]:
        """One page or file → entities; ValueError when it is neither."""
        count = 0
        for entity in decode(data, situation):
            count += 1
            yield entity
        if situation.part.startswith(_PART) and count >= page_size(situation.config):
            self._last_page_full(int(situation.part.removeprefix(_PART)), situation)

    def map(self, record: Any, situation: Situation) -> Iterable[Document]:
        """One entity → one normalized document; none (counted) when it nests too deep to read."""
        try:
            return list(map_entity(record, situation))
        except RecursionError:
            situation.findings.add("bad-record", "warning", f"{record.get('id')}: nested too deep")
            return ()

    def _last_page_full(self, number: int, situation: Situation) -> None:
        pages = int(situation.memory.get("pages", 3))
        if number < min(pages, MAX_PAGES - 1):
            return
        at_end = number >= MAX_PAGES - 1
        situation.memory["pages"] = pages if at_end else pages * 2
        hint = "raise 'limit' or narrow the query" if at_end else "the next poll reads them"
        situation.findings.add("more-pages", "warning", hint)


connector = NgsiLd()
