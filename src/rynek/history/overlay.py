"""What temporal operations wrote, until it is merged into the table: one SQLite file per tenant.

Every entry can be applied again without harm: an added reading has a number of its own, which the
table's application transaction tells merged or not; a patch stands for the reading of its key,
wherever that is; a tombstone hides what was recorded before it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

import msgspec

from rynek.base.sqlite import Connection, checkpoint, connect, migrate
from rynek.base.storage import storage_problem
from rynek.base.typed import msgpack_decoder

from .amend import NOTHING, Amended, Amendments, Key, Known, Patch, Tombstone, key_of
from .schema import ADDED, Reading

P = ParamSpec("P")
T = TypeVar("T")
FILE: Final = "overlay.db"
_V1: Final = """
-- A reading that a client added; n is its own number, its seq in the table ADDED + n.
CREATE TABLE added(
  n INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
-- What stands for one reading of the table, the log or `added`; NULL: it was deleted.
CREATE TABLE patch(
  v INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL, attr TEXT NOT NULL,
  dataset TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB, UNIQUE(entity_id, attr, dataset, seq)
) STRICT;
-- What was recorded of an entity (an attribute, a dataset; '' is the default one) up to a moment.
CREATE TABLE gone(
  v INTEGER PRIMARY KEY AUTOINCREMENT, entity_id TEXT NOT NULL, attr TEXT, dataset TEXT,
  seq INTEGER NOT NULL, at INTEGER NOT NULL, n INTEGER NOT NULL
) STRICT;
-- What readings do not say of an entity: its types where it has several or exists here alone.
CREATE TABLE entity(id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
MIGRATIONS: Final = (_V1,)

_EMPTY: Final = Amended()
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_row: Final = msgpack_decoder(Reading).decode
_decode_known: Final = msgpack_decoder(Known).decode


def _alone(write: Callable[Concatenate[Overlay, P], T]) -> Callable[Concatenate[Overlay, P], T]:
    """Only one write at a time."""

    @wraps(write)
    def guarded(self: Overlay, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._writing:
            return write(self, *args, **kwargs)

    return guarded


class Overlay:
    """The file and its content in memory. Writes block until they are on disk, and come one at a
    time from whatever thread; `frozen()` is a value that later writes do not change.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._db: Connection | None = None
        self._entities: dict[str, Amended] = {}
        self._frozen: Amendments | None = NOTHING
        self._lock = threading.Lock()
        self._writing = threading.RLock()
        self._last = 0
        self.known: dict[str, Known] = {}
        self._having: dict[str, set[str]] = {}
        self._unsaved: set[str] = set()

    def open(self, merged: int) -> None:
        """Read the file, where there is one; added readings up to the number `merged` are in the
        table already."""
        self._last = merged
        self._entities, self._frozen = {}, NOTHING
        if not self._path.exists():
            return
        try:
            self._load(merged)
        except Exception as error:
            problem = storage_problem(error, self._path)
            if problem is None:
                raise
            raise problem from error

    def _load(self, merged: int) -> None:
        db = self._open()
        with db:
            db.execute("DELETE FROM added WHERE n <= ?", (merged,))
        self._take_in(db, merged)

    def look(self) -> None:
        """Read the file as it is, beside a service that writes it; nothing may be written then."""
        if not self._path.exists():
            return
        db = connect(self._path, read_only=True)
        try:
            self._take_in(db, 0)
        finally:
            db.close()

    def _take_in(self, db: Connection, merged: int) -> None:
        # Tombstones first: what is there besides was written after them.
        for v, entity_id, *rest in db.execute(
            "SELECT v, entity_id, attr, dataset, seq, at, n FROM gone ORDER BY v"
        ):
            self._bury(entity_id, Tombstone(v, *rest))
        for entity_id, body in db.execute("SELECT entity_id, body FROM added ORDER BY n"):
            self._add(entity_id, [_decode_row(body)])
        for v, entity_id, attr, dataset, seq, body in db.execute(
            "SELECT v, entity_id, attr, dataset, seq, body FROM patch"
        ):
            row = None if body is None else _decode_row(body)
            self._patch(entity_id, (attr, dataset, seq), Patch(v, row))
        for name, body in db.execute("SELECT id, body FROM entity").fetchall():
            self._know(name, _decode_known(body))
        given = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'added'").fetchone()
        self._last = max(merged, given[0] if given else 0)

    @_alone
    def close(self) -> None:
        """Write what is known of entities, and close the file."""
        self.save_known()
        if self._db is not None:
            checkpoint(self._db, truncate=True)
            self._db.close()
            self._db = None

    @property
    def last(self) -> int:
        """The number of the newest added reading."""
        return self._last

    @property
    def size(self) -> tuple[int, int]:
        """How many added readings, and how many patches and tombstones wait to be merged."""
        found = self._entities.values()
        hides = sum(len(one.patches) + len(one.gone) for one in found)
        return sum(len(one.added) for one in found), hides

    def frozen(self) -> Amendments:
        """What the overlay holds now."""
        frozen = self._frozen
        if frozen is None:
            with self._lock:
                frozen = self._frozen = dict(self._entities)
        return frozen

    def of(self, entity_id: str) -> Amended:
        """What was added to one entity's past and corrected in it."""
        return self._entities.get(entity_id, _EMPTY)

    @_alone
    def add(self, entity_id: str, rows: list[Reading], known: Known) -> None:
        """Add readings, whose seqs are given here, and say what is known of their entity."""
        db = self._open()
        for row in rows:
            self._last += 1
            row.seq = ADDED + self._last
        with db:
            db.executemany(
                "INSERT INTO added(n, entity_id, body) VALUES(?, ?, ?)",
                [(row.seq - ADDED, entity_id, _encode(row)) for row in rows],
            )
            self._keep(entity_id, known)
        self._add(entity_id, rows)
        self._know(entity_id, known)

    @_alone
    def patch(self, entity_id: str, key: Key, row: Reading | None, known: Known) -> None:
        """Let `row` (or nothing) stand for a reading."""
        db = self._open()
        body = None if row is None else _encode(row)
        with db:
            db.execute(
                "INSERT OR REPLACE INTO patch(entity_id, attr, dataset, seq, body)"
                " VALUES(?, ?, ?, ?, ?)",
                (entity_id, *key, body),
            )
            v = int(db.execute("SELECT last_insert_rowid()").fetchone()[0])
            self._keep(entity_id, known)
        self._patch(entity_id, key, Patch(v, row))
        self._know(entity_id, known)

    @_alone
    def bury(
        self,
        entity_id: str,
        attr: str | None,
        dataset: str | None,
        *,
        seq: int,
        at: int,
        known: Known,
    ) -> None:
        """Hide what was recorded so far: changes up to `seq`, bulk rows written up to `at`."""
        db = self._open()
        before = self.of(entity_id)
        draft = Tombstone(0, attr, dataset, seq, at, self._last)
        added = [row for row in before.added if draft.hides(row)]
        patched = [key for key in before.patches if draft.covers(key)]
        with db:
            db.execute(
                "INSERT INTO gone(entity_id, attr, dataset, seq, at, n) VALUES(?, ?, ?, ?, ?, ?)",
                (entity_id, attr, dataset, seq, at, self._last),
            )
            v = int(db.execute("SELECT last_insert_rowid()").fetchone()[0])
            self._drop(entity_id, [row.seq - ADDED for row in added], patched)
            self._keep(entity_id, known)
        self._bury(entity_id, msgspec.structs.replace(draft, v=v))
        self._know(entity_id, known)

    @_alone
    def merged(self, number: int, taken: Amendments) -> None:
        """The added readings of `taken`, numbered up to `number`, are in the table, patched."""
        db = self._open()
        used: dict[str, set[int]] = {}
        for entity_id, one in taken.items():
            keys = {key_of(row) for row in one.added}
            used[entity_id] = {patch.v for key, patch in one.patches.items() if key in keys}
        with db:
            db.execute("DELETE FROM added WHERE n <= ?", (number,))
            db.executemany(
                "DELETE FROM patch WHERE v = ?", [(v,) for found in used.values() for v in found]
            )
        for entity_id, one in taken.items():
            self._less(entity_id, {row.seq for row in one.added}, used[entity_id])

    @_alone
    def applied(self, taken: Amendments) -> None:
        """The table holds the patches of `taken`, and nothing that its tombstones hide."""
        db = self._open()
        patches = {one.v for amended in taken.values() for one in amended.patches.values()}
        gone = {one.v for amended in taken.values() for one in amended.gone}
        with db:
            db.executemany("DELETE FROM patch WHERE v = ?", [(v,) for v in patches])
            db.executemany("DELETE FROM gone WHERE v = ?", [(v,) for v in gone])
        for entity_id in taken:
            self._less(entity_id, set(), patches, gone)

    def note(self, entity_id: str, known: Known) -> None:
        """Remember something of an entity that the log says too; saved by `save_known`."""
        self._know(entity_id, known)
        self._unsaved.add(entity_id)

    def note_types(self, entity_id: str, told: list[str]) -> None:
        """Remember the types of an entity that has several, or had, for a row knows one type only."""
        known = self.known.get(entity_id, Known())
        types = tuple(told)
        if known.own:
            types = tuple(dict.fromkeys((*types, *known.types)))
        elif len(types) == 1:
            types = ()
        if types != known.types:
            self.note(entity_id, msgspec.structs.replace(known, types=types))

    @_alone
    def save_known(self) -> None:
        """Write what was noted."""
        noted, self._unsaved = self._unsaved, set()
        if noted:
            with self._open():
                for entity_id in noted:
                    self._keep(entity_id, self.known.get(entity_id, Known()))

    @_alone
    def tidy(self) -> None:
        """Copy the write-ahead log back into the file."""
        checkpoint(self._open())

    def _open(self) -> Connection:
        """The database, made with the first write."""
        if self._db is None:
            self._db = connect(self._path, cache_kib=2048)
            migrate(self._db, MIGRATIONS, str(self._path))
        return self._db

    def having(self, types: Iterable[str]) -> tuple[str, ...]:
        """The entities that are known to have (or have had) one of these types."""
        found: set[str] = set()
        for name in types:
            found |= self._having.get(name, set())
        return tuple(found)

    def _know(self, entity_id: str, known: Known) -> None:
        for name in self.known.get(entity_id, known).types:
            self._having.get(name, set()).discard(entity_id)
        for name in known.types:
            self._having.setdefault(name, set()).add(entity_id)
        if known.is_empty:
            self.known.pop(entity_id, None)
        else:
            self.known[entity_id] = known

    def _keep(self, entity_id: str, known: Known) -> None:
        if known.is_empty:
            self._open().execute("DELETE FROM entity WHERE id = ?", (entity_id,))
            return
        self._open().execute(
            "INSERT OR REPLACE INTO entity(id, body) VALUES(?, ?)", (entity_id, _encode(known))
        )

    def _drop(self, entity_id: str, numbers: Iterable[int], keys: Iterable[Key]) -> None:
        db = self._open()
        db.executemany("DELETE FROM added WHERE n = ?", [(n,) for n in numbers])
        db.executemany(
            "DELETE FROM patch WHERE entity_id = ? AND attr = ? AND dataset = ? AND seq = ?",
            [(entity_id, *key) for key in keys],
        )

    def _set(self, entity_id: str, amended: Amended) -> None:
        with self._lock:
            if amended.is_empty:
                self._entities.pop(entity_id, None)
            else:
                self._entities[entity_id] = amended
            self._frozen = None if self._entities else NOTHING

    def _add(self, entity_id: str, rows: list[Reading]) -> None:
        now = self.of(entity_id)
        self._set(entity_id, msgspec.structs.replace(now, added=(*now.added, *rows)))

    def _patch(self, entity_id: str, key: Key, patch: Patch) -> None:
        now = self.of(entity_id)
        self._set(entity_id, msgspec.structs.replace(now, patches={**now.patches, key: patch}))

    def _bury(self, entity_id: str, tombstone: Tombstone) -> None:
        """Take away what the tombstone hides and set it, in one step for those who read."""
        now = self.of(entity_id)
        rows = tuple(row for row in now.added if not tombstone.hides(row))
        kept = {key: one for key, one in now.patches.items() if not tombstone.covers(key)}
        self._set(entity_id, Amended(rows, kept, (*now.gone, tombstone)))

    def _less(
        self,
        entity_id: str,
        seqs: set[int],
        patches: set[int],
        gone: AbstractSet[int] = frozenset(),
    ) -> None:
        """Forget added readings by seq, patches and tombstones by version."""
        now = self.of(entity_id)
        rows = tuple(row for row in now.added if row.seq not in seqs)
        kept = {key: one for key, one in now.patches.items() if one.v not in patches}
        left = tuple(one for one in now.gone if one.v not in gone)
        self._set(entity_id, Amended(rows, kept, left))
