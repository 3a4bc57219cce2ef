"""Tables as city offices keep them: what is proposed for them, and what that makes of them."""

from __future__ import annotations

import io
import json
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from rynek.feeds import check
from rynek.feeds.connectors.tabular import connector, propose_mapping


def proposed(data: bytes) -> dict[str, Any]:
    """The proposal as it stands."""
    return tomllib.loads(propose_mapping(data))


def made(drive: Any, data: bytes, zone: str = "Europe/Prague") -> Any:
    """What the table becomes with its proposal, unchanged."""
    run = drive(connector, zone=zone, options={"map": proposed(data)})
    run.feed(data)
    return run


def values(run: Any, name: str) -> list[Any]:
    return [document[name]["value"] for document in run.documents if name in document]


CZECH = (
    "Stanice;Datum;Čas;PM10 [µg/m3];NO2;X;Y\n"
    "Plzeň-Slovany;20.11.2026;07:00;23,5;n/a;-822345,12;-1069876,55\n"
    "Plzeň-Slovany;20.11.2026;24:00;1\u00a0024,5;7;-822345,12;-1069876,55\n"
    "Plzeň-střed;20.11.2026;08:00;18;8,5;1070876,5;821345,1\n"
).encode("cp1250")


def test_a_czech_table_keeps_its_hours_numbers_and_places(drive: Any) -> None:
    run = made(drive, CZECH)
    assert run.findings == {"encoding-guessed": 1}
    assert values(run, "pm10") == [23.5, 1024.5, 18]
    assert values(run, "no2") == [7, 8.5]
    first, last = run.documents[0]["pm10"], run.documents[1]["pm10"]
    assert first["observedAt"] == "2026-11-20T06:00:00Z"
    assert last["observedAt"] == "2026-11-20T23:00:00Z"  # 24:00 ends the day
    assert first["unitCode"] == "GQ"
    # EPSG:5514 → WGS 84 as the EPSG registry's own transformation does, to a metre.
    lon, lat = run.documents[0]["location"]["value"]["coordinates"]
    assert (lon, lat) == (pytest.approx(13.378707, abs=2e-5), pytest.approx(49.74598, abs=2e-5))


def test_days_are_taken_before_months_and_doubt_is_told(drive: Any) -> None:
    lines = [f"A{n % 3},{n:02d}/11/2026 08:{n:02d},{n}" for n in range(1, 13)]
    data = "\n".join(["id,time,value", *lines]).encode()
    assert "day before month" in propose_mapping(data)
    run = made(drive, data, "UTC")
    assert run.documents[-1]["value"]["observedAt"] == "2026-11-12T08:12:00Z"
    american = data.replace(b"/11/2026", b"/31/2026")
    assert proposed(american)["time"]["format"] == "%m/%d/%Y %H:%M"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("20.11.2026. 08:00", "2026-11-20T07:00:00Z"),
        ("20.11.26 08:00", "2026-11-20T07:00:00Z"),
        ("2026/11/20 08:00:05", "2026-11-20T07:00:05Z"),
        ("46346.333333", "2026-11-20T07:00:00Z"),
        ("20261120", "2026-11-19T23:00:00Z"),
        ("1795158000", "2026-11-20T07:00:00Z"),
        ("1795158000000", "2026-11-20T07:00:00Z"),
        ("2026-11-20T06:00:00Z/2026-11-20T07:00:00Z", "2026-11-20T07:00:00Z"),
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
    ],
)
def test_times_in_the_notations_of_offices(drive: Any, text: str, at: str) -> None:
    data = f"id;time;v\nA;{text};1\nB;{text};2\n".encode()
    assert [d["v"]["observedAt"] for d in made(drive, data).documents] == [at, at]


