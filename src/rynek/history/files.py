"""Parquet files of one day each: sorted, in small row groups, on disk before they are named."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rynek.base.clock import parse_iso

from .schema import DAY_US, PARTITION, SORT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

ROW_GROUP = 16_384
_FEW_ROWS = 500
_LONG_AGO_DAYS = 31
_LONGEST_YEAR: Final = 366
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The last microsecond of the year 9999: nothing later can be told as a date.
_LATEST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_EARLIEST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_DICTIONARY: Final = (
    "type", "attr", "dataset_id", "kind", "text", "json", "unit_code", "source", "meta",
)  # fmt: skip
_NUMBERS: Final = ("number", "lon", "lat")
_TIMES: Final = ("time", "at")
# Fewer rows than so many an entity: its name stands better as what it adds to the one before.
_SHORT_RUN: Final = 3


class Part(msgspec.Struct, frozen=True):
    """One file of the table: where, which day (days since 1970), how much, and its bounds.

    A file of a few old rows holds a whole year and has its first day (see `by_day`).

    `plain` says that no row has a dataset id.
    """

    path: str
    day: int
    rows: int
    size: int
    min_entity: str
    max_entity: str
    min_time: int
    max_time: int
    plain: bool = False


def day_text(day: int) -> str:
    """Days since 1970 → `2026-11-22`."""
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    """Make the bytes of `path` durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def by_day(table: pa.Table, *, is_sorted: bool = False) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each UTC day of `time`, each sorted by entity, attribute and time.

    Days with few rows long before the newest stand together under the first day of their year:
    things that report times of months or years ago would make a file for every such day.
    """
    import pyarrow as pa

    days = _partitions(table)
    for day in sorted(set(days.tolist())):
        rows = table.filter(pa.array(days == day))
        # A year's few rows may come from several sorted days.
        yield day, rows if is_sorted and len(rows) > _FEW_ROWS * 366 else in_order(rows)


def in_order(rows: pa.Table) -> pa.Table:
    """The rows as they stand in a file: by entity, attribute and time."""
    return rows.sort_by([*SORT, ("seq", "ascending")])


def _partitions(table: pa.Table) -> npt.NDArray[np.int64]:
    """The partition of each row, as days since 1970."""
    import numpy as np
    import pyarrow as pa

    micros = table.column("time").cast(pa.int64()).to_numpy()
    days: npt.NDArray[np.int64] = np.floor_divide(micros, DAY_US)
    held, counts = np.unique(days, return_counts=True)
    if len(held) == 0:
        return days
    sparse = held[(counts < _FEW_ROWS) & (held < held[-1] - _LONG_AGO_DAYS)]
    years = days.astype("datetime64[D]").astype("datetime64[Y]").astype("datetime64[D]")
    return np.where(np.isin(days, sparse), years.astype(np.int64), days)


def _described(day: int, rows: pa.Table) -> Part:
    """What the table will be told of one sorted day's rows, before they are written."""
    low, high = _time_bounds(rows)
    entities = rows.column("entity_id")
    part = Part(
        path=f"{PARTITION}={day_text(day)}/part-{token_hex(12)}.parquet",
        day=day,
        rows=len(rows),
        size=0,
        min_entity=entities[0].as_py(),
        max_entity=entities[len(rows) - 1].as_py(),
        min_time=low,
        max_time=high,
        plain=rows.column("dataset_id").null_count == len(rows),
    )
    statistics(part)
    return part


def _write(rows: pa.Table, target: Any) -> None:
    import pyarrow.parquet as pq

    dictionary, encoding = _encodings(rows)
    pq.write_table(
        rows,
        target,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=3,
        use_dictionary=dictionary,
        column_encoding=encoding,
        write_statistics=["entity_id", "attr", "time", "seq", "type"],
        # What a disk turned over in a page shows when all of it is read (rynek doctor --deep).
        write_page_checksum=True,
        store_schema=False,
    )


def rehearse(rows: pa.Table) -> None:
    """Do all that writing these rows takes, but for the disk; raises what that would raise."""
    import pyarrow as pa

    for day, part in by_day(rows):
        _described(day, part)
        _write(part, pa.BufferOutputStream())


