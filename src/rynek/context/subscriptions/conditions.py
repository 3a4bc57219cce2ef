"""Subscriptions by one condition that each match meets: a comparison of `q`, or the cells of a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rynek.context.query import Comparison, comparisons, key_ranges
from rynek.context.subscriptions.areas import Area, Cell, cells
from rynek.context.subscriptions.model import Subscription
from rynek.context.subscriptions.plan import Plan, Subscriptions
from rynek.context.subscriptions.ranges import Values

__all__ = ["Conditions", "plan_of"]


class Conditions:
    """Subscriptions by one condition that each match meets."""

    def __init__(self) -> None:
        self._plain: Subscriptions = {}
        self._values: dict[tuple[str, tuple[str, ...]], Values] = {}
        self._areas: dict[str, Area] = {}

    def put(self, one: Subscription) -> None:
        self._apply(one, _put)

    def remove(self, one: Subscription) -> bool:
        """Take one out; whether none is left."""
        self._apply(one, _remove)
        return not (self._plain or self._values or self._areas)

    def _apply(
        self, one: Subscription, change: Callable[[Subscriptions, Subscription], None]
    ) -> None:
        condition = _condition(one)
        if condition is None:
            change(self._plain, one)
        elif isinstance(condition, Comparison):
            key = condition.attr, condition.path
            values = self._values.setdefault(key, Values())
            values.apply(key_ranges(condition), one, change)
            if values.empty:
                del self._values[key]
        else:
            attr, where = condition
            area = self._areas.setdefault(attr, Area())
            area.apply(where, one, change)
            if area.empty:
                del self._areas[attr]

    def add_to(self, plan: Plan) -> None:
        """Let a search look here too."""
        plan.plain.update(self._plain)
        for (attr, path), values in self._values.items():
            plan.add(attr, path, values)
        for attr, area in self._areas.items():
            plan.add(attr, (), area)


def plan_of(places: Iterable[Conditions], names: Iterable[str]) -> Plan:
    """Where to look when the attributes `names` changed."""
    plan = Plan(names)
    for one in places:
        one.add_to(plan)
    return plan


def _put(place: Subscriptions, one: Subscription) -> None:
    place[one.id] = one


def _remove(place: Subscriptions, one: Subscription) -> None:
    place.pop(one.id, None)


def _condition(one: Subscription) -> Comparison | tuple[str, list[Cell]] | None:
    """The most telling condition: an equality, an area, an order; None without any."""
    query = one.query
    found = comparisons(query.q) if query.q is not None else []
    for comparison in found:
        if all(low == high for low, _, high, _ in key_ranges(comparison)):
            return comparison
    if query.geo is not None:
        box = query.geo.box()
        where = None if box is None else cells(box)
        if where is not None:
            return query.geo.geoproperty, where
    return found[0] if found else None
