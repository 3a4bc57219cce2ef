"""Verbs on whole entities: pure steps of a write transaction (CIM 009 §5.6)."""

from __future__ import annotations

from rynek.base.errors import AlreadyExists, ResourceNotFound
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity, Instance
from rynek.context.operations.same import unchanged
from rynek.context.store.contract import Txn


def create(txn: Txn, entity: Entity, ctx: CompiledContext, source: str | None = None) -> None:
    """Create Entity (§5.6.1). AlreadyExists when the id is taken."""
    if txn.get(entity.id) is not None:
        raise AlreadyExists(f"an entity {entity.id} exists already")
    now = txn.now
    entity.created_at = entity.modified_at = now
    for instances in entity.attrs.values():
        for one in instances:
            if one.subs is not None:
                stamp_all([one], now)
    txn.put(entity, ctx, op="create", attrs=entity.attrs, source=source)
    # Most of them afterwards: the log has its own time of each change.
    for instances in entity.attrs.values():
        for one in instances:
            one.created_at = one.modified_at = now


def replace(txn: Txn, entity: Entity, ctx: CompiledContext, source: str | None = None) -> None:
    """Replace Entity (§5.6.18): everything but id and createdAt. ResourceNotFound if absent."""
    old = existing(txn, entity.id)
    stamp(entity, txn.now)
    entity.created_at = old.created_at
    changed, gone = _difference(old, entity)
    txn.put(entity, ctx, op="update", attrs=changed, deleted=gone, source=source)


def delete(txn: Txn, entity_id: str, source: str | None = None) -> None:
    """Delete Entity (§5.6.6). ResourceNotFound if absent."""
    txn.remove(existing(txn, entity_id), source=source)


def existing(txn: Txn, entity_id: str) -> Entity:
    """The entity, or ResourceNotFound."""
    entity = txn.get(entity_id)
    if entity is None:
        raise ResourceNotFound(f"no entity {entity_id}")
    return entity


def stamp(entity: Entity, now: int) -> None:
    """Give a freshly parsed entity and its instances the time of the write."""
    entity.created_at = entity.modified_at = now
    for instances in entity.attrs.values():
        stamp_all(instances, now)


def stamp_all(instances: list[Instance], now: int) -> None:
    """Give freshly parsed instances, and their attributes, the time of the write."""
    for instance in instances:
        instance.created_at = instance.modified_at = now
        if instance.subs is not None:
            for subs in instance.subs.values():
                stamp_all(subs, now)


def stamp_new(instances: list[Instance], now: int) -> None:
    """Give the time of the write to instances, and to those of their attributes that are new or
    changed: what a merge kept has its times already."""
    for instance in instances:
        instance.modified_at = now
        instance.created_at = instance.created_at or now
        if instance.subs is not None:
            for subs in instance.subs.values():
                stamp_new([sub for sub in subs if not sub.modified_at], now)


def _difference(
    old: Entity, new: Entity
) -> tuple[dict[str, list[Instance]], list[tuple[str, str | None]]]:
    """(instances that say something new, (attribute, dataset id) pairs that are gone) when `new`
    takes the place of `old`; instances that go on keep their time of creation."""
    changed: dict[str, list[Instance]] = {}
    before, after = old.attrs, new.attrs
    for attr, instances in after.items():
        was = before.get(attr)
        if was is None:
            changed[attr] = instances
        elif len(was) == len(instances) == 1 and was[0].dataset_id == instances[0].dataset_id:
            one = instances[0]
            one.created_at = was[0].created_at
            if not unchanged(was[0], one):
                changed[attr] = instances
        else:
            known = {one.dataset_id: one for one in was}
            fresh = [one for one in instances if not _goes_on(known.get(one.dataset_id), one)]
            if fresh:
                changed[attr] = fresh
    return changed, _missing(before, after)


def _goes_on(was: Instance | None, one: Instance) -> bool:
    if was is None:
        return False
    one.created_at = was.created_at
    return unchanged(was, one)


def _missing(
    before: dict[str, list[Instance]], after: dict[str, list[Instance]]
) -> list[tuple[str, str | None]]:
    """The (attribute, dataset id) pairs of `before` that `after` no longer has."""
    gone: list[tuple[str, str | None]] = []
    for attr, instances in before.items():
        now = after.get(attr)
        if now is None:
            gone += [(attr, one.dataset_id) for one in instances]
        elif len(instances) > 1 or len(now) > 1 or instances[0].dataset_id != now[0].dataset_id:
            kept = {one.dataset_id for one in now}
            gone += [(attr, one.dataset_id) for one in instances if one.dataset_id not in kept]
    return gone
