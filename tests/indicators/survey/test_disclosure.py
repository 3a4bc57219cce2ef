"""What is hidden in public results does not follow from what is shown beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.indicators.survey.support import HEAD, survey, workbook

from rynek.indicators import Respondent, Survey, read_survey, results
from rynek.indicators.survey.disclosure import SMALL, visible
from rynek.indicators.survey.store import Response


def tables(cells: int, whole: int) -> Iterator[tuple[int, ...]]:
    """All counts in so many cells that add up to the whole."""
    if cells == 1:
        yield (whole,)
        return
    for first in range(whole + 1):
        yield from ((first, *rest) for rest in tables(cells - 1, whole - first))


@pytest.mark.parametrize(("cells", "most"), [(2, 30), (3, 16), (4, 10), (5, 7)])
def test_no_small_cell_follows_from_the_whole(cells: int, most: int) -> None:
    """Every table of so many cells: with the whole, what is shown, and that a hidden cell is of one
    at least, there are two numbers at least for each."""
    for whole in range(SMALL, most + 1):
        every = list(tables(cells, whole))
        for counts in every:
            shown = visible(counts)
            assert not any(count is not None and 0 < count < SMALL for count in shown)
            hidden = [n for n, count in enumerate(shown) if count is None]
            rest = whole - sum(count or 0 for count in shown)
            least = 0 if any(counts[n] == 0 for n in hidden) or len(hidden) == whole else 1
            ways = [one for one in tables(len(hidden), rest) if min(one) >= least] if hidden else []
            for n in range(len(hidden)):
                assert len({way[n] for way in ways}) > 1, (counts, shown)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=8))
def test_what_is_hidden_is_of_several(counts: list[int]) -> None:
    shown = visible(counts)
    hidden = [count for count, seen in zip(counts, shown, strict=True) if seen is None]
    if hidden and sum(counts) >= SMALL and sum(map(bool, counts)) > 1:
        assert len(hidden) > 1
        assert sum(hidden) >= SMALL


def chain(folder: Path) -> Survey:
    """A choice of three, and questions to those who chose b or c."""
    head = dict.fromkeys(HEAD, "")
    rows = [
        head | {"type": "select_one abc", "name": "first", HEAD[2]: "First?", "required": "yes"},
        head | {"type": "select_one abc", "name": "second", HEAD[2]: "Of b?", "relevant": "${first} = 'b'"},
        head | {"type": "integer", "name": "third", HEAD[2]: "Of c?", "relevant": "${first} = 'c'"},
    ]  # fmt: skip
    choices = (("list_name", "name", HEAD[2]), *(("abc", each, each.upper()) for each in "abc"))
    path = workbook(folder / "f.xlsx", *(tuple(row.values()) for row in rows), choices=choices)
    return read_survey(path)


def sent(answers: list[dict[str, Any]]) -> list[Response]:
    return [
        Response(Respondent(f"r{n}", f"R {n}", "N"), 1, 1, 1, dict(each))
        for n, each in enumerate(answers)
    ]


def of(survey: Survey, answers: list[dict[str, Any]], name: str) -> dict[str, Any]:
    found = results(survey, sent(answers), public=True)["questions"]
    return next(each for each in found if each["name"] == name)


def test_numbers_of_who_was_asked_do_not_tell_a_hidden_answer(tmp_path: Path) -> None:
    asked = chain(tmp_path)
    a = [{"first": "a"}] * 80
    b = [{"first": "b", "second": "a"}] * 7
    c = [{"first": "c", "third": str(n)} for n in range(3)]
    first = of(asked, a + b + c, "first")
    assert [each["count"] for each in first["choices"]] == [80, None, None]
    # 10 chose b or c: the number who answered what is asked of b alone would tell that 3 chose c.
    second = of(asked, a + b + c, "second")
    assert (second["n"], second["hidden"], second.get("choices")) == (None, True, None)
    assert of(asked, a + b + c, "third")["n"] is None
    # Where nothing is hidden before, the number stays.
    more = [{"first": "c", "third": str(n)} for n in range(30)]
    assert of(asked, a + b + more, "second")["n"] == 7
    assert of(asked, a + b + more, "third")["n"] == 30


def test_few_who_were_not_asked_are_few(tmp_path: Path) -> None:
    asked = chain(tmp_path)
    many = [{"first": "b", "second": "ab"[n % 2]} for n in range(60)]
    found = of(asked, [*many, {"first": "a"}, {"first": "a"}], "second")
    assert found["n"] is None
    cells = found["choices"]
    assert [(each["count"], each["share"]) for each in cells] == [
        (None, 0.5),
        (None, 0.5),
        (None, 0.0),
    ]


def test_figures_of_few_are_no_answers_of_one(tmp_path: Path) -> None:
    asked = chain(tmp_path)
    rest = [{"first": "a"}] * 20
    seven = [{"first": "c", "third": str(1000 + n)} for n in range(7)]
    few = of(asked, rest + seven, "third")["numbers"]
    assert few == {"mean": 1000, "weighted_mean": 1000, "lower_quartile": None, "median": None, "upper_quartile": None}  # fmt: skip
    twelve = [{"first": "c", "third": str(n)} for n in range(12)]
    assert of(asked, rest + twelve, "third")["numbers"]["median"] == 5.5


def test_entries_of_one_respondent_are_of_one(tmp_path: Path) -> None:
    rows = (
        ("begin_repeat", "place", "Places", "Miejsca"),
        ("select_one yn", "good", "Good?", "Dobre?"),
        ("end_repeat",),
    )
    asked = survey(tmp_path, *rows)
    answers = [{"place": [{"good": "yes"}]} for _ in range(9)] + [{"place": [{"good": "no"}] * 8}]
    done = [
        Response(Respondent(f"r{n}", "R", "N"), 1, 1, 1, each) for n, each in enumerate(answers)
    ]
    question = results(asked, done, public=True)["questions"][0]
    assert [each["count"] for each in question["choices"]] == [None, None]
