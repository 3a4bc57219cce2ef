"""Reasons on pages: in the page's language where they have an id, else as they were kept (English)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from rynek.base.errors import Problem
from rynek.base.messages import Message, written_period
from rynek.practices import name_of_check, read_message
from rynek.web.pages import practice_words as words
from rynek.web.pages.shell import Page

__all__ = ["Checked", "Reasons", "Said"]

_MARKS: Final = {"passed": "ok", "failed": "bad", "not applicable": "wait"}


class Said(NamedTuple):
    """Words, and their language where it is not the page's."""

    text: str
    lang: str = ""


class Checked(NamedTuple):
    """A check: the shape and the word of its verdict, its name and reason, and whether it counts
    for the level."""

    shape: str
    verdict: str
    name: Said
    reason: Said
    counts: bool = False


class Reasons:
    """What reasons are in a page's language. `called` are the names that places have there by
    their ids."""

    def __init__(self, page: Page, called: Mapping[str, str] | None = None) -> None:
        self.page = page
        designs = {name: page.t(word) for name, word in words.DESIGNS.items()}
        self.called = designs | dict(called or {})

    def of(self, message: Any, plain: Any) -> Said:
        """A message of a kept answer, `plain` where it has none that can be said here."""
        found = read_message(message)
        return self.said(found) if found is not None else self.kept(str(plain or ""))

    def said(self, message: Message) -> Said:
        """A message."""
        return Said(message.text(self.page.language, self.called))

    def kept(self, text: str) -> Said:
        """What nobody translated."""
        return Said(text, "" if self.page.language == "en" or not text else "en")

    def problem(self, problem: Problem) -> Said:
        """Why there is no answer."""
        if problem.message is not None:
            return self.said(problem.message)
        return self.kept(problem.detail or problem.title)

    def check(self, each: Mapping[str, Any], lowering: frozenset[str]) -> Checked:
        """A check of a kept answer."""
        verdict, name = each["verdict"], name_of_check(each["name"])
        return Checked(
            _MARKS[verdict],
            self.page.t(words.CHECKS[verdict]),
            self.kept(each["name"]) if name is None else self.said(name),
            self.of(each.get("message"), each["reason"]),
            each["name"] in lowering,
        )

    def left_out(self, found: Mapping[str, Any]) -> list[tuple[str, Said]]:
        """Places that were not compared with, and why."""
        messages = (found.get("messages") or {}).get("left_out") or {}
        told = (found.get("left_out") or {}).items()
        return [
            (self.called.get(name, name), self.of(messages.get(name), why)) for name, why in told
        ]

    def period(self, label: Any) -> str:
        """A period as the language writes it."""
        return written_period(str(label), self.page.language)
