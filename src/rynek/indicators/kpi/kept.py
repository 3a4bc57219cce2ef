"""What was summed up of whole days, kept from one run to the next.

A file beside a city's history, made of it alone: it is in no backup, and where it is missing, or
what it holds is of other readings or other definitions than those asked for, it is made again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from rynek.base.database import Database
from rynek.base.errors import Problem
from rynek.base.typed import decode_msgpack
from rynek.indicators.kpi.coding import among

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KEPT_FILE", "Block", "KeptDays"]

_logger = logging.getLogger(__name__)
KEPT_FILE: Final = "indicator-days.db"
_V1: Final = """
-- The sums of one month's days; `family` is a digest of the definitions they are for, `about` what
-- they are of: those of other definitions about the same give way.
CREATE TABLE block(
  family BLOB NOT NULL, month INTEGER NOT NULL, about TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY(family, month)
) STRICT;
"""


class Block(msgspec.Struct):
    """The days of a month: for each (its beginning, epoch µs) the stamp of its readings, and tables
    whose column `day` says which they are about."""

    stamps: dict[int, bytes] = msgspec.field(default_factory=dict)
    tables: dict[str, pa.Table] = msgspec.field(default_factory=dict)

    def put(self, days: Mapping[int, bytes], tables: Mapping[str, pa.Table]) -> None:
        """Set what some days are; `tables` are of those days alone."""
        import pyarrow as pa

        for name, fresh in tables.items():
            held = self.tables.get(name)
            if held is not None:
                held = held.filter(pa.array(~among(held.column("day"), days)))
                fresh = pa.concat_tables([held, fresh])
            self.tables[name] = fresh
        self.stamps.update(days)


class _Body(msgspec.Struct):
    stamps: dict[int, bytes]
    tables: dict[str, bytes]


class KeptDays:
    """The file in a tenant's folder. What cannot be read or written there is told in the log, and
    the figures are computed without it: nothing but time is lost."""

    def __init__(self, tenant: Path) -> None:
        self._database = Database(tenant / KEPT_FILE, (_V1,))
        self._broken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def load(self, family: bytes, months: Iterable[int]) -> dict[int, Block]:
        """The blocks of a family that are there, by month."""
        found: dict[int, Block] = {}
        try:
            with self._database.reading() as database:
                for month in months:
                    row = database.execute(
                        "SELECT body FROM block WHERE family = ? AND month = ?", (family, month)
                    ).fetchone()
                    if row is not None:
                        found[month] = _decoded(row[0])
        except Exception as error:
            self._tell(error)
        return found

    def save(self, family: bytes, about: str, blocks: Mapping[int, Block]) -> None:
        """Store blocks, all or none; what was kept of other definitions about the same goes."""
        if self._broken:
            return
        rows = [(family, month, about, _encoded(block)) for month, block in blocks.items()]
        try:
            with self._database.writing() as database:
                database.execute(
                    "DELETE FROM block WHERE about = ? AND family <> ?", (about, family)
                )
                database.executemany("INSERT OR REPLACE INTO block VALUES(?, ?, ?, ?)", rows)
        except Exception as error:
            self._tell(error)

    def begin_with(self, month: int) -> None:
        """Drop what is kept of earlier months: the history holds nothing of them any more."""
        if self._broken:
            return
        try:
            with self._database.reading() as database:
                row = database.execute("SELECT min(month) FROM block").fetchone()
            if row[0] is not None and row[0] < month:
                with self._database.writing() as database:
                    database.execute("DELETE FROM block WHERE month < ?", (month,))
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._broken:
            self._broken = True
            told = str(error) if isinstance(error, Problem) else repr(error)
            _logger.warning("%s is not used: %s", self._database.path, told)

    def drop(self) -> int:
        """Take everything out; the bytes of it."""
        with self._database.writing() as database:
            size = database.execute("SELECT coalesce(sum(length(body)), 0) FROM block").fetchone()
            database.execute("DELETE FROM block")
        with self._database.reading() as database:
            database.execute("VACUUM")
        return int(size[0])


def _encoded(block: Block) -> bytes:
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression="zstd")
    tables = {}
    for name, table in block.tables.items():
        out = pa.BufferOutputStream()
        with pa.ipc.new_stream(out, table.schema, options=options) as writer:
            writer.write_table(table.combine_chunks())
        tables[name] = out.getvalue().to_pybytes()
    return msgspec.msgpack.encode(_Body(block.stamps, tables))


def _decoded(body: bytes) -> Block:
    import pyarrow as pa

    held = decode_msgpack(body, _Body)
    tables = {name: pa.ipc.open_stream(data).read_all() for name, data in held.tables.items()}
    return Block(held.stamps, tables)
