"""Aggregated representations of the past (CIM 009 §4.5.19)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rynek.base.clock import to_iso
from rynek.base.errors import InvalidRequest, TooManyResults
from rynek.context import Query, TemporalQuery, onlies
from rynek.history import AggregateQuery, Selection, value_of
from rynek.web.api.bodies import dumps
from rynek.web.api.call import Call
from rynek.web.api.calmly import calmly, encoded
from rynek.web.api.temporal_form import AggregatedGroup, TemporalView, head, render_aggregated
from rynek.web.api.temporal_held import Match
from rynek.web.api.temporal_params import Aggregation

if TYPE_CHECKING:
    import pyarrow as pa

_KEY: Final = ("entity_id", "attr", "dataset_id", "kind")
_PART: Final = 1_000


async def aggregated(
    call: Call,
    matches: Sequence[Match],
    selection: Query,
    query: TemporalQuery,
    view: TemporalView,
    wanted: Aggregation,
) -> list[bytes]:
    """The JSON of aggregated representations, without @context, in the order of `matches`: of the
    instances that meet the restrictions of the query, as far as tests of single values can tell."""
    documents = {one.id: head(one.id, one.about, call.ld, view) for one in matches}
    if not documents:
        return []
    table = await call.tenant.history.aggregate(
        AggregateQuery(
            select=Selection(
                entity_ids=tuple(documents),
                attrs=query.attrs,
                dataset_ids=query.dataset_ids,
                start=query.start,
                end=query.end,
                time_property=query.time_property,
                observed_only=query.observed_only,
                only=onlies(selection),
                spans=_spans(matches),
            ),
            methods=wanted.methods,
            group=_KEY,
            bucket=wanted.period,
            origin=query.start,
            last_n=query.last_n,
            every=True,
        )
    )
    if len(table) > wanted.most:
        raise TooManyResults(f"more than {wanted.most} periods; ask for longer ones")
    return await calmly(len(table), lambda: _bodies(call, table, documents, query, view, wanted))


def _bodies(
    call: Call,
    table: pa.Table,
    documents: dict[str, dict[str, Any]],
    query: TemporalQuery,
    view: TemporalView,
    wanted: Aggregation,
) -> list[bytes]:
    groups = to_groups(table, wanted.methods)
    _eligible(query, [group for found in groups.values() for group in found])
    encode: Callable[[dict[str, Any]], bytes] = dumps if len(table) < _PART else encoded
    return [
        encode(render_aggregated(document, groups.pop(one, ()), call.ld, view))
        for one, document in documents.items()
    ]


def to_groups(table: pa.Table, methods: Sequence[str]) -> dict[str, list[AggregatedGroup]]:
    """The groups of an answer by entity, column by column rather than row by row."""
    starts, ends = (_moments(table.column(name)) for name in ("start", "end"))
    values = {method: _values(table, method) for method in methods}
    runs: list[tuple[int, tuple[Any, ...]]] = []
    for place, key in enumerate(zip(*(_listed(table.column(one)) for one in _KEY), strict=True)):
        if not runs or runs[-1][1] != key:
            runs.append((place, key))
    found: dict[str, list[AggregatedGroup]] = {}
    for number, (first, (entity_id, attr, dataset_id, kind)) in enumerate(runs, 1):
        part = slice(first, runs[number][0] if number < len(runs) else None)
        items = {
            method: [
                one
                for one in zip(held[part], starts[part], ends[part], strict=True)
                if one[0] is not None
            ]
            for method, held in values.items()
        }
        told = {method: ones for method, ones in items.items() if ones}
        found.setdefault(entity_id, []).append(AggregatedGroup(attr, dataset_id, kind, told))
    return found


def _listed(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column, some at a time: each call holds up the event loop beside it."""
    found: list[Any] = []
    for chunk in column.chunks:
        for first in range(0, len(chunk), _PART):
            found += chunk.slice(first, _PART).to_pylist()
    return found


def _moments(column: pa.ChunkedArray) -> list[str]:
    """Epoch µs as texts: few differ."""
    texts = {micros: to_iso(micros) for micros in column.unique().to_pylist()}
    return [texts[micros] for micros in _listed(column)]


def _values(table: pa.Table, method: str) -> list[Any]:
    """What a method says about each group and period."""
    names = [one for one in table.column_names if one.partition("~")[0] == method]
    if len(names) == 1:
        return [
            int(one) if type(one) is float and one.is_integer() and abs(one) < 2**53 else one
            for one in _listed(table.column(method))
        ]
    return [
        value_of(row, method)
        for batch in table.select(names).to_batches(max_chunksize=_PART)
        for row in batch.to_pylist()
    ]


def _spans(matches: Sequence[Match]) -> tuple[tuple[str, int, int], ...] | None:
    """When the scopes of the entities matched; None where scopes are not asked for."""
    if all(one.within is None for one in matches):
        return None
    return tuple((one.id, *span) for one in matches for span, _ in one.within or ())


def _eligible(query: TemporalQuery, groups: Sequence[AggregatedGroup]) -> None:
    """InvalidRequest when none of the methods says anything about an attribute that was asked for
    by name (§5.7.4.4)."""
    seen = {group.attr for group in groups}
    told = {group.attr for group in groups if group.items}
    for attr in query.attrs:
        if attr in seen - told:
            raise InvalidRequest(f"aggrMethods: none of them is for the values of {attr}")
