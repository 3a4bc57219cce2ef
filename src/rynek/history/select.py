"""Which rows a question is about, and the scan that reads them: SQL over files and newer rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rynek.context import Only, TimeProperty

from .amend import Amendments
from .files import Part
from .schema import ADDED, COLUMNS, ENTITY, Reading
from .tail import View
from .values import may_pass

if TYPE_CHECKING:
    import pyarrow as pa

    from .floors import Floors

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_000_000
TAIL = "tail_rows"
BRANCHES = 10
"""Up to so many entities are read one by one: equality passes over files and row groups, which a
join or a list does not. Measured: 9 ms each among 10 million rows, 130 ms for all at once."""
NAMES: Final = ("entity_id", "type", "attr")
WANTED: Final = "wanted_entities"
SPANS: Final = "wanted_spans"
FLOORS: Final = "wanted_floors"
NUMBER: Final = "wanted_number"
"""The column with the place of the entity among those that are asked for."""
PATCHED: Final = "patched_rows"
GONE: Final = "gone_rows"
CREATED_FIRST: Final = '{"created":'
"""How the JSON of `meta` begins where an instance was created before it was last changed."""
_CREATED: Final = (
    f"CASE WHEN starts_with(meta, '{CREATED_FIRST}')"
    " THEN make_timestamptz(CAST(regexp_extract(meta, '[0-9]+') AS BIGINT)) ELSE \"at\" END"
)
_MOMENTS: Final = {
    "observedAt": "time",
    "createdAt": "created",
    "modifiedAt": '"at"',
    "deletedAt": "time",
}


class Selection(msgspec.Struct, kw_only=True, frozen=True):
    """Which readings: empty or None means all. Time is [start, end) of `time_property`, epoch µs.

    `observed_only` leaves out readings without observedAt (their time is the write's own);
    `deleted` lets the marks of deleted attributes in, and of deleted entities (`attr` empty).
    `only` leaves out rows that cannot pass tests of their values, `spans` those that are in none
    of the spans [start, end) of their entity.
    `also` are entities that count as having one of `types`; `seq` picks the readings of one write.
    """

    entity_ids: tuple[str, ...] | None = None
    types: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    seq: int | None = None
    attrs: tuple[str, ...] = ()
    dataset_ids: tuple[str | None, ...] | None = None
    start: int | None = None
    end: int | None = None
    time_property: TimeProperty = "observedAt"
    observed_only: bool = False
    deleted: bool = False
    only: tuple[Only, ...] = ()
    spans: tuple[tuple[str, int, int], ...] | None = None

    def __post_init__(self) -> None:
        if self.entity_ids is not None and len(self.entity_ids) > 1:
            once = tuple(dict.fromkeys(self.entity_ids))
            msgspec.structs.force_setattr(self, "entity_ids", once)


class Scan(msgspec.Struct, frozen=True):
    """What to read: a SELECT with its parameters, the rows it calls `tail_rows` (None where it
    does not), and the other tables that it names."""

    sql: str
    values: list[Any]
    rows: list[Reading] | None
    tables: dict[str, pa.Table]


def moment_column(time_property: TimeProperty) -> str:
    """The column of a scan that a time property stands in, without quotes."""
    return _MOMENTS[time_property].strip('"')


def parts_of(view: View, select: Selection) -> list[Part]:
    """The files that may hold rows of the selection."""
    timed = _MOMENTS[select.time_property] == "time"
    return view.snapshot.select(
        select.entity_ids, select.start if timed else None, select.end if timed else None
    )


def rows_of(view: View, select: Selection) -> list[Reading]:
    """The rows above the table that may belong to the selection (the scan tests the rest)."""
    return [
        row
        for row in view.rows(select.entity_ids)
        if (not select.attrs or row.attr in select.attrs)
        and (not select.types or row.type in select.types or row.entity_id in select.also)
        and (select.deleted or row.attr != ENTITY)
    ]


def passes(row: Reading, select: Selection) -> bool:
    """Whether a row of one of the entities and types is in a selection by the time of readings."""
    return (
        (not select.attrs or row.attr in select.attrs)
        and (select.start is None or row.time >= select.start)
        and (select.end is None or row.time < select.end)
        and (row.observed or not select.observed_only)
        and (
            row.deleted
            if select.time_property == "deletedAt"
            else select.deleted or not row.deleted
        )
        and (select.dataset_ids is None or row.dataset_id in select.dataset_ids)
    )


def make_scan(
    folder: Path,
    view: View,
    select: Selection,
    derived: Mapping[str, tuple[str, str]] = MappingProxyType({}),
    sources: tuple[list[Part], list[Reading]] | None = None,
    floors: Floors | None = None,
) -> Scan:
    """The scan of a selection: the table's columns, and beside them `created` and `us`, the time
    property that is asked for as epoch µs, those `derived` by SQL, and `wanted_number` where
    entities are given. `sources` are the files and rows where they were looked for already;
    `floors` leave out readings of the files that are not the newest of their series."""
    parts, rows = sources or (parts_of(view, select), rows_of(view, select))
    tables = hidden_rows(view.amendments(select.entity_ids)) if parts else {}
    unseen = f"NOT ({hides(tables)})" if tables else ""
    names = ", ".join(f'r."{name}"' for name in COLUMNS)
    ids = select.entity_ids
    if ids is not None and len(ids) <= BRANCHES:
        selects = [
            f"SELECT {names}, {number} AS {NUMBER} FROM {_files(folder, held)} r"
            f" WHERE r.entity_id = {literal(one)}{f' AND {unseen}' if unseen else ''}"
            for number, one in enumerate(ids)
            if (held := [part for part in parts if part.min_entity <= one <= part.max_entity])
        ]
    elif parts:
        tests = [*_bounds(ids, floors), *([unseen] if unseen else [])]
        test = f" WHERE {' AND '.join(tests)}" if tests else ""
        join = _join(ids) if floors is None else _FLOORED
        selects = [f"SELECT {names}{_number(ids)} FROM {_files(folder, parts)} r{join}{test}"]
        if floors is not None:
            tables = tables | {FLOORS: floors.table}
    else:
        selects = []
    tail = bool(rows or not selects)
    if tail:
        selects.append(f"SELECT {names}{_number(ids)} FROM {TAIL} r{_join(ids)}")
    if ids is not None and (tail or len(ids) > BRANCHES):
        tables = tables | {WANTED: _wanted(ids)}
    tests, values = _conditions(select)
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    moment = _MOMENTS[select.time_property]
    inner = f"SELECT *, {_CREATED} AS created FROM ({' UNION ALL '.join(selects)})"
    more = "".join(f", {sql} AS {name}" for name, (_, sql) in derived.items())
    sql = f"SELECT *, epoch_us({moment}) AS us{more} FROM ({inner}){where}"
    if select.spans is not None:
        sql = f"SELECT * FROM ({sql}) r WHERE EXISTS (SELECT 1 FROM {SPANS} s"
        sql += " WHERE s.entity_id = r.entity_id AND r.us >= s.first AND r.us < s.last)"
        tables = tables | {SPANS: _span_rows(select.spans)}
    return Scan(sql, values, rows if tail else None, tables)


def _files(folder: Path, parts: Sequence[Part]) -> str:
    paths = ", ".join(quoted(folder / part.path) for part in parts)
    return f"read_parquet([{paths}], hive_partitioning=false)"


def _number(ids: Sequence[str] | None) -> str:
    return "" if ids is None else f", w.{NUMBER}"


def _join(ids: Sequence[str] | None) -> str:
    return "" if ids is None else f" JOIN {WANTED} w ON w.entity_id = r.entity_id"


_FLOORED: Final = (
    f" JOIN {FLOORS} w ON w.entity_id = r.entity_id AND w.attr = r.attr"
    " AND epoch_us(r.time) >= w.floor"
)


def _bounds(ids: Sequence[str] | None, floors: Floors | None) -> list[str]:
    """Tests that a join makes needless, but by which files and row groups are passed over."""
    if not ids:
        return []
    tests = [f"r.entity_id BETWEEN {literal(min(ids))} AND {literal(max(ids))}"]
    if floors is not None:
        tests.append(f"r.time >= make_timestamptz({max(floors.lowest, _EARLIEST)})")
    return tests


def _span_rows(spans: Sequence[tuple[str, int, int]]) -> pa.Table:
    import pyarrow as pa

    ids, firsts, lasts = zip(*spans, strict=True) if spans else ((), (), ())
    columns = [
        pa.array(ids, pa.string()),
        pa.array(firsts, pa.int64()),
        pa.array(lasts, pa.int64()),
    ]
    return pa.table(columns, names=["entity_id", "first", "last"])


def _wanted(entity_ids: Sequence[str]) -> pa.Table:
    """The entities with their numbers."""
    import pyarrow as pa

    numbers = pa.array(range(len(entity_ids)), pa.int32())
    return pa.table([pa.array(entity_ids, pa.string()), numbers], names=["entity_id", NUMBER])


def hidden_rows(amended: Amendments) -> dict[str, pa.Table]:
    """The tables that `hides` looks at: what patches stand for (`at`: when they were made; null
    for a deletion), and tombstones. Those without rows are left out."""
    import pyarrow as pa

    patched = [
        (entity, *key, None if patch.row is None else patch.row.at)
        for entity, one in amended.items()
        for key, patch in one.patches.items()
    ]
    gone = [
        (entity, stone.attr, stone.dataset, stone.seq, stone.at, ADDED + stone.n)
        for entity, one in amended.items()
        for stone in one.gone
    ]
    found = {}
    for name, rows, columns in ((PATCHED, patched, _PATCHED), (GONE, gone, _GONE)):
        if rows:
            arrays = [
                pa.array(column, pa.string() if kind is str else pa.int64())
                for column, kind in zip(zip(*rows, strict=True), columns.values(), strict=True)
            ]
            found[name] = pa.table(arrays, names=list(columns))
    return found


_PATCHED: Final = {"entity_id": str, "attr": str, "dataset": str, "seq": int, "at": int}
_GONE: Final = {
    "entity_id": str, "attr": str, "dataset": str, "seq": int, "at": int, "number": int,
}  # fmt: skip


def hides(hidden: dict[str, pa.Table], *, unless_applied: bool = False) -> str:
    """The test whether a row `r` of the table is hidden; `unless_applied`: but not for a row
    that is what its patch made of it."""
    tests = []
    if PATCHED in hidden:
        old = " AND (p.at IS NULL OR p.at <> epoch_us(r.at))" if unless_applied else ""
        tests.append(
            f"EXISTS (SELECT 1 FROM {PATCHED} p WHERE p.entity_id = r.entity_id AND p.seq = r.seq"
            f" AND p.attr = r.attr AND p.dataset = coalesce(r.dataset_id, ''){old})"
        )
    if GONE in hidden:
        tests.append(
            f"EXISTS (SELECT 1 FROM {GONE} g WHERE g.entity_id = r.entity_id"
            " AND (g.attr IS NULL OR g.attr = r.attr)"
            " AND (g.dataset IS NULL OR g.dataset = coalesce(r.dataset_id, ''))"
            " AND CASE WHEN r.seq < 0 THEN epoch_us(r.at) <= g.at"
            f" WHEN r.seq >= {ADDED} THEN r.seq <= g.number ELSE r.seq <= g.seq END)"
        )
    return " OR ".join(tests)


def _conditions(select: Selection) -> tuple[list[str], list[Any]]:
    tests: list[str] = []
    values: list[Any] = []

    def test(sql: str, value: Any) -> None:
        tests.append(sql)
        values.append(value)

    if select.types and select.also:
        test("(type IN (SELECT unnest(?::VARCHAR[])) OR", list(select.types))
        tests[-1] += " entity_id IN (SELECT unnest(?::VARCHAR[])))"
        values.append(list(select.also))
    elif select.types:
        test(*_among("type", select.types))
    if select.attrs:
        test(*_among("attr", select.attrs))
    if select.seq is not None:
        test("seq = ?", select.seq)
    if select.dataset_ids is not None:
        named = [one for one in select.dataset_ids if one is not None]
        sql, value = _among("dataset_id", named)
        test(f"({sql} OR dataset_id IS NULL)" if None in select.dataset_ids else sql, value)
    moment = _MOMENTS[select.time_property]
    if select.start is not None:
        test(f"{moment} >= ?", to_datetime(select.start))
    if select.end is not None:
        test(f"{moment} < ?", to_datetime(select.end))
    if select.observed_only:
        tests.append("observed")
    if select.time_property == "deletedAt":
        tests.append("deleted")
    elif not select.deleted:
        tests.append("NOT deleted")
    tests += map(may_pass, select.only)
    return tests, values


def _among(column: str, wanted: Sequence[str]) -> tuple[str, Any]:
    if len(wanted) == 1:
        return f"{column} = ?", wanted[0]
    return f"{column} IN (SELECT unnest(?::VARCHAR[]))", list(wanted)


def literal(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def quoted(path: Path) -> str:
    """A path as a text of SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def to_datetime(micros: int) -> datetime:
    """Epoch microseconds → an aware datetime; clamped to what a datetime can be."""
    return _EPOCH + timedelta(microseconds=min(max(micros, _EARLIEST), _LATEST))
