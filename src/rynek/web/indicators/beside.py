"""Cities and rows of tables side by side: a table for what is measured, one for each table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from markupsafe import Markup

from rynek.indicators import Definition, Value, definitions
from rynek.web.contract import said
from rynek.web.i18n import Translator
from rynek.web.indicators import words
from rynek.web.indicators.chosen import City, Unit
from rynek.web.indicators.downloads import safe_cell
from rynek.web.indicators.gathering import told
from rynek.web.indicators.periods import DAY_US
from rynek.web.indicators.tables import Sheet
from rynek.web.pages.labels import humanised

__all__ = [
    "Block",
    "Cell",
    "Line",
    "cell_words",
    "column_name",
    "measured",
    "span_of",
    "table_csv",
    "tables",
]

_THOUSAND: Final = "thousand "
# Six weeks: a bicycle in June says nothing about one in December.
_SEASON: Final = 42 * DAY_US


class Cell(NamedTuple):
    """One value: in words, more in small print, how long its bar is (0 to 1), whether it is best."""

    text: str
    more: str = ""
    share: float | None = None
    best: bool = False
    number: float | None = None

    @property
    def bar(self) -> Markup:
        """The value as a bar from nought; nothing where that says nothing."""
        if self.share is None:
            return Markup()
        return Markup(  # noqa: S704 - numbers alone
            '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
            '<rect class="track" x="0" y="3" width="100" height="2"/><rect class="done" x="0" y="1"'
            f' width="{100 * self.share:.1f}" height="6"/></svg>'
        )


class Line(NamedTuple):
    """One row: what it is, which way is better, and a cell for each that is compared."""

    name: str
    url: str
    note: str
    cells: list[Cell]


class Block(NamedTuple):
    """One table: its heading, the columns' names and addresses, its rows and its source."""

    title: str
    anchor: str
    heads: list[tuple[str, str]]
    lines: list[Line]
    source: str
    url: str
    spans: Sequence[str] = ()
    """From when to when each of the columns is, where they have a time of their own."""


def measured(t: Translator, cities: Sequence[City], query: str) -> list[Block]:
    """What was measured in the cities, a block for each theme."""
    blocks: dict[str, list[Line]] = {}
    for one in definitions():
        found = [city.values.get(one.id) for city in cities]
        if any(value is not None and told(value) for value in found):
            blocks.setdefault(one.theme, []).append(_measured(t, one, found, cities, query))
    heads = [(city.name, city.url) for city in cities]
    spans = [span_of(t, city) for city in cities]
    named = sorted((words.theme_name(t, theme), theme, lines) for theme, lines in blocks.items())
    return [
        Block(name, "theme-" + theme.replace(" ", "-"), heads, lines, "", "", spans)
        for name, theme, lines in named
    ]


def span_of(t: Translator, city: City) -> str:
    """From when to when a city's values are, in words; nothing where there are none."""
    times = [one.period for one in city.values.values() if one.definition.computation is not None]
    if not times:
        return ""
    first, last = min(one.start for one in times), max(one.end for one in times)
    return f"{t.minute(first, times[0].zone)} – {t.minute(last, times[0].zone)}"


def _measured(
    t: Translator,
    one: Definition,
    found: Sequence[Value | None],
    cities: Sequence[City],
    query: str,
) -> Line:
    known = [value for value in found if value is not None and value.value is not None]
    most = max((abs(value.value or 0.0) for value in known), default=0.0)
    best = _best(one, known)
    cells = [
        _value_cell(t, value, most, best=value is best, beside=len(known) > 1)
        if value or not city.late
        else Cell("…")
        for city, value in zip(cities, found, strict=True)
    ]
    about = next((city for city, value in zip(cities, found, strict=True) if value), cities[0])
    url = f"{about.url}/{one.id}?{query}"
    return Line(one.name[t.language], url, words.direction(t, one), cells)


def _best(one: Definition, known: Sequence[Value]) -> Value | None:
    """The value that is better than every other, and told apart from each; None without one, or
    where they are of different seasons."""
    if len(known) < 2 or one.direction == "none":
        return None
    ends = [value.period.end for value in known]
    if max(ends) - min(ends) > _SEASON:
        return None
    first = max(known, key=lambda value: words.goodness(one, value.value or 0.0))
    others = (value for value in known if value is not first)
    return first if all(words.apart(first, value) for value in others) else None


def _value_cell(
    t: Translator, value: Value | None, most: float, *, best: bool, beside: bool
) -> Cell:
    if value is None:
        return Cell("–", t("no such things"))
    if not told(value):
        return Cell("–", t("Nothing was observed in this time."))
    observed = t("observed: %(share)s", share=words.coverage(t, value))
    if value.value is None:
        return Cell(t("not enough data"), words.missing(t, value))
    reach = words.interval(t, value)
    more = f"{reach} · {observed}" if reach else observed
    # A bar tells of others: alone it would be as long as any.
    share = max(value.value, 0.0) / most if most > 0 and beside else None
    return Cell(words.figure(t, value.value, value.definition.unit), more, share, best, value.value)


