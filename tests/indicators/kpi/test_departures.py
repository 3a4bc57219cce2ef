"""Punctuality of real recordings: replayed by the engine, and counted from the files themselves."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.transit import gtfs_realtime_pb2 as pb
from tests.history.support import MINUTE, ListLog, change, number
from tests.indicators.kpi.replayed import replayed_history
from tests.indicators.kpi.support import made_history, recorded_history, values
from tests.recorded import needed

from rynek.context import Instance
from rynek.history import History

WARSAW = "Europe/Warsaw"
DELAYS = ("pt-punctuality", "pt-early", "pt-late", "pt-delay-median", "pt-delay-p90")
HEADWAYS = ("pt-headway-variation", "pt-excess-wait")


def messages(path: Path) -> Any:
    message = pb.FeedMessage()
    message.ParseFromString(path.read_bytes())
    return message


def assert_delays(found: dict[str, Any], delays: list[float]) -> None:
    """The values are those of the delays (s), counted one by one."""
    delays = sorted(delays)
    number = len(delays)
    assert found["pt-punctuality"].readings == number
    expected = {
        "pt-punctuality": sum(-60 <= late <= 180 for late in delays) * 100 / number,
        "pt-early": sum(late < -60 for late in delays) * 100 / number,
        "pt-late": sum(late > 180 for late in delays) * 100 / number,
        "pt-delay-median": delays[(number + 1) // 2 - 1],
        "pt-delay-p90": delays[-(-number * 9 // 10) - 1],
    }
    for name, value in expected.items():
        assert found[name].status == "ok"
        assert found[name].value == pytest.approx(value), name


def test_poznan(tmp_path: Path) -> None:
    """Three messages in 40 seconds: vehicles say at which stop of their trip they are."""
    paths = sorted(needed("gtfs_rt/poznan/2026-01-28T150339Z_feeds.pb").parent.glob("*.pb"))
    assert len(paths) == 3
    feed = f'kind = "gtfs_rt"\nzone = "{WARSAW}"\n[options]\nscope = "poznan"\n'
    history = replayed_history(tmp_path, f"{paths[0].parent}/*.pb", feed)
    span = "2026-01-28T15:00:00Z/2026-01-28T15:15:00Z"
    found = values(history, [*DELAYS, *HEADWAYS, "pt-unheard"], span, WARSAW)

    told: dict[str, dict[int, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for path in paths:
        for entity in messages(path).entity:
            if entity.HasField("vehicle"):
                at = entity.vehicle
                told[at.vehicle.id][at.timestamp] |= {
                    "trip": at.trip.trip_id, "place": at.current_stop_sequence,
                }  # fmt: skip
            if entity.HasField("trip_update"):
                late = entity.trip_update
                told[late.vehicle.id][late.timestamp] |= {
                    "trip": late.trip.trip_id, "delay": late.stop_time_update[0].arrival.delay,
                }  # fmt: skip
    start, end = (seconds(text) for text in span.split("/"))
    departures = [
        late for polls in told.values() for at, late in departed(polls) if start <= at < end
    ]
    kept = [late for late in departures if abs(late) <= 7200]
    assert_delays(found, kept)
    assert len(kept) > 500
    assert found["pt-punctuality"].value == pytest.approx(69, abs=0.1)
    assert found["pt-punctuality"].coverage == 1
    assert f"{len(departures) - len(kept)} of {len(departures)} departures" in (
        str(found["pt-punctuality"].why)
    )
    # No line says at which stop it is, and nobody knows of one how even it runs.
    assert found["pt-excess-wait"].status == "not enough data"
    assert found["pt-unheard"].value == 0

    # Of a month it is next to nothing.
    month = values(history, DELAYS, "2026-01", WARSAW)
    assert {(one.status, one.value) for one in month.values()} == {("not enough data", None)}
    assert month["pt-punctuality"].coverage < 0.001


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def departed(polls: dict[int, dict[str, Any]]) -> list[tuple[int, float]]:
    """One vehicle's departures, when and how late, step by step through what it told."""
    known: dict[str, Any] = {}
    done: list[dict[str, Any]] = []
    for at, poll in sorted(polls.items()):
        for name in ("trip", "place"):
            if name in poll and known.get(name, poll[name]) != poll[name]:
                done.append(known | {"at": at})
                break
        known |= poll | {"at": at}
    done.append(known)
    return [
        (one["at"], one["delay"])
        for one in done
        if "delay" in one and not (one.get("place", 2) <= 1 and one["delay"] < 0)
    ]


