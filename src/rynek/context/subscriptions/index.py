"""Which subscriptions a change could concern: costs by what could match, not by how many there are.

A subscription stands under the ids or the types it selects (or under "any"), below that under each
attribute it watches (or "any"), and below that under one condition that every match must meet: a
comparison of `q`, or the cells of a grid that its area covers. What is found may still not match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rynek.context.store.written import Written
from rynek.context.subscriptions.conditions import Conditions, plan_of
from rynek.context.subscriptions.delta import Altered, Delta, delta_of, same
from rynek.context.subscriptions.model import Selector, Subscription
from rynek.context.subscriptions.plan import Known, Plan, Subscriptions

__all__ = ["SubscriptionIndex"]

_ANY: Final = ""
_MAX_KINDS: Final = 1_000
_MAX_PLANS: Final = 100
# Of all plans together: each subscription that a plan holds without a condition, and the plan.
_MAX_PLANNED: Final = 500_000


class SubscriptionIndex:
    """Subscriptions by what could concern them."""

    def __init__(self) -> None:
        self._by_id: dict[str, _Watched] = {}
        self._by_type: dict[str, _Watched] = {}
        self._kinds: dict[str | tuple[str, ...], _Kind] = {}
        self._known = Known()
        self._planned = 0
        self.all: Subscriptions = {}

    def __len__(self) -> int:
        return len(self.all)

    def put(self, one: Subscription) -> None:
        """Add a subscription, in the place of the one with its id."""
        self.remove(one.id)
        self.all[one.id] = one
        self._changed()
        for table, key in self._places(one):
            table.setdefault(key, _Watched()).put(one)

    def remove(self, subscription_id: str) -> None:
        """Take a subscription out; a no-op when there is none."""
        gone = self.all.pop(subscription_id, None)
        if gone is None:
            return
        self._changed()
        for table, key in self._places(gone):
            if table[key].remove(gone):
                del table[key]

    def _places(self, one: Subscription) -> list[tuple[dict[str, _Watched], str]]:
        if not one.selectors:
            return [(self._by_type, _ANY)]
        places = {
            (id(table), key): (table, key)
            for selector in one.selectors
            for table, key in self._selected(selector)
        }
        return list(places.values())

    def _selected(self, selector: Selector) -> Iterator[tuple[dict[str, _Watched], str]]:
        if selector.ids is not None:
            for one in selector.ids:
                yield self._by_id, one
        elif selector.types is None:
            yield self._by_type, _ANY
        else:
            for option in selector.types.alternatives():
                yield self._by_type, min(option) if option else _ANY

    def certain(self, written: Written) -> tuple[Delta, Sequence[Subscription]] | None:
        """`candidates` of a change of one attribute, where each of them is to be told and nothing
        has to be tested; None where one has to look."""
        moved = written.moved
        if moved is None or len(moved) != 1:
            return None
        ((attr, (was, one)),) = moved.items()
        entry = self._known.found.get(written.id)
        if entry is None:
            types = written.types
            kind = self._kinds.get(types[0] if len(types) == 1 else tuple(types))
            plan = None if kind is None else kind.plans.get((attr,))
            if plan is None or plan.rests:
                return None
        else:
            plan, resting = entry
            if resting:
                return None
        if plan.only != attr or written.id in self._by_id:
            return None
        met: Subscriptions = {}
        for path, search in plan.searches:
            search.find_in(one, path, met)
        if met:
            return None
        changed = Altered(written, ((attr, was, one),))
        return changed, () if same(was, one) else plan.certain

    def candidates(self, written: Written) -> tuple[Delta, Sequence[Subscription]] | None:
        """What changed, and whom it could concern; None when it concerns nobody. Has to be told of
        every write of an entity, in order, or to `forget`."""
        known: Known | None = self._known
        if written.moved is None:
            self._known.drop(written.id)
            known = None
            if not written.there:
                return None
        types = written.types
        kind = self._kinds.get(types[0] if len(types) == 1 else tuple(types))
        if kind is None:
            kind = self._kind(types)
        own = self._by_id.get(written.id)
        if own is None and not kind.places:
            return None
        delta = delta_of(written)
        if delta.empty:
            return None
        names = delta.names
        found = (kind.plans.get(names) or self._plan(kind, names)).find(delta, known)
        if own is not None:
            found = found | plan_of(own.of(names), names).find(delta, None)
        return (delta, list(found.values())) if found else None

    def forget(self) -> None:
        """Some writes were not told of, or did not come to pass."""
        self._known.forget()

    def _plan(self, kind: _Kind, names: tuple[str, ...]) -> Plan:
        """Where to look when these attributes of entities of a kind changed."""
        if len(kind.plans) >= _MAX_PLANS or self._planned >= _MAX_PLANNED:
            # What is known of entities holds on to the plans that it was found by.
            self._changed()
            kind.plans.clear()
        plan = kind.plan(names)
        self._planned += 1 + len(plan.plain)
        return plan

    def _kind(self, types: Sequence[str]) -> _Kind:
        """Where to look for entities of these types."""
        if len(self._kinds) >= _MAX_KINDS:
            self._changed()
        by_type = self._by_type
        kind = _Kind([by_type[key] for key in (_ANY, *types) if key in by_type])
        self._kinds[types[0] if len(types) == 1 else tuple(types)] = kind
        return kind

    def _changed(self) -> None:
        self._kinds.clear()
        self._planned = 0
        self._known.forget()


class _Kind:
    """Where to look for entities of the same types, by the attributes that changed."""

    def __init__(self, places: list[_Watched]) -> None:
        self.places = places
        self.plans: dict[tuple[str, ...], Plan] = {}

    def plan(self, names: tuple[str, ...]) -> Plan:
        """Where to look when these attributes changed."""
        plan = plan_of([one for place in self.places for one in place.of(names)], names)
        plan.settle()
        self.plans[names] = plan
        return plan


class _Watched:
    """Subscriptions by the attributes that they watch."""

    def __init__(self) -> None:
        self._by_attr: dict[str, Conditions] = {}

    def put(self, one: Subscription) -> None:
        for attr in one.watched or (_ANY,):
            self._by_attr.setdefault(attr, Conditions()).put(one)

    def remove(self, one: Subscription) -> bool:
        """Take one out; whether none is left."""
        for attr in one.watched or (_ANY,):
            if self._by_attr[attr].remove(one):
                del self._by_attr[attr]
        return not self._by_attr

    def of(self, names: Iterable[str]) -> list[Conditions]:
        """The conditions of those whom a change of these attributes could concern."""
        by_attr = self._by_attr
        return [by_attr[one] for one in (_ANY, *names) if one in by_attr]
