"""Where cards are kept: one SQLite file, every version for good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from rynek.base.clock import Clock, SystemClock
from rynek.base.database import Database
from rynek.base.errors import AlreadyExists, BadRequestData, Conflict, ResourceNotFound
from rynek.base.sqlite import Connection
from rynek.base.typed import decoder
from rynek.practices.cards.answers import Answers, Result
from rynek.practices.cards.attempts import Attempts
from rynek.practices.cards.database import MIGRATIONS
from rynek.practices.cards.doors import EVERYBODY, Change, Seen, Stored, Viewer, Written
from rynek.practices.cards.measured import Measured
from rynek.practices.cards.model import DOORS, Card, Door
from rynek.practices.cards.naming import check_nameless, names_of
from rynek.practices.cards.reading import MAX_BYTES, check_id
from rynek.practices.saying import say

__all__ = ["Cards", "Wanted"]

MAX_CARDS: Final = 1_000_000
MAX_VERSIONS: Final = 10_000
_MAX_NOTE: Final = 500
_PAGE: Final = 500
_MAX_COUNTS: Final = 500
_MAX_NAMES: Final = 2000
_KINDS: Final = ("theme", "cluster", "verdict", "status")

_NEWEST: Final = (
    "SELECT c.id, c.owner, c.door, c.seq, v.number, v.at, v.who, v.note, v.removed, v.body,"
    " c.nameless FROM card c JOIN version v ON v.id = c.id AND v.number = "
)
T = TypeVar("T")
_decode: Final = decoder(Card).decode


class Wanted(msgspec.Struct, frozen=True):
    """Which cards a list has; "" is any."""

    theme: str = ""
    cluster: str = ""
    verdict: str = ""
    status: str = ""
    country: str = ""
    owner: str = ""


class Cards:
    """The cards of a service; safe from several threads, and beside other processes."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._database = Database(path, MIGRATIONS)
        self._counts: tuple[int, dict[object, Any]] = (-1, {})
        self.answers = Answers(self._database, self.clock)
        self.attempts = Attempts(self._database, self.clock)
        self.measured = Measured(self._database)

    def get(self, card_id: str, viewer: Viewer = EVERYBODY, version: int | None = None) -> Seen:
        """A card as `viewer` sees it, in its newest version or an earlier one.

        ResourceNotFound where there is none, it is removed, or its door is shut: nobody learns
        which.
        """
        stored = self.find(card_id, version)
        seen = stored.seen_by(viewer) if stored else None
        if (
            stored is None
            or seen is None
            or (version is None and seen.written.removed)
            or not (viewer.edits(stored.owner) or self._open(card_id, stored))
        ):
            raise ResourceNotFound(say("card-none", id=card_id[:80]))
        return seen

    def find(self, card_id: str, version: int | None = None) -> Stored | None:
        """A card as it is kept, whoever asks; None where there is no such version."""
        number = "c.number" if version is None else "?"
        values = (card_id,) if version is None else (version, card_id)
        if version is not None and not 0 < version < 1 << 62:
            return None
        with self._database.reading() as database:
            row = database.execute(f"{_NEWEST}{number} WHERE c.id = ?", values).fetchone()
        return _stored(row) if row else None

    def versions(self, card_id: str, viewer: Viewer = EVERYBODY) -> list[Written]:
        """Every version of a card, newest first; of a nameless one only the newest for who may not
        write it. ResourceNotFound as `get`."""
        stored = self.find(card_id)
        if stored is None or not viewer.passes(stored.door, stored.owner):
            raise ResourceNotFound(say("card-none", id=card_id[:80]))
        edits = viewer.edits(stored.owner)
        if stored.written.removed and not edits:
            raise ResourceNotFound(say("card-none", id=card_id[:80]))
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT number, at, who, note, removed FROM version WHERE id = ?"
                " ORDER BY number DESC",
                (card_id,),
            ).fetchall()
        if stored.nameless and not edits:
            return [stored.published().written]
        return [
            Written(number, at, who, note, bool(removed)) for number, at, who, note, removed in rows
        ]

    def listed(
        self,
        viewer: Viewer = EVERYBODY,
        wanted: Wanted | None = None,
        *,
        offset: int = 0,
        limit: int = _PAGE,
    ) -> tuple[list[Seen], int]:
        """Cards that `viewer` may see, the last changed first, and how many there are in all."""
        wanted = wanted or Wanted()
        where, values = _conditions(viewer, wanted)

        def count(database: Connection) -> int:
            found = database.execute(f"SELECT count(*) FROM card c WHERE {where}", values)
            return int(found.fetchone()[0])

        with self._database.reading() as database:
            total = self._counted(database, (viewer, wanted), count)
            # By the index of their order, however many there are.
            rows = database.execute(
                f"{_NEWEST}c.number WHERE {where.replace('c.removed', '+c.removed')}"
                " ORDER BY c.seq DESC LIMIT ? OFFSET ?",
                (*values, limit, offset),
            ).fetchall()
        seen = [_stored(row).seen_by(viewer) for row in rows]
        return [each for each in seen if each is not None], total

    def counts(self, viewer: Viewer = EVERYBODY) -> dict[str, dict[str, int]]:
        """How many cards that `viewer` may see there are by theme, cluster, verdict and status."""
        where, values = _conditions(viewer, Wanted())

        def count(database: Connection) -> dict[str, dict[str, int]]:
            found: dict[str, dict[str, int]] = {name: {} for name in _KINDS}
            rows = database.execute(
                f"SELECT {', '.join(_KINDS)}, count(*) FROM card c WHERE {where}"
                f" GROUP BY {', '.join(_KINDS)}",
                values,
            )
            for *kinds, number in rows:
                for name, kind in zip(_KINDS, kinds, strict=True):
                    found[name][kind] = found[name].get(kind, 0) + int(number)
            return found

        with self._database.reading() as database:
            return self._counted(database, viewer, count)

    def _counted(self, database: Connection, what: object, count: Callable[[Connection], T]) -> T:
        """What was counted before, until any card changes."""
        seq = int(database.execute("SELECT ifnull(max(seq), 0) FROM card").fetchone()[0])
        of, counts = self._counts  # in one, for other threads may count another state
        if seq != of or len(counts) > _MAX_COUNTS:
            self._counts = _, counts = seq, {}
        if what not in counts:
            counts[what] = count(database)
        found: T = counts[what]
        return found

    def changes(self, since: int = 0, limit: int = _PAGE) -> list[Change]:
        """The newest change of each card above `since`, in order: what an index has to follow.

        Whatever the door: who makes an index keeps door and owner, and asks `Viewer.passes`.
        """
        with self._database.reading() as database:
            rows = database.execute(
                f"{_NEWEST}c.number WHERE c.seq > ? ORDER BY c.seq LIMIT ?", (since, limit)
            ).fetchall()
        stored = [_stored(row) for row in rows]
        return [
            Change(
                one.seq,
                one.id,
                one.owner,
                one.door,
                None if one.written.removed else one.published(),
            )
            for one in stored
        ]

    def last_seq(self) -> int:
        """The number of the newest change; 0 where nothing ever was."""
        with self._database.reading() as database:
            return int(database.execute("SELECT ifnull(max(seq), 0) FROM card").fetchone()[0])

    def add(
        self,
        card_id: str,
        card: Card,
        *,
        owner: str,
        door: Door,
        who: str = "",
        note: str = "",
        aliases: Iterable[str] = (),
    ) -> Stored:
        """A new card as its version 1. `aliases` are further names of its city, that must not stand
        on it when it is shared without the name. AlreadyExists; BadRequestData."""
        check_id(card_id)
        _check_door(door)
        with self._database.writing() as database:
            row = database.execute("SELECT number FROM card WHERE id = ?", (card_id,)).fetchone()
            if row:
                raise AlreadyExists(say("card-exists", id=card_id))
            if database.execute("SELECT count(*) FROM card").fetchone()[0] >= MAX_CARDS:
                raise BadRequestData(say("card-most", most=MAX_CARDS))
            self._keep(database, card_id, 1, card, owner, door, who, note, aliases)
        return self._kept(card_id)

    def change(
        self,
        card_id: str,
        card: Card,
        *,
        version: int,
        door: Door | None = None,
        who: str = "",
        note: str = "",
        aliases: Iterable[str] = (),
        removed: bool = False,
    ) -> Stored:
        """A new version over `version`, which must be the newest: Conflict otherwise, with the one
        that is. ResourceNotFound; BadRequestData."""
        if door is not None:
            _check_door(door)
        with self._database.writing() as database:
            row = database.execute(
                "SELECT number, owner, door, removed FROM card WHERE id = ?", (card_id,)
            ).fetchone()
            if not row or (row[3] and removed):
                raise ResourceNotFound(say("card-none", id=card_id[:80]))
            if row[0] != version:
                raise Conflict(
                    say("card-conflict", id=card_id, current=row[0], version=version),
                    current=row[0],
                )
            if row[0] >= MAX_VERSIONS:
                raise BadRequestData(say("card-versions", id=card_id, most=MAX_VERSIONS))
            self._keep(
                database,
                card_id,
                version + 1,
                card,
                row[1],
                door or row[2],
                who,
                note,
                aliases,
                removed,
            )
        return self._kept(card_id)

    def remove(self, card_id: str, *, version: int, who: str = "", note: str = "") -> Stored:
        """Take a card away; its versions stay, and `restore` brings it back."""
        stored = self.find(card_id)
        if stored is None:
            raise ResourceNotFound(say("card-none", id=card_id[:80]))
        return self.change(card_id, stored.card, version=version, who=who, note=note, removed=True)

    def restore(
        self, card_id: str, earlier: int, *, version: int, who: str = "", note: str = ""
    ) -> Stored:
        """Undo: the words of an `earlier` version as the newest one. Errors as `change`."""
        stored = self.find(card_id, earlier)
        if stored is None:
            raise ResourceNotFound(say("card-version-none", id=card_id[:80], version=earlier))
        return self.change(
            card_id,
            stored.card,
            version=version,
            who=who,
            note=note or Written.note_of_earlier(earlier),
        )

    def answered(self, seen: Seen) -> dict[str, Result]:
        """The newest answers to the questions that a viewer sees on a card, as it asks them."""
        return self.answers.to(seen.id, seen.card.questions)

    def note(self, name: str) -> str:
        """What was noted under a name; "" without."""
        with self._database.reading() as database:
            row = database.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def set_note(self, name: str, value: str) -> None:
        """Note something, as a cursor."""
        with self._database.writing() as database:
            database.execute("INSERT OR REPLACE INTO note VALUES(?, ?)", (name, value))

    def together(self) -> AbstractContextManager[object]:
        """What is written within it is kept as a whole or not at all."""
        return self._database.writing()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _keep(
        self,
        database: Connection,
        card_id: str,
        number: int,
        card: Card,
        owner: str,
        door: Door,
        who: str,
        note: str,
        aliases: Iterable[str],
        removed: bool = False,
    ) -> None:
        if len(note) > _MAX_NOTE:
            raise BadRequestData(say("card-long", path="note", most=_MAX_NOTE))
        row = database.execute("SELECT names FROM card WHERE id = ?", (card_id,)).fetchone()
        names = dict.fromkeys(
            [*(msgspec.json.decode(row[0]) if row else []), *names_of(card), *aliases]
        )
        if len(names) > _MAX_NAMES:
            raise BadRequestData(say("card-names", most=_MAX_NAMES))
        if not card.city_shown and not removed:
            check_nameless(card, names, card_id)
        body = msgspec.json.encode(card)
        if len(body) > MAX_BYTES:
            raise BadRequestData(say("card-bytes", most=MAX_BYTES >> 10))
        database.execute(
            "INSERT INTO version(id, number, at, who, note, removed, body)"
            " VALUES(?, ?, ?, ?, ?, ?, ?)",
            (card_id, number, self.clock.now(), who[:200], note, removed, body),
        )
        seq = database.execute("SELECT last_insert_rowid()").fetchone()[0]
        self.measured.keep(database, card_id, card)
        country = card.city.country if card.city else ""
        told = (owner, door, seq, number, removed, not card.city_shown)
        kinds = (card.theme, card.cluster, card.verdict.outcome, card.status, country)
        database.execute(
            "INSERT OR REPLACE INTO card VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (card_id, *told, msgspec.json.encode(list(names)).decode(), *kinds),
        )

    def _kept(self, card_id: str) -> Stored:
        found = self.find(card_id)
        assert found is not None
        return found

    def _open(self, card_id: str, stored: Stored) -> bool:
        """Whether who may not write a card may see that version: none of a removed one, and only
        the newest of a nameless one, since earlier words may say the name."""
        newest = self.find(card_id)
        assert newest is not None
        same = newest.written.version == stored.written.version
        return not newest.written.removed and (same or not newest.nameless)


