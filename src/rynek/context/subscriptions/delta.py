"""What a write changed of an entity, attribute by attribute (CIM 009 §5.8.6, §5.2.12)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rynek.context.formats import encode_body
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity, Instance, same_value
from rynek.context.store.written import Written
from rynek.context.subscriptions.model import (
    ATTRIBUTE_CREATED,
    ATTRIBUTE_DELETED,
    ATTRIBUTE_UPDATED,
    ENTITY_CREATED,
    ENTITY_DELETED,
    Subscription,
)

__all__ = ["Altered", "Delta", "delta_of", "same"]


class Delta:
    """An entity before and after a write; one of the two may be None.

    The instances of attributes are told apart by dataset id: one that was not there before is
    created, one that is gone is deleted, one of which any member but the system's times differs
    is updated. An entity `came` that was not there before, and `went` when it is deleted: nothing
    of it is an attribute's deletion then, that has a trigger of its own.
    """

    def __init__(self, before: Entity | None, after: Entity | None) -> None:
        self._before = before
        self._after = after
        subject = after if after is not None else before
        assert subject is not None
        self.id = subject.id
        self._types = subject.types
        self.came = before is None
        self.went = after is None
        self.created: Sequence[tuple[str, Instance]] = ()
        self.updated: Sequence[tuple[str, Instance, Instance]] = ()
        self.deleted: Sequence[tuple[str, Instance]] = ()
        if after is not None:
            self._compare(before.attrs if before is not None else {}, after.attrs)

    @property
    def types(self) -> list[str]:
        """The types (IRIs) that it has, or had last."""
        return self._types

    @property
    def before(self) -> Entity | None:
        """The entity as it was; None where it was not there."""
        return self._before

    @property
    def after(self) -> Entity | None:
        """The entity as it is; None where it is gone."""
        return self._after

    @property
    def subject(self) -> Entity:
        """The entity as it is, or as it was last."""
        subject = self.after if not self.went else self.before
        assert subject is not None
        return subject

    def instances(self, attr: str) -> Sequence[Instance]:
        """The instances of an attribute of the subject."""
        return self.subject.attrs.get(attr, ())

    def body(self, ld: CompiledContext) -> bytes:
        """The entity as it is, in the form in which it is stored under `ld`."""
        assert self._after is not None  # who asks has looked whether it `went`
        return encode_body(self._after, ld)

    def _compare(self, before: dict[str, list[Instance]], after: dict[str, list[Instance]]) -> None:
        created, updated, deleted = [], [], []
        for attr, instances in after.items():
            was = before.get(attr)
            if was is instances:
                continue
            left = {one.dataset_id: one for one in was or ()}
            for one in instances:
                old = left.pop(one.dataset_id, None)
                if old is None:
                    created.append((attr, one))
                elif old is not one and not same(old, one):
                    updated.append((attr, old, one))
            deleted += [(attr, one) for one in left.values()]
        if before.keys() - after.keys():
            for attr, was in before.items():
                if attr not in after:
                    deleted += [(attr, one) for one in was]
        self.created, self.updated, self.deleted = created, updated, deleted

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that any trigger is about; of an entity that came or went, all."""
        if self.came or self.went:
            return tuple(sorted(self.subject.attrs))
        changed = {attr for attr, _, _ in self.updated}
        changed.update(attr for attr, _ in self.created)
        changed.update(attr for attr, _ in self.deleted)
        return tuple(sorted(changed))

    @property
    def empty(self) -> bool:
        """Whether nothing changed that a trigger could be about."""
        if self.came or self.went:
            return self.came and self.went
        return not (self.created or self.updated or self.deleted)

    def triggers(self, one: Subscription) -> bool:
        """Whether the subscription is to be notified of such a change (§5.2.12)."""
        wanted, watched = one.triggers, one.watched
        if self.went:
            return ENTITY_DELETED in wanted and _any(self.subject.attrs, watched)
        if self.came and ENTITY_CREATED in wanted and _any(self.subject.attrs, watched):
            return True
        return (
            (ATTRIBUTE_UPDATED in wanted and _any_of(self.updated, watched))
            or (ATTRIBUTE_CREATED in wanted and _any_of(self.created, watched))
            or (ATTRIBUTE_DELETED in wanted and _any_of(self.deleted, watched))
        )


class Altered(Delta):
    """The same of an entity of which only known attributes were written, each with one instance of
    the kind that it had: nothing is decoded but what somebody asks for."""

    came = went = False
    created = deleted = ()

    def __init__(self, written: Written, updated: Sequence[tuple[str, Instance, Instance]]) -> None:
        self._written = written
        self.id = written.id
        self.updated = updated

    @property
    def types(self) -> list[str]:
        """The types (IRIs) that it has."""
        return self._written.types

    @property
    def before(self) -> Entity | None:
        """The entity as it was."""
        return self._written.before

    @property
    def after(self) -> Entity | None:
        """The entity as it is."""
        return self._written.after

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes that any trigger is about."""
        updated = self.updated
        return (updated[0][0],) if len(updated) == 1 else tuple([attr for attr, _, _ in updated])

    @property
    def empty(self) -> bool:
        """Whether all that was written says the same as before."""
        return not self.updated

    def instances(self, attr: str) -> Sequence[Instance]:
        """The instances of an attribute."""
        return self._written.instances(attr)

    def body(self, ld: CompiledContext) -> bytes:
        """The entity in its stored form: the very bytes where it stands under `ld`."""
        stored = self._written.body(ld)
        if stored is not None:
            return stored
        after = self.after
        assert after is not None  # it was only altered
        return encode_body(after, ld)


def delta_of(written: Written) -> Delta:
    """What a job changed of an entity that it wrote."""
    if written.moved is not None:
        moved = written.moved.items()
        return Altered(
            written, [(attr, was, one) for attr, (was, one) in moved if not same(was, one)]
        )
    return Delta(written.before, written.after)


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
        or one.sealed != other.sealed
        or not same_value(one.value, other.value)
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
