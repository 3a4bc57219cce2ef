"""Computed effects of cards: every answer is kept, with what it was computed from."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rynek.base.clock import Clock
from rynek.base.database import Database
from rynek.base.errors import BadRequestData

__all__ = ["Answers", "Result"]

_MAX_BYTES: Final = 4 << 20


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
            raise BadRequestData(f"{key}: the answer is over {_MAX_BYTES >> 20} MiB")
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
        return self.all(card_id)[key]

    def all(self, card_id: str) -> dict[str, Result]:
        """The newest answer to each question of a card."""
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT key, number, at, specification, input, rynek, body FROM result"
                " WHERE id = ? ORDER BY key, number",
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
