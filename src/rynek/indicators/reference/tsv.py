r"""Tables as Eurostat's API gives them: tab-separated, with the codes of a series in one cell.

The first line names the dimensions and years (`freq,indic_ur,cities\TIME_PERIOD`, tab, 2016 …); the
last dimension is the key, and of the others one series is taken (SDMX 2.1 and 3.0, format TSV).
"""

from __future__ import annotations

import re
from typing import Final

from rynek.base.errors import BadRequestData
from rynek.indicators.reference.definition import Definition

__all__ = ["YEAR", "is_tsv", "read_tsv"]

YEAR: Final = re.compile(r"\d{4}")
_END: Final = "\\TIME_PERIOD"


def is_tsv(text: str) -> bool:
    """Whether a text begins as such a table does."""
    return _END in text[:1000].partition("\t")[0]


def read_tsv(
    text: str, source: Definition, name: str
) -> tuple[dict[str, str], list[str], list[list[str]]]:
    """The series taken, the years, and rows of key and cells. BadRequestData where nothing says
    which of several series is meant, or it is not there."""
    lines = text.splitlines()
    head, *columns = lines[0].split("\t")
    dimensions = head.partition("\\")[0].split(",")
    years = [one.strip() for one in columns]
    wrong = [one for one in years if not YEAR.fullmatch(one)]
    if wrong or len(set(years)) < len(years):
        raise BadRequestData(f"{name}: the heading has {(wrong or years)[:3]}, no years")
    unknown = sorted(set(source.series) - set(dimensions[:-1]))
    if unknown:
        raise BadRequestData(f"{name} has no dimension {unknown[0]!r}, but {', '.join(dimensions)}")
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
    several = [one for one in found if len(found[one]) > 1 and one not in source.series]
    if several:
        one = several[0]
        raise BadRequestData(
            f"{name} has several of {one} ({', '.join(sorted(found[one])[:5])}); name one of them"
            " in the definition, under series"
        )
    if not rows:
        raise BadRequestData(f"{name} has no series {source.series}")
    return {one: source.series.get(one, min(found[one])) for one in found}, years, rows
