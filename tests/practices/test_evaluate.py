"""What is refused, with what words, and what an answer holds (through the public face)."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nct, t

from rynek.base.errors import BadRequestData
from rynek.practices import LANGUAGES, Evaluation, evaluate, parse_specification

BASE = {"panel": "panel.csv", "unit": "place", "time": "week", "outcome": "count", "start": 20}


def panel(folder: Path, units: int = 8, weeks: int = 30, seed: int = 0, **odd: Any) -> None:
    """Places p0 … with a common movement; `odd` replaces the values of a place."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.normal(size=weeks)) + 50
    lines = ["place,week,count"]
    for unit in range(units):
        own = odd.get(f"p{unit}", common + rng.normal(size=weeks) + unit)
        lines += [f"p{unit},{week},{own[week]}" for week in range(weeks)]
    (folder / "panel.csv").write_text("\n".join(lines) + "\n")


def ask(folder: Path, **more: Any) -> Evaluation:
    document = {key: value for key, value in (BASE | more).items() if value is not None}
    return evaluate(parse_specification(document), folder)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"start": 400}, "outside the data"),
        ({"start": 0}, "outside the data"),
        ({"start": None}, "start: the first treated period is needed"),
        ({"treated": "nowhere"}, "no unit 'nowhere'"),
        ({"treated": []}, "at least one unit"),
        ({"treated": ["p1", "p1"]}, "named twice"),
        ({"treated": None}, "name the treated units"),
        ({"donors": ["p0", "p1"]}, "'p0' is treated"),
        ({"exclude": [f"p{n}" for n in range(1, 8)]}, "no donor is left"),
        ({"outcome": "weight"}, "no column 'weight'"),
        ({"panel": "none.csv"}, "cannot be read"),
        ({"fit_window": [5, 22]}, "reaches into the treated"),
        ({"effect_periods": [10, 25]}, "begin before the start"),
        ({"effect_periods": [90, 95]}, "no time from 90"),
        ({"design": "best"}, "none of auto, its, did"),
        ({"design": "randomised"}, "drawn by lot"),
        ({"confidence": 1.5}, "confidence"),
        ({"colour": 1}, "colour"),
        ({"predictors": [{"column": "count", "operation": "mode"}]}, "operation"),
    ],
)
def test_what_cannot_be_estimated_is_refused(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    panel(tmp_path)
    with pytest.raises(BadRequestData) as refused:
        ask(tmp_path, **({"treated": "p0"} | more))
    assert words in refused.value.detail


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("place,week,count\n", "no rows"),
        ("place,week,count\na,1,2\n", "one period"),
        ("place,week,count\na,1,2\na,1,3\n", "rows for 'a' at one time"),
        ("place,week,count\na,1,x\na,2,3\n", "something else than numbers"),
        ("place,week,count\na,1,inf\na,2,3\n", "infinite"),
        ("place,week,count\na,soon,1\na,2,3\n", "'soon' is no time"),
        ("place,week,count\n" + "".join(f"{p},{w},5\n" for p in "ab" for w in range(30)), "same"),
        ("place,week,count\na,1,2\nb,1\n", "no table"),
    ],
)
def test_a_panel_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "panel.csv").write_text(text)
    with pytest.raises(BadRequestData) as refused:
        ask(tmp_path, treated="a")
    assert words in refused.value.detail


def test_the_flag_of_treatment_is_no_outcome(tmp_path: Path) -> None:
    odd = {f"p{n}": np.zeros(30) for n in range(1, 25)}
    panel(tmp_path, units=25, seed=0, p0=(np.arange(30) >= 20) * 1.0, **odd)  # type: ignore[arg-type]
    with pytest.raises(BadRequestData, match="before the start"):
        ask(tmp_path, treated="p0")


def test_an_answer_holds_everything_and_reads_in_six_languages(tmp_path: Path) -> None:
    panel(tmp_path, units=30)
    found = ask(tmp_path, treated="p3", outcome_unit="rides", title="Rides").document()
    json.dumps(found, allow_nan=False)
    assert found["design"] == "sdid"
    assert len(found["placebo_effects"]) == 29
    assert {one["name"] for one in found["checks"]} >= {
        "trend before the start",
        "placebo in time",
        "placebo in space",
        "convex hull",
        "level against logarithm",
        "runs of equal values",
        "missing values",
        "leave one donor out",
        "fit window",
        "spill-over to neighbours",
    }
    assert all(one["reason"] for one in found["checks"])
    assert set(found["sentences"]) == set(LANGUAGES)
    assert len(set(found["sentences"].values())) == len(LANGUAGES)
    assert all("Rides" in one for one in found["sentences"].values())


