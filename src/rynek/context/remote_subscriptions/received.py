"""Notifications from sources → notifications of ours (CIM 009 §5.8.6)."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Any, Final

import msgspec

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData
from rynek.context.distribution.names import translate_document
from rynek.context.formats import is_null, parse_fragment
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity
from rynek.context.subscriptions import Subscription
from rynek.context.subscriptions.delta import Delta

__all__ = ["Part", "entities_of", "forwarded_body", "part_of"]

MAX_ENTITIES: Final = 10_000
_JSON_LD: Final = "application/ld+json"
_GEO_JSON: Final = "application/geo+json"
_dumps: Final = msgspec.json.Encoder().encode

Documents = list[dict[str, Any]]


def entities_of(document: Dict[str, Any]) -> Documents:
    """The entities (or features) in a notification; BadRequestData when it is none."""
    if document.get("type") != "Notification":
        raise BadRequestData('the body must be of type "Notification"')
    data = document.get("data")
    if isinstance(data, dict) and data.get("type") == "FeatureCollection":
        data = data.get("features")
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise BadRequestData("data must be an array of entities, or a FeatureCollection")
    if len(data) > MAX_ENTITIES:
        raise BadRequestData(f"data has more than {MAX_ENTITIES} entities")
    return data


def forwarded_body(
    one: Subscription,
    notification_id: str,
    notified_at: int,
    entities: Documents,
    ld: CompiledContext,
) -> tuple[list[str], bytes] | None:
    """A copy of a notification under our subscription's id and @context, with the ids of its
    entities; `ld` is the @context it came with. None when no entity of it is subscribed to."""
    kept = [document for document in entities if _selected(one, document, ld)]
    if not kept:
        return None
    out = one.notify_ld
    media = one.endpoint.media
    simplified = one.view.form == "simplified"
    documents = [_translated(document, ld, out, simplified=simplified) for document in kept]
    body: dict[str, Any] = {
        "id": notification_id,
        "type": "Notification",
        "subscriptionId": one.id,
        "notifiedAt": to_iso(notified_at),
        "data": documents,
    }
    if media == _GEO_JSON:
        collection: dict[str, Any] = {"type": "FeatureCollection", "features": documents}
        if not one.endpoint.prefers_plain_body:
            collection["@context"] = out.member
        body["data"] = collection
    elif media == _JSON_LD:
        body["data"] = [document | {"@context": out.member} for document in documents]
        body["@context"] = out.member
    return [str(document.get("id", "")) for document in kept], _dumps(body)


def _translated(
    document: dict[str, Any], old: CompiledContext, new: CompiledContext, *, simplified: bool
) -> dict[str, Any]:
    if document.get("type") == "Feature":
        inner = document.get("properties")
        plain = {name: item for name, item in document.items() if name != "@context"}
        if not isinstance(inner, dict) or old.id == new.id:
            return plain
        return plain | {"properties": translate_document(inner, old, new, simplified=simplified)}
    if old.id == new.id:
        return {name: item for name, item in document.items() if name != "@context"}
    return translate_document(document, old, new, simplified=simplified)


def _selected(one: Subscription, document: dict[str, Any], ld: CompiledContext) -> bool:
    """Whether an entity is one of those subscribed to, as far as its id and type are told."""
    entity_id = document.get("id")
    members = document
    if document.get("type") == "Feature":
        inner = document.get("properties")
        members = inner if isinstance(inner, dict) else {}
    types = members.get("type")
    names = [types] if isinstance(types, str) else types
    if not isinstance(entity_id, str) or not isinstance(names, list) or not names:
        return True
    iris = [ld.expand_term(name) for name in names if isinstance(name, str)]
    return one.selects(entity_id, iris)


class Part(msgspec.Struct):
    """What a source says of an entity, and which of its attributes are gone there."""

    entity: Entity
    deleted: list[str]
    gone: bool

    def delta(self, whole: Entity | None) -> Delta:
        """What is to be told when the entity as a whole is this."""
        if whole is None:
            return Delta(self.entity, None)
        lost = {
            attr: self.entity.attrs[attr]
            for attr in self.deleted
            if attr not in whole.attrs and attr in self.entity.attrs
        }
        if not lost:
            return Delta(whole, whole)
        return Delta(msgspec.structs.replace(whole, attrs=whole.attrs | lost), whole)

    @property
    def held(self) -> Entity | None:
        """What the source still has; None when the entity is deleted there."""
        if self.gone:
            return None
        attrs = {a: i for a, i in self.entity.attrs.items() if a not in self.deleted}
        return msgspec.structs.replace(self.entity, attrs=attrs)


def part_of(document: dict[str, Any], ld: CompiledContext) -> Part:
    """An entity in a notification; BadRequestData when it is none."""
    fragment = parse_fragment(document, ld, now=0, allow_null=True, lenient=True)
    if fragment.id is None or fragment.types is None:
        raise BadRequestData("an entity in data has no id or type")
    deleted = [
        attr for attr, instances in fragment.attrs.items() if all(is_null(i) for i in instances)
    ]
    entity = Entity(fragment.id, fragment.types, fragment.attrs, fragment.scopes)
    return Part(entity, deleted, "deletedAt" in document)
