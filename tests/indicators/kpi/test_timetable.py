"""Departures by a timetable: delays that nobody told, headways as they were planned."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from tests.history.support import MINUTE, ListLog, change, number
from tests.indicators.kpi.replayed import replayed_history
from tests.indicators.kpi.support import made_history, values
from tests.indicators.kpi.test_departures import DELAYS, HEADWAYS, WARSAW, assert_delays, messages
from tests.recorded import needed

from rynek.context import Instance
from rynek.history import History, ParquetReference

DAY = date(2026, 3, 10)
EPOCH = date(1970, 1, 1)
STOPS = ("a", "b", "c")


def scheduled(path: Path) -> dict[tuple[str, str], list[int]]:
    """The arrivals (s) of each trip at each stop, read from the published file itself."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    with zipfile.ZipFile(path) as archive:
        text = archive.read("stop_times.txt").decode("utf-8-sig")
    for row in csv.DictReader(io.StringIO(text)):
        hours, minutes, seconds = map(int, row["arrival_time"].split(":"))
        found[row["trip_id"], row["stop_id"]].append(hours * 3600 + minutes * 60 + seconds)
    return found


def test_a_recording_that_tells_times_alone_has_the_delays_of_the_timetable(tmp_path: Path) -> None:
    """Koleje Dolnośląskie, 14 April 2023, with each delay put in as a time: what most feeds send."""
    path = needed("gtfs_rt/koleje_dolnoslaskie/2023-04-14T073101Z_trip_updates.pb")
    timetable = needed("gtfs/koleje_dolnoslaskie_2023-04-14.zip")
    times, message = scheduled(timetable), messages(path)
    midnight = datetime(2023, 4, 14, tzinfo=ZoneInfo(WARSAW)).timestamp()
    start = datetime.fromisoformat("2023-04-14T07:30:00Z").timestamp()
    delays: list[float] = []
    for entity in message.entity:
        update = entity.trip_update
        stop = update.stop_time_update[0]
        late = stop.arrival.delay
        update.ClearField("delay")
        stop.ClearField("departure")
        stop.arrival.Clear()
        planned = times.get((update.trip.trip_id, stop.stop_id))
        if planned is None:
            stop.arrival.time = int(update.timestamp)  # nobody knows how late that is
            continue
        stop.arrival.time = int(midnight) + planned[0] + late
        if start <= update.timestamp < start + 900:
            delays.append(late)
    assert 15 < len(delays) <= 21
    polls = tmp_path / "polls"
    polls.mkdir()
    (polls / path.name).write_bytes(message.SerializeToString())
    feed = f'kind = "gtfs_rt"\nzone = "{WARSAW}"\n[options]\nscope = "kd"\nschedule = "timetable"\n'
    gtfs = f'kind = "gtfs"\nsource = "{timetable}"\nzone = "{WARSAW}"\n'
    history = replayed_history(tmp_path, f"{polls}/*.pb", feed, {"timetable": gtfs})
    span = "2023-04-14T07:30:00Z/2023-04-14T07:45:00Z"
    found = values(history, DELAYS, span, WARSAW)
    assert_delays(found, delays)
    assert "-- timetable gtfs:timetable " in found["pt-punctuality"].provenance.query


def timetable(folder: Path, starts: list[int], *, days: tuple[int, ...] = (0,)) -> None:
    """Trips of line 12 past the stops a, b and c, five minutes apart, from `starts` (s) on; trip n is
    run by the service that runs on DAY and `days` after it."""
    trips = [f"t{n}" for n in range(len(starts))]
    rows = [(n, place, at + 300 * place) for n, at in enumerate(starts) for place in range(3)]
    zone = pa.table({"scope": ["x"], "zone": [WARSAW]})
    ParquetReference(folder / "reference").put("gtfs:plan", "1", {
        "feed": zone,
        "routes": pa.table({"route_id": ["r"], "short_name": ["12"], "long_name": ["Long"]}),
        "stops": pa.table({"stop_id": list(STOPS)}),
        "trips": pa.table({"trip_id": trips, "route_id": ["r"] * len(trips),
                           "service_id": ["s"] * len(trips)}),
        "stop_times": pa.table({
            "trip": pa.array([row[0] for row in rows], pa.int32()),
            "stop": pa.array([row[1] for row in rows], pa.int32()),
            "sequence": pa.array([row[1] + 1 for row in rows], pa.int32()),
            "arrival": pa.array([row[2] - 20 for row in rows], pa.int32()),
            "departure": pa.array([row[2] for row in rows], pa.int32()),
        }),
        "service_days": pa.table({
            "service_id": ["s"] * len(days),
            "day": pa.array([(DAY - EPOCH).days + n for n in days], pa.int32()),
        }),
    })  # fmt: skip


def midnight(day: date = DAY) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(WARSAW)).timestamp() * 1e6)


