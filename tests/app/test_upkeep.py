"""What the service computes again by itself: values of cities, answers of cards from history."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.practices.cards.support import card
from tests.web.indicators.support import name_city, observe

import rynek
from rynek.app import Engine
from rynek.app.upkeep import Upkeep
from rynek.base.settings import load
from rynek.base.typed import decode
from rynek.practices.cards import LAST_RUN, Run


def test_values_of_cities_and_answers_of_cards_are_computed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process that answers runs this code and no other that is installed.
    monkeypatch.setenv("PYTHONPATH", str(Path(rynek.__file__).parents[1]))
    name_city(tmp_path, "plzen", "Plzeň")
    panel = {
        "entity_type": "BikeHireDockingStation",
        "attribute": "availableBikeNumber",
        "first": "2020-01-01",
        "last": "now",
        "every": "hour",
    }
    question = {
        "key": "bikes",
        "title": {"en": "Bikes"},
        "specification": {"panel": panel, "treated": ["none"], "start": "2020-01-02"},
    }

    async def scenario() -> None:
        settings = {"data.path": str(tmp_path / "data"), "practices.recompute": False}
        engine = Engine(load(None, {}, settings))
        engine.open()
        await engine.start()
        try:
            await observe(engine, "plzen", hours=160)
            engine.cards.add("bikes", card(questions=[question]), owner="plzen", door="owner")
            job = Upkeep(engine)
            await job.work()
            profile = engine.profiles.all()["plzen"]
            assert profile.country == "CZ"
            values = profile.measured.values
            assert values
            assert all(set(by_label) == {"P7D"} for by_label in values.values())
            run = decode(engine.cards.note(LAST_RUN), Run)
            assert (run.total, run.done, run.failed) == (1, 1, 1)
            assert run.finished is not None
            # Bikes never changed, so that one hour is all that history has: the reason is noted.
            attempt = engine.cards.attempts.all("bikes")["bikes"]
            assert attempt.outcome == "failed"
            assert attempt.message is not None
            assert attempt.message.id == "one-period"
            # It is not due again today.
            before = engine.cards.note(LAST_RUN)
            await job.work()
            assert engine.cards.note(LAST_RUN) == before
        finally:
            await engine.stop()

    asyncio.run(scenario())
