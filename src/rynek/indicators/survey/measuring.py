"""What is measured already of the things a survey asks: indicators and reference tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.indicators.definition import Definition, find_definition
from rynek.indicators.kpi.value import Value
from rynek.indicators.reference.importing import Imported
from rynek.indicators.survey.measured import Measured
from rynek.indicators.survey.model import REFERENCE_PREFIX, Element, Survey
from rynek.indicators.versions import Kept

__all__ = ["Figures", "measured_figures"]

Figures = dict[str, dict[str, Measured]]
"""By respondent and indicator."""
Tables = Callable[[str], tuple[Kept, Imported]]
Computed = Callable[[str, Sequence[Definition]], Iterable[Value]]


def measured_figures(
    survey: Survey,
    respondents: Sequence[str],
    tables: Tables,
    computed: Computed,
    lacking: Callable[[str], None] = lambda _: None,
) -> Figures:
    """The figures of those respondents whose ids are keys of a reference table (`tables` finds it by
    name), or cities with a history, of which `computed` gives the values of indicators.

    Nothing is kept of a figure that is not there or has too little data; `lacking` is told of each
    table that was not imported, and its questions are asked plainly. BadRequestData for an indicator or a column that does not exist, and for a fraction where a whole number is asked.
    """
    asked = {each.indicator: each for each in survey.questions if each.indicator}
    if not asked:
        raise BadRequestData(
            "no question names an indicator: put one into the column bind::rynek:indicator"
        )
    found: Figures = {one: {} for one in respondents}
    for name, element in asked.items():
        if name.startswith(REFERENCE_PREFIX):
            try:
                _from_table(element, tables, found)
            except ResourceNotFound:
                lacking(name.removeprefix(REFERENCE_PREFIX).partition("/")[0])
    wanted = [find_definition(name) for name in asked if not name.startswith(REFERENCE_PREFIX)]
    for one in respondents if wanted else ():
        for value in computed(one, wanted):
            if value.value is not None:
                name = value.definition.id
                found[one][name] = _fitting(asked[name], _of_value(value))
    return {one: figures for one, figures in found.items() if figures}


def _from_table(element: Element, tables: Tables, found: Figures) -> None:
    table, _, column = element.indicator.removeprefix(REFERENCE_PREFIX).partition("/")
    kept, body = tables(table)
    cells = body.columns.get(column)
    if cells is None:
        raise BadRequestData(
            f"question {element.name!r}: the table {table!r} has no column {column!r}; it has"
            f" {', '.join(sorted(body.columns)[:20])}"
        )
    period = str(kept.about.get("period") or "")
    source = f"{kept.about.get('title') or table} (version {kept.version})"
    for key, cell in zip(body.keys, cells, strict=True):
        if key in found and isinstance(cell, int | float) and not isinstance(cell, bool):
            one = Measured(float(cell), source, _unit(kept, column), period)
            found[key][element.indicator] = _fitting(element, one)


def _unit(kept: Kept, column: str) -> str:
    for each in kept.about.get("columns", ()):
        if each.get("name") == column:
            return str(each.get("unit") or "")
    return ""


def _of_value(value: Value) -> Measured:
    low, high = value.interval or (None, None)
    return Measured(
        value=float(value.value or 0.0),
        source=f"{value.definition.id} ({value.provenance.table} version {value.provenance.version})",
        unit=value.definition.unit,
        period=value.period.label,
        coverage=value.coverage,
        low=low,
        high=high,
    )


def _fitting(element: Element, one: Measured) -> Measured:
    if element.kind == "integer" and one.value != round(one.value):
        raise BadRequestData(
            f"question {element.name!r} takes whole numbers, and {element.indicator} is"
            f" {one.value:g}: make its type decimal"
        )
    return one
