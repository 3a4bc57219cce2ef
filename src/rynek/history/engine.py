"""DuckDB behind Ibis: bounded, offline, one connection a thread, imported on first use."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .files import Part
from .schema import Reading, arrow_schema, to_table

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class EngineSettings(msgspec.Struct, kw_only=True):
    """What one question may take: DuckDB's memory and threads, for each of the connections."""

    memory: str = "512MB"
    threads: int = 2
    connections: int = 2


class Engine:
    """Makes table expressions over files and rows, and runs them. Call from worker threads."""

    def __init__(self, folder: Path, settings: EngineSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._local = threading.local()

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            import ibis

            connection = ibis.duckdb.connect(
                memory_limit=self._settings.memory,
                threads=self._settings.threads,
                autoinstall_known_extensions=False,
                autoload_known_extensions=False,
                temp_directory=str(self._folder.parent / "tmp"),
            )
            connection.raw_sql("SET TimeZone = 'UTC'")
            connection.raw_sql("SET parquet_metadata_cache = true")
            connection.raw_sql("SET enable_progress_bar = false")
            self._local.connection = connection
        return connection

    def readings(self, parts: Sequence[Part], rows: Sequence[Reading]) -> ir.Table:
        """The readings of some files and rows as one Ibis table, with `us` (time as epoch µs)."""
        import ibis

        tables = []
        if parts:
            tables.append(self._files(parts))
        if rows or not parts:
            tables.append(ibis.memtable(_with_micros(to_table(list(rows)))))
        return ibis.union(*tables) if len(tables) > 1 else tables[0]

    def _files(self, parts: Sequence[Part]) -> ir.Table:
        paths = ", ".join(_quoted(self._folder / part.path) for part in parts)
        table: ir.Table = self._connection().sql(
            f"SELECT *, epoch_us(time) AS us FROM read_parquet([{paths}], hive_partitioning=false)",
            schema=_ibis_schema(),
        )
        return table

    def run(self, table: ir.Table) -> pa.Table:
        """Execute and fetch everything as Arrow."""
        result: pa.Table = self._connection().to_pyarrow(table)
        return result


def _with_micros(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    return table.append_column("us", table.column("time").cast(pa.int64()))


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _ibis_schema() -> Any:
    import ibis
    import pyarrow as pa

    return ibis.schema(arrow_schema().append(pa.field("us", pa.int64())))


def to_datetime(micros: int) -> datetime:
    """Epoch microseconds → an aware datetime; clamped to what a datetime can be."""
    low, high = -62_135_596_800_000_000, 253_402_300_799_000_000
    return _EPOCH + timedelta(microseconds=min(max(micros, low), high))
