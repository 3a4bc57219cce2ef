"""Verbs on whole entities: pure steps of a write transaction (CIM 009 §5.6)."""

from __future__ import annotations

from rynek.base.errors import AlreadyExists, ResourceNotFound
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity, Instance
from rynek.context.store.contract import Txn


def create(txn: Txn, entity: Entity, ctx: CompiledContext, source: str | None = None) -> None:
    """Create Entity (§5.6.1). AlreadyExists when the id is taken."""
    if txn.get(entity.id) is not None:
        raise AlreadyExists(f"an entity {entity.id} exists already")
    stamp(entity, txn.now)
    txn.put(entity, ctx, op="create", attrs=entity.attrs, source=source)


def replace(txn: Txn, entity: Entity, ctx: CompiledContext, source: str | None = None) -> None:
    """Replace Entity (§5.6.18): everything but id and createdAt. ResourceNotFound if absent."""
    old = existing(txn, entity.id)
    stamp(entity, txn.now)
    entity.created_at = old.created_at
    _keep_creation(old, entity)
    txn.put(
        entity, ctx, op="update", attrs=entity.attrs, deleted=missing(old, entity), source=source
    )


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
    """Give freshly parsed instances the time of the write."""
    for instance in instances:
        instance.created_at = instance.modified_at = now


def missing(old: Entity, new: Entity) -> list[tuple[str, str | None]]:
    """The (attribute, dataset id) pairs of `old` that `new` no longer has."""
    gone: list[tuple[str, str | None]] = []
    for attr, instances in old.attrs.items():
        kept = {one.dataset_id for one in new.attrs.get(attr, ())}
        gone += [(attr, one.dataset_id) for one in instances if one.dataset_id not in kept]
    return gone


def _keep_creation(old: Entity, new: Entity) -> None:
    for attr, instances in new.attrs.items():
        before = {one.dataset_id: one.created_at for one in old.attrs.get(attr, ())}
        for one in instances:
            one.created_at = before.get(one.dataset_id, one.created_at)
