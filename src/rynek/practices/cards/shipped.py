"""The first cards, which come with rynek: as files in the package, and as cards of a service."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from rynek.base.typed import decode
from rynek.practices.cards.answers import Result, specification_digest
from rynek.practices.cards.model import Card
from rynek.practices.cards.reading import parse_card, read_document
from rynek.practices.cards.store import Cards

__all__ = ["CATALOGUE", "Answered", "Shipped", "seed", "shipped"]

CATALOGUE: Final = Path(__file__).parents[1] / "catalogue"
_WHO: Final = "rynek"
_NOTE: Final = "catalogue"


class Answered(msgspec.Struct, frozen=True):
    """An answer as it ships: what it was computed from, by which rynek, and what came out."""

    specification: str
    input: str
    rynek: str
    document: dict[str, Any]


class Shipped(NamedTuple):
    """A card of the package with the answers to its questions."""

    id: str
    card: Card
    answers: dict[str, Answered]


def shipped() -> Iterator[Shipped]:
    """Every card of the package, by id."""
    for path in sorted(CATALOGUE.glob("*-*.toml")):
        computed = path.with_suffix(".json")
        answers = decode(computed.read_bytes(), dict[str, Answered]) if computed.exists() else {}
        card = parse_card(read_document(path.read_bytes(), path.name))
        yield Shipped(path.stem, card, answers)


def seed(cards: Cards) -> int:
    """Bring the package's cards into a store that does not have them as they are now: how many were
    added or changed. A card that somebody here changed or removed is left alone."""
    digest = _digest()
    if cards.note(_NOTE) == digest:
        return 0
    touched = 0
    with cards.together():
        for one in shipped():
            touched += _brought(cards, one)
        cards.set_note(_NOTE, digest)
    return touched


def _brought(cards: Cards, one: Shipped) -> bool:
    stored = cards.find(one.id)
    if stored is None:
        cards.add(one.id, one.card, owner="", door="public", who=_WHO)
    elif stored.written.removed or stored.written.who != _WHO:
        return False
    elif stored.card != one.card:
        cards.change(one.id, one.card, version=stored.written.version, who=_WHO)
    known = cards.answers.all(one.id)
    for question in one.card.questions:
        answer, asked = one.answers.get(question.key), specification_digest(question)
        if (
            answer is not None
            and answer.specification == asked
            and _wanted(known.get(question.key), answer)
        ):
            cards.answers.keep(
                one.id,
                question.key,
                specification=asked,
                digest=answer.input,
                by=answer.rynek,
                document=answer.document,
            )
    return stored is None or stored.card != one.card


def _wanted(known: Result | None, answer: Answered) -> bool:
    """Whether an answer that ships is to be kept: to a question without one or that was another
    one, or where that of the same data lacks what is told of an effect now."""
    if known is None or known.specification != answer.specification:
        return True
    return known.input == answer.input and not answer.document.keys() <= known.document.keys()


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(CATALOGUE.glob("*-*.*")):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