def test_grouped_thousands_and_cyrillic_headers(drive: Any) -> None:
    data = (
        "Паркинг;Дата;Свободни места;Капацитет;Ширина;Дължина\n"
        "ПАРК 1;20.11.2026 08:00;12;100;42,6977;23,3219\n"
        "ПАРК 2;20.11.2026 08:00;н/д;1 200;42,7012;23,3301\n"
    ).encode("cp1251")
    run = made(drive, data)
    assert values(run, "капацитет") == [100, 1200]
    assert values(run, "свободниМеста") == [12]
    assert values(run, "location")[0]["coordinates"] == [23.3219, 42.6977]
    assert run.findings == {"encoding-guessed": 1}
    german = "Ort;Datum;Anzahl\nA;20.11.2026;1.234\nB;21.11.2026;12.345\nC;22.11.2026;987\n"
    assert values(made(drive, german.encode()), "anzahl") == [1234, 12345, 987]
    shares = "id;share\nA;0.125\nB;0.375\nC;1\n"
    assert values(made(drive, shares.encode()), "share") == [0.125, 0.375, 1]


def test_degrees_may_have_another_decimal_mark_than_the_rest(drive: Any) -> None:
    data = b"id;lat;lon;level\n1;50.081;14.42;1,5\n2;50.0912;14.431;1.024,5\n"
    run = made(drive, data)
    assert values(run, "level") == [1.5, 1024.5]
    assert values(run, "location")[0]["coordinates"] == [14.42, 50.081]
    as_json = json.dumps([{"id": n, "lat": 50.081, "lon": 14.421, "v": "1,5"} for n in (1, 2)])
    assert "no degrees" not in propose_mapping(as_json.encode())


def test_texts_with_a_comma_are_no_decimal_commas(drive: Any) -> None:
    data = b"id;note;v\n1;a1,5;1.5\n2;b2,5;2.5\n3;c3,5;1,200.5\n"
    assert values(made(drive, data), "v") == [1.5, 2.5, 1200.5]


def test_titles_above_totals_below_and_codes_with_zeros(drive: Any) -> None:
    text = (
        "Hlášení za listopad\n\nkod;cas;psc;hodnota\n"
        "A;2026-11-20T08:00;04001;5\nB;2026-11-20T08:00;04001;6\nCelkem;;;11\n"
    )
    run = made(drive, text.encode())
    assert values(run, "hodnota") == [5, 6]
    assert values(run, "psc") == ["04001", "04001"]
    assert run.findings == {"filtered": 1}


def test_a_workbook_is_recognised_and_its_header_found(tmp_path: Path, drive: Any) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Sčítání dopravy 2026"])
    sheet.merge_cells("A1:C1")
    sheet.append([])
    sheet.append(["Místo", "Datum", "Počet"])
    sheet.append(["Most", datetime(2026, 11, 20, 8), 1234])
    sheet.append(["Most", datetime(2026, 11, 20, 9), "-"])
    sheet.append(["Celkem", None, 1234])
    stream = io.BytesIO()
    book.save(stream)
    (tmp_path / "counts.xlsx").write_bytes(stream.getvalue())
    report = check(tmp_path / "counts.xlsx")
    assert (report.kind, report.records) == ("tabular", 3)
    assert values(made(drive, stream.getvalue()), "počet") == [1234]


TTN = {
    "end_device_ids": {"device_id": "bin-7", "application_ids": {"application_id": "waste"}},
    "correlation_ids": ["as:up:1"],
    "received_at": "2026-11-20T08:00:00.123456789Z",
    "uplink_message": {
        "f_port": 2,
        "decoded_payload": {"fill_level": 45},
        "rx_metadata": [
            {"gateway_ids": {"gateway_id": "gw1"}, "rssi": -97, "location": {"latitude": 50.1}},
            {"gateway_ids": {"gateway_id": "gw2"}, "rssi": -90},
        ],
        "locations": {"user": {"latitude": 50.11, "longitude": 14.41}},
    },
}
CHIRPSTACK = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2026-11-20T08:00:00.123+00:00",
    "deviceInfo": {"applicationName": "waste", "deviceName": "bin-7", "devEui": "00b3d57ed0"},
    "devAddr": "00189440",
    "object": {"fill": 45},
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "location": {"latitude": 50, "longitude": 14}}],
}


