"""How statistical offices, spreadsheets and statistics packages write periods: as ISO has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

__all__ = ["as_iso", "month_of", "months_with_points", "two_ways"]

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_LONG: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_GAP: Final = r"[\s\-/.,:]*"
_NAME: Final = r"(?P<name>[a-z]{3,9})"
_YEAR: Final = r"(?P<year>\d{4})"
_DAY: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_PERIODS: Final = tuple(
    re.compile(one, re.IGNORECASE)
    for one in (
        # 2019/5/2 and 2019/5: the year first, as ISO has it.
        rf"{_YEAR}[/.:](?P<month>\d{{1,2}})(?:[/.](?P<day>\d{{1,2}}))?",
        # 5/2019: nothing else than a month.
        rf"(?P<month>\d{{1,2}})[/-]{_YEAR}",
        # Q2 2019, 2nd quarters as 2Q2019, 2019 Q2.
        rf"Q(?P<quarter>[1-4]){_GAP}{_YEAR}",
        rf"(?P<quarter>[1-4])Q{_GAP}{_YEAR}",
        rf"{_YEAR}{_GAP}Q(?P<quarter>[1-4])",
        # W18 2019, 2019 W18.
        rf"W(?P<week>\d{{1,2}}){_GAP}{_YEAR}",
        rf"{_YEAR}{_GAP}W(?P<week>\d{{1,2}})",
        # May 2019, 2019-May, 2 May 2019, 02may2019, May 2, 2019.
        rf"{_NAME}{_GAP}{_YEAR}",
        rf"{_YEAR}{_GAP}{_NAME}",
        rf"{_DAY}{_GAP}{_NAME}{_GAP}{_YEAR}",
        rf"{_NAME}{_GAP}{_DAY},?\s+{_YEAR}",
    )
)
_MONTH_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{4})")
_YEAR_FIRST: Final = re.compile(r"(\d{4})\.(\d{2})")
_PAIR: Final = re.compile(r"(\d{4})[/:](\d{1,2})")
_QUARTERS: Final = 4
_CALENDAR: Final = (1000, 3000)


def as_iso(text: str) -> str | None:
    """A period as ISO 8601 has it (`2019-05-02`, `2019-05`, `2019-Q2`, `2019-W18`); None where it
    is written in no such way, or in one that can be read twice."""
    for form in _PERIODS:
        found = form.fullmatch(text)
        if found is not None:
            return _iso({key: value for key, value in found.groupdict().items() if value})
    return None


def _iso(parts: dict[str, str]) -> str | None:
    year = parts["year"]
    if "quarter" in parts:
        return f"{year}-Q{parts['quarter']}"
    if "week" in parts:
        return f"{year}-W{int(parts['week']):02}"
    month = month_of(parts["name"]) if "name" in parts else int(parts["month"])
    if month is None:
        return None
    day = parts.get("day")
    return f"{year}-{month:02}" + (f"-{int(day):02}" if day else "")


def month_of(name: str) -> int | None:
    """The month of an English name, in full or by its first three letters (or four: Sept)."""
    low = name.lower()
    low = "sep" if low == "sept" else low
    for known in (_MONTHS, _LONG):
        if low in known:
            return known.index(low) + 1
    return None


def months_with_points(stamps: Sequence[Any]) -> list[str] | None:
    """Months for a column whose every cell is written as `05.2019`, or `2019.05` throughout: as
    numbers they would follow each other in another order. None where it is another column."""
    for form, year, month in ((_MONTH_FIRST, 2, 1), (_YEAR_FIRST, 1, 2)):
        dated = []
        for one in stamps:
            found = form.fullmatch(one.strip()) if isinstance(one, str) else None
            if found is None or not _is_month(int(found[year]), int(found[month])):
                break
            dated.append(f"{found[year]}-{int(found[month]):02}")
        else:
            return dated or None
    return None


def two_ways(stamps: Sequence[Any]) -> str:
    """What a column of pairs such as `2019/1` may be else than months, and how to say which: of
    school and business years each ends in the year after, of quarters none goes beyond four. ""
    where nothing else is meant."""
    pairs = [_PAIR.fullmatch(one.strip()) if isinstance(one, str) else None for one in stamps]
    found = [(int(one[1]), int(one[2])) for one in pairs if one is not None]
    if len(found) < len(pairs) or len(found) < 2:
        return ""
    if all(second == (first + 1) % 100 for first, second in found):
        return 'a year that ends in the next, or a month: write 2019, or time_format = "%Y/%m"'
    if all(1 <= second <= _QUARTERS for _, second in found):
        return 'a quarter or a month: write 2019-Q1, or time_format = "%Y/%m"'
    return ""


def _is_month(year: int, month: int) -> bool:
    return _CALENDAR[0] <= year <= _CALENDAR[1] and 1 <= month <= 12
