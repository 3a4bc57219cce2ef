"""What a path of `q` addresses in an attribute instance (CIM 009 §4.9, target value)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rynek.context.model import Entity, Instance
from rynek.context.query.literals import Moment, moment_of, typed

REFERENCES: Final = frozenset({"Relationship", "ListRelationship"})
_ANY_LANGUAGE: Final = "*"


def descend(instances: Iterable[Instance], subs: Sequence[str]) -> list[Instance]:
    """The instances of the sub-attribute at the end of `subs` (IRIs), in all of `instances`."""
    found = list(instances)
    for name in subs:
        found = [sub for instance in found if instance.subs for sub in instance.subs.get(name, ())]
    return found


def targets(instance: Instance, member: str | None, trail: Sequence[str]) -> tuple[Any, ...]:
    """The target values: none when the target does not exist, several for languages.

    Date-times, dates and times that are known to be such come as Moment, Day, TimeOfDay.
    """
    if member is not None:
        return () if trail else _member(instance, member)
    if instance.kind == "LanguageProperty":
        return _languages(instance.value, trail)
    if instance.kind in REFERENCES:
        return () if trail else (_objects(instance.value),)
    value = instance.value
    for key in trail:
        if type(value) is not dict or key not in value:
            return ()
        value = value[key]
    if instance.value_type is not None and not trail:
        value = _typed_all(value, instance.value_type)
    return (value,)


def _typed_all(value: Any, kind: str) -> Any:
    if type(value) is list:
        return [typed(element, kind) for element in value]
    return typed(value, kind)


def _objects(value: Any) -> Any:
    """The URIs of a relationship; `{"object": uri}` elements of a list are unpacked."""
    if type(value) is not list:
        return value
    return [v["object"] if type(v) is dict and "object" in v else v for v in value]


def _languages(value: Any, trail: Sequence[str]) -> tuple[Any, ...]:
    if type(value) is not dict:
        return () if trail else (value,)
    if not trail or tuple(trail) == (_ANY_LANGUAGE,):
        return tuple(value.values())
    if len(trail) > 1:
        return ()
    wanted = trail[0]
    if wanted in value:
        return (value[wanted],)
    # Language tags compare without case (RFC 5646 §2.1.1).
    folded = wanted.lower()
    return tuple(text for tag, text in value.items() if tag.lower() == folded)[:1]


def _member(instance: Instance, member: str) -> tuple[Any, ...]:
    if member == "observedAt":
        return _time(instance.observed_at)
    if member == "expiresAt":
        return _time(instance.expires_at)
    if member == "createdAt":
        return (Moment(instance.created_at),) if instance.created_at else ()
    if member == "modifiedAt":
        return (Moment(instance.modified_at),) if instance.modified_at else ()
    value: Any = {
        "unitCode": instance.unit_code,
        "datasetId": instance.dataset_id,
        "objectType": instance.object_type,
        "valueType": instance.value_type,
    }[member]
    return () if value is None else (value,)


def _time(text: str | None) -> tuple[Any, ...]:
    if text is None:
        return ()
    micros = moment_of(text)
    return (text,) if micros is None else (Moment(micros),)


def entity_time(entity: Entity, name: str) -> tuple[Any, ...]:
    """The entity's own `@createdAt`, `@modifiedAt` or `@expiresAt`."""
    if name == "@createdAt":
        return (Moment(entity.created_at),) if entity.created_at else ()
    if name == "@modifiedAt":
        return (Moment(entity.modified_at),) if entity.modified_at else ()
    return _time(entity.expires_at)
