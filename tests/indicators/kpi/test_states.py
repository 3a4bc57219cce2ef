"""Time-weighting: against step-by-step sums, runs, deletions, clocks that change."""

from __future__ import annotations

import tempfile
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.history.support import HOUR, MINUTE, ListLog, change, number
from tests.indicators.kpi.support import made_history, values

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.history import History, Record
from rynek.indicators import Value, parse_period

ZONE = "Europe/Prague"
STATION = "urn:ngsi-ld:BikeHireDockingStation:x:1"
LENGTH = 47 * 60
NAMES = ["bike-stations-empty", "bikes-available", "silent-bikes", "data-age-bikes"]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1e6)


def bikes(op: str, count: int, moment: int, station: str = STATION) -> object:
    return change(
        op, station, {"availableBikeNumber": number(count, moment)}, at=moment,
        kind="BikeHireDockingStation",
    )  # fmt: skip


def computed(folder: Path, changes: list[object], period: str) -> dict[str, Value]:
    async def fill(_: History, log: ListLog) -> None:
        for one in changes:
            log.write(one)  # type: ignore[arg-type]

    return values(made_history(folder, ZONE, fill), NAMES, period, ZONE)


SERIES = st.lists(
    st.tuples(st.integers(-30, 50 * 60), st.integers(0, 2)),
    min_size=1,
    max_size=40,
    unique_by=lambda pair: pair[0],
)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(SERIES, min_size=8, max_size=12))
def test_time_weighting_is_the_sum_minute_by_minute(stations: list[list[tuple[int, int]]]) -> None:
    """Over two days with the night that has 23 hours: the period has 47."""
    start = at("2026-03-28T00:00:00")
    changes = [
        bikes("update", count, start + minute * MINUTE, f"{STATION}{place}")
        for place, readings in enumerate(stations)
        for minute, count in sorted(readings)
    ]
    with tempfile.TemporaryDirectory() as folder:
        found = computed(Path(folder) / "h", changes, "2026-03-28/2026-03-30")
    expected = [weights_of(sorted(readings)) for readings in stations]
    things = {one.id: one for one in found["bike-stations-empty"].things}
    for place, weights in enumerate(expected):
        if sum(weights):
            thing = things[f"{STATION}{place}"]
            assert thing.coverage == pytest.approx(sum(weights) / LENGTH, abs=1e-6)
            assert thing.value == pytest.approx(100 * weights[0] / sum(weights))
    total = [sum(one[count] for one in expected) for count in range(3)]
    coverage = sum(total) / (LENGTH * sum(any(one) for one in expected))
    assert found["bike-stations-empty"].coverage == pytest.approx(coverage, abs=1e-6)
    if coverage < 0.75:
        assert found["bikes-available"].value is None
    else:
        mean = (total[1] + 2 * total[2]) / sum(total)
        assert found["bikes-available"].value == pytest.approx(mean)


def weights_of(readings: list[tuple[int, int]]) -> list[float]:
    """For how many minutes a station had 0, 1 and 2 bikes."""
    gaps = sorted(after - before for (before, _), (after, _) in pairwise(readings))
    longest = max(60.0, median(gaps) * 1.1 if len(gaps) >= 3 else 0.0)
    weights = [0.0, 0.0, 0.0]
    for place, (minute, count) in enumerate(readings):
        after = readings[place + 1][0] if place + 1 < len(readings) else 1e9
        weights[count] += max(min(after, minute + longest, LENGTH) - max(minute, 0), 0)
    return weights


def test_an_unchanged_value_counts_as_seen(tmp_path: Path) -> None:
    """It makes no row, but the run says when it was seen last: so also in the newest run."""
    start = at("2026-03-02T00:00:00")
    changes = [bikes("update", 0, start)]
    changes += [bikes("observe", 0, start + n * 30 * MINUTE) for n in range(1, 24)]
    changes += [bikes("update", 4, start + 12 * HOUR)]
    changes += [bikes("observe", 4, start + n * 30 * MINUTE) for n in range(25, 48)]
    found = computed(tmp_path / "h", changes, "2026-03-02")
    assert found["bike-stations-empty"].coverage == pytest.approx(1)
    assert found["bike-stations-empty"].value == pytest.approx(50)
    assert found["bike-stations-empty"].readings == 2
    assert found["data-age-bikes"].value == pytest.approx(15, abs=0.1)
    assert found["silent-bikes"].value == 0


