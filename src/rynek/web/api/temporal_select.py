"""Which entities and instances a temporal query is about (CIM 009 §5.7.4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import TooManyResults
from rynek.context import (
    SCOPE,
    Entity,
    Query,
    TemporalAbout,
    TemporalEntity,
    TemporalInstance,
    TemporalQuery,
)
from rynek.history import Selection
from rynek.web.api.call import Call

_MAX_MATCHED: Final = 5_000
_EVER: Final = 1 << 62

Span = tuple[int, int]


class Match(msgspec.Struct):
    """One entity that a query selects, with how many attributes; `within` are the spans [start, end) in which its scopes
    match, with the instances of the scope that say so; None where scopes are not asked for."""

    id: str
    about: TemporalAbout
    attrs: int = 1
    within: list[tuple[Span, TemporalInstance | None]] | None = None


async def matching(call: Call, query: Query, temporal: TemporalQuery) -> list[Match]:
    """The entities with instances in the interval that the query selects, by id.

    `q` and the geo-query hold when they hold for instances of the interval, each condition for
    any of them; scopes are those that were valid in it.
    """
    candidates = await _candidates(call, query, temporal)
    if query.q is not None or query.geo is not None:
        candidates = await _with_values(call, candidates, query, temporal)
    if query.scope is not None:
        candidates = await _within_scopes(call, candidates, query, temporal)
    return candidates


async def _candidates(call: Call, query: Query, temporal: TemporalQuery) -> list[Match]:
    """Those that id, types and attributes select."""
    types = query.types
    named = sorted({name for option in types.alternatives() for name in option}) if types else []
    known = await call.tenant.history.entities(
        Selection(
            entity_ids=tuple(query.ids) if query.ids else None,
            types=tuple(named),
            attrs=tuple(query.attrs) or temporal.attrs,
            start=temporal.start,
            end=temporal.end,
            time_property=temporal.time_property,
            observed_only=temporal.observed_only,
            deleted=temporal.time_property == "deletedAt",
        )
    )
    several = types is not None and any(len(option) > 1 for option in types.alternatives())
    several = several or bool(query.selectors)
    plain = Query(
        query.ids, query.id_pattern, types if several else None, selectors=query.selectors
    )
    found = []
    columns = (known.column(name).to_pylist() for name in ("entity_id", "type", "attrs"))
    for entity_id, kind, attrs in zip(*columns, strict=True):
        about = TemporalAbout([kind])
        if several:
            about = _about(call, entity_id, kind)
        if plain.matches(Entity(entity_id, about.types, {})):
            found.append(Match(entity_id, about, len(attrs)))
    return found


def _about(call: Call, entity_id: str, kind: str) -> TemporalAbout:
    about: TemporalAbout = call.tenant.history.edit.known(
        entity_id, call.tenant.context.get(entity_id), kind
    )
    return about


def complete(call: Call, matches: Sequence[Match]) -> None:
    """Say of each what is known besides its readings; done for those of one page only."""
    for one in matches:
        one.about = _about(call, one.id, one.about.types[0])


async def _with_values(
    call: Call, found: list[Match], query: Query, temporal: TemporalQuery
) -> list[Match]:
    """Those whose values within the interval satisfy q and the geo-query."""
    if len(found) > _MAX_MATCHED:
        raise TooManyResults(
            f"q and geo-queries of the past look at {_MAX_MATCHED} entities at most; "
            f"type, id and time select {len(found)}"
        )
    needs = query.needs
    past = msgspec.structs.replace(
        temporal, attrs=tuple(sorted(needs or ())), dataset_ids=None, last_n=None, deleted=False
    )
    held = await call.tenant.history.evolution([one.id for one in found], past)
    test = Query(q=query.q, geo=query.geo)
    chosen = []
    for one in found:
        entity = held.get(one.id)
        if entity is not None and test.matches(_as_entity(call, entity, needs_times=needs is None)):
            chosen.append(one)
    return chosen


def _as_entity(call: Call, entity: TemporalEntity, *, needs_times: bool) -> Entity:
    """All instances of the interval as if the entity had them at once."""
    attrs = {
        attr: [one.instance for one in ones if not one.deleted]
        for attr, ones in entity.attrs.items()
    }
    whole = Entity(entity.id, entity.types, attrs)
    if needs_times:
        about = _about(call, entity.id, entity.types[0])
        whole.created_at, whole.modified_at = about.created_at, about.modified_at
    return whole


async def _within_scopes(
    call: Call, found: list[Match], query: Query, temporal: TemporalQuery
) -> list[Match]:
    """Those whose scopes matched at some time of the interval (§4.18: a scope is valid until it
    is replaced or removed, so it may have been set before)."""
    ids = [one.id for one in found]
    ever = TemporalQuery(end=temporal.end, attrs=(SCOPE,))
    held = await call.tenant.history.evolution(ids, ever)
    start = -_EVER if temporal.start is None else temporal.start
    end = _EVER if temporal.end is None else temporal.end
    chosen = []
    for one in found:
        entity = held.get(one.id)
        current = call.tenant.context.get(one.id)
        spans = _spans(entity.attrs.get(SCOPE, []) if entity else [], current)
        one.within = [
            (span, instance)
            for span, scopes, instance in spans
            if span[0] < end and span[1] > start and query.scope.matches(scopes)  # type: ignore[union-attr]
        ]
        if one.within:
            chosen.append(one)
    return chosen


def _spans(
    scopes: list[TemporalInstance], current: Entity | None
) -> list[tuple[Span, list[str], TemporalInstance | None]]:
    """When which scopes were valid. Scopes that history never saw are taken to have been ever."""
    if not scopes:
        held = current.scopes if current is not None else None
        return [((-_EVER, _EVER), held, None)] if held else []
    starts = [one.time for one in scopes]
    ends = [*starts[1:], _EVER]
    return [
        ((start, end), _scopes_of(one), one)
        for start, end, one in zip(starts, ends, scopes, strict=True)
        if not one.deleted and start < end
    ]


def _scopes_of(one: TemporalInstance) -> list[str]:
    value: Any = one.instance.value
    return value if isinstance(value, list) else [value]


async def evolution(
    call: Call, matches: Sequence[Match], query: Query, temporal: TemporalQuery
) -> dict[str, TemporalEntity]:
    """The instances to show of some entities: those of the interval that meet the query, the
    geo-query and the scope query too (§5.7.4.4), of each series the last N."""
    history = call.tenant.history
    ids = [one.id for one in matches]
    needs = query.needs if query.q is not None or query.geo is not None else frozenset()
    if needs == frozenset() and query.scope is None:
        whole: dict[str, TemporalEntity] = await history.evolution(ids, temporal)
        return whole
    attrs = (
        tuple(sorted({*temporal.attrs, *(needs or ())}))
        if temporal.attrs and needs is not None
        else ()
    )
    last_n = None if temporal.last_n is None else temporal.bound + 1
    wide = msgspec.structs.replace(temporal, attrs=attrs, last_n=last_n, dataset_ids=None)
    found: dict[str, TemporalEntity] = await history.evolution(ids, wide)
    for one in matches:
        entity = found.setdefault(one.id, TemporalEntity(one.id, one.about.types, {}))
        _restrict(call, entity, one, query, needs)
        _project(entity, temporal)
    return found


def _restrict(
    call: Call, entity: TemporalEntity, match: Match, query: Query, needs: frozenset[str] | None
) -> None:
    """Keep the instances that meet the restrictions."""
    if match.within is not None:
        entity.attrs = {
            attr: [one for one in ones if any(a <= one.time < b for (a, b), _ in match.within)]
            for attr, ones in entity.attrs.items()
        }
        entity.attrs[SCOPE] = [one for _, one in match.within if one is not None]
    if query.q is None and query.geo is None:
        return
    test = Query(q=query.q, geo=query.geo)
    whole = _as_entity(call, entity, needs_times=needs is None)
    for attr in (needs or entity.attrs.keys()) & entity.attrs.keys():
        ones = entity.attrs[attr]
        kept = []
        for one in ones:
            alone = msgspec.structs.replace(whole, attrs=whole.attrs | {attr: [one.instance]})
            if not one.deleted and test.matches(alone):
                kept.append(one)
        entity.attrs[attr] = kept


def _project(entity: TemporalEntity, temporal: TemporalQuery) -> None:
    """Attributes, datasets and the last N of each series, as asked for."""
    shown: dict[str, list[TemporalInstance]] = {}
    for attr, ones in entity.attrs.items():
        if temporal.attrs and attr not in temporal.attrs:
            continue
        kept = [
            one
            for one in ones
            if temporal.dataset_ids is None or one.instance.dataset_id in temporal.dataset_ids
        ]
        if temporal.last_n is not None:
            kept = _last(kept, temporal.last_n)
        if kept:
            shown[attr] = kept
    entity.attrs = shown


def _last(ones: list[TemporalInstance], n: int) -> list[TemporalInstance]:
    """The last N of each dataset, in their order."""
    left: dict[str | None, int] = {}
    kept = []
    for one in reversed(ones):
        dataset = one.instance.dataset_id
        left[dataset] = left.get(dataset, n) - 1
        if left[dataset] >= 0:
            kept.append(one)
    return kept[::-1]
