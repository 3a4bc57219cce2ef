"""What has expired goes: entities, instances of attributes, attributes of attributes (§4.22)."""

from __future__ import annotations

from typing import Final

import msgspec

from rynek.base.clock import parse_iso
from rynek.context.model import Entity, Instance
from rynek.context.store.contract import Txn

SOURCE: Final = "expiry"


def expire(txn: Txn, limit: int) -> int:
    """Remove what has expired of at most `limit` entities; how many were looked at."""
    ids = txn.expired(limit)
    for entity_id in ids:
        entity, ctx = txn.get(entity_id), txn.context_of(entity_id)
        if entity is None or ctx is None:
            continue
        if _is_over(entity.expires_at, txn.now):
            txn.remove(entity, source=SOURCE)
            continue
        left, changed, gone = _without_expired(entity, txn.now)
        if changed or gone:
            txn.put(left, ctx, op="update", attrs=changed, deleted=gone, source=SOURCE)
        else:
            txn.rewrite(entity_id)
    return len(ids)


def _is_over(moment: str | None, now: int) -> bool:
    return moment is not None and parse_iso(moment) <= now


def _without_expired(
    entity: Entity, now: int
) -> tuple[Entity, dict[str, list[Instance]], list[tuple[str, str | None]]]:
    """The entity that is left, the instances that lost something inside, and those that went."""
    attrs: dict[str, list[Instance]] = {}
    changed: dict[str, list[Instance]] = {}
    gone: list[tuple[str, str | None]] = []
    for attr, instances in entity.attrs.items():
        kept: list[Instance] = []
        for instance in instances:
            if _is_over(instance.expires_at, now):
                gone.append((attr, instance.dataset_id))
                continue
            left = _inside(instance, now)
            if left is not instance:
                left.modified_at = now
                changed.setdefault(attr, []).append(left)
            kept.append(left)
        if kept:
            attrs[attr] = kept
    return msgspec.structs.replace(entity, attrs=attrs, modified_at=now), changed, gone


def _inside(instance: Instance, now: int) -> Instance:
    """The instance without attributes of it that have expired; itself where none has."""
    if instance.subs is None:
        return instance
    subs: dict[str, list[Instance]] = {}
    for name, found in instance.subs.items():
        left = [_inside(sub, now) for sub in found if not _is_over(sub.expires_at, now)]
        if left:
            subs[name] = left
    same = subs.keys() == instance.subs.keys() and all(
        len(subs[name]) == len(found) and all(map(_is, subs[name], found))
        for name, found in instance.subs.items()
    )
    return instance if same else msgspec.structs.replace(instance, subs=subs or None)


def _is(one: Instance, other: Instance) -> bool:
    return one is other