def _stored(row: Sequence[Any]) -> Stored:
    card_id, owner, door, seq, number, at, who, note, removed, body, nameless = row
    written = Written(number, at, who, note, bool(removed))
    return Stored(card_id, owner, door, seq, written, _decode(body), bool(nameless))


def _check_door(door: str) -> None:
    if door not in DOORS:
        raise BadRequestData(say("card-door", doors=", ".join(DOORS)))


def _conditions(viewer: Viewer, wanted: Wanted) -> tuple[str, list[str]]:
    """What a viewer may see of what is wanted, in SQL with its values."""
    parts, values = ["c.removed = 0"], []
    if not viewer.admin:
        doors = ["c.door = 'public'"] + (["c.door = 'members'"] if viewer.member else [])
        if viewer.owners:
            doors.append(f"c.owner IN ({', '.join('?' * len(viewer.owners))})")
            values += sorted(viewer.owners)
        parts.append(f"({' OR '.join(doors)})")
    for name in wanted.__struct_fields__:
        value = getattr(wanted, name)
        if value:
            parts.append(f"c.{name} = ?")
            values.append(value)
    if wanted.owner and not viewer.admin:
        # Who asks for a city's cards must not find those that hide it.
        hidden = f"c.owner IN ({', '.join('?' * len(viewer.owners))})" if viewer.owners else "0"
        parts.append(f"(c.nameless = 0 OR {hidden})")
        values += sorted(viewer.owners)
    return " AND ".join(parts), values
