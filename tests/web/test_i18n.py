"""Every message is translated, nothing is fuzzy, and placeholders are the same in every language."""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from rynek.web.i18n import LANGUAGES, catalogue, frontend_messages, negotiate, translator

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
TAG = re.compile(r"</?\w+>")


def load(language: str) -> Catalog:
    with catalogue(language).open("rb") as file:
        return read_po(file, locale=language)


def messages(language: str) -> list[Message]:
    return [message for message in load(language) if message.id]


def forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The messages that stand in the code now (docs/translating.md: the same command)."""
    found = tmp_path_factory.mktemp("messages") / "rynek.pot"
    command: list[str | Path] = [Path(sysconfig.get_path("scripts")) / "pybabel"]
    command += ["-q", "extract", "-F", "babel.cfg"]
    keywords = ["-k", "t", "-k", "n:1,2", "-k", "tn:1,2"]
    subprocess.run([*command, *keywords, "-o", found, "."], cwd=ROOT, check=True, timeout=120)
    with found.open("rb") as file:
        return {key(message) for message in read_po(file) if message.id}


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_holds_what_the_code_says(language: str, extracted: set[str]) -> None:
    assert len(extracted) > 300
    assert {key(message) for message in messages(language)} == extracted


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated(language: str) -> None:
    wrong = {key(m) for m in messages(language) if m.fuzzy or not forms(m) or not all(forms(m))}
    assert wrong == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_complete(language: str) -> None:
    wanted = load(language).num_plurals
    plural = [message for message in messages(language) if not isinstance(message.id, str)]
    assert plural
    assert {key(message): len(forms(message)) for message in plural} == {
        key(message): wanted for message in plural
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_and_tags_are_kept(language: str) -> None:
    for message in messages(language):
        for text in forms(message):
            for pattern in (PLACEHOLDER, TAG):
                wanted = sorted(pattern.findall(key(message)))
                assert sorted(pattern.findall(text)) == wanted, (language, key(message), text)


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_translations_differ_from_english(language: str) -> None:
    """A catalogue of copies would pass the tests above."""
    assert [key(m) for m in messages(language) if key(m) in forms(m) and len(key(m)) > 12] == []


@pytest.mark.parametrize("language", ["bg", "uk", "sr"])
def test_cyrillic_languages_are_written_in_cyrillic(language: str) -> None:
    """What holds a word of Latin letters holds Cyrillic ones, too (units and names aside)."""
    latin = {
        text
        for message in messages(language)
        for text in forms(message)
        if re.search(r"[A-Za-z]{3}", PLACEHOLDER.sub("", text))
        and not re.search(r"[\u0400-\u04ff]", text)
    }
    assert latin == set()


@pytest.mark.parametrize(
    ("language", "num", "said"),
    [
        ("en", 1, "1 reading"),
        ("en", 1234, "1,234 readings"),
        ("pl", 1, "1 odczyt"),
        ("pl", 22, "22 odczyty"),
        ("pl", 25, "25 odczytów"),
        ("cs", 3, "3 údaje"),
        ("cs", 5, "5 údajů"),
        ("uk", 21, "21 показник"),
        ("uk", 12, "12 показників"),
        ("bg", 2, "2 показания"),
        ("sr", 21, "21 очитавање"),
    ],
)
def test_plurals_follow_the_language(language: str, num: int, said: str) -> None:
    assert translator(language).n("%(num)s reading", "%(num)s readings", num) == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_frontend_gets_its_own_messages(language: str) -> None:
    body, _ = frontend_messages(language)
    told = json.loads(body)
    assert told["language"] == language
    assert "Picture as PNG" in told["messages"]
    assert "Where it comes from" not in told["messages"]
    lists = [words for words in told["messages"].values() if isinstance(words, list)]
    assert lists
    assert {len(words) for words in lists} == {len(told["plurals"])}


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "language"),
    [
        (None, None, None, "en"),
        (None, None, "uk-UA,uk;q=0.9,en;q=0.8", "uk"),
        (None, None, "de,fr;q=0.9,cs;q=0.3,pl;q=0.2", "cs"),
        (None, None, "sr-Latn-RS", "sr"),
        (None, None, "pl;q=0", "en"),
        (None, "bg", "uk", "bg"),
        ("pl", "bg", "uk", "pl"),
        ("xx", "yy", "zz", "en"),
    ],
)
def test_negotiation(
    query: str | None, cookie: str | None, accept: str | None, language: str
) -> None:
    assert negotiate(query, cookie, accept) == language


@given(st.text(max_size=200))
def test_any_accept_language_gives_a_language(header: str) -> None:
    assert negotiate(None, None, header) in LANGUAGES


def test_times_stand_in_the_zone_and_language() -> None:
    at = 1_769_612_639_000_000  # 2026-01-28T15:03:59Z
    assert translator("en").moment(at, "Europe/Warsaw") == "28 Jan 2026, 16:03:59"
    assert "16:03:59" in translator("pl").moment(at, "Europe/Warsaw")
    assert translator("cs").age(180_000_000) == "před 3 minutami"
    assert translator("en").age(-7_200_000_000) == "in 2 hours"
