"""A card as PDF: nothing on it that the page does not show, and no card too large for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.practices.cards.support import card, document

from rynek.practices.cards import EVERYBODY, Card, parse_card
from rynek.practices.cards.doors import Stored, Written
from rynek.web.i18n import LANGUAGES, translator
from rynek.web.pages.practice import describe
from rynek.web.practices import pdf

GIVEN_AWAY = ("ruse", "русе", "aleksandrovska", "213czf", "example.org", "university")


def told(made: Card, language: str = "en") -> tuple[Any, dict[str, Any]]:
    written = Written(1, 1_700_000_000_000_000, "ivan of Ruse")
    stored = Stored("streets", "ruse", "public", 1, written, made, not made.city_shown)
    seen = stored.seen_by(EVERYBODY)
    assert seen is not None
    t = translator(language)
    page: Any = SimpleNamespace(
        t=t, language=language, zone="UTC", base="", root="", viewer=EVERYBODY, tenants={}
    )
    return page, describe(page, seen, {}, [seen.written])


def texts(parts: Any) -> str:
    """The words of paragraphs and of the cells of tables."""
    found = []
    for part in parts:
        if hasattr(part, "getPlainText"):
            found.append(part.getPlainText())
        elif isinstance(part, list | tuple):
            found.append(texts(part))
        else:
            found.append(texts(getattr(part, "_cellvalues", ()) or getattr(part, "_content", ())))
    return " ".join(found)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_nameless_card_is_nameless_on_paper(language: str) -> None:
    said = texts(pdf.story(*told(card(city_shown=False), language), 400.0))
    assert "It did not." in said
    assert [each for each in GIVEN_AWAY if each in said.casefold()] == []
    named = texts(pdf.story(*told(card(), language), 400.0)).casefold()
    assert "aleksandrovska" in named


def test_what_looks_like_markup_is_text() -> None:
    hostile = '<img src="file:///etc/passwd"/> <b>& &amp; <para></font>'
    made = card(problem={"en": hostile}, lessons=[{"en": hostile}])
    assert hostile in texts(pdf.story(*told(made), 400.0))
    assert pdf.document(*told(made)).startswith(b"%PDF-")


def test_the_largest_texts_are_laid_out() -> None:
    long = {"en": "слово <b>& word " * 1200}
    accounts = [
        {"key": "a", "title": {"en": "x"}, "text": long},
        {"key": "b", "title": {"en": "y"}, "text": {"en": "Z" * 19_000}},
    ]
    claims = [{"who": {"en": "w"}, "effect": long, "account": "a"}]
    phase = {"title": {"en": "T" * 200}, "start": "2020", "source": {"title": "s" * 500}}
    made = parse_card(document(accounts=accounts, claims=claims, phases=[phase] * 20))
    assert pdf.document(*told(made)).count(b"/Type /Page\n") > 5
