"""The index follows the cards by a durable cursor: changes, doors, answers, lost and old files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.practices.cards.support import document

from rynek.base.errors import InsufficientStorage
from rynek.practices.cards import EVERYBODY, Cards, Viewer, parse_card
from rynek.practices.search import Filters, SearchIndex
from rynek.practices.search.index import put


@pytest.fixture
def cards(tmp_path: Path) -> Iterator[Cards]:
    made = Cards(tmp_path / "practices.db")
    yield made
    made.close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SearchIndex]:
    made = SearchIndex(tmp_path / "search.db")
    yield made
    made.close()


def _add(cards: Cards, name: str, title: str, door: str = "public") -> None:
    cards.add(name, parse_card(document(title={"en": title})), owner="ruse", door=door)  # type: ignore[arg-type]


def _ids(index: SearchIndex, query: str, viewer: Viewer = EVERYBODY) -> set[str]:
    return {hit.id for hit in index.find(query, viewer, limit=100).hits}


def test_what_is_written_is_found_at_the_next_question(cards: Cards, index: SearchIndex) -> None:
    _add(cards, "one", "Quokka enclosure")
    found, seen = index.ask(cards, "quokka", EVERYBODY, Filters())
    assert [hit.id for hit in found.hits] == [each.id for each in seen] == ["one"]
    cards.change("one", parse_card(document(title={"en": "Wombat hill"})), version=1)
    assert index.ask(cards, "quokka", EVERYBODY, Filters())[1] == []
    assert len(index.ask(cards, "wombat", EVERYBODY, Filters())[1]) == 1
    cards.change("one", parse_card(document(title={"en": "Wombat hill"})), version=2, removed=True)
    assert index.ask(cards, "wombat", EVERYBODY, Filters())[0].total == 0


def test_a_card_closed_before_the_index_knows_is_not_shown(
    cards: Cards, index: SearchIndex
) -> None:
    _add(cards, "one", "Quokka enclosure")
    index.follow(cards)
    cards.change(
        "one", parse_card(document(title={"en": "Quokka enclosure"})), version=1, door="owner"
    )
    assert index.ask(cards, "quokka", EVERYBODY, Filters())[1] == []
    assert len(index.ask(cards, "quokka", Viewer(owners=frozenset({"ruse"})), Filters())[1]) == 1


def test_the_rest_of_many_changes_comes_with_the_next_questions(
    cards: Cards, index: SearchIndex
) -> None:
    for number in range(5):
        _add(cards, f"card-{number}", "Quokka enclosure")
    left = [index.follow(cards, 200)]
    assert left == [0]
    assert len(_ids(index, "quokka")) == 5


def test_an_index_that_is_lost_is_made_again(
    cards: Cards, index: SearchIndex, tmp_path: Path
) -> None:
    _add(cards, "one", "Quokka enclosure")
    index.follow(cards)
    index.close()
    for path in tmp_path.glob("search.db*"):
        path.unlink()
    again = SearchIndex(tmp_path / "search.db")
    assert again.follow(cards) == 0
    assert _ids(again, "quokka") == {"one"}
    again.close()


def test_cards_restored_from_an_older_backup_are_indexed_anew(
    cards: Cards, index: SearchIndex, tmp_path: Path
) -> None:
    for number in range(4):
        _add(cards, f"card-{number}", "Quokka enclosure")
    index.follow(cards)
    older = Cards(tmp_path / "older.db")
    _add(older, "kept", "Quokka enclosure")
    assert index.follow(older) == 0
    assert _ids(index, "quokka") == {"kept"}
    older.close()


def test_an_index_begun_anew_finds_the_same(cards: Cards, index: SearchIndex) -> None:
    for number in range(3):
        _add(cards, f"card-{number}", "Quokka enclosure", "members" if number else "public")
    index.follow(cards)
    before = _ids(index, "enclosure", Viewer(member=True))
    index.forget()
    assert index.find("enclosure").total == 0
    index.follow(cards)
    assert _ids(index, "enclosure", Viewer(member=True)) == before


def test_a_crash_between_two_cards_loses_none(
    cards: Cards, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        _add(cards, f"card-{number}", "Quokka enclosure")

    def failing(database: object, entries: list[object]) -> None:
        if entries[0].id == "card-2":  # type: ignore[attr-defined]
            raise OSError("the power went")
        put(database, entries)  # type: ignore[arg-type]

    monkeypatch.setattr("rynek.practices.search.store.put", failing)
    with pytest.raises(OSError, match="power"):
        index.follow(cards)
    assert _ids(index, "quokka") == set()
    monkeypatch.undo()
    index.follow(cards)
    assert _ids(index, "quokka") == {"card-0", "card-1", "card-2"}


def test_a_file_that_is_no_database_is_made_again(cards: Cards, tmp_path: Path) -> None:
    _add(cards, "one", "Quokka enclosure")
    path = tmp_path / "broken.db"
    path.write_bytes(b"this is no database " * 1000)
    index = SearchIndex(path)
    assert len(index.ask(cards, "quokka", EVERYBODY, Filters())[1]) == 1
    index.close()


def test_a_closed_card_does_not_change_what_others_find(cards: Cards, index: SearchIndex) -> None:
    _add(cards, "open", "Zlatorozhkovets")
    index.follow(cards)
    before = [one.id for one in index.find("zlatoro", EVERYBODY, Filters()).hits]
    assert before == ["open"]
    _add(cards, "shut", "Zlatoro", "owner")
    index.follow(cards)
    assert [one.id for one in index.find("zlatoro", EVERYBODY, Filters()).hits] == before


def test_what_the_index_has_of_an_older_version_is_not_shown(
    cards: Cards, index: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    _add(cards, "one", "Zlatorozhkovets")
    found, seen = index.ask(cards, "zlatorozhkovets", EVERYBODY, Filters())
    assert [one.id for one in seen] == ["one"]
    cards.change("one", parse_card(document(title={"en": "Another"})), version=1)

    def full(*_: object) -> int:
        raise InsufficientStorage("the disk is full")

    monkeypatch.setattr(index, "follow", full)
    found, seen = index.ask(cards, "zlatorozhkovets", EVERYBODY, Filters())
    assert not found.hits
    assert not seen
