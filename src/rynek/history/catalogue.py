"""Which entities have which attributes when, file by file: files never change, so once is enough."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from .engine import Engine
from .files import Part
from .floors import Floors, FloorSearch
from .select import NAMES, Selection, quoted

if TYPE_CHECKING:
    import pyarrow as pa

_PLAIN: Final = ("observed", "deleted", "first", "last", "numbers")
MOST_ENTRIES: Final = 1_000_000
_WARM_ROWS: Final = 250_000
"""Rows that are read ahead at once: more would take hundreds of MB for a question nobody asked."""


class Found(msgspec.Struct):
    """What files say of a selection: `hits` are entity_id, type and attr of readings that are
    there for sure; in `open` files only a look at the readings can tell more."""

    hits: list[pa.Table]
    open: list[Part]


class Profile(msgspec.Struct):
    """What the readings of an attribute are in some files: their kinds, whether all values are
    numbers, all observed, some of them deletions, and their first and last time."""

    kinds: set[str]
    numbers: bool = True
    observed: bool = True
    deleted: bool = False
    first: int = 1 << 62
    last: int = -(1 << 62)

    def add(self, other: Profile) -> None:
        """Take in what another file says."""
        self.kinds |= other.kinds
        self.numbers &= other.numbers
        self.observed &= other.observed
        self.deleted |= other.deleted
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


class Entries(NamedTuple):
    """What is known of one file: its entries, and a profile of each attribute."""

    table: pa.Table
    profiles: dict[str, Profile]

    def of(self, entity_id: str, column: str) -> set[str]:
        """The values of a column in the entries of one entity."""
        import pyarrow.compute as pc

        coded = self.table.column("entity_id").chunk(0)
        code = pc.index(coded.dictionary, entity_id).as_py()
        if code < 0:
            return set()
        rows = pc.equal(coded.indices, code)
        return set(self.table.column(column).filter(rows).to_pylist())


class Catalogue:
    """An entry for each (entity, type, attribute, kind, observed, deleted) of a file, with its first
    and last time, and whether all values are numbers. Kept in memory as far as there is room, the
    least used file goes first."""

    def __init__(self, folder: Path, engine: Engine, most: int = MOST_ENTRIES) -> None:
        self._folder = folder
        self._engine = engine
        self._most = most
        self._entries: OrderedDict[str, Entries] = OrderedDict()
        self._size = 0
        self._too_many = 0
        self._lock = threading.Lock()

    def find(
        self, parts: Sequence[Part], select: Selection, without: Collection[str]
    ) -> Found | None:
        """The entries of a selection by time, but for some entities; None where there are more
        files than the catalogue has room for."""
        if self._too_many and len(parts) >= self._too_many:
            return None
        tables = self._tables(parts)
        if tables is None:
            return None
        found = Found([], [])
        for part, table in zip(parts, tables, strict=True):
            hits, is_open = _hits(table, select, without)
            if len(hits):
                found.hits.append(hits)
            if is_open:
                found.open.append(part)
        return found

    def profile(self, parts: Sequence[Part], attrs: Iterable[str]) -> Profile | None:
        """What the readings of attributes are; None where not all files are known already."""
        held = self._known(parts)
        if held is None:
            return None
        whole = Profile(set())
        for attr in attrs:
            for entries in held:
                profile = entries.profiles.get(attr)
                if profile is not None:
                    whole.add(profile)
        return whole

    def floors(
        self, parts: Sequence[Part], select: Selection, amended: Collection[str]
    ) -> Floors | None:
        """Where the newest readings of the series of a selection stand; None where it is not of
        named series by time, or a file that matters is not known already."""
        if not FloorSearch.fits(select):
            return None
        search = FloorSearch(select)
        for part in sorted(parts, key=lambda one: one.max_time, reverse=True):
            if not amended and search.is_done(part):
                break
            held = self._known([part])
            if held is None:
                return None
            search.take(part, _asked(held[0].table, select, ()))
        return search.found(list(amended))

    def attrs_of(self, parts: Sequence[Part], entity_id: str) -> set[str] | None:
        """The attributes of an entity; None where not all files are known already."""
        held = self._known(parts)
        if held is None:
            return None
        return {attr for entries in held for attr in entries.of(entity_id, "attr")}

    def type_of(self, parts: Sequence[Part], entity_id: str) -> str | None:
        """A type that readings of an entity have, the last files first; files that are not known
        are passed over."""
        for part in reversed(parts):
            with self._lock:
                entries = self._entries.get(part.path)
            for found in () if entries is None else sorted(entries.of(entity_id, "type")):
                return found
        return None

    def _known(self, parts: Sequence[Part]) -> list[Entries] | None:
        with self._lock:
            held = [self._entries.get(part.path) for part in parts]
        found = [entries for entries in held if entries is not None]
        return found if len(found) == len(parts) else None

    def warm(self, parts: Sequence[Part], most: int) -> None:
        """Read some of the files that are not known yet, the last ones first; large ones are left
        to the question that needs them."""
        with self._lock:
            missing = [part for part in reversed(parts) if part.path not in self._entries]
        chosen: list[Part] = []
        rows = 0
        for part in missing:
            if rows + part.rows <= _WARM_ROWS and len(chosen) < most:
                chosen.append(part)
                rows += part.rows
        if chosen and self._size < self._most // 2:
            self._tables(chosen)

    def _tables(self, parts: Sequence[Part]) -> list[pa.Table] | None:
        with self._lock:
            missing = [part for part in parts if part.path not in self._entries]
        fresh = self._read(missing) if missing else {}
        with self._lock:
            for path, entries in fresh.items():
                if path not in self._entries:
                    self._entries[path] = entries
                    self._size += len(entries.table)
            for part in parts:
                if part.path in self._entries:
                    self._entries.move_to_end(part.path)
            held = [fresh.get(part.path, self._entries.get(part.path)) for part in parts]
            while self._size > self._most:
                _, gone = self._entries.popitem(last=False)
                self._size -= len(gone.table)
        tables = [entries.table for entries in held if entries is not None]
        if len(tables) < len(parts):
            return None  # another question made room for itself meanwhile
        if sum(len(table) for table in tables) > self._most:
            self._too_many = min(len(parts), self._too_many or len(parts))
        return tables

    def _read(self, parts: Sequence[Part]) -> dict[str, Entries]:
        """The entries of files, from their readings."""
        import pyarrow as pa
        import pyarrow.compute as pc

        paths = {str(self._folder / part.path): part.path for part in parts}
        listed = ", ".join(quoted(Path(path)) for path in paths)
        answer = self._engine.run(
            "SELECT filename, entity_id, type, attr, kind, observed, deleted,"
            " min(epoch_us(time)) AS first, max(epoch_us(time)) AS last,"
            " count(number) = count(*) AND count(meta) = 0 AS numbers"
            f" FROM read_parquet([{listed}], hive_partitioning=false, filename=true) GROUP BY ALL",
            [],
            {},
        )
        filename = answer.column("filename")
        found = {}
        for path, name in paths.items():
            table = answer.filter(pc.equal(filename, path)).combine_chunks()
            columns: dict[str, Any] = {
                column: pa.chunked_array([_coded(table.column(column))])
                for column in (*NAMES, "kind")
            }
            columns |= {column: table.column(column) for column in _PLAIN}
            found[name] = Entries(pa.table(columns), _profiles(table))
        return found


def _profiles(table: pa.Table) -> dict[str, Profile]:
    """A profile of each attribute, from the entries of a file."""
    summary = table.group_by(["attr", "kind", "deleted"], use_threads=False).aggregate(
        [("numbers", "all"), ("observed", "all"), ("first", "min"), ("last", "max")]
    )
    found: dict[str, Profile] = {}
    for row in summary.to_pylist():
        profile = found.setdefault(row["attr"], Profile(set()))
        if row["deleted"]:
            profile.deleted = True
            continue
        profile.add(
            Profile(
                {row["kind"]},
                row["numbers_all"],
                row["observed_all"],
                False,
                row["first_min"],
                row["last_max"],
            )
        )
    return found


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    import pyarrow as pa

    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], pa.string())
    return whole.dictionary_encode()


def _hits(table: pa.Table, select: Selection, without: Collection[str]) -> tuple[pa.Table, bool]:
    """The entries that are sure to have a reading of the selection; whether others may have."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = _asked(table, select, without)
    first, last = rows.column("first"), rows.column("last")
    low = -(1 << 62) if select.start is None else select.start
    high = (1 << 62) if select.end is None else select.end
    sure = pc.or_(_within(first, low, high), _within(last, low, high))
    maybe = pc.and_(pc.less(first, low), pc.greater_equal(last, high))
    hits = rows.filter(sure).select(list(NAMES))
    columns = [hits.column(name).cast(pa.string()) for name in NAMES]
    return pa.table(columns, names=list(NAMES)), bool(pc.any(maybe).as_py())