def test_an_uplink_is_the_device_and_not_the_gateways_that_heard_it(drive: Any) -> None:
    (bin7,) = made(drive, json.dumps(TTN).encode()).documents
    assert bin7["id"] == "urn:ngsi-ld:Device:x:bin-7"
    assert bin7["location"]["value"]["coordinates"] == [14.41, 50.11]
    assert bin7["uplinkMessageDecodedPayloadFillLevel"]["value"] == 45
    (device,) = made(drive, json.dumps(CHIRPSTACK).encode()).documents
    assert device["id"] == "urn:ngsi-ld:Device:x:00b3d57ed0"
    assert "location" not in device
    assert device["devAddr"]["value"] == "00189440"


def test_readings_in_a_list_are_told_apart_by_name_and_not_by_place(drive: Any) -> None:
    polls = [
        {
            "id": 19300000001 + n,
            "timestamp": "2026-11-20 08:00:00",
            "location": {"id": 100, "latitude": "42.69", "longitude": "23.32"},
            "sensor": {"id": 1234 + n, "sensor_type": {"name": "SDS011"}},
            "sensordatavalues": pair,
        }
        for n, pair in enumerate(
            [
                [{"value": "12.5", "value_type": "P1"}, {"value": "7.5", "value_type": "P2"}],
                [{"value": "8.5", "value_type": "P2"}, {"value": "13.5", "value_type": "P1"}],
            ]
        )
    ]
    run = made(drive, json.dumps(polls).encode())
    assert [d["id"].rsplit(":", 1)[1] for d in run.documents] == ["1234", "1235"]
    assert values(run, "sensordatavaluesValueTypeP1Value") == [12.5, 13.5]


def test_places_in_the_forms_of_open_data_portals(drive: Any) -> None:
    point = {"type": "Point", "coordinates": [14.41, 50.11]}
    for place in ({"geo": "50.11, 14.41"}, {"geo": [50.11, 14.41]}, {"shape": point},
                  {"Locations": [{"@iot.id": 1, "location": point}]}):  # fmt: skip
        rows = [{"name": f"P{n}", "free": n} | place for n in range(2)]
        run = made(drive, json.dumps({"results": rows}).encode())
        assert values(run, "location")[0]["coordinates"] == [14.41, 50.11], place


def test_a_table_of_one_thing_and_one_with_reserved_names(drive: Any) -> None:
    gios = {"key": "PM10", "values": [{"date": "2026-11-20 08:00:00", "value": 30.3},
                                      {"date": "2026-11-20 07:00:00", "value": None}]}  # fmt: skip
    run = made(drive, json.dumps(gios).encode(), "Europe/Warsaw")
    assert run.entities == {"Device": 1}
    assert values(run, "value") == [30.3]
    told = proposed(b"id,type,station_id,v\n7,a,S1,1\n8,b,S2,2\n")
    assert [rule["name"] for rule in told["attribute"]] == ["givenId", "givenType", "v"]


def test_exchanged_positions_are_told_by_the_zone_where_there_are_no_bounds(tmp_path: Path) -> None:
    file = tmp_path / "swapped.csv"
    file.write_text("id,lon,lat,v\n1,50.08,14.42,5\n2,50.09,14.43,6\n")
    options = {"map": proposed(file.read_bytes())}
    codes = [f.code for f in check(file, "tabular", zone="Europe/Prague", options=options).findings]
    assert codes == ["positions-exchanged"]
    assert check(file, "tabular", zone="UTC", options=options).findings == []
    file.write_text("id,lon,lat,v\n1,50.45,30.52,5\n2,50.46,30.53,6\n")
    codes = [f.code for f in check(file, "tabular", zone="Europe/Kyiv", options=options).findings]
    assert codes == ["positions-exchanged"]
