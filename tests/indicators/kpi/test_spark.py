"""The expressions that sum up days, on Spark and on DuckDB over the same Parquet file.

Optional: `pip install pyspark`, and Java 17; without them it is skipped, and says so.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rynek.indicators import definitions
from rynek.indicators.kpi.families import family_of
from rynek.indicators.kpi.measures import STATE_MEASURES
from rynek.indicators.kpi.pairs import READINGS, paired
from rynek.indicators.kpi.sightings import sighted
from rynek.indicators.kpi.states import ends, gaps, inner, long_gaps, shorts

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None or shutil.which("java") is None,
    reason="NOT TESTED: indicators on Spark need pyspark (pip install pyspark) and Java",
)
DAY_US = 86_400_000_000
KINDS = {"int64": pa.int64(), "int32": pa.int32(), "float64": pa.float64(),
         "string": pa.string(), "boolean": pa.bool_()}  # fmt: skip


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of twenty series: numbers and words, pauses, deletions, values seen again."""
    draw = random.Random(7)
    rows: list[tuple[Any, ...]] = []
    for series in range(20):
        us = 1_735_689_600_000_000
        before: int | None = None
        while us < 1_735_689_600_000_000 + 3 * DAY_US:
            us += draw.choice((5, 5, 5, 60, 200)) * 60_000_000 + draw.randrange(1_000_000)
            gone = draw.random() < 0.02
            text = (
                draw.choice(("working", "outOfService")) if series % 5 == 0 and not gone else None
            )
            number = None if gone or text else float(draw.randrange(4)) / 2
            again = None if before is None or draw.random() < 0.7 else (us + before) // 2
            rows.append((series, us // DAY_US * DAY_US, us, len(rows), number, text,
                         "GQ" if series % 3 else None, gone, again, draw.randrange(9)))  # fmt: skip
            before = us
    columns = zip(*rows, strict=True)
    arrays = [
        pa.array(one, KINDS[kind]) for one, kind in zip(columns, READINGS.values(), strict=True)
    ]
    path = tmp_path_factory.mktemp("spark") / "readings.parquet"
    pq.write_table(pa.table(arrays, names=list(READINGS)), path)
    return path


@pytest.fixture(scope="module")
def spark(readings: Path) -> Iterator[Any]:
    import ibis

    sql = importlib.import_module("pyspark.sql")

    builder = sql.SparkSession.builder.master("local[1]").appName("rynek")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.warehouse.dir": str(readings.parent / "warehouse"),
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield ibis.pyspark.connect(session)
    session.stop()


def expressions() -> dict[str, Any]:
    """Over the pairs of a table of readings; sums for as many attributes as have all measures."""
    made: dict[str, Any] = {
        "paired": paired,
        "sighted": lambda rows: sighted(paired(rows)),
        "ends": lambda rows: ends(paired(rows)),
    }
    measures: set[str] = set()
    for one in definitions():
        if one.computation is None or one.computation.measure not in STATE_MEASURES - measures:
            continue
        for variant in family_of(one.computation, ()).variants:
            if variant.bucket == "P1D":
                measures |= {asked.measure for asked in variant.asked}
                made[f"inner {one.id}"] = lambda rows, of=variant: inner(paired(rows), of)
                made[f"long {variant.micros}"] = lambda rows, of=variant: long_gaps(
                    paired(rows), of
                )
                made[f"shorts {variant.micros}"] = lambda rows, of=variant: shorts(paired(rows), of)
                made[f"gaps {variant.micros}"] = lambda rows, of=variant: gaps(paired(rows), of)
    assert measures == STATE_MEASURES
    return made


def test_the_same_expressions_give_the_same_on_spark(readings: Path, spark: Any) -> None:
    import ibis

    duckdb = ibis.duckdb.connect()
    ours = duckdb.read_parquet(readings, table_name="readings")
    theirs = spark.read_parquet(readings, table_name="readings")
    for name, expression in expressions().items():
        expected = rows_of(duckdb.to_pyarrow(expression(ours)))
        # Within one day nothing rests for about a day.
        assert expected or name in {f"long {DAY_US}", f"gaps {DAY_US}"}, name
        assert rows_of(spark.to_pyarrow(expression(theirs))) == expected, name


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """The rows in an order of their own, numbers to nine digits."""
    names = sorted(table.column_names)
    columns = [[told(one) for one in table.column(name).to_pylist()] for name in names]
    return sorted(zip(*columns, strict=True), key=repr)


def told(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    return None if math.isnan(value) else float(f"{value:.9g}")
