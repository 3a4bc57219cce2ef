"""Letters, stems and concepts."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rynek.practices.search import search_concepts
from rynek.practices.search.alphabets import to_cyrillic, to_latin
from rynek.practices.search.glossary import glossary
from rynek.practices.search.mending import distance
from rynek.practices.search.query import MAX_WORDS, parsed
from rynek.practices.search.words import LANGUAGES, folded, key, keys, kin, language_of

_SR = "абвгдђежзијклљмнњопрстћуфхцчџш"
_UK = "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"
_BG = "абвгдежзийклмнопрстуфхцчшщъьюя"


@pytest.mark.parametrize(
    ("language", "cyrillic", "latin"),
    [
        ("bg", "софия", "sofia"),
        ("bg", "българия", "balgaria"),
        ("bg", "стара загора", "stara zagora"),
        ("bg", "щастие", "shtastie"),
        ("bg", "кюстендил", "kyustendil"),
        ("bg", "жълт", "zhalt"),
        ("uk", "згурський", "zghurskyi"),
        ("uk", "їжакевич", "yizhakevych"),
        ("uk", "кадиївка", "kadyivka"),
        ("uk", "мар'їне", "marine"),
        ("uk", "щербухи", "shcherbukhy"),
        ("uk", "юрій", "yurii"),
        ("uk", "костянтин", "kostiantyn"),
        ("uk", "гадяч", "hadiach"),
        ("sr", "љубљење", "ljubljenje"),
        ("sr", "ђурађ џеп ћуприја", "đurađ džep ćuprija"),
        ("sr", "чешаљ жаба", "češalj žaba"),
    ],
)
def test_letters_are_those_of_the_official_tables(language: Any, cyrillic: str, latin: str) -> None:
    assert to_latin(cyrillic, language) == latin


@settings(deadline=None, max_examples=60)
@given(st.text(_SR, max_size=30))
def test_serbian_comes_back_letter_by_letter(text: str) -> None:
    seams = re.search("нј|лј|дж", text)
    if not seams and not re.search(r"\b(инјекц|конјуг|конјун)", text):
        assert to_cyrillic(to_latin(text, "sr"), "sr") == text


def test_seams_of_serbian_prefixes_are_two_letters() -> None:
    assert to_cyrillic("injekcija konjunktura nadživeti", "sr") == "инјекција конјунктура надживети"


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["uk", "bg"]), st.data())
def test_what_is_read_as_cyrillic_is_the_same_in_latin_again(
    language: Any, data: st.DataObject
) -> None:
    text = data.draw(st.text(_UK if language == "uk" else _BG, max_size=30))
    if language == "bg" and re.search("[йьи][аaу]", text):
        # `ya` is я and йа: the law's own letters do not tell them apart.
        return
    latin = to_latin(text, language)
    assert to_latin(to_cyrillic(latin, language), language) == latin


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["uk", "bg", "sr"]), st.text(max_size=40))
def test_any_text_is_taken(language: Any, text: str) -> None:
    assert isinstance(to_latin(text, language), str)
    assert isinstance(to_cyrillic(text, language), str)


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", "container containers"),
        ("pl", "pojemnik pojemniki pojemników pojemnikami"),
        ("pl", "strefa strefy strefę strefie"),
        ("cs", "skládka skládky skládek skládkami"),
        ("cs", "stanice stanic stanicemi"),
        ("bg", "контейнер контейнери контейнерите контейнера"),
        ("bg", "кош кошове кошовете"),
        ("bg", "паркиране паркирането"),
        ("bg", "сметище сметища сметищата сметището"),
        ("bg", "станция станции станциите станцията"),
        ("uk", "смітник смітники смітників смітниками"),
        ("uk", "зупинка зупинки зупинок зупинками"),
        ("uk", "самокат самокати самокатів"),
        ("uk", "станція станції станцій станціями"),
        ("uk", "закупівля закупівлі закупівель"),
        ("sr", "семафор семафори семафора semafori semaforima"),
        ("sr", "расвета расвете rasveta rasvetom"),
    ],
)
def test_forms_of_a_word_have_one_key(language: Any, forms: str) -> None:
    assert len({key(form, language) for form in forms.split()}) == 1, {
        form: key(form, language) for form in forms.split()
    }


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(LANGUAGES),
    st.text(string.ascii_lowercase + "ěščřžýáíéłąęćńж" + _UK + _SR, min_size=1, max_size=25),
)
def test_a_key_is_short_and_the_same_each_time(language: Any, word: str) -> None:
    assert key(word, language) == key(word, language)
    assert len(key(word, language)) <= 4 * len(word) + 2
    assert isinstance(keys(word), dict)
    kin(key(word, language))


def test_marks_are_folded() -> None:
    assert folded("łódź") == "lodz"
    assert folded("čačak") == "cacak"
    assert folded("đura") == "djura"


def test_words_that_languages_share_are_kin() -> None:
    assert (
        len(
            {
                kin(key(*pair))
                for pair in (
                    ("kontenery", "pl"),
                    ("kontejnery", "cs"),
                    ("контейнери", "bg"),
                    ("контејнери", "sr"),
                )
            }
        )
        == 1
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The city has a new tram line and it is free", "en"),
        ("Miasto ma nową linię i jest ona bezpłatna", "pl"),
        ("Město má novou linku a ta je zdarma, což přináší změnu", "cs"),
        ("Градът има нова линия и тя е безплатна", "bg"),
        ("Місто має нову лінію, і вона безкоштовна", "uk"),
        ("Град има нову линију и она је бесплатна", "sr"),
        ("Grad ima novu liniju i ona je besplatna, što je dobro", "sr"),
    ],
)
def test_a_language_is_told_by_its_letters_and_commonest_words(text: str, language: Any) -> None:
    assert language_of(text) == language


# -- the glossary ----------------------------------------------------------------------------------


def test_every_concept_has_words_in_six_languages_and_serbian_in_both_scripts() -> None:
    concepts = search_concepts()
    assert len(concepts) >= 300
    for name, words in concepts.items():
        assert set(words) == set(LANGUAGES), name
        for language, told in words.items():
            assert told and all(word == word.strip() and word for word in told), (name, language)
            assert len(told) == len(set(told)), (name, language, told)
        for word in words["sr"]:
            if re.search("[а-яђјљњћџ]", word.casefold()):
                assert to_latin(word.casefold(), "sr") in words["sr"], (name, word)


def test_no_word_mixes_alphabets_or_stands_in_the_wrong_one() -> None:
    own = {"bg": set(_BG), "uk": set(_UK), "sr": set(_SR)}
    for name, words in search_concepts().items():
        for language, told in words.items():
            for word in re.findall(r"[^\W\d_]+", " ".join(told).casefold()):
                cyrillic = {one for one in word if "Ѐ" <= one <= "ԯ"}
                assert not cyrillic or cyrillic == set(word), (name, word)
                assert cyrillic <= own.get(language, set()), (name, language, word)


def test_broader_concepts_are_there_and_end() -> None:
    known = glossary()
    for concept in known.concepts.values():
        assert not concept.broader or concept.broader in known.concepts, concept.name
        assert concept.name not in known.above(concept.name)


def test_a_name_of_several_words_is_one_concept_in_any_order() -> None:
    known = glossary()
    for text in ("veřejné osvětlení ulice", "osvětlení veřejné"):
        assert "street_lighting" in {name for _, _, name in parsed(text, known).concepts}
    whole = parsed("low emission zone", known).concepts
    assert [name for _, _, name in whole] == ["low_emission_zone"]


# -- queries and distances -------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from('abc жš"- \n*()'), max_size=80))
def test_the_parser_takes_quotes_and_signs_as_they_come(text: str) -> None:
    if len(re.findall(r"[^\W_]+", text)) <= MAX_WORDS:
        query = parsed(text, glossary())
        assert all(0 <= start < end <= len(query.terms) for start, end, _ in query.concepts)
        assert all(term.text for term in query.terms)


@settings(deadline=None, max_examples=60)
@given(st.text("abcd", max_size=8), st.text("abcd", max_size=8), st.integers(0, 3))
def test_a_distance_is_symmetric_bounded_and_zero_for_the_same(
    one: str, other: str, most: int
) -> None:
    assert distance(one, one, most) == 0
    assert distance(one, other, most) == distance(other, one, most) <= most + 1
    if one != other:
        assert distance(one, other, 3) > 0


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [("sensor", "senosr", 1), ("parking", "parkin", 1), ("bus", "bas", 1), ("tram", "mart", 3)],
)
def test_swapped_neighbours_are_one_edit(one: str, other: str, apart: int) -> None:
    assert distance(one, other, 3) == min(apart, 4)
