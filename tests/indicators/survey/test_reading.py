"""XLSForms that are read, and those that are refused with the question named."""

from __future__ import annotations

import random
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from tests.indicators.survey.support import CHOICES, ROWS, survey, workbook

from rynek.base.errors import BadRequestData
from rynek.indicators.survey.answering import State
from rynek.indicators.survey.reading import read_survey


def test_a_form_is_read_whole(tmp_path: Path) -> None:
    found = survey(tmp_path)
    assert (found.id, found.languages, found.title) == ("small", ("en", "pl"), {"en": "Small"})
    assert [element.name for element in found.elements] == ["strategy", "needs"]
    year = found.places["year"][0]
    assert (year.kind, year.label["pl"], year.constraint) == ("integer", "Od kiedy?", ". >= 1990 and . <= 2030")  # fmt: skip
    assert year.constraint_message == {"en": "From 1990 to 2030"}
    assert [choice.name for choice in found.choices["yn"]] == ["yes", "no"]
    assert found.repeat_of["cost"] == "project"


def test_loose_questions_stand_in_a_section_and_a_note_gives_the_title(tmp_path: Path) -> None:
    found = survey(
        tmp_path, ("note", "form_title", "Needs", "Potrzeby"), ("text", "a", "A", "A"), *ROWS, ("text", "b", "B", "B")
    )  # fmt: skip
    assert found.title == {"en": "Needs", "pl": "Potrzeby"}
    assert [element.name for element in found.elements] == ["page-1", "strategy", "needs", "page-4"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((("text", "a", "A"), ("text", "a", "B")), "'a'"),
        ((("begin_group", "g", "G"), ("text", "a", "A"), ("end_group",), ("text", "a", "B")), "the name stands twice"),
        ((("select_one nowhere", "a", "A"),), "nowhere"),
        ((("geopoint", "where", "W"),), "question 'where': the type 'geopoint' is not supported"),
        ((("begin_group", "g", "G"), ("text", "a", "A")), "begin_group"),
        ((("text", "a", "A", "", "${b} = 1"), ("text", "b", "B", "", "${a} = 1")), "question 'a': whether it is shown hangs on itself: a needs b needs a"),
        ((("text", "a", "A", "", "${a} = 1"),), "question 'a': whether it is shown hangs on itself: a needs a"),
        ((("begin_group", "g", "G", "", "${a} = 1"), ("text", "a", "A"), ("end_group",)), "hangs on itself"),
        ((("text", "a", "A", "", "${missing} = 1"),), "missing"),
        ((("text", "a", "A", "", "", "foo(.)"),), "question 'a', constraint: the function foo() is not supported"),
        ((("text", "a", "A", "", "", "regex(., '(')"),), "question 'a', constraint: the pattern '('"),
        ((("text", "a"),), "label"),
        ((("note", "a", "A"),), "asks nothing"),
        ((("begin_repeat", "r", "R"), ("begin_repeat", "s", "S"), ("text", "a", "A"), ("end_repeat",), ("end_repeat",)), "repeat 's': a repeat in a repeat"),
        ((("wrong type", "a", "A"),), "wrong type"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, rows: tuple[tuple[str, ...], ...], words: str) -> None:
    with pytest.raises(BadRequestData) as refused:
        read_survey(workbook(tmp_path / "form.xlsx", *rows))
    assert words in refused.value.detail


def test_choices_that_stand_twice(tmp_path: Path) -> None:
    form = workbook(tmp_path / "form.xlsx", choices=(*CHOICES, ("yn", "no", "Nay")))
    with pytest.raises(BadRequestData, match=r"row : 4. On the 'choices' sheet, the 'name'"):
        read_survey(form)


def test_no_workbook(tmp_path: Path) -> None:
    for name, body in (("a.xlsx", b"PK\3\4 nothing"), ("b.xlsx", b""), ("c.csv", b"type,name")):
        (tmp_path / name).write_bytes(body)
        with pytest.raises(BadRequestData, match=name):
            read_survey(tmp_path / name)


def test_a_million_rows_are_refused_before_they_are_read(tmp_path: Path) -> None:
    whole, rows = workbook(tmp_path / "form.xlsx"), tmp_path / "rows.xlsx"
    row = b'<row r="9"><c t="inlineStr"><is><t>a</t></is></c></row>'
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(rows, "w", zipfile.ZIP_DEFLATED) as made:
        for name in source.namelist():
            body = source.read(name)
            if name.endswith("sheet1.xml"):
                body = body.replace(b"</sheetData>", row * 1_000_000 + b"</sheetData>")
            made.writestr(name, body)
    with pytest.raises(
        BadRequestData, match=r"rows\.xlsx: a sheet \(sheet1\.xml\) has over 12000 rows"
    ):
        read_survey(rows)


def test_cut_off_files_are_refused_or_read(tmp_path: Path) -> None:
    body = workbook(tmp_path / "form.xlsx").read_bytes()
    chance = random.Random(5)
    broken = tmp_path / "broken.xlsx"
    for _ in range(20):
        changed = bytearray(body)
        for _ in range(6):
            changed[chance.randrange(len(body))] = chance.randrange(256)
        broken.write_bytes(changed[: chance.choice((len(body), len(body) // 2))])
        with suppress(BadRequestData):
            assert read_survey(broken).elements


def test_a_long_chain_of_conditions(tmp_path: Path) -> None:
    rows: list[tuple[str, ...]] = [("integer", "q0", "Q")]
    rows += [("integer", f"q{n}", "Q", "", f"${{q{n - 1}}} = 1") for n in range(1, 1200)]
    found = survey(tmp_path, *reversed(rows))
    state = State(found, {f"q{n}": "1" for n in range(1200) if n != 700}, "2026-01-01")
    assert state.shown("q700")
    assert not state.shown("q701")
    assert len(state.final()) == 700
