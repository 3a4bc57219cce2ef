"""Parts of an entity from several sources → one entity (CIM 009 §4.5.5.3, §4.3.6.2, §5.7.1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from rynek.base.clock import parse_iso
from rynek.context.model import Entity, Instance

__all__ = ["expired", "merge", "supplement", "undecided", "without"]

_NEVER = -1


def merge(parts: Sequence[Entity], now: int) -> Entity:
    """One entity with every type, scope and attribute of its parts (at least one, of one id).

    Instances that have expired are left out. Where two parts have an instance with the same
    dataset id and they differ, the one observed last wins, then the one modified last, then the
    earlier part's. `now` is in epoch µs.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    scopes = _each_once(scope for part in parts for scope in part.scopes or ())
    created = [part.created_at for part in parts if part.created_at]
    return Entity(
        first.id,
        _each_once(name for part in parts for name in part.types),
        _attributes(parts, now),
        scopes or None,
        _expiry(parts),
        min(created, default=0),
        max(part.modified_at for part in parts),
    )


def supplement(entity: Entity | None, extras: Sequence[Entity], now: int) -> Entity | None:
    """`entity` with those attributes of auxiliary sources that it has not (§4.3.6.2).

    Without `entity` what they have is all there is; they merge among themselves as equals.
    """
    if not extras:
        return entity
    extra = merge(extras, now)
    if entity is None:
        return extra
    new = {attr: found for attr, found in extra.attrs.items() if attr not in entity.attrs}
    if not new:
        return entity
    return msgspec.structs.replace(entity, attrs=entity.attrs | new)


def without(entity: Entity, attrs: frozenset[str]) -> Entity:
    """`entity` less attributes that others hold in its place (§4.3.6.3)."""
    if attrs.isdisjoint(entity.attrs):
        return entity
    kept = {attr: found for attr, found in entity.attrs.items() if attr not in attrs}
    return msgspec.structs.replace(entity, attrs=kept)


def expired(entity: Entity, now: int) -> bool:
    """Whether the entity's expiresAt lies in the past: what a source sends of it is discarded."""
    return _past(entity.expires_at, now)


def undecided(parts: Sequence[Entity], now: int) -> bool:
    """Whether some conflict can only be decided by modifiedAt and a part does not tell it."""
    for attr in {attr for part in parts for attr in part.attrs}:
        for rivals in _by_dataset(parts, attr, now).values():
            if len(rivals) > 1 and _open_question(rivals):
                return True
    return False


def _open_question(rivals: Sequence[Instance]) -> bool:
    latest = max(_observed(one) for one in rivals)
    level = [one for one in rivals if _observed(one) == latest]
    if all(_same(one, level[0]) for one in level[1:]):
        return False
    return any(not one.modified_at for one in level)


def _attributes(parts: Sequence[Entity], now: int) -> dict[str, list[Instance]]:
    merged: dict[str, list[Instance]] = {}
    shared: set[str] = set()
    for part in parts:
        for attr, instances in part.attrs.items():
            alive = [one for one in instances if not _dead(one, now)]
            if attr in merged:
                shared.add(attr)
            elif alive:
                merged[attr] = alive
    for attr in shared:
        rivals = _by_dataset(parts, attr, now)
        if rivals:
            merged[attr] = [_winner(some) for some in rivals.values()]
    return merged


def _by_dataset(parts: Sequence[Entity], attr: str, now: int) -> dict[str | None, list[Instance]]:
    """The instances of an attribute in all parts that have not expired, by dataset id; in the
    order of the parts."""
    found: dict[str | None, list[Instance]] = {}
    for part in parts:
        for instance in part.attrs.get(attr, ()):
            if not _dead(instance, now):
                found.setdefault(instance.dataset_id, []).append(instance)
    return found


def _winner(rivals: Sequence[Instance]) -> Instance:
    """The most current of instances with one dataset id."""
    best = rivals[0]
    if len(rivals) == 1:
        return best
    for one in rivals[1:]:
        if (_observed(one), one.modified_at) > (_observed(best), best.modified_at):
            best = one
    return best


def _dead(instance: Instance, now: int) -> bool:
    return _past(instance.expires_at, now)


def _same(one: Instance, other: Instance) -> bool:
    return msgspec.structs.replace(one, created_at=0, modified_at=0) == msgspec.structs.replace(
        other, created_at=0, modified_at=0
    )


def _observed(instance: Instance) -> int:
    if instance.observed_at is None:
        return _NEVER
    try:
        return parse_iso(instance.observed_at)
    except ValueError:
        return _NEVER


def _past(moment: str | None, now: int) -> bool:
    if moment is None:
        return False
    try:
        return parse_iso(moment) <= now
    except ValueError:
        return False


def _expiry(parts: Sequence[Entity]) -> str | None:
    """None when one part has none, else the latest (§4.5.5.3)."""
    latest = parts[0].expires_at
    for part in parts:
        if part.expires_at is None or latest is None:
            return None
        if parse_iso(part.expires_at) > parse_iso(latest):
            latest = part.expires_at
    return latest


def _each_once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
