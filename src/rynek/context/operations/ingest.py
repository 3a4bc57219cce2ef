"""The verb of feeds: upsert what a source says now, writing only what is new about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from rynek.base.errors import Problem
from rynek.context.formats import Reader, parse_entity
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity, Instance
from rynek.context.operations import entities
from rynek.context.operations.observe import is_earlier, observe
from rynek.context.operations.same import same_content
from rynek.context.store.contract import Txn


class IngestReport(msgspec.Struct):
    """What became of the documents: entities created, updated (a value changed), observed (the
    same values at a newer time), unchanged (nothing new), late (older than what is known) and
    rejected (id, reason)."""

    created: int = 0
    updated: int = 0
    observed: int = 0
    unchanged: int = 0
    late: int = 0
    rejected: list[tuple[str, str]] = []


class _Difference(msgspec.Struct):
    """What a document says beyond the stored entity."""

    changed: dict[str, list[Instance]] = {}
    observed: dict[str, list[Instance]] = {}
    late: bool = False


def ingest(
    txn: Txn,
    documents: Iterable[dict[str, Any]],
    ctx: CompiledContext,
    source: str,
    report: IngestReport,
) -> IngestReport:
    """Create or update the entity of each document; attributes that a document leaves out stay as
    they are.

    A reading older than the stored one (by observedAt) never replaces it.
    """
    reader = Reader(ctx, 0, lenient=True)
    for document in documents:
        became = observe(txn, document, reader, source)
        if became is not None:
            setattr(report, became, getattr(report, became) + 1)
            continue
        try:
            _whole(txn, parse_entity(document, ctx, now=0, lenient=True), ctx, source, report)
        except Problem as problem:
            report.rejected.append((str(document.get("id", "?"))[:200], problem.detail))
    return report


def _whole(
    txn: Txn, entity: Entity, ctx: CompiledContext, source: str, report: IngestReport
) -> None:
    old = txn.get(entity.id)
    if old is None:
        entities.create(txn, entity, ctx, source)
        report.created += 1
    else:
        _update(txn, old, entity, ctx, source, report)


def _update(
    txn: Txn, old: Entity, new: Entity, ctx: CompiledContext, source: str, report: IngestReport
) -> None:
    found = _compare(old, new)
    types = old.types + [t for t in new.types if t not in old.types]
    if not found.changed and not found.observed and types == old.types:
        if found.late:
            report.late += 1
        else:
            report.unchanged += 1
        return
    now = txn.now
    merged = msgspec.structs.replace(old, types=types, attrs=dict(old.attrs))
    for attr, instances in found.changed.items():
        entities.stamp_new(instances, now)
        merged.attrs[attr] = _merged(merged.attrs.get(attr, []), instances)
    if found.changed or types != old.types:
        merged.modified_at = now
    for attr, instances in found.observed.items():
        merged.attrs[attr] = _merged(merged.attrs.get(attr, []), instances)
    if found.changed or types != old.types:
        txn.put(merged, ctx, op="update", attrs=found.changed, source=source)
        report.updated += 1
    else:
        report.observed += 1
    if found.observed:
        txn.put(merged, ctx, op="observe", attrs=found.observed, source=source)


def _compare(old: Entity, new: Entity) -> _Difference:
    found = _Difference()
    for attr, instances in new.attrs.items():
        stored = old.attrs.get(attr)
        if stored is None:
            found.changed[attr] = instances
            continue
        for one in instances:
            before = _of_dataset(stored, one.dataset_id)
            if before is None:
                found.changed.setdefault(attr, []).append(one)
            elif is_earlier(one.observed_at, before.observed_at):
                found.late = True
            elif not same_content(before, one):
                one.created_at = before.created_at
                found.changed.setdefault(attr, []).append(one)
            elif one.observed_at != before.observed_at and one.observed_at:
                # Only the time of observation moves; modifiedAt stays that of the last change.
                _date(one, before)
                found.observed.setdefault(attr, []).append(one)
    return found


def _date(one: Instance, before: Instance) -> None:
    """Give an instance, and its attributes, the system's times of the one it repeats."""
    one.created_at, one.modified_at = before.created_at, before.modified_at
    for subs in (one.subs or {}).values():
        for sub in subs:
            _date(sub, before)


def _of_dataset(instances: list[Instance], dataset_id: str | None) -> Instance | None:
    for one in instances:
        if one.dataset_id == dataset_id:
            return one
    return None


def _merged(old: list[Instance], new: list[Instance]) -> list[Instance]:
    if len(old) == 1 and len(new) == 1 and old[0].dataset_id == new[0].dataset_id:
        return new
    replaced = {one.dataset_id for one in new}
    return [one for one in old if one.dataset_id not in replaced] + new
