"""What reads remember never outlives the commit that changes it."""

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

from rynek.base.clock import SystemClock
from rynek.base.errors import InsufficientStorage
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
from rynek.context.store import plan, writer
from rynek.context.store.remembered import Remembered

LD = core_context()
OTHER = compile_context([{"speed": LD.expand_term("speed"), "Bus": LD.expand_term("Bus")}], None)
EXPAND = LD.expand_term
_NEAR = parse_geo("near;maxDistance==2000", "Point", "[16.9,52.4]")
_QUERIES = [
    Query(types=parse_types("Bus", EXPAND)),
    Query(types=parse_types("Bus", EXPAND), q=parse_q("speed>2", EXPAND)),
    Query(types=parse_types("Bus", EXPAND), q=parse_q("speed==2", EXPAND)),
    Query(types=parse_types("Bus", EXPAND), geo=_NEAR),
    Query(types=parse_types("Bus,Tram", EXPAND), geo=_NEAR),
]


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


def document(number: int, kind: str, speed: object, east_km: float) -> dict[str, Any]:
    """A bus or tram that lies so far east of the middle."""
    place = {"type": "Point", "coordinates": [16.9 + east_km / 67.8, 52.4]}
    return {
        "id": f"urn:v:{number}",
        "type": kind,
        "speed": {"type": "Property", "value": speed},
        "location": {"type": "GeoProperty", "value": place},
    }


async def carry_out(context: Context, step: tuple[Any, ...]) -> None:
    """Store or delete one entity."""
    what, number, *more = step
    if what == "delete":
        if context.get(f"urn:v:{number}") is not None:
            await context.write(lambda txn: operations.delete(txn, f"urn:v:{number}"))
        return
    kind, speed, east_km, ctx = more
    entity = parse_entity(document(number, kind, speed, east_km), ctx, now=0)
    result = operations.BatchResult()
    items = [operations.Item(entity, ctx)]
    await context.write(lambda txn: operations.upsert_all(txn, items, result, replace=True))
    assert not result.errors


def steps() -> st.SearchStrategy[tuple[Any, ...]]:
    """One write: a few numbers, so that entities change, go and come again."""
    number = st.integers(0, 7)
    speed = st.integers(0, 4) | st.just([1, 3])
    store = st.tuples(
        st.just("store"),
        number,
        st.sampled_from(["Bus", "Bus", "Bus", "Tram"]),
        speed,
        st.sampled_from([0.1, 0.2, 1.5, 1.9, 2.1, 9.0]),
        st.sampled_from([LD, LD, OTHER]),
    )
    return store | store | st.tuples(st.just("delete"), number)


def pages_of(context: Context, query: Query, ctx: CompiledContext) -> Any:
    """All pages of two, one after another."""

    async def pages() -> list[bytes]:
        found: list[bytes] = []
        while True:
            page = await context.bodies(query, ctx, limit=2, offset=len(found), count=False)
            found += page.bodies
            if not page.more:
                return found

    return pages()


