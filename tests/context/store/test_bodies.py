"""Pages of stored bytes are what the slow way gives: every entity decoded, tested and rendered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from rynek.base.clock import SystemClock
from rynek.base.http import Guard
from rynek.context import (
    CompiledContext,
    Context,
    ContextResolver,
    Query,
    core_context,
    open_context,
    operations,
    parse_entity,
    parse_geo,
    parse_q,
    parse_types,
    render_entity,
)
from rynek.context.jsonld import compile_context
from rynek.context.store import plan

LD = core_context()
OTHER = compile_context(
    [{"speed": "https://example.org/speed", "Bus": "https://example.org/Bus"}], None
)
EXPAND = LD.expand_term
_ALL = 1000


def run(test: Callable[[Context], Awaitable[None]]) -> None:
    """Run `test` on a new store."""

    async def body(folder: Path) -> None:
        context = open_context(
            folder, SystemClock(), lambda stored: ContextResolver(stored, Guard())
        )
        try:
            await test(context)
        finally:
            await context.close()

    with TemporaryDirectory() as folder:
        asyncio.run(body(Path(folder)))


async def upsert(
    context: Context, documents: list[dict[str, Any]], ctx: CompiledContext = LD
) -> None:
    """Store these documents, in the place of those that have their ids."""
    items = [operations.Item(parse_entity(doc, ctx, now=0), ctx) for doc in documents]
    result = operations.BatchResult()
    await context.write(lambda txn: operations.upsert_all(txn, items, result, replace=True))
    assert not result.errors


def shapes() -> st.SearchStrategy[dict[str, Any]]:
    """Geometries within a few kilometres of (16.9, 52.4), with and without altitude."""
    lon, lat = st.floats(16.85, 16.95), st.floats(52.37, 52.43)
    position = st.tuples(lon, lat).map(list) | st.tuples(lon, lat, st.just(80)).map(list)
    return st.one_of(
        position.map(lambda p: {"type": "Point", "coordinates": p}),
        st.lists(position, min_size=2, max_size=4).map(
            lambda ps: {"type": "LineString", "coordinates": ps}
        ),
    )


def places() -> st.SearchStrategy[Any]:
    """A GeoProperty of one or two instances."""
    one = shapes().map(lambda shape: {"type": "GeoProperty", "value": shape})
    two = st.tuples(one, one).map(lambda p: [p[0], {**p[1], "datasetId": "urn:ngsi-ld:d:2"}])
    return st.one_of(one, one, two)


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """Vehicles and buses, some of which look nested or have no place."""
    speed = st.integers(0, 5) | st.floats(0, 5) | st.sampled_from(["2", True, [1, 2, 9]])
    nested = {"type": "Property", "value": 1, "location": {"type": "GeoProperty", "value":
              {"type": "Point", "coordinates": [16.9, 52.4]}}}  # fmt: skip
    return st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Vehicle", "Bus", ["Bus", "Vehicle"]]),
            "speed": speed.map(lambda value: {"type": "Property", "value": value}),
        },
        optional={"location": places(), "sign": st.just(nested)},
    )


def queries() -> st.SearchStrategy[Query]:
    """Queries by type, number and place."""
    types = st.sampled_from([None, "Vehicle", "Bus", "Vehicle,Bus", "(Vehicle;Bus)", "Unknown"])
    q = st.sampled_from([None, None, "speed>2", "speed==2", "speed>=1;speed<4", "speed!=2"])
    return st.builds(_query, types, q, _nears())


def _nears() -> st.SearchStrategy[tuple[str, str, str] | None]:
    relation = st.builds(
        "near;{}=={}".format,
        st.sampled_from(["maxDistance", "maxDistance", "minDistance"]),
        st.sampled_from([0.5, 300, 2000, 4000.5, 30_000]),
    )
    point = st.builds("[{},{}]".format, st.floats(16.85, 16.95), st.floats(52.37, 52.43))
    within = st.just(("within", "Polygon", "[[[16.8,52.3],[16.9,52.3],[16.9,52.5],[16.8,52.3]]]"))
    return st.none() | within | st.tuples(relation, st.just("Point"), point)


def _query(types: str | None, q: str | None, near: tuple[str, str, str] | None) -> Query:
    return Query(
        types=parse_types(types, EXPAND) if types else None,
        q=parse_q(q, EXPAND) if q else None,
        geo=parse_geo(*near) if near else None,
    )


async def slow(context: Context, query: Query, ctx: CompiledContext) -> set[bytes]:
    """Every entity that matches, decoded and rendered."""
    rows = context.scan(0, _ALL)
    return {msgspec.json.encode(render_entity(e, ctx)) for _, e in rows if query.matches(e)}


@pytest.fixture
def every_type_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes drive queries also where there are few entities."""
    monkeypatch.setattr(plan, "SMALL_TYPE", 1)


