"""Sheets of an XLSX workbook → rows, read as a stream, with bounds on what it may unpack to."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from rynek.feeds.connectors.tabular.mapping import Table
from rynek.feeds.contract import Situation
from rynek.feeds.kit.content import ZIP_ERRORS, zip_entries

MAX_COLUMNS = 2_000
MAX_ROWS = 1_048_576
MAX_CELLS = 20_000_000
MAX_UNPACKED = 512 * 1024 * 1024
# What openpyxl keeps whole is bounded by its tags (a shared text has four, and costs 15 µs), what
# it streams only loosely.
MAX_TAGS = 4_000_000
MAX_SHEET_TAGS = 100_000_000

# It warns of each odd cell in other words, and Python remembers every warning that was worded anew.
warnings.filterwarnings("ignore", module=r"openpyxl\.")


def rows(data: bytes, table: Table, situation: Situation) -> Iterator[dict[str, Any]]:
    """Rows of the named or first sheet. ValueError when it is no workbook or unpacks too large.

    Dates come as ISO texts without a zone; the columns right of the 2,000th are counted only.
    """
    import openpyxl

    _bounded(data)
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except Exception as error:  # openpyxl lets errors of zip, XML and its own through
        raise _unreadable(error) from None
    try:
        yield from _sheet(book, table, situation)
    finally:
        book.close()


def first_rows(data: bytes, count: int) -> list[tuple[Any, ...]]:
    """The first rows of the first sheet, as they are; none where it has none. ValueError as above."""
    import openpyxl

    _bounded(data)
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except Exception as error:
        raise _unreadable(error) from None
    try:
        sheet = book.worksheets[0] if book.worksheets else None
        if not hasattr(sheet, "iter_rows"):
            return []
        return [tuple(map(_plain, cells)) for cells in _cells(sheet, 1, count, MAX_COLUMNS)]
    finally:
        book.close()


def _unreadable(error: Exception) -> ValueError:
    return ValueError(f"not a readable XLSX workbook: {error or type(error).__name__}")


def _sheet(book: Any, table: Table, situation: Situation) -> Iterator[dict[str, Any]]:
    if table.sheet and table.sheet not in book.sheetnames:
        raise ValueError(f"no sheet {table.sheet!r}; there are: {', '.join(book.sheetnames)}")
    if not book.worksheets:
        raise ValueError("not a table: the workbook has no sheet")
    sheet = book[table.sheet] if table.sheet else book.worksheets[0]
    if not hasattr(sheet, "iter_rows"):
        raise ValueError("not a table: the sheet is a chart")
    if (sheet.max_column or 0) > MAX_COLUMNS:
        situation.findings.add("columns-cut", "warning", f"{sheet.max_column} columns")
    first = 1 + table.skip
    header = list(table.columns)
    if not header:
        header = _header(next(_cells(sheet, first, first, MAX_COLUMNS), ()))
        first += 1
    if not header:
        raise ValueError("not a table: the sheet has no header")
    yield from _named(_cells(sheet, first, MAX_ROWS, len(header)), header, first, situation)


def _header(cells: tuple[Any, ...]) -> list[str]:
    names = [_plain(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return [str(name).strip() or f"column {n}" for n, name in enumerate(names, 1)]


def _cells(sheet: Any, first: int, last: int, width: int) -> Iterator[tuple[Any, ...]]:
    """Rows of that many cells; whatever openpyxl stumbles on is a ValueError."""
    stream = sheet.iter_rows(min_row=first, max_row=last, max_col=width, values_only=True)
    while True:
        try:
            cells = next(stream, None)
        except Exception as error:
            raise _unreadable(error) from None
        if cells is None:
            return
        yield cells


def _named(
    stream: Iterator[tuple[Any, ...]], header: list[str], first: int, situation: Situation
) -> Iterator[dict[str, Any]]:
    width = len(header)
    for number, cells in enumerate(stream):
        if number * width > MAX_CELLS:
            raise ValueError(f"a sheet of more than {MAX_CELLS} cells")
        values = [_plain(cell) for cell in cells[:width]]
        if not any(value != "" for value in values):
            situation.findings.add("empty-row", "info", first + number)
            continue
        values += [""] * (width - len(values))
        yield dict(zip(header, values, strict=True))


def _plain(cell: Any) -> Any:
    if cell is None:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return cell if isinstance(cell, int | float | bool) else str(cell)[:65_536]


def _bounded(data: bytes) -> None:
    """Refuse a workbook that unpacks beyond the bounds; sizes are counted, not believed."""
    left, tags = MAX_UNPACKED, MAX_TAGS
    sheet_tags = MAX_SHEET_TAGS
    try:
        with zip_entries(data) as archive:
            for info in archive.infolist():
                sheet = "worksheets/" in info.filename
                with archive.open(info) as stream:
                    while block := stream.read(1 << 20):
                        left -= len(block)
                        found = block.count(b"<")
                        sheet_tags -= found if sheet else 0
                        tags -= 0 if sheet else found
                        if left < 0:
                            raise ValueError(f"the workbook unpacks to over {MAX_UNPACKED} bytes")
                        if tags < 0 or sheet_tags < 0:
                            raise ValueError("the workbook has too many texts or cells")
    except (zipfile.BadZipFile, *ZIP_ERRORS) as error:
        raise _unreadable(error) from None
