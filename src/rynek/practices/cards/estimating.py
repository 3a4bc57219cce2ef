"""Answers to the questions of cards: computed from recorded files or the owner's history by the
specification that a card keeps, and again when files, history, question or rynek have changed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from rynek import __version__
from rynek.base.errors import BadRequestData, Problem
from rynek.practices.cards.answers import Result, specification_digest
from rynek.practices.cards.doors import Stored
from rynek.practices.cards.growing import AskHistory, asked_of_history, digest_of
from rynek.practices.cards.model import Question
from rynek.practices.cards.recipe import make_panel, parse_recipe
from rynek.practices.cards.store import Cards
from rynek.practices.evaluation import Evaluation, evaluate, evaluate_panel
from rynek.practices.saying import say
from rynek.practices.specification import parse_specification

__all__ = ["answer_all", "answer_from_history", "answer_question"]

_PANEL: Final = "panel.csv"


def answer_all(
    cards: Cards,
    card_id: str,
    data: Path | None = None,
    ask: AskHistory | None = None,
    zone: ZoneInfo | None = None,
) -> Iterator[tuple[str, Result | Problem]]:
    """Answer each question of a card from the files below `data`, or from its owner's history: its
    key, with what was found or why nothing was. Questions for which neither is given are passed
    over. What came of each is noted; an answer that fails leaves the one before."""
    stored = cards.find(card_id)
    if stored is None or stored.written.removed:
        return
    for question in stored.card.questions:
        if (data if question.recipe else ask) is None:
            continue
        before = cards.answers.all(card_id).get(question.key)
        try:
            if question.recipe:
                assert data is not None
                found = answer_question(cards, card_id, question, data)
            else:
                assert ask is not None
                found = answer_from_history(cards, stored, question, ask, zone or ZoneInfo("UTC"))
        except Problem as problem:
            cards.attempts.note(card_id, question.key, "failed", problem)
            yield question.key, problem
            continue
        same = before is not None and before.number == found.number
        cards.attempts.note(card_id, question.key, "same" if same else "new")
        yield question.key, found


def answer_question(cards: Cards, card_id: str, question: Question, data: Path) -> Result:
    """The effect that a question asks for, kept in the store with the digests of its specification
    and its input. BadRequestData where there is nothing to estimate from."""
    if not question.recipe:
        raise BadRequestData(say("answer-nothing", key=question.key))
    recipe = parse_recipe(question.recipe)
    with tempfile.TemporaryDirectory() as room:
        digest = make_panel(recipe, data, Path(room) / _PANEL)
        known = _known(cards, card_id, question, digest)
        if known is not None:
            return known
        named = {"panel": _PANEL, "time": "time", "outcome": recipe.outcome}
        if recipe.unit:
            named["unit"] = "unit"
        if recipe.covariates:
            named["covariates"] = recipe.covariates  # type: ignore[assignment]
        found = evaluate(parse_specification(question.specification | named), Path(room))
    return _keep(cards, card_id, question, digest, found)


def answer_from_history(
    cards: Cards, stored: Stored, question: Question, ask: AskHistory, zone: ZoneInfo
) -> Result:
    """The same from the history of the city that owns the card, up to the last whole period.
    BadRequestData where there is nothing to estimate from."""
    if not isinstance(question.specification.get("panel"), dict):
        raise BadRequestData(say("answer-nothing", key=question.key))
    asked = asked_of_history(question, stored.owner, cards.clock.now(), zone)
    panel = ask(stored.owner, asked)
    digest = digest_of(panel)
    known = _known(cards, stored.id, question, digest)
    if known is not None:
        return known
    told = {"outcome": asked.attribute, "unit": "place"}
    spec = parse_specification(told | question.specification | {"panel": ""})
    return _keep(cards, stored.id, question, digest, evaluate_panel(spec, panel))


def _known(cards: Cards, card_id: str, question: Question, digest: str) -> Result | None:
    """The newest answer, where nothing that it was computed from has changed since."""
    newest = cards.answers.all(card_id).get(question.key)
    if newest is None:
        return None
    same = (specification_digest(question), digest, __version__)
    return newest if (newest.specification, newest.input, newest.rynek) == same else None


def _keep(cards: Cards, card_id: str, question: Question, digest: str, found: Evaluation) -> Result:
    return cards.answers.keep(
        card_id,
        question.key,
        specification=specification_digest(question),
        digest=digest,
        by=__version__,
        document=found.document()
        | {"outcome_unit": question.specification.get("outcome_unit", "")},
    )
