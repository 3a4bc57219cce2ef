"""Sheets of an XLSX workbook → rows, read as a stream, with bounds on what it may unpack to."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from rynek.feeds.connectors.tabular.mapping import Table
from rynek.feeds.contract import Situation

MAX_COLUMNS = 2_000
MAX_ROWS = 1_048_576
MAX_UNPACKED = 512 * 1024 * 1024


def rows(data: bytes, table: Table, situation: Situation) -> Iterator[dict[str, Any]]:
    """Rows of the named or first sheet. ValueError when it is no workbook or unpacks too large.

    Dates come as ISO texts without a zone; the columns right of the 2,000th are counted only.
    """
    import openpyxl

    _bounded(data)
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except Exception as error:  # openpyxl lets errors of zip, XML and its own through
        raise ValueError(f"not a readable XLSX workbook: {error}") from None
    try:
        if table.sheet and table.sheet not in book.sheetnames:
            raise ValueError(f"no sheet {table.sheet!r}; there are: {', '.join(book.sheetnames)}")
        sheet = book[table.sheet] if table.sheet else book.worksheets[0]
        if (sheet.max_column or 0) > MAX_COLUMNS:
            situation.findings.add("columns-cut", "warning", f"{sheet.max_column} columns")
        stream = sheet.iter_rows(
            min_row=1 + table.skip, max_row=MAX_ROWS, max_col=MAX_COLUMNS, values_only=True
        )
        yield from _named(stream, table, situation)
    except (KeyError, IndexError, TypeError, zipfile.BadZipFile, SyntaxError) as error:
        raise ValueError(f"not a readable XLSX workbook: {error}") from None
    finally:
        book.close()


def _named(
    stream: Iterator[tuple[Any, ...]], table: Table, situation: Situation
) -> Iterator[dict[str, Any]]:
    names = list(table.columns) or [_plain(cell) for cell in next(stream, ())]
    while names and not names[-1]:
        names.pop()
    header = [str(name).strip() or f"column {n}" for n, name in enumerate(names, 1)]
    if not header:
        raise ValueError("not a table: the sheet has no header")
    for number, cells in enumerate(stream, 2 + table.skip):
        values = [_plain(cell) for cell in cells[: len(header)]]
        if not any(value != "" for value in values):
            situation.findings.add("empty-row", "info", number)
            continue
        values += [""] * (len(header) - len(values))
        yield dict(zip(header, values, strict=True))


def _plain(cell: Any) -> Any:
    if cell is None:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return cell if isinstance(cell, int | float | bool) else str(cell)[:65_536]


def _bounded(data: bytes) -> None:
    """Refuse a workbook that unpacks beyond the bound; sizes are counted, not believed."""
    left = MAX_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                with archive.open(info) as stream:
                    while block := stream.read(1 << 20):
                        left -= len(block)
                        if left < 0:
                            raise ValueError(f"the workbook unpacks to over {MAX_UNPACKED} bytes")
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"not a readable XLSX workbook: {error}") from None
