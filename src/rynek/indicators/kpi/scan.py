"""One scan of a type's readings for all that is summed up of some days."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from rynek.context import DEFAULT_VOCAB
from rynek.history import Record, Selection
from rynek.indicators.kpi import states
from rynek.indicators.kpi.families import Family
from rynek.indicators.kpi.pairs import PAIRS, READINGS, in_order, paired_rows
from rynek.indicators.kpi.sightings import sighted
from rynek.indicators.kpi.states import BUCKETS, HOUR_US, Variant

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

__all__ = ["Day", "Scanned", "attribute_iri", "day_statements", "scanned"]

_NAMES: Final = ("entity_id", "attr", "dataset_id", "unit_code")
_COLUMNS: Final = (
    "us", "seq", "number", "text", "deleted", "observed", "previous_us", "previous_count",
)  # fmt: skip
_UNITS: Final = frozenset({"unit_low", "unit_high", "last_unit"})
_RARE: Final = {
    "long": dict.fromkeys(("day", "us", "seen", "next"), "int64")
    | {"number": "double", "text": "string"},
    "gaps": dict.fromkeys(("day", "gap", "count"), "int64"),
}
_PAIRS: Final = "pairs"
_KINDS: Final = PAIRS | {"unit_code": "int32"}
Scanned = dict[Family, dict[str, Any]]
Expression = Callable[[], "ir.Table"]


class Day(NamedTuple):
    """[start, end) in epoch µs."""

    start: int
    end: int


class _Codes(NamedTuple):
    """Rows in order of series and time, with numbers for the names of `names`: `things`, `attrs`
    and `datasets` are each row's, those of units stand in the rows."""

    rows: pa.Table
    names: Mapping[str, pa.Array]
    things: Any
    attrs: Any
    datasets: Any


def attribute_iri(family: Family) -> str:
    """The attribute as the history has it."""
    return DEFAULT_VOCAB + family.attribute


def scanned(record: Record, families: Sequence[Family], days: Sequence[Day]) -> tuple[int, Scanned]:
    """The sums of days side by side, of families of one type: for each its tables by name; and the
    readings that there were."""
    whole = any(not one.attribute for one in families)
    select = Selection(
        types=(DEFAULT_VOCAB + families[0].type,),
        attrs=() if whole else ("", *(attribute_iri(one) for one in families)),
        start=days[0].start,
        end=days[-1].end,
        deleted=True,
    )
    codes = _coded(*_asked(record, select), days)
    return len(codes.rows), {
        one: _states(record, one, codes, days) if one.attribute else _sightings(record, codes)
        for one in families
    }


def _asked(record: Record, select: Selection) -> tuple[pa.Table, dict[str, Any], dict[str, Any]]:
    """The readings without names; for each column of names a number for each row, and the names
    by those numbers."""
    hashed = record.ask(select, ("days", "hashed"), lambda table: _hashed(table, *_COLUMNS)).rows
    told = record.ask(select, ("days", "names"), lambda table: _hashed(table, *_NAMES).distinct())
    numbers, names = {}, {}
    for name in _NAMES:
        numbers[name], kinds = _numbered(hashed.column(f"{name}_hash").to_numpy())
        pairs = told.rows.select([name, f"{name}_hash"]).group_by(name, use_threads=False)
        once = pairs.aggregate([(f"{name}_hash", "min")])
        if len(once) != len(kinds):
            return _by_name(record, select)
        names[name] = _in_place(once.column(name), once.column(f"{name}_hash_min"), kinds)
    return hashed.select(list(_COLUMNS)), numbers, names


def _hashed(table: ir.Table, *columns: str) -> ir.Table:
    """With hashes for names: those are there many times, and leaving them out is faster."""
    return table.select(*columns, **{f"{name}_hash": table[name].hash() for name in _NAMES})


def _in_place(names: Any, hashes: Any, kinds: Any) -> pa.Array:
    """The names in the order of their hashes' numbers, "" for none."""
    import numpy as np
    import pyarrow as pa

    order = np.argsort(np.searchsorted(kinds, hashes.to_numpy()))
    texts = pa.concat_arrays([pa.array([], pa.string()), *names.chunks])
    return texts.take(pa.array(order)).fill_null("")