def test_koleje_dolnoslaskie(tmp_path: Path) -> None:
    """Single messages of five weeks: arrival estimations for trips and stops, with lines from the
    timetable. Too few for a month, and a figure where one asks for the quarters of an hour alone."""
    paths = sorted(
        needed("gtfs_rt/koleje_dolnoslaskie/2023-04-14T073101Z_trip_updates.pb").parent.glob(
            "2023-04-14*.pb"
        )
    )
    timetable = needed("gtfs/koleje_dolnoslaskie_2023-04-14.zip")
    feed = f'kind = "gtfs_rt"\nzone = "{WARSAW}"\n[options]\nscope = "kd"\nschedule = "timetable"\n'
    gtfs = f'kind = "gtfs"\nsource = "{timetable}"\nzone = "{WARSAW}"\n'
    history = replayed_history(
        tmp_path, f"{paths[0].parent}/2023-04-14*.pb", feed, {"timetable": gtfs}
    )
    span = "2023-04-14T07:30:00Z/2023-04-14T07:45:00Z"
    found = values(history, DELAYS, span, WARSAW)
    start = seconds("2023-04-14T07:30:00Z")
    delays = [
        entity.trip_update.stop_time_update[0].arrival.delay
        for path in paths
        for entity in messages(path).entity
        if entity.HasField("trip_update")
        and start <= entity.trip_update.timestamp < seconds("2023-04-14T07:45:00Z")
    ]
    assert 15 < len(delays) <= 21
    assert_delays(found, delays)
    lines = {one.id for one in found["pt-punctuality"].things}
    assert {"D1", "D10"} & lines
    assert sum(one.readings for one in found["pt-punctuality"].things) == len(delays)
    assert values(history, DELAYS, "2023-04-14", WARSAW)["pt-late"].status == "not enough data"


