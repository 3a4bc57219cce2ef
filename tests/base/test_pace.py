"""Long work in slices: others get their turn, and of much that is long only one slice at a time."""

from __future__ import annotations

import asyncio

from rynek.base.pace import Pace


def test_of_many_one_goes_on_in_a_round_of_the_loop() -> None:
    async def body() -> list[int]:
        rounds = 0
        done = asyncio.Event()
        seen: list[int] = []

        async def watch() -> None:
            nonlocal rounds
            while not done.is_set():
                rounds += 1
                await asyncio.sleep(0)

        async def work() -> None:
            pace = Pace(0)
            for _ in range(3):
                assert pace.due()
                await pace.turn()
                seen.append(rounds)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(work() for _ in range(5)))
        done.set()
        await watching
        return seen

    seen = asyncio.run(body())
    assert len(seen) == 15
    assert len(set(seen)) == 15


def test_one_that_was_cancelled_keeps_no_turn() -> None:
    async def body() -> None:
        async def work() -> str:
            await Pace(0).turn()
            return "done"

        first, second, third = (asyncio.create_task(work()) for _ in range(3))
        await asyncio.sleep(0)
        second.cancel()
        assert [*await asyncio.gather(first, third)] == ["done", "done"]

    asyncio.run(body())
    asyncio.run(body())  # on another loop


def test_a_slice_begins_anew_with_each_turn() -> None:
    async def body() -> None:
        pace = Pace(3600)
        assert not pace.due()
        await pace.turn()
        assert not pace.due()

    asyncio.run(body())
