"""Charts and numbers that the server draws."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.web.pages import plot
from rynek.web.pages.labels import humanised
from rynek.web.pages.series import thin

numbers = st.floats(-1e9, 1e9, allow_nan=False)


@given(numbers, numbers)
def test_ticks_enclose_the_values(one: float, other: float) -> None:
    low, high = sorted((one, other))
    marks = plot.ticks(low, high)
    slack = 1e-9 * max(1.0, abs(low), abs(high))
    assert marks[0] <= low + slack
    assert marks[-1] >= high - slack
    assert 2 <= len(marks) <= 9


@given(st.lists(st.tuples(st.integers(0, 10**12), numbers), min_size=1, max_size=50))
def test_a_chart_is_well_formed_and_stays_in_its_box(points: list[tuple[int, float]]) -> None:
    drawn = plot.chart(
        [(float(x), y) for x, y in sorted(points)],
        '<b>&"',
        x_label=str,
        y_label=lambda y: f"{y:g}",
        stepped=True,
    )
    tree = ET.fromstring(drawn)
    assert tree.attrib["aria-label"] == '<b>&"'
    line = next(each for each in tree.iter() if each.tag == "polyline")
    for pair in line.attrib["points"].split():
        x, y = map(float, pair.split(","))
        assert -1 <= x <= 761
        assert -1 <= y <= 261


def test_nothing_is_drawn_without_points() -> None:
    assert plot.chart([], "", x_label=str, y_label=str) == ""
    assert plot.bars([], "") == ""


@given(
    st.lists(st.tuples(st.integers(0, 10**15), numbers), min_size=1, max_size=400),
    st.integers(10, 100),
)
def test_thinning_keeps_extremes_and_the_last_value(
    pairs: list[tuple[int, float]], points: int
) -> None:
    pairs = sorted(pairs)
    times = np.array([t for t, _ in pairs], dtype=np.int64)
    values = np.array([v for _, v in pairs])
    at, last, low, high = thin(times, values, points)
    assert len(at) == len(last) == len(low) == len(high) <= max(points, 1)
    assert low.min() == values.min()
    assert high.max() == values.max()
    assert last[-1] == values[-1]
    assert bool(np.all(np.diff(at) >= 0))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("availableBikeNumber", "Available bike number"),
        ("stop_sequence", "Stop sequence"),
        ("PM10", "PM10"),
        ("hasURLOf", "Has URL of"),
        ("x", "X"),
    ],
)
def test_technical_names_become_words(name: str, words: str) -> None:
    assert humanised(name) == words
