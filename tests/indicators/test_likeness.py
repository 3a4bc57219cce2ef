"""How alike cities are in what was measured: Gower's coefficient with a robust spread, minima, scale."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.indicators import FEWEST_SHARED, Likeness, MeasuredCity, Profiles

THEMES = {"a": "air", "b": "air", "c": "cycling", "d": "waste"}


def city(**values: float) -> MeasuredCity:
    return MeasuredCity({name: {"P365D": value} for name, value in values.items()}, THEMES)


CITIES = [
    city(a=10, b=1, c=100, d=0.1),
    city(a=12, b=2, c=110, d=0.2),
    city(a=14, b=3, c=120, d=0.3),
    city(a=16, b=4, c=130, d=0.4),
    city(a=900, b=5, c=140, d=0.5),
]


def test_each_theme_counts_the_same_and_one_odd_city_sets_no_measure() -> None:
    found = Likeness(CITIES).of(CITIES[0], CITIES[2])
    # The median absolute deviations are 2, 1, 10 and 0.1: each pair lies two of them apart.
    near = 1 - 2 / (3 * 1.4826)
    assert [one.indicator for one in found.shared] == ["a", "b", "c", "d"]
    assert [one.alike for one in found.shared] == pytest.approx([near] * 4)
    assert found.share == pytest.approx(near)
    far = Likeness(CITIES).of(CITIES[0], CITIES[4])
    beside = 1 - 4 / (3 * 1.4826)
    assert far.shared[0].alike == 0
    # Air is the mean of 0 and `beside`, and one of three themes.
    assert far.share == pytest.approx((beside / 2 + beside + beside) / 3)


def test_what_compares_by_ratio_is_as_far_from_half_as_from_twice_its_size() -> None:
    ratio = frozenset({"a"})
    made = [
        MeasuredCity(
            {"a": {"P365D": size}, "b": {"P365D": n}, "c": {"P365D": n}}, THEMES, {"a": 2015}, ratio
        )
        for n, size in enumerate((50.0, 100.0, 200.0, 400.0, 800.0), 1)
    ]
    likeness = Likeness(made)
    half, twice = likeness.of(made[2], made[1]), likeness.of(made[2], made[3])
    assert half.shared[0].alike == pytest.approx(twice.shared[0].alike)
    assert 0 < half.shared[0].alike < 1
    assert (half.shared[0].own_year, half.shared[0].other_year) == (2015, 2015)
    # No logarithm of nought: such a city is not compared in it.
    none = MeasuredCity({"a": {"P365D": 0.0}, "b": {"P365D": 1.0}}, THEMES, {}, ratio)
    assert [one.indicator for one in likeness.of(made[0], none).shared] == ["b"]


def test_what_cannot_be_said_says_why() -> None:
    likeness = Likeness(CITIES)
    assert likeness.of(None, CITIES[0]).why == "own"
    assert likeness.of(city(), CITIES[0]).why == "own"
    assert likeness.of(CITIES[0], None).why == "other"
    few = likeness.of(CITIES[0], city(a=12, b=2))
    assert (few.share, few.why, few.count) == (None, "few", FEWEST_SHARED - 1)
    # Of three cities no spread is taken, and where all are the same it tells nothing.
    assert Likeness(CITIES[:3]).of(CITIES[0], CITIES[1]).why == "few"
    assert Likeness([CITIES[0]] * 8).of(CITIES[0], CITIES[0]).why == "few"


def test_cities_are_compared_over_the_longest_period_that_both_have() -> None:
    def told(value: float, *labels: str) -> MeasuredCity:
        return MeasuredCity(
            {name: dict.fromkeys(labels, value) for name in "abc"}, dict.fromkeys("abc", "air")
        )

    cities = [told(n, "P365D", "P30D", "P7D") for n in range(1, 6)]
    shared = Likeness(cities).of(cities[0], cities[1]).shared
    assert {one.label for one in shared} == {"P365D"}
    shared = Likeness(cities).of(told(2, "P30D", "P7D"), cities[1]).shared
    assert {one.label for one in shared} == {"P30D"}


def test_where_most_are_the_same_the_mean_deviation_stands_in() -> None:
    cities = [city(a=5, b=5, c=5) for _ in range(5)] + [city(a=11, b=11, c=11)]
    found = Likeness(cities).of(cities[0], cities[5])
    # The mean absolute deviation is 1: 6 lie beyond three standard deviations.
    assert found.share == 0
    assert Likeness(cities).of(cities[0], cities[1]).share == 1


_value = st.floats(-1e9, 1e9)
_city = st.dictionaries(st.sampled_from("abcd"), _value, max_size=4).map(lambda v: city(**v))


@given(st.lists(_city, min_size=2, max_size=12))
def test_it_is_a_share_the_same_from_both_sides_and_whole_for_the_same_city(
    cities: list[MeasuredCity],
) -> None:
    likeness = Likeness(cities)
    one, other = likeness.of(cities[0], cities[1]), likeness.of(cities[1], cities[0])
    assert one.share == other.share
    if one.share is not None:
        assert 0 <= one.share <= 1
        assert one.count >= FEWEST_SHARED
    itself = likeness.of(cities[0], cities[0])
    assert itself.share is None or math.isclose(itself.share, 1)


def test_values_of_cities_are_kept_by_city(tmp_path: Path) -> None:
    profiles = Profiles(tmp_path)
    assert profiles.all() == {}
    assert not list(tmp_path.iterdir())
    profiles.keep("ruse", {}, country="BG", known_as=["BG004C"], population=123_134)
    found = profiles.all()["ruse"]
    assert (found.country, found.known_as, found.population) == ("BG", ("BG004C",), 123_134)
    assert found.at > 0
    profiles.forget(["ruse"])
    assert profiles.all() == {}
    profiles.close()
