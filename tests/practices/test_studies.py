"""Studies that were published with their data, and layouts of tables as such data come in."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rynek.base.errors import BadRequestData
from rynek.practices import Evaluation, evaluate, parse_specification

STUDIES = Path(__file__).with_name("studies")
MONTHS = [date(2015 + n // 12, n % 12 + 1, 1) for n in range(24)]
LONG = {"unit": "u", "time": "t", "outcome": "y", "treated": "a", "start": "2016-07"}


def study(name: str, **more: Any) -> Evaluation:
    return evaluate(parse_specification({"panel": f"{name}.csv"} | more), STUDIES)


def ask(folder: Path, body: str, **document: Any) -> Evaluation:
    (folder / "p.csv").write_text(body)
    return evaluate(parse_specification({"panel": "p.csv"} | document), folder)


def test_organ_donations_in_california() -> None:
    """Kessler & Roth 2014; Huntington-Klein 2022, table 18.2: −0.022."""
    spec = {"unit": "State", "time": "Quarter", "outcome": "Rate", "treated": "California"}
    found = study("organ_donations", start="Q32011", design="did", **spec)
    assert found.estimate.effect == pytest.approx(-0.02246, abs=1e-5)
    assert found.task.panel.clock.kind == "quarter"
    # One treated state: placebos, where a clustered error would say 0.006.
    assert found.estimate.standard_error == pytest.approx(0.031, abs=0.001)


def test_homicides_after_castle_doctrine_laws() -> None:
    """Cheng & Hoekstra 2013: about 8 % more, weighted by population; here states count alike."""
    rows = csv.DictReader((STUDIES / "castle.csv").open())
    starts: dict[str, int] = {}
    for row in rows:
        if row["castle"] == "1":
            starts.setdefault(row["sid"], int(row["year"]))
    assert len(starts) == 21
    spec = {"unit": "sid", "time": "year", "outcome": "homicide", "treated": starts}
    found = study("castle", transform="log", **spec)
    assert found.estimate.design == "event_study"
    assert found.document()["effect_percent"] == pytest.approx(8.5, abs=0.1)


def test_german_reunification() -> None:
    """Abadie, Diamond & Hainmueller 2015: Austria 0.42, United States 0.22, Japan 0.16,
    Switzerland 0.11, Netherlands 0.09; −1,600 dollars a head. Their predictors' weights come from
    a cross-validation that stops early, ours from the fit window, whose error is smaller."""
    years = [{"column": one, "periods": [1981, 1989]} for one in ("gdp", "trade", "infrate")]
    found = study(
        "germany",
        unit="country",
        time="year",
        outcome="gdp",
        treated="West Germany",
        start=1990,
        design="synthetic_control",
        fit_window=[1960, 1989],
        predictors=[
            *years,
            {"column": "industry", "periods": [1981, 1989]},
            {"column": "schooling", "periods": [1980, 1985]},
            {"column": "invest80", "periods": [1980]},
        ],
    )
    weights = found.estimate.weights or {}
    assert sorted(weights, key=lambda name: -weights[name])[:3] == ["Austria", "USA", "Switzerland"]
    assert weights["Austria"] == pytest.approx(0.42, abs=0.05)
    assert weights["USA"] == pytest.approx(0.22, abs=0.06)
    assert -1700 < found.estimate.effect < -1300
    assert found.estimate.interval is None  # 16 countries


def staggered(seed: int) -> tuple[str, dict[str, int], dict[str, list[float]]]:
    rng = np.random.default_rng(seed)
    starts = {f"p{n}": 2004 + n % 3 for n in range(12)}
    series = {
        f"p{n}": [
            5 + n / 10 + 0.1 * year + rng.normal() / 5
            - 0.3 * (2000 + year >= starts.get(f"p{n}", 3000))
            for year in range(8)
        ]
        for n in range(40)
    }  # fmt: skip
    rows = [
        f"{u},{2000 + year},{value!r}"
        for u, values in series.items()
        for year, value in enumerate(values)
    ]
    return "\n".join(["u,t,y", *rows]), starts, series


def test_an_event_study_from_the_period_before_is_that_of_callaway_and_santanna(
    tmp_path: Path,
) -> None:
    """Their ATT by groups, against those never treated, written out."""
    body, starts, series = staggered(1)
    never = [one for one in series if one not in starts]

    def change(unit: str, year: int, start: int) -> float:
        return series[unit][year - 2000] - series[unit][start - 1 - 2000]

    own = []
    for unit, start in starts.items():
        gaps = [
            change(unit, year, start) - np.mean([change(one, year, start) for one in never])
            for year in range(start, 2008)
        ]
        own.append(float(np.mean(gaps)))
    spec = {"unit": "u", "time": "t", "outcome": "y", "treated": starts}
    found = ask(tmp_path, body, fit_window=[-1, -1], **spec)
    assert found.estimate.design == "event_study"
    assert found.estimate.effect == pytest.approx(float(np.mean(own)))
    first = ask(tmp_path, body, fit_window=[-1, -1], effect_periods=[0, 0], **spec).document()
    assert [one["period"] for one in first["effects"]] == ["-1", "+0"]
    shorter = ask(tmp_path, body, effect_periods=[2004, 2006], **spec).document()
    assert [one["period"] for one in shorter["effects"] if one["treated"]] == ["+0", "+1", "+2"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"fit_window": [-1, 0]}, "reaches into the treated periods"),
        ({"fit_window": [-9, -8]}, "that far before the start in 2004"),
        ({"effect_periods": [3, 3]}, "from the start in 2005 on"),
        ({"effect_periods": [-1, 2]}, "begin before the start"),
        ({"effect_periods": [2, 1]}, "2 comes after 1"),
        ({"donors": [], "exclude": ["p0"]}, "leave them out of treated"),
    ],
)
def test_windows_around_each_start_that_hold_nothing(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    body, starts, _ = staggered(2)
    if more.get("effect_periods") == [3, 3]:
        body = "\n".join(row for row in body.split("\n") if ",2007," not in row)
        words = words.replace("2005", "2004")
    spec = {"unit": "u", "time": "t", "outcome": "y", "treated": starts, "design": "event_study"}
    with pytest.raises(BadRequestData) as refused:
        ask(tmp_path, body, **(spec | more))
    assert words in refused.value.detail


def test_an_outcome_that_is_a_logarithm_is_told_in_per_cent(tmp_path: Path) -> None:
    body, starts, _ = staggered(3)
    spec = {"unit": "u", "time": "t", "outcome": "y", "treated": starts}
    plain = ask(tmp_path, body, **spec)
    logged = ask(tmp_path, body, transform="logged", **spec)
    assert logged.estimate.effect == pytest.approx(plain.estimate.effect)
    share = math.expm1(plain.estimate.effect) * 100
    assert logged.document()["effect_percent"] == pytest.approx(share)
    assert f"{abs(share):.1f} %" in logged.sentence["en"]


def panel(write: Callable[[date], str]) -> str:
    rng = np.random.default_rng(7)
    return "u,t,y\n" + "".join(
        f'{unit},"{write(month)}",{10 + place + rng.normal():.3f}\n'
        for place, unit in enumerate("abcde")
        for month in MONTHS
    )


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("%m.%Y", "07.2016"),
        ("%Y.%m", "2016-07"),
        ("%m/%Y", "7/2016"),
        ("%Y/%m/%d", "2016/07/01"),
        ("%b %Y", "Jul 2016"),
        ("%B %d, %Y", "July 1, 2016"),
        ("%d%b%Y", "01jul2016"),
        ("%Ym%m", "2016m7"),
    ],
)
def test_months_as_packages_and_offices_write_them(tmp_path: Path, form: str, start: str) -> None:
    plain = ask(tmp_path, panel(lambda month: month.strftime("%Y-%m")), **LONG)
    found = ask(tmp_path, panel(lambda month: month.strftime(form)), **(LONG | {"start": start}))
    assert found.task.panel.clock.kind == "month"
    assert found.estimate.effect == plain.estimate.effect


def test_years_of_two_digits_are_asked_about(tmp_path: Path) -> None:
    body = panel(lambda month: month.strftime("%b-%y"))
    with pytest.raises(BadRequestData, match="time_format"):
        ask(tmp_path, body, **LONG)
    said = LONG | {"time_format": "%b-%y"}
    one, other = (ask(tmp_path, body, **(said | {"start": at})) for at in ("Jul-16", "2016-07"))
    assert one.document() == other.document()


def test_times_in_several_columns(tmp_path: Path) -> None:
    plain = ask(tmp_path, panel(lambda month: month.strftime("%Y-%m")), **LONG)
    rows = list(csv.reader(io.StringIO(panel(lambda month: month.strftime("%Y-%m")))))
    split = [[row[0], *row[1].split("-"), row[2]] for row in rows[1:]]

    def body(columns: str, second: Callable[[str], str] = str) -> str:
        lines = [",".join([u, year, second(part), y]) for u, year, part, y in split]
        return "\n".join([columns, *lines])

    spec = LONG | {"time": ["year", "month"]}
    for text in (body("u,year,month,y"), body("u,year,month,y", lambda m: str(int(m)) + ".0")):
        assert ask(tmp_path, text, **spec).estimate.effect == plain.estimate.effect
    for columns, time, words in (
        ("u,year,month,y", ["year", "month", "day", "hour"], "year and month"),
        ("u,year,month,y", ["year", "moon"], "no column 'moon'"),
        ("u,year,quarter,y", ["year", "quarter"], "no quarter of a year"),
    ):
        with pytest.raises(BadRequestData, match=words):
            ask(tmp_path, body(columns), **(LONG | {"time": time}))
    few = body("u,year,part,y", lambda m: str((int(m) - 1) // 3 + 1))
    with pytest.raises(BadRequestData, match="months or quarters"):
        ask(tmp_path, few, **(LONG | {"time": ["year", "part"], "aggregation": "mean"}))


def test_empty_rows_are_none_and_na_may_be_a_country(tmp_path: Path) -> None:
    text = panel(lambda month: month.strftime("%Y-%m"))
    plain = ask(tmp_path, text, **LONG).document()
    assert ask(tmp_path, text + ",,\n,,\n", **LONG).document() == plain
    assert ask(tmp_path, text + "b,2017-01,.\n", **LONG).task.panel.columns["y"].shape == (5, 25)
    with pytest.raises(BadRequestData, match="row 121 has no time"):
        ask(tmp_path, text + "Source: an office,,\n", **LONG)
    named = text.replace("\nb,", "\nNA,")
    with pytest.raises(BadRequestData, match="has 'NA' as its unit"):
        ask(tmp_path, named, **LONG)
    found = ask(tmp_path, named, **(LONG | {"donors": ["NA", "c", "d", "e"]}))
    assert found.estimate.effect == plain["effect"]


def test_true_and_false_choose_rows(tmp_path: Path) -> None:
    rows = panel(lambda month: month.strftime("%Y-%m")).strip().split("\n")
    text = "\n".join(
        [f"{rows[0]},valid", *(f"{row},TRUE" for row in rows[1:]), "a,2016-01,9,FALSE"]
    )
    assert ask(tmp_path, text, where={"valid": True}, **LONG).estimate.effect
    with pytest.raises(BadRequestData, match="no rows with valid = 3"):
        ask(tmp_path, text, where={"valid": 3}, **LONG)


def series(rng: np.random.Generator, effect: float) -> str:
    rows = ["t,y,x,still,same"]
    for n in range(120):
        x = rng.normal()
        y = 100 + 2 * x + 15 * (n % 12 == 11) + rng.normal() + effect * (n >= 96)
        rows.append(f"{2010 + n // 12}-{n % 12 + 1:02},{y:.4f},{x:.4f},5,{3 * y + 1:.4f}")
    return "\n".join(rows)


def test_a_bayesian_series_of_months_knows_its_season(tmp_path: Path) -> None:
    body = series(np.random.default_rng(0), 4.0)
    found = ask(tmp_path, body, time="t", outcome="y", start="2018-01", covariates=["x"])
    assert found.estimate.design == "bsts"
    low, high = found.estimate.interval or (0.0, 0.0)
    assert low < 4 < high
    assert high - low < 2.5  # over 5 where December is noise


def test_covariates_that_say_nothing_or_everything(tmp_path: Path) -> None:
    body = series(np.random.default_rng(0), 4.0)
    base = {"time": "t", "outcome": "y", "start": "2018-01"}
    still = ask(tmp_path, body, covariates=["still"], **base)
    assert (still.estimate.design, still.level.number) == ("its", 1)
    for name in ("y", "same"):
        with pytest.raises(BadRequestData, match="would explain any effect away"):
            ask(tmp_path, body, covariates=[name], **base)


def test_a_copy_of_the_treated_place_is_no_donor(tmp_path: Path) -> None:
    text = panel(lambda month: month.strftime("%Y-%m"))
    copy = "".join(f"z{row[1:]}\n" for row in text.split("\n") if row.startswith("a"))
    plain, found = (ask(tmp_path, one, **LONG).document() for one in (text, text + copy))
    assert "record is that of 'a'" in found["left_out"]["z"]
    assert found["effect"] == plain["effect"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"cost": {"amount": math.inf, "currency": "EUR"}}, "the amount is a number"),
        ({"transform": "logged", "outcome": "big"}, "the logarithm of no quantity"),
        ({"transform": "log", "outcome": "below"}, "the logarithm needs values above 0"),
        ({"effect_periods": ["2016-12", "2016-08"]}, "comes after"),
    ],
)
def test_what_would_mislead_is_refused(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    rows = panel(lambda month: month.strftime("%Y-%m")).strip().split("\n")
    text = "\n".join(
        [f"{rows[0]},big,below", *(f"{row},{900 + n},-1" for n, row in enumerate(rows[1:]))]
    )
    with pytest.raises(BadRequestData) as refused:
        ask(tmp_path, text, **(LONG | more))
    assert words in refused.value.detail


def test_many_places_and_short_records_look_exchanged_by_no_accident(tmp_path: Path) -> None:
    """Two of hundreds that change places by chance are no exchanged sensors."""
    rng = np.random.default_rng(4)
    level, steps = rng.normal(6, 1.5, 400), rng.standard_t(2, (400, 6)) / 8
    values = level[:, None] + steps
    rows = [f"p{u},{2003 + t},{values[u, t]:.5f}" for u in range(400) for t in range(6)]
    treated = {f"p{u}": 2006 + u % 2 for u in range(150)}
    found = ask(
        tmp_path, "\n".join(["u,t,y", *rows]), unit="u", time="t", outcome="y", treated=treated,
    )  # fmt: skip
    checks = {one.name: one for one in found.checks}
    assert checks["sensor changes"].verdict == "passed"


def test_a_few_of_many_that_never_change_are_no_reason_to_refuse(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    values = {f"p{n}": rng.poisson(4, 8) * (n > 1) for n in range(24)}
    rows = [f"{u},{2010 + t},{y}" for u, series in values.items() for t, y in enumerate(series)]
    spec = {"unit": "u", "time": "t", "outcome": "y", "start": 2015, "assignment": "randomised"}
    body = "\n".join(["u,t,y", *rows])
    found = ask(tmp_path, body, treated=[f"p{n}" for n in range(12)], **spec)
    assert (found.estimate.design, found.level.number >= 4) == ("randomised", True)
    with pytest.raises(BadRequestData, match="'p0' reads 0 in every period"):
        ask(tmp_path, body, treated=["p0", "p1", "p5"], **spec)


def test_a_lot_over_years_with_gaps_is_that_of_the_years_that_were_seen(tmp_path: Path) -> None:
    """As in experiments that asked people in 1974, 1975 and 1978: nothing is made up between."""
    rng = np.random.default_rng(8)
    years = (1974, 1975, 1978)
    rows = [
        (f"p{n}", year, rng.normal() + 2 * (n < 10 and year == 1978))
        for n in range(20)
        for year in years
    ]
    body = "\n".join(["u,t,y", *(f"{u},{t},{y!r}" for u, t, y in rows)])
    spec = {"unit": "u", "time": "t", "outcome": "y", "start": 1978, "assignment": "randomised"}
    found = ask(tmp_path, body, treated=[f"p{n}" for n in range(10)], **spec)
    change = {
        u: y - np.mean([other for v, t, other in rows if v == u and t < 1978])
        for u, year, y in rows
        if year == 1978
    }
    ours, theirs = (np.mean([change[f"p{n}"] for n in some]) for some in (range(10), range(10, 20)))
    assert found.estimate.design == "randomised"
    assert found.estimate.effect == pytest.approx(ours - theirs)
    assert [one["period"] for one in found.document()["effects"]] == [str(one) for one in years]
