"""Pages along a value index are those that sorting makes (CIM 009 §4.23)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rynek.context import (
    Context,
    Query,
    core_context,
    operations,
    parse_ordering,
    parse_types,
)
from rynek.context.store import ranked

from .test_store import create, run

LD = core_context()
CARS = Query(types=parse_types("Car", LD.expand_term))


def car(number: int, *values: Any) -> dict[str, Any]:
    speeds = [
        {"type": "Property", "value": value} | ({"datasetId": f"urn:d:{place}"} if place else {})
        for place, value in enumerate(values)
    ]
    return {"id": f"urn:Car:{number:03}", "type": "Car"} | ({"speed": speeds} if speeds else {})


async def pages(context: Context, order: str, limit: int, end: int) -> list[list[str]]:
    ordering = parse_ordering(order, LD.expand_term)
    found = []
    for offset in range(0, end, limit):
        page = await context.ordered(
            CARS, ordering, limit=limit, offset=offset, most=1000, compact=LD.compact_iri
        )
        assert page.count == end
        assert page.more == (offset + limit < end)
        found.append([row.body.decode().split('"')[3] for row in page.rows])
    return found


def _all(found: list[list[str]]) -> list[str]:
    return [one for page in found for one in page]


numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, 2**63, 10**30, -(10**30), 2**53 + 1, float(2**53)]),
)
others = st.one_of(
    st.booleans(),
    st.sampled_from(["a", "2026-01-01", "2026-01-01T00:00:00Z", {"x": 1}]),
    st.lists(st.integers(-3, 3), min_size=1, max_size=2),
)
few_others = st.one_of(numbers, numbers, numbers, others)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.one_of(
        st.lists(st.lists(numbers, min_size=1, max_size=1), min_size=1, max_size=12),
        st.lists(st.lists(few_others, max_size=2), min_size=1, max_size=12),
    ),
    limit=st.integers(1, 5),
)
def test_the_order_is_that_of_sorting(
    tmp_path_factory: pytest.TempPathFactory, values: list[list[Any]], limit: int
) -> None:
    async def test(context: Context) -> None:
        await create(context, *(car(number, *some) for number, some in enumerate(values)))
        for order in ("speed", "speed;desc"):
            sorted_ = await pages(context, order + ",speed", limit, len(values))
            assert await pages(context, order, limit, len(values)) == sorted_

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ranked, "MANY", 1)
        run(tmp_path_factory.mktemp("cars"), test)


def test_plain_numbers_are_walked_and_not_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranked, "MANY", 5)

    async def test(context: Context) -> None:
        await create(context, *(car(number, number % 3) for number in range(9)))

        def sort(*_: Any, **__: Any) -> None:
            raise AssertionError("sorted after all")

        monkeypatch.setattr(context.store._gatherer, "ordered", sort)  # type: ignore[attr-defined]
        up = [f"urn:Car:{n:03}" for n in (0, 3, 6, 1, 4, 7, 2, 5, 8)]
        down = [f"urn:Car:{n:03}" for n in (2, 5, 8, 1, 4, 7, 0, 3, 6)]
        assert _all(await pages(context, "speed", 4, 9)) == up
        assert _all(await pages(context, "speed;desc", 4, 9)) == down
        # What is written meanwhile is in the next page's order.
        await context.write(lambda txn: operations.delete(txn, "urn:Car:000"))
        assert (await pages(context, "speed", 8, 8))[0] == up[1:]
        # One of another kind comes last: as long as it is not on the page, nothing is sorted.
        await create(context, car(9, "fast"))
        ordering = parse_ordering("speed", LD.expand_term)
        page = await context.ordered(
            CARS, ordering, limit=8, offset=0, most=1000, compact=LD.compact_iri
        )
        assert (page.count, page.more, len(page.rows)) == (9, True, 8)
        with pytest.raises(AssertionError, match="after all"):
            await pages(context, "speed", 9, 9)
        with pytest.raises(AssertionError, match="after all"):
            await pages(context, "speed;desc", 9, 9)

    run(tmp_path, test)
