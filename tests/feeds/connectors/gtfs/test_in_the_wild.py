"""Schedules as publishers make them: folders, encodings, separators, frequencies, flexible trips."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.feeds.support import convert, counts, situation

from rynek.base.clock import parse_iso
from rynek.feeds import Timetable, check
from rynek.feeds.checking import MemoryReference
from rynek.feeds.connectors.gtfs import frequencies
from rynek.feeds.kit.content import text

FILES = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\nDPM,DP,https://x,Europe/Prague\n",
    "routes.txt": 'route_id,route_short_name,route_long_name,route_type\nL1,1,"Dlouhá\nlinka",900\n'
    "L2,M1,,401\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon,location_type,parent_station\n"
    'S0,Stanice,50.1,14.4,1,\nS1,"Náměstí ""Míru""",50.10,14.40,0,S0\nS2,Hřiště,50.11,14.41,,\n'
    "N1,,,,3,S0\n",
    "trips.txt": "route_id,service_id,trip_id,trip_headsign\nL1,W,T1,Hřiště\nL2,W,F1,\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "T1,9:05:00,9:05:00,S1,1\nT1,9:15:00,9:15:00,S2,2\n"
    "F1,00:00:00,00:00:00,S1,1\nF1,00:10:00,00:10:00,S2,2\n",
    "calendar_dates.txt": "service_id,date,exception_type\nW,20261127,1\n",
}
FREQUENT = {
    "frequencies.txt": "trip_id,start_time,end_time,headway_secs\nF1,06:00:00,07:00:00,600\n"
    "F1,08:00:00,07:00:00,600\n"
}


def packed(
    files: dict[str, str], folder: str = "", encoding: str = "utf-8", mark: bytes = b""
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(folder + name, mark + content.replace("\n", "\r\n").encode(encoding))
    return stream.getvalue()


def made_of(data: bytes) -> tuple[dict[str, dict[str, Any]], dict[str, int], Timetable]:
    at = situation("gtfs", "2026-11-27T06:00:00Z")
    at.reference = MemoryReference()
    made = {document["id"].split(":", 4)[4]: document for document in convert(data, at)}
    return made, counts(at), Timetable.load(at.reference, "test")


@pytest.mark.parametrize(
    "data",
    [
        packed(FILES, "export/2026/", mark=b"\xef\xbb\xbf"),
        packed(FILES, encoding="cp1250"),
        packed({name: content.replace(",", ";") for name, content in FILES.items()}),
    ],
    ids=["folder and mark", "cp1250", "semicolons"],
)
def test_one_schedule_in_several_packings(data: bytes) -> None:
    made, _, timetable = made_of(data)
    assert sorted(made) == ["DPM", "L1", "L2", "S0", "S1", "S2"]
    assert made["S1"]["name"]["value"] == 'Náměstí "Míru"'
    assert made["L1"]["name"]["value"] == "Dlouhá linka"
    # The only agency needs not be named by the routes.
    assert made["L1"]["operatedBy"]["object"] == "urn:ngsi-ld:GtfsAgency:test:DPM"
    (running,) = timetable.active_trips(parse_iso("2026-11-27T08:10:00Z"))
    assert (running.trip_id, running.headsign) == ("T1", "Hřiště")


def test_of_several_agencies_none_is_guessed() -> None:
    agencies = FILES["agency.txt"] + "B,B,https://x,Europe/Vienna\n"
    made, found, _ = made_of(packed(FILES | {"agency.txt": agencies}))
    assert "operatedBy" not in made["L1"]
    assert found["zone-differs"] == 1


def test_a_trip_of_a_frequency_runs_as_often_as_it_says_and_at_no_other_time() -> None:
    _, found, timetable = made_of(packed(FILES | FREQUENT))
    assert (found["frequencies-expanded"], found["frequency-wrong"]) == (6, 1)
    at_midnight = timetable.active_trips(parse_iso("2026-11-26T23:05:00Z"))
    assert at_midnight == []
    running = timetable.active_trips(parse_iso("2026-11-27T05:25:00Z"))
    assert [vehicle.trip_id for vehicle in running] == ["F1@6:20:00"]
    assert running[0].lat == pytest.approx(50.105)
    assert len(timetable.active_trips(parse_iso("2026-11-27T08:10:00Z"))) == 1


def test_overlapping_frequencies_make_no_trip_twice() -> None:
    rows = FREQUENT["frequencies.txt"] + "F1,06:30:00,07:10:00,600\n"
    _, found, timetable = made_of(packed(FILES | {"frequencies.txt": rows}))
    assert (found["frequencies-expanded"], found["frequency-wrong"]) == (7, 1 + 3)
    running = timetable.active_trips(parse_iso("2026-11-27T05:35:00Z"))
    assert [vehicle.trip_id for vehicle in running] == ["F1@6:30:00"]


def test_more_stop_times_than_memory_has_room_for_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every_second = "trip_id,start_time,end_time,headway_secs\nF1,00:00:00,24:00:00,1\n"
    _, found, _ = made_of(packed(FILES | {"frequencies.txt": every_second}))
    assert found["frequencies-expanded"] == 86_400
    monkeypatch.setattr(frequencies, "MAX_TIMES", 2 * 86_400 - 1)
    with pytest.raises(ValueError, match="stop times"):
        made_of(packed(FILES | {"frequencies.txt": every_second}))


def test_stop_times_of_flexible_trips_are_no_error() -> None:
    flexible = FILES["stop_times.txt"] + "T1,,,,3\n"
    _, found, _ = made_of(packed(FILES | {"stop_times.txt": flexible}))
    assert found["stop-time-without-place"] == 1
    assert "stop-unknown" not in found


def test_a_zip_is_recognised_whatever_file_is_first(tmp_path: Path) -> None:
    dice = random.Random(1)
    noise = "".join(f"X,{dice.random()},{dice.random()},{n}\n" for n in range(2500))
    shapes = {"shapes.txt": "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\n" + noise}
    file = tmp_path / "export.zip"
    file.write_bytes(packed(shapes | FILES, "feed/"))
    assert check(file).kind == "gtfs"


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("Náměstí Míru, Hřiště, žluťoučký kůň", "cp1250"),
        ("Žižkov, Březiněves, šťastná", "iso8859-2"),
        ("Świętokrzyska, Śródmieście, Źródlana, Gołębia", "iso8859-2"),
        ("Świętokrzyska, Śródmieście, Źródlana, Gołębia", "cp1250"),
        ("STOP_IDENTIFIER_0001,https://example.org/stop/1,Площад Света Неделя,Гара", "cp1251"),
        ("stop_id_with_many_letters,Київ,вулиця Хрещатик,Їжакова", "cp1251"),
    ],
)
def test_legacy_encodings_are_told_by_their_letters(words: str, encoding: str) -> None:
    data = f"stop_id,stop_name\n{words}\n".encode(encoding)
    assert text(data) == (f"stop_id,stop_name\n{words}\n", encoding)
