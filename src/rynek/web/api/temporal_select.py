"""Which entities and instances a temporal query is about (CIM 009 §5.7.4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import TooComplexQuery, TooManyResults
from rynek.base.pace import Pace
from rynek.context import (
    SCOPE,
    Entity,
    Query,
    TemporalAbout,
    TemporalEntity,
    TemporalInstance,
    TemporalQuery,
    ValueTest,
    geo_test,
    onlies,
    terms_of,
    truth,
    value_test,
)
from rynek.history import Selection
from rynek.web.api.call import Call
from rynek.web.api.temporal_held import Held, Match, Span, ids_of

_MAX_MATCHED: Final = 5_000
_EVER: Final = 1 << 62


async def matching(call: Call, query: Query, temporal: TemporalQuery) -> Sequence[Match]:
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


async def _candidates(call: Call, query: Query, temporal: TemporalQuery) -> Sequence[Match]:
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
    held = Held(known)
    if not several and query.id_pattern is None and (query.ids is None or query.ids):
        return held  # ids, types and attributes were asked for
    plain = Query(
        query.ids, query.id_pattern, types if several else None, selectors=query.selectors
    )
    found, pace = [], Pace()
    for one in held:
        if several:
            one.about = _about(call, one.id, one.about.types[0])
        if plain.matches(Entity(one.id, one.about.types, {})):
            found.append(one)
        if pace.due():
            await pace.turn()
    return found


def _about(call: Call, entity_id: str, kind: str) -> TemporalAbout:
    about: TemporalAbout = call.tenant.history.edit.known(
        entity_id, call.tenant.context.get(entity_id), kind
    )
    return about


async def complete(call: Call, matches: Sequence[Match]) -> None:
    """Say of each what is known besides its readings; done for those of one page only."""
    pace = Pace()
    for one in matches:
        one.about = _about(call, one.id, one.about.types[0])
        if pace.due():
            await pace.turn()


async def _with_values(
    call: Call, found: Sequence[Match], query: Query, temporal: TemporalQuery
) -> list[Match]:
    """Those whose values within the interval satisfy q and the geo-query: what tests of single
    values leave open is looked at entity by entity."""
    known = await _tested(call, found, query, temporal)
    chosen, left, pace = [], [], Pace()
    for one in found:
        holds = known(one.id)
        if holds:
            chosen.append(one)
        elif holds is None:
            left.append(one)
        if pace.due():
            await pace.turn()
    chosen += await _looked_at(call, left, query, temporal)
    for one in chosen:
        one.exact = known.exact(one.id)
    return sorted(chosen, key=lambda one: one.id)


class _Known:
    """What tests of single values say: ids that surely pass each, and those that may."""

    def __init__(
        self, query: Query, tests: Sequence[ValueTest], found: Sequence[tuple[set[str], set[str]]]
    ) -> None:
        self._query = query
        self._found = dict(zip(tests, found, strict=True))
        self._together = all(only.every for only in onlies(query))

    def __call__(self, entity_id: str) -> bool | None:
        """Whether q and the geo-query hold for an entity; None where that is not known."""
        query = self._query
        holds = None if query.needs is None else True
        if holds and query.q is not None:
            holds = truth(query.q, lambda term: self._passes(value_test(term), entity_id))
        if holds is not False and query.geo is not None:
            near = self._passes(geo_test(query), entity_id)
            holds = near if holds else (False if near is False else None)
        return holds

    def _passes(self, test: ValueTest, entity_id: str) -> bool | None:
        passed, unsure = self._found[test]
        return True if entity_id in passed else None if entity_id in unsure else False

    def exact(self, entity_id: str) -> bool:
        """Whether the tests alone say which instances satisfy the query."""
        return self._together and not any(entity_id in open_ for _, open_ in self._found.values())


async def _tested(
    call: Call, found: Sequence[Match], query: Query, temporal: TemporalQuery
) -> _Known:
    tests = [] if query.q is None else [value_test(term) for term in terms_of(query.q)]
    if query.geo is not None:
        tests.append(geo_test(query))
    tests = list(dict.fromkeys(tests))
    ids = ids_of(found)
    select = Selection(
        entity_ids=tuple(ids),
        start=temporal.start,
        end=temporal.end,
        time_property=temporal.time_property,
        observed_only=temporal.observed_only,
    )
    usable = [test for test in tests if not test.attr.startswith("@")]
    answers = await call.tenant.history.passing(select, usable)
    everyone = set(ids)
    by_test = dict(zip(usable, answers, strict=True))
    return _Known(query, tests, [by_test.get(test, (set(), everyone)) for test in tests])


async def _looked_at(
    call: Call, left: list[Match], query: Query, temporal: TemporalQuery
) -> list[Match]:
    """Those whose values satisfy q and the geo-query when all that matter are put together."""
    if len(left) > _MAX_MATCHED:
        raise TooManyResults(
            f"q and geo-queries of the past look at {_MAX_MATCHED} entities at most; "
            f"type, id and time select {len(left)}"
        )
    needs = query.needs
    past = msgspec.structs.replace(
        temporal,
        attrs=tuple(sorted(needs or ())),
        dataset_ids=None,
        last_n=None,
        deleted=False,
        only=onlies(query) if needs is not None else (),
        bound=max(1, call.limits.max_answer_instances // max(1, len(left))),
    )
    held = await call.tenant.history.evolution([one.id for one in left], past)
    test = Query(q=query.q, geo=query.geo)
    chosen, pace = [], Pace()
    for one in left:
        if pace.due():
            await pace.turn()
        entity = held.pop(one.id, None)
        if entity is None:
            continue
        if test.matches(_as_entity(call, entity, needs_times=needs is None)):
            chosen.append(one)
        elif not entity.complete:
            raise TooComplexQuery(
                f"{one.id} has too many instances to test; ask for a shorter time or fewer entities"
            )
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
    call: Call, found: Sequence[Match], query: Query, temporal: TemporalQuery
) -> list[Match]:
    """Those whose scopes matched at some time of the interval (§4.18: a scope is valid until it
    is replaced or removed, so it may have been set before)."""
    ids = ids_of(found)
    ever = TemporalQuery(end=temporal.end, attrs=(SCOPE,))
    held = await call.tenant.history.evolution(ids, ever)
    start = -_EVER if temporal.start is None else temporal.start
    end = _EVER if temporal.end is None else temporal.end
    chosen, pace = [], Pace()
    for one in found:
        if pace.due():
            await pace.turn()
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
    plain = query.scope is None and temporal.dataset_ids is None
    if plain and all(one.exact for one in matches):
        last_n = temporal.last_n
    wide = msgspec.structs.replace(
        temporal,
        attrs=attrs,
        last_n=last_n,
        dataset_ids=None,
        only=onlies(query) if needs else (),
    )
    found: dict[str, TemporalEntity] = await history.evolution(ids, wide)
    pace = Pace()
    for one in matches:
        entity = found.setdefault(one.id, TemporalEntity(one.id, one.about.types, {}))
        await _restrict(call, entity, one, query, needs, pace)
        _project(entity, temporal)
    return found


async def _restrict(
    call: Call,
    entity: TemporalEntity,
    match: Match,
    query: Query,
    needs: frozenset[str] | None,
    pace: Pace,
) -> None:
    """Keep the instances that meet the restrictions."""
    if pace.due():
        await pace.turn()
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
            if pace.due():
                await pace.turn()
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
