"""Past recordings into the table: large sorted commits, once per source key."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rynek.context import Written

from .lake import Lake
from .schema import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_ROWS: Final = 500_000
_REQUIRED: Final = ("entity_id", "type", "attr", "kind", "observed_at")
_TEXT: Final = ("entity_id", "type", "attr", "dataset_id", "kind", "text", "json", "unit_code")
_NUMBERS: Final = ("number", "lon", "lat")
_BLOCK_BITS: Final = 31


class LakeSink:
    """The ReadingsSink of one tenant."""

    def __init__(
        self,
        lake: Lake,
        writer: ThreadPoolExecutor,
        written: Callable[[Mapping[str, int]], None],
    ) -> None:
        self._lake = lake
        self._writer = writer
        self._written = written
        self._newest: dict[str, _Newest] = {}

    async def append(
        self,
        source_key: str,
        batches: Iterable[pa.RecordBatch],
        expand: Callable[[str], str],
        progress: Callable[[int], None] | None = None,
    ) -> Written:
        """Store readings once per `source_key`; see ReadingsSink.

        An append that broke off goes on where its last commit ended. `progress` is called on
        the event loop with the rows done so far, those skipped included.
        """
        loop = asyncio.get_running_loop()
        newest = _Newest()
        self._newest[source_key] = newest
        done = await loop.run_in_executor(self._writer, self._finished, source_key)
        if done:
            return Written(0, done)
        skip: int = await loop.run_in_executor(self._writer, self._stored, source_key)
        chunks = _chunks(batches, CHUNK_ROWS)
        seen = stored = 0
        chunk = await asyncio.to_thread(next, chunks, None)
        while chunk is not None:
            following = await asyncio.to_thread(next, chunks, None)
            await asyncio.to_thread(newest.take, chunk)
            seen += len(chunk)
            if seen > skip:
                await loop.run_in_executor(
                    self._writer,
                    self._commit,
                    source_key,
                    chunk,
                    seen,
                    following is None,
                    expand,
                )
                stored += len(chunk)
            if progress is not None:
                progress(seen)
            chunk = following
        return Written(stored, seen - stored)

    def _stored(self, key: str) -> int:
        self._lake.open()
        return self._lake.seq(f"bulk:{key}")

    def _finished(self, key: str) -> int:
        self._lake.open()
        return self._lake.seq(f"bulk-done:{key}")

    def _commit(
        self, key: str, chunk: pa.Table, seen: int, last: bool, expand: Callable[[str], str]
    ) -> None:
        rows = _to_rows(chunk, key, seen - len(chunk), expand)
        marks = {f"bulk:{key}": seen}
        if last:
            marks[f"bulk-done:{key}"] = seen
        self._written(newest_times(rows))
        self._lake.append(rows, marks, is_sorted=True)

    def newest(self, source_key: str) -> list[dict[str, Any]]:
        """The newest value of each (entity, attribute) of the last append of this key in this
        process, as normalized NGSI-LD documents in short names. Empty when there was none, or
        when it had been stored before.
        """
        newest = self._newest.pop(source_key, None)
        return [] if newest is None else newest.documents()


def newest_times(rows: pa.Table) -> dict[str, int]:
    """The newest time of each entity (epoch µs)."""
    import pyarrow as pa

    newest = rows.group_by("entity_id").aggregate([("time", "max")])
    times = newest.column("time_max").cast(pa.int64()).to_pylist()
    return dict(zip(newest.column("entity_id").to_pylist(), times, strict=True))


class _Newest:
    """The newest row of each (entity, attribute, dataset) seen so far."""

    def __init__(self) -> None:
        self._rows: pa.Table | None = None

    def take(self, chunk: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        keys = ["entity_id", "attr", "dataset_id"]
        table = chunk if self._rows is None else pa.concat_tables([self._rows, chunk])
        micros = table.column("observed_at").cast(pa.int64())
        table = table.append_column("row", pa.array(range(len(table)), pa.int64()))
        order = table.select([*keys, "row"]).append_column("us", micros)
        order = order.sort_by([("us", "ascending"), ("row", "ascending")])
        last = order.group_by(keys, use_threads=False).aggregate([("row", "last")])
        picked = pc.sort_indices(last.column("row_last"))
        self._rows = table.take(last.column("row_last").take(picked)).drop_columns(["row"])

    def documents(self) -> list[dict[str, Any]]:
        from .newest import to_documents

        return [] if self._rows is None else to_documents(self._rows)


def _chunks(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    """Batches of any size → tables of exactly `size` rows (the last may be shorter)."""
    import pyarrow as pa

    held: list[pa.Table] = []
    count = 0
    for batch in batches:
        table = _normal(batch)
        held.append(table)
        count += len(table)
        while count >= size:
            whole = pa.concat_tables(held)
            yield whole.slice(0, size)
            held = [whole.slice(size)]
            count -= size
    if count:
        yield pa.concat_tables(held)


def _normal(batch: pa.RecordBatch) -> pa.Table:
    """The declared columns with the declared types, missing optional ones as nulls."""
    import pyarrow as pa

    names = set(batch.schema.names)
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise ValueError(f"bulk readings lack the column {missing[0]!r}")
    moment = pa.timestamp("us", tz="UTC")
    kinds = {name: pa.string() for name in _TEXT} | {name: pa.float64() for name in _NUMBERS}
    kinds["observed_at"] = moment
    columns = {}
    for name, kind in kinds.items():
        if name not in names:
            columns[name] = pa.nulls(batch.num_rows, kind)
            continue
        try:
            columns[name] = batch.column(name).cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ValueError(f"bulk readings: column {name!r}: {error}") from error
        if name in _REQUIRED and columns[name].null_count:
            raise ValueError(f"bulk readings: nulls in column {name!r}")
    return pa.table(columns)


def _to_rows(chunk: pa.Table, key: str, before: int, expand: Callable[[str], str]) -> pa.Table:
    """The chunk as rows of the readings table, sorted, with seqs of the key's own block.

    Negative, and counted along the sort: the same chunk always gets the same ones.
    """
    import pyarrow as pa

    chunk = chunk.append_column("expanded", _expanded(chunk.column("attr"), expand))
    chunk = chunk.sort_by(
        [(name, "ascending") for name in ("entity_id", "expanded", "observed_at")]
    )
    count = len(chunk)
    block = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest()) << _BLOCK_BITS
    first = block + before + 1
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    schema = arrow_schema()
    given: dict[str, Any] = {name: chunk.column(name) for name in (*_TEXT, *_NUMBERS)}
    given["seq"] = pa.array(range(-first, -first - count, -1), pa.int64())
    given["type"] = _expanded(chunk.column("type"), expand)
    given["attr"] = chunk.column("expanded")
    given["time"] = chunk.column("observed_at")
    given["observed"] = _constant(True, count, pa.bool_())
    given["at"] = _constant(now, count, schema.field("at").type)
    given["deleted"] = _constant(False, count, pa.bool_())
    given["previous_count"] = _constant(0, count, pa.int32())
    given["source"] = _constant(f"bulk:{key}", count, pa.string())
    columns = [
        given[field.name] if field.name in given else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _constant(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return pa.repeat(pa.scalar(value, kind), count)


def _expanded(column: pa.ChunkedArray, expand: Callable[[str], str]) -> pa.Array:
    import pyarrow as pa

    coded = column.combine_chunks().dictionary_encode()
    names = pa.array([expand(name) for name in coded.dictionary.to_pylist()], pa.string())
    return names.take(coded.indices)
