"""Plans of pilots, and panels that are asked of history."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from tests.cli.test_cli import run_well
from tests.history.support import ListLog, iri
from tests.history.test_follow import with_history

from rynek.base.clock import parse_iso
from rynek.base.errors import BadRequestData
from rynek.history import History, Record
from rynek.practices import (
    Panel,
    Plan,
    Question,
    as_csv,
    as_ics,
    evaluate,
    panel_of_history,
    panel_of_record,
    parse_plan,
    parse_specification,
    plan,
)
from rynek.practices.estimators.randomised import residuals_of, treatment_of
from rynek.practices.planning.stepped import stepped

QUESTION = {
    "panel": "p.csv", "unit": "u", "time": "t", "outcome": "y", "outcome_unit": "rides",
    "pilot": 10, "periods": 8, "first": "2025-03-03",
}  # fmt: skip


def past(folder: Path, spread: float = 1.0, units: int = 24, weeks: int = 80) -> None:
    rng = np.random.default_rng(2)
    rows = ["u,t,y"]
    for unit in range(units):
        rows += [
            f"=u{unit},{2023 + week // 52}-W{week % 52 + 1:02},{50 + unit + spread * rng.normal()}"
            for week in range(weeks)
        ]
    (folder / "p.csv").write_text("\n".join(rows))


def ask(folder: Path, **more: Any) -> Plan:
    return plan(parse_plan(QUESTION | more), folder)


def test_the_smallest_effect_is_what_theory_says(tmp_path: Path) -> None:
    """Independent noise of 1: a change of means over 8 weeks has variance 2/8, and the difference
    between 10 and 14 places an error of √(¼ (1/10 + 1/14)); 2.07 + 0.86 of them are found."""
    past(tmp_path)
    found = ask(tmp_path)
    expected = np.sqrt(0.25 * (1 / 10 + 1 / 14)) * (2.074 + 0.858)
    assert found.asked.analytic == pytest.approx(expected, rel=0.1)
    assert found.asked.simulated == pytest.approx(expected, rel=0.15)
    assert "10 places over 8 periods" in found.sentence()
    longer = next(one for one in found.others if (one.pilot, one.periods) == (10, 16))
    assert longer.simulated is not None
    assert found.asked.simulated is not None
    assert longer.simulated < 0.85 * found.asked.simulated
    assert ask(tmp_path).document() == found.document()


def test_what_is_wanted_takes_so_long(tmp_path: Path) -> None:
    past(tmp_path)
    needed = ask(tmp_path, wanted=0.5).needed
    assert needed is not None
    assert 8 <= needed.periods <= 18
    assert ask(tmp_path, wanted=0.01).needed is None
    few = ask(tmp_path, pilot=2)
    assert few.asked.simulated is None
    assert "too few" in few.sentence()


def test_groups_that_start_one_after_another_are_planned_as_such(tmp_path: Path) -> None:
    past(tmp_path)
    once, stepped = ask(tmp_path, wanted=0.5), ask(tmp_path, wanted=0.5, steps=3, step=2)
    assert "judged by the lot" not in once.sentence()
    assert "10 places that start in 3 groups, 2 periods apart" in stepped.sentence()
    assert "the first group and the last: 4." in stepped.sentence()
    assert stepped.document()["last_start_after"] == 4
    for found in (once.asked, stepped.asked):
        assert found.simulated is not None
        assert found.analytic is not None
        assert found.simulated == pytest.approx(found.analytic, rel=0.15)
    assert stepped.needed is not None
    # In the end all may have it: nobody is left who never does.
    everybody = ask(tmp_path, pilot=24, steps=4, step=4)
    assert everybody.asked.compared == 0
    assert everybody.asked.simulated is not None
    assert {one.group for one in everybody.starts} == {1, 2, 3, 4}
    with pytest.raises(BadRequestData, match="too few for 8 before"):
        ask(tmp_path, steps=10, step=8)


def test_what_a_stepped_plan_promises_is_kept(tmp_path: Path) -> None:
    """The effect that it says is found in four of five cases is found so often in new years with the
    same noise, which hangs together, by the design that judges it."""
    rng = np.random.default_rng(8)

    def years(weeks: int, units: int = 12) -> NDArray[np.float64]:
        noise = rng.normal(size=(units, weeks + 40))
        for week in range(1, weeks + 40):
            noise[:, week] += 0.5 * noise[:, week - 1]
        return noise[:, 40:] + 5 * rng.normal(size=(units, 1)) + np.sin(np.arange(weeks) / 8)

    given = {"confidence": 0.95, "power": 0.8}
    starts = tuple(np.repeat([6, 12, 18], 4))
    lots = [starts, *(tuple(rng.permutation(starts)) for _ in range(299))]
    residuals = residuals_of(np.array([treatment_of(one, 24) for one in lots])).reshape(300, -1)
    weights = residuals / (residuals**2).sum(axis=1, keepdims=True)
    told = []
    for seed in range(4):
        promised = stepped(years(150), 12, 6, 6, 3, 6, seed=seed, **given).simulated
        assert promised is not None
        effect = promised * treatment_of(starts, 24)
        slopes = np.abs([weights @ (years(24) + effect).ravel() for _ in range(100)])
        told.append(((slopes >= slopes[:, :1]).mean(axis=1) <= 0.05).mean())
    assert np.mean(told) == pytest.approx(0.8, abs=0.08)


def hussey_hughes(treatment: NDArray[np.float64], within: float, between: float) -> float:
    """The variance of the effect of a stepped wedge (places × periods) with those of a place's values
    and of places' levels (Hussey & Hughes 2007, equation 8)."""
    places, periods = treatment.shape
    cells = treatment.sum()
    by_period, by_place = (treatment.sum(axis=0) ** 2).sum(), (treatment.sum(axis=1) ** 2).sum()
    below = (places * cells - by_period) * within
    below += (
        cells**2 + places * periods * cells - periods * by_period - places * by_place
    ) * between
    return float(places * within * (within + periods * between) / below)


