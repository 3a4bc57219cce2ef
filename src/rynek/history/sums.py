"""Sums of numbers by entity and period, straight from sorted files.

Within a file the readings of an entity stand together, in order of time: one pass over three
columns finds where a period begins, and what lies between two such places is summed up. Nothing
but speed rests on that order: what belongs together and stands apart is joined at the end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from rynek.base.errors import TooComplexQuery

from .files import Part
from .schema import Reading
from .select import NUMBER

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

METHODS: Final = frozenset({"sum", "avg", "min", "max", "totalCount"})
_MOST_GROUPS: Final = 2_000_000
_MOST_KEYS: Final = 1 << 62


class Sums(msgspec.Struct, frozen=True):
    """What to sum up: readings of one attribute in [start, end), all of them numbers, by periods
    of `width` µs one of which begins at `low`; of some entities (by their place) or of all."""

    attr: str
    methods: tuple[str, ...]
    low: int
    width: int
    start: int | None = None
    end: int | None = None
    entity_ids: tuple[str, ...] | None = None


class _Groups(NamedTuple):
    """Partial results: of the entity `names[codes]`, in the period with this number."""

    names: pa.Array
    codes: Ints
    periods: Ints
    counts: Ints
    sums: Floats
    lows: Floats
    highs: Floats


def summed(
    folder: Path, parts: Sequence[Part], rows: Sequence[Reading], wanted: Sums,
    *, threads: int, seconds: float,
) -> pa.Table | None:  # fmt: skip
    """`entity_id` (or `wanted_number`), `bucket` and the methods, in order; None where values are
    not all numbers, or there are too many groups to hold. TooComplexQuery after so many seconds."""
    import numpy as np

    ends = time.monotonic() + seconds

    def read(part: Part) -> _Groups | None:
        if time.monotonic() > ends:
            raise TooComplexQuery(f"The history did not answer within {seconds:g} s")
        return _of_file(folder / part.path, part, wanted)

    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="history-sums") as pool:
        try:
            told = [_of_rows(rows, wanted), *pool.map(read, parts)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    found = [groups for groups in told if groups is not None]
    if len(found) < len(told) or sum(len(one.codes) for one in found) > _MOST_GROUPS:
        return None
    if any(np.isnan(one.sums).any() for one in found):
        return None  # the least and the greatest of what is no number is the database's to tell
    return _joined(found, wanted)


def _of_rows(rows: Sequence[Reading], wanted: Sums) -> _Groups | None:
    """Groups of readings in memory."""
    import numpy as np
    import pyarrow as pa

    if any(row.number is None for row in rows):
        return None
    names = pa.array([row.entity_id for row in rows], pa.string()).dictionary_encode()
    numbers = np.array([row.number for row in rows], np.float64)
    return _grouped(names, np.array([row.time for row in rows], np.int64), numbers, wanted)


def _of_file(path: Path, part: Part, wanted: Sums) -> _Groups | None:
    """Groups of the readings of a file; None where some are no numbers."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    groups, mixed = _row_groups(metadata, wanted)
    columns = ["entity_id", "time", "number", *(["attr"] if mixed else [])]
    coded = [name for name in ("entity_id", "attr") if is_coded(metadata, name)]
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=coded) as file:
        table = file.read_row_groups(groups, columns=columns, use_threads=False)
    if mixed:
        attrs = _coded(table.column("attr"))
        code = pc.index(attrs.dictionary, wanted.attr).as_py()
        table = table.filter(pc.equal(attrs.indices, code))
    names, number = _coded(table.column("entity_id")), table.column("number")
    if number.null_count:
        return None
    us, numbers = table.column("time").cast(pa.int64()).to_numpy(), number.to_numpy()
    kept = np.ones(len(us), np.bool_)
    if wanted.start is not None and part.min_time < wanted.start:
        kept &= us >= wanted.start
    if wanted.end is not None and part.max_time >= wanted.end:
        kept &= us < wanted.end
    if not kept.all():
        names, us, numbers = names.filter(pa.array(kept)), us[kept], numbers[kept]
    return _grouped(names, us, numbers, wanted)


def _row_groups(metadata: Any, wanted: Sums) -> tuple[list[int], bool]:
    """The row groups that may hold readings, by their statistics; whether there may be other
    attributes in them."""
    low, high = (min(wanted.entity_ids), max(wanted.entity_ids)) if wanted.entity_ids else ("", "")
    places = _places(metadata)
    chosen, mixed = [], False
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        told = group.column(places["attr"]).statistics
        if told is None or not told.has_min_max:
            mixed = True
        elif not told.min <= wanted.attr <= told.max:
            continue
        entities = group.column(places["entity_id"]).statistics
        known = entities is not None and entities.has_min_max
        if wanted.entity_ids and known and (entities.max < low or entities.min > high):
            continue
        mixed = mixed or told.min != told.max
        chosen.append(number)
    return chosen, mixed


