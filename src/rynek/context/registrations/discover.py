"""Discovery of registrations by what they say of themselves (CIM 009 §4.9, §5.10.2.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rynek.context.jsonld import CompiledContext
from rynek.context.model import NGSI_LD, Entity, Instance
from rynek.context.query import GeoQuery, QNode, compile_q
from rynek.context.query.query import paths
from rynek.context.registrations.model import Registration
from rynek.context.registrations.render import render_registration

__all__ = ["csf_test", "names_asked_for"]

# What a registration says of its own places; the rest of its attributes are those of entities.
_OWN_SPACES = frozenset(
    NGSI_LD + name for name in ("location", "observationSpace", "operationSpace")
)


def csf_test(csf: QNode, ld: CompiledContext) -> Callable[[Registration], bool]:
    """The test of a context source filter: each member of a registration is a property of it,
    those of the standard by their short names."""
    matches = compile_q(csf)

    def test(made: Registration) -> bool:
        return matches(_as_entity(made, ld))

    return test


def names_asked_for(attrs: list[str], q: QNode | None, geo: GeoQuery | None) -> tuple[str, ...]:
    """The attribute names (IRIs) that a discovery is about: those listed, those in q and a
    GeoProperty that is not one of the registration's own places."""
    names = dict.fromkeys(attrs)
    for path in paths(q) if q is not None else ():
        if not path.attr.startswith("@"):
            names[path.attr] = None
    if geo is not None and geo.geoproperty not in _OWN_SPACES:
        names[geo.geoproperty] = None
    return tuple(names)


def _as_entity(made: Registration, ld: CompiledContext) -> Entity:
    """The registration as an entity, so that a filter reads it as it reads any other."""
    document = render_registration(made, ld, secrets=False)
    attrs: dict[str, list[Instance]] = {}
    for member, value in document.items():
        if member not in ("id", "type", "scope", "expiresAt"):
            attrs[ld.expand_term(member)] = [_instance(value)]
    return Entity(
        made.id,
        ["ContextSourceRegistration"],
        attrs,
        list(made.scopes) if made.scopes else None,
        made.expires_at,
        made.created_at,
        made.modified_at,
    )


def _instance(value: Any) -> Instance:
    """A property with this value; an additional member may be one in normalized form."""
    if isinstance(value, dict):
        if value.get("type") == "Property" and "value" in value:
            return Instance("Property", value["value"])
        if value.get("type") == "Relationship" and "object" in value:
            return Instance("Relationship", value["object"])
    return Instance("Property", value)
