"""Reasons of an estimate: each has an id beside its English words, in answers kept before too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from rynek.base.errors import BadRequestData
from rynek.practices import LANGUAGES, evaluate, name_of_check, parse_specification
from rynek.practices import read_message as read
from rynek.practices.cards import Cards
from rynek.practices.cards.shipped import seed, shipped

QUESTION = {"panel": "panel.csv", "unit": "place", "time": "month", "outcome": "count"}


def panel(folder: Path, places: int, months: int = 48) -> None:
    rng = np.random.default_rng(3)
    common = 10 * np.sin(np.arange(months) * np.pi / 6) + 60
    lines = ["place,month,count"]
    for place in range(places):
        own = common + rng.normal(size=months) + place % 3
        own[36:] += 6 * (place == 1)
        lines += [
            f"p{place},{2019 + month // 12}-{month % 12 + 1:02},{own[month]:.3f}"
            for month in range(months)
        ]
    (folder / "panel.csv").write_text("\n".join(lines) + "\n")


def reasons(found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every English reason of an answer, with the message beside it."""
    told = found["messages"]
    for name in ("why", "level_reason", "would_lift", "uncertainty"):
        yield found[name], told.get(name)
    yield from ((why, told["left_out"].get(name)) for name, why in found["left_out"].items())
    yield from ((one["reason"], one.get("message")) for one in found["checks"])
    for one in found["alternatives"]:
        if "refused" in one or "without" in one:
            yield one.get("refused") or one["without"], one.get("message")
    if found["cost"] and "reason" in found["cost"]:
        yield found["cost"]["reason"], found["cost"].get("message")


def holds(found: dict[str, Any]) -> int:
    """Whether each of them says the same by its id, in six languages; how many there are."""
    many = 0
    for plain, document in reasons(msgspec.json.decode(msgspec.json.encode(found))):
        message = read(document)
        assert message is not None, plain
        assert str(message) == plain
        said = {message.text(language) for language in LANGUAGES}
        assert len(said) > 4 and all(said), plain
        many += 1
    return many


ASKED: dict[str, dict[str, Any]] = {
    "several": {"treated": ["p1", "p2", "p4", "p5"], "design": "did"},
    "one": {"treated": "p1", "exclude": ["p3"], "neighbours": ["p2"]},
    "random": {"treated": ["p1", "p2", "p4"], "assignment": "randomised", "transform": "log"},
    "alone": {"treated": "p1", "donors": [], "design": "its", "cost": {"amount": 10, "currency": "CZK"}},
    "regressors": {"treated": "p1", "donors": ["p0", "p2", "p3"], "design": "bsts"},
    "steps": {"treated": {"p1": "2022-01", "p2": "2021-06", "p4": "2022-01"}, "start": None},
    "events": {
        "treated": "p1",
        "events": [
            {"name": f"Event {n}", "date": f"2022-0{n}-01", "units": ["p1"]} for n in range(1, 6)
        ],
        "sensor_changes": [
            {"unit": "p1", "date": f"2021-0{n}-01", "what": "calibrated"} for n in range(1, 6)
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_no_reason_is_without_an_id(name: str, tmp_path: Path) -> None:
    panel(tmp_path, 12)
    asked = QUESTION | {"start": "2022-01"} | ASKED[name]
    asked = {key: value for key, value in asked.items() if value is not None}
    found = evaluate(parse_specification(asked), tmp_path).document()
    assert holds(found) > 15
    assert all(name_of_check(one["name"]) is not None for one in found["checks"])


def test_what_cannot_be_answered_says_so_in_six_languages(tmp_path: Path) -> None:
    panel(tmp_path, 3)
    for more in (
        {"start": "2031-01"},
        {"treated": "p9"},
        {"design": "randomised"},
        {"exclude": ["p0", "p2"]},
        {"fit_window": ["2021-01", "2022-09"]},
        {"start": "soon"},
    ):
        asked = QUESTION | {"start": "2022-01", "treated": "p1"} | more
        with pytest.raises(BadRequestData) as refused:
            evaluate(parse_specification(asked), tmp_path)
        message = refused.value.message
        assert message is not None, more
        assert str(message) == refused.value.detail
        assert len({message.text(language) for language in LANGUAGES}) == 6


def test_reasons_name_places_as_people_do_and_dates_as_the_language_does(tmp_path: Path) -> None:
    panel(tmp_path, 3)
    asked = QUESTION | {"start": "2031-01", "treated": "p1"}
    with pytest.raises(BadRequestData) as refused:
        evaluate(parse_specification(asked), tmp_path)
    told = refused.value.message
    assert told is not None
    assert "01.2031 лежить поза даними, а вони є від 01.2019 до 12.2022" in told.text("uk")
    with pytest.raises(BadRequestData) as refused:
        evaluate(parse_specification(asked | {"start": "2022-01", "donors": ["p1"]}), tmp_path)
    told = refused.value.message
    assert told is not None
    assert told.text("cs", {"p1": "Náměstí"}).startswith("donors: „Náměstí“ má opatření")


def test_answers_that_ship_have_their_ids() -> None:
    many = 0
    for one in shipped():
        for answer in one.answers.values():
            many += holds(answer.document)
    assert many > 100


def test_an_answer_kept_without_ids_is_replaced_by_the_one_that_ships(tmp_path: Path) -> None:
    cards = Cards(tmp_path / "practices.db")
    seed(cards)
    card, key = "london-congestion-charge", "no2"
    new = cards.answers.all(card)[key]
    old = {name: value for name, value in new.document.items() if name != "messages"}
    for kept in (old | {"checks": []}, new.document | {"level": 1}):
        cards.answers.keep(
            card, key, specification=new.specification, digest=new.input, by="0", document=kept
        )
        cards.set_note("catalogue", "of an older rynek")
        seed(cards)
        found = cards.answers.all(card)[key].document
        assert found == (new.document if "messages" not in kept else kept)
