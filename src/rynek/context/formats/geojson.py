"""Entities as GeoJSON features (CIM 009 §4.5.16, §4.5.17; RFC 7946)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rynek.context.formats.render import NORMALIZED, View, render_entity
from rynek.context.jsonld import CompiledContext
from rynek.context.model import LOCATION, Entity


def render_feature(
    entity: Entity,
    ctx: CompiledContext,
    view: View = NORMALIZED,
    *,
    geometry_property: str = LOCATION,
    document: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One entity as a GeoJSON Feature, without "@context"; `document` is the entity as rendered,
    where that is more than `view` alone makes of it.

    `geometry_property` is the IRI of the GeoProperty that becomes the geometry; null where the
    entity has none. With several instances it is the default one, or the one that
    `view.dataset_ids` keeps; null when neither is there (§4.5.16.1).
    """
    properties = render_entity(entity, ctx, view) if document is None else dict(document)
    properties.pop("id", None)
    return {
        "id": entity.id,
        "type": "Feature",
        "geometry": _geometry(entity, geometry_property, view),
        "properties": properties,
    }


def render_collection(
    entities: Iterable[Entity],
    ctx: CompiledContext,
    view: View = NORMALIZED,
    *,
    geometry_property: str = LOCATION,
) -> dict[str, Any]:
    """Entities as a GeoJSON FeatureCollection, without "@context"."""
    return {
        "type": "FeatureCollection",
        "features": [
            render_feature(entity, ctx, view, geometry_property=geometry_property)
            for entity in entities
        ],
    }


def _geometry(entity: Entity, attr: str, view: View) -> Any:
    wanted = ("@none",) if view.dataset_ids is None else view.dataset_ids
    instances = [
        instance
        for instance in entity.attrs.get(attr, ())
        if instance.kind == "GeoProperty" and (instance.dataset_id or "@none") in wanted
    ]
    instances.sort(key=lambda instance: instance.dataset_id is not None)
    return instances[0].value if instances else None
