"""Readings of days as arrays: in order, each beside the one that follows it.

The same as `paired` (see `pairs`) says as an expression, for all attributes of a type at once and many
times faster: what the readings of a series are, stands together. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NAMES", "Readings", "coded", "groups", "pair"]

NAMES: Final = ("entity_id", "attr", "dataset_id", "unit_code", "text")
_NO_TEXT: Final = -1


class Readings(msgspec.Struct, kw_only=True):
    """Arrays of one length, in order of series and time. `thing`, `attr`, `dataset`, `unit` and
    `text` are places in `names` (-1: no text); `day` is where each reading's day begins. What is
    None is so for all: no value was seen again, there are no numbers or all are, nothing is deleted.

    `pair` sets the last four: whether a reading is the first or the last of its series and day, the
    time of the next one, and when the value was last seen before that (its own time, where it is the
    last).
    """

    names: Mapping[str, pa.Array]
    thing: Any
    attr: Any
    dataset: Any
    unit: Any
    text: Any
    day: Any
    us: Any
    seq: Any
    number: Any
    valid: Any
    deleted: Any
    observed: Any
    previous: Any
    has_previous: Any
    times: Any
    first: Any = None
    last: Any = None
    next: Any = None
    seen: Any = None

    def __len__(self) -> int:
        return len(self.us)

    def part(self, which: Any) -> Readings:
        """Those of a slice, or at some places (then no pairs any more)."""
        told = {
            name: value[which]
            for name in self.__struct_fields__
            if isinstance(value := getattr(self, name), np.ndarray)
        }
        if not isinstance(which, slice):
            told |= dict.fromkeys(_PAIRED)
        return msgspec.structs.replace(self, **told)


_PAIRED: Final = ("first", "last", "next", "seen")


class _Order(NamedTuple):
    """`places` of readings in order of `series` and time (None: as they are)."""

    series: Any
    places: Any


def coded(table: pa.Table, starts: Sequence[int]) -> Readings:
    """Readings (see `BULK` of the history) of days that begin at `starts`, in order of attribute,
    data set, thing and time: those of an attribute stand together, marks of whole things first."""
    names, numbers = {}, {}
    for name in NAMES:
        names[name], numbers[name] = _numbered(table.column(name), name)
    us = table.column("us").to_numpy()
    firsts = np.array(starts, np.int64)
    day = firsts[np.searchsorted(firsts, us, "right") - 1] if len(us) else us
    number, valid = _values(table.column("number"), np.nan)
    previous, has_previous = _values(table.column("previous_us"), 0)
    found = Readings(
        names=names,
        thing=numbers["entity_id"],
        attr=numbers["attr"],
        dataset=numbers["dataset_id"],
        unit=numbers["unit_code"],
        text=numbers["text"],
        day=day,
        us=us,
        seq=table.column("seq").to_numpy(),
        number=number,
        valid=valid,
        deleted=_flags(table.column("deleted"), usual=False),
        observed=_flags(table.column("observed"), usual=True),
        previous=previous if has_previous is None or has_previous.any() else None,
        has_previous=has_previous,
        times=_values(table.column("previous_count"), 0)[0],
    )
    return _ordered(found)


def _ordered(found: Readings) -> Readings:
    series = found.attr.astype(np.int64) * max(len(found.names["dataset_id"]), 1) + found.dataset
    series = series * max(len(found.names["entity_id"]), 1) + found.thing
    places = _order(series, found.us, found.seq)
    return found if places is None else found.part(places)


def _numbered(column: pa.ChunkedArray, name: str) -> tuple[pa.Array, Any]:
    """The names, and the place of each row's; "" for none, but -1 in a column of texts."""
    import pyarrow as pa

    chunks = column.unify_dictionaries().chunks
    if not chunks:
        return pa.array([], pa.string()), np.zeros(0, np.int32)
    texts = chunks[0].dictionary
    if name == "text":
        nothing = _NO_TEXT
    else:
        nothing = texts.index("").as_py() if column.null_count else 0
        if nothing < 0:
            nothing = len(texts)
            texts = pa.concat_arrays([texts, pa.array([""], pa.string())])
    codes = [
        chunk.indices.fill_null(nothing).to_numpy(zero_copy_only=False)
        if chunk.null_count
        else chunk.indices.to_numpy(zero_copy_only=False)
        for chunk in chunks
    ]
    numbers = np.concatenate(codes)
    if name != "attr" or "" not in texts.to_pylist():
        return texts, numbers
    # The marks of things that are gone come before all others.
    place = texts.index("").as_py()
    order = [place, *(one for one in range(len(texts)) if one != place)]
    return texts.take(pa.array(order)), np.argsort(order).astype(np.int32)[numbers]


