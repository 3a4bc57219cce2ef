"""Batch verbs: each entity succeeds or fails alone (CIM 009 §5.6.7 - §5.6.10, §5.6.20)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from rynek.base.errors import Problem
from rynek.context.formats import Fragment, Reader, parse_entity
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity
from rynek.context.operations import attributes, entities, quick
from rynek.context.store.contract import Txn


class BatchResult(msgspec.Struct):
    """BatchOperationResult (§5.2.16): ids that went well, and problems by entity id."""

    created: list[str] = []
    updated: list[str] = []
    errors: list[tuple[str, Problem]] = []

    @property
    def success(self) -> list[str]:
        """Every id that went well, each once, in order."""
        return list(dict.fromkeys(self.created + self.updated))

    def body(self) -> dict[str, Any]:
        """The document that goes with status 207."""
        return {
            "success": self.success,
            "errors": [entity_error(one, problem) for one, problem in self.errors],
        }


def entity_error(entity_id: str, problem: Problem) -> dict[str, Any]:
    """BatchEntityError (§5.2.17)."""
    found: dict[str, Any] = {"entityId": entity_id, "error": problem.body()}
    if problem.registration_id is not None:
        found["registrationId"] = problem.registration_id
    return found


class Item(msgspec.Struct):
    """One entity of a batch, parsed under its own @context; `document` is what was parsed."""

    entity: Entity
    ctx: CompiledContext
    document: dict[str, Any] | None = None


class Unread(msgspec.Struct):
    """A document of a batch that is only read as far as it differs from what is stored; `name` is
    the id that an error goes under."""

    document: dict[str, Any]
    ctx: CompiledContext
    name: str


class Patch(msgspec.Struct):
    """One entity fragment of a batch; `document` is what was parsed."""

    entity_id: str
    fragment: Fragment
    ctx: CompiledContext
    document: dict[str, Any] | None = None


def create_all(txn: Txn, items: Iterable[Item], result: BatchResult) -> BatchResult:
    """Batch Create: existing entities are errors."""
    for item in items:
        _attempt(
            result,
            item.entity.id,
            result.created,
            partial(entities.create, txn, item.entity, item.ctx),
        )
    return result


def upsert_all(
    txn: Txn, items: Iterable[Item | Unread], result: BatchResult, *, replace: bool
) -> BatchResult:
    """Batch Upsert: create, or replace (or, with replace=False, update: §5.6.2) what exists."""
    reader: Reader | None = None
    for item in items:
        if isinstance(item, Item):
            _upsert(txn, item.entity, item.ctx, result, replace=replace)
            continue
        if reader is None or reader.ctx is not item.ctx:
            reader = Reader(item.ctx, 0)
        if replace and quick.replace(txn, item.document, reader):
            result.updated.append(item.name)
            continue
        try:
            entity = parse_entity(item.document, item.ctx, now=0)
        except Problem as problem:
            result.errors.append((item.name, problem))
        else:
            _upsert(txn, entity, item.ctx, result, replace=replace)
    return result


def _upsert(
    txn: Txn, entity: Entity, ctx: CompiledContext, result: BatchResult, *, replace: bool
) -> None:
    """Create an entity, or replace or update the one that exists."""
    step: Callable[[], object]
    done = result.updated
    if txn.get(entity.id) is None:
        step, done = partial(entities.create, txn, entity, ctx), result.created
    elif replace:
        step = partial(entities.replace, txn, entity, ctx)
    else:
        step = partial(attributes.update, txn, entity.id, as_fragment(entity), ctx)
    _attempt(result, entity.id, done, step)


def update_all(
    txn: Txn, items: Iterable[Item], result: BatchResult, *, overwrite: bool
) -> BatchResult:
    """Batch Update: append attributes to entities that exist; with overwrite=False an attribute
    that is there already makes the entity an error."""
    for item in items:
        step = partial(_update, txn, item, overwrite=overwrite)
        _attempt(result, item.entity.id, result.updated, step)
    return result


def _update(txn: Txn, item: Item, *, overwrite: bool) -> None:
    fragment = as_fragment(item.entity)
    done = attributes.append(txn, item.entity.id, fragment, item.ctx, overwrite=overwrite)
    if done.not_updated:
        raise _NotUpdated(done)


def merge_all(txn: Txn, patches: Iterable[Patch], result: BatchResult) -> BatchResult:
    """Batch Merge: merge patch of entities that exist."""
    for patch in patches:
        _attempt(
            result,
            patch.entity_id,
            result.updated,
            partial(attributes.merge, txn, patch.entity_id, patch.fragment, patch.ctx),
        )
    return result


def delete_all(txn: Txn, ids: Iterable[str], result: BatchResult) -> BatchResult:
    """Batch Delete: unknown ids are errors."""
    for entity_id in ids:
        _attempt(result, entity_id, result.updated, partial(entities.delete, txn, entity_id))
    return result


def as_fragment(entity: Entity) -> Fragment:
    """An entity's content as a fragment to append."""
    return Fragment(
        types=entity.types,
        scopes=entity.scopes,
        attrs=entity.attrs,
        expires_at=entity.expires_at,
    )


def fragment_entity(fragment: Fragment) -> Entity:
    """A fragment with an id as an entity to update; its types may be empty."""
    return Entity(
        fragment.id or "",
        fragment.types or [],
        fragment.attrs,
        fragment.scopes,
        fragment.expires_at,
    )


class _NotUpdated(Problem):
    """Some attributes of an entity were left as they were."""

    status = 400
    slug = "BadRequestData"
    title = "Some attributes were not updated"

    def __init__(self, done: attributes.UpdateResult) -> None:
        names = ", ".join(name for name, _ in done.not_updated)
        super().__init__(f"not overwritten: {names}")


def _attempt(
    result: BatchResult, entity_id: str, done: list[str], step: Callable[[], object]
) -> None:
    try:
        step()
    except Problem as problem:
        result.errors.append((entity_id, problem))
    else:
        done.append(entity_id)
