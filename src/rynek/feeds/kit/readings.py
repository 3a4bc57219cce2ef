"""Documents → Arrow batches in the layout of `ReadingsSink.append`: what is past, in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pyarrow as pa

from rynek.base.clock import parse_iso
from rynek.context import VALUE_MEMBER
from rynek.feeds.contract import Document

SCHEMA = pa.schema(
    [
        ("entity_id", pa.string()),
        ("type", pa.string()),
        ("attr", pa.string()),
        ("dataset_id", pa.string()),
        ("kind", pa.string()),
        ("number", pa.float64()),
        ("text", pa.string()),
        ("json", pa.string()),
        ("lon", pa.float64()),
        ("lat", pa.float64()),
        ("observed_at", pa.timestamp("us", tz="UTC")),
        ("unit_code", pa.string()),
    ]
)
BATCH = 65_536
_json = msgspec.json.Encoder()
Last = dict[tuple[str, str, str | None], str]


def batches_of(documents: Iterable[Document], last: Last | None = None) -> Iterator[pa.RecordBatch]:
    """Every value with observedAt as one row, in order, by 65,536 or so.

    With `last` (kept by the caller between payloads) a value whose observedAt is that of the row
    before for the same entity, attribute and dataset is left out: a poll that repeats itself.
    """
    rows: list[tuple[Any, ...]] = []
    for document in documents:
        rows.extend(_rows(document, last))
        if len(rows) >= BATCH:
            yield _batch(rows)
            rows = []
    if rows:
        yield _batch(rows)


def _batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, f.type) for column, f in zip(columns, SCHEMA, strict=True)]
    return pa.record_batch(arrays, schema=SCHEMA)


def _rows(document: Document, last: Last | None) -> Iterator[tuple[Any, ...]]:
    own, kind = document["id"], document["type"]
    main = kind[0] if isinstance(kind, list) else kind
    for attr, given in document.items():
        for instance in given if isinstance(given, list) else (given,):
            if not isinstance(instance, dict) or "observedAt" not in instance:
                continue
            observed, dataset = instance["observedAt"], instance.get("datasetId")
            if last is not None:
                if last.get((own, attr, dataset)) == observed:
                    continue
                last[own, attr, dataset] = observed
            value = instance[VALUE_MEMBER[instance["type"]]]
            yield (
                own,
                main,
                attr,
                dataset,
                instance["type"],
                *_split(value, instance["type"]),
                parse_iso(observed),
                instance.get("unitCode"),
            )


def _split(value: Any, kind: str) -> tuple[Any, Any, Any, Any, Any]:
    """The value as number, text, json, lon, lat: one of them (or the pair) is filled."""
    if isinstance(value, str):
        return None, value, None, None, None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), None, None, None, None
    if kind == "GeoProperty" and isinstance(value, dict) and value.get("type") == "Point":
        place = value["coordinates"]
        if len(place) == 2 and len(value) == 2:
            return None, None, None, float(place[0]), float(place[1])
    return None, None, _json.encode(value).decode(), None, None
