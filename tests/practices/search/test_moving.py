"""What moved an indicator elsewhere: evidence, direction, likeness; doors and nameless cards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.practices.cards.support import card

from rynek.base.errors import BadRequestData
from rynek.indicators import find_definition
from rynek.practices.cards import EVERYBODY, Cards, Viewer, Wanted, seed, specification_digest
from rynek.practices.search import Like, Mover, cards_like, mover_document, movers

NO2 = find_definition("no2-mean")
BIKES = find_definition("bikes-taken")


@pytest.fixture
def cards(tmp_path: Path) -> Iterator[Cards]:
    store = Cards(tmp_path / "practices.db")
    yield store
    store.close()


def put(
    cards: Cards, card_id: str, *answers: tuple[int, float, list[float] | None], **more: Any
) -> None:
    """A public card with a question, and its kept answer, for each (level, effect, interval)."""
    indicators = more.pop("indicators", ["bikes-taken"])
    door, owner = more.pop("door", "public"), more.pop("owner", "ruse")
    questions = [
        {
            "key": f"q{n}",
            "title": {"en": f"Question {n}"},
            "specification": {"start": 2000 + n},
            "indicators": indicators,
        }
        for n in range(len(answers))
    ]
    made = card(questions=questions, **more)
    cards.add(card_id, made, owner=owner, door=door)
    for question, (level, effect, interval) in zip(made.questions, answers, strict=True):
        cards.answers.keep(
            card_id,
            question.key,
            specification=specification_digest(question),
            digest="d",
            by="1",
            document={"level": level, "effect": effect, "interval": interval},
        )


def told(found: list[Mover]) -> list[tuple[str, str]]:
    return [(one.seen.id, one.direction) for one in found]


def test_the_cards_that_come_with_rynek_say_what_they_did_to_air(cards: Cards) -> None:
    seed(cards)
    found = movers(cards, NO2, like=Like(170_000, "CZ"))
    assert told(found) == [
        ("grenoble-low-emission-zone", "unclear"),
        ("london-congestion-charge", "worse"),
    ]
    grenoble, london = found
    assert [each.question.key for each in grenoble.answers] == [
        "level",
        "log",
        "level-far",
        "log-far",
    ]
    assert grenoble.similar
    assert not london.similar
    assert str(london.reason).endswith("goes in the worse direction")
    assert told(movers(cards, find_definition("bins-over-80"))) == [
        ("wyndham-smart-bins", "unmeasured"),
        ("prague-smart-bins", "unmeasured"),
    ]


def test_evidence_comes_before_effect_and_effect_before_likeness(cards: Cards) -> None:
    city = {"name": {"en": "Far"}, "country": "PL", "population": 2_000_000}
    put(cards, "none", (3, 1.0, [-1, 3]))
    put(cards, "worse", (3, -1.0, [-2, -0.5]), city={**city, "population": 60_000})
    put(cards, "better-far", (3, 1.0, [0.5, 2]), city=city)
    put(cards, "better-near", (3, 1.0, [0.5, 2]))
    put(cards, "weak", (1, 9.0, [8, 10]))
    put(cards, "strong", (5, 0.1, [-1, 1]))
    put(cards, "unheard")
    put(cards, "elsewhere", (5, 1.0, [0.5, 2]), indicators=["bins-over-80"], theme="waste")
    found = movers(cards, BIKES, like=Like(120_000, "BG"))
    assert told(found) == [
        ("strong", "unclear"),
        ("better-near", "better"),
        ("better-far", "better"),
        ("none", "unclear"),
        ("worse", "worse"),
        ("weak", "better"),
        ("unheard", "unmeasured"),
    ]
    assert found[1].times == pytest.approx(123_134 / 120_000)
    assert [one.same_country for one in found[1:3]] == [True, False]
    assert mover_document(found[1])["similar_size"] is True
    assert [one.similar for one in movers(cards, BIKES)] == [None] * 7


def test_no_answer_is_chosen_by_what_it_says(cards: Cards) -> None:
    put(cards, "split", (2, 1.0, [0.5, 2]), (2, -1.0, [-2, 1]), (1, -1.0, [-2, -0.5]))
    put(cards, "ranks", (3, 1.0, None))
    ranks, split = movers(cards, BIKES)
    assert told([ranks, split]) == [("ranks", "unclear"), ("split", "mixed")]
    assert str(split.reason).endswith("better 1, worse 0, not told from zero 1")
    assert len(split.answers) == 3


def test_an_answer_to_what_a_question_was_before_does_not_count(cards: Cards) -> None:
    put(cards, "streets", (3, 1.0, [0.5, 2]))
    question = {"key": "q0", "title": {"en": "Other"}, "specification": {"start": 1999}}
    changed = card(questions=[question | {"indicators": ["bikes-taken"]}])
    cards.change("streets", changed, version=1)
    assert told(movers(cards, BIKES)) == [("streets", "unmeasured")]
    cards.change("streets", card(questions=[question]), version=2)
    assert cards.measured.ids("bikes-taken", 10) == []
    cards.remove("streets", version=3)
    assert movers(cards, BIKES) == []


def test_doors_and_hidden_names_hold(cards: Cards) -> None:
    put(cards, "closed", (3, 1.0, [0.5, 2]), door="owner")
    put(cards, "for-members", (3, 1.0, [0.5, 2]), door="members")
    put(cards, "hidden", (5, 1.0, [0.5, 2]), city_shown=False)
    assert told(movers(cards, BIKES, EVERYBODY)) == [("hidden", "unmeasured")]
    (nameless,) = movers(cards, BIKES, EVERYBODY, Like(100_000, "BG"))
    # The number of people is told to one figure, and no answer is.
    assert nameless.times == 1.0
    assert nameless.answers == ()
    assert [each[0] for each in told(movers(cards, BIKES, Viewer(member=True)))] == [
        "for-members",
        "hidden",
    ]
    own = Viewer(member=True, owners=frozenset({"ruse"}))
    assert told(movers(cards, BIKES, own))[0] == ("hidden", "better")
    assert len(movers(cards, BIKES, own)) == 3


def test_an_indicator_that_is_none_is_refused() -> None:
    question = {"key": "a", "title": {"en": "A"}, "specification": {}}
    with pytest.raises(
        BadRequestData, match=r"questions\[0\]\.indicators\[1\]: there is no indicator noo"
    ):
        card(questions=[question | {"indicators": ["no2-mean", "noo"]}])
    with pytest.raises(BadRequestData, match=r"questions\[0\]\.indicators: at most 10"):
        card(questions=[question | {"indicators": ["no2-mean"] * 11}])


def test_cards_are_put_in_order_by_the_size_of_their_cities(cards: Cards) -> None:
    city = {"name": {"en": "Town"}, "country": "BG"}
    for name, people in (("large", 2_000_000), ("middle", 150_000), ("small", 9_000)):
        put(cards, name, city={**city, "population": people})
    put(cards, "unknown", city=city)
    # Its people are 123,134, which others are told as 100,000: the order may not tell more.
    put(cards, "hidden", city_shown=False)
    put(cards, "closed", door="owner")

    def order(people: float, theme: str = "") -> list[str]:
        found = cards_like(cards, Wanted(theme=theme), EVERYBODY, Like(people))
        return [each.id for each, _ in found]

    assert order(160_000) == ["middle", "hidden", "large", "small", "unknown"]
    assert order(121_000) == ["hidden", "middle", "small", "large", "unknown"]
    assert order(123_000) == ["middle", "hidden", "small", "large", "unknown"]
    assert order(5_000)[0] == "small"
    assert order(5_000, theme="waste") == []