def _places(metadata: Any) -> dict[str, int]:
    """Which number each column has."""
    return {metadata.schema.column(i).name: i for i in range(metadata.num_columns)}


def is_coded(metadata: Any, column: str) -> bool:
    """Whether a column stands as a dictionary: Arrow makes none of names that stand as what they
    add to the one before."""
    place = _places(metadata)[column]
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    return all("DELTA_BYTE_ARRAY" not in group.column(place).encodings for group in groups)


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A column of texts as one array with one dictionary."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], pa.string())
    return whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()


def _grouped(names: pa.DictionaryArray, us: Ints, numbers: Floats, wanted: Sums) -> _Groups:
    """Sum up what stands together."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = names.indices.to_numpy(zero_copy_only=False)
    known = names.dictionary
    if wanted.entity_ids is not None:
        places = pc.fill_null(pc.index_in(known, pa.array(wanted.entity_ids, pa.string())), -1)
        codes = places.to_numpy(zero_copy_only=False)[codes]
        if (codes < 0).any():
            kept = codes >= 0
            codes, us, numbers = codes[kept], us[kept], numbers[kept]
    periods = (us - wanted.low) // wanted.width
    if len(us) == 0:
        none: Floats = np.empty(0)
        return _Groups(known, codes.astype(np.int64), periods, periods, none, none, none)
    begins = np.ones(len(us), np.bool_)
    np.not_equal(periods[1:], periods[:-1], out=begins[1:])
    begins[1:] |= codes[1:] != codes[:-1]
    at = np.flatnonzero(begins)
    lows, highs = _extremes(numbers, numbers, at, wanted)
    counts = np.diff(at, append=len(us))
    sums = np.add.reduceat(numbers, at)
    return _Groups(known, codes[at].astype(np.int64), periods[at], counts, sums, lows, highs)


def _extremes(lows: Floats, highs: Floats, at: Ints, wanted: Sums) -> tuple[Floats, Floats]:
    """The least and the greatest from each place to the next, where they are asked for."""
    import numpy as np

    least = np.minimum.reduceat(lows, at) if "min" in wanted.methods else lows[at]
    greatest = np.maximum.reduceat(highs, at) if "max" in wanted.methods else highs[at]
    return least, greatest


def _joined(found: Sequence[_Groups], wanted: Sums) -> pa.Table | None:
    """All groups in order, those of one entity and period as one."""
    import numpy as np
    import pyarrow as pa

    names, codes = _named(found, wanted)
    periods = np.concatenate([one.periods for one in found])
    first = int(periods.min()) if len(periods) else 0
    span = int(periods.max()) - first + 1 if len(periods) else 1
    if span * (len(names) + 1) > _MOST_KEYS:
        return None
    keys = codes * span + (periods - first)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    counts, sums, lows, highs = (
        np.concatenate([getattr(one, name) for one in found])[order]
        for name in ("counts", "sums", "lows", "highs")
    )
    begins = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=begins[1:])
    if not begins.all():
        at = np.flatnonzero(begins)
        keys, counts, sums = keys[at], np.add.reduceat(counts, at), np.add.reduceat(sums, at)
        lows, highs = _extremes(lows, highs, at, wanted)
    codes, periods = np.divmod(keys, span)
    columns: dict[str, Any] = {"entity_id": names.take(pa.array(codes))}
    if wanted.entity_ids is not None:
        columns = {NUMBER: pa.array(codes, pa.int32())}
    columns["bucket"] = pa.array(wanted.low + (periods + first) * wanted.width)
    values = {"sum": sums, "min": lows, "max": highs, "totalCount": counts}
    for method in wanted.methods:
        columns[method] = pa.array(sums / counts if method == "avg" else values[method])
    return pa.table(columns)


def _named(found: Sequence[_Groups], wanted: Sums) -> tuple[pa.Array, Ints]:
    """The names in order, and the place of each group's entity among them."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if wanted.entity_ids is not None:
        names = pa.array(wanted.entity_ids, pa.string())
        return names, np.concatenate([one.codes for one in found])
    names = pa.chunked_array([one.names for one in found], pa.string()).unique()
    names = names.take(pc.sort_indices(names))
    places = [pc.index_in(one.names, names).to_numpy(zero_copy_only=False) for one in found]
    codes = [place[one.codes] for place, one in zip(places, found, strict=True)]
    return names, np.concatenate(codes).astype(np.int64)
