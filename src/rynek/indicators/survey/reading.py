"""A survey from an XLSForm (xlsform.org): read by pyxform within bounds, then put into the model."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from rynek.base.errors import BadRequestData
from rynek.indicators.survey.checking import check_survey
from rynek.indicators.survey.model import Choice, Element, Kind, Survey, Text

__all__ = ["read_survey", "read_workbook", "survey_of"]

_MAX_FILE: Final = 8 << 20
_MAX_UNPACKED: Final = 64 << 20
_MAX_ROWS: Final = 12_000
_MAX_COLUMNS: Final = 300
_MAX_TEXT: Final = 5_000
_CHUNK: Final = 1 << 20
_KINDS: Final[dict[str, Kind]] = {
    "group": "section",
    "repeat": "repeat",
    "note": "note",
    "text": "text",
    "integer": "integer",
    "int": "integer",
    "decimal": "decimal",
    "date": "date",
    "range": "decimal",
    "select one": "one",
    "select all that apply": "many",
    "acknowledge": "tick",
    "trigger": "tick",
    "calculate": "calculation",
}
# What a phone with an app would record by itself: a page without an account must not.
_UNASKED: Final = frozenset(
    ("start", "end", "today", "deviceid", "phonenumber", "username", "email", "simserial", "subscriberid", "audit", "start-geopoint")
)  # fmt: skip
_LANGUAGE: Final = re.compile(r"\(([a-zA-Z]{2,3}(?:-[A-Za-z0-9]+)*)\)\s*$")
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
)
_CODE: Final = re.compile(r"[a-zA-Z]{2,3}(-[A-Za-z0-9]+)*")


def read_survey(path: Path, survey_id: str = "") -> Survey:
    """The survey of an XLSX file. BadRequestData names the question and what to do."""
    if path.suffix.lower() != ".xlsx":
        raise BadRequestData(f"{path.name}: an XLSForm is an .xlsx file: save it as one")
    if path.stat().st_size > _MAX_FILE:
        raise BadRequestData(f"{path.name}: over {_MAX_FILE >> 20} MiB")
    return read_workbook(path.read_bytes(), survey_id, path.name)


def read_workbook(body: bytes, survey_id: str = "", source: str = "form") -> Survey:
    """The survey of the bytes of an .xlsx file, whose unpacked size is looked at before."""
    if len(body) > _MAX_FILE:
        raise BadRequestData(f"{source}: over {_MAX_FILE >> 20} MiB")
    try:
        _check_size(body, source)
    except _UNREADABLE as error:
        raise BadRequestData(f"{source}: this is no .xlsx file: {error}"[:300]) from None
    return survey_of(body, survey_id, source)


def survey_of(
    workbook: bytes | dict[str, Any], survey_id: str = "", source: str = "form"
) -> Survey:
    """The survey of a workbook: the bytes of an .xlsx file, or its sheets as pyxform has them."""
    from pyxform.errors import PyXFormError
    from pyxform.xls2xform import convert

    warnings: list[str] = []
    try:
        found = convert(
            workbook,
            warnings,
            form_name="data",
            file_type=".xlsx" if isinstance(workbook, bytes) else None,
        )._pyxform
    except PyXFormError as error:
        raise BadRequestData(f"{source}: {_plain(str(error))}") from None
    except RecursionError:
        raise BadRequestData(f"{source}: groups are nested too deep") from None
    except Exception as error:
        # What openpyxl and pyxform raise over a file that somebody made wrong on purpose has no
        # common class.
        raise BadRequestData(
            f"{source}: it cannot be read as an XLSForm ({type(error).__name__}): {error}"[:400]
        ) from error
    survey = _Reader(found or {}).survey(survey_id)
    check_survey(survey)
    return survey


def _plain(text: str) -> str:
    """A message of pyxform without its trailing advice about where to read more."""
    return " ".join(text.split())[:600]


def _check_size(body: bytes, source: str) -> None:
    """Refuse what would unpack to more than a survey needs, before anything is parsed."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if sum(each.file_size for each in archive.infolist()) > _MAX_UNPACKED:
            raise BadRequestData(
                f"{source}: it unpacks to over {_MAX_UNPACKED >> 20} MiB:"
                " keep only the sheets survey, choices and settings, and no empty formatted rows"
            )
        for each in archive.infolist():
            if not each.filename.startswith("xl/worksheets/") or not each.filename.endswith(".xml"):
                continue
            rows, tail = 0, b""
            with archive.open(each) as sheet:
                while chunk := sheet.read(_CHUNK):
                    rows += (tail + chunk).count(b"<row ") + (tail + chunk).count(b"<row>")
                    tail = chunk[-4:]
                    if rows > _MAX_ROWS:
                        raise BadRequestData(
                            f"{source}: a sheet ({each.filename.rsplit('/', 1)[-1]}) has over"
                            f" {_MAX_ROWS} rows: delete those that hold nothing, or split the survey"
                        )