def test_a_dead_station_does_not_decide_how_old_the_data_are(tmp_path: Path) -> None:
    start = at("2026-03-02T00:00:00")
    changes = [bikes("update", 1, start - 20 * 24 * HOUR, f"{STATION}dead")]
    for place, minutes in (("a", 10), ("b", 30), ("c", 60), ("d", 20)):
        times = range(0, 24 * 60, minutes)
        changes += [bikes("update", m % 7, start + m * MINUTE, STATION + place) for m in times]
    found = computed(tmp_path / "h", changes, "2026-03-02")["data-age-bikes"]
    # On average half of 10, 20, 30 and 60 minutes, and 20.5 days: the one in the middle is 15.
    assert found.value == pytest.approx(15, abs=0.1)
    assert max(one.value or 0 for one in found.things) == pytest.approx(20.5 * 24 * 60)


def test_a_gap_is_not_filled_and_a_day_without_news_is_silent(tmp_path: Path) -> None:
    start = at("2026-03-02T00:00:00")
    moments = [start + n * 10 * MINUTE for n in range(6 * 24 * 4)]
    away = (start + 24 * HOUR, start + 48 * HOUR)
    changes = [
        bikes("update", n % 2, moment)
        for n, moment in enumerate(moments)
        if not away[0] <= moment < away[1]
    ]
    found = computed(tmp_path / "h", changes, "2026-03-02/2026-03-06")
    # The last value before the gap holds for an hour.
    assert found["bike-stations-empty"].coverage == pytest.approx((3 * 24 + 50 / 60) / 96)
    assert found["silent-bikes"].value == pytest.approx(25)


def test_what_was_deleted_is_not_expected(tmp_path: Path) -> None:
    start = at("2026-03-02T00:00:00")
    changes = [bikes("update", n % 2, start + n * 10 * MINUTE) for n in range(6 * 24)]
    gone = start + 24 * HOUR
    changes.append(change("delete", STATION, {}, at=gone, kind="BikeHireDockingStation"))
    found = computed(tmp_path / "h", changes, "2026-03-02/2026-03-06")
    assert found["bike-stations-empty"].coverage == pytest.approx(1)
    assert found["bike-stations-empty"].value == pytest.approx(50)
    assert found["silent-bikes"].value == 0


def test_a_state_in_words_has_its_share_of_time(tmp_path: Path) -> None:
    start = at("2026-03-02T00:00:00")

    async def fill(_: History, log: ListLog) -> None:
        for half in range(48):
            word = "outOfService" if half < 12 else "working"
            log.write(
                change(
                    "update", STATION, {"status": number(word, start + half * 30 * MINUTE)},
                    at=start + half * 30 * MINUTE, kind="BikeHireDockingStation",
                )
            )  # fmt: skip

    folder = made_history(tmp_path / "h", ZONE, fill)
    found = values(folder, ["bike-stations-closed"], "2026-03-02", ZONE)
    assert found["bike-stations-closed"].value == pytest.approx(25)


def test_the_present_month_is_counted_up_to_now(tmp_path: Path) -> None:
    start = at("2026-03-01T00:00:00")

    async def fill(_: History, log: ListLog) -> None:
        for n in range(48):
            log.write(bikes("update", n % 2, start + n * 30 * MINUTE))  # type: ignore[arg-type]

    folder = made_history(tmp_path / "h", ZONE, fill)
    found = values(folder, NAMES, "2026-03", ZONE, start + 24 * HOUR)
    assert found["bike-stations-empty"].coverage == pytest.approx(1)
    assert found["bike-stations-empty"].period.end == start + 24 * HOUR


def test_periods_are_the_city_s() -> None:
    month = parse_period("2026-03", ZONE)
    assert (month.end - month.start) / HOUR == 31 * 24 - 1
    assert (parse_period("2026-10-25", ZONE).end - parse_period("2026-10-25", ZONE).start) == (
        25 * HOUR
    )
    week = parse_period("2026-W01", ZONE)
    assert week.start == at("2025-12-29T00:00:00")
    for wrong in ("2026-13", "2026-02-30", "x", "2026-W54", "2026-03-02/2026-03-01", "0001", "/"):
        with pytest.raises(BadRequestData):
            parse_period(wrong, ZONE)


def test_no_history_is_said(tmp_path: Path) -> None:
    with pytest.raises(ResourceNotFound):
        Record(tmp_path)
