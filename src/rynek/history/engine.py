"""DuckDB behind Ibis: bounded, offline, one connection a thread, imported on first use."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from rynek.base.errors import TooComplexQuery

from .files import Part
from .measures import DERIVED
from .schema import Reading, arrow_schema, to_table
from .select import NUMBER, TAIL, Scan
from .sums import Sums, summed

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

_KEPT_SHAPES = 512
_shapes: OrderedDict[Hashable, str] = OrderedDict()
_lock = threading.Lock()
# Ibis learns of a type when it meets it first: a second thread that comes meanwhile finds half of it.
_compiling = threading.RLock()
_NAME = "readings"


class EngineSettings(msgspec.Struct, kw_only=True):
    """What one question may take: seconds, and DuckDB's memory and threads for each of the
    connections.
    """

    memory: str = "512MB"
    threads: int = 2
    connections: int = 2
    seconds: float = 30.0


class Engine:
    """Runs questions, written as Ibis expressions, over scans. Call from worker threads.

    Ibis needs 10 to 40 ms for an expression, so the SQL of each shape of question is kept, for all
    engines of the process.
    """

    def __init__(self, folder: Path, settings: EngineSettings, spill: Path | None = None) -> None:
        self._spill = spill or folder.parent / "tmp"
        self._settings = settings
        self._local = threading.local()

    def ask(
        self, scan: Scan, shape: Hashable, question: Callable[[ir.Table], ir.Table]
    ) -> pa.Table:
        """The answer to `question` over the scan's readings; equal shapes mean equal questions."""
        statement = f"WITH {_NAME} AS ({scan.sql}) SELECT * FROM ({self.sql(shape, question)})"
        tables = scan.tables if scan.rows is None else scan.tables | {TAIL: to_table(scan.rows)}
        return self.run(statement, scan.values, tables)

    def sums(
        self, folder: Path, parts: Sequence[Part], rows: Sequence[Reading], wanted: Sums
    ) -> pa.Table | None:
        """Sums by entity and period without DuckDB; None where it has to be asked."""
        limits = self._settings
        return summed(folder, parts, rows, wanted, threads=limits.threads, seconds=limits.seconds)

    def run(self, statement: str, values: list[Any], tables: Mapping[str, pa.Table]) -> pa.Table:
        """The answer to a statement over Arrow tables by name."""
        connection = self._connection()
        for name, table in tables.items():
            connection.register(name, table)
        try:
            return self._run(connection, statement, values)
        finally:
            for name in tables:
                connection.unregister(name)

    def _run(self, connection: Any, statement: str, values: list[Any]) -> pa.Table:
        import duckdb

        limit = threading.Timer(self._settings.seconds, connection.interrupt)
        limit.daemon = True
        limit.start()
        try:
            answer: pa.Table = connection.execute(statement, values).to_arrow_table()
        except duckdb.InterruptException:
            seconds = self._settings.seconds
            raise TooComplexQuery(f"The history did not answer within {seconds:g} s") from None
        except duckdb.OutOfMemoryException:
            raise TooComplexQuery("The question needs more memory than it may take") from None
        finally:
            limit.cancel()
        return answer

    def sql(self, shape: Hashable, question: Callable[[ir.Table], ir.Table]) -> str:
        """The SQL of a question; equal shapes mean equal questions."""

        def whole() -> ir.Table:
            import ibis

            columns = dict(ibis.schema(arrow_schema()).items())
            columns |= {"us": "int64", "created": columns["at"], NUMBER: "int32"}
            columns |= {name: kind for name, (kind, _) in DERIVED.items()}
            columns |= {"previous_us": "int64"}
            columns |= {"sure": "boolean", "unsure": "boolean"}
            return question(ibis.table(columns, name=_NAME))

        return self.statement(shape, whole)

    def statement(self, shape: Hashable, question: Callable[[], ir.Table]) -> str:
        """The SQL of an expression over tables that it names; equal shapes mean equal ones."""
        with _lock:
            known = _shapes.get(shape)
            if known is not None:
                _shapes.move_to_end(shape)
                return known
        with _compiling:
            import ibis

            sql = str(ibis.to_sql(question(), dialect="duckdb"))
        with _lock:
            _shapes[shape] = sql
            while len(_shapes) > _KEPT_SHAPES:
                _shapes.popitem(last=False)
        return sql

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            import duckdb

            connection = duckdb.connect(
                config={
                    "memory_limit": self._settings.memory,
                    "threads": self._settings.threads,
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                    "temp_directory": str(self._spill),
                }
            )
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET parquet_metadata_cache = true")
            connection.execute("SET enable_progress_bar = false")
            # Filters of joins reach Arrow tables in forms that their scan does not know.
            connection.execute("SET disabled_optimizers = 'join_filter_pushdown'")
            self._local.connection = connection
        return connection