def test_buses_of_warszawa(tmp_path: Path) -> None:
    """Two days of selected lines, polled every few minutes: the next stop by its name."""
    path = needed("transit_positions/warsaw_bus_delays_2022-11-29_30.csv.gz")
    history = recorded_history(tmp_path / "h", [path], "warsaw_bus_delays", WARSAW)
    span = "2022-11-30T06:00:00Z/2022-11-30T16:00:00Z"
    found = values(history, [*DELAYS, *HEADWAYS], span, WARSAW)
    with gzip.open(path, "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["delay"] and row["vehicle_timestamp"]]
    visits = visits_of(rows)
    start = datetime(2022, 11, 30, 6, tzinfo=UTC).timestamp() * 1e6
    inside = [one for one in visits if start <= one["at"] < start + 36e9]
    assert len(inside) > 1000
    assert_delays(found, [one["late"] for one in inside if abs(one["late"]) <= 7200])
    assert found["pt-delay-p90"].status == "ok"
    assert {one.id for one in found["pt-late"].things} == {one["line"] for one in inside}
    assert_headways(found, visits, start)


def visits_of(rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Departures: while a vehicle names the same next stop, and is told of within three hours."""
    made: list[dict[str, Any]] = []
    series: dict[str, dict[int, tuple[str, str, float]]] = defaultdict(dict)
    for row in rows:
        at = int(float(row["vehicle_timestamp"]) * 1000)
        series[row["vehicle_id"]][at] = (
            row["stop_live"], row["route_id"], round(float(row["delay"]) * 60),
        )  # fmt: skip
    for polls in series.values():
        runs: list[list[tuple[int, tuple[str, str, float]]]] = []
        for at, told in sorted(polls.items()):
            if not runs or runs[-1][-1][1][0] != told[0] or at - runs[-1][-1][0] > 180 * MINUTE:
                runs.append([])
            runs[-1].append((at, told))
        for run, after in zip(runs, [*runs[1:], None], strict=True):
            last, (stop, line, late) = run[-1]
            left = after[0][0] if after and after[0][0] - last <= 10 * MINUTE else last
            made.append({"line": line, "stop": stop, "late": late, "at": left})
    return made


def assert_headways(found: dict[str, Any], visits: list[dict[str, Any]], start: float) -> None:
    """Even headways, hour by hour: the mean wait is half the mean headway."""
    visits = sorted(visits, key=lambda one: (one["line"], one["stop"], one["at"]))
    above = time = even = many = 0.0
    for _, group in groupby(visits, key=lambda one: (one["line"], one["stop"])):
        hours: dict[int, list[float]] = defaultdict(list)
        for before, after in pairwise([one["at"] for one in group]):
            if start <= after < start + 36e9 and after > before:
                hours[after // (60 * MINUTE)].append((after - before) / MINUTE)
        for gaps in hours.values():
            mean = sum(gaps) / len(gaps)
            if len(gaps) >= 2 and mean <= 15 and max(gaps) <= 60:
                above += sum((gap - mean) ** 2 for gap in gaps)
                even += len(gaps) * mean**2
                time, many = time + sum(gaps), many + len(gaps)
    one = found["pt-excess-wait"]
    if many < 30:
        assert one.status == "not enough data"
        return
    assert one.readings == many
    assert one.value == pytest.approx(above / 2 / time)
    assert found["pt-headway-variation"].value == pytest.approx((above / even) ** 0.5)


STOP = "urn:ngsi-ld:GtfsStop:x:a"


def bus(own: str, at: int, late: float, stop: str, **others: Any) -> Any:
    attrs = {
        "delay": number(late, at, unit_code="SEC"),
        "lineName": number("12", at),
        "hasStop": Instance(kind="Relationship", value=stop, observed_at=number(0, at).observed_at),
    }
    return change("update", f"urn:ngsi-ld:Vehicle:x:{own}", attrs | others, at=at, kind="Vehicle")


@pytest.mark.parametrize(("pairs", "wait"), [(0, 0.0), (8, 3.2)])
def test_even_and_uneven_headways(tmp_path: Path, pairs: int, wait: float) -> None:
    """Ten minutes apart, or in pairs (2 and 18 minutes): (2² + 18²) / 2 / 20 is 3.2 more than 5."""
    start = int(datetime(2026, 3, 10, 8, tzinfo=ZoneInfo(WARSAW)).timestamp() * 1e6)
    times = [10 * n + (n % 2) * pairs for n in range(-2, 38)]

    async def fill(_: History, log: ListLog) -> None:
        moments = [(minute - 1, str(n), STOP) for n, minute in enumerate(times)]
        moments += [(minute, str(n), f"{STOP}:{n}") for n, minute in enumerate(times)]
        moments += [(minute, "other", f"{STOP}:x") for minute in range(-60, 420, 5)]
        for minute, own, stop in sorted(moments):
            log.write(bus(own, start + minute * MINUTE, 30 + minute % 7, stop))

    history = made_history(tmp_path / "h", WARSAW, fill)
    found = values(
        history, [*HEADWAYS, "pt-unheard"], "2026-03-10T07:00:00Z/2026-03-10T13:00:00Z", WARSAW
    )
    one = found["pt-excess-wait"]
    assert one.readings == 36
    assert one.value == pytest.approx(wait, abs=1e-9)
    assert found["pt-headway-variation"].value == pytest.approx((wait / 5) ** 0.5, abs=1e-9)
    assert [thing.id for thing in one.things] == ["12"]
    assert found["pt-unheard"].value == 0
