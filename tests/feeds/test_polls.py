"""The past in bulk, for a kind with whole columns and for one without."""

from __future__ import annotations

import gzip

import pytest
from tests.recorded import DATA

from rynek.feeds import FeedConfig, Findings, past_readings
from rynek.feeds.kit import tar_members
from rynek.feeds.transport import Payload


def config(kind: str, **options: object) -> FeedConfig:
    return FeedConfig(name="x", kind=kind, source="recording", zone="Europe/Kyiv", options=options)


def test_a_table_goes_in_whole_columns() -> None:
    data = (DATA / "bikeshare/pardubice/2021-05.csv.gz").read_bytes()
    wanted = config("tabular", mapping="pardubice_bikes")
    assert sum(b.num_rows for b in past_readings(wanted, [Payload(data)])) == 17_433


def test_a_day_of_oslo_in_polls() -> None:
    archive = (DATA / "gbfs/oslo/2023-06-05_station_status.tar.gz").read_bytes()
    polls = [Payload(data, name=name) for name, data in tar_members(archive, 1 << 26)]
    found = list(past_readings(config("gbfs"), polls))
    rows = [row for batch in found for row in batch.to_pylist()]
    assert len(rows) == 17_849 * 3
    assert {row["attr"] for row in rows} == {"availableBikeNumber", "freeSlotNumber", "status"}
    assert all((row["number"] is None) == (row["attr"] == "status") for row in rows)


def test_repeated_old_positions_of_kyiv_make_one_row_each() -> None:
    path = DATA / "transit_positions/kyiv_positions_2026-02-07.jsonl.gz"
    polls = [Payload(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    findings = Findings()
    rows = [
        row
        for batch in past_readings(config("positions"), polls, findings)
        for row in batch.to_pylist()
        if row["attr"] == "location"
    ]
    assert len({row["entity_id"] for row in rows}) == 2339
    assert len({(row["entity_id"], row["observed_at"]) for row in rows}) == len(rows)
    assert all(row["lon"] is not None and row["json"] is None for row in rows)
    assert {f.code for f in findings.all()} >= {"stale-position", "parked"}


def test_bytes_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="GBFS"):
        list(past_readings(config("gbfs"), [Payload(b"nothing")]))
