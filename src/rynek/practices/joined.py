"""Times that stand in several columns (year and month, year and quarter, …), as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.practices.specification import Specification
from rynek.practices.written import month_of

__all__ = ["with_one_time"]

_QUARTERS: Final = ("q", "kw", "kv", "čtvr", "ctvr", "кварт", "тримес")
_WEEKS: Final = ("w", "tyd", "týd", "тижд", "седм", "недељ", "nedel")
_MONTHS: Final = ("m", "měs", "mes", "місяц", "месец")
_MOST: Final = {"month": 12, "quarter": 4, "week": 53, "day": 31}


def with_one_time(
    tables: Sequence[Any], spec: Specification, called: str
) -> tuple[Sequence[Any], Specification]:
    """The tables with the columns that `time` names (year and month, quarter or week, and the day)
    as one, and the specification that names that one; both as they are where `time` names one.
    BadRequestData."""
    names = spec.time
    if names is None or isinstance(names, str):
        return tables, spec
    if not 2 <= len(names) <= 3:
        raise BadRequestData("time: one column, or those of year and month (and day)")
    for table in tables:
        for name in names:
            if name not in table.column_names:
                raise BadRequestData(f"{called} has no column {name!r} (time)")
            if table.column_names.count(name) > 1:
                raise BadRequestData(f"{called} has two columns {name!r}")
    parts = [[one for table in tables for one in table[name].to_pylist()] for name in names]
    kind = _kind(names, parts[1])
    if kind != "month" and len(names) == 3:
        raise BadRequestData("time: a day follows a month, as in ['year', 'month', 'day']")
    texts = [_text(row, kind, names, number) for number, row in enumerate(zip(*parts, strict=True))]
    # The parts are no places of a table with a column for each; a filter may still ask for them.
    spent = [one for one in names if one not in {*spec.where, *spec.columns()}]
    joined, start = " and ".join(names), 0
    found = []
    for table in tables:
        some = texts[start : start + table.num_rows]
        start += table.num_rows
        found.append(_with(table, joined, some).drop_columns(spent))
    return found, msgspec.structs.replace(spec, time=joined)


def _with(table: Any, name: str, values: list[str | None]) -> Any:
    import pyarrow as pa

    return table.append_column(name, pa.array(values, "string"))


def _kind(names: Sequence[str], values: Sequence[Any]) -> str:
    """What the second column counts: by its name, or by what stands in it."""
    name = names[1].strip().lower()
    for kind, starts in (("quarter", _QUARTERS), ("week", _WEEKS), ("month", _MONTHS)):
        if name.startswith(starts):
            return kind
    largest = max((_whole(one) or 0 for one in values), default=0)
    if len(names) == 2 and 1 <= largest <= _MOST["quarter"]:
        raise BadRequestData(
            f"time: column {names[1]!r} goes from 1 to {largest}: months or quarters? Call it month"
            " or quarter"
        )
    return "month"


def _text(row: Sequence[Any], kind: str, names: Sequence[str], number: int) -> str | None:
    if all(one is None or str(one).strip() == "" for one in row):
        return None
    year, part = _whole(row[0]), _whole(row[1])
    if part is None and kind == "month":
        part = month_of(str(row[1]).strip())
    day = _whole(row[2]) if len(row) > 2 else 1
    wrong = year is None or not 1000 <= year <= 3000
    wrong = wrong or part is None or not 1 <= part <= _MOST[kind]
    if wrong or day is None or not 1 <= day <= _MOST["day"]:
        told = ", ".join(f"{name} {str(one)[:20]!r}" for name, one in zip(names, row, strict=True))
        raise BadRequestData(f"time: row {number + 1} has {told}, which is no {kind} of a year")
    if kind == "month":
        return f"{year}-{part:02}" + (f"-{day:02}" if len(row) > 2 else "")
    return f"{year}-Q{part}" if kind == "quarter" else f"{year}-W{part:02}"


def _whole(value: Any) -> int | None:
    """A whole number, also as text or as 5.0; None for anything else."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return int(found) if found.is_integer() else None
