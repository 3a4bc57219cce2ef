"""Which connections have to go when there are too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rynek.server.doorkeeper import Seen, choose


def seen(number: int, address: str, idle_ms: int) -> Seen:
    return Seen(number, (address, 1000 + number), idle_ms)


def test_the_idlest_go_first() -> None:
    those = [seen(number, f"10.0.0.{number}", number * 1000) for number in range(20)]
    gone = choose(those, most=18, each=5, exempt=lambda _: False)
    assert [one.number for one in gone] == [16, 17, 18, 19]


def test_connections_in_use_stay() -> None:
    busy = [seen(number, f"10.0.0.{number}", 500) for number in range(20)]
    assert choose(busy, most=10, each=5, exempt=lambda _: False) == []
    idle = seen(99, "10.0.1.1", 5000)
    assert choose([*busy, idle], most=10, each=5, exempt=lambda _: False) == [idle]


def test_one_address_cannot_have_all() -> None:
    greedy = [seen(number, "10.0.0.1", number) for number in range(20)]
    others = [seen(100 + number, f"10.0.1.{number}", 9000) for number in range(5)]
    gone = choose(greedy + others, most=100, each=12, exempt=lambda _: False)
    assert {one.peer[0] for one in gone} == {"10.0.0.1"}
    assert len(gone) == 8
    assert choose(greedy, most=100, each=12, exempt=lambda one: one == "10.0.0.1") == []


def test_one_on_which_nothing_moves_for_minutes_is_dead() -> None:
    those = [seen(1, "10.0.0.1", 400_000), seen(2, "10.0.0.1", 20_000)]
    assert choose(those, most=100, each=100, exempt=lambda _: False) == those[:1]


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 500_000)), max_size=60),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_what_stays_is_within_the_bounds(
    those: list[tuple[str, int]], most: int, each: int
) -> None:
    found = [seen(number, *one) for number, one in enumerate(those)]
    gone = set(choose(found, most=most, each=each, exempt=lambda _: False))
    left = [one for one in found if one not in gone]
    assert len(left) < most or all(one.idle_ms < 2000 for one in left)
    assert all(sum(one.peer[0] == name for one in left) <= each for name in "abcd")
    living = [one for one in found if one.idle_ms < 300_000]
    within = all(sum(one.peer[0] == name for one in living) <= each for name in "abcd")
    if within and len(living) < most:
        assert left == living