@pytest.fixture
def every_type_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes drive queries also where there are few entities."""
    monkeypatch.setattr(plan, "SMALL_TYPE", 1)


@pytest.mark.parametrize("in_thread", [False, True])
@given(st.lists(steps(), min_size=3, max_size=10))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_acknowledged_is_read(
    every_type_is_large: None,
    monkeypatch: pytest.MonkeyPatch,
    in_thread: bool,
    written: list[tuple[Any, ...]],
) -> None:
    monkeypatch.setattr(writer, "_SLOW_COMMIT_SECONDS", -1.0 if in_thread else 1.0)

    async def test(context: Context) -> None:
        for number in range(8):
            await carry_out(context, ("store", number, "Bus", number % 5, 0.1, LD))
        for step in written:
            await carry_out(context, step)
            entities = [entity for _, entity in context.scan(0, 100)]
            for ctx in (LD, OTHER):
                for query in _QUERIES:
                    wanted = {
                        msgspec.json.encode(render_entity(e, ctx))
                        for e in entities
                        if query.matches(e)
                    }
                    found = await pages_of(context, query, ctx)
                    assert set(found) == wanted
                    assert len(found) == len(wanted)
                shown = {e.id: msgspec.json.encode(render_entity(e, ctx)) for e in entities}
                for number in range(8):
                    entity_id = f"urn:v:{number}"
                    assert context.body(entity_id, ctx) == shown.get(entity_id)

    run(test)


def test_reads_during_a_commit_in_a_thread_see_a_whole_state(
    every_type_is_large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speeds are all of one round; a page never holds what does not match, nor misses what does."""
    monkeypatch.setattr(writer, "_SLOW_COMMIT_SECONDS", -1.0)
    fast = Query(types=parse_types("Bus", EXPAND), q=parse_q("speed>=0", EXPAND))

    async def test(context: Context) -> None:
        async def store_round(speed: int) -> None:
            items = [
                operations.Item(parse_entity(document(n, "Bus", speed, 0.1), LD, now=0), LD)
                for n in range(30)
            ]
            result = operations.BatchResult()
            await context.write(lambda txn: operations.upsert_all(txn, items, result, replace=True))
            assert not result.errors

        await carry_out(context, ("store", 99, "Tram", 1, 0.1, LD))
        still = Query(types=parse_types("Tram", EXPAND), geo=_NEAR)
        tram = context.body("urn:v:99", LD)
        await store_round(0)
        seen = 0
        for speed in range(1, 40):
            task = asyncio.create_task(store_round(speed))
            while not task.done():
                page = await context.bodies(fast, LD, limit=50, offset=0, count=False)
                speeds = {msgspec.json.decode(b)["speed"]["value"] for b in page.bodies}
                assert len(page.bodies) == 30
                assert len(speeds) == 1
                assert speeds <= {speed - 1, speed}
                assert context.body("urn:v:99", LD) == tram
                other = await context.bodies(still, LD, limit=5, offset=0, count=False)
                assert other.bodies == [tram]
                seen += 1
                await asyncio.sleep(0)
            page = await context.bodies(fast, LD, limit=50, offset=0, count=False)
            assert all(msgspec.json.decode(b)["speed"]["value"] == speed for b in page.bodies)
        assert seen > 40

    run(test)


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("after", [False, True])
@given(st.lists(st.tuples(st.booleans(), steps()), min_size=3, max_size=12))
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_a_failed_commit_held_is_nowhere(
    every_type_is_large: None,
    monkeypatch: pytest.MonkeyPatch,
    in_thread: bool,
    after: bool,
    written: list[tuple[bool, tuple[Any, ...]]],
) -> None:
    """The disk fails at a COMMIT, with all that was to be written in SQLite's hands or before."""
    monkeypatch.setattr(writer, "_SLOW_COMMIT_SECONDS", -1.0 if in_thread else 1.0)
    commit, failing = writer._committed, False

    def committed(connection: Any) -> float:
        if failing:
            if not after:
                connection.execute("ROLLBACK")
            raise OSError(28, "No space left on device")
        return commit(connection)

    monkeypatch.setattr(writer, "_committed", committed)

    async def pages(context: Context) -> list[Any]:
        found: list[Any] = [await pages_of(context, query, LD) for query in _QUERIES]
        return [sorted(page) for page in found] + [
            context.body(f"urn:v:{number}", LD) for number in range(8)
        ]

    async def test(context: Context) -> None:
        nonlocal failing
        for number in range(5):
            await carry_out(context, ("store", number, "Bus", number % 5, 0.1, LD))
        for fails, step in written:
            before = await pages(context)
            there = step[0] == "store" or context.get(f"urn:v:{step[1]}") is not None
            failing = fails and there
            if failing:
                with pytest.raises(InsufficientStorage):
                    await carry_out(context, step)
                failing = False
                assert await pages(context) == before
            else:
                await carry_out(context, step)
            entities = [entity for _, entity in context.scan(0, 100)]
            for query, found in zip(_QUERIES, await pages(context), strict=False):
                wanted = [render_entity(e, LD) for e in entities if query.matches(e)]
                assert found == sorted(map(msgspec.json.encode, wanted))

    run(test)


def test_what_is_not_used_goes() -> None:
    remembered = Remembered(20_000)
    for n in range(200):
        remembered.keep_one("a", f"urn:{n}", n, b"x" * 50)
        assert remembered.body("a", "urn:0") == b"x" * 50  # asked for again and again
    assert remembered.body("a", "urn:100") is None
    assert remembered.body("a", "urn:199") == b"x" * 50
    assert remembered.body("b", "urn:199") is None
    assert remembered.bodies("a", [0, 100, 199]) == [b"x" * 50, None, b"x" * 50]
    remembered.forget(0)
    assert remembered.body("a", "urn:0") is None


def test_the_nearest_known_page_is_found() -> None:
    remembered = Remembered(1_000)
    assert remembered.start(1, 40) == (0, 0)
    for offset in range(0, 20_000, 2):
        remembered.keep_start(1, offset, offset + 1)
    at, n = remembered.start(1, 19_999)
    assert 0 < at <= 19_999
    assert n == at + 1
    assert remembered.start(2, 40) == (0, 0)
    remembered.forget_list(1)
    assert remembered.start(1, 19_999) == (0, 0)
