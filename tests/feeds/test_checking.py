"""`feed check`: something true and useful about each source, without writing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recorded import DATA

from rynek.base.clock import parse_iso
from rynek.feeds import CheckReport, check

NOW = parse_iso("2026-11-22T12:00:00Z")


def found(report: CheckReport) -> dict[str, int]:
    return {finding.code: finding.count for finding in report.findings}


def test_a_folder_of_snapshots_in_order_of_time() -> None:
    report = check(DATA / "gtfs_rt" / "poznan", now=NOW)
    assert (report.kind, report.documents, report.records) == ("gtfs_rt", 3, 1639)
    assert report.entities == {"Vehicle": 549}
    assert report.first == "2026-01-28T14:55:53Z" and report.last == "2026-01-28T15:03:59Z"
    assert found(report) == {
        "delay-outlier": 5,
        "vehicle-id-changed": 2,
        "stop-without-id": 1095,
        "source-not-live": 1,
    }


def test_two_feeds_in_one_folder_are_not_taken_for_changing_ids() -> None:
    report = check(DATA / "gtfs_rt" / "krakow", now=NOW)
    assert report.entities == {"Vehicle": 632} and report.documents == 17
    assert found(report) == {"source-not-live": 1}


def test_positions_outside_the_city_and_unknown_trips_are_told() -> None:
    report = check(
        DATA / "gtfs_rt" / "koleje_dolnoslaskie" / "2023-04-14T073101Z_vehicle_positions.pb",
        "gtfs_rt",
        bounds=(16.8, 51.0, 17.2, 51.2),
        schedule=DATA / "gtfs" / "koleje_dolnoslaskie_2023-04-14.zip",
        now=NOW,
    )
    assert found(report) == {
        "position-outside": 11,
        "trip-unknown": 2,
        "trip-matched": 19,
        "source-not-live": 1,
    }
    assert report.extent is not None and report.extent[0] >= 16.8


def test_a_schedule() -> None:
    report = check(DATA / "gtfs" / "plzen_pmdp_2026-02-09.zip", now=NOW)
    assert report.kind == "gtfs"
    assert report.entities == {"GtfsAgency": 1, "GtfsRoute": 54, "GtfsStop": 710}
    assert found(report) == {"schedule-expired": 1}
    assert report.first is None


def test_an_archive_of_snapshots_of_another_kind() -> None:
    report = check(DATA / "gbfs" / "oslo" / "2023-06-05_station_status.tar.gz", now=NOW)
    assert (report.kind, report.documents) == ("gbfs", 68)
    assert report.entities == {"BikeHireDockingStation": 263}


def test_json_and_text_forms() -> None:
    report = check(DATA / "gtfs_rt" / "poznan" / "2026-01-28T150319Z_trip_updates.pb", now=NOW)
    form = report.to_json()
    assert form["kind"] == "gtfs_rt" and form["records"] == 547
    assert form["entities"] == {"Vehicle": 547}
    assert {"code", "severity", "count", "example"} == set(form["findings"][0])
    said = report.to_text()
    assert "GTFS-Realtime (kind gtfs_rt)" in said
    assert "delay-outlier (such as 967: -4122 s)" in said


@pytest.mark.parametrize("content", [b"\x00\x01 nothing that anyone knows", b""])
def test_unknown_content_asks_for_the_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "something.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="name the kind of feed"):
        check(path)


def test_wrong_kind_missing_file_and_too_much(tmp_path: Path) -> None:
    path = tmp_path / "a.pb"
    path.write_bytes(b"not protobuf")
    with pytest.raises(ValueError, match="not a GTFS-Realtime message"):
        check(path, "gtfs_rt")
    with pytest.raises(ValueError, match="there is no file"):
        check(tmp_path / "missing")
    with pytest.raises(ValueError, match="unknown kind of feed"):
        check(path, "nonsense")
    with pytest.raises(ValueError, match="more than 5 bytes"):
        check(path, "gtfs_rt", max_bytes=5)


def test_one_unreadable_document_among_others_is_counted(tmp_path: Path) -> None:
    recorded = DATA / "gtfs_rt" / "poznan" / "2026-01-28T150359Z_vehicle_positions.pb"
    (tmp_path / "a.pb").write_bytes(recorded.read_bytes())
    (tmp_path / "b.pb").write_bytes(b"\x0a\x0d\x0a\x032.0broken")
    report = check(tmp_path, "gtfs_rt", now=NOW)
    assert found(report)["document-unreadable"] == 1
    assert report.passed_over == ["b.pb"]
    assert report.entities == {"Vehicle": 544}
