"""Panels as cities have them: encodings, decimal signs, wide tables, kinds of times, gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.recorded import needed

from rynek.base.errors import BadRequestData
from rynek.practices import Evaluation, evaluate, load_specification, parse_specification

MONTHS = [f"{2018 + n // 12}-{n % 12 + 1:02}" for n in range(40)]
WIDE = {
    "panel": "p.csv",
    "time": "měsíc",
    "treated": "Město 0ř",
    "start": "2020-05",
    "outcome": "x",
}


def wide(times: Sequence[str], separator: str = ";", point: str = ",") -> str:
    """A column for each of six places, with empty cells."""
    rng = np.random.default_rng(0)
    rows = [separator.join(["měsíc", *(f"Město {one}ř" for one in range(6)), "poznámka"])]
    for n, time in enumerate(times):
        cells = [
            "" if n * one % 17 == 5 else f"{10 + one + math.sin(n) + rng.normal():.2f}"
            for one in range(6)
        ]
        rows.append(separator.join([time, *(one.replace(".", point) for one in cells), "jen text"]))
    return "\n".join(rows)


def ask(folder: Path, body: str | bytes, document: dict[str, Any]) -> Evaluation:
    (folder / "p.csv").write_bytes(body.encode() if isinstance(body, str) else body)
    return evaluate(parse_specification({"panel": "p.csv"} | document), folder)


def test_a_wide_table_in_any_encoding_is_the_same(tmp_path: Path) -> None:
    first = ask(tmp_path, wide(MONTHS), WIDE).document()
    assert len(first["donors"]) == 5
    assert first["effects"][0]["period"] == "2018-01"
    for encoding in ("cp1250", "iso8859-2", "utf-16", "utf-8-sig"):
        assert ask(tmp_path, wide(MONTHS).encode(encoding), WIDE).document() == first, encoding
    other = ask(tmp_path, wide(MONTHS, "\t", "."), WIDE).document()
    assert other == first
    with pytest.raises(BadRequestData, match="encoding"):
        ask(tmp_path, wide(MONTHS).encode("cp1250"), WIDE | {"encoding": "utf-8"})
    with pytest.raises(BadRequestData, match="no column 'Brno'"):
        ask(tmp_path, wide(MONTHS), WIDE | {"donors": ["Brno"]})


@pytest.mark.parametrize(
    ("times", "start", "kind", "form"),
    [
        (MONTHS, "2020-05-17", "month", None),
        ([one.replace("-", "") for one in MONTHS], "2020-05", "month", None),
        ([f"{one}-01T00:00:00Z" for one in MONTHS], "2020-05", "month", None),
        ([f"1.{one[5:]}.{one[:4]}" for one in MONTHS], "2020-05", "month", None),
        ([f"01/{one[5:]}/{one[:4]}" for one in MONTHS], "2020-05", "month", "%d/%m/%Y"),
        ([f"{2011 + n // 4}-Q{n % 4 + 1}" for n in range(40)], "2018-Q1", "quarter", None),
        ([f"2020-W{n + 1:02}" for n in range(40)], "2020-W29", "week", None),
        ([f"{1980 + n}" for n in range(40)], 2008, "year", None),
        ([f"{1980 + n}-12-31" for n in range(40)], 2008, "year", None),
        ([f"2020-01-{n // 24 + 1:02}T{n % 24:02}:00" for n in range(40)],
         "2020-01-02T04:00", "hour", None),
    ],
)  # fmt: skip
def test_kinds_of_times(
    tmp_path: Path, times: list[str], start: Any, kind: str, form: str | None
) -> None:
    more = {"start": start} | ({"time_format": form} if form else {})
    found = ask(tmp_path, wide(times), WIDE | more)
    assert found.task.panel.clock.kind == kind
    assert len(found.task.panel.times) == 40
    treated = [one["period"] for one in found.document()["effects"] if one["treated"]]
    assert treated[0] == times[28]
    assert treated[-1] == times[-1]


def test_dates_that_can_be_read_two_ways_are_asked_about(tmp_path: Path) -> None:
    with pytest.raises(BadRequestData, match="time_format"):
        ask(tmp_path, wide([f"01/{one[5:]}/{one[:4]}" for one in MONTHS]), WIDE)
    text = 't;y\n1;"1,234"\n2;"2,345"\n3;"1,111"'
    one = {"time": "t", "outcome": "y", "start": 3}
    with pytest.raises(BadRequestData, match="thousands or a decimal comma"):
        ask(tmp_path, text, one)


def test_a_month_that_nobody_recorded_is_a_gap(tmp_path: Path) -> None:
    rows = ["t,y"] + [
        f"{2010 + n // 12}-{n % 12 + 1:02},{10 * math.sin(n / 6 * math.pi) + n % 3}"
        for n in range(120)
        if n not in {15, 16, 50}
    ]
    found = ask(tmp_path, "\n".join(rows), {"time": "t", "outcome": "y", "start": "2018-01"})
    assert len(found.task.panel.times) == 120
    assert found.task.panel.labels[15] == "2011-04"
    assert abs(found.estimate.effect) < 0.5


def test_readings_are_taken_together_and_rows_chosen(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = ["day,place,kind,y"]
    for day in range(60):
        for place in "abcd":
            for kind in ("no2", "pm"):
                for _ in range(2):
                    value = 10 + rng.normal() + 90 * (kind == "pm") if day % 30 else 0
                    rows.append(f"2024-{day // 30 + 1:02}-{day % 29 + 1:02},{place},{kind},{value}")
    document = {
        "unit": "place", "time": "day", "outcome": "y", "treated": "a", "start": "2024-02-10",
        "where": {"kind": "no2"},
    }  # fmt: skip
    text = "\n".join(dict.fromkeys(rows))
    with pytest.raises(BadRequestData, match=r"one is allowed.*aggregation"):
        ask(tmp_path, text, document)
    found = ask(tmp_path, text, document | {"aggregation": "mean", "missing": [0]})
    assert all(8 < one["observed"] < 12 for one in found.document()["effects"])
    weeks = ask(tmp_path, text, document | {"every": "week", "aggregation": "max"})
    assert weeks.document()["effects"][0]["period"] == "2024-W01"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"treated": {"a": 5, "b": 7}, "design": "sdid"}, "different times"),
        ({"treated": {"a": 5, "b": 7}, "design": "its"}, "different times"),
        ({"treated": ["a", "b"], "start": {"a": 5}}, "none for 'b'"),
        ({"panel": "../p.csv"}, "beside the specification"),
        ({"panel": {"file": "p.csv", "unit": "u"}}, "stands twice"),
        ({"panel": {"entity_type": "Bin", "attribute": "level", "first": "2024-01-01",
                    "last": "2024-02-01"}}, "recorded history"),
        ({"location": ["lat"]}, "latitude"),
        ({"every": "month", "time": None}, "time"),
        ({"start": "2020-01-01"}, "outside the data"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    rng = np.random.default_rng(0)
    rows = ["u,t,y"] + [f"{u},{t},{rng.normal()}" for u in "abcde" for t in range(12)]
    base = {"unit": "u", "time": "t", "outcome": "y", "treated": "a", "start": 8}
    document = {key: value for key, value in (base | more).items() if value is not None}
    with pytest.raises(BadRequestData) as refused:
        ask(tmp_path, "\n".join(rows), document)
    assert words in refused.value.detail


def test_donors_that_are_near_or_hardly_recorded_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["u,t,y,lat,lon"]
    for place, name in enumerate("abcdef"):
        for time in range(20):
            if (name == "e" and time % 3) or (name == "f" and time > 14):
                continue
            rows.append(f"{name},{time},{rng.normal() + 5},{50 + place / 100},14.4")
    found = ask(
        tmp_path,
        "\n".join(rows),
        {"unit": "u", "time": "t", "outcome": "y", "treated": "a", "start": 14,
         "location": ["lat", "lon"], "near_km": 1.5},
    ).document()  # fmt: skip
    assert found["donors"] == ["c", "d"]
    assert "1.1 km away" in found["left_out"]["b"]
    assert "missing" in found["left_out"]["e"]
    assert "ends early" in found["left_out"]["f"]


def test_grenoble_as_a_user_would_write_it() -> None:
    folder = needed("causal_urban/grenoble_lez/treated_no2_daily.csv.gz").parent
    base = {
        "panel": ["treated_no2_daily.csv.gz", "donors_no2_daily.csv.gz"],
        "unit": "station_name",
        "time": "date",
        "outcome": "no2_ug_m3",
        "treated": "Grenoble Boulevards",
        "start": "2019-05-02",
        "every": "month",
        "exclude": ["Grenoble Les Frenes"],
    }
    with pytest.raises(BadRequestData, match=r"missing = \[0\]"):
        evaluate(parse_specification(base | {"transform": "log", "every": "day"}), folder)
    raw = evaluate(parse_specification(base), folder)
    runs = next(one for one in raw.checks if one.name == "runs of equal values")
    assert runs.verdict == "failed"
    assert "reads 0 in 76" in runs.reason
    cleaned = base | {"missing": [0], "location": ["lat", "lon"], "near_km": 30}
    level = evaluate(parse_specification(cleaned | {"design": "did"}), folder).document()
    assert -8.5 < level["effect"] < -5.5
    assert level["interval"] is None
    assert "can't be told from zero at 5%" in level["sentence"]
    checks = {one["name"]: one for one in level["checks"]}
    assert checks["convex hull"]["verdict"] == "failed"
    assert checks["level against logarithm"]["verdict"] == "failed"
    assert all("km away" in why for why in list(level["left_out"].values())[1:])
    with pytest.raises(BadRequestData, match="outside the range of all donors"):
        evaluate(parse_specification(cleaned | {"design": "synthetic_control"}), folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"time_format": "%d %d"}, "is not as time_format says"),
        ({"events": "long.csv"}, r"events: long\.csv, after line 1"),
        ({"events": "head.csv"}, r"events: head\.csv, after line 0"),
        ({"events": "a\0b"}, "does not lie beside"),
        ({"panel": "a\0b"}, "does not lie beside"),
    ],
)
def test_odd_files_and_forms_are_named(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("name,date\n" + "x" * 200_000 + ",2020-05-01\n")
    (tmp_path / "head.csv").write_text("name,date," + "x" * 200_000 + "\n")
    with pytest.raises(BadRequestData, match=said):
        ask(tmp_path, wide(MONTHS), WIDE | changes)


def test_a_cell_that_is_no_number_is_named(tmp_path: Path) -> None:
    body = "t,v\n" + "\n".join(
        f"{month},{n}{'%' if n > 2 else ''}" for n, month in enumerate(MONTHS)
    )
    with pytest.raises(
        BadRequestData, match=r"column 'v' .*: row 4 has '3%'; write it as a number"
    ):
        ask(tmp_path, body, {"time": "t", "outcome": "v", "start": "2020-05"})


def test_a_key_that_is_written_wrong_is_named_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "waste.toml"
    file.write_text('panel = "p.csv"\noutcome = "y"\nstart = 1\ndesing = "did"\n')
    with pytest.raises(
        BadRequestData, match=r"waste\.toml: .*`desing` \(did you mean `design`\?\)"
    ):
        load_specification(file)


def zoned(first: date, many: int) -> list[str]:
    """Midnights of Prague, with the offset that was in force."""
    zone = ZoneInfo("Europe/Prague")
    days = (
        datetime(first.year, first.month, first.day, tzinfo=zone) + timedelta(days=n)
        for n in range(many)
    )
    return [one.isoformat() for one in days]


def test_midnights_of_a_zone_are_days_also_over_the_change_of_clocks(tmp_path: Path) -> None:
    days = zoned(date(2019, 3, 10), 40)
    plain = ask(tmp_path, wide([one[:10] for one in days]), WIDE | {"start": "2019-04-07"})
    for start in ("2019-04-07", days[28]):
        found = ask(tmp_path, wide(days), WIDE | {"start": start})
        assert found.task.panel.clock.kind == "day"
        assert found.document()["effects"] == plain.document()["effects"]
    hourly = [f"{one[:11]}{hour:02}{one[13:]}" for one in days for hour in (0, 12)]
    daily = ask(
        tmp_path, wide(hourly), WIDE | {"start": "2019-04-07", "every": "day"}
    ).task.panel.labels
    assert daily == tuple(one[:10] for one in days)


def test_every_second_month_has_six_levels(tmp_path: Path) -> None:
    months = [f"{2010 + n // 6}-{2 * (n % 6) + 1:02}" for n in range(48)]
    rng = np.random.default_rng(3)
    lines = ["month,y", *(f"{one},{rng.normal() + n % 6}" for n, one in enumerate(months))]
    asked = {"outcome": "y", "time": "month", "start": months[36], "design": "its"}
    found = ask(tmp_path, "\n".join(lines), asked).estimate
    same = ask(tmp_path, "\n".join(lines), asked | {"season": 6}).estimate
    assert found.effect == pytest.approx(same.effect)
    assert found.interval == pytest.approx(same.interval)


def test_names_are_the_same_however_their_accents_are_written(tmp_path: Path) -> None:
    body = wide(MONTHS).replace("Město 0ř", normalize("NFD", "Město 0ř"))
    rows = [one.split(";") for one in body.splitlines()]
    long = ["place;month;y"]
    for column, name in enumerate(rows[0][1:-1], 1):
        long += [f"{name};{row[0]};{row[column]}" for row in rows[1:]]
    asked = {"unit": "place", "time": "month", "outcome": "y", "start": "2020-05"}
    found = ask(tmp_path, "\n".join(long), asked | {"treated": normalize("NFC", "Město 0ř")})
    assert found.task.treated == (0,)
    from pyarrow import csv, parquet

    (tmp_path / "n.csv").write_text(
        "place,month,y\n"
        + "\n".join(f"{n}.0,{m},{n + k % 5}" for n in range(4) for k, m in enumerate(MONTHS))
    )
    parquet.write_table(csv.read_csv(tmp_path / "n.csv"), tmp_path / "n.parquet")
    document = asked | {"panel": "n.parquet", "treated": [3]}
    assert evaluate(parse_specification(document), tmp_path).task.panel.units == tuple("0123")


def test_a_predictor_of_the_time_after_is_refused(tmp_path: Path) -> None:
    lines = ["place,month,y,z"]
    for n in range(6):
        lines += [f"p{n},{m},{(n * k) % 7},{n + k % 3}" for k, m in enumerate(MONTHS)]
    asked = {
        "unit": "place", "time": "month", "outcome": "y", "treated": "p1", "start": "2020-05",
        "design": "synthetic_control", "intercept": True,
        "predictors": [{"column": "z", "periods": ["2020-01", "2020-06"]}],
    }  # fmt: skip
    with pytest.raises(BadRequestData, match="'z': 2020-06 is after the start"):
        ask(tmp_path, "\n".join(lines), asked)
