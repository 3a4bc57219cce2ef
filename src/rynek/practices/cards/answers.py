"""Computed effects of cards, kept with what they were computed from.

Of answers in a row that say the same figures the first and the newest stay. Beyond MOST_ANSWERS to a
question the newest NEWEST_ANSWERS stay, and of those before the first of each month and of each
wording of the question: one that is computed every day does not grow the file for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from rynek.base.clock import Clock
from rynek.base.database import Database
from rynek.base.errors import BadRequestData
from rynek.base.sqlite import Connection
from rynek.practices.cards.model import Question
from rynek.practices.saying import say

__all__ = ["MOST_ANSWERS", "NEWEST_ANSWERS", "Answers", "Result", "specification_digest"]

MOST_ANSWERS: Final = 200
NEWEST_ANSWERS: Final = 100
_MAX_BYTES: Final = 4 << 20
_FIGURES: Final = ("design", "effect", "interval", "p_value", "level")


class Result(msgspec.Struct, frozen=True):
    """An answer to a card's question, with what it was computed from (SHA-256 of specification and
    input) and by which rynek."""

    key: str
    number: int
    at: int
    specification: str
    input: str
    rynek: str
    document: dict[str, Any]


class Answers:
    """The answers to the cards' questions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def keep(
        self, card_id: str, key: str, *, specification: str, digest: str, by: str, document: Any
    ) -> Result:
        """Keep a computed effect; the newest stays as it is where nothing about it differs."""
        body = msgspec.json.encode(document)
        if len(body) > _MAX_BYTES:
            raise BadRequestData(say("answer-large", key=key, most=_MAX_BYTES >> 20))
        with self._database.writing() as database:
            row = database.execute(
                "SELECT number, specification, input, rynek, body FROM result"
                " WHERE id = ? AND key = ? ORDER BY number DESC LIMIT 1",
                (card_id, key),
            ).fetchone()
            told = (specification, digest, by)
            if not row or tuple(row[1:4]) != told or bytes(row[4]) != body:
                number = row[0] + 1 if row else 1
                database.execute(
                    "INSERT INTO result VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                    (card_id, key, number, self._clock.now(), *told, body),
                )
                _thin(database, card_id, key)
        return self.all(card_id)[key]

    def to(self, card_id: str, questions: Iterable[Question]) -> dict[str, Result]:
        """The newest answer to each question as it is asked, by key: an answer to what it asked
        before says nothing of what it asks now."""
        wanted = [(card_id, one.key, specification_digest(one)) for one in questions]
        found: dict[str, Result] = {}
        with self._database.reading() as database:
            for asked in wanted:
                row = database.execute(
                    "SELECT number, at, specification, input, rynek, body FROM result"
                    " WHERE (id, key, specification) = (?, ?, ?) ORDER BY number DESC LIMIT 1",
                    asked,
                ).fetchone()
                if row:
                    number, at, digest, given, by, body = row
                    document = msgspec.json.decode(body)
                    found[asked[1]] = Result(asked[1], number, at, digest, given, by, document)
        return {key: found[key] for key in sorted(found)}

    def all(self, card_id: str) -> dict[str, Result]:
        """The newest answer to each question of a card."""
        with self._database.reading() as database:
            # Of a group with max(), SQLite takes the other columns from the row of the maximum.
            rows = database.execute(
                "SELECT key, max(number), at, specification, input, rynek, body FROM result"
                " WHERE id = ? GROUP BY key ORDER BY key",
                (card_id,),
            ).fetchall()
        return {
            key: Result(key, number, at, specification, digest, by, msgspec.json.decode(body))
            for key, number, at, specification, digest, by, body in rows
        }

    def since(self, at: int, limit: int) -> list[tuple[int, str]]:
        """Cards with answers kept after `at` (epoch microseconds), the earliest first, each once
        with the time of its newest; all of the last moment, so that `at` can be a cursor."""
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT max(at), id FROM result WHERE at > ? GROUP BY id ORDER BY 1", (at,)
            ).fetchall()
        found = [(int(when), str(card_id)) for when, card_id in rows]
        while limit < len(found) and found[limit][0] == found[limit - 1][0]:
            limit += 1
        return found[:limit]


def _thin(database: Connection, card_id: str, key: str) -> None:
    """Let go of what the module says, once an answer was added."""
    last = database.execute(
        "SELECT number, specification, body FROM result WHERE id = ? AND key = ?"
        " ORDER BY number DESC LIMIT 3",
        (card_id, key),
    ).fetchall()
    gone: list[int] = []
    if len(last) == 3 and len({_figures(*row[1:]) for row in last}) == 1:
        gone.append(last[1][0])
    rows = database.execute(
        "SELECT number, at, specification FROM result WHERE id = ? AND key = ? ORDER BY number",
        (card_id, key),
    ).fetchall()
    if len(rows) > MOST_ANSWERS:
        known: set[tuple[str, str]] = set()
        for number, at, specification in rows[:-NEWEST_ANSWERS]:
            day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
            month = (specification, day.strftime("%Y-%m"))
            if month in known:
                gone.append(number)
            known.add(month)
    database.executemany(
        "DELETE FROM result WHERE id = ? AND key = ? AND number = ?",
        [(card_id, key, number) for number in gone],
    )


def _figures(specification: str, body: bytes) -> tuple[str, bytes]:
    """What an answer says: of which question, and its figures (all of it where it has none)."""
    document = msgspec.json.decode(body)
    if not isinstance(document, dict) or "effect" not in document:
        return specification, body
    return specification, msgspec.json.encode([document.get(name) for name in _FIGURES])


def specification_digest(question: Question) -> str:
    """SHA-256 of what a question asks, whatever it is called."""
    asked = msgspec.json.encode((question.specification, question.recipe), order="deterministic")
    return hashlib.sha256(asked).hexdigest()
