"""Members of the standard that come by their whole names → the same by their short ones.

The core @context gives each member an IRI (CIM 009 §4.4, §5.2.1), so that JSON-LD takes
`https://uri.etsi.org/ngsi-ld/observedAt`, `ngsi-ld:observedAt` and what a user @context maps to it
for `observedAt`. Clients hardly ever write so: bodies are looked through only where they could not
be read as they are, and then read again. Each function gives back the very object where nothing is
to be renamed. Documents in expanded form (JSON-LD 1.1 §9) have such names alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from rynek.base.errors import BadRequestData
from rynek.context.formats.expanded import is_expanded, is_literal, member_of, plain
from rynek.context.formats.members import KIND_IRIS, KIND_OF, KNOWN
from rynek.context.formats.values import Invalid
from rynek.context.jsonld import CompiledContext, core_context
from rynek.context.jsonld.compiled import RESERVED_IRIS, VALUE_IRIS
from rynek.context.model import NGSI_LD

__all__ = ["has_whole_names", "refuse_whole", "short_entity", "short_instances", "short_members"]

_ENTITY: Final = {
    NGSI_LD + name: name for name in ("scope", "expiresAt", "createdAt", "modifiedAt", "deletedAt")
}
# What a member of an attribute holds is no attribute; "dataset" has values by dataset id.
_AS_THEY_ARE: Final = KNOWN | {"type", "@type", "@context"}
_MAX_DEPTH: Final = 20
_OURS: Final = (NGSI_LD, "https://purl.org/geojson/vocab#")
_IDENTITY: Final = {"@id": "id", "@type": "type"}
# Members of the data types of §5.2 that are arrays, also with one element.
_ARRAYS: Final = frozenset(
    (
        "attributes", "datasetId", "entities", "information", "notificationTrigger", "notifierInfo",
        "omit", "operations", "pick", "propertyNames", "receiverInfo", "relationshipNames",
        "contextSourceInfo", "watchedAttributes",
    )
)  # fmt: skip


def short_entity(document: Any, ctx: CompiledContext) -> Any:
    """An entity or a fragment of one."""
    if type(document) is not dict:
        return document
    out: dict[str, Any] = {}
    changed = False
    for name, item in document.items():
        short = name if name[:1] == "@" else _short(name, ctx, _ENTITY)
        kept = _bare(item, short, ctx) if short != name else short_instances(item, ctx)
        changed = changed or short != name or kept is not item
        _put(out, short, kept)
    return out if changed else document


def short_instances(raw: Any, ctx: CompiledContext, depth: int = 0) -> Any:
    """The instance of an attribute, or an array of several."""
    if depth > _MAX_DEPTH:
        return raw
    if type(raw) is list:
        if _is_plain(raw, ctx):
            return plain(raw, ctx)
        items = [_instance(item, ctx, depth) if type(item) is dict else item for item in raw]
        return raw if all(one is item for one, item in zip(items, raw, strict=True)) else items
    return _instance(raw, ctx, depth) if type(raw) is dict else raw


def _instance(raw: dict[str, Any], ctx: CompiledContext, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    changed = False
    for name, item in raw.items():
        short = name if name in _AS_THEY_ARE else _short(name, ctx, _members())
        if short != name:
            kept = _bare(item, short, ctx)
        elif name in ("type", "@type"):
            kind = item[0] if name == "@type" and type(item) is list and len(item) == 1 else item
            named = type(kind) is str and ":" in kind
            kept = _short(kind, ctx, KIND_IRIS) if named else item
        else:
            kept = item if name in _AS_THEY_ARE else short_instances(item, ctx, depth + 1)
        changed = changed or short != name or kept is not item
        _put(out, short, kept)
    return out if changed else raw


def has_whole_names(raw: Mapping[str, Any], ctx: CompiledContext) -> bool:
    """Whether an object without short members has some by whole names."""
    return any(":" in name and _short(name, ctx, _members()) in KIND_OF for name in raw)


def refuse_whole(raw: dict[str, Any] | list[Any], ctx: CompiledContext) -> None:
    """Invalid for what would be a value but is an attribute: by members with whole names, or in
    expanded form. It is then read again."""
    if type(raw) is dict:
        whole = has_whole_names(raw, ctx)
    elif not raw or type(raw[0]) is not dict:  # type: ignore[index]
        return
    else:
        whole = _is_plain(raw, ctx) or any(  # type: ignore[arg-type]
            type(one) is dict and _is_whole(one, ctx) for one in raw
        )
    if whole:
        raise Invalid("has members of the standard by their whole names")


def _is_plain(raw: list[Any], ctx: CompiledContext) -> bool:
    """Whether an array is a value in expanded form: of value objects, or of nodes that are no
    instances."""
    return is_expanded(raw) and all(
        is_literal(one) or (len(one) > 0 and not _is_whole(one, ctx)) for one in raw
    )


def _is_whole(raw: dict[str, Any], ctx: CompiledContext) -> bool:
    kinds = raw.get("@type")
    if type(kinds) is list and any(type(kind) is str and kind in KIND_IRIS for kind in kinds):
        return True
    return has_whole_names(raw, ctx) or any(
        ":" in name and type(item) is list and _short(name, ctx, _members()) != name
        for name, item in raw.items()
    )


def short_members(document: dict[str, Any], ctx: CompiledContext) -> dict[str, Any]:
    """A document of another data type of the standard, such as a Subscription; what stands in
    members that are not the standard's stays as it is."""
    return _typed(document, ctx, 0)  # type: ignore[no-any-return]


