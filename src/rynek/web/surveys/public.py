"""What everybody may see of a wave: its results once it is over, and who answered before."""

from __future__ import annotations

import csv
import io
from typing import Any

from rynek.base.clock import to_iso
from rynek.base.errors import ResourceNotFound
from rynek.indicators import Survey, Surveys, Wave, results
from rynek.web.contract import said

__all__ = ["PublicResults", "plain", "results_csv", "wave_document"]

_HEAD = ("question", "text", "kind", "answers", "part", "part_text", "count", "share", "weighted", "value")  # fmt: skip


class PublicResults:
    """Results of public waves, worked out again when there is something new."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, dict[str, Any]]] = {}

    def wave(self, surveys: Surveys, name: str) -> Wave:
        """A wave whose results are public. ResourceNotFound also for one that is not."""
        wave = surveys.wave(name)
        if wave.results != "public":
            raise ResourceNotFound(f"no results of a survey {name!r} are public here"[:200])
        return wave

    def of(self, surveys: Surveys, wave: Wave) -> tuple[Survey, dict[str, Any]]:
        """The survey, and its results with small cells hidden. Until the deadline there are no
        questions in them: what one more answer changes would be that answer."""
        survey, _ = surveys.survey(wave.survey, wave.version)
        stamp = (wave.version, surveys.changed(wave.id))
        known = self._kept.get(wave.id)
        if known is None or known[0] != stamp:
            if len(self._kept) > 20:
                self._kept.clear()
            known = (stamp, results(survey, list(surveys.responses(wave.id)), public=True))
            self._kept[wave.id] = known
        over = surveys.now() > wave.deadline
        return survey, known[1] if over else known[1] | {"questions": []}


def wave_document(surveys: Surveys, wave: Wave) -> dict[str, Any]:
    """A wave as programs read it."""
    survey, _ = surveys.survey(wave.survey, wave.version)
    return {
        "id": wave.id,
        "survey": wave.survey,
        "version": wave.version,
        "title": survey.title,
        "opened": to_iso(wave.opened),
        "deadline": to_iso(wave.deadline),
        "zone": wave.place or None,
        "over": surveys.now() > wave.deadline,
        "results": wave.results,
        "example": wave.example,
    }


def results_csv(found: dict[str, Any], language: str) -> str:
    """Results as a table: a row for each region, choice and figure; hidden cells are empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_HEAD)
    for row in _rows(found, language):
        writer.writerow(["" if cell is None else plain(cell) for cell in row])
    return out.getvalue()


def _rows(found: dict[str, Any], language: str) -> list[list[Any]]:
    rows: list[list[Any]] = [
        ["", "", "invited", None, "", "", found["invited"], None, None, None],
        ["", "", "answered", None, "", "", found["answered"], found["rate"], None, None],
    ]
    for region in found["regions"]:
        name = region["region"]
        rows += [
            ["", "", "region", None, name, "", region["answered"], region["rate"], None, region["invited"]],
        ]  # fmt: skip
    for question in found["questions"]:
        about = [
            question["name"],
            said(question["label"], language),
            question["kind"],
            question["n"],
        ]
        parts = [
            [each["name"], said(each["label"], language), each["count"], each["share"], each["weighted"], None]
            for each in question.get("choices", ())
        ]  # fmt: skip
        parts += [
            [name, "", None, None, None, value]
            for name, value in (question.get("numbers") or {}).items()
        ]
        parts += [
            [f"measured: {name}", "", count, None, None, None]
            for name, count in question.get("measured", {}).items()
        ]
        rows += [[*about, *part] for part in parts or [[None] * 6]]
    return rows


def plain(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value
