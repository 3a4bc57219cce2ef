"""Verbs on the attributes of an entity (CIM 009 §5.6.2 - §5.6.5, §5.6.17, §5.6.19)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.context.formats import Fragment, is_null
from rynek.context.jsonld import CompiledContext
from rynek.context.model import NULL, Entity, Instance
from rynek.context.operations import quick
from rynek.context.operations.entities import existing, stamp_new
from rynek.context.operations.merge import merge_instances, merged_instance, settled
from rynek.context.operations.same import unchanged
from rynek.context.store.contract import Txn

Deleted = list[tuple[str, str | None]]


class UpdateResult(msgspec.Struct):
    """UpdateResult (§5.2.18): attribute IRIs written, and those that were not, with the reason.

    Its document has full names only, as every answer that has no @context (§6.3.6).
    """

    updated: list[str] = []
    not_updated: list[tuple[str, str]] = []

    def body(self) -> dict[str, Any]:
        """The document that goes with status 207."""
        return {
            "updated": self.updated,
            "notUpdated": [
                {"attributeName": name, "reason": reason} for name, reason in self.not_updated
            ],
        }


class _Draft:
    """An entity on its way to a new version; the committed one is never touched."""

    def __init__(self, old: Entity, now: int) -> None:
        self.old = old
        self.now = now
        self.entity = msgspec.structs.replace(old, attrs=dict(old.attrs), modified_at=now)
        # What says something new; `touched` also when an attribute was only written again.
        self.set: dict[str, list[Instance]] = {}
        self.touched = False
        self.deleted: Deleted = []

    def put(self, attr: str, instances: list[Instance]) -> None:
        """Set instances by dataset id, keeping the creation time of those they replace."""
        stamp_new(instances, self.now)
        kept = list(self.entity.attrs.get(attr, ()))
        fresh = []
        for new in instances:
            for i, old in enumerate(kept):
                if old.dataset_id == new.dataset_id:
                    new.created_at = old.created_at
                    kept[i] = new
                    if not unchanged(old, new):
                        fresh.append(new)
                    break
            else:
                kept.append(new)
                fresh.append(new)
        if len(kept) > 1 and len({one.kind for one in kept}) > 1:
            raise BadRequestData(f"{attr}: instances of one attribute are all of one type")
        self.entity.attrs[attr] = kept
        self.touched = True
        if fresh:
            self.set[attr] = [*self.set.get(attr, ()), *fresh]

    def drop(self, attr: str, dataset_id: str | None, *, every: bool = False) -> bool:
        """Delete one instance (or all); False when there is none."""
        instances = self.entity.attrs.get(attr, [])
        gone = [one for one in instances if every or one.dataset_id == dataset_id]
        if not gone:
            return False
        kept = [one for one in instances if one not in gone]
        if kept:
            self.entity.attrs[attr] = kept
        else:
            del self.entity.attrs[attr]
        self.deleted += [(attr, one.dataset_id) for one in gone]
        return True

    def members(self, fragment: Fragment, scopes: list[str] | None) -> None:
        """Add the fragment's types (they are only ever added, §5.5.8) and set what else is not an
        attribute: `scopes` where it is not None, and expiresAt. The NGSI-LD Null removes."""
        types = self.entity.types
        new = [t for t in fragment.types or () if t not in types]
        if new:
            self.entity.types = [*types, *new]
        if scopes is not None:
            self.entity.scopes = None if scopes == [NULL] else scopes or None
        if fragment.expires_at is not None:
            self.entity.expires_at = None if fragment.expires_at == NULL else fragment.expires_at

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(
            self.touched
            or self.deleted
            or self.entity.types != self.old.types
            or self.entity.scopes != self.old.scopes
            or self.entity.expires_at != self.old.expires_at
        )

    def write(self, txn: Txn, ctx: CompiledContext, source: str | None) -> None:
        """Store the new version if it differs."""
        if self.changed:
            txn.put(
                self.entity, ctx, op="update", attrs=self.set, deleted=self.deleted, source=source
            )


def append(
    txn: Txn,
    entity_id: str,
    fragment: Fragment,
    ctx: CompiledContext,
    *,
    overwrite: bool = True,
    source: str | None = None,
) -> UpdateResult:
    """Append Entity Attributes (§5.6.3): new ones are added, old ones replaced if `overwrite`."""
    if overwrite and quick.update(txn, entity_id, fragment, ctx, source):
        return UpdateResult(updated=list(fragment.attrs))
    draft = _Draft(existing(txn, entity_id), txn.now)
    scopes = fragment.scopes
    if scopes is not None and not overwrite:
        scopes = list(dict.fromkeys([*(draft.old.scopes or ()), *scopes]))
    draft.members(fragment, scopes)
    result = UpdateResult()
    for attr, instances in fragment.attrs.items():
        there = {one.dataset_id for one in draft.entity.attrs.get(attr, ())}
        fresh = instances if overwrite else [i for i in instances if i.dataset_id not in there]
        if len(fresh) < len(instances):
            result.not_updated.append((attr, "the attribute exists and must not be overwritten"))
        if fresh:
            draft.put(attr, fresh)
            result.updated.append(attr)
    draft.write(txn, ctx, source)
    return result


def update(
    txn: Txn, entity_id: str, fragment: Fragment, ctx: CompiledContext, source: str | None = None
) -> UpdateResult:
    """Update Attributes (§5.6.2): existing instances are replaced, others appended; a scope only
    replaces one that is there."""
    if quick.update(txn, entity_id, fragment, ctx, source):
        return UpdateResult(updated=list(fragment.attrs))
    draft = _Draft(existing(txn, entity_id), txn.now)
    draft.members(fragment, fragment.scopes if draft.old.scopes else None)
    for attr, instances in fragment.attrs.items():
        _replace_or_null(draft, attr, instances)
    draft.write(txn, ctx, source)
    return UpdateResult(updated=list(fragment.attrs))


def _replace_or_null(draft: _Draft, attr: str, instances: list[Instance]) -> None:
    """Put instances; those whose value is the NGSI-LD Null delete instead (§4.5.0), and a member
    that is Null is not there afterwards."""

    kept = [settled(one) for one in instances if not is_null(one)]
    for one in instances:
        if is_null(one):
            draft.drop(attr, one.dataset_id)
    if kept:
        draft.put(attr, kept)


def partial_update(
    txn: Txn,
    entity_id: str,
    attr: str,
    part: Instance,
    ctx: CompiledContext,
    source: str | None = None,
) -> None:
    """Partial Attribute Update (§5.6.4): merge the given members into the instance with the same
    dataset id. ResourceNotFound without it; BadRequestData when the kind would change."""

    if quick.partial_update(txn, entity_id, attr, part, ctx, source):
        return
    draft = _Draft(existing(txn, entity_id), txn.now)
    old = _instance(draft.old, attr, part.dataset_id)
    if is_null(part):
        draft.drop(attr, part.dataset_id)
    else:
        if part.kind and part.kind != old.kind:
            raise BadRequestData(
                f"{attr} is a {old.kind}: a partial update cannot make it a {part.kind}"
            )
        draft.put(attr, [merged_instance(old, part, deep=False)])
    draft.write(txn, ctx, source)


def replace_attribute(
    txn: Txn,
    entity_id: str,
    attr: str,
    instances: list[Instance],
    ctx: CompiledContext,
    source: str | None = None,
) -> None:
    """Replace Attribute (§5.6.19). ResourceNotFound when the entity has no such attribute."""
    draft = _Draft(existing(txn, entity_id), txn.now)
    for one in instances:
        _instance(draft.old, attr, one.dataset_id)
    draft.put(attr, instances)
    draft.write(txn, ctx, source)


def delete_attribute(
    txn: Txn,
    entity_id: str,
    attr: str,
    ctx: CompiledContext,
    *,
    dataset_id: str | None = None,
    delete_all: bool = False,
    source: str | None = None,
) -> None:
    """Delete Attribute (§5.6.5): one instance, or all with `delete_all`."""
    draft = _Draft(existing(txn, entity_id), txn.now)
    if not draft.drop(attr, dataset_id, every=delete_all):
        raise _no_attribute(entity_id, attr, dataset_id)
    draft.write(txn, ctx, source)


def delete_scope(txn: Txn, entity_id: str, ctx: CompiledContext, source: str | None = None) -> None:
    """Delete Attribute (§5.6.5) of `scope`. ResourceNotFound when the entity has none."""
    draft = _Draft(existing(txn, entity_id), txn.now)
    if draft.old.scopes is None:
        raise ResourceNotFound(f"{entity_id} has no scope")
    draft.entity.scopes = None
    draft.write(txn, ctx, source)


def reduce(
    txn: Txn,
    entity_id: str,
    ctx: CompiledContext,
    *,
    keep: Collection[str] | None = None,
    drop: Collection[str] | None = None,
    source: str | None = None,
) -> None:
    """Purge attributes (§5.6.21): all but those in `keep`, and those in `drop` (IRIs, `scope`)."""
    draft = _Draft(existing(txn, entity_id), txn.now)
    if drop is not None and "scope" in drop:
        draft.entity.scopes = None
    for attr in draft.old.attrs:
        if (keep is not None and attr not in keep) or (drop is not None and attr in drop):
            draft.drop(attr, None, every=True)
    draft.write(txn, ctx, source)


def merge(
    txn: Txn,
    entity_id: str,
    fragment: Fragment,
    ctx: CompiledContext,
    *,
    observed_at: str | None = None,
    source: str | None = None,
) -> None:
    """Merge Entity (§5.6.17): JSON merge patch with the NGSI-LD Null deleting.

    `observed_at` becomes the time of merged instances that had one and whose patch gives none.
    """
    if quick.merge(txn, entity_id, fragment, ctx, observed_at, source):
        return
    draft = _Draft(existing(txn, entity_id), txn.now)
    draft.members(fragment, fragment.scopes)
    for attr, instances in fragment.attrs.items():
        merged, gone = merge_instances(draft.old.attrs.get(attr, []), instances, observed_at)
        for dataset_id in gone:
            draft.drop(attr, dataset_id)
        if merged:
            draft.put(attr, merged)
    draft.write(txn, ctx, source)


def _instance(entity: Entity, attr: str, dataset_id: str | None) -> Instance:
    for one in entity.attrs.get(attr, ()):
        if one.dataset_id == dataset_id:
            return one
    raise _no_attribute(entity.id, attr, dataset_id)


def _no_attribute(entity_id: str, attr: str, dataset_id: str | None) -> ResourceNotFound:
    """The attribute by its full name, as errors have no @context (§6.3.6)."""
    which = f" with datasetId {dataset_id}" if dataset_id else ""
    return ResourceNotFound(f"{entity_id} has no attribute {attr}{which}")
