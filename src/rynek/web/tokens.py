"""Tokens: 256 random bits, kept as a hash in system.db, with scopes and an end."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from rynek.base.clock import SystemClock
from rynek.base.errors import Problem, Unavailable
from rynek.base.ids import SERVICE_TENANT
from rynek.base.sqlite import Connection, connect, migrate
from rynek.base.storage import storage_problem
from rynek.base.trouble import Trouble

_logger = logging.getLogger(__name__)
PREFIX: Final = "rynek_"
SCOPES: Final = ("read", "write", "admin")
_TENANT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\Z")
_MAX_DAYS: Final = 36_525
_LEVEL: Final = {name: level for level, name in enumerate(SCOPES)}

_MIGRATIONS: Final = (
    """
CREATE TABLE token(
  hash BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,
  created INTEGER NOT NULL, expires INTEGER
) STRICT, WITHOUT ROWID;
""",
)


class Token(msgspec.Struct, frozen=True):
    """A token as stored: `scopes` are `read`, `write` or `admin`, each for every tenant or, as
    `write:kyiv`, for one. Times are epoch microseconds."""

    name: str
    scopes: tuple[str, ...]
    created: int
    expires: int | None = None

    def allows(self, right: str, tenant: str) -> bool:
        """Whether a scope reaches `right` in `tenant`; a scope includes those below it.

        The service's own tenant needs one that names it, or `admin`.
        """
        for scope in self.scopes:
            level, _, where = scope.partition(":")
            everywhere = not where and (tenant != SERVICE_TENANT or level == "admin")
            if (everywhere or where == tenant) and _LEVEL[level] >= _LEVEL[right]:
                return True
        return False


class TokenStore:
    """The tokens in system.db; another process may add or revoke while this one serves."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: Connection | None = None
        self._closed = False
        self._trouble = Trouble(f"reading the tokens in {path}", _logger)
        self._clock = SystemClock()
        self._version = -1
        self._known: dict[bytes, Token] = {}
        # Without its tokens the service goes on for those who need none.
        with contextlib.suppress(Problem):
            self._refresh()

    @property
    def _connection(self) -> Connection:
        """The database, opened when it is not; what fails with it closes it."""
        if self._database is None:
            if self._closed:
                raise Unavailable("the service is stopping")
            database = connect(self._path, cache_kib=1024)
            try:
                migrate(database, _MIGRATIONS, "system.db")
            except BaseException:
                database.close()
                raise
            self._database, self._version = database, -1
        return self._database

    def create(self, name: str, scopes: tuple[str, ...], days: float | None = None) -> str:
        """Make a token and return its secret: the only time that anyone sees it.

        `days` above 0 end it; without, it is valid until revoked. ValueError for an unknown scope,
        days out of range or a name in use.
        """
        for scope in scopes:
            _check_scope(scope)
        if not scopes:
            raise ValueError("a token needs at least one scope")
        if days is not None and not 0 < days <= _MAX_DAYS:
            raise ValueError(f"days must be above 0 and at most {_MAX_DAYS}, not {days:g}")
        if any(token.name == name for token in self.all()):
            raise ValueError(f"there is a token called {name!r} already")
        secret = PREFIX + secrets.token_urlsafe(32)
        now = self._clock.now()
        expires = now + int(days * 86_400_000_000) if days is not None else None
        self._connection.execute(
            "INSERT INTO token VALUES(?, ?, ?, ?, ?)",
            (_hash(secret), name, " ".join(scopes), now, expires),
        )
        return secret

    def revoke(self, name: str) -> bool:
        """Delete a token; False when there is none of that name."""
        self._refresh()
        self._connection.execute("DELETE FROM token WHERE name = ?", (name,))
        return self._connection.changes() > 0

    def all(self) -> list[Token]:
        """Every token, by name."""
        self._refresh()
        return sorted(self._known.values(), key=lambda token: token.name)

    def find(self, secret: str) -> Token | None:
        """The token with that secret, unless it has expired."""
        self._refresh()
        token = self._known.get(_hash(secret))
        if token is None or (token.expires is not None and token.expires < self._clock.now()):
            return None
        return token

    def close(self) -> None:
        """Close the database for good."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _refresh(self) -> None:
        """Read again when this or another process wrote. What fails is tried anew with the next
        call: a passing fault, or a file that was put right, needs no new start."""
        try:
            self._read()
        except Exception as error:
            problem = storage_problem(error, self._path)
            if problem is None:
                raise
            self._trouble.note(error)
            self._drop()
            raise problem from error
        if self._trouble.error:
            self._trouble.over()

    def _read(self) -> None:
        connection = self._connection
        version = int(connection.pragma("data_version")) + connection.total_changes()
        if version == self._version:
            return
        rows = connection.execute("SELECT hash, name, scopes, created, expires FROM token")
        self._known = {
            bytes(digest): Token(name, tuple(scopes.split()), created, expires)
            for digest, name, scopes, created, expires in rows.fetchall()
        }
        self._version = version


def _check_scope(scope: str) -> None:
    right, colon, tenant = scope.partition(":")
    if right not in SCOPES:
        raise ValueError(f"unknown scope {scope!r}: use read, write or admin")
    # Without a tenant after the colon it would reach every one.
    if colon and not _TENANT.match(tenant):
        raise ValueError(f"scope {scope!r} names no tenant: use {right}, or {right}:TENANT")


def _hash(secret: str) -> bytes:
    # The secret has 256 random bits: a fast hash cannot be searched, a slow one would only cost.
    return sha256(secret.encode()).digest()
