"""What checks see: neighbours, events, sensors, several outcomes, seasons."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rynek.base.errors import BadRequestData
from rynek.practices import (
    DESIGNS,
    Check,
    Evaluation,
    Panel,
    evaluate,
    holm,
    parse_specification,
    task_of,
)
from rynek.practices.checks.donors import leave_one_out
from rynek.practices.checks.events import coincident
from rynek.practices.estimate import Case

Rows = NDArray[np.float64]
START, TIMES = 30, 50


def made(units: int = 24, effect: float = 6.0, seed: int = 4) -> Rows:
    """(units × times) of a common movement; the first has an effect from START on."""
    rng = np.random.default_rng(seed)
    rows = 60 + np.cumsum(rng.normal(size=TIMES)) + rng.normal(size=(units, TIMES))
    rows += 3 * np.arange(units)[:, None] % 17
    rows[0, START:] += effect
    return rows


def ask(folder: Path, rows: Rows, form: str = ".2f", **more: Any) -> Evaluation:
    """Places u0 … on a line, a kilometre from each other."""
    lines = ["u,t,y,z,lat,lon"]
    for unit, row in enumerate(rows):
        for time, value in enumerate(row):
            told = f"{value:{form}}" if unit == 0 and time >= START else f"{value:.2f}"
            lines.append(f"u{unit},{time},{told},{(unit * time) % 7},{50 + unit / 111.2},14")
    (folder / "p.csv").write_text("\n".join(lines))
    document = {
        "panel": "p.csv", "unit": "u", "time": "t", "outcome": "y", "treated": "u0",
        "start": START, "design": "did",
    }  # fmt: skip
    return evaluate(parse_specification(document | more), folder)


def check(found: Evaluation, name: str) -> Check:
    return next(one for one in found.checks if one.name == name)


def test_neighbours_that_moved_too_are_told(tmp_path: Path) -> None:
    rows = made()
    quiet = check(ask(tmp_path, rows, neighbours=["u1"]), "spill-over to neighbours")
    assert quiet.verdict == "passed"
    rows[1, START:] += 5
    found = ask(tmp_path, rows, neighbours=["u1"])
    assert "u1" in found.task.left_out
    assert check(found, "spill-over to neighbours").verdict == "failed"
    near = ask(tmp_path, rows, location=["lat", "lon"], near_km=1.5)
    assert "1.0 km away" in str(near.task.left_out["u1"])
    told = check(near, "spill-over to neighbours")
    assert told.verdict == "failed"
    assert told.figures["effect at u1"] == pytest.approx(5, abs=1)
    assert "effect without the nearest third" in told.figures
    assert check(ask(tmp_path, rows), "spill-over to neighbours").verdict == "not applicable"


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        ({"name": "flood", "date": 35}, "passed"),
        ({"name": "works", "date": 35, "units": ["u0"]}, "failed"),
        ({"name": "works", "date": 28, "units": ["u0", "u1"]}, "failed"),
        ({"name": "strike", "date": 35, "units": ["u3"]}, "failed"),
        ({"name": "long ago", "date": 3, "units": ["u0"]}, "passed"),
        ({"name": "long", "date": 3, "until": 31, "units": ["u0"]}, "failed"),
    ],
)
def test_events_at_the_same_time(tmp_path: Path, event: dict[str, Any], verdict: str) -> None:
    found = check(ask(tmp_path, made(), events=[event]), "coincident events")
    assert found.verdict == verdict, found.reason


def test_events_of_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = ["t,y"] + [f"{2015 + n // 12}-{n % 12 + 1:02},{rng.normal() + 9}" for n in range(72)]
    (tmp_path / "p.csv").write_text("\n".join(rows))
    (tmp_path / "e.csv").write_text("date;name;units\n2019-04-02;Nová linka;\n")
    (tmp_path / "e.ics").write_text(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Nová\r\n  linka\r\n"
        "DTSTART;VALUE=DATE:20190402\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    base = {"panel": "p.csv", "time": "t", "outcome": "y", "start": "2019-01"}
    for file in ("e.csv", "e.ics"):
        found = evaluate(parse_specification(base | {"events": file}), tmp_path)
        told = check(found, "coincident events")
        assert told.verdict == "failed"
        assert "Nová linka" in told.reason
        assert found.level.number == 1
    for file in ("none.csv", "../e.csv", "p.csv"):
        with pytest.raises(BadRequestData, match="events"):
            evaluate(parse_specification(base | {"events": file}), tmp_path)


def swapped(rows: Rows) -> None:
    rows[0] += 25
    rows[[0, 5], START:] = rows[[5, 0], START:]


def other_unit(rows: Rows) -> None:
    rows[0, START:] *= 1000


def noisy(rows: Rows) -> None:
    rows[0, START:] += 15 * np.random.default_rng(0).normal(size=TIMES - START)


def moved(rows: Rows) -> None:
    rows[0, 12:] += 30


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (swapped, "look exchanged"),
        (other_unit, "another unit of measurement"),
        (noisy, "varies"),
        (moved, "jumps by"),
    ],
)
def test_a_changed_sensor_leaves_a_sign(
    tmp_path: Path, spoil: Callable[[Rows], None], words: str
) -> None:
    rows = made()
    assert check(ask(tmp_path, rows), "sensor changes").verdict == "passed"
    spoil(rows)
    found = ask(tmp_path, rows)
    told = check(found, "sensor changes")
    assert told.verdict == "failed"
    assert words in " ".join(told.figures["signs"])
    assert "sensor changes" in found.level.reason


def test_coarser_steps_and_the_log_of_sensors(tmp_path: Path) -> None:
    told = check(ask(tmp_path, made(), form=".0f"), "sensor changes")
    assert "written in steps of 0.01 before the start and of 1 from it on" in told.reason
    log = [{"unit": "u0", "date": 40, "what": "calibrated"}]
    told = check(ask(tmp_path, made(), sensor_changes=log), "sensor changes")
    assert told.verdict == "failed"
    assert "calibrated" in told.reason
    clean = check(ask(tmp_path, made(), sensor_changes=[]), "sensor changes")
    assert clean.verdict == "passed"
    assert "the log names no change" in clean.reason
    with pytest.raises(BadRequestData, match="no unit 'u99'"):
        ask(tmp_path, made(), sensor_changes=[{"unit": "u99", "date": 40}])


def test_zeros_of_places_that_are_not_compared_do_not_forbid_logarithms(tmp_path: Path) -> None:
    rows = made()
    rows[7, 3:6] = 0
    told = check(ask(tmp_path, rows), "level against logarithm")
    assert told.verdict == "not applicable"
    assert check(ask(tmp_path, rows, exclude=["u7"]), told.name).verdict == "passed"


def many(**more: Any) -> Case:
    """A difference in differences with 240 places to compare with."""
    names = tuple(f"u{one}" for one in range(241))
    labels = tuple(map(str, range(TIMES)))
    panel = Panel(names, np.arange(TIMES, dtype=np.float64), labels, {"y": made(units=241)})
    told = {"panel": "", "outcome": "y", "treated": "u0", "start": START, "unit": "u", "time": "t"}
    task, design = task_of(parse_specification(told | more), panel), DESIGNS["did"]
    return Case(task, design, design.estimate(task))


def test_of_very_many_donors_the_heaviest_are_left_out() -> None:
    found = leave_one_out(many())
    assert found.verdict == "passed"
    assert found.figures["smallest"] < found.figures["largest"]


def test_an_event_in_many_donors_that_weigh_little_is_told() -> None:
    some = [f"u{one}" for one in range(1, 41)]
    for units, verdict in ((some, "failed"), (some[:1], "passed")):
        event = {"name": "strike", "date": 35, "units": units}
        assert coincident(many(events=[event])).verdict == verdict


def test_gaps_around_a_later_start_count_as_well(tmp_path: Path) -> None:
    rows = made()
    rows[1, 36:42] = np.nan
    starts: dict[str, Any] = {
        "treated": {"u0": 15, "u1": 39},
        "start": None,
        "design": "event_study",
    }
    told = check(ask(tmp_path, rows, **starts), "missing values")
    assert told.verdict == "failed"
    assert told.figures["around_the_start"] == pytest.approx(6 / 20)


def test_several_outcomes_are_judged_together(tmp_path: Path) -> None:
    found = ask(tmp_path, made(), outcomes=["z", "y"])
    told = check(found, "multiple outcomes")
    assert set(told.figures["effects"]) == {"y", "z"}
    assert found.estimate.p_value == pytest.approx(1 / 24)
    assert told.verdict == "failed"  # 1/24 is under 5 %, twice that is not
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )


def test_one_series_needs_years_to_know_its_season(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = ["t,y"]
    for n in range(72):
        value = 10 * math.sin(n / 6 * math.pi) + rng.normal()
        rows.append(f"{2015 + n // 12}-{n % 12 + 1:02},{value}")
    (tmp_path / "p.csv").write_text("\n".join(rows))
    base = {"panel": "p.csv", "time": "t", "outcome": "y"}
    for start, verdict in (("2016-06", "failed"), ("2019-01", "passed")):
        found = evaluate(parse_specification(base | {"start": start}), tmp_path)
        assert check(found, "season").verdict == verdict
