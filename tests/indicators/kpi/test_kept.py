"""Days that are kept: the same figures, from no more readings than those that are new."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from tests.history.support import MINUTE, ListLog, change, iri, number
from tests.indicators.kpi.support import FAR, made_history

from rynek.base.sqlite import connect
from rynek.context import Instance
from rynek.history import History, Record, Selection
from rynek.indicators import (
    KEPT_FILE,
    KeptDays,
    Value,
    compute_indicator_trend,
    compute_indicators,
    find_definition,
    parse_period,
)

Given = dict[str, Instance | list[Instance]]
ZONE = "Europe/Prague"
DAY = 24 * 60 * MINUTE
NAMES = [
    "bike-stations-empty", "bikes-available", "bike-stations-closed", "silent-bikes",
    "data-age-bikes", "no2-hours-over-200", "no2-mean",
]  # fmt: skip
STATION = "urn:ngsi-ld:BikeHireDockingStation:x:"
SENSOR = "urn:ngsi-ld:AirQualityObserved:x:1"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1e6)


START = at("2026-03-26T00:00:00")
WEEK = "2026-03-27/2026-04-01"


class Counting(Record):
    """A record that notes of which time it was asked."""

    spans: list[tuple[int, int]]

    def bulk(self, select: Selection) -> pa.Table:
        self.spans.append((select.start or 0, select.end or 0))
        return super().bulk(select)


def asked(
    folder: Path, periods: Sequence[str], kept: KeptDays | None = None, now: int = FAR
) -> tuple[list[Value], list[tuple[int, int]]]:
    wanted = [find_definition(name) for name in NAMES]
    spans = [parse_period(period, ZONE) for period in periods]
    with Counting(folder) as record:
        record.spans = []
        found = list(compute_indicator_trend(record, wanted, spans, now, kept=kept))
        return found, record.spans


def figures(found: Sequence[Value]) -> list[tuple[Any, ...]]:
    """What two computations of the same must agree in, whatever the order of their sums."""
    return [
        (
            one.definition.id, one.period.label, one.status, one.why, one.readings, one.first,
            one.last, rounded(one.value), rounded(one.coverage), rounded(one.standard_error),
            [(thing.id, rounded(thing.value), thing.readings) for thing in one.things],
        )
        for one in found
    ]  # fmt: skip


def rounded(figure: float | None) -> float | None:
    return None if figure is None else float(f"{figure:.9g}")


async def week(_: History, log: ListLog) -> None:
    """Stations and a sensor for six days, with nights of silence and a value that stays."""
    for half in range(2 * 24 * 6):
        moment = START + half * 30 * MINUTE
        for place in range(3):
            if (half + place) % 48 > 12:
                log.write(bikes((half * 7 + place) % 3, moment + place * MINUTE, str(place)))
        log.write(bikes(1, moment, "still", "observe" if half else "update"))
        level: Given = {"no2": number(150 + half % 100, moment, unit_code="GQ")}
        log.write(change("update", SENSOR, level, at=moment, kind="AirQualityObserved"))


def bikes(count: int, moment: int, name: str, op: str = "update") -> Any:
    value: Given = {"availableBikeNumber": number(count, moment)}
    return change(op, STATION + name, value, at=moment, kind="BikeHireDockingStation")


def test_kept_days_give_the_same_and_only_what_changed_is_read(tmp_path: Path) -> None:
    folder = made_history(tmp_path / "history", ZONE, week)
    plain, read = asked(folder, [WEEK])
    assert {one.status for one in plain} >= {"ok"}
    assert read
    with KeptDays(tmp_path) as kept:
        assert figures(asked(folder, [WEEK], kept)[0]) == figures(plain)
    with KeptDays(tmp_path) as kept:
        again, read = asked(folder, [WEEK], kept)
    assert figures(again) == figures(plain)
    assert read == []

    late = at("2026-03-28T05:20:00")

    async def more(history: History, _: ListLog) -> None:
        rows = {
            "entity_id": [f"{STATION}1"], "type": ["BikeHireDockingStation"],
            "attr": ["availableBikeNumber"], "kind": ["Property"], "number": [0.0],
            "observed_at": pa.array([late], pa.timestamp("us", tz="UTC")),
        }  # fmt: skip
        await history.sink.append("late", [pa.record_batch(rows)], iri)

    made_history(folder, ZONE, more)
    with KeptDays(tmp_path) as kept:
        corrected, read = asked(folder, [WEEK], kept)
    assert read
    assert all(start <= late < end and end - start <= 2 * DAY for start, end in read)
    assert figures(corrected) == figures(asked(folder, [WEEK])[0])
    assert figures(corrected) != figures(plain)


def test_what_is_deleted_from_the_past_leaves_the_kept_days(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    before: list[Value] = []

    async def bury(history: History, log: ListLog) -> None:
        await week(history, log)
        await history.flush()
        with KeptDays(tmp_path) as kept:
            before.extend((await asyncio.to_thread(asked, folder, [WEEK], kept))[0])
        await history.edit.delete(f"{STATION}2", None, now=START + 20 * DAY)

    made_history(folder, ZONE, bury)
    with KeptDays(tmp_path) as kept:
        after = asked(folder, [WEEK], kept)[0]
    assert figures(after) == figures(asked(folder, [WEEK])[0])
    assert f"{STATION}2" in {thing.id for thing in before[0].things}
    assert f"{STATION}2" not in {thing.id for thing in after[0].things}


def test_a_trend_is_its_periods(tmp_path: Path) -> None:
    folder = made_history(tmp_path / "history", ZONE, week)
    days = [f"2026-03-{day}" for day in range(27, 32)]
    now = at("2026-03-31T13:17:00")
    with KeptDays(tmp_path) as kept:
        trend = asked(folder, days, kept, now)[0]
        one_by_one = [asked(folder, [day], None, now)[0] for day in days]
    expected = [found[place] for place in range(len(NAMES)) for found in one_by_one]
    assert figures(trend) == figures(expected)


def test_a_trend_may_begin_long_before_the_history(tmp_path: Path) -> None:
    folder = made_history(tmp_path / "history", ZONE, week)
    with KeptDays(tmp_path) as kept:
        found = asked(folder, ["1960", "2019-05", WEEK], kept)[0]
    early = [one for one in found if one.period.label != WEEK]
    assert early
    assert all(one.value is None and not one.things for one in early)
    assert figures(found)[2::3] == figures(asked(folder, [WEEK])[0])


def test_a_file_that_cannot_be_used_costs_nothing_but_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = made_history(tmp_path / "history", ZONE, week)
    plain = asked(folder, ["2026-03-28"])[0]
    with KeptDays(tmp_path) as kept:
        asked(folder, ["2026-03-28"], kept)
        assert kept.drop() > 0
        assert kept.drop() == 0
        asked(folder, ["2026-03-28"], kept)
    database = connect(tmp_path / KEPT_FILE)
    database.execute("UPDATE block SET body = x'00'")
    database.close()
    with KeptDays(tmp_path) as kept:
        assert figures(asked(folder, ["2026-03-28"], kept)[0]) == figures(plain)
    (tmp_path / KEPT_FILE).write_bytes(b"no database" * 1000)
    with KeptDays(tmp_path) as kept:
        assert figures(asked(folder, ["2026-03-28"], kept)[0]) == figures(plain)
    assert "is not used" in caplog.text


def test_the_age_is_that_of_the_attribute_seen_most(tmp_path: Path) -> None:
    async def fill(_: History, log: ListLog) -> None:
        for ten in range(6 * 48):
            log.write(bikes(ten % 5, START + ten * 10 * MINUTE, "a"))
        for day in range(2):
            moment = START + day * DAY
            slow: Given = {"status": number("working" if day else "closed", moment)}
            log.write(
                change("update", f"{STATION}a", slow, at=moment, kind="BikeHireDockingStation")
            )

    folder = made_history(tmp_path / "history", ZONE, fill)
    with Record(folder) as record:
        wanted = [find_definition("data-age-bikes")]
        period = parse_period("2026-03-27", ZONE)
        (found,) = compute_indicators(record, wanted, period, FAR)
    assert found.value == pytest.approx(5, abs=0.1)


def test_two_at_once_keep_the_same(tmp_path: Path) -> None:
    folder = made_history(tmp_path / "history", ZONE, week)

    async def both() -> tuple[list[Value], list[Value]]:
        def one() -> list[Value]:
            with KeptDays(tmp_path) as kept:
                return asked(folder, [WEEK], kept)[0]

        return await asyncio.gather(asyncio.to_thread(one), asyncio.to_thread(one))

    first, second = asyncio.run(both())
    assert figures(first) == figures(second)
    with KeptDays(tmp_path) as kept:
        found, read = asked(folder, [WEEK], kept)
    assert (figures(found), read) == (figures(first), [])


def test_an_age_is_not_observed_before_anybody_looked(tmp_path: Path) -> None:
    """Stations tell when they reported last: that may be long before the service began."""
    began = START + DAY + 18 * 60 * MINUTE
    before = (26 * 60, 30, 20, 10, 5)

    async def fill(_: History, log: ListLog) -> None:
        for place, minutes in enumerate(before):
            log.write(bikes(1, began - minutes * MINUTE, f"{place}"))
        for ten in range(1, 37):
            for place in range(1, len(before)):
                log.write(bikes(ten % 5, began + ten * 10 * MINUTE, f"{place}"))

    folder = made_history(tmp_path / "history", ZONE, fill)
    wanted = [find_definition("data-age-bikes")]
    now = began + 6 * 60 * MINUTE
    with Record(folder) as record:
        day, hours = (
            next(iter(compute_indicators(record, wanted, parse_period(label, ZONE), now)))
            for label in ("2026-03-27", "2026-03-27T18:00:00Z/2026-03-27T20:00:00Z")
        )
    # Of 24 hours six, and up to 20 minutes before: half of the stations had told of them.
    assert day.status == "not enough data"
    assert day.coverage == pytest.approx((6 + (20 + 20 + 20 + 10 + 5) / 5 / 60) / 24)
    assert "26.0% of the period was observed" in str(day.why)
    assert (hours.status, hours.coverage) == ("ok", 1.0)
