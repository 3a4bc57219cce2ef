"""What a table is made of: its format, and the separator of a CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec

from rynek.feeds.kit.content import is_zip

_BLANK = ",;\t| "
BESIDE = frozenset({"fields", "links", "rx_metadata", "rxInfo", "facet_groups", "gateways"})
"""Lists of objects that stand beside the data: columns, links, the gateways that heard a device."""
_LISTS = frozenset({"features", "data", "items", "results", "records", "rows", "value"})
SEPARATORS = ",;\t|"
_TAR = slice(257, 262)


def is_tar(data: bytes) -> bool:
    """Whether the bytes are a tar archive."""
    return data[_TAR] == b"ustar"


def format_of(data: bytes) -> str:
    """csv, json, jsonl, geojson or xlsx, by the content; ValueError when it is no table."""
    if is_zip(data):
        if b"xl/" in data[:65536] or b"[Content_Types].xml" in data[:65536]:
            return "xlsx"
        raise ValueError("not a table: a zip archive that is no XLSX workbook")
    head = data[:65536].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        raise ValueError("not a table: empty")
    if head[:1] in (b"{", b"["):
        if b'"FeatureCollection"' in head[:4096]:
            return "geojson"
        return "jsonl" if _lines(head) else "json"
    if head[:1] == b"<":
        raise ValueError("not a table: XML or HTML")
    if b"\x00" in head and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError("not a table: binary data")
    return "csv"


def _lines(head: bytes) -> bool:
    """Whether the first line is a whole JSON value and a second one follows."""
    first, line_end, rest = head.partition(b"\n")
    if not line_end or not rest.strip():
        return False
    try:
        msgspec.json.decode(first)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def separator_of(text: str) -> str:
    """The character that splits the first lines most evenly; a comma where none does."""
    lines = [line for line in text[:65536].splitlines()[:50] if line.strip(_BLANK)][:20]
    best, score = ",", 0.0
    for separator in SEPARATORS:
        widths = [
            len(row) for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=separator)
        ]
        # A title or a note above the header may have no separator at all.
        usual = max(widths, key=lambda width: (widths.count(width), width), default=1)
        if usual < 2:
            continue
        found = widths.count(usual) / len(widths) * min(usual, 50)
        if found > score:
            best, score = separator, found
    return best


def records_at(document: Any, path: str) -> list[Any]:
    """The list of records in a JSON document: at `path` (`.`: the document itself is one), or the
    largest list of objects near the top. ValueError when there is none."""
    if path == ".":
        return document if isinstance(document, list) else [document]
    if path:
        for step in path.split("."):
            document = document.get(step) if isinstance(document, dict) else None
        if not isinstance(document, list):
            raise ValueError(f"not a table: no list at {path!r}")
        return document
    if isinstance(document, list):
        return document
    best: list[Any] = []
    rank = (False, 0)
    empty = False
    pending = [document]
    for _ in range(3):
        deeper: list[Any] = []
        for value in pending:
            for name, inner in value.items() if isinstance(value, dict) else ():
                listed = isinstance(inner, list) and inner and isinstance(inner[0], dict)
                if listed and name not in BESIDE:
                    ranked = (name in _LISTS, len(inner))
                    if ranked > rank:
                        best, rank = inner, ranked
                elif inner == [] and name in _LISTS:
                    empty = True
                elif isinstance(inner, dict):
                    deeper.append(inner)
        pending = deeper
    if not best and not empty:
        raise ValueError(
            "not a table: no list of objects in the JSON document; where the document is one "
            'record itself, the mapping says so: [table] path = "."'
        )
    return best
