"""Indicators of real recordings against plain computations from the files themselves."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from tests.indicators.kpi.support import recorded_history, values
from tests.recorded import needed

PRAGUE, LONDON = ZoneInfo("Europe/Prague"), ZoneInfo("Europe/London")
HOUR = timedelta(hours=1)
Series = list[tuple[datetime, float]]


def held(
    series: dict[str, Series], start: datetime, end: datetime, longest: timedelta
) -> Iterable[tuple[float, float]]:
    """Each value and the seconds for which it held in [start, end), step by step."""
    for rows in series.values():
        rows.sort(key=lambda row: row[0])
        for (at, number), after in zip(rows, [*rows[1:], (None, 0.0)], strict=True):
            until = at + longest if after[0] is None else min(after[0], at + longest)
            seconds = (min(until, end) - max(at, start)).total_seconds()
            if seconds > 0:
                yield number, seconds


def test_bikes_of_pardubice(tmp_path: Path) -> None:
    paths = [needed(f"bikeshare/pardubice/2022-{month}.csv.gz") for month in (10, 11)]
    history = recorded_history(tmp_path / "h", paths, "pardubice_bikes", "Europe/Prague")
    names = [
        "bikes-available", "bike-stations-empty", "silent-bikes", "data-age-bikes",
        "bike-rebalancing", "bike-rebalanced", "bikes-taken",
    ]  # fmt: skip
    found = values(history, names, "2022-11", "Europe/Prague")

    series: dict[str, Series] = defaultdict(list)
    for path in paths:
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                at = datetime.fromisoformat(row["dt"]).replace(tzinfo=PRAGUE).astimezone(UTC)
                series[row["uid"]].append((at, float(row["bikes_available_to_rent"])))
    start = datetime(2022, 11, 1, tzinfo=PRAGUE).astimezone(UTC)
    end = datetime(2022, 12, 1, tzinfo=PRAGUE).astimezone(UTC)
    parts = list(held(series, start, end, HOUR))
    observed = sum(seconds for _, seconds in parts)
    empty = sum(seconds for number, seconds in parts if number == 0)
    bikes = sum(number * seconds for number, seconds in parts)

    assert found["bike-stations-empty"].value == pytest.approx(100 * empty / observed)
    assert found["bikes-available"].value == pytest.approx(bikes / observed)
    expected = len(series) * (end - start).total_seconds()
    assert found["bike-stations-empty"].coverage == pytest.approx(observed / expected)
    assert found["bike-stations-empty"].readings == sum(
        start <= at < end for rows in series.values() for at in {at for at, _ in rows}
    )
    ages = []
    for rows in series.values():
        age = known = 0.0
        for (at, _), (after, _) in zip(rows, [*rows[1:], (end, 0.0)], strict=True):
            low, high = max(at, start), min(after, end)
            if high > low:
                late, early = (high - at).total_seconds(), (low - at).total_seconds()
                age += (late**2 - early**2) / 2
                known += late - early
        ages.append(age / known / 60)
    assert found["data-age-bikes"].value == pytest.approx(median(ages))
    days = {(uid, at.astimezone(PRAGUE).date()) for uid, rows in series.items() for at, _ in rows}
    november = [day for day in days if day[1].month == 11]
    silent = 1 - len(november) / (30 * len(series))
    assert found["silent-bikes"].value == pytest.approx(100 * silent)
    steps = [
        after - before
        for rows in series.values()
        for (earlier, before), (at, after) in pairwise(rows)
        if start <= at < end and at - earlier <= HOUR
    ]
    jumps = [abs(step) for step in steps if abs(step) >= 4]
    assert 20 < len(jumps) < len(steps) / 20
    weeks = observed / (7 * 86_400)
    assert found["bike-rebalancing"].value == pytest.approx(len(jumps) / weeks)
    moved = sum(abs(step) for step in steps)
    assert found["bike-rebalanced"].value == pytest.approx(100 * sum(jumps) / moved)
    taken = sum(-step for step in steps if -4 < step < 0)
    assert found["bikes-taken"].value == pytest.approx(taken / (7 * weeks))


def test_car_parks_of_dresden(tmp_path: Path) -> None:
    """Free spaces by the hour, of May 2023; nothing is written where nothing changed, so a value
    holds for 1.1 times the usual interval of its car park."""
    path = tmp_path / "may.csv"
    with gzip.open(needed("parking/dresden/free_spaces_hourly_2023.csv.gz"), "rt") as file:
        lines = [line for n, line in enumerate(file) if not n or line.startswith("2023-05")]
    path.write_text("".join(lines))
    history = recorded_history(tmp_path / "h", [path], "dresden_free_spaces", "Europe/Berlin")
    found = values(history, ["parking-garage-full"], "2023-05", "Europe/Berlin")

    series: dict[str, Series] = defaultdict(list)
    for row in csv.DictReader(lines):
        at = datetime.fromisoformat(row.pop("hour_utc"))
        for name, cell in row.items():
            if cell and 0 <= float(cell) <= 4000:
                series[name].append((at, float(cell)))
    zone = ZoneInfo("Europe/Berlin")
    start, end = (datetime(2023, month, 1, tzinfo=zone).astimezone(UTC) for month in (5, 6))
    full = observed = expected = 0.0
    for name, rows in series.items():
        gaps = [(later - earlier).total_seconds() for (earlier, _), (later, _) in pairwise(rows)]
        usual = max(HOUR, timedelta(seconds=median(gaps) * 1.1)) if len(gaps) >= 3 else HOUR
        parts = list(held({name: rows}, start, end, usual))
        observed += sum(seconds for _, seconds in parts)
        full += sum(seconds for number, seconds in parts if number == 0)
        expected += (end - start).total_seconds() if parts else 0.0
    one = found["parking-garage-full"]
    assert one.coverage == pytest.approx(observed / expected)
    assert one.value == pytest.approx(100 * full / observed)
    assert one.status == "ok"
    assert one.value is not None
    assert one.interval is not None
    assert one.interval[0] < one.value < one.interval[1]
    assert len(one.things) == len(series)


def test_what_was_not_recorded_gives_no_number(tmp_path: Path) -> None:
    paths = [needed("bikeshare/pardubice/2022-11.csv.gz")]
    history = recorded_history(tmp_path / "h", paths, "pardubice_bikes", "Europe/Prague")
    names = ["bike-stations-empty", "bike-stations-full", "no2-mean"]
    found = values(history, names, "2022-Q4", "Europe/Prague")
    for one in found.values():
        assert (one.status, one.value, one.interval) == ("not enough data", None, None)
    assert "of the period was observed, 75% is needed" in str(found["bike-stations-empty"].why)
    assert str(found["bike-stations-full"].why) == "nothing was observed in the period"


def test_nitrogen_dioxide_of_london(tmp_path: Path) -> None:
    path = needed("air_quality/london_marylebone_daily_1997-2018.csv.gz")
    history = recorded_history(tmp_path / "h", [path], "london_air", "Europe/London")
    names = ["no2-mean", "no2-days-over-50", "no2-hours-over-200", "silent-air"]
    with gzip.open(path, "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["variable"] == "no2"]
    for year in (2010, 2015):
        found = values(history, names, str(year), "Europe/London")
        days = {
            date.fromisoformat(row["date"]): float(row["value"])
            for row in rows
            if row["date"].startswith(f"{year}-") and row["value"] not in {"", "NA"}
        }
        assert found["no2-days-over-50"].value == sum(one > 50 for one in days.values())
        assert found["no2-days-over-50"].coverage == pytest.approx(len(days) / 365, abs=0.0005)
        # Daily means say nothing of hours.
        assert found["no2-hours-over-200"].status == "not enough data"
        assert found["no2-hours-over-200"].coverage < 0.05
        lengths, total = 0.0, 0.0
        for day, number in days.items():
            midnights = [
                datetime(one.year, one.month, one.day, tzinfo=LONDON).astimezone(UTC)
                for one in (day, day + timedelta(days=1))
            ]
            length = (midnights[1] - midnights[0]).total_seconds()
            # After the last day before a gap it holds for a tenth of its interval longer.
            if day + timedelta(days=1) not in days and day < date(year, 12, 31):
                length *= 1.1
            lengths, total = lengths + length, total + number * length
        assert found["no2-mean"].value == pytest.approx(total / lengths, rel=1e-4)


def test_bins_of_praha(tmp_path: Path) -> None:
    path = needed("waste/praha_kasparovo_namesti_fill_level_2026-03-29_04-02.csv")
    history = recorded_history(tmp_path / "h", [path], "praha_fill_level", "Europe/Prague")
    names = ["bins-over-80", "bin-emptyings", "bin-fill-at-emptying", "silent-bins"]
    found = values(history, names, "2026-03-30/2026-04-02", "Europe/Prague")

    series: dict[str, Series] = defaultdict(list)
    emptied: dict[str, set[str]] = defaultdict(set)
    with path.open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["measured_at_utc"])
            series[row["kontejner_id"]].append((at, float(row["zaplneni_pct"])))
            emptied[row["kontejner_id"]].add(row["posledni_svoz_utc"])
    start = datetime(2026, 3, 30, tzinfo=PRAGUE).astimezone(UTC)
    end = datetime(2026, 4, 2, tzinfo=PRAGUE).astimezone(UTC)
    parts = list(held(series, start, end, timedelta(days=1)))
    over = sum(seconds for level, seconds in parts if level > 80)
    observed = sum(seconds for _, seconds in parts)
    assert found["bins-over-80"].value == pytest.approx(100 * over / observed)
    falls = [
        (before, at)
        for rows in series.values()
        for (_, before), (at, level) in pairwise(rows)
        if before - level >= 30 and start <= at < end
    ]
    weeks = observed / (7 * 86_400)
    assert found["bin-emptyings"].value == pytest.approx(len(falls) / weeks)
    levels = [before for before, _ in falls]
    assert found["bin-fill-at-emptying"].value == pytest.approx(sum(levels) / len(levels))
    # The source says itself when it emptied: as often, in those days.
    told = {
        (bin_id, moment)
        for bin_id, moments in emptied.items()
        for moment in moments
        if start <= datetime.fromisoformat(moment) < end
    }
    assert len(told) == len(falls)
    assert found["silent-bins"].value == 0


def test_street_parking_of_praha_by_month(tmp_path: Path) -> None:
    path = needed("parking/praha/P18_parked_cars_monthly.tar.gz")
    history = recorded_history(tmp_path / "h", [path], "praha_parked_cars", "Europe/Prague")
    found = values(history, ["parking-street-occupancy"], "2022", "Europe/Prague")
    one = found["parking-street-occupancy"]
    assert one.status == "ok"
    assert one.coverage > 0.99
    # Monthly values say nothing of how days differ.
    assert one.standard_error is None
    assert one.value is not None
    assert 20 < one.value < 100
