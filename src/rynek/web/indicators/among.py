"""One row of a reference table among its peers: those of its kind with half to twice its people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rynek.web.contract import said
from rynek.web.i18n import Translator
from rynek.web.indicators import words
from rynek.web.indicators.beside import cell_words, column_name
from rynek.web.indicators.drawing import strip
from rynek.web.indicators.tables import Sheet

__all__ = ["among"]

_FACTOR: Final = 2.0
_ENOUGH: Final = 8
_QUARTER: Final = 0.75
_NEAR: Final = 5


def among(t: Translator, sheet: Sheet, row: int) -> dict[str, Any]:
    """What the page of a row shows: its figures, each with its place among the peers."""
    peers = _peers(sheet, row)
    lines = [_line(t, sheet, column, row, peers) for column in _numbers(sheet)]
    about = sheet.kept.about
    enough = len(peers) >= _ENOUGH
    return {
        "name": sheet.names[row],
        "table": said(sheet.title, t.language),
        "facts": _facts(t, sheet, row),
        "lines": [one for one in lines if one["value"] != "–"],
        "strong": [one for one in lines if one["verdict"] == "strong"],
        "weak": [one for one in lines if one["verdict"] == "weak"],
        "peers": _who(t, sheet, row, len(peers)),
        "enough": enough,
        "near": [f"{sheet.kept.id}:{sheet.table.keys[one]}" for one in _nearest(sheet, row, peers)],
        "source": f"{said(about['publisher'], t.language)}; {words.source_name(t, about)}",
        "source_url": str(about.get("url") or ""),
    }


def _numbers(sheet: Sheet) -> list[Mapping[str, Any]]:
    """Columns of numbers that say something of a place (not where it lies)."""
    left = {"latitude", "longitude", sheet.roles.get("population", "")}
    return [
        one
        for one in sheet.columns
        if one.get("kind", "number") == "number" and one["name"] not in left
    ]


def _facts(t: Translator, sheet: Sheet, row: int) -> list[tuple[str, str]]:
    """What it is, where it lies, how many live there."""
    found = []
    for role in ("kind", "region", "population"):
        column = sheet.roles.get(role)
        if column is not None:
            about = next(one for one in sheet.columns if one["name"] == column)
            text = cell_words(t, sheet, about, sheet.cell(row, column))
            found.append((column_name(t, about), text))
    return found


def _peers(sheet: Sheet, row: int) -> list[int]:
    """Rows of the same kind with between half and twice as many people."""
    kind, people = sheet.role(row, "kind"), sheet.role(row, "population")
    found = []
    for other in range(len(sheet.names)):
        if other == row or sheet.role(other, "kind") != kind:
            continue
        many = sheet.role(other, "population")
        if people and not (many and 1 / _FACTOR <= float(many) / float(people) <= _FACTOR):
            continue
        found.append(other)
    return found


def _nearest(sheet: Sheet, row: int, peers: Sequence[int]) -> list[int]:
    """The peers whose number of people is nearest."""
    people = float(sheet.role(row, "population") or 0)
    return sorted(peers, key=lambda one: abs(float(sheet.role(one, "population") or 0) - people))[
        :_NEAR
    ]


def _who(t: Translator, sheet: Sheet, row: int, many: int) -> str:
    """Who the peers are, in words."""
    kind = sheet.role(row, "kind")
    if sheet.roles.get("population") is None:
        return t(
            "The table does not say how many people live where: all %(num)s others are taken.",
            num=t.number(many, 0),
        )
    if kind is None:
        return t.n(
            "%(num)s place has between half and twice as many people.",
            "%(num)s places have between half and twice as many people.",
            many,
        )
    return t.n(
        "%(num)s place is of the same kind (%(kind)s) and has between half and twice as many people.",
        "%(num)s places are of the same kind (%(kind)s) and have between half and twice as many people.",
        many,
        kind=kind,
    )


def _compared(sheet: Sheet, column: Mapping[str, Any], row: int) -> float | None:
    """The number that is compared: amounts of money for each inhabitant."""
    value = sheet.cell(row, column["name"])
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    people = sheet.role(row, "population")
    if not sheet.unit(column).startswith("thousand "):
        return float(value)
    return 1000 * value / float(people) if people else None


def _line(
    t: Translator, sheet: Sheet, column: Mapping[str, Any], row: int, peers: Sequence[int]
) -> dict[str, Any]:
    own = _compared(sheet, column, row)
    theirs = [value for one in peers if (value := _compared(sheet, column, one)) is not None]
    text = cell_words(t, sheet, column, sheet.cell(row, column["name"]))
    money = sheet.unit(column).startswith("thousand ")
    if money and own is not None:
        unit = sheet.unit(column).removeprefix("thousand ")
        text = t("%(value)s per inhabitant", value=f"{words.amount(t, own)} {unit}")
    told: dict[str, Any] = {
        "name": column_name(t, column), "value": text, "standing": "", "verdict": "", "strip": "",
    }  # fmt: skip
    if own is None or len(theirs) < _ENOUGH:
        return told
    below = sum(one < own for one in theirs)
    above = sum(one > own for one in theirs)
    many = len(theirs)
    told["standing"] = t(
        "higher than %(below)s, lower than %(above)s of %(many)s",
        below=t.number(below, 0), above=t.number(above, 0), many=t.number(many, 0),
    )  # fmt: skip
    told["strip"] = strip(own, theirs)
    direction = column.get("direction") or ""
    better, worse = (below, above) if direction == "more" else (above, below)
    if direction and better >= _QUARTER * many:
        told["verdict"] = "strong"
    elif direction and worse >= _QUARTER * many:
        told["verdict"] = "weak"
    return told
