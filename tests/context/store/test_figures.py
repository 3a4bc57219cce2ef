"""What a store tells of itself, and how much of the change log stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rynek.base.clock import MICRO
from rynek.context.jsonld import core_context
from rynek.context.model import Entity
from rynek.context.operations import entities
from rynek.context.store import writer
from rynek.context.store.contract import Txn
from rynek.context.store.figures import Commits
from rynek.context.store.sqlite import SqliteStore, StoreLimits

HOUR = 3600 * MICRO


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1_700_000_000 * MICRO

    def now(self) -> int:
        return self.at


async def write(store: SqliteStore, first: int, count: int) -> None:
    """One entity each in jobs that share a group."""

    def job(number: int) -> Callable[[Txn], None]:
        def run(txn: Txn) -> None:
            kind = "https://example.org/" + ("Tram" if number % 2 else "Stop")
            made = Entity(f"urn:ngsi-ld:Thing:{number}", [kind], {})
            entities.create(txn, made, core_context(), None)

        return run

    await asyncio.gather(*(store.write(job(first + i)) for i in range(count)))


def run(
    folder: Path, limits: StoreLimits, test: Callable[[SqliteStore, Clock], Awaitable[None]]
) -> None:
    async def body() -> None:
        clock = Clock()
        store = SqliteStore(folder, clock, limits)
        try:
            await test(store, clock)
        finally:
            await store.close()

    asyncio.run(body())


def test_commits_entities_types_and_size_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_GROUP_SECONDS", 1e9)  # one group, however slow the machine is

    async def test(store: SqliteStore, _: Clock) -> None:
        before = store.figures()
        await write(store, 0, 10)
        told = store.figures()
        assert before.commits.groups == 0  # a copy, that stays as it was
        assert (told.commits.groups, told.commits.jobs, told.commits.rows) == (1, 10, 10)
        assert told.commits.seconds > 0
        assert (told.head, told.rows) == (10, 10)
        assert told.size > 4096
        assert (told.indexes, told.building) == (0, 0)
        assert await store.count() == (10, 2)

    run(tmp_path, StoreLimits(), test)


def test_sizes_and_times_fall_into_their_buckets() -> None:
    commits = Commits()
    commits.note(1, 1, 0.000_1)
    commits.note(3, 9, 0.001)
    commits.note(9999, 9999, 60.0)
    assert (commits.sizes[0], commits.sizes[2], commits.sizes[-1]) == (1, 1, 1)
    assert (commits.times[0], commits.times[2], commits.times[-1]) == (1, 1, 1)
    assert commits.groups == 3


@pytest.mark.parametrize(
    ("limits", "hours", "kept"),
    [
        (StoreLimits(keep_rows=100, keep_hours=1000.0), 0, 25),
        (StoreLimits(keep_rows=8, keep_hours=1000.0), 0, 8),
        (StoreLimits(keep_rows=100, keep_hours=2.0), 1, 25),
        (StoreLimits(keep_rows=100, keep_hours=2.0), 3, 5),
    ],
)
def test_the_log_keeps_as_much_as_the_settings_say(
    tmp_path: Path, limits: StoreLimits, hours: int, kept: int
) -> None:
    async def test(store: SqliteStore, clock: Clock) -> None:
        await write(store, 0, 20)
        clock.at += hours * HOUR
        await write(store, 20, 5)
        await store._shorten()
        assert store.figures().rows == kept
        assert [change.seq for change in store.changes.read(0)] == list(range(26 - kept, 26))
        assert store.changes.oldest() == 26 - kept

    run(tmp_path, limits, test)


def test_a_log_is_trimmed_in_as_many_steps_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rynek.context.store.sqlite._TRIM_ROWS", 4)

    async def test(store: SqliteStore, clock: Clock) -> None:
        await write(store, 0, 20)
        clock.at -= 3 * HOUR  # a clock set back: these are the older ones
        await write(store, 20, 3)
        clock.at += 4 * HOUR
        await write(store, 30, 2)
        await store._shorten()
        assert store.changes.oldest() == 1  # nothing before is older than two hours
        clock.at += 2 * HOUR
        await store._shorten()
        assert [change.seq for change in store.changes.read(0)] == [24, 25]

    run(tmp_path, StoreLimits(keep_rows=100, keep_hours=2.0), test)


def test_what_a_reader_has_not_taken_over_stays_whatever_the_settings(tmp_path: Path) -> None:
    async def test(store: SqliteStore, clock: Clock) -> None:
        store.changes.acknowledge("history", 6)
        await write(store, 0, 20)
        clock.at += 100 * HOUR
        await store._shorten()
        assert store.changes.oldest() == 7
        store.changes.acknowledge("history", 20)
        await store._shorten()
        assert store.figures().rows == 0

    run(tmp_path, StoreLimits(keep_rows=1, keep_hours=1.0), test)
