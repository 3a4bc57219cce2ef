"""Cards of cities like the one that asks: order, reasons, hidden cities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.practices.cards.support import card

from rynek.indicators import MeasuredCity, Profile, find_definition
from rynek.practices.cards import EVERYBODY, Cards, Question, Wanted, specification_digest
from rynek.practices.search import (
    Cities,
    Filters,
    Like,
    SearchIndex,
    alike_message,
    cards_like,
    mover_document,
    movers,
)

BIKES = find_definition("bikes-taken")
IDS = ("bikes-taken", "no2-mean", "bins-over-80")


@pytest.fixture
def cards(tmp_path: Path) -> Iterator[Cards]:
    store = Cards(tmp_path / "practices.db")
    yield store
    store.close()


def cities(own: str = "ask", **values: float) -> Cities:
    """Cities of which three indicators have the same value, each known under a code."""
    themes = {name: find_definition(name).theme for name in IDS}
    return Cities(
        {
            name: Profile(
                name,
                0,
                "BG",
                (f"BG-{name}",),
                None,
                MeasuredCity({one: {"P365D": value} for one in IDS}, themes),
            )
            for name, value in values.items()
        },
        own,
    )


KNOWN = cities(ask=10, near=11, middle=13, far=30, other=12)


def put(cards: Cards, card_id: str, owner: str, level: int = 0, **more: Any) -> None:
    question = {
        "key": "q",
        "title": {"en": "Bikes"},
        "specification": {"start": 2022},
        "indicators": ["bikes-taken"],
    }
    made = card(questions=[question] if level else [], **more)
    cards.add(card_id, made, owner=owner, door="public")
    if level:
        asked: Question = made.questions[0]
        cards.answers.keep(
            card_id,
            "q",
            specification=specification_digest(asked),
            digest="d",
            by="1",
            document={"level": level, "effect": 1.0, "interval": [0.5, 1.5]},
        )


def test_cards_of_the_most_alike_cities_come_first_and_say_how_alike(cards: Cards) -> None:
    for name in ("far", "near", "middle"):
        put(cards, f"card-{name}", name)
    put(cards, "card-own", "ask")
    put(cards, "card-nobody", "")
    found = cards_like(cards, Wanted(), EVERYBODY, Like(cities=KNOWN))
    assert [seen.id for seen, _ in found[:3]] == ["card-near", "card-middle", "card-far"]
    said = {seen.id: str(alike_message(alike)) for seen, alike in found if alike}
    assert said["card-near"].endswith("alike in what is measured (indicators compared: 3)")
    assert said["card-far"].startswith("0% alike")
    assert said["card-own"] == "this is the city that asks"
    assert "cannot be said" in said["card-nobody"]


def test_a_card_of_nobody_is_known_by_the_keys_of_its_city_in_its_country(cards: Cards) -> None:
    city = {"name": {"en": "Near"}, "known_as": ["bg-NEAR"]}
    put(cards, "ours", "", city={**city, "country": "BG"})
    put(cards, "elsewhere", "", city={**city, "country": "RO"})
    found = {
        seen.id: alike for seen, alike in cards_like(cards, Wanted(), EVERYBODY, Like(cities=KNOWN))
    }
    ours, elsewhere = found["ours"], found["elsewhere"]
    assert ours is not None and ours.share is not None
    assert elsewhere is not None and elsewhere.why == "other"


def test_a_hidden_city_is_not_given_away_by_what_is_measured_of_it(cards: Cards) -> None:
    city = {"name": {"en": "Ruse"}, "country": "BG", "known_as": ["BG-near"]}
    put(cards, "hidden", "near", city=city, city_shown=False)
    ((seen, alike),) = cards_like(cards, Wanted(), EVERYBODY, Like(cities=KNOWN))
    assert seen.card.city is not None
    assert seen.card.city.known_as == []
    assert alike is not None and alike.why == "other"


def test_evidence_and_effect_come_before_likeness_and_size_after_it(cards: Cards) -> None:
    put(cards, "far-strong", "far", level=4)
    put(cards, "far-weak", "far", level=2)
    put(cards, "near-weak", "near", level=2)
    put(cards, "named", "middle", indicators=["bikes-taken"], theme="waste")
    found = movers(cards, BIKES, like=Like(123_134, "BG", KNOWN))
    assert [one.seen.id for one in found] == ["far-strong", "near-weak", "far-weak", "named"]
    assert found[3].direction == "unmeasured"
    told = mover_document(found[1])["alike"]
    assert told["share"] == found[1].alike.share  # type: ignore[union-attr]
    assert [one["id"] for one in told["indicators"]] == sorted(IDS)
    assert told["indicators"][0] | {"alike": 0} == {
        "id": "bikes-taken",
        "period": "P365D",
        "own": 10,
        "other": 11,
        "alike": 0,
    }


def test_what_a_search_finds_is_put_in_order_by_likeness(cards: Cards, tmp_path: Path) -> None:
    for name in ("far", "near", "middle"):
        put(cards, f"card-{name}", name)
    index = SearchIndex(tmp_path / "practices-search.db")
    found, seen = index.ask(cards, "bicycle streets", EVERYBODY, Filters(), cities=KNOWN, limit=2)
    assert [one.id for one in seen] == ["card-near", "card-middle"]
    assert [hit.id for hit in found.hits] == ["card-near", "card-middle"]
    assert found.total == 3
    found, seen = index.ask(cards, "streets", EVERYBODY, Filters(), cities=KNOWN, offset=2)
    assert [one.id for one in seen] == ["card-far"]
    index.close()
