"""What a registration must not meet when it comes in (CIM 009 §4.3.6.3, §5.9.2.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from rynek.base.errors import Conflict
from rynek.context.live import Context
from rynek.context.query import Query, TypeExpr, pattern
from rynek.context.registrations.match import Match, RegistrationSpec, TemporalSpan
from rynek.context.registrations.model import (
    EXCLUSIVE,
    REDIRECT,
    EntityInfo,
    Registration,
    RegistrationInfo,
)
from rynek.context.store.contract import Txn

__all__ = ["with_entities", "with_held_attributes", "with_registrations"]


def with_registrations(
    made: Registration, matching: Callable[[RegistrationSpec], Iterable[Match]]
) -> None:
    """Conflict when a proxied registration overlaps and one of the two is exclusive (§4.3.6.3)."""
    if not made.proxied:
        return
    for info in made.information:
        for entity in info.entities or (None,):
            for other in matching(_spec(made, info, entity)):
                known = other.registration
                if known.id == made.id or not known.proxied:
                    continue
                if EXCLUSIVE in (made.mode, known.mode) and _overlaps(entity, other):
                    raise Conflict(
                        f"the {known.mode} registration {known.id} has the same attributes"
                        " of the same entity"
                    )


def _spec(
    made: Registration, info: RegistrationInfo, entity: EntityInfo | None
) -> RegistrationSpec:
    span = None
    if made.is_temporal:
        span = TemporalSpan(observed=made.observation_interval is not None)
    names = tuple(info.names)
    if entity is None:
        return RegistrationSpec(attrs=names, temporal=span)
    if entity.id is not None:
        return RegistrationSpec(ids=(entity.id,), attrs=names, temporal=span)
    types = TypeExpr(tuple(frozenset((name,)) for name in entity.types))
    return RegistrationSpec(types=types, id_pattern=entity.id_pattern, attrs=names, temporal=span)


def _overlaps(entity: EntityInfo | None, other: Match) -> bool:
    """Whether an entity can be meant by both; an id decides alone where both have one."""
    return any(
        entity is None
        or part.entities is None
        or any(_same(entity, known) for known in part.entities)
        for part in other.parts
    )


def _same(one: EntityInfo, other: EntityInfo) -> bool:
    if one.id is not None and other.id is not None:
        return one.id == other.id
    # An entity has one type or more, so types of which neither holds the other can still meet;
    # those without any in common are taken to be about different entities.
    if set(one.types).isdisjoint(other.types):
        return False
    entity_id = one.id or other.id
    wanted = other.id_pattern if one.id is not None else one.id_pattern
    return entity_id is None or wanted is None or pattern.search(wanted, "idPattern")(entity_id)


async def with_entities(made: Registration, context: Context) -> None:
    """Conflict when an entity that is held here matches a registration of mode redirect."""
    if made.mode != REDIRECT:
        return
    for info in made.information:
        for entity in info.entities or (None,):
            page = await context.select(_query(info, entity), limit=1)
            if page.rows:
                held: dict[str, Any] = msgspec.json.decode(page.rows[0].body)
                raise Conflict(f"the entity {held.get('id')}, held here, matches")


def _query(info: RegistrationInfo, entity: EntityInfo | None) -> Query:
    names = sorted(info.names)
    if entity is None:
        return Query(attrs=names)
    return Query(
        types=TypeExpr((frozenset(entity.types),)),
        ids=None if entity.id is None else [entity.id],
        id_pattern=entity.id_pattern if entity.id is None else None,
        attrs=names,
    )


def with_held_attributes(made: Registration, txn: Txn) -> None:
    """Conflict when an entity that is held here has an attribute that is registered exclusively."""
    if made.mode != EXCLUSIVE:
        return
    for info in made.information:
        for entity in info.entities:
            held = None if entity.id is None else txn.get(entity.id)
            if held is not None and not info.names.isdisjoint(held.attrs):
                raise Conflict(f"the entity {entity.id}, held here, has attributes of those")
