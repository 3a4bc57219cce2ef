"""Bulk rows → NGSI-LD documents in short names: what the live state should see of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from rynek.base.clock import to_iso
from rynek.context import VALUE_MEMBER

from .decode import plain

if TYPE_CHECKING:
    import pyarrow as pa


def to_documents(rows: pa.Table) -> list[dict[str, Any]]:
    """One document per entity; an attribute with several dataset ids becomes an array."""
    import pyarrow as pa

    moment = rows.schema.get_field_index("observed_at")
    micros = rows.column("observed_at").cast(pa.int64())
    documents: dict[str, dict[str, Any]] = {}
    for row in rows.set_column(moment, "observed_at", micros).to_pylist():
        document = documents.setdefault(
            row["entity_id"], {"id": row["entity_id"], "type": row["type"]}
        )
        instance = _instance(row)
        there = document.get(row["attr"])
        if there is None:
            document[row["attr"]] = instance
        elif isinstance(there, list):
            there.append(instance)
        else:
            document[row["attr"]] = [there, instance]
    return list(documents.values())


def _instance(row: dict[str, Any]) -> dict[str, Any]:
    kind = row["kind"]
    instance: dict[str, Any] = {"type": kind, VALUE_MEMBER.get(kind, "value"): _value(row)}
    instance["observedAt"] = to_iso(row["observed_at"])
    if row["dataset_id"] is not None:
        instance["datasetId"] = row["dataset_id"]
    if row["unit_code"] is not None:
        instance["unitCode"] = row["unit_code"]
    return instance


def _value(row: dict[str, Any]) -> Any:
    number = row["number"]
    if number is not None:
        return plain(number)
    if row["text"] is not None:
        return row["text"]
    if row["lon"] is not None and row["lat"] is not None:
        return {"type": "Point", "coordinates": [plain(row["lon"]), plain(row["lat"])]}
    return None if row["json"] is None else msgspec.json.decode(row["json"])
