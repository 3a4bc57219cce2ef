"""The exact test of a change against a subscription (CIM 009 §5.8.6)."""

from __future__ import annotations

from collections.abc import Callable

from rynek.context.model import Entity
from rynek.context.query import Query, wanted_links
from rynek.context.subscriptions.delta import Altered, Delta
from rynek.context.subscriptions.model import Subscription

__all__ = ["concerns", "meets"]

_MAX_LINKED = 1000
Lookup = Callable[[str], Entity | None]


def concerns(one: Subscription, delta: Delta, lookup: Lookup) -> bool:
    """Whether a change is to be notified: the trigger, the entity, its scope, q and geoQ.

    With a context source filter nothing is: what is held here comes from no registered source.
    """
    if type(delta) is Altered and one.simple is not None:
        return one.simple in delta.types
    if one.csf or not delta.triggers(one) or not one.selects(delta.id, delta.types):
        return False
    return one.unconditional or meets(one.query, delta.subject, lookup)


def meets(query: Query, entity: Entity, lookup: Lookup) -> bool:
    """Whether an entity meets q, geoQ and scopeQ; `lookup` finds those that relationships lead
    to, where q asks for them."""
    if not query.matches(entity):
        return False
    if not query.linked:
        return True
    assert query.q is not None
    linked: dict[str, Entity] = {}
    asked: set[str] = set()
    while True:
        new = [one for one, _ in wanted_links(query.q, entity, linked) if one not in asked]
        if not new or len(asked) > _MAX_LINKED:
            return query.matches_linked(entity, linked)
        asked.update(new)
        for one in new:
            target = lookup(one)
            if target is not None:
                linked[one] = target
