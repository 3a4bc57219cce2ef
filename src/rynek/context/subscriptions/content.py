"""The entities in a notification: what is, what was, what is gone (CIM 009 §5.3.1, §5.8.6)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from rynek.base.clock import to_iso
from rynek.base.errors import TooComplexQuery
from rynek.context.formats import Inliner, render_entity, render_feature
from rynek.context.formats.render import outer_value
from rynek.context.formats.values import NONE
from rynek.context.model import NULL, VALUE_MEMBER, Entity, Instance
from rynek.context.query import object_ids
from rynek.context.subscriptions.conform import conforming, conforming_instance
from rynek.context.subscriptions.delta import Delta
from rynek.context.subscriptions.model import Subscription

__all__ = ["notification_body"]

JSON: Final = "application/json"
GEO_JSON: Final = "application/geo+json"
JSON_LD: Final = "application/ld+json"
_PREVIOUS: Final = {
    "Property": "previousValue",
    "GeoProperty": "previousValue",
    "Relationship": "previousObject",
    "LanguageProperty": "previousLanguageMap",
    "JsonProperty": "previousJson",
    "VocabProperty": "previousVocab",
    "ListProperty": "previousValueList",
    "ListRelationship": "previousObjectList",
}
_MAX_LINKED: Final = 1000
_dumps: Final = msgspec.json.Encoder().encode

Lookup = Callable[[str], Entity | None]


def notification_body(
    one: Subscription,
    notification_id: str,
    notified_at: int,
    deltas: Sequence[Delta],
    lookup: Lookup,
    deleted_at: int,
) -> bytes:
    """A Notification (§5.3.1) about these changes, as bytes. `lookup` finds linked entities;
    `deleted_at` is when what is gone was deleted."""
    ld = one.notify_ld
    media = one.endpoint.media
    head = b'{"id":"%b%b%b","data":' % (
        notification_id.encode(), one.told, to_iso(notified_at).encode()
    )  # fmt: skip
    if media == GEO_JSON:
        return head + _dumps(_collection(one, deltas, lookup, deleted_at)) + b"}"
    if one.plain:
        bodies = [
            delta.body(ld)
            if not (delta.went or delta.deleted)
            else _dumps(_document(one, delta, lookup, deleted_at))
            for delta in deltas
        ]
    else:
        documents = [_document(one, delta, lookup, deleted_at) for delta in deltas]
        if one.join == "flat":
            documents += _flat(one, deltas, lookup)
        bodies = [_dumps(document) for document in documents]
    if media == JSON_LD:
        bodies = [body[:-1] + ld.suffix for body in bodies]
        end = b"]" + ld.suffix
    else:
        end = b"]}"
    return b"%b[%b%b" % (head, b",".join(bodies), end)


def _collection(
    one: Subscription, deltas: Sequence[Delta], lookup: Lookup, deleted_at: int
) -> dict[str, Any]:
    """The FeatureCollection, with its @context unless the receiver prefers a plain body."""
    ld, view = one.notify_ld, one.view
    features = []
    for delta in deltas:
        document = _document(one, delta, lookup, deleted_at)
        subject = delta.subject
        if delta.went:
            subject = msgspec.structs.replace(subject, attrs={})
        features.append(render_feature(subject, ld, view, document=document))
    if one.join == "flat":
        features += [
            render_feature(entity, ld, view, document=document)
            for entity, document in _linked(one, deltas, lookup)
        ]
    out: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    return out if one.endpoint.prefers_plain_body else out | {"@context": ld.member}


def _document(one: Subscription, delta: Delta, lookup: Lookup, deleted_at: int) -> dict[str, Any]:
    """One entity in the form that the subscription asks for."""
    entity = delta.after
    if entity is None:
        return _gone(one, delta.subject, deleted_at)
    view = one.view
    if one.conformance is not None:
        entity = conforming(entity, one.conformance)
    document = _rendered(one, entity, lookup)
    if one.show_changes:
        for attr, old, new in delta.updated:
            if view.instances(attr, [new]):
                _add_previous(document, one, attr, old, new)
    if delta.deleted:
        gone = [(attr, old) for attr, old in delta.deleted if view.instances(attr, [old])]
        _add_deleted(document, one, gone, deleted_at)
    return document


def _rendered(one: Subscription, entity: Entity, lookup: Lookup) -> dict[str, Any]:
    """The entity as it is; with linked ones inside unless those would be too many."""
    if one.join == "inline":
        inliner = Inliner(one.notify_ld, _reached([entity], one, lookup), frozenset(), _MAX_LINKED)
        with contextlib.suppress(TooComplexQuery):
            return inliner.render(entity, one.view, one.join_level)
    return render_entity(entity, one.notify_ld, one.view)


def _gone(one: Subscription, entity: Entity, deleted_at: int) -> dict[str, Any]:
    """A deleted entity: when it was deleted, and what it was where changes are to be shown."""
    ld, view = one.notify_ld, one.view
    if one.conformance is not None:
        entity = conforming(entity, one.conformance)
    shell = Entity(entity.id, entity.types, {}, None, None, entity.created_at, entity.modified_at)
    document = render_entity(shell, ld, view)
    if view.omit is None or "deletedAt" not in view.omit:
        document["deletedAt"] = to_iso(deleted_at)
    if one.show_changes:
        gone = [
            (attr, old)
            for attr, instances in entity.attrs.items()
            for old in view.instances(attr, instances)
        ]
        _add_deleted(document, one, gone, deleted_at)
    return document


def _add_previous(
    document: dict[str, Any], one: Subscription, attr: str, old: Instance, new: Instance
) -> None:
    """Put what an instance was into its object."""
    ld = one.notify_ld
    name = ld.compact_iri(attr)
    rendered = document.get(name)
    if rendered is None:
        return
    if type(rendered) is list and len(rendered) and _is_instances(rendered):
        for position, item in enumerate(rendered):
            if item.get("datasetId") == new.dataset_id:
                rendered[position] = item | _previous(one, old)
        return
    if not _is_object(rendered, new):
        localized = one.view.lang is not None and new.kind == "LanguageProperty"
        rendered = {"value" if localized else VALUE_MEMBER[new.kind]: rendered}
    document[name] = rendered | _previous(one, old)


def _is_instances(rendered: list[Any]) -> bool:
    """Whether an array is one of instances, and not a bare value in concise form."""
    return all(type(item) is dict for item in rendered) and any(
        "datasetId" in item or "type" in item for item in rendered
    )


def _is_object(rendered: Any, instance: Instance) -> bool:
    """Whether what an attribute was rendered to is its object, not its bare value."""
    return type(rendered) is dict and (
        VALUE_MEMBER[instance.kind] in rendered or "value" in rendered
    )


def _previous(one: Subscription, old: Instance) -> dict[str, Any]:
    if one.conformance is not None:
        old = conforming_instance(old, one.conformance)
    return _was(one, old)


def _was(one: Subscription, old: Instance) -> dict[str, Any]:
    concise = one.view.form == "concise"
    return {_PREVIOUS[old.kind]: outer_value(old, one.notify_ld, concise=concise)}


def _add_deleted(
    document: dict[str, Any],
    one: Subscription,
    gone: Iterable[tuple[str, Instance]],
    deleted_at: int,
) -> None:
    """Put in what was deleted of attributes (§5.8.6): a mark alone, or an object where a dataset
    id, times or what it was have to be told."""
    by_name: dict[str, list[Instance]] = {}
    for attr, old in gone:
        by_name.setdefault(one.notify_ld.compact_iri(attr), []).append(old)
    for name, instances in by_name.items():
        if one.conformance is not None:
            instances = [conforming_instance(old, one.conformance) for old in instances]
        there = document.get(name)
        if one.view.form == "simplified":
            document[name] = _simplified(there, instances)
            continue
        alone = there is None and len(instances) == 1
        marks = [_mark(one, old, deleted_at, alone=alone) for old in instances]
        if there is None:
            document[name] = marks[0] if alone else marks
            continue
        kept = there if type(there) is list and _is_instances(there) else [there]
        document[name] = [*map(_wrapped, kept), *marks]


def _mark(one: Subscription, old: Instance, deleted_at: int, *, alone: bool) -> Any:
    """What stands for a deleted instance: an object among several instances."""
    if alone and old.dataset_id is None and not one.view.sys_attrs and not one.show_changes:
        return NULL
    member = VALUE_MEMBER[old.kind]
    mark: dict[str, Any] = {"type": old.kind, member: _null(old.kind)}
    if one.view.form == "concise":
        del mark["type"]
    if old.dataset_id is not None:
        mark["datasetId"] = old.dataset_id
    if one.show_changes:
        mark |= _was(one, old)
    if one.view.sys_attrs:
        mark["createdAt"] = to_iso(old.created_at)
        mark["modifiedAt"] = to_iso(old.modified_at)
        mark["deletedAt"] = to_iso(deleted_at)
    return mark


def _null(kind: str) -> Any:
    """The NGSI-LD Null as the value of a kind of attribute (§4.5.0)."""
    if kind == "LanguageProperty":
        return {NONE: NULL}
    return [NULL] if kind in ("ListProperty", "ListRelationship") else NULL


def _wrapped(item: Any) -> Any:
    """An instance among several is always an object, also in concise form."""
    return item if type(item) is dict else {"value": item}


def _simplified(there: Any, gone: list[Instance]) -> Any:
    """Deleted instances in simplified form, beside those that are left (§4.5.4)."""
    if there is None and len(gone) == 1 and gone[0].dataset_id is None:
        return NULL
    marks = {old.dataset_id or NONE: NULL for old in gone}
    if there is None:
        return {"dataset": marks}
    kept = there["dataset"] if type(there) is dict and "dataset" in there else {NONE: there}
    return {"dataset": kept | marks}


def _reached(entities: Iterable[Entity], one: Subscription, lookup: Lookup) -> dict[str, Entity]:
    """What shown relationships lead to, `join_level` deep, at most `_MAX_LINKED` entities."""
    found: dict[str, Entity] = {}
    front = list(entities)
    for _ in range(one.join_level):
        following: list[Entity] = []
        for entity in front:
            for instances in entity.attrs.values():
                for instance in instances:
                    for target in object_ids(instance):
                        if target in found or len(found) >= _MAX_LINKED:
                            continue
                        linked = lookup(target)
                        if linked is not None:
                            found[target] = linked
                            following.append(linked)
        front = following
    return found


def _linked(
    one: Subscription, deltas: Sequence[Delta], lookup: Lookup
) -> list[tuple[Entity, dict[str, Any]]]:
    """The linked entities of flattened retrieval (§4.5.23.3), each once, with their documents."""
    there = {delta.id for delta in deltas}
    entities = [delta.after for delta in deltas if delta.after is not None]
    views = {attr: one.view.of_linked(attr) for entity in entities for attr in entity.attrs}
    out: list[tuple[Entity, dict[str, Any]]] = []
    for entity in _reached(entities, one, lookup).values():
        if entity.id in there:
            continue
        view = next(
            (
                views[attr]
                for source in entities
                for attr, instances in source.attrs.items()
                if any(entity.id in object_ids(instance) for instance in instances)
            ),
            one.view,
        )
        out.append((entity, render_entity(entity, one.notify_ld, view)))
    return out


def _flat(one: Subscription, deltas: Sequence[Delta], lookup: Lookup) -> list[dict[str, Any]]:
    return [document for _, document in _linked(one, deltas, lookup)]