class _Reader:
    """pyxform's reading of a form, turned into the model."""

    def __init__(self, form: Mapping[str, Any]) -> None:
        self._form = form
        self._notes: list[str] = []
        self._languages: dict[str, None] = {}
        default = str(form.get("default_language") or "")
        self._default = self._code(default) if default and default != "default" else ""

    def survey(self, survey_id: str) -> Survey:
        """The survey; languages are those that texts are written in, the default one first."""
        choices = {
            name: tuple(self._choice(name, each) for each in listed)
            for name, listed in (self._form.get("choices") or {}).items()
        }
        title, elements = self._pages(self._children(self._form.get("children") or (), 0))
        languages = sorted(self._languages, key=lambda code: code != self._default)
        return Survey(
            id=survey_id or str(self._form.get("id_string") or "survey"),
            title=title,
            version=str(self._form.get("version") or "")[:100],
            languages=tuple(languages) or ("und",),
            elements=elements,
            choices=choices,
            notes=tuple(self._notes),
        )

    def _pages(self, elements: tuple[Element, ...]) -> tuple[Text, tuple[Element, ...]]:
        """The title, which a note named form_title gives in every language; and a section around
        each run of questions that stand in none."""
        title: Text = {}
        pages: list[Element] = []
        loose: list[Element] = []
        for element in (*elements, None):
            if element is not None and element.name == "form_title" and element.kind == "note":
                title = element.label
            elif element is not None and element.kind != "section":
                loose.append(element)
            else:
                if loose:
                    pages.append(
                        Element(f"page-{len(pages) + 1}", "section", children=tuple(loose))
                    )
                    loose = []
                pages += [element] if element is not None else []
        if not title:
            given = self._form.get("title") or self._form.get("id_string") or "survey"
            title = self._text(given, "settings: form_title")
        return title, tuple(pages)

    def _children(self, given: Any, depth: int) -> tuple[Element, ...]:
        if depth > 8:
            raise BadRequestData(
                "groups are nested at most 8 deep: put questions into fewer groups"
            )
        return tuple(
            element for each in given if (element := self._element(each, depth)) is not None
        )

    def _element(self, given: Mapping[str, Any], depth: int) -> Element | None:
        name, kind = str(given.get("name", "")), str(given.get("type", ""))
        if name == "meta" and (given.get("control") or {}).get("bodyless"):
            return None
        if kind in _UNASKED:
            self._notes.append(f"{name}: {kind} is not recorded, nothing is of who answers")
            return None
        if kind not in _KINDS:
            raise BadRequestData(
                f"question {name!r}: the type {kind!r} is not supported; use one of text, integer,"
                " decimal, range, date, select_one, select_multiple, acknowledge, note, calculate,"
                " begin_group, begin_repeat"
            )
        self._check_supported(name, given)
        bind = given.get("bind") or {}
        control = given.get("control") or {}
        many = given.get("parameters") or {}
        found = _KINDS[kind]
        return Element(
            name=name,
            kind=found,
            label=self._text(given.get("label"), name),
            hint=self._text(given.get("hint"), name),
            relevant=_expression(bind.get("relevant")),
            required=_condition(bind.get("required")),
            required_message=self._text(bind.get("jr:requiredMsg"), name),
            constraint=_expression(bind.get("constraint")),
            constraint_message=self._text(bind.get("jr:constraintMsg"), name),
            calculation=_expression(bind.get("calculate")),
            default=str(given.get("default") or ""),
            choices=str(given.get("list_name") or "") if found in ("one", "many") else "",
            choice_filter=_expression(given.get("choice_filter")),
            lines="multiline" in str(control.get("appearance", "")),
            least=_number(many.get("start")) if kind == "range" else None,
            most=_number(many.get("end")) if kind == "range" else None,
            indicator=str(bind.get("rynek:indicator") or ""),
            children=self._children(given.get("children") or (), depth + 1),
        )

    def _check_supported(self, name: str, given: Mapping[str, Any]) -> None:
        if given.get("media"):
            raise BadRequestData(
                f"question {name!r}: media (images, sound) are not supported: leave them out"
            )
        if (given.get("control") or {}).get("jr:count"):
            raise BadRequestData(
                f"repeat {name!r}: repeat_count is not supported: leave it out, who answers adds entries"
            )
        listed = str(given.get("itemset") or "")
        if listed.endswith((".csv", ".xml", ".geojson")) or listed.startswith("${"):
            raise BadRequestData(
                f"question {name!r}: choices from {listed!r} are not supported: list them in the sheet choices"
            )

    def _choice(self, listed: str, given: Mapping[str, Any]) -> Choice:
        name = str(given.get("name", ""))
        more = {
            str(key): str(value)
            for key, value in given.items()
            if key not in ("name", "label", "media") and not isinstance(value, dict)
        }
        return Choice(name, self._text(given.get("label"), f"choice {name} of {listed}"), more)

    def _text(self, given: Any, where: str) -> Text:
        """A text by language code; without one it is in the default language."""
        if given is None:
            return {}
        told = given if isinstance(given, dict) else {self._default or "default": given}
        found: Text = {}
        for language, words in told.items():
            text = str(words)
            if len(text) > _MAX_TEXT:
                raise BadRequestData(f"{where}: a text has at most {_MAX_TEXT} characters")
            code = self._default or "und" if language == "default" else self._code(str(language))
            found[code] = text
            self._languages[code] = None
        return found

    def _code(self, language: str) -> str:
        """`Polski (pl)` is pl, and pl is. BadRequestData."""
        match = _LANGUAGE.search(language)
        code = match[1] if match else language.strip()
        if not _CODE.fullmatch(code):
            raise BadRequestData(
                f"language {language[:60]!r}: write its code, such as label::Polski (pl)"
            )
        return code.lower()


def _expression(given: Any) -> str:
    return "" if given is None else str(given).strip()


def _condition(given: Any) -> str:
    """`required`: yes, no, or an expression."""
    text = _expression(given)
    if text.lower() in ("yes", "true", "true()"):
        return "true()"
    return "" if text.lower() in ("no", "false", "false()") else text


def _number(given: Any) -> float | None:
    return None if given is None else float(cast("str", given))
