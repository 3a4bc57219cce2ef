"""The recorded schedules: what they become, what is odd about them, what is kept of them."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feeds.support import convert, counts, situation
from tests.recorded import DATA

from rynek.feeds import Situation, kind_of
from rynek.feeds.checking import MemoryReference

NOW = "2026-03-04T08:00:00Z"
EXPECTED = {
    "plzen_pmdp_2026-02-09": (
        {"GtfsAgency": 1, "GtfsRoute": 54, "GtfsStop": 710},
        {},
        {"trips": 7942, "stop_times": 132436, "service_days": 2406},
    ),
    "praha_pid_sample_2020-04-12": (
        {"GtfsAgency": 1, "GtfsRoute": 526, "GtfsStop": 9514, "GtfsStation": 58, "GtfsShape": 26},
        {
            "trip-without-times": 93,
            "schedule-expired": 1,
            "stop-without-times": 10253,
            "stop-not-for-boarding": 715,
        },
        {"trips": 99, "stop_times": 99, "service_days": 20063, "shapes": 15071},
    ),
    "koleje_dolnoslaskie_2023-04-05": (
        {"GtfsAgency": 1, "GtfsRoute": 164, "GtfsStop": 2462},
        {
            "file-missing": 1,
            "stop-without-coordinates": 7,
            "encoding": 3,
            "shapes-missing": 1,
            "schedule-expired": 1,
            "stop-without-times": 2206,
            "days-from-trip-ids": 1,
        },
        {"trips": 330, "stop_times": 4512, "service_days": 1},
    ),
    "koleje_dolnoslaskie_2023-04-14": (
        {"GtfsAgency": 1, "GtfsRoute": 166, "GtfsStop": 2465},
        {
            "stop-without-coordinates": 7,
            "encoding": 3,
            "shapes-missing": 1,
            "schedule-expired": 1,
            "stop-without-times": 2199,
        },
        {"trips": 451, "stop_times": 6278, "service_days": 343},
    ),
    "koleje_dolnoslaskie_full_2023-03-23": (
        {"GtfsAgency": 1, "GtfsRoute": 50, "GtfsStop": 282},
        {"trip-unknown": 123, "schedule-expired": 1, "stop-without-times": 9},
        {"trips": 1904, "stop_times": 28168, "service_days": 17559},
    ),
}


def schedule(name: str) -> bytes:
    return (DATA / "gtfs" / f"{name}.zip").read_bytes()


def at(now: str = NOW, **config: Any) -> Situation:
    made = situation("gtfs", now, **config)
    made.reference = MemoryReference()
    return made


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_schedules(name: str) -> None:
    entities, findings, rows = EXPECTED[name]
    here = at()
    made = convert(schedule(name), here)
    assert Counter(d["type"] for d in made) == entities
    assert len({d["id"] for d in made}) == len(made)
    assert counts(here) == findings
    assert here.reference is not None
    for table, expected in rows.items():
        assert here.reference.get("gtfs:test", table).num_rows == expected


def test_names_survive_a_wrong_encoding_and_agency_is_not_the_provider() -> None:
    here = at(provider="Koleje Dolnośląskie", options={"scope": "kd"})
    made = {d["id"]: d for d in convert(schedule("koleje_dolnoslaskie_2023-04-14"), here)}
    agency = made["urn:ngsi-ld:GtfsAgency:kd:1"]
    assert agency["agencyName"]["value"] == "Koleje Śląskie"
    assert made["urn:ngsi-ld:GtfsStop:kd:201113"]["name"]["value"] == "Jelenia Góra"
    assert counts(here)["agency-differs"] == 1
    assert made["urn:ngsi-ld:GtfsRoute:kd:19277151"]["operatedBy"]["object"] == agency["id"]


def test_what_a_stop_and_a_shape_become() -> None:
    made = {d["id"]: d for d in convert(schedule("praha_pid_sample_2020-04-12"), at())}
    stop = next(d for d in made.values() if d["type"] == "GtfsStop" and "hasParentStation" in d)
    assert stop["hasParentStation"]["object"] in made
    assert stop["location"]["value"]["type"] == "Point"
    assert "observedAt" not in stop["location"]
    shape = made["urn:ngsi-ld:GtfsShape:test:L991V1"]
    points = shape["location"]["value"]["coordinates"]
    assert shape["location"]["value"]["type"] == "LineString"
    assert points[0] == [14.51539, 50.07553] and 2 < len(points) < 1000


def test_positions_outside_the_bounds_are_kept_out() -> None:
    here = at(bounds=(13.3, 49.7, 13.45, 49.8))
    made = convert(schedule("plzen_pmdp_2026-02-09"), here)
    stops = [d for d in made if d["type"] == "GtfsStop"]
    assert counts(here)["position-outside"] == sum("location" not in d for d in stops) > 50


def test_live_vehicles_are_matched_to_the_schedule_in_both_ways() -> None:
    reference = MemoryReference()
    for name, suffix in (("2023-04-14T073101Z", ""), ("2023-04-06T054553Z", "-without-day")):
        planned = situation("gtfs", NOW, name="kd")
        planned.reference = reference
        convert(schedule("koleje_dolnoslaskie_2023-04-14"), planned)
        live = situation("gtfs_rt", "2023-05-01T00:00:00Z", options={"schedule": "kd"})
        live.reference = reference
        path = DATA / "gtfs_rt" / "koleje_dolnoslaskie" / f"{name}_vehicle_positions.pb"
        made = convert(path.read_bytes(), live)
        found = counts(live)
        assert found[f"trip-matched{suffix}"] + found["trip-unknown"] == len(made)
        assert found["trip-unknown"] <= 3
        matched = [d for d in made if "hasRoute" in d]
        assert len(matched) == found[f"trip-matched{suffix}"]
        assert matched[0]["lineName"]["value"].startswith("D")
        assert matched[0]["hasRoute"]["object"].startswith("urn:ngsi-ld:GtfsRoute:kd:")


def packed(files: dict[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # Without a time of its own: the same files are the same bytes, whenever they are packed.
            archive.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue()


SMALL: dict[str, str | bytes] = {
    "agency.txt": "agency_name,agency_url,agency_timezone\nA,http://a,Europe/Sofia\n",
    "routes.txt": "route_id,route_short_name,route_type\nr1,1,0\nr1,2,3\n",
    "stops.txt": '\ufeffstop_id,stop_name,stop_lat,stop_lon\n s1 ,"A ""x"",\nB",42.7,23.3\n'
    "s2,Zero,0,0\ns3,None,,\nbroken,row\n",
    "trips.txt": "route_id,service_id,trip_id\nr1,w,t1\nr9,w,t2\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "t1,25:00:00,25:00:00,s1,2\nt1,24:50:00,24:50:00,s2,1\nt1,25:99:00,,s1,3\n"
    "t7,1:00:00,1:00:00,s1,1\nt1,20:00:00,20:00:00,s9,4\n",
    "calendar.txt": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,"
    "start_date,end_date\nw,1,1,1,1,1,0,0,20260301,20260331\nx,1,1,1,1,1,1,1,2026,20260331\n",
    "calendar_dates.txt": "service_id,date,exception_type\nw,20260307,1\nw,20260302,2\nw,x,1\n",
}


def test_small_odd_schedule() -> None:
    here = at()
    made = convert(packed(SMALL), here)
    assert counts(here) == {
        "id-twice": 1,
        "route-unknown": 1,
        "stop-unknown": 1,
        "trip-unknown": 1,
        "time-wrong": 1,
        "row-malformed": 1,
        "calendar-wrong": 1,
        "calendar-date-wrong": 1,
        "trip-without-times": 1,
        "stop-without-coordinates": 1,
        "position-zero": 1,
        "stop-without-times": 1,
    }
    stop = next(d for d in made if d["id"] == "urn:ngsi-ld:GtfsStop:test:s1")
    assert stop["name"]["value"] == 'A "x", B'
    assert here.reference is not None
    times = here.reference.get("gtfs:test", "stop_times")
    assert times["sequence"].to_pylist() == [1, 2, 3]
    assert times["arrival"].to_pylist() == [89400, 90000, -1]
    assert here.reference.get("gtfs:test", "service_days").num_rows == 22


@pytest.mark.parametrize("wrong", ["2\u00b2:00:00", "9" * 5000 + ":00:00"])
def test_a_time_of_odd_digits_costs_no_more_than_itself(wrong: str) -> None:
    here = at()
    times = str(SMALL["stop_times.txt"]).replace("25:99:00", wrong)
    assert convert(packed(SMALL | {"stop_times.txt": times}), here)
    assert counts(here)["time-wrong"] == 1


def test_the_same_schedule_again_has_the_same_version() -> None:
    here = at()
    convert(packed(SMALL), here)
    assert here.reference is not None
    first = here.reference.version("gtfs:test")
    convert(packed(SMALL), here)
    assert here.reference.version("gtfs:test") == first
    convert(packed(SMALL | {"agency.txt": "agency_name\nB\n"}), here)
    assert here.reference.version("gtfs:test") != first


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no zip", "not a readable zip"),
        (packed({"readme.txt": "x"}), "neither stops.txt nor routes.txt"),
        (packed(SMALL)[:-60], "not a readable zip"),
    ],
)
def test_other_bytes_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convert(data, at())


def test_bombs_are_refused() -> None:
    bomb = packed({"stops.txt": b"0" * 5_000_000})
    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        convert(bomb, at(options={"max_unpacked": 1_000_000}))
    with pytest.raises(ValueError, match=r"stops.txt: more than 2 rows"):
        convert(packed(SMALL), at(options={"max_rows": 2}))


def test_schedules_are_recognised() -> None:
    connector = kind_of("gtfs").connector
    assert connector.sniff(schedule("plzen_pmdp_2026-02-09")[:65536], "x") > 0.9
    assert connector.sniff(b"{}", "gtfs.zip") == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(set(SMALL) - {"agency.txt"})),
    st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode())),
)
def test_broken_files_give_a_value_error_or_documents(name: str, content: bytes) -> None:
    try:
        made = convert(packed(SMALL | {name: content}), at())
    except ValueError:
        return
    assert all(d["id"].startswith("urn:ngsi-ld:Gtfs") for d in made)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=':0123456789"\n,', max_size=60))
def test_broken_rows_give_a_value_error_or_documents(rows: str) -> None:
    head = "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    try:
        convert(packed(SMALL | {"stop_times.txt": head + rows}), at())
    except ValueError:
        return
