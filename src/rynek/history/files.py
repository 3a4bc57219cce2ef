"""Parquet files of one day each: sorted, in small row groups, on disk before they are named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The last microsecond of the year 9999: nothing later can be told as a date.
_LATEST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_DICTIONARY = [
    "entity_id", "type", "attr", "dataset_id", "kind", "text", "json", "unit_code", "source",
    "meta", "number", "lon", "lat",
]  # fmt: skip


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
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


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


def write_part(root: Path, day: int, rows: pa.Table) -> Part:
    """Write one sorted day's rows as a new file and sync it; the table does not know it yet."""
    import pyarrow.parquet as pq

    folder = root / f"{PARTITION}={day_text(day)}"
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    name = f"part-{token_hex(12)}.parquet"
    path = folder / name
    pq.write_table(
        rows,
        path,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=3,
        use_dictionary=_DICTIONARY,
        column_encoding={
            "seq": "DELTA_BINARY_PACKED",
            "time": "DELTA_BINARY_PACKED",
            "at": "DELTA_BINARY_PACKED",
        },
        write_statistics=["entity_id", "attr", "time", "seq", "type"],
        store_schema=False,
    )
    fsync_file(path)
    fsync_folder(folder)
    if fresh:
        fsync_folder(root)
    low, high = _time_bounds(rows)
    entities = rows.column("entity_id")
    return Part(
        path=f"{folder.name}/{name}",
        day=day,
        rows=len(rows),
        size=path.stat().st_size,
        min_entity=entities[0].as_py(),
        max_entity=entities[len(rows) - 1].as_py(),
        min_time=low,
        max_time=high,
        plain=rows.column("dataset_id").null_count == len(rows),
    )


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
    moment = _EPOCH + timedelta(microseconds=min(micros + up, _LATEST))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def to_parts(actions: Any) -> list[Part]:
    """The add actions of a table (flattened) → its files."""
    import pyarrow as pa

    table = pa.table(actions)
    parts = []
    for row in table.to_pylist():
        day = (row[f"partition.{PARTITION}"] - _EPOCH.date()).days
        low, high = _micros(row["min.time"]), _micros(row["max.time"])
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


def _micros(value: Any) -> int:
    if isinstance(value, str):
        return parse_iso(value)
    micros: int = (value - _EPOCH) // timedelta(microseconds=1)
    return micros
