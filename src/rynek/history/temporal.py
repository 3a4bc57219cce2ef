"""The temporal representation of entities, from rows (CIM 009 §4.5.6 - §4.5.9, §5.7.3)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

from rynek.base.clock import to_iso
from rynek.context import NULL, Instance, TemporalEntity, TemporalInstance, TemporalQuery

from .decode import created_at, to_instance
from .schema import ADDED, ENTITY, Reading
from .select import Selection


def to_selection(entity_ids: Sequence[str], query: TemporalQuery) -> Selection:
    """The rows that a temporal query of these entities is about."""
    return Selection(
        entity_ids=tuple(entity_ids),
        attrs=query.attrs,
        dataset_ids=query.dataset_ids,
        start=query.start,
        end=query.end,
        time_property=query.time_property,
        observed_only=query.observed_only,
        deleted=query.deleted,
        only=query.only,
    )


def by_entity(rows: Iterable[Reading]) -> dict[str, list[Reading]]:
    """Rows by entity id, in their order."""
    found: dict[str, list[Reading]] = {}
    for row in rows:
        found.setdefault(row.entity_id, []).append(row)
    return found


def to_entities(
    held: dict[str, list[Reading]], query: TemporalQuery, last_n: int | None, limit: int | None
) -> dict[str, TemporalEntity]:
    """Rows by entity → entities: of each series the newest `last_n`, or the oldest `limit` (one more
    than the bound for each series that has more). Takes the rows out of `held`: they are let go of
    entity by entity."""
    found = {}
    for entity_id in list(held):
        rows = _newest(held.pop(entity_id), query, last_n, limit)
        found[entity_id] = _entity(entity_id, rows, query)
    return found


def _newest(
    rows: list[Reading], query: TemporalQuery, last_n: int | None, limit: int | None
) -> list[Reading]:
    """Of each series the newest `last_n`, or the oldest `limit`; in order of time."""
    most = last_n if last_n is not None else limit
    rows = sorted(rows, key=lambda row: (row.attr, _moment(row, query), row.seq))
    if most is not None and len(rows) > most:
        rows = _first(rows, most) if last_n is None else _first(rows[::-1], most)[::-1]
    return rows


def _first(rows: list[Reading], most: int) -> list[Reading]:
    """The first rows of each series."""
    counts: dict[tuple[str, str | None], int] = {}
    kept = []
    for row in rows:
        key = (row.attr, row.dataset_id)
        count = counts[key] = counts.get(key, 0) + 1
        if count <= most:
            kept.append(row)
    return kept


def note_deletions(found: dict[str, TemporalEntity], marks: Iterable[Reading]) -> None:
    """Say of each entity when it was deleted last, from the rows that mark it."""
    for row in marks:
        entity = found.setdefault(row.entity_id, TemporalEntity(row.entity_id, [row.type], {}))
        entity.deleted_at = max(entity.deleted_at or row.time, row.time)


def _entity(entity_id: str, rows: list[Reading], query: TemporalQuery) -> TemporalEntity:
    entity = TemporalEntity(entity_id, [rows[-1].type], {})
    rows = _within_bound(entity, rows, query)
    kinds = {(row.attr, row.dataset_id): row.kind for row in rows if row.kind}
    for row in rows:
        if row.attr == ENTITY:
            entity.deleted_at = max(entity.deleted_at or row.time, row.time)
            continue
        kind = row.kind or kinds.get((row.attr, row.dataset_id), "Property")
        entity.attrs.setdefault(row.attr, []).append(_instance(row, kind))
    return entity


def _moment(row: Reading, query: TemporalQuery) -> int:
    if query.time_property in ("observedAt", "deletedAt"):
        return row.time
    return created_at(row) if query.time_property == "createdAt" else row.at


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
        created = created_at(row)
        instance = Instance(kind, NULL, row.dataset_id, created_at=created, modified_at=row.at)
    else:
        instance = to_instance(row, to_iso(row.time) if row.observed else None)
    return TemporalInstance(
        attr=row.attr,
        instance=instance,
        instance_id=uri_of(row),
        time=row.time,
        at=row.at,
        deleted=row.deleted,
        source=row.source,
    )


_URN: Final = "urn:ngsi-ld:instance:"
_URN_FORM: Final = re.compile(_URN + r"(?:t(\d{1,18})|(-?\d{1,19})-[0-9a-f]{8})")


def uri_of(row: Reading) -> str:
    """The URI of a reading: its seq and which instance of that write it was, or the number of
    one that a client added."""
    if row.seq >= ADDED:
        return f"{_URN}t{row.seq - ADDED}"
    which = zlib.crc32(f"{row.attr}\n{row.dataset_id or ''}".encode())
    return f"{_URN}{row.seq}-{which:08x}"


def seq_of(instance: str) -> int | None:
    """The seq of the reading with this URI; None where no reading can have it."""
    match = _URN_FORM.fullmatch(instance)
    if match is None:
        return None
    seq = ADDED + int(match[1]) if match[1] else int(match[2])
    return seq if -(2**63) <= seq < 2**63 else None
