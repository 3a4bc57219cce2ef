"""Recipes and the cards that come with rynek: the same files give the same answers."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.practices.cards.support import OWNER, card, store

import rynek
from rynek.base.errors import BadRequestData, Problem
from rynek.practices.cards import LANGUAGES, answer_all, answer_question, seed
from rynek.practices.cards.model import Question
from rynek.practices.cards.recipe import make_panel, parse_recipe
from rynek.practices.cards.shipped import shipped

RECIPE: dict[str, Any] = {
    "files": [{"path": "in.csv"}], "time": "day", "values": ["a", "b"], "outcome": "sum",
    "unit": "place", "missing": [0], "where": {"kind": "x"}, "covariates": ["rain"],
}  # fmt: skip
ROWS = """day,place,kind,a,b,rain
2020-01-01,here,x,1,2,5
2020-01-02,here,x,3,4,7
2020-01-03,here,x,0,4,100
2020-01-04,here,y,9,9,9
2020-01-05,here,x,,4,
2020-02-01,there,x,1.5,2.5,1
"""


def panel(folder: Path, **changes: Any) -> list[list[str]]:
    (folder / "in.csv").write_text(ROWS)
    make_panel(parse_recipe(RECIPE | changes), folder, folder / "out.csv")
    with (folder / "out.csv").open() as file:
        return list(csv.reader(file))


def test_a_recipe_drops_what_is_no_reading_and_fills_nothing(tmp_path: Path) -> None:
    found = panel(tmp_path)
    assert found[0] == ["unit", "time", "sum", "rain"]
    assert [row[:3] for row in found[1:]] == [
        ["here", "2020-01", "5.0"],
        ["there", "2020-02", "4.0"],
    ]
    assert float(found[1][3]) == pytest.approx((5 + 7 + 100) / 3)
    assert [row[1:3] for row in panel(tmp_path, at_least=2)[1:]] == [["2020-01", "5.0"]]
    assert [row[2] for row in panel(tmp_path, statistic="sum")[1:]] == ["10.0", "4.0"]
    assert [row[1] for row in panel(tmp_path, every="week")[1:]] == ["2019-12-30", "2020-01-27"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"files": [{"path": "../in.csv"}]}, "leads out"),
        ({"files": [{"path": "/etc/passwd"}]}, "leads out"),
        ({"files": [{"path": "none.csv"}]}, "none.csv: there is no such file"),
        ({"values": ["z"]}, "row 2: there is no column 'z'"),
        ({"time": "a"}, "row 2: a is '1'"),
        ({"every": "hour"}, "recipe.every: "),
        ({"values": []}, "recipe:"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_named(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadRequestData, match=told):
        panel(tmp_path, **changes)


def test_answers_come_again_when_the_record_grows(tmp_path: Path) -> None:
    lines = ["day,place,n"]
    for month in range(1, 25):
        at = f"20{20 + (month - 1) // 12}-{(month - 1) % 12 + 1:02}-01"
        lines += [f"{at},p{k},{10 + k + month % 3 + (k == 0 and month > 12) * 4}" for k in range(5)]
    (tmp_path / "n.csv").write_text("\n".join(lines[:-5]) + "\n")
    question = {
        "key": "n", "title": {"en": "n"},
        "specification": {"design": "did", "treated": ["p0"], "start": "2021-01"},
        "recipe": {"files": [{"path": "n.csv"}], "time": "day", "unit": "place", "values": ["n"], "outcome": "n"},
    }  # fmt: skip
    cards = store(tmp_path)
    cards.add("a", card(questions=[question]), owner=OWNER, door="public")
    first = dict(answer_all(cards, "a", tmp_path))["n"]
    again = dict(answer_all(cards, "a", tmp_path))["n"]
    assert not isinstance(first, Problem)
    assert not isinstance(again, Problem)
    assert (first.number, again) == (1, first)
    assert first.document["effect"] == pytest.approx(4.0)
    (tmp_path / "n.csv").write_text("\n".join(lines) + "\n")
    grown = dict(answer_all(cards, "a", tmp_path))["n"]
    assert not isinstance(grown, Problem)
    assert grown.number == 2
    assert grown.input != first.input
    assert grown.specification == first.specification


def test_a_question_without_a_recipe_or_a_file_is_refused(tmp_path: Path) -> None:
    cards = store(tmp_path)
    bare = Question("a", {"en": "x"}, {"outcome": "y"})
    with pytest.raises(BadRequestData, match="neither a recipe"):
        answer_question(cards, "a", bare, tmp_path)


SHIPPED = {one.id: one for one in shipped()}


def test_shipped_cards_of_prague_are_known_as_the_city_of_the_demo() -> None:
    city = Path(rynek.__file__).parent / "demo" / "cities" / "praha" / "city.toml"
    keys = set(tomllib.loads(city.read_text(encoding="utf-8"))["known_as"])
    for name in ("prague-smart-bins", "praha-18-paid-parking"):
        of = SHIPPED[name].card.city
        assert of is not None
        assert keys & set(of.known_as)


@pytest.mark.parametrize("card_id", sorted(SHIPPED))
def test_shipped_cards_speak_six_languages_and_name_their_sources(card_id: str) -> None:
    one = SHIPPED[card_id].card
    for name in ("title", "summary", "problem", "done", "limits", "to_know"):
        assert set(getattr(one, name)) == set(LANGUAGES), name
    assert set(one.verdict.reason) == set(LANGUAGES)
    for title in (*(each.title for each in one.accounts), *(each.title for each in one.questions)):
        assert set(title) == set(LANGUAGES)
    for text in (*one.lessons, *one.conditions, *(each.text for each in one.facts)):
        assert set(text) == set(LANGUAGES)
    assert all(each.source for each in one.claims)
    assert all(each.source for each in one.facts)
    assert all(each.source for each in one.costs)
    assert all(each.source for each in one.phases)


@pytest.mark.parametrize("card_id", [name for name, one in SHIPPED.items() if one.card.questions])
def test_shipped_answers_are_computed_again(card_id: str, data: Path, tmp_path: Path) -> None:
    cards = store(tmp_path)
    one = SHIPPED[card_id]
    cards.add(card_id, one.card, owner="", door="public")
    found = dict(answer_all(cards, card_id, data))
    assert set(found) == set(one.answers)
    for key, answer in one.answers.items():
        again = found[key]
        assert not isinstance(again, Problem), again
        assert (again.specification, again.input) == (answer.specification, answer.input)
        assert again.document.keys() == answer.document.keys()
        assert again.document["effect"] == pytest.approx(answer.document["effect"], abs=1e-6)
        assert again.document["p_value"] == pytest.approx(answer.document["p_value"], abs=1e-6)


def test_grenoble_says_what_it_cannot_say() -> None:
    answers = SHIPPED["grenoble-low-emission-zone"].answers
    level, log = answers["level"].document, answers["log"].document
    assert level["effect"] == pytest.approx(-7.2, abs=0.5)
    assert log["effect_percent"] == pytest.approx(-3.7, abs=2.0)
    assert level["p_value"] == pytest.approx(1 / 11)
    assert level["interval"] is None
    near = {"Grenoble PeriurbSud", "Gresivaudan Periurb", "Voiron Urbain"}
    assert near <= set(answers["level-far"].document["left_out"])
    assert len(answers["level-far"].document["donors"]) == 7


def test_shipped_cards_come_once_and_what_people_changed_stays(tmp_path: Path) -> None:
    cards = store(tmp_path)
    assert seed(cards) == len(SHIPPED) == 6
    assert seed(cards) == 0
    before = cards.get("wyndham-smart-bins")
    changed = msgspec.structs.replace(before.card, status="stopped")
    cards.change("wyndham-smart-bins", changed, version=1, who="ana")
    cards.remove("seattle-fremont-bridge-counter", version=1)
    cards.set_note("catalogue", "of an older rynek")
    assert seed(cards) == 0
    assert cards.get("wyndham-smart-bins").card.status == "stopped"
    assert cards.listed()[1] == 5
    assert set(cards.answered(cards.get("london-congestion-charge"))) == {"no2", "nox"}


@pytest.mark.parametrize(
    ("changes", "content", "said"),
    [
        ({"time_format": "%d %d"}, ROWS.encode(), r"in\.csv, row 2: day"),
        ({"unit": "nowhere"}, ROWS.encode(), r"in\.csv, row 2: there is no column 'nowhere'"),
        ({}, b"day,place\n" + b"x" * 200_000, r"in\.csv, after row 1"),
        ({"files": [{"path": "in.csv.gz"}]}, b"\x1f\x8b\x08\0\0\0\0\0\0\0\x01", r"in\.csv\.gz"),
        ({"files": [{"path": "in.csv.gz"}]}, b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff", r"in\.csv\.gz"),
        ({"files": [{"path": "a\0b"}]}, b"", "leads out of the folder"),
    ],
)
def test_what_is_no_table_is_named(
    changes: dict[str, Any], content: bytes, said: str, tmp_path: Path
) -> None:
    for name in ("in.csv", "in.csv.gz"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadRequestData, match=said):
        make_panel(parse_recipe(RECIPE | changes), tmp_path, tmp_path / "out.csv")
