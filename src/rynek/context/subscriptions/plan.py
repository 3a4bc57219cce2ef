"""Where to look for those whom a change could concern, and what is known of what did not change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from rynek.context.model import Instance
from rynek.context.subscriptions.delta import Delta
from rynek.context.subscriptions.model import Subscription

__all__ = ["Known", "Plan", "Subscriptions"]

Subscriptions = dict[str, Subscription]
# Bytes of what is kept of entities, about: an entry has its own, and some a subscription.
_MAX_BYTES: Final = 32 << 20
_ENTRY_BYTES: Final = 350
_FOUND_BYTES: Final = 60
_MAX_FOUND: Final = 256
_NOBODY: Final[Subscriptions] = {}


class Search(Protocol):
    """Subscriptions by what they ask of an attribute."""

    def find_in(self, instance: Instance, path: tuple[str, ...], found: Subscriptions) -> None:
        """Add those whose condition an instance meets."""
        ...


class Plan:
    """What to compare when the attributes `names` of entities of one kind changed: their values,
    each time; those of other attributes once for an entity, until it changes in another way."""

    def __init__(self, names: Iterable[str]) -> None:
        self.plain: Subscriptions = {}
        # Where only one attribute changes: that one, those without a condition if each of them is
        # told of whatever changes of its type, and what to compare the attribute with.
        self.only = ""
        self.certain: Sequence[Subscription] = ()
        self.searches: Sequence[tuple[tuple[str, ...], Search]] = ()
        self._names = frozenset(names)
        self._changing: list[tuple[str, tuple[str, ...], Search]] = []
        self._resting: list[tuple[str, tuple[str, ...], Search]] = []

    def settle(self) -> None:
        """All that is to be compared was added, for entities of one kind."""
        plain = self.plain.values()
        if (
            len(self._names) == 1
            and self._names.issuperset(attr for attr, _, _ in self._changing)
            and all(one.simple is not None and one.expires is None for one in plain)
        ):
            (self.only,) = self._names
            self.certain = tuple(plain)
            self.searches = tuple((path, search) for _, path, search in self._changing)

    @property
    def rests(self) -> bool:
        """Whether some conditions are about what does not change."""
        return bool(self._resting)

    def add(self, attr: str, path: tuple[str, ...], search: Search) -> None:
        """Compare what an attribute has under a path."""
        # Further inside there are times, which are written without a change.
        changing = bool(path) or attr in self._names
        (self._changing if changing else self._resting).append((attr, path, search))

    def find(self, delta: Delta, known: Known | None) -> Subscriptions:
        """Whom a change could concern; `known` when only the attributes of the plan changed."""
        found = self.plain
        if self._changing:
            met = _search(self._changing, delta)
            if met:
                found = {**found, **met}
        if self._resting:
            resting = None if known is None else known.find(delta.id, self)
            if resting is None:
                resting = _search(self._resting, delta)
                if known is not None:
                    known.note(delta.id, self, resting)
            if resting:
                found = {**found, **resting}
        elif known is not None:
            known.drop(delta.id)  # what is known for another kind of change may not be so any more
        return found


def _search(searches: list[tuple[str, tuple[str, ...], Search]], delta: Delta) -> Subscriptions:
    met: Subscriptions = {}
    for attr, path, search in searches:
        for instance in delta.instances(attr):
            search.find_in(instance, path, met)
    return met


class Known:
    """Whose conditions the resting attributes of entities meet, by entity, for the plan of its last
    change. Forgotten as a whole when a subscription comes or goes, and when it is too much; what
    concerns many is not kept at all."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[Plan, Subscriptions]] = {}
        self._bytes = 0

    def find(self, entity_id: str, plan: Plan) -> Subscriptions | None:
        """Those whose conditions an entity meets, apart from what is changing; None if unknown."""
        entry = self.found.get(entity_id)
        return entry[1] if entry is not None and entry[0] is plan else None

    def note(self, entity_id: str, plan: Plan, found: Subscriptions) -> None:
        """Remember them, in the place of what was known before."""
        self.drop(entity_id)
        if len(found) > _MAX_FOUND:
            return
        self._bytes += _ENTRY_BYTES + _FOUND_BYTES * len(found)
        if self._bytes > _MAX_BYTES:
            self.forget()
            self._bytes = _ENTRY_BYTES + _FOUND_BYTES * len(found)
        self.found[entity_id] = plan, found or _NOBODY

    def drop(self, entity_id: str) -> None:
        """An entity changed in a way that nothing is known of."""
        entry = self.found.pop(entity_id, None)
        if entry is not None:
            self._bytes -= _ENTRY_BYTES + _FOUND_BYTES * len(entry[1])

    def forget(self) -> None:
        """Forget everything."""
        self.found.clear()
        self._bytes = 0
