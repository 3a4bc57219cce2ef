"""Tables in CSV, GeoJSON, JSON, JSON lines or XLSX, through one mapping in TOML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rynek.feeds.connectors.tabular.decode import pages_beyond, rows
from rynek.feeds.connectors.tabular.detect import format_of, is_tar, separator_of
from rynek.feeds.connectors.tabular.look import shape_of
from rynek.feeds.connectors.tabular.map import map_row
from rynek.feeds.connectors.tabular.mapping import Mapping, Table, load, parse, shipped
from rynek.feeds.connectors.tabular.pages import page_urls
from rynek.feeds.connectors.tabular.propose import SAMPLE, fitting, guessed, propose_mapping
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit.content import inflate

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Mapping",
    "Tabular",
    "batches",
    "connector",
    "parse",
    "propose_mapping",
    "shipped",
]


_RECORDS = re.compile(rb"\[\s*\{")
"""A list of objects, which is what a table in JSON is."""


class Tabular:
    """Reads tables; see docs/feeds/tabular.md."""

    kind = "tabular"

    def sniff(self, head: bytes, name: str) -> float:
        """A table by its look: never very sure, as other kinds of feeds are CSV and JSON too."""
        try:
            kind = format_of(head)
        except ValueError:
            return 0.3 if is_tar(head) else 0.0
        if kind == "csv":
            text = head.decode("utf-8", errors="replace")
            lines = text.splitlines()[:2]
            if len(lines) > 1 and separator_of(text) in lines[0]:
                return 0.4
            within = sum(separator_of(text) in line for line in text.splitlines()[:10])
            return 0.25 if within > 1 else 0.05
        if kind == "json":
            if b'"$schema"' in head:
                return 0.1
            return 0.25 if _RECORDS.search(head) or head.lstrip()[:1] == b"{" else 0.1
        # An XLSX is a zip that is to be read as it is.
        return {"geojson": 0.5, "xlsx": 0.6}.get(kind, 0.3)

    def follow(self, data: bytes, situation: Situation) -> Sequence[tuple[str, str]]:
        """The other pages, where the document says that it is one of several."""
        if not situation.config.source.startswith(("http://", "https://")) or situation.part:
            return ()
        mapping = mapping_of(situation)
        table = mapping.table if mapping is not None else Table()
        more = pages_beyond(data, table, situation.name or situation.config.source)
        return () if more is None else page_urls(more, situation)

    def decode(self, data: bytes, situation: Situation) -> Iterable[Any]:
        """The table → rows; without a mapping they are counted and described by a finding."""
        mapping = mapping_of(situation)
        if mapping is not None:
            return rows(data, mapping, situation)
        return _described(rows(data, None, situation, guessed(data)), situation)

    def map(self, record: Any, situation: Situation) -> Iterable[Document]:
        """One row → the entity that the mapping makes of it; nothing without a mapping."""
        mapping = mapping_of(situation)
        return () if mapping is None else map_row(record, mapping, situation)

    def propose(self, data: bytes, situation: Situation) -> str | None:
        """A mapping in TOML to start from; None when the feed has one or the table no rows."""
        if mapping_of(situation) is not None:
            return None
        try:
            return propose_mapping(data)
        except (ValueError, RecursionError):
            return None

    def batches(self, data: bytes, situation: Situation) -> Iterator[pa.RecordBatch]:
        """The past in bulk; see `batches` of this module."""
        return batches(data, situation)


connector = Tabular()


def mapping_of(situation: Situation) -> Mapping | None:
    """The feed's mapping, read once; ValueError when it is wrong."""
    if "mapping" not in situation.memory:
        situation.memory["mapping"] = load(situation.config.options)
    found: Mapping | None = situation.memory["mapping"]
    return found


def batches(data: bytes, situation: Situation) -> Iterator[pa.RecordBatch]:
    """Past readings of a table as Arrow batches for `ReadingsSink.append`, in short names.

    `data` may be gzip, or a tar of tables. Columns: entity_id, type, attr, dataset_id, kind,
    number, text, json, lon, lat, observed_at (µs, UTC), unit_code. ValueError without a mapping
    or without a time in it. Whole columns at once: about a million rows a second.
    """
    from rynek.feeds.connectors.tabular import columns

    mapping = mapping_of(situation)
    if mapping is None:
        raise ValueError("past readings need a mapping")
    return columns.batches(inflate(data, situation.config.max_bytes), mapping, situation)


def _described(found: Iterator[dict[str, Any]], situation: Situation) -> Iterator[dict[str, Any]]:
    """The rows, and at the end what they look like and which shipped mapping would fit."""
    sample: list[dict[str, Any]] = []
    for row in found:
        if len(sample) < SAMPLE:
            sample.append(row)
        yield row
    if not sample:
        situation.findings.add("no-rows", "warning", situation.config.source)
        return
    shape = shape_of(sample)
    fits = fitting(sample)
    hint = f"mapping = {fits[0]!r} fits" if fits else "give a mapping (docs/feeds/tabular.md)"
    situation.findings.add("no-mapping", "warning", f"{hint}; columns: {shape.said()}")
