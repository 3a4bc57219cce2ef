"""What the service computes again by itself: values of cities, answers of cards from history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.practices.cards.support import card
from tests.web.indicators.support import name_city, observe

import rynek
from rynek.app import Engine, city_values, measure_city
from rynek.app.child import Ended
from rynek.app.city_values import keep_city_values
from rynek.app.upkeep import Upkeep
from rynek.base.clock import MICRO, parse_iso, to_iso
from rynek.base.settings import load
from rynek.base.typed import decode
from rynek.indicators import Profiles, References, load_definition, open_indicators
from rynek.practices.cards import LAST_RUN, Run

DAY = 86_400 * MICRO


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Engine]:
    """An engine that computes nothing again by itself; it ends with the block."""
    settings = {"data.path": str(folder / "data"), "practices.recompute": False}
    engine = Engine(load(None, {}, settings))
    engine.open()
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


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
        async with running(tmp_path) as engine:
            await observe(engine, "plzen", hours=160)
            engine.cards.add("bikes", card(questions=[question]), owner="plzen", door="owner")
            job = Upkeep(engine)
            # Of fewer than four cities none is measured: there is nobody to compare them with.
            assert await keep_city_values(engine) == 0
            assert engine.profiles.all() == {}
            for name in ("brno", "oslo", "praha"):
                engine.tenant(name, create=True)
            for name in engine.tenants.keys() - {"plzen"}:
                engine.profiles.keep(name, {})
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
            # One that takes longer than it may is ended, and that is noted.
            late = await Upkeep(engine, longest=0.001).answer()
            assert (late.done, late.failed) == (1, 1)
            attempt = engine.cards.attempts.all("bikes")["bikes"]
            assert attempt.message is not None
            assert attempt.message.id == "answer-late"
            # It is not due again today.
            before = engine.cards.note(LAST_RUN)
            await job.work()
            assert engine.cards.note(LAST_RUN) == before

    asyncio.run(scenario())


def test_an_answer_from_history_is_computed_by_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(rynek.__file__).parents[1]))
    name_city(tmp_path, "plzen", "Plzeň")

    async def scenario() -> None:
        async with running(tmp_path) as engine:
            home = engine.tenant("plzen", create=True)
            now = home.clock.now()
            place = "urn:ngsi-ld:BikeHireDockingStation:plzen:0"
            for ago in range(60, 0, -1):
                at = to_iso(now - ago * DAY)
                # Ten more from thirty days ago on, on top of what changes from day to day.
                value = 20 + ago * 7 % 5 + (10 if ago <= 30 else 0)
                station = {
                    "id": place,
                    "type": "BikeHireDockingStation",
                    "availableBikeNumber": {"type": "Property", "value": value, "observedAt": at},
                }
                assert (await home.context.ingest([station], "t")).rejected == []
            await home.history.flush()
            panel = {
                "entity_type": "BikeHireDockingStation",
                "attribute": "availableBikeNumber",
                "first": to_iso(now - 60 * DAY)[:10],
                "last": "now",
                "every": "day",
            }
            specification = {
                "panel": panel,
                "treated": [place],
                "start": to_iso(now - 30 * DAY)[:10],
                "design": "its",
            }
            question = {"key": "bikes", "title": {"en": "Bikes"}, "specification": specification}
            engine.cards.add("bikes", card(questions=[question]), owner="plzen", door="owner")
            job = Upkeep(engine)
            run = await job.answer()
            attempt = engine.cards.attempts.all("bikes")["bikes"]
            assert (run.done, run.new, run.failed) == (1, 1, 0), attempt.reason
            answer = engine.cards.answers.all("bikes")["bikes"]
            assert answer.document["effect"] == pytest.approx(10, abs=2)

    asyncio.run(scenario())


def test_what_tables_tell_is_kept_at_once_and_the_city_stays_due(tmp_path: Path) -> None:
    home = tmp_path / "tenants" / "sofia"
    home.mkdir(parents=True)
    (home / "city.toml").write_text(
        'name = "Sofia"\ncountry = "BG"\nzone = "Europe/Sofia"\nknown_as = ["Sofia"]\n'
    )
    sheet = Path(rynek.__file__).parent / "demo" / "reference" / "eurostat_urb_cpop1.csv"
    References(open_indicators(tmp_path)).import_file(load_definition("eurostat-urb-cpop1"), sheet)
    now = parse_iso("2020-06-01T00:00:00Z")
    assert measure_city(tmp_path, "sofia", now, told=True) == 2
    profiles = Profiles(tmp_path)
    (before,) = profiles.all().values()
    assert before.at == 0
    assert before.measured.values["population"]["P7D"] == 1_231_981
    assert before.measured.years["population"] == 2016
    assert measure_city(tmp_path, "sofia", now) == 2
    (after,) = profiles.all().values()
    assert after.at > 0
    assert after.measured == before.measured
    # What is kept of a city is not undone by what tables tell alone.
    assert measure_city(tmp_path, "sofia", now, told=True) == 2
    assert profiles.all()["sofia"].at == after.at
    profiles.close()


def test_a_city_that_cannot_be_measured_keeps_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    async def scenario() -> None:
        async with running(tmp_path) as engine:
            for name in ("brno", "oslo", "praha"):
                engine.tenant(name, create=True)

            async def run(_: Path, *command: str, nice: int) -> Ended:
                names = [one for one in command if one in engine.tenants]
                asked.append(names)
                for name in names:
                    if name == "brno":
                        raise TimeoutError
                    engine.profiles.keep(name, {})
                return Ended(0, "")

            monkeypatch.setattr(city_values, "run_command", run)
            engine.profiles.keep("brno", {}, whole=False)  # what tables tell of it is kept
            await Upkeep(engine).work()
            kept = engine.profiles.all()
            assert {name for name, one in kept.items() if one.at} == set(engine.tenants) - {"brno"}
            asked.clear()
            await Upkeep(engine).work()
            assert asked == [["brno"]]

    asyncio.run(scenario())
