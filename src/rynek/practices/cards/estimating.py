"""Answers to the questions of cards: computed from recorded files by the specification that a card
keeps, and computed again when the files, the question or rynek have changed."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from rynek import __version__
from rynek.base.errors import BadRequestData, Problem
from rynek.practices.cards.answers import Result
from rynek.practices.cards.model import Question
from rynek.practices.cards.recipe import make_panel, parse_recipe
from rynek.practices.cards.store import Cards
from rynek.practices.evaluation import evaluate
from rynek.practices.specification import parse_specification

__all__ = ["answer_all", "answer_question"]

_PANEL: Final = "panel.csv"


def answer_all(cards: Cards, card_id: str, data: Path) -> Iterator[tuple[str, Result | Problem]]:
    """Answer each question of a card from the files below `data`: its key, with what was found or
    why nothing was."""
    stored = cards.find(card_id)
    for question in stored.card.questions if stored else []:
        try:
            yield question.key, answer_question(cards, card_id, question, data)
        except Problem as problem:
            yield question.key, problem


def answer_question(cards: Cards, card_id: str, question: Question, data: Path) -> Result:
    """The effect that a question asks for, kept in the store with the digests of its specification
    and its input. BadRequestData where there is nothing to estimate from."""
    if not question.recipe:
        raise BadRequestData(f"{question.key}: has no recipe: its panel is made elsewhere")
    recipe = parse_recipe(question.recipe)
    with tempfile.TemporaryDirectory() as room:
        digest = make_panel(recipe, data, Path(room) / _PANEL)
        named = {"panel": _PANEL, "time": "time", "outcome": recipe.outcome}
        if recipe.unit:
            named["unit"] = "unit"
        if recipe.covariates:
            named["covariates"] = recipe.covariates  # type: ignore[assignment]
        found = evaluate(parse_specification(question.specification | named), Path(room))
    return cards.answers.keep(
        card_id,
        question.key,
        specification=specification_digest(question),
        digest=digest,
        by=__version__,
        document=found.document()
        | {"outcome_unit": question.specification.get("outcome_unit", "")},
    )


def specification_digest(question: Question) -> str:
    """SHA-256 of what a question asks, whatever it is called."""
    asked = msgspec.json.encode((question.specification, question.recipe), order="deterministic")
    return hashlib.sha256(asked).hexdigest()