def bus(trip: int, place: int, at: int, **others: Any) -> Any:
    """A vehicle on its way to the stop that is the `place`-th of its trip."""
    attrs = {
        "tripId": Instance(
            kind="Property", value=f"t{trip}", observed_at=number(0, at).observed_at
        ),
        "currentStopSequence": number(place, at),
        "lineName": Instance(kind="Property", value="12", observed_at=number(0, at).observed_at),
    }
    own = f"urn:ngsi-ld:Vehicle:x:{trip}"
    return change("update", own, attrs | others, at=at, kind="Vehicle")


def drive(folder: Path, leaves: list[list[int]]) -> Path:
    """Buses that tell of their trip and stop every 20 seconds; `leaves` are when trip n leaves its
    stops, in µs."""

    async def fill(_: History, log: ListLog) -> None:
        told = []
        for trip, times in enumerate(leaves):
            place = 1
            for at in range(times[0] - 2 * MINUTE, times[-1] + MINUTE, 20_000_000):
                place += place <= len(times) and at >= times[place - 1]
                told.append((at, trip, min(place, 4)))
        for at, trip, place in sorted(told):
            log.write(bus(trip, place, at))

    return made_history(folder / "h", WARSAW, fill)


SPAN = "2026-03-10T07:00:00Z/2026-03-10T11:00:00Z"


def test_vehicles_that_tell_of_their_stop_alone_are_late_by_the_timetable(tmp_path: Path) -> None:
    starts = [9 * 3600 + 600 * n for n in range(12)]
    late = [-90, 0, 30, 60, 200, 400, 20, 40, 100, 0, 10, 300]
    timetable(tmp_path, starts)
    leaves = [
        [midnight() + (at + 300 * n + off) * 1_000_000 for n in range(3)]
        for at, off in zip(starts, late, strict=True)
    ]
    folder = drive(tmp_path, leaves)
    span = "2026-03-10T07:45:00Z/2026-03-10T10:15:00Z"
    found = values(folder, DELAYS, span, WARSAW)
    one = found["pt-punctuality"]
    assert one.readings == 3 * len(late)
    # Told every 20 seconds: ten more or less.
    assert found["pt-delay-median"].value == pytest.approx(30, abs=10)
    assert found["pt-delay-p90"].value == pytest.approx(300, abs=10)
    assert one.value == pytest.approx(100 * sum(-60 <= one <= 180 for one in late) / 12)
    assert [thing.id for thing in one.things] == ["12"]


@pytest.mark.parametrize("days", [(1,), (-1,)])
def test_a_trip_that_does_not_run_on_that_day_is_no_departure(
    tmp_path: Path, days: tuple[int, ...]
) -> None:
    timetable(tmp_path, [9 * 3600], days=(*days, 3))
    folder = drive(tmp_path, [[midnight() + (9 * 3600 + 300 * n) * 1_000_000 for n in range(3)]])
    assert values(folder, DELAYS, SPAN, WARSAW)["pt-punctuality"].readings == 0


def test_after_midnight_it_is_still_the_service_day_before(tmp_path: Path) -> None:
    timetable(tmp_path, [24 * 3600 + 1200])
    after = midnight() + (24 * 3600 + 1200) * 1_000_000
    folder = drive(tmp_path, [[after + (300 * n + 60) * 1_000_000 for n in range(3)]])
    span = "2026-03-10T23:00:00Z/2026-03-11T00:00:00Z"
    found = values(folder, DELAYS, span, WARSAW)["pt-delay-median"]
    assert found.readings == 3
    assert found.last is not None
    assert found.last < midnight(DAY + timedelta(days=1)) + 3600 * 1_000_000


def test_waiting_is_measured_against_the_timetable(tmp_path: Path) -> None:
    """Planned every 10 minutes, every other trip does not run: the mean wait of those who come at
    any time is 10 minutes and should be 5. Without a timetable 20 minutes are no frequent line."""
    starts = [8 * 3600 + 600 * n for n in range(26)]
    timetable(tmp_path, starts)
    leaves = [
        [midnight() + (at + 300 * n) * 1_000_000 for n in range(3)]
        for at in starts
    ]  # fmt: skip

    async def fill(_: History, log: ListLog) -> None:
        told = []
        for trip, times in enumerate(leaves):
            for place, at in enumerate(times, 1):
                if trip % 2 == 0:
                    told += [(at - 20_000_000, trip, place), (at, trip, place + 1)]
                # The others are heard of, elsewhere: nothing is missing but they.
        for at, trip, place in sorted(told):
            log.write(bus(trip, place, at))
        for minute in range(0, 300, 5):
            log.write(bus(99, minute // 5, midnight() + (7 * 60 + minute + 30) * MINUTE))

    folder = made_history(tmp_path / "h", WARSAW, fill)
    found = values(folder, HEADWAYS, SPAN, WARSAW)
    one = found["pt-excess-wait"]
    assert one.status == "ok", one.why
    assert one.value == pytest.approx(5, abs=0.01)
    assert found["pt-headway-variation"].value == pytest.approx(1, abs=0.01)
    (tmp_path / "reference").rename(tmp_path / "gone")
    assert values(folder, HEADWAYS, SPAN, WARSAW)["pt-excess-wait"].status == "not enough data"
