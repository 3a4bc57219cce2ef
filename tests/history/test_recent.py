"""What stays in memory after it went to the table, and what is sure of it."""

from __future__ import annotations

import time

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
