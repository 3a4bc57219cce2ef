"""Whom a change of a registration could concern: subscriptions by the types they ask for."""

from __future__ import annotations

from collections.abc import Iterable

from rynek.context.registrations import Registration
from rynek.context.registrations.watched import SourceSelector
from rynek.context.subscriptions import Subscription

__all__ = ["SourceIndex"]


class SourceIndex:
    """Subscriptions with what they look for, in the order in which they came."""

    def __init__(self) -> None:
        self._all: dict[str, tuple[int, Subscription, SourceSelector]] = {}
        self._types: dict[str, dict[str, None]] = {}
        self._open: dict[str, None] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._all)

    def put(self, one: Subscription, selector: SourceSelector) -> None:
        """Add it, or put it in the place of the one with its id."""
        known = self._all.get(one.id)
        self.remove(one.id)
        number = self._next if known is None else known[0]
        self._next += known is None
        self._all[one.id] = number, one, selector
        if selector.types is None:
            self._open[one.id] = None
        for name in selector.types or ():
            self._types.setdefault(name, {})[one.id] = None

    def remove(self, subscription_id: str) -> None:
        """Take it out; a no-op when it is not there."""
        known = self._all.pop(subscription_id, None)
        if known is None:
            return
        self._open.pop(subscription_id, None)
        for name in known[2].types or ():
            there = self._types[name]
            there.pop(subscription_id, None)
            if not there:
                del self._types[name]

    def candidates(
        self, registrations: Iterable[Registration | None]
    ) -> list[tuple[Subscription, SourceSelector]]:
        """Those that could be about one of these registrations."""
        found = dict(self._open)
        for registration in registrations:
            for info in () if registration is None else registration.information:
                if not info.entities:
                    return [(one, selector) for _, one, selector in _in_order(self._all.values())]
                for entity in info.entities:
                    for name in entity.types:
                        found.update(self._types.get(name, {}))
        return [(one, selector) for _, one, selector in _in_order(self._all[one] for one in found)]


def _in_order(
    rows: Iterable[tuple[int, Subscription, SourceSelector]],
) -> list[tuple[int, Subscription, SourceSelector]]:
    """By number."""
    return sorted(rows, key=lambda row: row[0])
