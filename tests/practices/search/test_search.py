"""The index of practice cards: six languages, doors, hostile queries, following the cards."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rynek.base.errors import BadRequestData
from rynek.practices.cards import EVERYBODY, Viewer
from rynek.practices.search import Entry, Filters, Found, Priced, SearchIndex

_HERE = Path(__file__).parent
_LEAST = 0.85


def _read(name: str, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((_HERE / name).read_text(encoding="utf-8"))[table]
    return found


def _entry(card: dict[str, Any], **more: Any) -> Entry:
    texts = {card["language"]: {"title": card["title"], "done": card["text"]}}
    return Entry(id=card["id"], texts=texts, theme=card["theme"], **more)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    made = SearchIndex(tmp_path_factory.mktemp("search") / "search.db")
    made.put(_entry(card) for card in _read("cards.toml", "cards"))
    yield made
    made.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[SearchIndex]:
    made = SearchIndex(tmp_path / "search.db")
    yield made
    made.close()


def _ids(found: Found) -> list[str]:
    return [hit.id for hit in found.hits]


def _share(index: SearchIndex, name: str) -> float:
    asked = _read(name, "queries")
    met = [
        bool(
            set(_ids(index.find(one["query"], languages=[one["language"]], limit=5)))
            & set(one["expected"])
        )
        for one in asked
    ]
    return sum(met) / len(met)


def test_the_right_card_of_another_language_is_among_the_first_five(index: SearchIndex) -> None:
    asked = _read("queries.toml", "queries")
    cards = {card["id"]: card for card in _read("cards.toml", "cards")}
    assert len(asked) == 60
    assert all(
        cards[one]["language"] != each["language"] for each in asked for one in each["expected"]
    )
    assert _share(index, "queries.toml") >= _LEAST


def test_loose_words_find_the_right_card_more_often_than_not(index: SearchIndex) -> None:
    # 23 of 30 when they were written; what is missing is said in docs/search.md.
    assert _share(index, "paraphrases.toml") >= 0.7


def test_one_query_finds_cards_in_every_language(index: SearchIndex) -> None:
    found = index.find("parkování", limit=10)
    languages = {one[:2] for one in _ids(found)}
    assert {"cs", "pl", "bg", "uk"} <= languages


def test_a_snippet_marks_what_was_found_in_its_own_language(index: SearchIndex) -> None:
    hit = index.find("koš na odpad chytrý", languages=["uk"], limit=1).hits[0]
    assert hit.id == "cs1"
    assert "".join(piece.text for piece in hit.title.pieces) == "Chytré koše s čidly zaplněnosti"
    assert [piece.text for piece in hit.title.pieces if piece.marked] == ["Chytré", "koše"]


def test_serbian_is_found_in_either_script_and_without_marks(index: SearchIndex) -> None:
    for query in ("пси луталице", "psi lutalice", "PSI LUTALICE"):
        assert _ids(index.find(query, limit=1)) == ["sr9"]
    for query in ("школска улица", "školska ulica", "skolska ulica"):
        assert _ids(index.find(query, limit=1)) == ["sr8"]


def test_bulgarian_and_ukrainian_are_found_as_typed_in_latin_letters(index: SearchIndex) -> None:
    assert _ids(index.find("nezakonni smetishta", limit=1)) == ["bg8"]
    assert _ids(index.find("pidzemni konteinery", limit=1)) == ["uk2"]


def test_a_broader_concept_finds_the_narrower(index: SearchIndex) -> None:
    assert "pl9" in _ids(index.find("recycling waste biowaste", limit=5))
    assert "uk2" in _ids(index.find("odpady", limit=10))


def test_a_mistyped_word_is_mended_and_named(index: SearchIndex) -> None:
    found = index.find("undergruond containers", limit=3)
    assert found.mended == ("undergruond",)
    assert _ids(found)[0] == "uk2"


def test_quotes_ask_for_words_side_by_side_and_minus_for_none(index: SearchIndex) -> None:
    assert _ids(index.find('"street lights"')) == ["en3"]
    assert index.find('"lights street"').total == 0
    with_it = set(_ids(index.find("parking", limit=50)))
    without = set(_ids(index.find("parking -camera", limit=50)))
    assert without < with_it
    assert "pl1" not in without


def test_filters_narrow_and_facets_count_what_is_left(empty: SearchIndex) -> None:
    cards = _read("development.toml", "cards")
    for place, card in enumerate(cards):
        empty.put(
            [
                _entry(
                    card,
                    verdict=("worked", "did_not")[place % 2],
                    level=place % 4,
                    population=10_000 * place,
                    costs=(Priced("capital", "PPS", place, place),),
                    country="CZ",
                )
            ]
        )
    every = empty.find("mobility water energy waste", limit=100)
    failed = empty.find(
        "mobility water energy waste", filters=Filters(verdict="did_not"), limit=100
    )
    assert failed.total == every.facets["verdict"]["did_not"] == len(failed.hits)
    assert sum(every.facets["theme"].values()) == every.total
    for filters in (
        Filters(language="pl"),
        Filters(level=3),
        Filters(size="small"),
        Filters(cost_to=3.0),
        Filters(theme="water"),
        Filters(country="CZ"),
    ):
        some = empty.find("mobility water energy waste", filters=filters, limit=100)
        assert some.total == len(some.hits) <= every.total
    assert empty.find("water", filters=Filters(country="PL")).total == 0


@pytest.mark.parametrize("filters", [Filters(language="xx"), Filters(size="huge")])
def test_a_filter_that_is_none_is_named(index: SearchIndex, filters: Filters) -> None:
    with pytest.raises(BadRequestData, match="one of"):
        index.find("parking", filters=filters)


@pytest.mark.parametrize(("offset", "limit"), [(-1, 5), (0, 0), (0, 1000), (10**9, 5)])
def test_pages_are_bounded(index: SearchIndex, offset: int, limit: int) -> None:
    with pytest.raises(BadRequestData, match="offset"):
        index.find("parking", offset=offset, limit=limit)


def test_pages_go_on_where_the_last_one_ended(index: SearchIndex) -> None:
    every = _ids(index.find("parking bus school water", limit=20))
    assert (
        _ids(index.find("parking bus school water", limit=8))
        + _ids(index.find("parking bus school water", offset=8, limit=12))
        == every
    )


# -- doors -----------------------------------------------------------------------------------------


_RARE = {"a": "kvantorix", "b": "blemzuda", "c": "trofalgin", "d": "wespronik"}


@pytest.mark.parametrize(
    ("viewer", "seen"),
    [
        (EVERYBODY, {"a"}),
        (Viewer(member=True), {"a", "b"}),
        (Viewer(member=True, owners=frozenset({"brno"})), {"a", "b", "c"}),
        (Viewer(member=True, owners=frozenset({"plzen", ""})), {"a", "b"}),
        (Viewer(admin=True), {"a", "b", "c", "d"}),
    ],
)
def test_closed_cards_are_in_no_list_count_facet_or_correction(
    empty: SearchIndex, viewer: Viewer, seen: set[str]
) -> None:
    for one, door, owner in (
        ("a", "public", ""),
        ("b", "members", "praha"),
        ("c", "owner", "brno"),
        ("d", "owner", "ostrava"),
    ):
        text = {"en": {"title": f"Parking in wing {one}", "done": f"{_RARE[one]} lies here"}}
        empty.put(
            [
                Entry(
                    id=one,
                    texts=text,
                    door=door,
                    owner=owner,
                    theme=f"theme-{one}",
                    verdict="worked",
                )
            ]
        )
    found = empty.find("parking", viewer, limit=100)
    assert set(_ids(found)) == seen
    assert found.total == len(seen)
    assert set(found.facets["theme"]) == {f"theme-{one}" for one in seen}
    assert sum(found.facets["verdict"].values()) == len(seen)
    for one, word in _RARE.items():
        assert _ids(empty.find(word, viewer)) == ([one] if one in seen else [])
        # Mistyped, or begun: it leads only to what the viewer may see.
        for like in (word[0] + word[2] + word[1] + word[3:], word[:6]):
            assert _ids(empty.find(like, viewer)) == ([one] if one in seen else [])


def test_a_correction_of_what_nobody_may_see_is_not_told(empty: SearchIndex) -> None:
    empty.put(
        [Entry(id="c", texts={"en": {"title": "Zanzibarium opens"}}, door="owner", owner="brno")]
    )
    assert empty.find("Zanzibraium").mended == ()
    assert empty.find("Zanzibraium", Viewer(owners=frozenset({"brno"}))).mended == ("zanzibraium",)


# -- hostile ---------------------------------------------------------------------------------------

_HOSTILE = [
    "", " ", '"', '""', '" "', "-", "--", '-"', "*", "(", ")", "()", "AND", "OR", "NOT", "NEAR", "a AND", "NEAR(a b)",
    "title:parking", "title : parking", "{title body} : x", "^parking", "par*", "a + b", "'; DROP TABLE entry; --",
    "\x00", "a\x00b", "\ud800", "a\u200b\u200cb", "\u202eparking", "１２３", "0parking", "1prkng", "🚲🚲", "ｐａｒｋｉｎｇ",
    "停车 場 駐車", "الوقوف", "חניה", "ที่จอดรถ", "ПАРКУВАННЯ", "ß", "İstanbul", "ǆ", "é" * 100, "a" * 500, "a " * 24,
    "-a -b -c", '"a b" -"c d"', "\\", "%", "_", "\n\t\r", "parking\x1b[31m", "x" * 39 + "\u0301" * 400,
]  # fmt: skip


@pytest.mark.parametrize("text", _HOSTILE)
def test_no_query_breaks_it(index: SearchIndex, text: str) -> None:
    found = index.find(text)
    assert found.total >= len(found.hits) or found.more


@pytest.mark.parametrize("text", ["a" * 501, "x" * 1_000_000, "word " * 25 + "b", "ab " * 100])
def test_a_query_that_is_too_long_is_refused_by_name(index: SearchIndex, text: str) -> None:
    with pytest.raises(BadRequestData, match=r"^q: at most"):
        index.find(text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=24))
def test_any_text_is_a_query(index: SearchIndex, text: str) -> None:
    if len(text.split()) > 24:
        return
    found = index.find(text, limit=5)
    for hit in found.hits:
        assert all(piece.text for piece in hit.title.pieces)


# -- changes ---------------------------------------------------------------------------------------


def test_a_card_that_changes_is_found_by_its_new_words_only(empty: SearchIndex) -> None:
    first = Entry(id="x", texts={"en": {"title": "Tram to the harbour"}})
    empty.put([first])
    empty.put([Entry(id="x", texts={"pl": {"title": "Ogrody deszczowe"}})])
    assert empty.find("tram").total == 0
    assert _ids(empty.find("rain garden")) == ["x"]
    empty.remove("x")
    empty.remove("x")
    assert empty.find("rain garden").total == 0


def test_an_index_opened_again_knows_what_it_knew(tmp_path: Path) -> None:
    one = SearchIndex(tmp_path / "s.db")
    one.put([Entry(id="x", texts={"en": {"title": "Tram to the harbour"}})])
    one.close()
    again = SearchIndex(tmp_path / "s.db")
    assert _ids(again.find("tramwaj")) == ["x"]
    again.close()


def test_words_of_no_language_are_found_as_they_stand(empty: SearchIndex) -> None:
    empty.put(
        [
            Entry(
                id="x",
                texts={
                    "en": {"title": "A pilot"},
                    "": {"places": "Náměstí Míru", "technology": "LoRaWAN"},
                },
            )
        ]
    )
    assert _ids(empty.find("lorawan")) == ["x"]
    assert _ids(empty.find("namesti miru")) == ["x"]