def _by_name(record: Record, select: Selection) -> tuple[pa.Table, dict[str, Any], dict[str, Any]]:
    """The same where two names have one hash."""
    import pyarrow as pa

    columns = (*_NAMES, *_COLUMNS)
    rows = record.ask(select, ("days", "whole"), lambda table: table.select(*columns)).rows
    numbers, names = {}, {}
    for name in _NAMES:
        chunks = rows.column(name).fill_null("").chunks
        coded = pa.concat_arrays([pa.array([], pa.string()), *chunks]).dictionary_encode()
        numbers[name] = coded.indices.to_numpy(zero_copy_only=False)
        names[name] = coded.dictionary
    return rows.select(list(_COLUMNS)), numbers, names


def _numbered(values: Any) -> tuple[Any, Any]:
    """A number for each value, and the values, ascending. Equal ones stand together mostly."""
    import numpy as np

    begins = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))[: len(values)]
    kinds, places = np.unique(values[begins], return_inverse=True)
    return np.repeat(places, np.diff(begins, append=len(values))), kinds


def _coded(
    rows: pa.Table, numbers: Mapping[str, Any], names: Mapping[str, Any], days: Sequence[Day]
) -> _Codes:
    """The rows in order, each with the day that it is in."""
    import numpy as np
    import pyarrow as pa

    series = numbers["entity_id"].astype(np.int64)
    for name in ("attr", "dataset_id"):
        series = series * max(len(names[name]), 1) + numbers[name]
    us = rows.column("us").to_numpy()
    starts = np.array([one.start for one in days], np.int64)
    day = starts[np.searchsorted(starts, us, "right") - 1] if len(us) else us
    units = pa.array(numbers["unit_code"].astype(np.int32))
    rows = rows.append_column("day", pa.array(day)).append_column("unit_code", units)
    order = _order(series, us, rows.column("seq").to_numpy())
    things, attrs, datasets = (numbers[name][order] for name in _NAMES[:3])
    return _Codes(rows.take(pa.array(order)), names, things, attrs, datasets)


def _order(series: Any, us: Any, seq: Any) -> Any:
    """The order of series and time. In files, the readings of a series stand together in order."""
    import numpy as np

    begins = np.flatnonzero(np.concatenate(([True], series[1:] != series[:-1])))[: len(series)]
    lengths = np.diff(begins, append=len(series))
    runs = np.lexsort((us[begins], series[begins]))
    lengths = lengths[runs]
    shift = begins[runs] - np.concatenate(([0], np.cumsum(lengths)[:-1]))
    order = np.repeat(shift, lengths) + np.arange(len(series))
    if in_order(series[order], us[order], seq[order]):
        return order
    return np.lexsort((seq, us, series))


def _picked(codes: _Codes, series: Any, kept: Any) -> pa.Table:
    """READINGS of the rows that are kept, numbered by series."""
    import pyarrow as pa

    table = codes.rows.append_column("series", pa.array(series))
    if not kept.all():
        table = table.filter(pa.array(kept))
    return table.select(list(READINGS))


def _place(names: pa.Array, wanted: str) -> int:
    import pyarrow.compute as pc

    return int(pc.index(names, wanted).as_py())