def test_the_variance_of_a_stepped_wedge_is_that_of_generalised_least_squares() -> None:
    treatment = (np.arange(5) >= np.repeat([1, 2, 3, 4], 2)[:, None]).astype(float)
    within, between, (places, periods) = 0.7, 0.4, treatment.shape
    columns = [np.tile(np.eye(periods), (places, 1)), treatment.ravel()[:, None]]
    design = np.hstack(columns)
    covariance = np.kron(np.eye(places), within * np.eye(periods) + between)
    expected = np.linalg.inv(design.T @ np.linalg.solve(covariance, design))[-1, -1]
    assert hussey_hughes(treatment, within, between) == pytest.approx(expected)
    # What a plan says of independent noise is what the published formula says.
    past = np.random.default_rng(5).normal(size=(8, 400))
    found = stepped(past, 8, 1, 1, 4, 1, confidence=0.95, power=0.8, seed=0)
    assert found.analytic == pytest.approx(
        2.80 * hussey_hughes(treatment, 1.0, 1e6) ** 0.5, rel=0.1
    )


def test_the_lot_is_even_and_the_same_again(tmp_path: Path) -> None:
    past(tmp_path)
    starts = ask(tmp_path, steps=3, step=2, seed=5).starts
    assert [sum(one.group == group for one in starts) for group in range(4)] == [14, 4, 3, 3]
    assert {one.period for one in starts} == {"2025-W10", "2025-W12", "2025-W14", None}
    assert ask(tmp_path, steps=3, step=2, seed=5).starts == starts
    assert ask(tmp_path, steps=3, step=2, seed=6).starts != starts
    rows = list(csv.DictReader(io.StringIO(as_csv(starts))))
    assert len(rows) == 24
    assert all(row["place"].startswith("'=u") for row in rows)
    calendar = as_ics(starts, "Sensors; in bins, " + "long " * 20)
    assert calendar.count("BEGIN:VEVENT") == 10
    assert "DTSTART;VALUE=DATE:20250303" in calendar
    assert "Sensors\\; in bins\\, " in calendar
    assert all(len(line.encode()) <= 75 for line in calendar.split("\r\n"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"pilot": 24}, "none to compare"),
        ({"pilot": 25, "steps": 2}, "none to compare"),
        ({"periods": 60}, "too few for 60 before"),
        ({"steps": 11}, "11 groups"),
        ({"places": ["=u1", "=u2"]}, "at least 8"),
        ({"places": ["nobody"]}, "no unit"),
        ({"power": 2.0}, "power"),
        ({"first": "soon"}, "no time"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_cannot_be_planned(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    past(tmp_path)
    with pytest.raises(BadRequestData, match=words):
        ask(tmp_path, **more)


def test_the_command(tmp_path: Path) -> None:
    past(tmp_path)
    (tmp_path / "plan.toml").write_text(
        'panel = "p.csv"\nunit = "u"\ntime = "t"\noutcome = "y"\npilot = 10\nperiods = 8\n'
    )
    document = json.loads(run_well("practice", "plan", tmp_path / "plan.toml", "--json"))
    assert document["smallest_effect"]["simulated"] > 0
    assert len(document["plan"]) == 24
    told = run_well("practice", "plan", tmp_path / "plan.toml", "--csv")
    assert told.startswith("place,group,start")


def test_history_is_asked_for_a_panel(tmp_path: Path) -> None:
    """Days of the city's zone, of which one has no reading; the question stands in the answer."""
    question = Question(entity_type="Bin", attribute="level", first="2026-03-01", last="2026-03-21")
    rng = np.random.default_rng(0)
    base = parse_iso("2026-02-28T23:30:00Z")  # half past midnight in Warsaw
    ids, times, values = [], [], []
    for unit in range(6):
        for hour in range(0, 20 * 24, 6):
            if hour // 24 != 4:
                ids.append(f"urn:b{unit}")
                times.append(base + hour * 3_600_000_000)
                values.append(10 + unit + 5 * (unit == 0 and hour >= 14 * 24) + rng.normal() / 10)
    many = len(ids)
    batch = pa.record_batch(
        {
            "entity_id": pa.array(ids), "type": pa.array(["Bin"] * many),
            "attr": pa.array(["level"] * many), "kind": pa.array(["Property"] * many),
            "number": pa.array(values), "observed_at": pa.array(times, pa.int64()),
        }
    )  # fmt: skip
    panels: list[Panel] = []

    async def test(history: History) -> None:
        await history.sink.append("test", iter([batch]), iri)
        panels.append(await panel_of_history(history, question))
        none = Question("Bin", "weight", "2026-03-01", "2026-03-21")
        with pytest.raises(BadRequestData, match="no number"):
            await panel_of_history(history, none)

    with_history(tmp_path, test, ListLog())
    panel = panels[0]
    with Record(tmp_path / "history") as record:  # as it stands on disk
        again = panel_of_record(record, question, ZoneInfo("Europe/Warsaw"))
    assert (again.units, again.labels) == (panel.units, panel.labels)
    assert np.allclose(again.columns["level"], panel.columns["level"], rtol=1e-12, equal_nan=True)
    assert panel.units == tuple(f"urn:b{one}" for one in range(6))
    assert len(panel.labels) == 20
    assert panel.labels[0] == "2026-03-01"
    assert np.isnan(panel.columns["level"][:, 4]).all()
    assert panel.columns["level"][3, 0] == pytest.approx(13, abs=0.2)
    spec = parse_specification(
        {
            "panel": {"entity_type": "Bin", "attribute": "level", "first": "2026-03-01",
                      "last": "2026-03-21"},
            "treated": "urn:b0", "start": "2026-03-15",
        }
    )  # fmt: skip
    found = evaluate(spec, tmp_path, lambda _: panel).document()
    assert found["effect"] == pytest.approx(5, abs=0.2)
    assert found["panel"]["attribute"] == "level"
    with pytest.raises(BadRequestData, match="recorded history"):
        evaluate(spec, tmp_path)
