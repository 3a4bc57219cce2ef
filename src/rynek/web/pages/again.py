"""What became of the last computation of a card's answers, for who may write the card."""

from __future__ import annotations

from typing import Any

import msgspec

from rynek.base.typed import decode
from rynek.practices.cards import LAST_RUN, Attempt, Question, Run, Seen, asks_again
from rynek.web.contract import said
from rynek.web.pages.shell import Page

__all__ = ["Again", "computed_again"]


class Again(msgspec.Struct):
    """`lines` are questions with when they were computed last and what came of it; `run` is what
    the service did last, `hours` how often it does ("" where it does not)."""

    lines: list[tuple[str, str, str]]
    run: str
    hours: str


def computed_again(page: Page, seen: Seen) -> Again | None:
    """What is said of it; None for others than who may write the card, and where no question is
    computed by the service. Reads files: not for the event loop."""
    engine: Any = page.site.engine
    if not page.viewer.edits(seen.owner) or not seen.card.questions:
        return None
    settings, t = engine.settings.practices, page.t
    known: dict[str, Attempt] = engine.cards.attempts.all(seen.id)
    stored = engine.cards.find(seen.id)
    again = stored is not None and asks_again(stored, recorded=bool(settings.recorded))
    if not known and not again:
        return None
    lines = [_line(page, one, known[one.key]) for one in seen.card.questions if one.key in known]
    hours = t.number(settings.recompute_hours, 1) if again and settings.recompute else ""
    return Again(lines, _run(page, engine.cards.note(LAST_RUN)) if again else "", hours)


def _line(page: Page, question: Question, one: Attempt) -> tuple[str, str, str]:
    t = page.t
    outcome = {
        "new": t("a new answer"),
        "same": t("nothing has changed"),
        "failed": t("it failed, and the answer before stays"),
    }[one.outcome]
    reason = one.message.text(page.language) if one.message is not None else one.reason
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
