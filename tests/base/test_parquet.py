"""Parquet from outside is bounded before and while it is unpacked."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from rynek.base.errors import BadRequestData
from rynek.base.parquet import read_parquet

MIB = 1 << 20


def written(folder: Path, **columns: object) -> Path:
    file = folder / "t.parquet"
    parquet.write_table(pa.table(columns), file)
    return file


def test_a_table_is_read_as_it_is(tmp_path: Path) -> None:
    columns = {"place": ["a", "b", None] * 1000, "value": [1.5, None, 3.0] * 1000}
    file = written(tmp_path, **columns)
    found = read_parquet(file, rows=3000, columns=2, size=MIB)
    assert found.to_pydict() == columns
    empty = read_parquet(
        written(tmp_path, value=pa.array([], "float64")), rows=1, columns=1, size=MIB
    )
    assert empty.num_rows == 0 and empty.column_names == ["value"]


@pytest.mark.parametrize(
    ("rows", "columns", "size", "words"),
    [
        (9, 1, MIB, "10 rows and 1 columns; at most 9 and 1"),
        (10, 0, MIB, "at most 10 and 0"),
        (10, 1, 20, "t.parquet holds over"),
    ],
)
def test_what_its_figures_tell_is_refused_unread(
    tmp_path: Path, rows: int, columns: int, size: int, words: str
) -> None:
    file = written(tmp_path, value=[float(n) for n in range(10)])
    with pytest.raises(BadRequestData, match=words):
        read_parquet(file, rows=rows, columns=columns, size=size)


def test_a_text_that_every_row_repeats_is_refused_while_it_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, text=["x" * 10_000] * 20_000)
    assert file.stat().st_size < MIB
    with pytest.raises(BadRequestData, match="unpacks to over 4 MiB"):
        read_parquet(file, rows=20_000, columns=1, size=MIB)
