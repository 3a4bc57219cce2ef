"""Reference tables as the API and the pages read them: rows by key or name, with what is said of
each column."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from rynek.base.clock import to_iso
from rynek.base.errors import ResourceNotFound
from rynek.indicators import References, to_csv
from rynek.web.contract import Text, said

__all__ = ["Reader", "Sheet", "table_about", "table_csv", "table_rows", "tables_list"]

_AT_HAND: Final = 4
_MOST_COLUMNS: Final = 400


class Sheet:
    """One version of a table, made ready to be looked at."""

    def __init__(self, kept: Any, table: Any) -> None:
        self.kept, self.table = kept, table
        self.place = {key: n for n, key in enumerate(table.keys)}
        roles: Mapping[str, str] = kept.about.get("roles") or {}
        self.roles = {role: column for role, column in roles.items() if column in table.columns}
        names = table.columns.get(self.roles.get("name", ""), table.keys)
        self.names = [str(name or key) for name, key in zip(names, table.keys, strict=True)]
        self._folded = [
            f"{name} {key}".casefold() for name, key in zip(self.names, table.keys, strict=True)
        ]
        told = {one["name"]: one for one in kept.about["columns"]}
        self.columns = [told.get(name) or {"name": name} for name in table.columns]

    @property
    def title(self) -> Text:
        """What the table is called."""
        found: Text = self.kept.about["title"]
        return found

    def found(self, text: str) -> list[int]:
        """Rows whose name or key holds every word of a text; those that begin with it first."""
        words = text.casefold().split()[:8]
        hits = [n for n, name in enumerate(self._folded) if all(word in name for word in words)]
        begin = words[0] if words else ""
        return sorted(hits, key=lambda n: (not self._folded[n].startswith(begin), self.names[n]))

    def cell(self, row: int, column: str) -> Any:
        """The value of a row in a column; None without one."""
        return self.table.columns[column][row]

    def role(self, row: int, role: str) -> Any:
        """The value of a row in the column that has a role; None without such a column."""
        column = self.roles.get(role)
        return None if column is None else self.cell(row, column)

    def unit(self, column: Mapping[str, Any]) -> str:
        """The unit of a column."""
        return str(column.get("unit") or self.kept.about.get("unit") or "")


class Reader:
    """The reference tables of an engine, with those that were read last at hand. Safe in threads."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._sheets: OrderedDict[tuple[str, int], Sheet] = OrderedDict()
        self._lock = threading.Lock()

    def newest(self) -> Sequence[Any]:
        """What there is, each in its newest version."""
        return self._references.newest()

    def numbers(self, name: str) -> list[tuple[int, int]]:
        """The versions of a table and when each was imported."""
        return self._references.numbers(name)

    def find(self, name: str, version: int | None = None) -> Sheet:
        """A table, the newest version without a number. ResourceNotFound."""
        if version is None:
            numbers = self._references.numbers(name)
            if not numbers:
                raise ResourceNotFound(f"there is no reference table {name[:80]!r}")
            version = numbers[-1][0]
        key = (name, version)
        with self._lock:
            if key not in self._sheets:
                self._sheets[key] = Sheet(*self._references.find(name, version))
                while len(self._sheets) > _AT_HAND:
                    self._sheets.popitem(last=False)
            self._sheets.move_to_end(key)
            return self._sheets[key]


class _Rows(NamedTuple):
    rows: list[int]
    total: int


def tables_list(reader: Reader, language: str) -> dict[str, Any]:
    """Every table in short."""
    return {
        "tables": [
            {
                "id": one.id,
                "version": one.version,
                "imported": to_iso(one.at),
                "title": said(one.about["title"], language),
                "publisher": said(one.about["publisher"], language),
                "licence": one.about["licence"],
                "url": one.about["url"],
                "period": one.about["period"],
                "rows": one.about["rows"],
            }
            for one in reader.newest()
        ]
    }


def table_about(reader: Reader, name: str, version: int | None) -> dict[str, Any]:
    """All that is said of a table."""
    sheet = reader.find(name, version)
    kept = sheet.kept
    about = {key: value for key, value in kept.about.items() if key != "file"}
    return about | {
        "id": kept.id,
        "version": kept.version,
        "imported": to_iso(kept.at),
        "sha256": kept.digest,
        "columns": sheet.columns,
        "versions": [{"version": n, "imported": to_iso(at)} for n, at in reader.numbers(name)],
    }


def table_rows(
    sheet: Sheet, keys: Sequence[str], text: str, columns: Sequence[str], page: tuple[int, int]
) -> dict[str, Any]:
    """Rows by their keys, or those that a text finds; `page` is (offset, limit). ResourceNotFound
    names keys and columns that there are not."""
    names = _columns(sheet, columns)
    found = _rows(sheet, keys, text, page)
    return {
        "table": sheet.kept.id,
        "version": sheet.kept.version,
        "total": found.total,
        "rows": [
            {
                "key": sheet.table.keys[row],
                "name": sheet.names[row],
                "values": {name: sheet.cell(row, name) for name in names},
            }
            for row in found.rows
        ],
    }


def table_csv(
    sheet: Sheet, keys: Sequence[str], text: str, columns: Sequence[str], page: tuple[int, int]
) -> str:
    """The same rows as CSV."""
    names, rows = _columns(sheet, columns), _rows(sheet, keys, text, page).rows
    table = type(sheet.table)(
        [sheet.table.keys[row] for row in rows],
        {name: [sheet.cell(row, name) for row in rows] for name in names},
        {},
        {},
    )
    return to_csv(sheet.kept.about["key"], table)


def _columns(sheet: Sheet, columns: Sequence[str]) -> list[str]:
    for name in columns:
        if name not in sheet.table.columns:
            raise ResourceNotFound(f"column: there is no {name[:80]!r} in {sheet.kept.id}")
    return list(columns) or list(sheet.table.columns)[:_MOST_COLUMNS]


def _rows(sheet: Sheet, keys: Sequence[str], text: str, page: tuple[int, int]) -> _Rows:
    offset, limit = page
    for key in keys:
        if key not in sheet.place:
            raise ResourceNotFound(f"key: there is no {key[:80]!r} in {sheet.kept.id}")
    rows = [sheet.place[key] for key in keys] or sheet.found(text)
    return _Rows(rows[offset : offset + limit], len(rows))
