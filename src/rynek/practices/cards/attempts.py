"""When the answer to a question was computed last, and what came of that: for who owns the card."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from rynek.base.clock import Clock
from rynek.base.database import Database
from rynek.base.errors import Problem, Unavailable
from rynek.base.messages import Message
from rynek.practices.cards.doors import Stored
from rynek.practices.saying import read_message, say

__all__ = ["LAST_RUN", "Attempt", "Attempts", "Run", "asks_again", "ended"]

Outcome = Literal["new", "same", "failed"]
_LONGEST: Final = 2_000


class Attempt(msgspec.Struct, frozen=True):
    """The last computation of an answer: it gave a new one, the same, or failed for a `reason`. An
    answer that was kept before stays in any case."""

    key: str
    at: int
    outcome: Outcome
    reason: str = ""
    message: Message | None = None

    def document(self) -> dict[str, Any]:
        """As JSON has it, without the time."""
        told: dict[str, Any] = {"outcome": self.outcome}
        if self.reason:
            told["reason"] = self.reason
        if self.message is not None:
            told["message"] = self.message.document()
        return told


class Attempts:
    """The last attempt at each question of each card."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def note(self, card_id: str, key: str, outcome: Outcome, why: Problem | None = None) -> None:
        """Note what came of a computation, in place of what came of the one before."""
        told = b""
        if why is not None and why.message is not None:
            told = msgspec.json.encode(why.message.document())
        reason = "" if why is None else str(why.detail)[:_LONGEST]
        with self._database.writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO attempt VALUES(?, ?, ?, ?, ?, ?)",
                (card_id, key, self._clock.now(), outcome, reason, told),
            )

    def all(self, card_id: str) -> dict[str, Attempt]:
        """The last attempt at each question of a card, by key."""
        with self._database.reading() as database:
            rows = database.execute(
                "SELECT key, at, outcome, reason, message FROM attempt WHERE id = ? ORDER BY key",
                (card_id,),
            ).fetchall()
        return {
            key: Attempt(
                key,
                at,
                outcome,
                reason,
                read_message(msgspec.json.decode(message)) if message else None,
            )
            for key, at, outcome, reason, message in rows
        }


LAST_RUN: Final = "answers: last run"
"""The note of the store of cards that holds the last run of the service."""


class Run(msgspec.Struct, frozen=True):
    """A run over all cards that ask again: `done` of `total` of them, how many `new` answers came of
    it and how many questions `failed`; times in epoch µs, `finished` is None while it goes on."""

    started: int = 0
    finished: int | None = None
    total: int = 0
    done: int = 0
    new: int = 0
    failed: int = 0


def ended(minutes: int | None = None) -> Unavailable:
    """Why a computation has no result: it took longer than so many minutes, or broke."""
    return Unavailable(
        say("answer-broke") if minutes is None else say("answer-late", minutes=minutes)
    )


def asks_again(stored: Stored, *, recorded: bool) -> bool:
    """Whether a card has a question that can be answered again by itself: of its owner's history,
    or where there is a folder of recorded files of those."""
    if stored.written.removed:
        return False
    return any(
        (recorded if one.recipe else isinstance(one.specification.get("panel"), dict))
        for one in stored.card.questions
    )
