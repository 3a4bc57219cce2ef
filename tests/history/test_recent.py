"""What stays in memory after it went to the table, and what is sure of it."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.history.support import T0, ListLog, change, iri, number
from tests.history.test_follow import BUS, with_history

from rynek.context import TemporalQuery
from rynek.history import History
from rynek.history.lake import Lake
from rynek.history.recent import Recent
from rynek.history.schema import Reading
from rynek.history.tail import Tail

HOUR = 3_600_000_000


def _row(seq: int, entity: str, moment: int) -> Reading:
    return Reading(seq, entity, "Bus", "speed", None, "Property", moment, True, moment)


def _tail(*rows: Reading) -> Tail:
    tail = Tail(0)
    for row in rows:
        tail.add(row.entity_id, [row], row.seq)
    return tail


def test_the_oldest_make_room_and_are_handed_over() -> None:
    recent = Recent(most_rows=6_000)
    first = [_row(seq, "a", 1_000 + seq) for seq in range(5_500)]
    second = [_row(seq, "b", 9_000 + seq) for seq in range(5_500, 6_200)]
    recent.begin(-1, 0, {})
    assert recent.keep(_tail(*first)) == []
    assert recent.floor("a") == 1
    assert recent.keep(_tail(*second)) == first
    # All that is newer than the newest that went is in memory still.
    assert recent.floor("a") == recent.floor("b") == 1_000 + 5_499 + 1
    assert recent.since == 5_499


def test_all_that_went_is_below_the_floor_after_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recent, now = Recent(most_rows=1), time.time_ns() // 1000
    recent.begin(-1, 0, {})
    assert recent.keep(_tail(_row(1, "a", now))) == []
    with monkeypatch.context() as earlier:
        earlier.setattr(time, "time_ns", lambda: (now - 24 * HOUR) * 1000)
        assert len(recent.keep(_tail(_row(2, "b", 5), _row(3, "b", 6)))) == 3
    assert recent.floor("a") == recent.floor("c") == now + 1


def test_floors_that_were_raised_while_the_table_was_opened_stay() -> None:
    """A bulk append may be about to bring more than the table held when it was looked at."""
    recent, ahead = Recent(most_rows=10), time.time_ns() // 1000 + HOUR
    recent.raise_floor("a", 50)
    recent.raise_floor("b", ahead)
    recent.begin(-1, 20, {})
    assert (recent.floor("a"), recent.floor("b")) == (51, ahead + 1)


async def _since(history: History) -> list[float]:
    """The values of a series that memory is asked for."""
    found = await history.evolution([BUS], TemporalQuery(start=T0, attrs=(iri("speed"),)))
    return [one.instance.value for one in found[BUS].attrs[iri("speed")]] if found else []


def test_nothing_is_missing_while_a_flush_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are in the table before whoever flushes them hears of it."""
    there, go_on, settle = threading.Event(), threading.Event(), Lake.settle
    log = ListLog()
    log.write(change("create", BUS, {"speed": number(1, T0)}))

    def slow(lake: Lake) -> None:
        there.set()
        assert go_on.wait(20)
        settle(lake)

    async def test(history: History) -> None:
        await history.ready()
        assert await _since(history) == [1]
        with monkeypatch.context() as slowly:
            slowly.setattr(Lake, "settle", slow)
            flush = asyncio.create_task(history.flush())
            assert await asyncio.to_thread(there.wait, 20)
            log.write(change("update", BUS, {"speed": number(2, T0 + 1)}))
            try:
                assert await _since(history) == [1, 2]
            finally:
                go_on.set()
            await flush
        assert await _since(history) == [1, 2]

    with_history(tmp_path, test, log)


def test_nothing_is_missing_after_a_commit_that_only_seemed_to_have_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, log = Lake.append, ListLog()
    log.write(change("create", BUS, {"speed": number(1, T0)}))

    def lost(lake: Lake, *args: Any, **more: Any) -> None:
        before = lake.snapshot
        append(lake, *args, **more)
        lake._snapshot, lake._in_doubt = before, True
        raise OSError("who knows")

    def refused(*_: Any, **__: Any) -> None:
        raise OSError("no")

    async def test(history: History) -> None:
        await history.ready()
        for number_, fails in ((2, lost), (3, refused)):
            with monkeypatch.context() as failing:
                failing.setattr(Lake, "append", fails)
                with pytest.raises(OSError, match=r"who knows|no"):
                    await history.flush()
            log.write(change("update", BUS, {"speed": number(number_, T0 + number_)}))
            assert await _since(history) == [1, 2, 3][:number_]
        await history.flush()
        assert await _since(history) == [1, 2, 3]
        table = await history.series(BUS, [iri("speed")])
        assert table.column("number").to_pylist() == [1, 2, 3]

    with_history(tmp_path, test, log)


def test_small_tails_are_kept_as_one_with_the_times_of_both() -> None:
    recent = Recent(most_rows=10)
    recent.begin(-1, 0, {})
    ahead = time.time_ns() // 1000 + HOUR
    small = [_row(1, "a", 50), _row(2, "wrong clock", ahead), _row(3, "a", 40)]
    assert recent.keep(_tail(*small[:1])) == []
    assert recent.keep(_tail(*small[1:])) == []
    many = [_row(seq, "b", 60) for seq in range(4, 15)]
    assert recent.keep(_tail(*many)) == small + many
    # One wrong clock blinds its own entity alone.
    assert recent.floor("a") == recent.floor("b") == 61
    assert recent.floor("wrong clock") == ahead + 1
