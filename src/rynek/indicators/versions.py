"""Documents of which every version is kept: the same content twice makes no second one."""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

from rynek.base.clock import Clock, SystemClock
from rynek.base.database import Database
from rynek.base.errors import BadRequestData, ResourceNotFound

__all__ = ["Kept", "Versions"]

Kind = Literal["reference", "comparison"]
_MAX_PACKED: Final = 64 * 1024 * 1024
_MAX_KEPT: Final = 10_000


class Kept(msgspec.Struct, frozen=True):
    """One version: when it was written (microseconds since 1970), the SHA-256 of its content, and
    what is said about it."""

    id: str
    version: int
    at: int
    digest: str
    about: dict[str, Any]


class Versions:
    """Documents of one kind in a database."""

    def __init__(self, database: Database, kind: Kind, clock: Clock | None = None) -> None:
        self._database, self._kind = database, kind
        self._clock = clock or SystemClock()

    def put(self, name: str, about: dict[str, Any], body: Any) -> tuple[Kept, bool]:
        """Keep a version, and whether it is a new one; an unchanged document stays as it was."""
        content = msgspec.json.encode([about, body])
        digest = sha256(content).hexdigest()
        packed = zlib.compress(msgspec.json.encode(body), 6)
        if len(packed) > _MAX_PACKED:
            raise BadRequestData(f"{name}: over {_MAX_PACKED >> 20} MiB, packed")
        with self._database.writing() as database:
            row = database.execute(
                f"SELECT version, at, digest FROM {self._kind} WHERE id = ?"
                " ORDER BY version DESC LIMIT 1",
                (name,),
            ).fetchone()
            if row is not None and row[2] == digest:
                return Kept(name, row[0], row[1], digest, about), False
            version = 1 if row is None else row[0] + 1
            if version > _MAX_KEPT:
                raise BadRequestData(f"{name}: {_MAX_KEPT} versions are the most")
            now = self._clock.now()
            database.execute(
                f"INSERT INTO {self._kind} VALUES (?, ?, ?, ?, ?, ?)",
                (name, version, now, digest, msgspec.json.encode(about), packed),
            )
        return Kept(name, version, now, digest, about), True

    def find(self, name: str, version: int | None = None) -> tuple[Kept, Any]:
        """A version (the newest without a number) and its body. ResourceNotFound."""
        with self._database.reading() as database:
            row = database.execute(
                f"SELECT version, at, digest, about, body FROM {self._kind}"
                " WHERE id = ? AND (version = ? OR ? IS NULL) ORDER BY version DESC LIMIT 1",
                (name, version, version),
            ).fetchone()
        if row is None:
            which = "" if version is None else f" in version {version}"
            raise ResourceNotFound(f"no {self._kind} {name!r}{which}"[:200])
        about = msgspec.json.decode(row[3])
        return Kept(name, row[0], row[1], row[2], about), msgspec.json.decode(
            zlib.decompress(row[4])
        )

    def last(self, name: str) -> int:
        """The number of a document's newest version. ResourceNotFound."""
        with self._database.reading() as database:
            row = database.execute(
                f"SELECT max(version) FROM {self._kind} WHERE id = ?", (name,)
            ).fetchone()
        if row[0] is None:
            raise ResourceNotFound(f"no {self._kind} {name!r}"[:200])
        return int(row[0])

    def newest(self) -> list[Kept]:
        """The newest version of each document, by id."""
        with self._database.reading() as database:
            rows = database.execute(
                f"SELECT id, max(version), at, digest, about FROM {self._kind}"
                " GROUP BY id ORDER BY id"
            ).fetchall()
        return [
            Kept(name, version, at, digest, msgspec.json.decode(about))
            for name, version, at, digest, about in rows
        ]

    def numbers(self, name: str) -> list[tuple[int, int]]:
        """The versions of a document and when each was written, oldest first."""
        with self._database.reading() as database:
            return [
                (int(row[0]), int(row[1]))
                for row in database.execute(
                    f"SELECT version, at FROM {self._kind} WHERE id = ? ORDER BY version", (name,)
                ).fetchall()
            ]
