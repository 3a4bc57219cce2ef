"""Forms as they stand in a workbook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl

from rynek.indicators.survey.model import Survey
from rynek.indicators.survey.reading import read_survey

HEAD = ("type", "name", "label::English (en)", "label::Polski (pl)", "relevant", "constraint", "constraint_message::English (en)", "required", "calculation", "choice_filter")  # fmt: skip
CHOICES = (
    ("list_name", "name", "label::English (en)", "label::Polski (pl)", "kind"),
    ("yn", "yes", "Yes", "Tak", "a"),
    ("yn", "no", "No", "Nie", "b"),
)
ROWS = (
    ("begin_group", "strategy", "Strategy", "Strategia"),
    ("select_one yn", "has", "Have you a strategy?", "Czy macie strategię?", "", "", "", "yes"),
    ("integer", "year", "Since when?", "Od kiedy?", "${has} = 'yes'", ". >= 1990 and . <= 2030", "From 1990 to 2030", "yes"),
    ("end_group",),
    ("begin_group", "needs", "Needs", "Potrzeby", "${has} = 'yes' and ${year} > 2000"),
    ("select_multiple yn", "which", "Which?", "Które?", "", "count-selected(.) <= 1"),
    ("begin_repeat", "project", "Projects", "Projekty"),
    ("text", "title", "Title", "Tytuł", "", "", "", "yes"),
    ("decimal", "cost", "Cost", "Koszt"),
    ("text", "why", "Why so much?", "Dlaczego?", "${cost} > 100"),
    ("end_repeat",),
    ("calculate", "total", "", "", "", "", "", "", "sum(${cost})"),
    ("note", "told", "In all ${total}", "Razem ${total}"),
    ("end_group",),
)  # fmt: skip


def workbook(path: Path, *rows: tuple[Any, ...], choices: tuple[Any, ...] = CHOICES) -> Path:
    """An XLSForm of these rows."""
    book = openpyxl.Workbook()
    sheets = {
        "survey": (HEAD, *(rows or ROWS)),
        "choices": choices,
        "settings": (
            ("form_title", "form_id", "default_language"),
            ("Small", "small", "English (en)"),
        ),
    }
    for name, cells in sheets.items():
        sheet = book.create_sheet(name)
        for row in cells:
            sheet.append(row)
    del book["Sheet"]
    book.save(path)
    return path


def survey(folder: Path, *rows: tuple[Any, ...]) -> Survey:
    return read_survey(workbook(folder / "form.xlsx", *rows))
