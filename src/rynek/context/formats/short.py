"""Members of the standard that come by their whole names → the same by their short ones.

The core @context gives each member an IRI (CIM 009 §4.4, §5.2.1), so that JSON-LD takes
`https://uri.etsi.org/ngsi-ld/observedAt`, `ngsi-ld:observedAt` and what a user @context maps to it
for `observedAt`. Clients hardly ever write so: bodies are looked through only where they could not
be read as they are, and then read again. Each function gives back the very object where nothing is to be renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from rynek.base.errors import BadRequestData
from rynek.context.formats.members import KIND_IRIS, KIND_OF, KNOWN
from rynek.context.jsonld import CompiledContext, core_context
from rynek.context.jsonld.compiled import RESERVED_IRIS, VALUE_IRIS
from rynek.context.model import NGSI_LD

__all__ = ["has_whole_names", "short_entity", "short_instances", "short_members"]

_ENTITY: Final = {
    NGSI_LD + name: name for name in ("scope", "expiresAt", "createdAt", "modifiedAt", "deletedAt")
}
# What a member of an attribute holds is no attribute; "dataset" has values by dataset id.
_AS_THEY_ARE: Final = KNOWN | {"type", "@type", "@context"}
_MAX_DEPTH: Final = 20


def short_entity(document: Any, ctx: CompiledContext) -> Any:
    """An entity or a fragment of one."""
    if type(document) is not dict:
        return document
    out: dict[str, Any] = {}
    changed = False
    for name, item in document.items():
        short = name if name[:1] == "@" else _short(name, ctx, _ENTITY)
        kept = _bare(item, short) if short != name else short_instances(item, ctx)
        changed = changed or short != name or kept is not item
        _put(out, short, kept)
    return out if changed else document


def short_instances(raw: Any, ctx: CompiledContext, depth: int = 0) -> Any:
    """The instance of an attribute, or an array of several."""
    if depth > _MAX_DEPTH:
        return raw
    if type(raw) is list:
        items = [_instance(item, ctx, depth) if type(item) is dict else item for item in raw]
        return raw if all(one is item for one, item in zip(items, raw, strict=True)) else items
    return _instance(raw, ctx, depth) if type(raw) is dict else raw


def _instance(raw: dict[str, Any], ctx: CompiledContext, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    changed = False
    for name, item in raw.items():
        short = name if name in _AS_THEY_ARE else _short(name, ctx, _members())
        if short != name:
            kept = _bare(item, short)
        elif name in ("type", "@type"):
            kept = _short(item, ctx, KIND_IRIS) if type(item) is str and ":" in item else item
        else:
            kept = item if name in _AS_THEY_ARE else short_instances(item, ctx, depth + 1)
        changed = changed or short != name or kept is not item
        _put(out, short, kept)
    return out if changed else raw


def has_whole_names(raw: Mapping[str, Any], ctx: CompiledContext) -> bool:
    """Whether an object without short members has some by whole names."""
    return any(":" in name and _short(name, ctx, _members()) in KIND_OF for name in raw)


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
        kept = _bare(item, short) if short != name else item
        if depth == 0 and name in ("type", "@type") and type(item) is str:
            kept = _short(item, ctx, _terms())
        _put(out, short, _typed(kept, ctx, depth + 1) if short in terms else kept)
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


def _bare(item: Any, short: str) -> Any:
    """What JSON-LD writes of a member without its definition: `{"@value": …}`, `{"@id": …}`, alone
    or as the only element of an array. A value keeps its @type."""
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
    """IRI → short name of every term of the standard."""
    terms = core_context().terms.items()
    return {iri: term for term, iri in terms if iri.startswith(NGSI_LD) and ":" not in term}
