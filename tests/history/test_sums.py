"""Sums straight from sorted files are what the database says, and what the list of values says."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.history.support import HOUR, T0, iri
from tests.history.test_floors import ATTRS, IDS, act, fill, moments, spans, steps
from tests.history.test_overlay import World

from rynek.history import AggregateQuery, Selection

METHODS = ("avg", "sum", "min", "max", "totalCount")


def query(
    start: int | None, end: int | None, ids: tuple[str, ...] | None, bucket: str
) -> AggregateQuery:
    select = Selection(
        entity_ids=ids,
        attrs=(iri("p"),),
        start=None if start is None else T0 + start * HOUR,
        end=None if end is None else T0 + end * HOUR + 1,
    )
    return AggregateQuery(select=select, methods=METHODS, bucket=bucket)


def close(one: pa.Table, other: pa.Table) -> bool:
    """Whether two answers are equal, means and sums to the last digits."""
    if one.schema.names != other.schema.names or len(one) != len(other):
        return False
    return all(
        math.isclose(a, b, abs_tol=1e-9) if isinstance(a, float) else a == b
        for name in one.schema.names
        for a, b in zip(one.column(name).to_pylist(), other.column(name).to_pylist(), strict=True)
    )


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(steps, min_size=4, max_size=20),
    st.lists(st.tuples(spans, st.booleans(), st.sampled_from(["PT1H", "PT7H", "P1D"])), max_size=4),
)
def test_they_are_what_the_database_says(
    done: list[tuple[str, Any, Any]], asked: list[tuple[Any, bool, str]]
) -> None:
    async def test(world: World) -> None:
        await world.open()
        fill(world)
        for value, step in enumerate(done, 1):
            await act(world, step, value)
        for (start, end), some, bucket in asked:
            wanted = query(start, end, IDS[2:7] if some else None, bucket)
            found = await world.history.aggregate(wanted)
            with patch("rynek.history.query.as_sums", return_value=None):
                assert close(found, await world.history.aggregate(wanted))
        await world.history.stop()

    with TemporaryDirectory() as folder:
        asyncio.run(test(World(Path(folder))))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(ATTRS), moments), min_size=1))
def test_they_are_what_a_list_says(values: list[tuple[str, str, int]]) -> None:
    async def test(world: World) -> None:
        await world.open()
        held: dict[tuple[str, int], list[int]] = defaultdict(list)
        for value, (entity, attr, hour) in enumerate(values):
            world.write(entity, attr, None, value, hour * 60)
            if attr == "p":
                held[entity, (T0 + hour * HOUR) // HOUR * HOUR].append(value)
            if value % 5 == 4:
                await world.history.flush()
        found = await world.history.aggregate(query(None, None, None, "PT1H"))
        shown = {
            (row["entity_id"], row["start"]): (
                row["sum"],
                row["min"],
                row["max"],
                row["totalCount"],
            )
            for row in found.to_pylist()
        }
        assert shown == {k: (sum(v), min(v), max(v), len(v)) for k, v in held.items()}
        await world.history.stop()

    with TemporaryDirectory() as folder:
        asyncio.run(test(World(Path(folder))))


def test_a_text_or_a_deletion_among_the_values_is_left_to_the_database(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        await world.open()
        for minute, value in enumerate((1, "closed", 3)):
            world.write("urn:x:00", "p", None, value, minute)  # type: ignore[arg-type]
        await world.history.flush()
        found = await world.history.aggregate(query(None, None, None, "PT1H"))
        assert found.column("avg").to_pylist() == [2.0]
        assert found.column("totalCount").to_pylist() == [3]
        await world.history.stop()

    asyncio.run(test(World(tmp_path)))
