"""What a write changed of an entity, attribute by attribute (CIM 009 §5.8.6, §5.2.12)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rynek.context.model import Entity, Instance
from rynek.context.subscriptions.model import (
    ATTRIBUTE_CREATED,
    ATTRIBUTE_DELETED,
    ATTRIBUTE_UPDATED,
    ENTITY_CREATED,
    ENTITY_DELETED,
    Subscription,
)

__all__ = ["Delta", "same"]


class Delta:
    """An entity before and after a write; one of the two may be None.

    The instances of attributes are told apart by dataset id: one that was not there before is
    created, one that is gone is deleted, one of which any member but the system's times differs
    is updated. `subject` is the entity as it is, or as it was last. Nothing of an entity that is deleted as a whole is an attribute's deletion: it has
    a trigger of its own.
    """

    def __init__(self, before: Entity | None, after: Entity | None) -> None:
        self.before = before
        self.after = after
        subject = after if after is not None else before
        assert subject is not None
        self.subject = subject
        self.created: list[tuple[str, Instance]] = []
        self.updated: list[tuple[str, Instance, Instance]] = []
        self.deleted: list[tuple[str, Instance]] = []
        if after is None:
            return
        old = before.attrs if before is not None else {}
        for attr, instances in after.attrs.items():
            was = old.get(attr)
            if was is not instances:
                self._compare(attr, was or [], instances)
        if old.keys() - after.attrs.keys():
            for attr, was in old.items():
                if attr not in after.attrs:
                    self.deleted += [(attr, one) for one in was]

    def _compare(self, attr: str, was: list[Instance], instances: list[Instance]) -> None:
        before = {one.dataset_id: one for one in was}
        for one in instances:
            old = before.pop(one.dataset_id, None)
            if old is None:
                self.created.append((attr, one))
            elif old is not one and not same(old, one):
                self.updated.append((attr, old, one))
        self.deleted += [(attr, one) for one in before.values()]

    @property
    def names(self) -> Iterable[str]:
        """The attributes that any trigger is about; of an entity that came or went, all."""
        if self.before is None or self.after is None:
            return self.subject.attrs.keys()
        changed = {attr for attr, _, _ in self.updated}
        changed.update(attr for attr, _ in self.created)
        changed.update(attr for attr, _ in self.deleted)
        return changed

    @property
    def empty(self) -> bool:
        """Whether nothing changed that a trigger could be about."""
        if self.before is None or self.after is None:
            return self.before is self.after
        return not (self.created or self.updated or self.deleted)

    def triggers(self, one: Subscription) -> bool:
        """Whether the subscription is to be notified of such a change (§5.2.12)."""
        wanted, watched = one.triggers, one.watched
        if self.after is None:
            return ENTITY_DELETED in wanted and _any(self.subject.attrs, watched)
        if self.before is None and ENTITY_CREATED in wanted and _any(self.after.attrs, watched):
            return True
        return (
            (ATTRIBUTE_UPDATED in wanted and _any_of(self.updated, watched))
            or (ATTRIBUTE_CREATED in wanted and _any_of(self.created, watched))
            or (ATTRIBUTE_DELETED in wanted and _any_of(self.deleted, watched))
        )


def _any(names: Iterable[str], watched: frozenset[str] | None) -> bool:
    return watched is None or not watched.isdisjoint(names)


def _any_of(changes: Sequence[tuple[Any, ...]], watched: frozenset[str] | None) -> bool:
    """Whether one of these changes is of a watched attribute."""
    if not changes or watched is None:
        return bool(changes)
    return any(change[0] in watched for change in changes)


def same(one: Instance, other: Instance) -> bool:
    """Whether two instances agree in everything but the system's times."""
    if (
        one.value != other.value
        or one.kind != other.kind
        or one.observed_at != other.observed_at
        or one.unit_code != other.unit_code
        or one.object_type != other.object_type
        or one.value_type != other.value_type
        or one.expires_at != other.expires_at
        or one.dataset_id != other.dataset_id
        # 1 == True and 1 == 1.0 in Python, the former not in JSON.
        or (isinstance(one.value, bool) != isinstance(other.value, bool))
    ):
        return False
    return one.subs is other.subs or _same_subs(one.subs or {}, other.subs or {})


def _same_subs(one: dict[str, list[Instance]], other: dict[str, list[Instance]]) -> bool:
    if one.keys() != other.keys():
        return False
    for attr, instances in one.items():
        there = {sub.dataset_id: sub for sub in other[attr]}
        if len(there) != len(instances):
            return False
        for sub in instances:
            match = there.get(sub.dataset_id)
            if match is None or not same(sub, match):
                return False
    return True
