"""Panels that can be read two ways, and checks and mixtures in cases that are easily overlooked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rynek.base.errors import BadRequestData
from rynek.practices import Check, Evaluation, evaluate, parse_specification, predictor_weights


def asked(folder: Path, rows: str, **spec: object) -> Evaluation:
    (folder / "p.csv").write_text(rows)
    return evaluate(parse_specification({"panel": "p.csv", **spec}), folder)


def series(labels: list[str]) -> str:
    rng = np.random.default_rng(1)
    return "t,y\n" + "\n".join(f"{one},{10 + rng.normal():.3f}" for one in labels)


def check_of(found: Evaluation, name: str) -> Check:
    return next(one for one in found.checks if one.name == name)


@pytest.mark.parametrize(
    "start", ["2019-W53", "2019-W60", "2019-W00", "2019W54", "W60 2019", "0000-Q1"]
)
def test_a_week_that_a_year_has_not_is_refused(tmp_path: Path, start: str) -> None:
    weeks = [f"2019-W{one:02}" for one in range(1, 53)]
    with pytest.raises(BadRequestData, match="is no time"):
        asked(tmp_path, series(weeks), time="t", outcome="y", start=start)


def test_columns_of_a_time_are_no_places(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = "year,month,A,B,C,D\n" + "\n".join(
        f"{2015 + n // 12},{n % 12 + 1}," + ",".join(f"{10 + rng.normal():.3f}" for _ in "ABCD")
        for n in range(60)
    )
    given: dict[str, Any] = {
        "time": ["year", "month"],
        "treated": ["A"],
        "start": "2018-05",
        "design": "did",
    }
    assert asked(tmp_path, rows, **given).document()["donors"] == ["B", "C", "D"]


@pytest.mark.parametrize(
    "labels",
    [
        [f"{one}/{(one + 1) % 100:02}" for one in range(2001, 2012)],
        [f"{one}:{part}" for one in range(2005, 2020) for part in range(1, 5)],
        [f"{one}/{part}" for one in range(2005, 2020) for part in range(1, 5)],
    ],
)
def test_what_may_be_months_or_something_else_is_asked_about(
    tmp_path: Path, labels: list[str]
) -> None:
    with pytest.raises(BadRequestData, match="may be"):
        asked(tmp_path, series(labels), time="t", outcome="y", start=labels[-6])


def test_a_third_column_beside_quarters_is_refused(tmp_path: Path) -> None:
    rows = "year,quarter,month,y\n" + "\n".join(
        f"{2010 + n // 12},{n % 12 // 3 + 1},{n % 12 + 1},{n % 7}" for n in range(120)
    )
    given: dict[str, Any] = {
        "time": ["year", "quarter", "month"],
        "outcome": "y",
        "aggregation": "mean",
    }
    with pytest.raises(BadRequestData, match="a day follows a month"):
        asked(tmp_path, rows, start="2018-05", **given)


@pytest.mark.parametrize("transform", ["none", "logged"])
def test_outcomes_that_a_wide_panel_has_not_are_refused(tmp_path: Path, transform: str) -> None:
    rng = np.random.default_rng(3)
    rows = "t,A,B,C,D\n" + "\n".join(
        f"{2000 + n // 12}-{n % 12 + 1:02},"
        + ",".join(f"{1 + rng.normal() / 9:.3f}" for _ in "ABCD")
        for n in range(48)
    )
    with pytest.raises(BadRequestData, match="outcomes"):
        asked(
            tmp_path,
            rows,
            time="t",
            treated=["A"],
            start="2003-05",
            outcomes=["B"],
            transform=transform,
        )


@pytest.mark.parametrize(("late", "pair", "at"), [(True, (0, 5), 40), (False, (1, 7), 55)])
def test_exchanged_sensors_are_seen_at_each_start(
    tmp_path: Path, late: bool, pair: tuple[int, int], at: int
) -> None:
    rng = np.random.default_rng(2)
    values = rng.uniform(20, 60, 12)[:, None] + rng.normal(size=(12, 72))
    one, other = pair
    values[[one, other], at:] = values[[other, one], at:]
    months = [f"{2014 + n // 12}-{n % 12 + 1:02}" for n in range(72)]
    rows = "u,t,y\n" + "\n".join(
        f"U{u},{month},{values[u, n]:.4f}"
        for u in range(12)
        for n, month in enumerate(months)
        if not (late and u == 1 and n < 45)
    )
    starts = {"U0": months[40], "U1": months[55]}
    found = asked(tmp_path, rows, unit="u", time="t", outcome="y", treated=starts)
    check = check_of(found, "sensor changes")
    assert check.verdict == "failed"
    assert "exchanged" in str(check.reason)


def test_a_place_with_one_period_before_leaves_the_fit_window_a_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    months = [f"{2014 + n // 12}-{n % 12 + 1:02}" for n in range(72)]
    rows = "u,t,y\n" + "\n".join(
        f"U{u},{month},{30 + rng.normal():.4f}"
        for u in range(12)
        for n, month in enumerate(months)
        if not (u == 1 and n < 54)
    )
    starts = {"U0": months[40], "U1": months[55]}
    found = asked(tmp_path, rows, unit="u", time="t", outcome="y", treated=starts)
    assert np.isfinite(list((check_of(found, "fit window").figures or {}).values())).all()


def test_donors_alike_in_what_counts_do_not_mix_by_their_order() -> None:
    rng = np.random.default_rng(5)
    for _ in range(12):
        candidates = np.round(rng.normal(size=(4, 12)))
        target = np.round(rng.normal(size=4)) + 1
        before = candidates.T @ rng.normal(size=(4, 9)) + 0.3 * rng.normal(size=(12, 9))
        before = before.T
        ours = before @ rng.dirichlet(np.ones(12))
        first = predictor_weights(target, candidates, before, ours)[1]
        for seed in range(4):
            order = np.random.default_rng(seed).permutation(12)
            again = predictor_weights(target, candidates[:, order], before[:, order], ours)[1]
            np.testing.assert_allclose(again, first[order], atol=1e-6)


def test_a_season_that_was_not_learnt_is_a_failed_check(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    n = np.arange(52)
    y, x = 20 + 4 * np.sin(2 * np.pi * n / 12) + 0.4 * rng.normal(size=52), rng.normal(size=52)
    rows = "t,y,x\n" + "\n".join(
        f"{2000 + one // 12}-{one % 12 + 1:02},{y[one]:.3f},{x[one]:.3f}" for one in n
    )
    found = asked(
        tmp_path,
        rows,
        time="t",
        outcome="y",
        covariates=["x"],
        start="2003-12",
        design="bsts",
        prior_level_sd=0.1,
    )
    assert check_of(found, "season").verdict == "failed"


def test_too_many_donors_are_not_said_to_be_unlike(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows = "u,t,y\n" + "\n".join(
        f"D{u},{2000 + t},{30 + rng.normal():.3f}" for u in range(303) for t in range(12)
    )
    found = asked(tmp_path, rows, unit="u", time="t", outcome="y", treated=["D0"], start=2008)
    assert found.estimate.design == "did"
    assert "is like them" not in str(found.why)