def _typed(value: Any, ctx: CompiledContext, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return value
    if type(value) is list:
        return [_typed(item, ctx, depth + 1) for item in value]
    if type(value) is not dict:
        return value
    out: dict[str, Any] = {}
    terms = core_context().terms
    for name, item in value.items():
        short = _short(name, ctx, _terms()) if ":" in name else name
        if short != name and is_expanded(item):
            _put(out, short, _told(short, item, ctx, depth))
            continue
        kept = _bare(item, short, ctx) if short != name else item
        if depth == 0 and name in ("type", "@type"):
            kind = item[0] if name == "@type" and type(item) is list and len(item) == 1 else item
            kept = _short(kind, ctx, _terms()) if type(kind) is str else item
        _put(out, short, _typed(kept, ctx, depth + 1) if short in terms else kept)
    return out


def _told(short: str, item: list[Any], ctx: CompiledContext, depth: int) -> Any:
    """An expanded member: its array where the data type has one, else what it holds alone."""
    if depth > _MAX_DEPTH:
        return item
    found = [_told_one(one, ctx, depth + 1) for one in item]
    if len(item) == 1 and ("@list" in item[0] or short not in _ARRAYS):
        return found[0]
    return found


def _told_one(one: dict[str, Any], ctx: CompiledContext, depth: int) -> Any:
    if "@value" in one:
        return one["@value"]
    if "@list" in one or one.keys() == {"@id"}:
        return plain(one, ctx)
    out: dict[str, Any] = {}
    for name, item in one.items():
        short = _IDENTITY.get(name) or _short(name, ctx, _terms())
        kept = item[0] if type(item) is list and len(item) == 1 else item
        if name == "@type" and type(kept) is str:
            kept = _short(kept, ctx, _terms())
        elif short != name and is_expanded(item):
            kept = _told(short, item, ctx, depth)
        _put(out, short, kept)
    return out


def _put(out: dict[str, Any], name: str, item: Any) -> None:
    if name in out:
        raise BadRequestData(f"{name[:80]}: stands twice in the document")
    out[name] = item


def _short(name: str, ctx: CompiledContext, known: Mapping[str, str]) -> str:
    try:
        return known.get(ctx.expand_term(name), name)
    except BadRequestData:
        return name


def _bare(item: Any, short: str, ctx: CompiledContext) -> Any:
    """What JSON-LD writes of a member without its definition: `{"@value": …}`, `{"@id": …}`, alone
    or in an array. A value keeps its @type."""
    if is_expanded(item):
        return member_of(short, item, ctx)
    inner = item[0] if type(item) is list and len(item) == 1 else item
    if type(inner) is not dict:
        return item
    if inner.keys() == {"@id"}:
        return inner["@id"]
    if inner.keys() == {"@value"} or ("@value" in inner and short != "value"):
        return inner["@value"]
    return item


@lru_cache(maxsize=1)
def _members() -> dict[str, str]:
    """IRI → short name of what an attribute's instance may have."""
    there = RESERVED_IRIS | VALUE_IRIS
    return {iri: term for term, iri in core_context().terms.items() if iri in there}


@lru_cache(maxsize=1)
def _terms() -> dict[str, str]:
    """IRI → short name of every term of the standard, and of GeoJSON's."""
    terms = core_context().terms.items()
    return {iri: term for term, iri in terms if iri.startswith(_OURS) and ":" not in term}
