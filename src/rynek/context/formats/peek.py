"""A look at some attributes of a stored body, for tests of many candidates."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from rynek.base.typed import decoder
from rynek.context.formats.codec import restore
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity

_members: Final = decoder(dict[str, msgspec.Raw]).decode
_loads: Final = msgspec.json.Decoder().decode


def peek(body: bytes, ctx: CompiledContext, attrs: Collection[str]) -> Entity:
    """The entity with only those of the given attributes (IRIs) that it has, and no times."""
    raw = _members(body)
    types = _loads(raw["type"])
    names = [types] if type(types) is str else types
    kinds = ctx.kinds
    entity = Entity(
        _loads(raw["id"]), [kinds.get(name) or ctx.expand_term(name) for name in names], {}
    )
    if "scope" in raw:
        scopes = _loads(raw["scope"])
        entity.scopes = [scopes] if type(scopes) is str else scopes
    _look(raw, entity, ctx, attrs)
    return entity


def peek_attributes(body: bytes, ctx: CompiledContext, attrs: Collection[str]) -> Entity:
    """`peek` without id, types and scopes, for candidates that are known to have the right ones."""
    entity = Entity("", [], {})
    _look(_members(body), entity, ctx, attrs)
    return entity


def _look(
    raw: dict[str, msgspec.Raw], entity: Entity, ctx: CompiledContext, attrs: Collection[str]
) -> None:
    shorts = ctx.shorts
    for iri in attrs:
        found = raw.get(shorts.get(iri) or ctx.compact_iri(iri))
        if found is not None:
            item: Any = _loads(found)
            instances = [item] if type(item) is dict else item
            entity.attrs[iri] = [restore(one, ctx) for one in instances]


class _Point(msgspec.Struct):
    type: Literal["Point"]
    coordinates: list[float]


class _Place(msgspec.Struct):
    type: Literal["GeoProperty"]
    value: _Point


def peek_point(body: bytes, ctx: CompiledContext, attr: str) -> list[float] | None:
    """The coordinates of a GeoProperty (an IRI) that has one instance, a point; None for others."""
    try:
        found = _places(ctx.shorts.get(attr) or ctx.compact_iri(attr))(body).place
    except msgspec.ValidationError:
        return None
    return None if found is None else found.value.coordinates


@lru_cache(maxsize=256)
def _places(name: str) -> Callable[[bytes], Any]:
    """A decoder of that one member, which passes over all others."""
    fields = [("place", _Place | None, None)]
    look = msgspec.defstruct("Look", fields, rename={"place": name})
    return decoder(look, keep=False).decode
