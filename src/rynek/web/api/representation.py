"""Decoded entities as an answer: what the fast path in bodies.py cannot send from stored bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rynek.base.pace import Pace
from rynek.context import (
    CompiledContext,
    Entity,
    Inliner,
    View,
    render_entity,
    render_feature,
)
from rynek.web.api.bodies import document_reply, list_reply
from rynek.web.api.call import Call, Header, Reply
from rynek.web.api.linking import Links
from rynek.web.api.params import geometry_property, wants_geojson
from rynek.web.api.reading import Join

_Shown = tuple[Entity, dict[str, Any]]


async def entity_answer(
    call: Call, entity: Entity, view: View, join: Join | None, headers: list[Header]
) -> Reply:
    """One entity, with linked ones inside it or behind it (then as an array, §4.5.23.3)."""
    if join is not None and join.form == "flat":
        return await entities_answer(call, [entity], view, join, headers)
    shown, more = await _documents(call, [entity], view, join)
    document = shown[0][1]
    if wants_geojson(call):
        document = _feature(call, *shown[0], view)
    reply = document_reply(call, document)
    reply.headers = reply.headers + headers + more
    return reply


async def entities_answer(
    call: Call, entities: Sequence[Entity], view: View, join: Join | None, headers: list[Header]
) -> Reply:
    """A list of entities, with linked ones inside or behind them."""
    shown, more = await _documents(call, entities, view, join)
    headers = headers + more
    if not wants_geojson(call):
        return list_reply(call, [document for _, document in shown], headers)
    features, pace = [], Pace()
    for entity, document in shown:
        features.append(_feature(call, entity, document, view))
        if pace.due():
            await pace.turn()
    reply = document_reply(call, {"type": "FeatureCollection", "features": features})
    reply.headers = reply.headers + headers
    return reply


async def _documents(
    call: Call, entities: Sequence[Entity], view: View, join: Join | None
) -> tuple[list[_Shown], list[Header]]:
    ld = call.ld
    if join is None:
        return await _rendered([(one, view) for one in entities], ld), []
    most = call.limits.max_linked
    links = Links(call, most)
    behind = await links.follow(entities, view, join)
    if join.form == "flat":
        pairs = [*((one, view) for one in entities), *behind]
        return await _rendered(pairs, ld), links.headers
    inliner = Inliner(ld, links.found, join.contained, most)
    documents, pace = [], Pace()
    for one in entities:
        documents.append((one, inliner.render(one, view, join.level)))
        if pace.due():
            await pace.turn()
    return documents, links.headers


async def _rendered(pairs: Sequence[tuple[Entity, View]], ld: CompiledContext) -> list[_Shown]:
    shown, pace = [], Pace()
    for one, view in pairs:
        shown.append((one, render_entity(one, ld, view)))
        if pace.due():
            await pace.turn()
    return shown


def _feature(call: Call, entity: Entity, document: dict[str, Any], view: View) -> dict[str, Any]:
    attr = geometry_property(call)
    return render_feature(entity, call.ld, view, geometry_property=attr, document=document)
