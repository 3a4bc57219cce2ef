"""Discovery of entity types and attributes in use (CIM 009 §5.7.5 - §5.7.10)."""

from __future__ import annotations

from typing import Any

from rynek.base.errors import ResourceNotFound
from rynek.context.jsonld import CompiledContext
from rynek.context.store.contract import TypeSummary


def type_list(summaries: list[TypeSummary], ctx: CompiledContext) -> dict[str, Any]:
    """EntityTypeList (§5.2.24)."""
    return {
        "id": "urn:ngsi-ld:EntityTypeList:local",
        "type": "EntityTypeList",
        "typeList": sorted(ctx.compact_iri(one.type) for one in summaries if one.type),
    }


def type_details(summaries: list[TypeSummary], ctx: CompiledContext) -> list[dict[str, Any]]:
    """EntityType (§5.2.25) of each type in use."""
    return [
        {
            "id": one.type,
            "type": "EntityType",
            "typeName": ctx.compact_iri(one.type),
            "attributeNames": sorted(ctx.compact_iri(attr) for attr in one.attrs),
        }
        for one in summaries
    ]


def type_information(
    summaries: list[TypeSummary], type_iri: str, ctx: CompiledContext
) -> dict[str, Any]:
    """EntityTypeInfo (§5.2.26). ResourceNotFound when no entity has the type."""
    for one in summaries:
        if one.type == type_iri:
            return {
                "id": one.type,
                "type": "EntityTypeInfo",
                "typeName": ctx.compact_iri(one.type),
                "entityCount": one.entities,
                "attributeDetails": [
                    {
                        "id": attr,
                        "type": "Attribute",
                        "attributeName": ctx.compact_iri(attr),
                        "attributeTypes": sorted(kinds),
                    }
                    for attr, (_, kinds) in sorted(one.attrs.items())
                ],
            }
    raise ResourceNotFound(f"no entity of type {type_iri}")


def attribute_list(summaries: list[TypeSummary], ctx: CompiledContext) -> dict[str, Any]:
    """AttributeList (§5.2.27)."""
    names = {ctx.compact_iri(attr) for one in summaries for attr in one.attrs}
    return {
        "id": "urn:ngsi-ld:AttributeList:local",
        "type": "AttributeList",
        "attributeList": sorted(names),
    }


def attribute_details(summaries: list[TypeSummary], ctx: CompiledContext) -> list[dict[str, Any]]:
    """Attribute (§5.2.28) of each attribute in use, with the types that have it."""
    types: dict[str, list[str]] = {}
    for one in summaries:
        for attr in one.attrs:
            names = types.setdefault(attr, [])
            if one.type:
                names.append(ctx.compact_iri(one.type))
    return [
        {
            "id": attr,
            "type": "Attribute",
            "attributeName": ctx.compact_iri(attr),
            "typeNames": sorted(names),
        }
        for attr, names in sorted(types.items())
    ]


def attribute_information(
    summaries: list[TypeSummary], attr: str, ctx: CompiledContext
) -> dict[str, Any]:
    """Attribute with count and kinds. ResourceNotFound when no entity has it."""
    having = [one for one in summaries if attr in one.attrs]
    if not having:
        raise ResourceNotFound(f"no entity has an attribute {attr}")
    kinds = {kind for one in having for kind in one.attrs[attr][1]}
    return {
        "id": attr,
        "type": "Attribute",
        "attributeName": ctx.compact_iri(attr),
        "attributeCount": sum(one.attrs[attr][0] for one in having),
        "attributeTypes": sorted(kinds),
        "typeNames": sorted(ctx.compact_iri(one.type) for one in having if one.type),
    }
