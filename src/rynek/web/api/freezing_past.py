"""The past in snapshots: results of temporal queries (CIM 009 §5.16.1.4, §5.7.4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rynek.base.errors import Problem, TooManyResults
from rynek.context import (
    CompiledContext,
    Detail,
    Query,
    Scope,
    TemporalQuery,
    failed,
    parse_temporal,
)
from rynek.history import Selection
from rynek.web.api import sources, temporal_sources
from rynek.web.api.bodies import load_json
from rynek.web.api.call import Call, Reply
from rynek.web.api.params import entity_query, require_filter
from rynek.web.api.query_body import query_params, temporal_params
from rynek.web.api.temporal_params import temporal_query
from rynek.web.api.temporal_select import matching

_PATH: Final = "/ngsi-ld/v1/temporal/entities"
_PASSED_ON: Final = ("ngsild-tenant", "authorization", "via")
_PAGE: Final = 20


class Past(msgspec.Struct):
    """One temporal query of a snapshot, read."""

    call: Call
    query: Query
    temporal: TemporalQuery


def asking_call(
    call: Call, ld: CompiledContext, method: str, path: str, params: dict[str, str]
) -> Call:
    """A call of our own on behalf of the one that makes the snapshot."""
    return Call(
        method,
        path,
        (),
        params,
        {name: call.headers[name] for name in _PASSED_ON if name in call.headers},
        b"",
        call.tenant,
        ld,
        base_path=call.base_path,
        limits=call.limits,
    )


def read_past(call: Call, ld: CompiledContext, document: Mapping[str, Any]) -> Past:
    """BadRequestData when it is no temporal query."""
    params = query_params(dict(document)) | temporal_params(dict(document))
    asked = temporal_query(params, ld, required=True)
    query = entity_query(params, ld)
    require_filter(params, query)
    return Past(asking_call(call, ld, "GET", _PATH, params), query, asked)


async def run_past(past: Past, scope: Scope, most: int) -> Detail:
    """Put the result of one temporal query into the snapshot."""
    try:
        if sources.is_local(past.call) and past.query.scope is None:
            found = await _put_rows(past, scope, most)
        else:
            found = await _put_documents(past, scope, most)
    except Problem as problem:
        return failed(problem)
    return Detail("success" if found else "empty")


async def _put_rows(past: Past, scope: Scope, most: int) -> int:
    """What is held here alone: readings as they are."""
    history, asked = past.call.tenant.history, past.temporal
    matches = await matching(past.call, past.query, asked)
    count = 0
    for first in range(0, len(matches), _PAGE):
        select = Selection(
            entity_ids=tuple(one.id for one in matches[first : first + _PAGE]),
            attrs=asked.attrs,
            dataset_ids=asked.dataset_ids,
            start=asked.start,
            end=asked.end,
            time_property=asked.time_property,
            observed_only=asked.observed_only,
            deleted=asked.deleted,
        )
        rows = await history.rows(select, last_n=asked.last_n, limit=most - count + 1)
        count += len(rows)
        if count > most:
            raise TooManyResults(f"more than {most} readings: a snapshot does not hold so many")
        await scope.history.take(rows)
    return len(matches)


async def _put_documents(past: Past, scope: Scope, most: int) -> int:
    """What sources have too: as the temporal representation has it."""
    count = readings = 0
    more = True
    while more:
        page = {"limit": str(_PAGE), "offset": str(count), "count": "true"}
        asked = msgspec.structs.replace(past.call, params=past.call.params | page)
        reply: Reply = await temporal_sources.query(asked)
        documents = load_json(reply.body)
        if reply.status not in (200, 206) or not isinstance(documents, list):
            raise Problem("the temporal query was not answered with a list")
        for document in documents:
            fragment = parse_temporal(document, past.call.ld)
            assert fragment.id is not None
            readings += sum(len(found) for found in fragment.attrs.values())
            if readings > most:
                raise TooManyResults(f"more than {most} readings: a snapshot does not hold so many")
            now = scope.context.clock.now()
            await scope.history.edit.add(fragment.id, fragment, None, now=now, create=True)
        count += len(documents)
        total = next((int(v) for k, v in reply.headers if k == b"ngsild-results-count"), 0)
        more = bool(documents) and count < total
    return count


async def copy_past(source: Scope, target: Scope) -> None:
    """Everything that a snapshot knows of the past, into its clone."""
    rows = await source.history.rows(Selection(deleted=True))
    await target.history.take(rows)
