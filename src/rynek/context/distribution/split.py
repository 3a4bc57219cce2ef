"""Which part of a write goes to which source, and what stays here (CIM 009 §4.3.6, §5.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from rynek.context.registrations import EXCLUSIVE, INCLUSIVE, REDIRECT, Match, Registration

__all__ = ["Part", "Plan", "split", "split_whole"]


class Part(msgspec.Struct, frozen=True):
    """What one source gets of a write: attribute IRIs, or None for the request as a whole.

    A proxied source that does not take the operation is in the plan too (`supported` is False):
    it makes that part a Conflict. `types` are those that the registration names (IRIs), None
    where it is about any.
    """

    source: Registration
    attrs: tuple[str, ...] | None
    supported: bool
    types: frozenset[str] | None = None


class Plan(msgspec.Struct, frozen=True):
    """Where the parts of a write go. `local` are the attributes that stay here, None for the whole
    request; `here` is False when nothing is left to be done here."""

    parts: list[Part]
    local: tuple[str, ...] | None
    here: bool


Supports = Callable[[Registration], bool]


def split(matches: Iterable[Match], attrs: Sequence[str], supports: Supports) -> Plan:
    """The plan of a write that carries attributes (create, append, update, merge, replace …);
    `supports` tells whether a source takes it.

    Exclusive sources take theirs first, then every redirect source what matches of the rest, and
    inclusive ones get what stays here too, if they take the operation (§5.6.1.4 and siblings).
    """
    by_mode: dict[str, list[Match]] = {}
    for match in matches:
        by_mode.setdefault(match.registration.mode, []).append(match)
    parts: list[Part] = []
    rest = tuple(attrs)
    whole = False
    for mode in (EXCLUSIVE, REDIRECT):
        taken: set[str] = set()
        for match in by_mode.get(mode, ()):
            names = match.attrs
            mine = _mine(rest, names)
            if not mine and (names is not None or attrs):
                continue
            parts.append(_part(match, mine, supports))
            taken.update(mine)
            whole = whole or names is None
        rest = tuple(attr for attr in rest if attr not in taken)
    here = not whole and bool(rest or not attrs)
    if here:
        for match in by_mode.get(INCLUSIVE, ()):
            mine = _mine(rest, match.attrs)
            if (mine or match.attrs is None) and supports(match.registration):
                parts.append(_part(match, mine, supports))
    return Plan(parts, rest, here)


def split_whole(matches: Iterable[Match], supports: Supports) -> Plan:
    """The plan of a write about an entity as a whole: Delete Entity (§5.6.6.4), which is carried
    out here too, and Purge Entities (§5.6.21.4)."""
    parts = []
    for match in matches:
        source = match.registration
        takes = supports(source)
        if source.proxied or (source.mode == INCLUSIVE and takes):
            parts.append(Part(source, None, takes))
    return Plan(parts, None, here=True)


def _mine(rest: tuple[str, ...], names: frozenset[str] | None) -> tuple[str, ...]:
    return rest if names is None else tuple(attr for attr in rest if attr in names)


def _part(match: Match, attrs: tuple[str, ...], supports: Supports) -> Part:
    return Part(match.registration, attrs, supports(match.registration), types_of(match))


def types_of(match: Match) -> frozenset[str] | None:
    """The entity types that the matching parts of a registration name; None for any."""
    found: set[str] = set()
    for part in match.parts:
        if part.entities is None:
            return None
        for entity in part.entities:
            found.update(entity.types)
    return frozenset(found)
