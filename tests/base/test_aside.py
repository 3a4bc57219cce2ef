"""Short work in threads beside an event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from rynek.base.aside import Aside


def test_what_is_done_beside_comes_back() -> None:
    async def body() -> None:
        aside = Aside(2, "beside")
        here = threading.current_thread().name
        names = await asyncio.gather(
            *(aside.run(lambda _: threading.current_thread().name, n) for n in range(20))
        )
        assert here not in names
        assert set(names) <= {"beside_1", "beside_2"}
        assert await aside.run(lambda n: n + 1, 1) == 2
        with pytest.raises(ZeroDivisionError):
            await aside.run(lambda n: 1 / n, 0)
        assert await aside.run(lambda n: n, "still there") == "still there"

    asyncio.run(body())


def test_one_that_waits_holds_up_no_other() -> None:
    async def body() -> None:
        aside = Aside(2, "beside")
        gate = threading.Event()
        slow = aside.run(lambda _: gate.wait(10), None)
        assert await aside.run(lambda n: n, 3) == 3
        assert not slow.done()
        gate.set()
        assert await slow

    asyncio.run(body())


def test_whoever_no_longer_waits_is_not_told() -> None:
    async def body() -> None:
        aside = Aside(1, "beside")
        gate = threading.Event()
        given_up = aside.run(lambda _: gate.wait(10), None)
        given_up.cancel()
        gate.set()
        assert await aside.run(lambda n: n, 4) == 4
        assert given_up.cancelled()

    asyncio.run(body())