def tables(t: Translator, units: Sequence[Unit]) -> list[Block]:
    """The rows of reference tables, a block for each table."""
    found: dict[str, list[Unit]] = {}
    for one in units:
        found.setdefault(one.sheet.kept.id, []).append(one)
    return [_table(t, name, rows) for name, rows in found.items()]


def _table(t: Translator, name: str, units: Sequence[Unit]) -> Block:
    sheet = units[0].sheet
    about = sheet.kept.about
    shown = [one for one in sheet.columns if one["name"] not in _named(sheet)]
    lines = [_line(t, sheet, column, units) for column in shown]
    return Block(
        said(sheet.title, t.language),
        "table-" + name,
        [(one.name, one.url) for one in units],
        [line for line in lines if any(cell.text != "–" for cell in line.cells)],
        f"{said(about['publisher'], t.language)}; {words.source_name(t, about)}",
        str(about.get("url") or ""),
    )


def _named(sheet: Sheet) -> set[str]:
    """Columns that are shown as the name itself, or say it again."""
    names = [str(one["name"]) for one in sheet.columns]
    codes = {one for one in names if f"{one}_name" in names or one.endswith("_code")}
    return {sheet.roles.get("name", ""), "name", "latitude", "longitude", *codes}


def column_name(t: Translator, column: Mapping[str, Any]) -> str:
    """What a column is called, with the time that it is of."""
    title = said(column.get("title") or "", t.language) or humanised(str(column["name"]))
    period = str(column.get("period") or "")
    return f"{title}, {period}" if period and period not in title else title


def _line(t: Translator, sheet: Sheet, column: Mapping[str, Any], units: Sequence[Unit]) -> Line:
    values = [sheet.cell(one.row, column["name"]) for one in units]
    per = [_per(sheet, column, one.row, value) for one, value in zip(units, values, strict=True)]
    # What is divided by the inhabitants is compared as such.
    plain = [
        None if isinstance(value, str) or value is None else float(value)
        for value in (per if any(one is not None for one in per) else values)
    ]
    most = max((number for number in plain if number is not None), default=0.0)
    compared_with = sum(number is not None for number in plain) > 1
    number = column.get("kind") not in ("flag", "text") and compared_with
    direction = str(column.get("direction") or "")
    best = _best_number(plain, direction)
    cells = []
    for value, each, compared in zip(values, per, plain, strict=True):
        share = (
            compared / most
            if number and compared is not None and 0 < most >= compared >= 0
            else None
        )
        text, more = cell_words(t, sheet, column, value), ""
        if each is not None:
            unit = sheet.unit(column).removeprefix(_THOUSAND)
            told = f"{words.amount(t, each)} {unit}"
            text, more = t("%(value)s per inhabitant", value=told), text
        cells.append(Cell(text, more, share, compared is not None and compared == best, compared))
    notes = {"more": t("more is better"), "less": t("less is better")}
    return Line(column_name(t, column), "", notes.get(direction, ""), cells)


def _best_number(values: Sequence[float | None], direction: str) -> float | None:
    known = [one for one in values if one is not None]
    if not direction or len(known) < 2 or min(known) == max(known):
        return None
    best = max(known) if direction == "more" else min(known)
    return best if known.count(best) == 1 else None


def _per(sheet: Sheet, column: Mapping[str, Any], row: int, value: Any) -> float | None:
    """An amount of money for each inhabitant; None where it is none, or nobody counted them."""
    people = sheet.role(row, "population")
    unit = sheet.unit(column)
    if not unit.startswith(_THOUSAND) or not isinstance(value, int | float) or not people:
        return None
    return 1000 * value / float(people)


def cell_words(t: Translator, sheet: Sheet, column: Mapping[str, Any], value: Any) -> str:
    """A cell of a reference table in words."""
    if value is None or value == "":
        return "–"
    if isinstance(value, str):
        return value
    if value == 0 and column.get("zero"):
        return said(column["zero"], t.language)
    if column.get("kind") == "flag":
        return t("yes") if value else t("no")
    unit = sheet.unit(column)
    if unit == "share":
        return t.number(round(100 * float(value), 1), 1) + " %"
    if unit in {"", "count"}:
        return words.amount(t, float(value))
    if unit.startswith(_THOUSAND):
        return f"{words.amount(t, 1000 * float(value))} {unit.removeprefix(_THOUSAND)}"
    return words.figure(t, float(value), unit)


def table_csv(blocks: Sequence[Block]) -> str:
    """Everything as CSV, one row for each pair of a value and who has it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["part", "what", "of", "value", "number", "note", "time"])
    for block in blocks:
        for line in block.lines:
            spans = block.spans or [""] * len(block.heads)
            for (name, _), cell, span in zip(block.heads, line.cells, spans, strict=True):
                row = [block.title, line.name, name, cell.text, cell.number, cell.more, span]
                writer.writerow([safe_cell(one) for one in row])
    return out.getvalue()
