"""The short way of a write: what stays as it was is never decoded, only its bytes are compared.

Each function does just what the verb of its name does, or nothing: where it returns False the verb
takes the long way. That is so for entities that are not there, were stored under another @context
or have scopes, several types or an end; and for attributes with datasets, attributes of their own
or another kind than before, and for whatever is wrong.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET

from rynek.base.errors import BadRequestData
from rynek.context.formats import (
    GEO_ATTRIBUTES,
    PLAIN,
    Fragment,
    Invalid,
    Reader,
    Sheet,
    Times,
    packed,
    packed_instance,
)
from rynek.context.jsonld import CompiledContext
from rynek.context.model import NULL, VALUE_MEMBER, Instance
from rynek.context.operations.merge import merge_instances, merged_instance
from rynek.context.operations.same import unchanged
from rynek.context.store.contract import Moved, Txn

_IDENTITY: Final = frozenset(("id", "type"))


def replace(txn: Txn, document: dict[str, Any], reader: Reader, source: str | None = None) -> bool:
    """Replace Entity (§5.6.18) by a document that has the same attributes."""
    entity_id, ctx, now = document.get("id"), reader.ctx, txn.now
    old = txn.sheet(entity_id, ctx) if type(entity_id) is str and "type" in document else None
    if old is None:
        return False
    held = old.parts
    # Most documents come with their members in the order that they had before: of those that stay
    # nothing has to be touched.
    ordered = list(document) == list(held)
    parts = dict(held) if ordered else {name: held[name] for name in ("id", "type")}
    moved: Moved = {}
    for name, raw in document.items():
        before = held.get(name)
        if before is None:
            if name == "@context":
                continue
            return False
        if packed(raw) == before:
            if type(raw) is not dict:
                if name not in _IDENTITY:
                    return False
            elif not PLAIN.issuperset(raw):
                return False
            if not ordered:
                parts[name] = before
            continue
        found = read_plain(old, name, raw, reader)
        if found is None:
            return False
        iri, was, one = found
        parts[name] = packed_instance(one, ctx)
        moved[iri] = (was, one)
    if len(parts) != len(held):
        return False
    pairs = {iri: (c, now) for iri, (c, _) in old.pairs.items() if c != old.created}
    new = Sheet(parts, old.types, old.created, now, now, pairs)
    txn.alter(document["id"], ctx, new, moved, _said(moved), source)
    for was, one in moved.values():
        one.created_at, one.modified_at = was.created_at, now
    return True


def read_plain(
    old: Sheet, name: str, raw: Any, reader: Reader
) -> tuple[str, Instance, Instance] | None:
    """IRI, stored and new instance of a plain attribute that a document changes; else None."""
    if name in _IDENTITY or type(raw) is not dict or not PLAIN.issuperset(raw):
        return None
    iri, kind = reader.ctx.attributes.get(name), raw.get("type")
    if iri is None or type(kind) is not str or kind not in VALUE_MEMBER:
        return None
    was = old.instance(name, iri, reader.ctx)
    if was is None or was.kind != kind or (kind != "GeoProperty" and iri in GEO_ATTRIBUTES):
        return None
    try:
        return iri, was, reader.full(iri, kind, VALUE_MEMBER[kind], raw, 0)
    except Invalid:
        return None


def update(
    txn: Txn, entity_id: str, fragment: Fragment, ctx: CompiledContext, source: str | None = None
) -> bool:
    """Update or append attributes (§5.6.2, §5.6.3), all of which are there already."""
    old = _bare(txn, entity_id, fragment, ctx)
    if old is None:
        return False
    edits: Moved = {}
    for iri, instances in fragment.attrs.items():
        was = _stored(old, iri, instances, ctx)
        if was is None or not _may_follow(was, instances[0]):
            return False
        edits[iri] = (was, instances[0])
    _edit(txn, entity_id, old, edits, ctx, source)
    return True


def merge(
    txn: Txn,
    entity_id: str,
    fragment: Fragment,
    ctx: CompiledContext,
    observed_at: str | None,
    source: str | None = None,
) -> bool:
    """Merge Entity (§5.6.17) that changes attributes which are there already."""
    old = _bare(txn, entity_id, fragment, ctx)
    if old is None:
        return False
    edits: Moved = {}
    for iri, instances in fragment.attrs.items():
        was = _stored(old, iri, instances, ctx)
        if was is None:
            return False
        try:
            merged, gone = merge_instances([was], instances, observed_at)
        except BadRequestData:
            return False
        if gone or len(merged) != 1 or not _may_follow(was, merged[0]):
            return False
        edits[iri] = (was, merged[0])
    _edit(txn, entity_id, old, edits, ctx, source)
    return True


def partial_update(
    txn: Txn,
    entity_id: str,
    attr: str,
    part: Instance,
    ctx: CompiledContext,
    source: str | None = None,
) -> bool:
    """Partial Attribute Update (§5.6.4) of the only instance that there is."""
    old = txn.sheet(entity_id, ctx)
    was = None if old is None else _stored(old, attr, [part], ctx)
    if old is None or was is None or part.value == NULL or (part.kind and part.kind != was.kind):
        return False
    one = merged_instance(was, part, deep=False)
    if not _may_follow(was, one):
        return False
    _edit(txn, entity_id, old, {attr: (was, one)}, ctx, source)
    return True


def _bare(txn: Txn, entity_id: str, fragment: Fragment, ctx: CompiledContext) -> Sheet | None:
    """The stored entity, where a fragment changes nothing but attributes."""
    if fragment.scopes is not None or fragment.expires_at is not None or not fragment.attrs:
        return None
    old = txn.sheet(entity_id, ctx)
    return old if old is None or fragment.types in (None, old.types) else None


def _stored(
    old: Sheet, iri: str, instances: list[Instance], ctx: CompiledContext
) -> Instance | None:
    """The only instance that is stored of an attribute, where the only new one is for it."""
    if len(instances) != 1 or instances[0].dataset_id is not None:
        return None
    name = ctx.shorts.get(iri)
    return None if name is None else old.instance(name, iri, ctx)


def _may_follow(was: Instance, one: Instance) -> bool:
    """Whether an instance may stand in the place of `was` just so: of its kind, with a value, and
    without what says "delete" or takes more than a plain instance has."""
    return (
        one.kind == was.kind
        and one.subs is None
        and one.expires_at is None
        and one.sealed is None
        and one.value is not UNSET
        and one.value != NULL
        and NULL not in (one.observed_at, one.unit_code, one.value_type)
        and one.object_type != [NULL]
    )


def _edit(
    txn: Txn,
    entity_id: str,
    old: Sheet,
    edits: Moved,
    ctx: CompiledContext,
    source: str | None,
) -> None:
    """Store an entity with some attributes in the place of those that it has."""
    now = txn.now
    parts = dict(old.parts)
    for iri, (_, one) in edits.items():
        parts[ctx.shorts[iri]] = packed_instance(one, ctx)
    rest, pairs = times_after(old, edits, now)
    new = Sheet(parts, old.types, old.created, now, rest, pairs)
    txn.alter(entity_id, ctx, new, edits, _said(edits), source)
    # Afterwards: the log has its own time of each change.
    for was, one in edits.values():
        one.created_at, one.modified_at = was.created_at, now


def times_after(old: Sheet, edits: Moved, now: int) -> tuple[int, dict[str, Times]]:
    """Of a sheet after `edits`: modifiedAt of those attributes that are not in its pairs, and those."""
    pairs = dict(old.pairs)
    for iri, (was, _) in edits.items():
        pairs[iri] = (was.created_at, now)
    if len(pairs) + len(_IDENTITY) < len(old.parts):
        return old.rest, pairs
    # All of them are listed: those of today need not be.
    whole = (old.created, now)
    return now, {iri: pair for iri, pair in pairs.items() if pair != whole}


def _said(moved: Moved) -> dict[str, list[Instance]]:
    """What says something new."""
    return {iri: [one] for iri, (was, one) in moved.items() if not unchanged(was, one)}
