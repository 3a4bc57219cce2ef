"""Entities with those that their relationships lead to inside (CIM 009 §4.5.23.2, §4.5.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rynek.base.errors import TooComplexQuery
from rynek.context.formats.render import View, render_entity
from rynek.context.formats.values import NONE
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity, Instance
from rynek.context.query import object_ids


class Inliner:
    """Renders entities with linked ones inside, `level` relationships deep and `most` in all.

    `linked` has the entities that there are, by id. No entity is put into itself, nor is one of
    `contained`, which the client has met on its way already.
    """

    def __init__(
        self,
        ctx: CompiledContext,
        linked: Mapping[str, Entity],
        contained: frozenset[str],
        most: int,
    ) -> None:
        self._ctx = ctx
        self._linked = linked
        self._contained = contained
        self._most = most
        self._left = most

    def render(self, entity: Entity, view: View, level: int) -> dict[str, Any]:
        """The entity's document; TooComplexQuery when more than `most` are put into documents."""
        return self._render(entity, view, level, self._contained | {entity.id})

    def _render(
        self, entity: Entity, view: View, level: int, above: frozenset[str]
    ) -> dict[str, Any]:
        document = render_entity(entity, self._ctx, view)
        if level == 0:
            return document
        for attr, instances in entity.attrs.items():
            if not any(map(object_ids, instances)):
                continue
            shown = view.instances(attr, instances)
            if shown:
                name = self._ctx.compact_iri(attr)
                inner = [self._targets(i, view.of_linked(attr), level - 1, above) for i in shown]
                document[name] = _placed(document[name], shown, inner, view)
        return document

    def _targets(
        self, instance: Instance, view: View, level: int, above: frozenset[str]
    ) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for one in object_ids(instance):
            target = self._linked.get(one)
            if target is None or one in above or one in found:
                continue
            if self._left <= 0:
                raise TooComplexQuery(f"more than {self._most} linked entities in one answer")
            self._left -= 1
            found[one] = self._render(target, view, level, above | {one})
        return found


def _placed(
    rendered: Any, shown: list[Instance], inner: list[dict[str, dict[str, Any]]], view: View
) -> Any:
    """An attribute's document with the linked entities in it."""
    if view.form == "simplified":
        return _placed_simply(rendered, shown, inner)
    documents = rendered if type(rendered) is list else [rendered]
    for document, instance, found in zip(documents, shown, inner, strict=True):
        if not found:
            continue
        there = [found[one] for one in object_ids(instance) if one in found]
        if instance.kind == "ListRelationship":
            document["entityList"] = there
        else:
            document["entity"] = there if type(instance.value) is list else there[0]
    return rendered


def _placed_simply(
    rendered: Any, shown: list[Instance], inner: list[dict[str, dict[str, Any]]]
) -> Any:
    """Each URI replaced by the entity behind it, where there is one (§4.5.4)."""
    placed = {}
    for instance, found in zip(shown, inner, strict=True):
        ids = object_ids(instance)
        if ids:
            items = [found.get(one, one) for one in ids]
            single = type(instance.value) is not list
            placed[instance.dataset_id or NONE] = items[0] if single else items
    if len(shown) == 1 and shown[0].dataset_id is None:
        return placed.get(NONE, rendered)
    return {"dataset": rendered["dataset"] | placed}
