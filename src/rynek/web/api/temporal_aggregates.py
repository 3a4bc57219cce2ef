"""Aggregated representations of the past (CIM 009 §4.5.19)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rynek.base.errors import InvalidRequest, TooManyResults
from rynek.context import Query, TemporalQuery, onlies
from rynek.history import AggregateQuery, Selection, value_of
from rynek.web.api.call import Call
from rynek.web.api.temporal_form import TemporalView, head, render_aggregated
from rynek.web.api.temporal_params import Aggregation
from rynek.web.api.temporal_select import Match


async def aggregated(
    call: Call,
    matches: Sequence[Match],
    selection: Query,
    query: TemporalQuery,
    view: TemporalView,
    wanted: Aggregation,
) -> list[dict[str, Any]]:
    """Aggregated representations, in the order of `matches`: of the instances that meet the
    restrictions of the query, as far as tests of single values can tell."""
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
            group=("entity_id", "attr", "dataset_id", "kind"),
            bucket=wanted.period,
            origin=query.start,
            last_n=query.last_n,
            every=True,
        )
    )
    if len(table) > wanted.most:
        raise TooManyResults(f"more than {wanted.most} periods; ask for longer ones")
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        row |= {method: value_of(row, method) for method in wanted.methods}
        rows.setdefault(row["entity_id"], []).append(row)
    _eligible(query, wanted, [row for found in rows.values() for row in found])
    return [
        render_aggregated(document, rows.get(one, ()), wanted.methods, call.ld, view)
        for one, document in documents.items()
    ]


def _spans(matches: Sequence[Match]) -> tuple[tuple[str, int, int], ...] | None:
    """When the scopes of the entities matched; None where scopes are not asked for."""
    if all(one.within is None for one in matches):
        return None
    return tuple((one.id, *span) for one in matches for span, _ in one.within or ())


def _eligible(query: TemporalQuery, wanted: Aggregation, rows: list[dict[str, Any]]) -> None:
    """InvalidRequest when none of the methods says anything about an attribute that was asked for
    by name (§5.7.4.4)."""
    seen = {row["attr"] for row in rows}
    told = {row["attr"] for row in rows if any(row[m] is not None for m in wanted.methods)}
    for attr in query.attrs:
        if attr in seen - told:
            raise InvalidRequest(f"aggrMethods: none of them is for the values of {attr}")
