r"""Tables as Eurostat's API gives them: TSV, and SDMX-CSV, a line for each observation.

TSV has the codes of a series in one cell.
The first line names the dimensions and years (`freq,indic_ur,cities\TIME_PERIOD`, tab, 2016 …); the
last dimension is the key, and of the others one series is taken (SDMX 2.1 and 3.0, format TSV).
SDMX-CSV names DATAFLOW, LAST UPDATE, then the dimensions, TIME_PERIOD, OBS_VALUE and OBS_FLAG (SDMX 2.1,
format SDMX-CSV; 3.0 begins with STRUCTURE, STRUCTURE_ID).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Final

from rynek.base.errors import BadRequestData
from rynek.indicators.reference.definition import Definition

__all__ = ["YEAR", "is_sdmx_csv", "is_tsv", "read_sdmx_csv", "read_tsv"]

YEAR: Final = re.compile(r"\d{4}")
_END: Final = "\\TIME_PERIOD"
_BEGINS: Final = ("DATAFLOW", "STRUCTURE")
_TIME, _VALUE, _FLAG = "TIME_PERIOD", "OBS_VALUE", "OBS_FLAG"
_ABOUT: Final = ("DATAFLOW", "LAST UPDATE", "STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "ACTION")
_Table = tuple[dict[str, str], list[str], list[list[str]]]


def is_tsv(text: str) -> bool:
    """Whether a text begins as such a table does."""
    return _END in text[:1000].partition("\t")[0]


def is_sdmx_csv(text: str) -> bool:
    """Whether a text begins as such a table does."""
    return text[:1000].partition(",")[0].strip('"') in _BEGINS


def read_sdmx_csv(text: str, source: Definition, name: str) -> _Table:
    """As `read_tsv`, of SDMX-CSV; a key without an observation of a year has none."""
    lines = _lines(text, name)
    head = next(lines)
    if not {_TIME, _VALUE} <= set(head) or len(set(head)) < len(head):
        raise BadRequestData(f"{name}: the heading needs {_TIME} and {_VALUE}, each column once")
    dimensions = [one for one in head[: head.index(_TIME)] if one not in _ABOUT]
    if not dimensions:
        raise BadRequestData(f"{name} has no dimension before {_TIME}")
    _check_series(source, dimensions, name)
    found: dict[str, set[str]] = {one: set() for one in dimensions[:-1]}
    cells: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines, 2):
        if not line:
            continue
        if len(line) != len(head):
            raise BadRequestData(
                f"{name}, line {number}: {len(line)} cells for {len(head)} columns"
            )
        row = dict(zip(head, line, strict=True))
        for one, values in found.items():
            values.add(row[one])
        if any(row[one] != value for one, value in source.series.items()):
            continue
        year, key = row[_TIME].strip(), row[dimensions[-1]].strip()
        if not YEAR.fullmatch(year):
            raise BadRequestData(f"{name}, line {number}: {year[:20]!r} is no year")
        if year in cells.setdefault(key, {}) and not _several(source, found):
            raise BadRequestData(f"{name}, line {number}: {key[:40]!r} has two values of {year}")
        cells[key][year] = f"{row[_VALUE]} {row.get(_FLAG, '')}".strip() or ":"
    told = _one_series(source, found, name, any_rows=bool(cells))
    years = sorted({year for own in cells.values() for year in own})
    return (
        told,
        years,
        [[key, *(own.get(year, ":") for year in years)] for key, own in cells.items()],
    )


def _lines(text: str, name: str) -> Iterator[list[str]]:
    """The lines of a CSV; BadRequestData names the line that is none, as one with a cell over
    128 KiB."""
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        yield from lines
    except csv.Error as error:
        raise BadRequestData(f"{name}, line {lines.line_num}: {error}") from None


def _check_series(source: Definition, dimensions: list[str], name: str) -> None:
    unknown = sorted(set(source.series) - set(dimensions[:-1]))
    if unknown:
        raise BadRequestData(f"{name} has no dimension {unknown[0]!r}, but {', '.join(dimensions)}")


def _several(source: Definition, found: Mapping[str, set[str]]) -> list[str]:
    return [one for one in found if len(found[one]) > 1 and one not in source.series]


def _one_series(
    source: Definition, found: Mapping[str, set[str]], name: str, *, any_rows: bool
) -> dict[str, str]:
    """The series that is taken, by dimension; BadRequestData where nothing says which it is."""
    several = _several(source, found)
    if several:
        one = several[0]
        raise BadRequestData(
            f"{name} has several of {one} ({', '.join(sorted(found[one])[:5])}); name one of them"
            " in the definition, under series"
        )
    if not any_rows:
        raise BadRequestData(f"{name} has no series {source.series}")
    return {one: source.series.get(one, min(found[one])) for one in found}


def read_tsv(text: str, source: Definition, name: str) -> _Table:
    """The series taken, the years, and rows of key and cells. BadRequestData where nothing says
    which of several series is meant, or it is not there."""
    lines = text.splitlines()
    head, *columns = lines[0].split("\t")
    dimensions = head.partition("\\")[0].split(",")
    years = [one.strip() for one in columns]
    wrong = [one for one in years if not YEAR.fullmatch(one)]
    if wrong or len(set(years)) < len(years):
        raise BadRequestData(f"{name}: the heading has {(wrong or years)[:3]}, no years")
    _check_series(source, dimensions, name)
    rows: list[list[str]] = []
    found: dict[str, set[str]] = {one: set() for one in dimensions[:-1]}
    for line in filter(str.strip, lines[1:]):
        series, *cells = line.split("\t")
        given = [one.strip() for one in series.split(",")]
        if len(given) != len(dimensions):
            raise BadRequestData(f"{name}: {series[:80]!r} has no code for each of {head}")
        codes = dict(zip(dimensions, given, strict=True))
        for one, values in found.items():
            values.add(codes[one])
        if all(codes[one] == value for one, value in source.series.items()):
            rows.append([codes[dimensions[-1]], *cells])
    return _one_series(source, found, name, any_rows=bool(rows)), years, rows
