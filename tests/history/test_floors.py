"""The newest readings of many series at once are those of each series asked alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.history.support import HOUR, T0, iri
from tests.history.test_overlay import World

from rynek.history import Selection, to_readings

IDS = tuple(f"urn:x:{number:02d}" for number in range(12))
ATTRS = ("p", "q")
moments = st.integers(-60, 60)
"""Hours: some days to either side."""
places = st.tuples(st.sampled_from(IDS), st.sampled_from(ATTRS))
steps = st.one_of(
    st.tuples(st.just("write"), places, moments),
    st.tuples(st.just("add"), places, moments),
    st.tuples(st.just("delete"), places, moments),
    st.tuples(st.just("flush"), st.none(), st.none()),
    st.tuples(st.just("merge"), st.none(), st.none()),
)
spans = st.tuples(st.none() | moments, st.none() | moments)


async def act(world: World, step: tuple[str, Any, Any], value: int) -> None:
    verb, place, hour = step
    if verb in {"flush", "merge"}:
        await getattr(world.history, verb)()
        return
    entity, attr = place
    if verb == "write":
        world.write(entity, attr, None, value, hour * 60)
    elif verb == "add":
        await world.add(entity, attr, None, [value], hour * 60)
    elif world.of(entity, attr):
        await world.history.edit.delete_attribute(entity, iri(attr), now=T0)
        world.facts = [fact for fact in world.facts if (fact.entity, fact.attr) != place]


def fill(world: World) -> None:
    for entity in IDS:
        world.write(entity, "p", None, 0, 0)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=4, max_size=20), st.lists(spans, min_size=2, max_size=4))
def test_many_series_at_once_are_as_each_alone(
    done: list[tuple[str, Any, Any]], asked: list[tuple[int | None, int | None]]
) -> None:
    async def test(world: World) -> None:
        await world.open()
        fill(world)
        await world.history.flush()
        for value, step in enumerate(done, 1):
            await act(world, step, value)
        await world.history.entities(Selection())
        for start, end in asked:
            select = Selection(
                entity_ids=IDS,
                attrs=tuple(map(iri, ATTRS)),
                start=None if start is None else T0 + start * HOUR,
                end=None if end is None else T0 + end * HOUR + 1,
                deleted=True,
            )
            await compare(world, select)
        await world.history.stop()

    with TemporaryDirectory() as folder:
        asyncio.run(test(World(Path(folder))))


async def compare(world: World, select: Selection) -> None:
    """The newest of each series, and what is newest among all of its readings."""
    found = to_readings(await world.history.rows(select, last_n=1))
    whole = to_readings(await world.history.rows(select))
    last = {(row.entity_id, row.attr): row for row in whole}
    assert found == list(last.values())


def test_only_files_with_a_newest_reading_are_read(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await world.open()
        fill(world)
        for day in range(1, 5):
            for entity in IDS[:-1]:
                world.write(entity, "p", None, day, day * 24 * 60)
        await world.history.flush()
        await world.history.entities(Selection())
        view = world.history._follower.view()
        select = Selection(entity_ids=IDS, attrs=(iri("p"),), deleted=True)
        floors = world.history._questions._floors(view, select)
        assert floors is not None
        days = [part.day for part in view.snapshot.parts()]
        assert [part.day for part in floors.parts] == [min(days), max(days)]
        await world.history.stop()

    asyncio.run(test(World(tmp_path)))