def _states(
    record: Record, family: Family, codes: _Codes, days: Sequence[Day]
) -> dict[str, pa.Table]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ours = codes.attrs == _place(codes.names["attr"], attribute_iri(family))
    ours &= codes.datasets == _place(codes.names["dataset_id"], "")
    marks = codes.attrs == _place(codes.names["attr"], "")
    pairs = paired_rows(_picked(codes, codes.things, ours | marks))
    hours = np.arange(days[0].start // HOUR_US, -(-days[-1].end // HOUR_US)) * HOUR_US
    tables = {
        _PAIRS: pairs,
        BUCKETS: pa.table({"bucket": hours, "first": hours, "last": hours + HOUR_US}),
    }
    found = {}
    longest = pc.max(pc.subtract(pairs.column("next"), pairs.column("seen"))).as_py() or 0
    for name, (shape, expression) in _expressions(family).items():
        if name[:4] in _RARE and longest <= family.variants[int(name[4:])].short:
            found[name] = _none(_RARE[name[:4]])
            continue
        rows = record.over(tables, shape, expression).rows
        for unit in _UNITS & set(rows.column_names):
            rows = _named(rows, unit, codes.names["unit_code"])
        found[name] = _named(rows, "series", codes.names["entity_id"])
    return found


def _none(columns: Mapping[str, str]) -> pa.Table:
    """What `long_gaps` or `gaps` give where there are none, as mostly."""
    import pyarrow as pa

    kinds = {name: pa.type_for_alias(kind) for name, kind in columns.items()}
    kinds = {"series": pa.dictionary(pa.int32(), pa.string())} | kinds
    return pa.table({name: pa.nulls(0, kind) for name, kind in kinds.items()})


def _named(rows: pa.Table, column: str, names: pa.Array) -> pa.Table:
    """With names for the numbers in a column."""
    import pyarrow as pa

    chunks = rows.column(column).cast(pa.int32()).chunks
    numbers = pa.concat_arrays([pa.array([], pa.int32()), *chunks])
    place = rows.schema.get_field_index(column)
    return rows.set_column(place, column, pa.DictionaryArray.from_arrays(numbers, names))


def _expressions(family: Family) -> dict[str, tuple[Any, Expression]]:
    """The tables of days of a family, by name."""
    made: dict[str, tuple[Any, Expression]] = {"ends": (("ends",), lambda: states.ends(_pairs()))}
    for number, variant in enumerate(family.variants):
        made[f"inner{number}"] = _one("inner", states.inner, variant)
        if variant.follow:
            held = msgspec.structs.replace(variant, bucket="", asked=())
            made[f"long{number}"] = _one("long", states.long_gaps, held)
            made[f"gaps{number}"] = _one("gaps", states.gaps, held)
    return made


def _one(
    name: str, expression: Callable[[ir.Table, Variant], ir.Table], variant: Variant
) -> tuple[Any, Expression]:
    return (name, variant), lambda: expression(_pairs(), variant)


def _pairs() -> ir.Table:
    import ibis

    return ibis.table(_KINDS, name=_PAIRS)


def _sightings(record: Record, codes: _Codes) -> dict[str, pa.Table]:
    import pyarrow as pa

    attrs, datasets = len(codes.names["attr"]), len(codes.names["dataset_id"])
    marks = codes.attrs == _place(codes.names["attr"], "")
    kept = codes.rows.column("observed").to_numpy() & ~marks
    series = (codes.things * attrs + codes.attrs) * datasets + codes.datasets
    pairs = paired_rows(_picked(codes, series, kept))
    rows = record.over({_PAIRS: pairs}, ("sighted",), lambda: sighted(_pairs())).rows
    number = rows.column("series").to_numpy()
    for name, count in (
        ("dataset_id", datasets),
        ("attr", attrs),
        ("entity_id", len(codes.names["entity_id"])),
    ):
        rows = rows.append_column(name, pa.array(number % max(count, 1)))
        rows = _named(rows, name, codes.names[name])
        number = number // max(count, 1)
    table = codes.rows.append_column("entity_id", pa.array(codes.things)).filter(pa.array(marks))
    gone = _named(table.select(["entity_id", "day", "us"]), "entity_id", codes.names["entity_id"])
    return {"sighted": rows.drop_columns(["series"]), "marks": gone}


def day_statements(record: Record, family: Family, variant: int) -> list[str]:
    """The SQL that sums up days for a variant of a family."""
    if not family.attribute:
        return [record.statement(("sighted",), lambda: sighted(_pairs()))]
    names = ("ends", f"inner{variant}", f"long{variant}", f"gaps{variant}")
    made = _expressions(family)
    return [record.statement(*made[name]) for name in names if name in made]
