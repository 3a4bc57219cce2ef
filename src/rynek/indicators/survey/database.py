"""The file that holds surveys, invitations and answers: apart, since answers are nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rynek.base.database import Database

__all__ = ["FILE", "MIGRATIONS", "opened"]

FILE: Final = "surveys.db"

MIGRATIONS: Final = (
    """
CREATE TABLE survey(
  id TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, digest TEXT NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY(id, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE wave(
  id TEXT PRIMARY KEY, survey TEXT NOT NULL, version INTEGER NOT NULL, opened INTEGER NOT NULL,
  deadline INTEGER NOT NULL, results TEXT NOT NULL, example INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE invitation(
  wave TEXT NOT NULL, respondent TEXT NOT NULL, name TEXT NOT NULL, region TEXT NOT NULL,
  token BLOB NOT NULL UNIQUE, at INTEGER NOT NULL, PRIMARY KEY(wave, respondent)
) STRICT, WITHOUT ROWID;
CREATE TABLE response(
  wave TEXT NOT NULL, respondent TEXT NOT NULL, revision INTEGER NOT NULL, saved INTEGER NOT NULL,
  submitted INTEGER, language TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY(wave, respondent)
) STRICT, WITHOUT ROWID;
""",
    """
ALTER TABLE wave ADD COLUMN zone INTEGER NOT NULL DEFAULT 0;
CREATE TABLE measured(
  wave TEXT NOT NULL, respondent TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY(wave, respondent)
) STRICT, WITHOUT ROWID;
""",
    """
ALTER TABLE wave ADD COLUMN place TEXT NOT NULL DEFAULT '';
""",
)


def opened(folder: Path) -> Database:
    """The surveys of a data folder."""
    return Database(folder / FILE, MIGRATIONS)