@given(
    st.lists(documents(), min_size=1, max_size=25),
    st.lists(documents(), max_size=8),
    st.lists(queries(), min_size=4, max_size=8),
)
@settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_pages_of_bodies_are_what_matches(
    every_type_is_large: None,
    first: list[dict[str, Any]],
    moved: list[dict[str, Any]],
    asked: list[Query],
) -> None:
    async def test(context: Context) -> None:
        await upsert(context, [{"id": f"urn:v:{i}", **doc} for i, doc in enumerate(first)])
        # What is written again has moved, and stands under another context from then on.
        await upsert(context, [{"id": f"urn:v:{i}", **doc} for i, doc in enumerate(moved)], OTHER)
        for query in asked:
            for ctx in (LD, OTHER):
                found = await context.bodies(query, ctx, limit=_ALL, offset=0, count=True)
                assert set(found.bodies) == await slow(context, query, ctx)
                assert len(found.bodies) == len(set(found.bodies)) == found.count
                rows = (await context.select(query, limit=_ALL)).rows
                bodies = [row.body for row in rows if row.ctx.id == ctx.id]
                assert [one for one in found.bodies if one in bodies] == bodies
                for offset in (0, 1, 3):
                    page = await context.bodies(query, ctx, limit=2, offset=offset, count=False)
                    assert page.bodies == found.bodies[offset : offset + 2]
                    assert page.more == (len(found.bodies) > offset + 2)

    run(test)


def test_near_finds_what_lies_across_the_antimeridian(every_type_is_large: None) -> None:
    async def test(context: Context) -> None:
        def ship(lon: float) -> dict[str, Any]:
            place = {"type": "Point", "coordinates": [lon, 10.0]}
            return {"id": f"urn:v:{lon}", "type": "Ship", "location": place}

        await upsert(context, [ship(179.995), ship(-179.995), ship(-179.9), ship(0.0)])
        geo = parse_geo("near;maxDistance==2000", "Point", "[179.999,10.0]")
        query = Query(types=parse_types("Ship", EXPAND), geo=geo)
        found = await context.bodies(query, LD, limit=10, offset=0, count=True)
        assert set(found.bodies) == await slow(context, query, LD)
        assert found.count == 2

    run(test)


def test_a_box_at_the_rim_is_looked_at(every_type_is_large: None) -> None:
    """Whatever lies a little in or out of the circle is told apart, also where it has moved."""

    async def test(context: Context) -> None:
        def bus(number: int, lat: float) -> dict[str, Any]:
            place = {"type": "Point", "coordinates": [16.9, lat]}
            return {"id": f"urn:v:{number}", "type": "Bus", "location": place}

        steps = [52.4 + (1950 + 5 * k) / 111_195 for k in range(20)]
        await upsert(context, [bus(k, 52.4) for k in range(20)])
        await upsert(context, [bus(k, lat) for k, lat in enumerate(steps)])
        geo = parse_geo("near;maxDistance==2000", "Point", "[16.9,52.4]")
        query = Query(types=parse_types("Bus", EXPAND), geo=geo)
        found = await context.bodies(query, LD, limit=50, offset=0, count=True)
        assert set(found.bodies) == await slow(context, query, LD)
        assert found.count == 10

    run(test)
