"""Which rows a question is about, and the scan that reads them: SQL over files and newer rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from rynek.context import TimeProperty

from .files import Part
from .schema import COLUMNS, ENTITY, Reading
from .tail import View

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_000_000
TAIL = "tail_rows"


class Selection(msgspec.Struct, kw_only=True, frozen=True):
    """Which readings: empty or None means all. Time is [start, end) of `time_property`, epoch µs.

    `observed_only` leaves out readings without observedAt (their time is the write's own);
    `deleted` lets the marks of deleted attributes in, and of deleted entities (`attr` empty).
    """

    entity_ids: tuple[str, ...] | None = None
    types: tuple[str, ...] = ()
    attrs: tuple[str, ...] = ()
    dataset_ids: tuple[str | None, ...] | None = None
    start: int | None = None
    end: int | None = None
    time_property: TimeProperty = "observedAt"
    observed_only: bool = False
    deleted: bool = False


class Scan(msgspec.Struct, frozen=True):
    """What to read: a SELECT with its parameters, and the rows it calls `tail_rows`."""

    sql: str
    values: list[Any]
    rows: list[Reading]


def parts_of(view: View, select: Selection) -> list[Part]:
    """The files that may hold rows of the selection."""
    timed = select.time_property == "observedAt"
    return view.snapshot.select(
        select.entity_ids, select.start if timed else None, select.end if timed else None
    )


def rows_of(view: View, select: Selection) -> list[Reading]:
    """The rows above the table that may belong to the selection (the scan tests the rest)."""
    return [
        row
        for row in view.rows(select.entity_ids)
        if (not select.attrs or row.attr in select.attrs)
        and (not select.types or row.type in select.types)
        and (select.deleted or row.attr != ENTITY)
    ]


def make_scan(folder: Path, view: View, select: Selection) -> Scan:
    """The scan of a selection, with `us` (time as epoch µs) beside the table's columns."""
    parts, rows = parts_of(view, select), rows_of(view, select)
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    sources = []
    if parts:
        paths = ", ".join(_quoted(folder / part.path) for part in parts)
        sources.append(f"SELECT {names} FROM read_parquet([{paths}], hive_partitioning=false)")
    if rows or not parts:
        sources.append(f"SELECT {names} FROM {TAIL}")
    tests, values = _conditions(select)
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    sql = f"SELECT *, epoch_us(time) AS us FROM ({' UNION ALL '.join(sources)}){where}"
    return Scan(sql, values, rows)


def _conditions(select: Selection) -> tuple[list[str], list[Any]]:
    tests: list[str] = []
    values: list[Any] = []

    def test(sql: str, value: Any) -> None:
        tests.append(sql)
        values.append(value)

    for column, wanted in (
        ("entity_id", select.entity_ids),
        ("type", select.types or None),
        ("attr", select.attrs or None),
    ):
        if wanted is not None:
            test(*_among(column, wanted))
    if select.dataset_ids is not None:
        named = [one for one in select.dataset_ids if one is not None]
        sql, value = _among("dataset_id", named)
        test(f"({sql} OR dataset_id IS NULL)" if None in select.dataset_ids else sql, value)
    moment = "time" if select.time_property == "observedAt" else '"at"'
    if select.start is not None:
        test(f"{moment} >= ?", to_datetime(select.start))
    if select.end is not None:
        test(f"{moment} < ?", to_datetime(select.end))
    if select.observed_only:
        tests.append("observed")
    if select.time_property == "deletedAt":
        tests.append("deleted")
    elif not select.deleted:
        tests.append("NOT deleted")
    return tests, values


def _among(column: str, wanted: Sequence[str]) -> tuple[str, Any]:
    if len(wanted) == 1:
        return f"{column} = ?", wanted[0]
    return f"{column} IN (SELECT unnest(?::VARCHAR[]))", list(wanted)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def to_datetime(micros: int) -> datetime:
    """Epoch microseconds → an aware datetime; clamped to what a datetime can be."""
    return _EPOCH + timedelta(microseconds=min(max(micros, _EARLIEST), _LATEST))
