"""What became of the last computation of a card's answers, for who may write the card."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from rynek.base.typed import decode
from rynek.practices.cards import LAST_RUN, Attempt, Question, Run, Seen, asks_again
from rynek.web.contract import said
from rynek.web.pages.called import places_called
from rynek.web.pages.shell import Page

__all__ = ["Again", "Attempts", "attempts_of", "computed_again"]


class Again(msgspec.Struct):
    """`lines` are questions with when they were computed last and what came of it; `run` is what
    the service did last, `hours` how often it does ("" where it does not)."""

    lines: list[tuple[str, str, str]]
    run: str
    hours: str


class Attempts(msgspec.Struct, frozen=True):
    """The last attempts at a card's questions, whether it asks again, and the service's last run."""

    known: dict[str, Attempt]
    again: bool
    run: str


def attempts_of(page: Page, seen: Seen) -> Attempts | None:
    """What is known of it; None for others than who may write the card, and where no question is
    computed by the service. Reads files: not for the event loop."""
    engine: Any = page.site.engine
    if not page.viewer.edits(seen.owner) or not seen.card.questions:
        return None
    known: dict[str, Attempt] = engine.cards.attempts.all(seen.id)
    stored = engine.cards.find(seen.id)
    recorded = bool(engine.settings.practices.recorded)
    again = stored is not None and asks_again(stored, recorded=recorded)
    run = engine.cards.note(LAST_RUN) if again else ""
    return Attempts(known, again, run) if known or again else None


def computed_again(
    page: Page, seen: Seen, attempts: Attempts | None, answered: Collection[str]
) -> Again | None:
    """What is said of it; `answered` are the questions that have an answer."""
    if attempts is None:
        return None
    engine: Any = page.site.engine
    settings, known = engine.settings.practices, attempts.known
    told = [one.message.document() for one in known.values() if one.message is not None]
    called = places_called(page, seen.owner, told)
    lines = [
        _line(page, one, known[one.key], called, stays=one.key in answered)
        for one in seen.card.questions
        if one.key in known
    ]
    looks = attempts.again and settings.recompute
    hours = page.t.number(settings.recompute_hours, 1) if looks else ""
    return Again(lines, _run(page, attempts.run), hours)


def _line(
    page: Page, question: Question, one: Attempt, called: Mapping[str, str], *, stays: bool
) -> tuple[str, str, str]:
    t = page.t
    failed = t("it failed, and the answer before stays") if stays else t("it failed")
    outcome = {
        "new": t("a new answer"),
        "same": t("nothing has changed"),
        "failed": failed,
    }[one.outcome]
    reason = one.reason
    if one.message is not None:
        reason = one.message.text(page.language, called)
    told = f"{outcome}: {reason}" if reason else outcome
    title: Any = question.title
    return said(title, page.language), t.moment(one.at, page.zone, "medium"), told


def _run(page: Page, note: str) -> str:
    """What the service did last, in words."""
    if not note:
        return ""
    run, t = decode(note, Run), page.t
    counts = {name: t.number(getattr(run, name), 0) for name in ("done", "total", "new", "failed")}
    if run.finished is None:
        return t("It is at it: %(done)s of %(total)s cards.", **counts)
    return t(
        "Last run: %(at)s; cards: %(total)s, new answers: %(new)s, failed: %(failed)s.",
        at=t.moment(run.finished, page.zone, "medium"),
        **counts,
    )
