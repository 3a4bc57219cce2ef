"""The survey that comes with rynek, as an XLSForm to be asked as it is or changed."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Final

__all__ = ["SHIPPED", "write_template"]

SHIPPED: Final = ("smart-strategy",)
_TEXTS: Final = ("label", "hint", "constraint_message")
_PLAIN: Final = (
    "type",
    "name",
    "required",
    "relevant",
    "constraint",
    "appearance",
    "bind::rynek:indicator",
)


def write_template(path: Path, name: str = "smart-strategy") -> None:
    """Write a shipped survey as an XLSForm in all its languages."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    for title, rows in _sheets(name).items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)


def _sheets(name: str) -> dict[str, list[list[Any]]]:
    source = resources.files("rynek.indicators.survey") / "shipped" / f"{name}.toml"
    told = tomllib.loads(source.read_text("utf-8"))
    languages = [f"{label} ({code})" for label, code in told["languages"]]
    columns = [*_PLAIN, *(f"{text}::{language}" for text in _TEXTS for language in languages)]
    survey = [
        [row.get(column, "") for column in _PLAIN]
        + [words for text in _TEXTS for words in row.get(text, [""] * len(languages))]
        for row in told["rows"]
    ]
    choices = [
        [listed, choice, *words]
        for listed, given in told["choices"].items()
        for choice, words in given.items()
    ]
    title = told["rows"][0]["label"][0]
    return {
        "survey": [columns, *survey],
        "choices": [["list_name", "name", *(f"label::{each}" for each in languages)], *choices],
        "settings": [
            ["form_title", "form_id", "version", "default_language"],
            [title, told["id"], told["version"], languages[0]],
        ],
    }
