"""Names in tables as whole numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["among", "filled", "named", "names_of", "places"]


def names_of(columns: Iterable[pa.ChunkedArray]) -> pa.Array:
    """All texts of some columns, in order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: list[Any] = [pa.array([], pa.string())]
    for column in columns:
        for chunk in column.chunks:
            # Not all of a dictionary need be there.
            texts = chunk.dictionary.take(chunk.indices.unique()) if _is_coded(column) else chunk
            found.append(texts.unique())
    texts = pa.concat_arrays(found).unique().drop_null()
    return texts.take(pc.sort_indices(texts))


def places(column: pa.ChunkedArray, names: pa.Array) -> Any:
    """The place of each row's text among the names; -1: it is none of them."""
    import pyarrow.compute as pc

    told = [np.zeros(0, np.int64)]
    for chunk in column.chunks:
        texts = chunk.dictionary if _is_coded(column) else chunk
        place = pc.fill_null(pc.index_in(texts, names), -1).to_numpy(zero_copy_only=False)
        place = place.astype(np.int64)
        if _is_coded(column):
            indices = chunk.indices.fill_null(len(place)).to_numpy(zero_copy_only=False)
            place = np.append(place, -1)[indices]
        told.append(place)
    return np.concatenate(told)


def filled(column: pa.ChunkedArray, nothing: float = 0) -> Any:
    """The values, with a number for none."""
    import pyarrow.compute as pc

    return (pc.fill_null(column, nothing) if column.null_count else column).to_numpy()


def among(column: pa.ChunkedArray, wanted: Iterable[int]) -> Any:
    """Which of some whole numbers, of which equal ones mostly stand together, are wanted."""
    values = column.to_numpy()
    if not len(values):
        return np.zeros(0, np.bool_)
    begins = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    is_wanted = np.isin(values[begins], np.array(list(wanted), np.int64))
    return np.repeat(is_wanted, np.diff(begins, append=len(values)))


def named(codes: Any, names: pa.Array) -> pa.Array:
    """The names at some places; -1: none."""
    import pyarrow as pa

    none = codes < 0
    held = pa.array(codes.astype(np.int32, copy=False), mask=none if none.any() else None)
    return pa.DictionaryArray.from_arrays(held, names)


def _is_coded(column: pa.ChunkedArray) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_dictionary(column.type))