def write_part(root: Path, day: int, rows: pa.Table) -> Part:
    """Write one sorted day's rows as a new file and sync it; the table does not know it yet.

    Where that fails, nothing of it is left.
    """
    part = _described(day, rows)
    path = root / part.path
    folder = path.parent
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _write(rows, path)
        fsync_file(path)
        fsync_folder(folder)
        if fresh:
            fsync_folder(root)
        return msgspec.structs.replace(part, size=path.stat().st_size)
    except BaseException:
        discard(root, [part])
        raise


def discard(root: Path, parts: Iterable[Part]) -> None:
    """Remove files that the table does not know, and their folders where those are empty."""
    for part in parts:
        path = root / part.path
        with contextlib.suppress(OSError):
            path.unlink()
            path.parent.rmdir()


def _encodings(rows: pa.Table) -> tuple[list[str], dict[str, str]]:
    """(columns with a dictionary, encodings of others) that make a sorted file small.

    A dictionary pays where values repeat within a row group; where they don't it holds every value
    a second time. Times that a whole group of writes shares repeat, those of one long series step
    evenly; a file of a few seconds has about one reading of each entity.
    """
    import pyarrow.compute as pc

    count = len(rows)
    most = min(count, ROW_GROUP) // 2
    entities = pc.count_distinct(rows.column("entity_id")).as_py()
    dictionary, encoding = [*_DICTIONARY], {"seq": "DELTA_BINARY_PACKED"}
    if entities * _SHORT_RUN > count:
        encoding["entity_id"] = "DELTA_BYTE_ARRAY"
    else:
        dictionary.append("entity_id")
    for name in _TIMES:
        short = entities * _SHORT_RUN * _SHORT_RUN > count
        if short and pc.count_distinct(rows.column(name)).as_py() <= most:
            dictionary.append(name)
        else:
            encoding[name] = "DELTA_BINARY_PACKED"
    dictionary += [n for n in _NUMBERS if pc.count_distinct(rows.column(n)).as_py() <= most]
    return dictionary, encoding


def _time_bounds(rows: pa.Table) -> tuple[int, int]:
    import pyarrow as pa
    import pyarrow.compute as pc

    bounds = pc.min_max(rows.column("time").cast(pa.int64())).as_py()
    return bounds["min"], bounds["max"]


def statistics(part: Part) -> str:
    """The statistics of a file as the Delta log keeps them (times cut to milliseconds, outward)."""
    return json.dumps(
        {
            "numRecords": part.rows,
            "minValues": {"entity_id": part.min_entity, "time": _milli(part.min_time, 0)},
            "maxValues": {"entity_id": part.max_entity, "time": _milli(part.max_time, 999)},
            "nullCount": {
                "entity_id": 0,
                "time": 0,
                **({"dataset_id": part.rows} if part.plain else {}),
            },
        }
    )


def _milli(micros: int, up: int) -> str:
    moment = _EPOCH + timedelta(microseconds=max(_EARLIEST, min(micros + up, _LATEST)))
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def to_parts(actions: Any) -> list[Part]:
    """The add actions of a table (flattened) → its files."""
    import pyarrow as pa

    table = pa.table(actions)
    parts = []
    for row in table.to_pylist():
        day = (row[f"partition.{PARTITION}"] - _EPOCH.date()).days
        low, high = _micros(row["min.time"]), _micros(row["max.time"])
        if low is None or high is None:  # years before 1000 were written without their zeros
            low, high = day * DAY_US, (day + _LONGEST_YEAR) * DAY_US - 1
        parts.append(
            Part(
                path=row["path"],
                day=day,
                rows=row["num_records"],
                size=row["size_bytes"],
                min_entity=row["min.entity_id"],
                max_entity=row["max.entity_id"],
                min_time=low,
                max_time=high,
                plain=row.get("null_count.dataset_id") == row["num_records"],
            )
        )
    return parts


def _micros(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        return parse_iso(value)
    micros: int = (value - _EPOCH) // timedelta(microseconds=1)
    return micros
