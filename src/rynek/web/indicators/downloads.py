"""Values as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, Final

from rynek.base.clock import to_iso
from rynek.indicators import Value

__all__ = ["safe_cell", "values_csv"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_HEAD: Final = (
    "city", "indicator", "name", "theme", "period", "start", "end", "status", "value", "unit",
    "unit_code", "direction", "coverage", "least_coverage", "interval_low", "interval_high",
    "standard_error", "things", "readings", "first_reading", "last_reading", "type", "attribute",
    "table_version", "query_sha256",
)  # fmt: skip


def values_csv(city: str, values: Iterable[Value], language: str) -> str:
    """One row for each value, columns named as in the JSON document; times in UTC."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(_HEAD)
    for one in values:
        writer.writerow([safe_cell(cell) for cell in _cells(city, one, language)])
    return out.getvalue()


def _cells(city: str, one: Value, language: str) -> list[Any]:
    about, origin, period = one.definition, one.provenance, one.period
    low, high = one.interval or (None, None)
    return [
        city, about.id, about.name[language], about.theme, period.label, to_iso(period.start),
        to_iso(period.end), one.status, one.value, about.unit, about.unit_code, about.direction,
        one.coverage, about.least_coverage, low, high, one.standard_error, len(one.things),
        one.readings, _time(one.first), _time(one.last), origin.type, origin.attribute,
        origin.version, origin.digest,
    ]  # fmt: skip


def _time(us: int | None) -> str:
    return "" if us is None else to_iso(us)


def safe_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula begins with an apostrophe; no value is an
    empty cell."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
