"""Nouns in the form that their number asks for, and names made of places."""

from __future__ import annotations

import pytest

from rynek.web.i18n import LANGUAGES, translator
from rynek.web.pages.counting import NOUNS, counted, noun
from rynek.web.pages.values import told_id


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["bike station", "bike stations", "bike stations", "bike stations"]),
        ("pl", ["stacja rowerowa", "stacje rowerowe", "stacji rowerowych", "stacji rowerowych"]),
        ("cs", ["stanice kol", "stanice kol", "stanic kol", "stanic kol"]),
        ("bg", ["велостанция", "велостанции", "велостанции", "велостанции"]),
        ("uk", ["велостанція", "велостанції", "велостанцій", "велостанція"]),
        ("sr", ["станица бицикала", "станице бицикала", "станица бицикала", "станица бицикала"]),
    ],
)
def test_a_noun_follows_its_number(language: str, words: list[str]) -> None:
    t = translator(language)
    found = [noun(t, "BikeHireDockingStation", count) for count in (1, 2, 5, 21)]
    assert found == words


def test_every_noun_is_translated_and_none_repeats_the_number() -> None:
    for language in LANGUAGES:
        t = translator(language)
        for name, (one, _) in NOUNS.items():
            assert noun(t, name, 5)
            assert language == "en" or noun(t, name, 1) != one
            assert not any(letter.isdigit() for letter in noun(t, name, 5))


def test_a_type_without_a_noun_keeps_its_name() -> None:
    t = translator("en")
    assert counted(t, "RoadSign", 1234) == "Road sign: 1,234"
    assert counted(t, "GtfsStop", 710) == "710 stops"


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("42.7017233649824,23.288090279981,1100", "1100 (42.7017, 23.2881)"),
        ("-33.868821,151.209296", "(-33.8688, 151.2093)"),
        ("17", "17"),
        ("1.5,2.5", "1.5,2.5"),
        ("a42.7017,23.2880", "a42.7017,23.2880"),
    ],
)
def test_places_in_identifiers_are_rounded(own: str, told: str) -> None:
    assert told_id(own) == told