def test_a_known_effect_is_found_by_every_design(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    common = np.cumsum(rng.normal(size=60)) + 50
    treated = common + rng.normal(size=60) * 0.3 + 4 + np.where(np.arange(60) >= 40, 10.0, 0.0)
    panel(tmp_path, units=25, weeks=60, seed=1, p4=treated)
    for design in ("did", "sdid", "synthetic_control", "augmented_synthetic_control"):
        found = ask(tmp_path, treated="p4", start=40, design=design).estimate
        assert found.effect == pytest.approx(10, abs=1.5), design
        assert found.interval is not None
        assert found.interval[0] < 10 < found.interval[1]
        assert found.p_value == pytest.approx(1 / 25)


def test_several_treated_places_have_clustered_errors(tmp_path: Path) -> None:
    panel(tmp_path, units=12)
    found = ask(tmp_path, treated=["p0", "p1", "p2", "p3"])
    assert found.estimate.design == "did"
    assert "degrees of freedom" in str(found.estimate.uncertainty)
    assert found.estimate.standard_error is not None
    assert found.estimate.standard_error > 0


def test_a_place_that_nobody_is_like_has_no_synthetic_control(tmp_path: Path) -> None:
    panel(tmp_path, p2=np.linspace(300, 320, 30))
    with pytest.raises(BadRequestData) as refused:
        ask(tmp_path, treated="p2", design="synthetic_control")
    assert "outside the range of all donors" in refused.value.detail
    assert "sdid" in refused.value.detail
    found = ask(tmp_path, treated="p2")
    hull = next(one for one in found.checks if one.name == "convex hull")
    assert hull.verdict == "failed"
    assert ask(tmp_path, treated="p2", design="synthetic_control", intercept=True)


@pytest.mark.parametrize("treated", [4, 12])
def test_what_could_have_been_seen_is_found_in_four_of_five_cases(
    tmp_path: Path, treated: int
) -> None:
    """The power at the size that the sentence names, by the noncentral t distribution."""
    panel(tmp_path, units=24, seed=3)
    places = [f"p{n}" for n in range(treated)]
    found = ask(tmp_path, treated=places, design="did").document()
    told = re.search(
        r"an effect of ([\d.]+)(?: \w+)? would have been found in four of five", found["sentence"]
    )
    assert told is not None, found["sentence"]
    low, high = found["interval"]
    error = found["standard_error"]
    critical = (high - low) / 2 / error
    freedom = float(re.search(r"([\d.]+) degrees", found["uncertainty"])[1])  # type: ignore[index]
    assert t.ppf(0.975, freedom) == pytest.approx(critical, rel=0.02)
    power = nct.sf(critical, freedom, float(told[1]) / error)
    assert power == pytest.approx(0.8, abs=0.02)


def test_few_donors_give_no_interval_and_say_so(tmp_path: Path) -> None:
    panel(tmp_path, units=8)
    found = ask(tmp_path, treated="p0").document()
    assert found["interval"] is None
    assert "7 donors" in found["uncertainty"]
    assert "19" in found["uncertainty"]
    space = next(one for one in found["checks"] if one["name"] == "placebo in space")
    assert space["verdict"] == "not applicable"
    assert "can't be told from zero at 5%" in found["sentence"]


def test_a_plain_null_result_fails_no_placebo_check(tmp_path: Path) -> None:
    panel(tmp_path, units=25, seed=5)
    found = ask(tmp_path, treated="p1")
    assert found.estimate.p_value is not None
    assert found.estimate.p_value > 0.05
    (space,) = (one for one in found.checks if one.name == "placebo in space")
    assert space.verdict == "not applicable"
    assert "a result, no fault" in space.reason


def test_several_failed_checks_lower_the_level_once_and_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    dead = rng.normal(size=30) + 50 + np.linspace(0, 60, 30)
    dead[18:25] = 0
    panel(tmp_path, units=25, p0=dead)
    level = ask(tmp_path, treated="p0").level
    assert level.number == 2
    assert level.would_lift.startswith("data in which these checks hold: ")


def test_a_dead_sensor_is_noticed(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    dead = rng.normal(size=30) + 50
    dead[18:25] = 0
    panel(tmp_path, units=25, p0=dead)
    found = ask(tmp_path, treated="p0")
    runs = next(one for one in found.checks if one.name == "runs of equal values")
    assert runs.verdict == "failed"
    assert "7 periods" in runs.reason
    assert found.level.number == 2
    assert "runs of equal values" in found.level.would_lift


def test_a_comparison_with_one_place_that_chance_cannot_be_told_from_is_weak(
    tmp_path: Path,
) -> None:
    panel(tmp_path, units=2)
    found = ask(tmp_path, treated="p0", design="did")
    assert found.estimate.interval is None and found.estimate.p_value is None
    assert found.level.number <= 2
    assert "how sure" in found.level.reason


def test_one_series_is_compared_with_its_own_past(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lines = ["month,trips,rain"]
    for n in range(96):
        month = f"{2018 + n // 12}-{n % 12 + 1:02}-01"
        trips = 100 + n / 4 + 10 * math.sin(n / 6 * math.pi) + rng.normal() + 8 * (n >= 72)
        if n not in (30, 31, 80):
            lines.append(f"{month},{trips},{rng.random()}")
    (tmp_path / "one.csv").write_text("\n".join(lines))
    document = {"panel": "one.csv", "time": "month", "outcome": "trips", "start": "2024-01"}
    found = evaluate(parse_specification(document), tmp_path)
    assert found.estimate.design == "its"
    assert found.estimate.effect == pytest.approx(8, abs=1.5)
    assert found.estimate.interval is not None
    assert found.estimate.interval[0] < 8 < found.estimate.interval[1]
    assert found.level.number == 1
    weather = evaluate(parse_specification(document | {"covariates": ["rain"]}), tmp_path)
    assert weather.level.number == 2
    with pytest.raises(BadRequestData, match="too few"):
        evaluate(parse_specification(document | {"start": "2025-12"}), tmp_path)


@pytest.mark.filterwarnings("error")
def test_terms_of_one_series_that_say_the_same_twice(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lines = ["week,trips,rain,mm,price"]
    for n in range(60):
        rain, trips = rng.random(), rng.normal() + 5 * (n >= 40)
        lines.append(f"{n},{trips},{rain},{25.4 * rain + 1},{float(n >= 40)}")
    (tmp_path / "one.csv").write_text("\n".join(lines))
    document = {"panel": "one.csv", "time": "week", "outcome": "trips", "start": 40}

    def found(**more: Any) -> Evaluation:
        return evaluate(parse_specification(document | {"design": "its"} | more), tmp_path)

    once, twice = found(covariates=["rain"]), found(covariates=["rain", "mm"])
    assert twice.estimate.effect == pytest.approx(once.estimate.effect)
    assert twice.estimate.interval == pytest.approx(once.estimate.interval)
    with pytest.raises(BadRequestData, match="cannot be told apart"):
        found(covariates=["price"])
    with pytest.raises(BadRequestData, match="never changes before"):
        found(covariates=["price"], design="bsts")


def test_a_wild_bootstrap_stands_beside_clustered_errors(tmp_path: Path) -> None:
    panel(tmp_path, units=12)
    for few, draws in ((4, 1999), (2, None)):
        found = ask(tmp_path, treated=[f"p{n}" for n in range(few)], design="did")
        check = [one for one in found.checks if one.name == "wild bootstrap"]
        assert [one.figures["draws"] for one in check] == ([] if draws is None else [draws])
    found = ask(
        tmp_path, treated=[f"p{n}" for n in range(4)], donors=["p4", "p5", "p6", "p7"], design="did"
    )
    figures = next(one.figures for one in found.checks if one.name == "wild bootstrap")
    assert figures["draws"] == 2**8 - 1  # every way, and turned round it is the same
    assert figures["p_value"] * 2**8 % 2 == pytest.approx(0)


def test_gaps_are_counted_and_never_taken_for_readings(tmp_path: Path) -> None:
    panel(tmp_path, units=25)
    rows = (tmp_path / "panel.csv").read_text().splitlines()
    kept = [r for r in rows if not r.startswith(("p0,20,", "p0,21,", "p0,19,", "p5,7,"))]
    (tmp_path / "panel.csv").write_text("\n".join(kept))
    found = ask(tmp_path, treated="p0").document()
    periods = [one["period"] for one in found["effects"]]
    assert "19" not in periods
    assert "20" not in periods
    missing = next(one for one in found["checks"] if one["name"] == "missing values")
    assert missing["verdict"] == "failed"
    assert missing["figures"]["filled"] == 4


def test_tables_of_spreadsheets_and_parquet_are_read(tmp_path: Path) -> None:
    from pyarrow import csv, parquet

    panel(tmp_path, units=25)
    first = ask(tmp_path, treated="p0").estimate
    parquet.write_table(csv.read_csv(tmp_path / "panel.csv"), tmp_path / "panel.parquet")
    assert ask(tmp_path, treated="p0", panel="panel.parquet").estimate == first
    text = (tmp_path / "panel.csv").read_text().replace(",", ";").replace(".", ",")
    (tmp_path / "comma.csv").write_text("\ufeff" + text)
    assert ask(tmp_path, treated="p0", panel="comma.csv").estimate == first


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_panel_or_refused(tmp_path_factory: Any, body: bytes) -> None:
    folder = tmp_path_factory.mktemp("any", numbered=True)
    (folder / "panel.csv").write_bytes(b"place,week,count\n" + body)
    try:
        found = ask(folder, treated="a", start=2)
    except BadRequestData:
        return
    assert math.isfinite(found.estimate.effect)


def test_series_that_explain_nothing_give_no_forecast(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    walk = np.cumsum(rng.normal(size=60)) * np.linspace(1, 30, 60)
    lines = ["y,x", *(f"{a},{b}" for a, b in zip(walk, rng.normal(size=60), strict=True))]
    (tmp_path / "panel.csv").write_text("\n".join(lines))
    document = {"panel": "panel.csv", "outcome": "y", "covariates": ["x"], "start": 45}
    with pytest.raises(BadRequestData, match="do not explain this one"):
        evaluate(parse_specification(document | {"design": "bsts"}), tmp_path)
    without = {"panel": "panel.csv", "outcome": "y", "start": 45, "design": "bsts"}
    with pytest.raises(BadRequestData, match="no untreated series"):
        evaluate(parse_specification(without), tmp_path)


def staggered(folder: Path, effect: float = 6.0, never: int = 8) -> dict[str, int]:
    """Places with starts of their own, of which `never` have none; the starts by place."""
    rng = np.random.default_rng(11)
    units, weeks = 16, 40
    common = np.cumsum(rng.normal(size=weeks)) + 50
    starts = {f"p{n}": 12 + 6 * (n % 4) for n in range(units - never)}
    odd: dict[str, Any] = {}
    for unit in range(units):
        own = common + rng.normal(size=weeks) + unit
        start = starts.get(f"p{unit}")
        odd[f"p{unit}"] = own if start is None else own + effect * (np.arange(weeks) >= start)
    panel(folder, units=units, weeks=weeks, **odd)
    return starts


def test_places_that_start_at_different_times(tmp_path: Path) -> None:
    starts = staggered(tmp_path)
    found = ask(tmp_path, treated=starts, start=None)
    estimate = found.estimate
    assert estimate.design == "event_study"
    assert estimate.effect == pytest.approx(6, abs=0.8)
    assert estimate.interval is not None
    assert estimate.interval[0] < 6 < estimate.interval[1]
    told = {one["period"]: one for one in found.document()["effects"]}
    assert told["+0"]["treated"]
    assert not told["-1"]["treated"]
    assert told["+3"]["effect"] == pytest.approx(6, abs=1.5)
    assert told["-3"]["effect"] == pytest.approx(0, abs=1.5)
    assert next(one for one in found.checks if one.name == "wild bootstrap").verdict == "passed"
    with pytest.raises(BadRequestData, match="different times"):
        ask(tmp_path, treated=starts, start=None, design="sdid")
    few = ask(tmp_path, treated={one: starts[one] for one in ("p0", "p1")}, start=None,
              exclude=[f"p{n}" for n in range(2, 8)])  # fmt: skip
    assert "8 donors" in str(few.estimate.uncertainty)


def test_a_stepped_wedge_is_judged_by_its_lot(tmp_path: Path) -> None:
    starts = staggered(tmp_path, never=0)
    more = {"treated": starts, "start": None, "assignment": "randomised"}
    found = ask(tmp_path, **more)
    assert found.estimate.design == "randomised"
    assert found.level.number == 5
    assert found.estimate.effect == pytest.approx(6, abs=0.8)
    assert found.estimate.p_value is not None
    assert found.estimate.p_value < 0.01
    assert found.estimate.interval is not None
    assert found.estimate.interval[0] < 6 < found.estimate.interval[1]
    assert ask(tmp_path, **more).document() == found.document()


def test_a_lot_that_could_not_fall_otherwise_proves_nothing(tmp_path: Path) -> None:
    panel(tmp_path, units=4)
    with pytest.raises(BadRequestData, match="in 4 ways only"):
        ask(tmp_path, treated="p0", design="randomised", assignment="randomised")
