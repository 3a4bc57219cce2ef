"""Parquet files from outside, opened only where their own figures say that they are not too large."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rynek.base.errors import BadRequestData

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["read_parquet"]

_BATCH: Final = 1024
# Of the size that columns have packed.
_UNPACKED: Final = 4


def read_parquet(path: Path, *, rows: int, columns: int, size: int) -> pa.Table:
    """The table of a file with at most so many `rows` and `columns`, of `size` bytes as it packs
    them and four times that in memory. BadRequestData says by what it is over; ArrowException or OSError where it is no such file."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        found = file.metadata
        if found.num_rows > rows or found.num_columns > columns:
            raise BadRequestData(
                f"{path.name} has {found.num_rows} rows and {found.num_columns} columns; at most"
                f" {rows} and {columns} are read"
            )
        groups = range(found.num_row_groups)
        if sum(found.row_group(one).total_byte_size for one in groups) > size:
            raise BadRequestData(f"{path.name} holds over {size >> 20} MiB")
        return _read(file, path.name, _UNPACKED * size)


def _read(file: pq.ParquetFile, name: str, most: int) -> pa.Table:
    """Some rows at a time: a long text stands once in a file and in each of a million rows here."""
    import pyarrow as pa

    batches, held = [], 0
    for batch in file.iter_batches(_BATCH):
        held += batch.nbytes
        if held > most:
            raise BadRequestData(f"{name} unpacks to over {most >> 20} MiB")
        batches.append(batch)
    return pa.Table.from_batches(batches, file.schema_arrow).combine_chunks()