def _values(column: pa.ChunkedArray, nothing: float) -> tuple[Any, Any]:
    """The values, and which are there; None: all of them."""
    import pyarrow.compute as pc

    if not column.null_count:
        return column.to_numpy(), None
    return pc.fill_null(column, nothing).to_numpy(), pc.is_valid(column).to_numpy()


def _flags(column: pa.ChunkedArray, *, usual: bool) -> Any:
    """None: all are as usual."""
    import pyarrow.compute as pc

    odd = pc.any(column) if not usual else pc.invert(pc.all(column))
    return column.to_numpy() if odd.as_py() else None


def _order(series: Any, us: Any, seq: Any) -> Any:
    """The places in order of series and time; None where they stand so. In files, the readings of a
    series stand together in order."""
    begins = np.flatnonzero(np.concatenate(([True], series[1:] != series[:-1])))[: len(series)]
    runs = np.lexsort((us[begins], series[begins]))
    order = None
    if (runs[1:] != runs[:-1] + 1).any():
        lengths = np.diff(begins, append=len(series))[runs]
        shift = begins[runs] - np.concatenate(([0], np.cumsum(lengths)[:-1]))
        order = np.repeat(shift, lengths) + np.arange(len(series))
    told = (series, us, seq) if order is None else (series[order], us[order], seq[order])
    return order if _in_order(*told) else np.lexsort((seq, us, series))


def _in_order(series: Any, us: Any, seq: Any) -> bool:
    later = us[1:] > us[:-1]
    later |= (us[1:] == us[:-1]) & (seq[1:] >= seq[:-1])
    later &= series[1:] == series[:-1]
    later |= series[1:] > series[:-1]
    return bool(later.all())


def pair(found: Readings, *, by_thing: bool = False) -> Readings:
    """With the next reading beside each; `by_thing`: of all that is there of a thing (attributes and
    marks), in order of thing and time."""
    count = len(found)
    if by_thing:
        found = found.part(np.lexsort((found.seq, found.us, found.thing)))
    keys = (found.thing,) if by_thing else (found.thing, found.dataset, found.attr)
    last = np.ones(count, np.bool_)
    if count:
        np.not_equal(found.day[1:], found.day[:-1], out=last[:-1])
    for key in keys:
        last[:-1] |= key[1:] != key[:-1]
    first = np.ones(count, np.bool_)
    first[1:] = last[:-1]
    following = found.us.copy()
    following[:-1][~last[:-1]] = found.us[1:][~last[:-1]]
    return msgspec.structs.replace(
        found, first=first, last=last, next=following, seen=_seen(found, following, last)
    )


def _seen(found: Readings, following: Any, last: Any) -> Any:
    us = found.us
    if found.previous is None:
        return us
    again = us.copy()
    told = ~last[:-1]
    if found.has_previous is not None:
        told &= found.has_previous[1:]
    again[:-1][told] = found.previous[1:][told]
    return np.minimum(np.maximum(us, again), following)


def groups(begins: Any) -> tuple[Any, Any]:
    """Where groups begin, of which the first rows are marked, and how long each is."""
    at = np.flatnonzero(begins)
    return at, np.diff(at, append=len(begins))