def _asked(table: pa.Table, select: Selection, without: Collection[str]) -> pa.Table:
    """The entries of a selection, whatever their time."""
    import pyarrow.compute as pc

    mask = _among(table, select, without)
    if select.observed_only:
        mask = _and(mask, table.column("observed"))
    if select.time_property == "deletedAt":
        mask = _and(mask, table.column("deleted"))
    elif not select.deleted:
        mask = _and(mask, pc.invert(table.column("deleted")))
    return table if mask is None else table.filter(mask)


def _within(column: Any, low: int, high: int) -> Any:
    import pyarrow.compute as pc

    return pc.and_(pc.greater_equal(column, low), pc.less(column, high))


def _and(mask: Any, test: Any) -> Any:
    import pyarrow.compute as pc

    return test if mask is None else pc.and_(mask, test)


def _among(table: pa.Table, select: Selection, without: Collection[str]) -> Any:
    """Which entries have the entities, types and attributes that are asked for."""
    import pyarrow.compute as pc

    mask: Any = None
    if select.entity_ids is not None:
        mask = _and(mask, _is_in(table, "entity_id", select.entity_ids))
    if without:
        mask = _and(mask, pc.invert(_is_in(table, "entity_id", without)))
    if select.types:
        fits = _is_in(table, "type", select.types)
        if select.also:
            fits = pc.or_(fits, _is_in(table, "entity_id", select.also))
        mask = _and(mask, fits)
    if select.attrs:
        mask = _and(mask, _is_in(table, "attr", select.attrs))
    elif not select.deleted:
        mask = _and(mask, pc.invert(_is_in(table, "attr", ("",))))
    return mask


def _is_in(table: pa.Table, name: str, wanted: Collection[str]) -> Any:
    """Which rows have one of the values: asked of each distinct value once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    coded = table.column(name).chunk(0)
    known = pc.is_in(coded.dictionary, pa.array(list(wanted), pa.string()))
    return known.take(coded.indices)
