"""Figures that are measured beforehand: confirmed, contested with a reason, or asked again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from tests.indicators.survey.support import survey

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.indicators import Measured, Respondent, State, Surveys, measured_figures, results
from rynek.indicators.reference.importing import Imported
from rynek.indicators.survey.export import tables
from rynek.indicators.survey.model import Survey
from rynek.indicators.survey.reading import read_survey
from rynek.indicators.versions import Kept

FAR = 4_000_000_000_000_000
TODAY = "2026-11-26"
NAME = "reference:towns/inhabitants"
HEAD = ("type", "name", "label::English (en)", "required", "relevant", "bind::rynek:indicator")
ROWS = (
    ("begin_group", "size", "Size"),
    ("decimal", "people", "How many live here?", "yes", "", NAME),
    ("text", "big", "What is hard in a big town?", "", "${people} > 1000"),
    ("end_group",),
)
FIGURE = {NAME: Measured(1200.0, "Towns (version 2)", "inhabitants", "2025")}


def asked(folder: Path, *rows: tuple[Any, ...]) -> Survey:
    book = openpyxl.Workbook()
    sheet = book.create_sheet("survey")
    for row in (HEAD, *(rows or ROWS)):
        sheet.append(row)
    settings = book.create_sheet("settings")
    settings.append(("form_title", "form_id", "default_language"))
    settings.append(("Towns", "towns", "English (en)"))
    del book["Sheet"]
    book.save(folder / "towns.xlsx")
    return read_survey(folder / "towns.xlsx")


def answers(
    told: str = "", value: str = "", reason: str = "", over: str = "1200"
) -> dict[str, str]:
    return {
        "people": value,
        "people~told": told,
        "people~reason": reason,
        "people~measured": over,
    }


def faults(state: State) -> list[str]:
    return [each.code for each in state.faults()]


def test_a_confirmed_figure_is_the_answer_and_conditions_see_it(tmp_path: Path) -> None:
    state = State(asked(tmp_path), answers("confirmed"), TODAY, FIGURE)
    assert faults(state) == []
    assert state.shown("big")
    assert state.final() == {
        "people": "1200",
        "people~measured": "1200",
        "people~source": "Towns (version 2), 2025",
        "people~told": "confirmed",
    }


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (answers(), ["told"]),
        (answers(value="900"), ["told"]),
        (answers("perhaps"), ["told"]),
        (answers("contested"), ["required"]),
        (answers("contested", "900"), ["reason"]),
        (answers("contested", "many", "a census"), ["decimal"]),
        (answers("contested", "900", "x" * 2001), ["long"]),
        (answers("contested", "900", "a census"), []),
        (answers("confirmed", over="1100"), ["told"]),
    ],
)
def test_what_lacks_beside_a_figure(
    tmp_path: Path, given: dict[str, str], wrong: list[str]
) -> None:
    assert faults(State(asked(tmp_path), given, TODAY, FIGURE)) == wrong


def test_without_a_figure_the_question_is_asked_plainly(tmp_path: Path) -> None:
    state = State(asked(tmp_path), answers("confirmed", "900"), TODAY)
    assert faults(state) == []
    assert state.final() == {"people": "900"}


def test_another_figure_asks_again_until_the_answers_are_sent(tmp_path: Path) -> None:
    surveys = Surveys(tmp_path)
    surveys.put(asked(tmp_path))
    surveys.publish("towns", FAR)
    tokens = surveys.invite("towns", [Respondent("ruse", "Ruse"), Respondent("brno", "Brno")])
    surveys.measure("towns", {"ruse": FIGURE, "brno": FIGURE})
    given = answers("confirmed")
    surveys.save(tokens["ruse"], given, revision=0, language="en", submit=True)
    surveys.save(tokens["brno"], given, revision=0, language="en")
    surveys.measure("towns", {"brno": {NAME: Measured(1300.0, "Towns (version 3)")}})
    assert surveys.open(tokens["ruse"]).response.answers["people"] == "1200"
    with pytest.raises(BadRequestData, match="missing or wrong"):
        surveys.save(tokens["brno"], given, revision=1, language="en", submit=True)
    with pytest.raises(ResourceNotFound, match="nobody 'x'"):
        surveys.measure("towns", {"x": FIGURE})
    assert surveys.open(tokens["brno"]).measured[NAME].value == 1300.0
    surveys.close()


def test_results_and_export_tell_what_was_said_of_the_figures(tmp_path: Path) -> None:
    surveys = Surveys(tmp_path)
    found = asked(tmp_path)
    surveys.put(found)
    surveys.publish("towns", FAR)
    people = [Respondent(f"t{number:02}", "T", "N") for number in range(14)]
    tokens = surveys.invite("towns", people)
    surveys.measure("towns", {one.id: FIGURE for one in people[:12]})
    for one in people:
        given = answers("confirmed")
        if one in people[6:12]:
            given = answers("contested", "900", "=a census")
        elif one in people[12:]:
            given = {"people": "5"}
        surveys.save(tokens[one.id], given, revision=0, language="en", submit=True)
    told = list(surveys.responses("towns"))
    (question, *_) = results(found, told, public=False)["questions"]
    assert question["measured"] == {"confirmed": 6, "contested": 6, "none": 2}
    (question, *_) = results(found, told, public=True)["questions"]
    assert question["measured"]["none"] is None
    assert list(question["measured"].values()).count(None) == 2, "nothing follows from the total"
    table, codebook = tables(found, told)
    names = [name for name, _ in table.columns]
    row = dict(zip(names, table.rows[7], strict=True))
    assert row["people"] == 900.0
    assert row["people/measured"] == 1200.0
    assert row["people/told"] == "contested"
    assert row["people/reason"] == "=a census"
    assert row["people/source"] == "Towns (version 2), 2025"
    assert dict(zip(names, table.rows[13], strict=True))["people/told"] is None
    assert any(NAME in row for row in codebook.rows)
    surveys.close()


def test_figures_come_from_reference_tables_by_the_respondents_ids(tmp_path: Path) -> None:
    about = {
        "title": "Towns",
        "period": "2025",
        "columns": [{"name": "inhabitants", "unit": "people"}],
    }
    body = Imported(["ruse", "brno"], {"inhabitants": [1200.0, None]}, {}, {})
    found = measured_figures(
        asked(tmp_path), ["ruse", "brno", "xyz"],
        lambda _: (Kept("towns", 2, 0, "", about), body), lambda *_: (),
    )  # fmt: skip
    assert found == {"ruse": {NAME: Measured(1200.0, "Towns (version 2)", "people", "2025")}}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("text", "a", "A", "", "", NAME), "only a question of the type integer or decimal"),
        (("decimal", "a", "A", "", "", "Reference Towns"), "the indicator 'Reference Towns'"),
    ],
)
def test_what_has_no_indicator_says_so(tmp_path: Path, row: tuple[Any, ...], told: str) -> None:
    with pytest.raises(BadRequestData, match=told):
        asked(tmp_path, row)


def test_a_table_that_is_not_there_is_told_and_asked_without_a_figure(tmp_path: Path) -> None:
    def none(name: str) -> Any:
        raise ResourceNotFound(f"no reference {name!r}")

    told: list[str] = []
    found = measured_figures(asked(tmp_path), ["ruse"], none, lambda *_: (), told.append)
    assert (found, told) == ({}, ["towns"])


def test_measuring_refuses_what_does_not_fit(tmp_path: Path) -> None:
    about: dict[str, Any] = {"title": "Towns", "columns": []}
    tables_of: Callable[[str], Any] = lambda _: (  # noqa: E731
        Kept("towns", 1, 0, "", about),
        Imported(["ruse"], {"inhabitants": [1.5]}, {}, {}),
    )
    whole = asked(tmp_path, ("integer", "people", "How many?", "", "", NAME))
    with pytest.raises(BadRequestData, match="make its type decimal"):
        measured_figures(whole, ["ruse"], tables_of, lambda *_: ())
    other = asked(tmp_path, ("decimal", "people", "How many?", "", "", "reference:towns/area"))
    with pytest.raises(BadRequestData, match="no column 'area'; it has inhabitants"):
        measured_figures(other, ["ruse"], tables_of, lambda *_: ())
    with pytest.raises(BadRequestData, match="no question names an indicator"):
        measured_figures(survey(tmp_path), ["ruse"], tables_of, lambda *_: ())
