"""The temporal representation of entities, from rows (CIM 009 §4.5.6 - §4.5.9, §5.7.3)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rynek.base.clock import to_iso
from rynek.context import NULL, Instance, TemporalEntity, TemporalInstance, TemporalQuery

from .decode import to_instance
from .schema import ENTITY, Reading, to_readings
from .select import Selection

if TYPE_CHECKING:
    import pyarrow as pa


def to_selection(entity_ids: Sequence[str], query: TemporalQuery) -> Selection:
    """The rows that a temporal query of these entities is about."""
    return Selection(
        entity_ids=tuple(entity_ids),
        attrs=(*query.attrs, ENTITY) if query.attrs and query.deleted else query.attrs,
        dataset_ids=query.dataset_ids,
        start=query.start,
        end=query.end,
        time_property=query.time_property,
        observed_only=query.observed_only and query.time_property == "observedAt",
        deleted=query.deleted,
    )


def to_entities(table: pa.Table, query: TemporalQuery) -> dict[str, TemporalEntity]:
    """Rows (one more than the bound for each series that has more) → entities by id."""
    by_entity: dict[str, list[Reading]] = {}
    for row in to_readings(table):
        by_entity.setdefault(row.entity_id, []).append(row)
    return {one: _entity(one, rows, query) for one, rows in by_entity.items()}


def _entity(entity_id: str, rows: list[Reading], query: TemporalQuery) -> TemporalEntity:
    entity = TemporalEntity(entity_id, [rows[-1].type], {})
    rows = _within_bound(entity, rows, query)
    kinds = {(row.attr, row.dataset_id): row.kind for row in rows if row.kind}
    for row in rows:
        if row.attr == ENTITY:
            entity.deleted_at = max(entity.deleted_at or row.at, row.at)
            continue
        kind = row.kind or kinds.get((row.attr, row.dataset_id), "Property")
        entity.attrs.setdefault(row.attr, []).append(_instance(row, kind))
    return entity


def _moment(row: Reading, query: TemporalQuery) -> int:
    return row.time if query.time_property == "observedAt" else row.at


def _within_bound(
    entity: TemporalEntity, rows: list[Reading], query: TemporalQuery
) -> list[Reading]:
    """Where a series is longer than the bound, all are cut at the same moment (§6.3.10)."""
    series: dict[tuple[str, str | None], list[Reading]] = {}
    for row in rows:
        series.setdefault((row.attr, row.dataset_id), []).append(row)
    bound = query.bound
    cut = [found for found in series.values() if len(found) > bound]
    if not cut:
        return rows
    moments = [_moment(row, query) for row in rows]
    entity.complete = False
    entity.start, entity.end = min(moments), max(moments)
    if query.last_n is None:
        entity.end = min(_moment(found[bound - 1], query) for found in cut)
    else:
        entity.start = max(_moment(found[-bound], query) for found in cut)
    kept = []
    for found in series.values():
        within = [row for row in found if entity.start <= _moment(row, query) <= entity.end]
        kept += within[:bound] if query.last_n is None else within[-bound:]
    return kept


def _instance(row: Reading, kind: str) -> TemporalInstance:
    if row.deleted:
        instance = Instance(kind, NULL, row.dataset_id, created_at=row.at, modified_at=row.at)
    else:
        instance = to_instance(row, to_iso(row.time) if row.observed else None)
    return TemporalInstance(
        attr=row.attr,
        instance=instance,
        instance_id=instance_id(row),
        time=row.time,
        at=row.at,
        deleted=row.deleted,
        source=row.source,
    )


def instance_id(row: Reading) -> str:
    """The URI of a reading: its seq, and which instance of that write it was."""
    which = zlib.crc32(f"{row.attr}\n{row.dataset_id or ''}".encode())
    return f"urn:ngsi-ld:instance:{row.seq}-{which:08x}"
