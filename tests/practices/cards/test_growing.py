"""Questions of cards to history: whole periods, the owner's history alone, answers that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.practices.cards.support import card

from rynek.base.errors import Problem
from rynek.practices import Panel, Question
from rynek.practices.cards import Cards, answer_all, asks_again
from rynek.practices.cards.answers import MOST_ANSWERS, NEWEST_ANSWERS
from rynek.practices.times import Clock

ZONE = ZoneInfo("Europe/Sofia")
WEEKS = 60


class At:
    """A clock that stands."""

    def __init__(self, text: str) -> None:
        self.time = int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1e6)

    def now(self) -> int:
        return self.time


@pytest.fixture
def cards(tmp_path: Path) -> Iterator[Cards]:
    store = Cards(tmp_path / "practices.db", At("2024-05-16T12:30"))
    yield store
    store.close()


def asking(**panel: Any) -> dict[str, Any]:
    asked = {
        "entity_type": "BikeCounter",
        "attribute": "intensity",
        "first": "2023-01-02",
        "last": "now",
        "every": "week",
    }
    treated = {"treated": ["a"], "start": "2023-10-02", "design": "its"}
    return {
        "key": "riders",
        "title": {"en": "Riders"},
        "specification": treated | {"panel": asked | panel},
    }


def history(weeks: int, asked: list[tuple[str, Question]]) -> Any:
    """A history of so many weeks, which notes what it was asked."""

    def ask(owner: str, question: Question) -> Panel:
        asked.append((owner, question))
        clock = Clock("week")
        first = clock.number("2023-01-02", "first")
        times = np.arange(first, first + weeks, dtype=np.float64)
        values = 100 + np.random.default_rng(1).normal(0, 5, (1, WEEKS))
        labels = tuple(clock.label(one) for one in times)
        return Panel(("a",), times, labels, {"intensity": values[:, :weeks]}, clock)

    return ask


def test_an_answer_is_new_when_history_has_new_whole_periods_and_else_the_same(
    cards: Cards,
) -> None:
    cards.add("riders", card(questions=[asking()]), owner="ruse", door="owner")
    asked: list[tuple[str, Question]] = []

    def run(weeks: int) -> Any:
        ((_, found),) = answer_all(cards, "riders", ask=history(weeks, asked), zone=ZONE)
        return found, cards.attempts.all("riders")["riders"].outcome

    first, outcome = run(56)
    assert (first.number, outcome) == (1, "new")
    owner, question = asked[0]
    # A Thursday: the week that has begun is not whole.
    assert (owner, question.tenant, question.last) == ("ruse", "ruse", "2024-05-13")
    assert run(56)[1] == "same"
    again, outcome = run(57)
    assert (again.number, outcome) == (2, "new")
    assert len(again.document["effects"]) == len(first.document["effects"]) + 1


def test_a_failure_is_noted_and_the_answer_before_stays(cards: Cards) -> None:
    cards.add("riders", card(questions=[asking()]), owner="ruse", door="owner")
    list(answer_all(cards, "riders", ask=history(56, []), zone=ZONE))
    ((_, found),) = answer_all(cards, "riders", ask=history(3, []), zone=ZONE)
    assert isinstance(found, Problem)
    attempt = cards.attempts.all("riders")["riders"]
    assert attempt.outcome == "failed"
    assert attempt.reason == found.detail
    if found.message is not None:
        assert attempt.message == found.message
    assert cards.answers.all("riders")["riders"].number == 1


@pytest.mark.parametrize(("owner", "tenant"), [("ruse", "sofia"), ("", None), ("", "sofia")])
def test_no_card_asks_the_history_of_another_city(
    cards: Cards, owner: str, tenant: str | None
) -> None:
    panel = {"tenant": tenant} if tenant else {}
    cards.add("riders", card(questions=[asking(**panel)]), owner=owner, door="public")
    asked: list[tuple[str, Question]] = []
    ((_, found),) = answer_all(cards, "riders", ask=history(56, asked), zone=ZONE)
    assert isinstance(found, Problem)
    assert found.message is not None
    assert found.message.id == "answer-owner"
    assert asked == []


def test_which_cards_ask_again(cards: Cards) -> None:
    recipe = {"files": [{"path": "a.csv"}], "time": "t", "values": ["v"], "outcome": "o"}
    told = {"key": "q", "title": {"en": "Q"}, "specification": {"start": 2022}}
    cards.add("history", card(questions=[asking()]), owner="ruse", door="owner")
    cards.add("files", card(questions=[told | {"recipe": recipe}]), owner="ruse", door="owner")
    cards.add("neither", card(questions=[told]), owner="ruse", door="owner")
    found = {name: cards.find(name) for name in ("history", "files", "neither")}

    def again(*, recorded: bool) -> list[str]:
        return [name for name, one in found.items() if one and asks_again(one, recorded=recorded)]

    assert again(recorded=False) == ["history"]
    assert again(recorded=True) == ["history", "files"]


@pytest.mark.parametrize(
    ("every", "last"),
    [
        ("hour", "2024-05-16T12:00:00+03:00"),
        ("day", "2024-05-16"),
        ("week", "2024-05-13"),
        ("month", "2024-05-01"),
        ("quarter", "2024-04-01"),
        ("year", "2024-01-01"),
    ],
)
def test_only_whole_periods_are_asked_for(cards: Cards, every: str, last: str) -> None:
    cards.add("riders", card(questions=[asking(every=every)]), owner="ruse", door="owner")
    asked: list[tuple[str, Question]] = []
    list(answer_all(cards, "riders", ask=history(56, asked), zone=ZONE))
    assert asked[0][1].last == last


def numbers(cards: Cards) -> list[int]:
    with cards._database.reading() as database:
        rows = database.execute("SELECT number FROM result ORDER BY number").fetchall()
    return [int(row[0]) for row in rows]


def keep(cards: Cards, digest: int, effect: float, specification: str = "s") -> None:
    cards.answers.keep(
        "riders",
        "riders",
        specification=specification,
        digest=str(digest),
        by="1",
        document={"effect": effect, "level": 2, "periods": digest},
    )


def test_of_answers_with_the_same_figures_the_first_and_the_newest_stay(cards: Cards) -> None:
    for digest, effect in enumerate((1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0)):
        keep(cards, digest, effect)
    assert numbers(cards) == [1, 4, 5, 6, 8]
    keep(cards, 9, 1.0, specification="another")
    assert numbers(cards) == [1, 4, 5, 6, 8, 9]
    newest = cards.answers.all("riders")["riders"]
    assert (newest.number, newest.document["periods"]) == (9, 9)


def test_a_question_that_is_answered_every_day_keeps_a_bounded_file(cards: Cards) -> None:
    clock = cards.clock
    assert isinstance(clock, At)
    for day in range(420):
        clock.time += 86_400_000_000
        keep(cards, day, day / 7)
    found = numbers(cards)
    assert found[-NEWEST_ANSWERS:] == list(range(321, 421))
    assert found[0] == 1
    # A year is twelve or thirteen months, beside what came since it was thinned last.
    assert NEWEST_ANSWERS < len(found) <= MOST_ANSWERS
