"""The answers of a wave as tables with a codebook: CSV, XLSX or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from rynek.base.clock import to_iso
from rynek.indicators.survey.measured import MEASURED, REASON, SOURCE, TOLD
from rynek.indicators.survey.model import Element, Survey
from rynek.indicators.survey.results import weights
from rynek.indicators.survey.store import Response

__all__ = ["FORMATS", "Table", "tables", "write_export"]

Format = Literal["csv", "xlsx", "parquet"]
FORMATS: Final = ("csv", "xlsx", "parquet")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SHEET: Final = 31
# Beside the answer to a question over a measured figure: column, kind, and what it stands under.
_BESIDE: Final = (
    ("measured", "number", MEASURED),
    ("told", "text", TOLD),
    ("reason", "text", REASON),
    ("source", "text", SOURCE),
)


class Table(msgspec.Struct, frozen=True):
    """Columns by name, each with its kind (text, number, date), and rows."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: list[list[Any]]


def write_export(
    survey: Survey, responses: Sequence[Response], folder: Path, kind: Format
) -> list[Path]:
    """Write the answers that were sent, one table more for each repeat, and the codebook into
    `folder`; the files that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    made = tables(survey, responses)
    if kind == "xlsx":
        return [_xlsx(made, folder / f"{survey.id}.xlsx")]
    write: Callable[[Table, Path], None] = _csv if kind == "csv" else _parquet
    paths = []
    for table in made:
        path = folder / f"{table.name}.{kind}"
        write(table, path)
        paths.append(path)
    return paths


def tables(survey: Survey, responses: Sequence[Response]) -> list[Table]:
    """The answers, each repeat, and the codebook."""
    done = [one for one in responses if one.submitted is not None]
    weight = weights(responses)
    columns = [column for element in _of(survey, "") for column in _columns(survey, element)]
    head = (
        ("respondent", "text"),
        ("name", "text"),
        ("region", "text"),
        ("weight", "number"),
        ("submitted", "text"),
    )
    answers = [
        [
            one.respondent.id,
            one.respondent.name,
            one.respondent.region,
            weight[one.respondent.id],
            to_iso(one.submitted or 0),
            *(
                value
                for element in _of(survey, "")
                for value in _cells(survey, element, one.answers)
            ),
        ]
        for one in done
    ]
    made = [Table("answers", (*head, *columns), answers)]
    made += [
        _repeat(survey, element, done) for element, _ in survey.walk() if element.kind == "repeat"
    ]
    return [*made, _codebook(survey)]


def _of(survey: Survey, repeat: str) -> list[Element]:
    return [each for each in survey.questions if survey.repeat_of[each.name] == repeat]


def _repeat(survey: Survey, repeat: Element, done: Sequence[Response]) -> Table:
    inner = _of(survey, repeat.name)
    columns = [column for element in inner for column in _columns(survey, element)]
    rows = [
        [
            one.respondent.id,
            float(number),
            *(value for element in inner for value in _cells(survey, element, entry)),
        ]
        for one in done
        for number, entry in enumerate(one.answers.get(repeat.name) or (), start=1)
    ]
    return Table(repeat.name, (("respondent", "text"), ("entry", "number"), *columns), rows)


def _columns(survey: Survey, element: Element) -> list[tuple[str, str]]:
    kind = {"integer": "number", "decimal": "number", "date": "date"}.get(element.kind, "text")
    listed = survey.choices.get(element.choices, ()) if element.kind == "many" else ()
    beside = [(f"{element.name}/{name}", kind) for name, kind, _ in _BESIDE if element.indicator]
    return [
        (element.name, kind),
        *((f"{element.name}/{each.name}", "number") for each in listed),
        *beside,
    ]


def _cells(survey: Survey, element: Element, answers: dict[str, Any]) -> list[Any]:
    """The cells of a question: None where it was not asked or not answered."""
    text = answers.get(element.name)
    if element.kind in ("integer", "decimal"):
        beside = [answers.get(element.name + mark) for *_, mark in _BESIDE if element.indicator]
        if beside and beside[0]:
            beside[0] = float(beside[0])
        return [float(text) if text else None, *beside]
    if element.kind == "date":
        return [date.fromisoformat(text) if text else None]
    if element.kind != "many":
        return [text]
    chosen = text.split() if text else []
    listed = survey.choices.get(element.choices, ())
    return [text, *(float(each.name in chosen) if text else None for each in listed)]


def _codebook(survey: Survey) -> Table:
    """What each column is: its kind, conditions, words and choices in every language."""
    languages = survey.languages
    columns = [
        "table",
        "column",
        "kind",
        "required",
        "relevant",
        "constraint",
        "calculation",
        "indicator",
    ]
    columns += [f"label ({code})" for code in languages] + ["choice"]
    columns += [f"choice ({code})" for code in languages]
    empty = [None] * (1 + len(languages))
    rows: list[list[Any]] = [
        ["answers", name, kind, *[None] * 5, words, *[None] * (len(languages) - 1), *empty]
        for name, kind, words in (
            ("respondent", "text", "The id of who answered, as invited"),
            ("name", "text", "Its name"),
            ("region", "text", "Its region"),
            ("weight", "number", "Invited over answered in its region; regions with under 5 answers are one class"),
            ("submitted", "text", "When the answers were sent (UTC)"),
        )
    ]  # fmt: skip
    for element in survey.questions:
        about = [
            survey.repeat_of[element.name] or "answers", element.name, element.kind,
            element.required, element.relevant, element.constraint, element.calculation,
            element.indicator,
            *(element.label.get(code) for code in languages),
        ]  # fmt: skip
        rows.append([*about, *empty])
        rows += [
            [*about, choice.name, *(choice.label.get(code) for code in languages)]
            for choice in survey.choices.get(element.choices, ())
        ]
    return Table("codebook", tuple((name, "text") for name in columns), rows)


def _safe(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else _safe(value)


def _csv(table: Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([name for name, _ in table.columns])
        for row in table.rows:
            writer.writerow(["" if value is None else _plain(value) for value in row])


def _xlsx(made: Sequence[Table], path: Path) -> Path:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    for table in made:
        sheet = book.create_sheet(table.name[:_SHEET])
        sheet.append([name for name, _ in table.columns])
        for row in table.rows:
            sheet.append([_printable(_safe(value)) for value in row])
    book.save(path)
    return path


def _printable(value: Any) -> Any:
    """Text without what XML has no sign for."""
    if not isinstance(value, str):
        return value
    return "".join(sign for sign in value if sign >= " " or sign in "\n\t")[:32_767]


def _parquet(table: Table, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"text": pa.string(), "number": pa.float64(), "date": pa.date32()}
    cells = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    arrays = [
        pa.array(column, types[kind])
        for column, (_, kind) in zip(cells, table.columns, strict=True)
    ]
    pq.write_table(pa.Table.from_arrays(arrays, names=[name for name, _ in table.columns]), path)
