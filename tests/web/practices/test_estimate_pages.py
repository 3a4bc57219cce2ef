"""The pages that compute: an effect and a pilot from a city's history, and effects side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import httpx
import numpy as np
import pyarrow as pa

from rynek.app import Engine
from rynek.base.clock import parse_iso
from rynek.base.settings import load
from rynek.context import DEFAULT_VOCAB
from rynek.practices import together
from rynek.practices.cards import parse_card, specification_digest
from rynek.web import Application
from rynek.web.pages.forest import Row, axis, bar, together_bar

DAYS, START = 60, 40
QUESTION = {
    "type": "Bin", "attribute": "level", "first": "2026-01-01", "last": "2026-03-02", "every": "day",
}  # fmt: skip


def batch(effect: float) -> pa.RecordBatch:
    """Twenty-five bins with a reading each noon; the first has an effect from day START on."""
    rng = np.random.default_rng(3)
    base = parse_iso("2026-01-01T12:00:00Z")
    common = np.cumsum(rng.normal(size=DAYS)) + 50
    ids, times, values = [], [], []
    for unit in range(25):
        for day in range(DAYS):
            ids.append(f"urn:bin:{unit}")
            times.append(base + day * 86_400_000_000)
            shift = effect if unit == 0 and day >= START else 0.0
            values.append(float(common[day] + rng.normal() + shift))
    many = len(ids)
    return pa.record_batch(
        {
            "entity_id": pa.array(ids), "type": pa.array(["Bin"] * many),
            "attr": pa.array(["level"] * many), "kind": pa.array(["Property"] * many),
            "number": pa.array(values), "observed_at": pa.array(times, pa.int64()),
        }
    )  # fmt: skip


def serve(folder: Path, test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def body() -> None:
        engine = Engine(load(None, {}, {"data.path": str(folder), "access.anonymous": "write"}))
        engine.open()
        await engine.start()
        try:
            tenant = engine.tenant(engine.default_tenant)
            await tenant.history.ready()
            await tenant.history.sink.append(
                "test", iter([batch(8.0)]), lambda name: DEFAULT_VOCAB + name
            )
            transport = httpx.ASGITransport(app=Application(engine))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                client.engine = engine  # type: ignore[attr-defined]
                await test(client)
        finally:
            await engine.stop()

    asyncio.run(body())


def test_an_effect_and_a_pilot_from_history(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        empty = await client.get("/practices/estimate")
        assert empty.status_code == 200
        assert 'name="treated"' in empty.text
        asked = QUESTION | {"treated": "urn:bin:0", "start": "2026-02-10", "design": "did"}
        found = await client.get(f"/practices/estimate?{urlencode(asked)}")
        assert found.status_code == 200
        assert "Effect on “level”: +8" in found.text
        assert "the specification asks for it" in found.text
        others = found.text.partition("What other designs give")[2].partition("</details>")[0]
        assert others.count("<dt>") == 7
        assert "<dt>synthetic difference in differences</dt><dd>+" in others
        assert "nothing says that places were drawn by lot" in others
        assert '<svg class="spark compared"' in found.text
        assert "placebo in space" in found.text
        assert "<strong>placebo in time</strong>&nbsp;*:" in found.text
        assert "<strong>placebo in space</strong>:" in found.text
        assert 'value="urn:bin:0"' in found.text
        assert 'aria-invalid="true"' not in found.text
        lacking = await client.get(f"/practices/estimate?{urlencode(asked | {'treated': ''})}")
        assert 'id="wrong-treated">This is needed.' in lacking.text
        half = await client.get(
            f"/practices/estimate?{urlencode(asked | {'fit_first': '2026-01-05'})}"
        )
        assert 'id="wrong-fit_first"' in half.text
        window = {"fit_first": "2026-01-05", "fit_last": "2026-02-09", "assignment": "randomised"}
        windowed = await client.get(f"/practices/estimate?{urlencode(asked | window)}")
        assert "Effect on “level”: +" in windowed.text
        wrong = await client.get(
            f"/practices/estimate?{urlencode(asked | {'start': '2027-01-01'})}"
        )
        assert "outside the data" in wrong.text
        for language, words in (
            ("uk", "01.01.2027 лежить поза даними"),
            ("cs", "1. 1. 2027 leží mimo data"),
        ):
            params = urlencode(asked | {"start": "2027-01-01", "lang": language})
            told = (await client.get(f"/practices/estimate?{params}")).text.replace("\xa0", " ")
            assert words in told
            assert 'id="wrong-start">' in told  # not marked as English
        found = await client.get(f"/practices/estimate?{urlencode(asked | {'lang': 'bg'})}")
        assert "<strong>плацебо във времето</strong>&nbsp;*:" in found.text
        assert 'lang="en"' not in found.text.partition("<main")[2].partition("</main>")[0]
        await client.get("/practices?lang=en")
        odd = await client.get(f"/practices/estimate?{urlencode(asked | {'every': '<b>'})}")
        assert odd.status_code == 200
        assert "<b>" not in odd.text
        more = QUESTION | {"pilot": "8", "periods": "7", "steps": "2", "start": "2026-04-01"}
        plan = await client.get(f"/practices/plan?{urlencode(more)}")
        assert "in four of five cases" in plan.text
        assert "Periods between the first group and the last: 1." in plan.text
        assert plan.text.count("1 Apr 2026") >= 4
        file = await client.get(f"/practices/plan?{urlencode(more | {'format': 'ics'})}")
        assert file.headers["content-type"].startswith("text/calendar")
        assert file.text.count("BEGIN:VEVENT") == 8
        none = await client.get(f"/practices/plan?{urlencode(more | {'pilot': 'many'})}")
        assert "is no whole number" in none.text

    serve(tmp_path, test)


def test_the_form_offers_what_the_city_has(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        body = [
            {
                "id": f"urn:bin:{n}",
                "type": "Bin",
                "name": f"Bin {n:02}",
                "level": 5,
                "colour": "red",
            }
            for n in range(25)
        ]
        made = await client.post("/ngsi-ld/v1/entityOperations/upsert", json=body)
        assert made.status_code == 201
        form = (await client.get("/practices/estimate")).text
        assert '<option value="Bin" selected>' in form
        assert '<option value="level">' in form
        assert 'value="colour"' not in form
        assert form.count('type="checkbox" name="treated"') == 25
        assert 'type="text" value="2026-01-01" placeholder="2026-05-31"' in form
        named = await client.get("/practices/estimate?treated=urn:bin:1&treated=urn:bin:2+urn:x")
        assert named.text.count(" checked") == 2
        assert 'type="text" value="urn:x"' in named.text
        assert "treated=urn%3Abin%3A1&amp;treated=urn%3Abin%3A2+urn%3Ax" in named.text
        example = await client.get("/practices/estimate?example=1")
        assert example.status_code == 303
        answer = await client.get(f"/practices/estimate{example.headers['location']}")
        assert "Effect on “Level”: " in answer.text
        plan = await client.get("/practices/plan?example=1")
        assert "pilot=8" in plan.headers["location"]

    serve(tmp_path, test)


def test_effects_of_cards_stand_side_by_side(tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        found = await client.get("/practices/effects")
        assert found.status_code == 200
        assert found.text.count('scope="rowgroup"') == 2
        assert found.text.count('<circle class="point') == 6
        assert "No mean is taken over all themes" in found.text
        assert found.text.count('class="badge"') == 2
        assert "interrupted time series" in found.text
        assert "synthetic" in found.text
        assert (await client.get("/practices/effects?theme=none")).status_code == 200

    serve(tmp_path, test)


def test_what_is_taken_together_measures_the_same_in_places_that_differ(tmp_path: Path) -> None:
    """Two cities' estimates of one outcome, one as logarithms, one in its unit; a second card of the
    first city, a weaker estimate, and another outcome are not in the mean."""

    def card(city: str, *outcomes: str) -> dict[str, object]:
        return {
            "title": {"en": f"Bins of {city}"}, "summary": {"en": "Bins."}, "theme": "waste",
            "cluster": "citizens", "status": "running", "city": {"name": {"en": city}, "country": "PL"},
            "verdict": {"outcome": "unknown", "reason": {"en": "Not known."}},
            "questions": [
                {"key": one, "title": {"en": one}, "specification": {"start": one}} for one in outcomes
            ],
        }  # fmt: skip

    def answer(
        outcome: str, effect: float, percent: float, error: float, **more: object
    ) -> dict[str, object]:
        return {
            "outcome": outcome, "outcome_unit": "t", "effect": effect, "effect_percent": percent,
            "standard_error": error, "interval": [effect - 2 * error, effect + 2 * error],
            "level": 3, "design": "did",
        } | more  # fmt: skip

    async def test(client: httpx.AsyncClient) -> None:
        cards = client.engine.cards  # type: ignore[attr-defined]
        told = {
            "gdansk": ("Gdańsk", {"weak": answer("waste", -50.0, -50.0, 1.0, level=1),
                                  "good": answer("waste", -20.0, -20.0, 5.0)}),
            "gdansk-again": ("Gdańsk", {"good": answer("waste", -90.0, -90.0, 1.0)}),
            "lublin": ("Lublin", {"logs": answer("waste", -0.1, -9.5, 0.05, transform="log"),
                                  "other": answer("noise", 5.0, 5.0, 1.0)}),
        }  # fmt: skip
        for name, (city, answers) in reversed(told.items()):
            made = parse_card(card(city, *answers))
            cards.add(name, made, owner="", door="public")
            for question in made.questions:
                cards.answers.keep(
                    name, question.key, specification=specification_digest(question), digest="d",
                    by="1", document=answers[question.key],
                )  # fmt: skip
        page = (await client.get("/practices/effects?theme=waste")).text
        both = together([np.log(0.8), -0.1], [0.05, 0.05])
        assert page.count("Together: waste t") == 2
        assert "Together: noise" not in page
        assert f"−{-100 * np.expm1(both.mean):.1f} %" in page
        assert 'class="forest"' in page

    serve(tmp_path, test)


def test_a_forest_plot_has_a_line_for_each_and_a_band_for_all() -> None:
    rows = [
        Row(f"city {n}", "", f"/practices/{n}", effect, (effect - 4, effect + 4), 3, "air")
        for n, effect in enumerate((-8.0, -3.0, 1.0))
    ]
    marks = [-20.0, -10.0, 0.0, 10.0]
    drawn = [bar(row, marks) for row in rows]
    assert all(one.count('class="interval"') == 1 for one in drawn)
    assert 'cx="41.20%"' in drawn[0]
    without = bar(rows[0]._replace(interval=None), marks)
    assert 'class="point alone"' in without
    assert 'class="interval"' not in without
    assert 'class="together"' in together_bar(together([-0.08, -0.03, 0.01], [0.02] * 3), marks)
    # Of two places the interval may be a thousand times as long as the axis.
    assert "e+" not in together_bar(together([-0.9, 0.9], [0.3] * 2), marks)
    assert axis(marks, "<{}>".format).count("<text") == 4
    assert "&lt;−20.0&gt;" in axis(marks, "<{}>".format)
