"""The shipped mappings over the recorded files: true counts, and the same values both ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from tests.recorded import DATA, needed

from rynek.feeds.connectors.tabular import batches, connector, shipped


class Case(NamedTuple):
    """What a file becomes: rows that fit, entities, readings (values with a time), findings."""

    mapping: str
    path: str
    rows: int
    entities: int
    readings: int
    findings: dict[str, int]


SOFIA = "sofia_waste_containers"
CASES = [
    Case(SOFIA, "waste/sofia_containers/RKP.csv", 614, 614, 0, {}),
    Case(SOFIA, "waste/sofia_containers/RLO.csv", 792, 792, 0, {"unknown-value": 1}),
    Case(SOFIA, "waste/sofia_containers/RML.csv", 1619, 1619, 0, {}),
    Case(SOFIA, "waste/sofia_containers/ROK.csv", 3328, 3328, 0, {}),
    Case(SOFIA, "waste/sofia_containers/RSE.csv", 4005, 4005, 0, {}),
    Case(SOFIA, "waste/sofia_containers/RSR.csv", 312, 312, 0, {}),
    Case(SOFIA, "waste/sofia_containers/RTR.csv", 840, 840, 0, {}),
    Case(SOFIA, "waste/sofia_containers/containers_ilinden.csv", 279, 279, 0, {}),
    Case(SOFIA, "waste/sofia_containers/containers_vitosha.csv", 7732, 7731, 0, {"same-entity": 1}),
    Case(
        "praha_fill_level",
        "waste/praha_kasparovo_namesti_fill_level_2026-03-29_04-02.csv",
        91,
        4,
        273,
        {},
    ),
    Case("wyndham_smart_bins", "waste/wyndham_smart_bins_2018-2021.csv.gz", 31_427, 33, 94_281, {}),
    Case("dresden_car_parks", "parking/dresden/car_parks.csv", 54, 54, 0, {"position-missing": 28}),
    Case("pardubice_bikes", "bikeshare/pardubice/2021-05.csv.gz", 17_433, 39, 17_433, {}),
    Case("pardubice_places", "bikeshare/pardubice/places.csv", 64, 64, 0, {}),
    Case("praha_parked_cars", "parking/praha/P16_parked_cars_monthly.tar.gz", 63, 1, 252, {}),
    Case("praha_parked_cars", "parking/praha/P18_parked_cars_monthly.tar.gz", 1995, 15, 7980, {}),
    Case("praha_spaces", "parking/praha/data_spaces.csv", 1129, 14, 5645, {}),
    Case("praha_permits", "parking/praha/data_permits.csv", 2109, 36, 4218, {}),
    Case(
        "seattle_bike_counter",
        "counters/seattle_fremont_bridge_hourly_2012-2015.csv.gz",
        52_450,
        2,
        52_450,
        {},
    ),
    Case(
        "wroclaw_bike_stations",
        "bikeshare/wroclaw/bike_stations.csv",
        425,
        338,
        0,
        {"position-missing": 73, "same-entity": 16, "filtered": 12},
    ),
    Case(
        "warsaw_bus_delays",
        "transit_positions/warsaw_bus_delays_2022-11-29_30.csv.gz",
        9222,
        31,
        36_888,
        {},
    ),
    Case(
        "london_air",
        "air_quality/london_marylebone_daily_1997-2018.csv.gz",
        7838,
        1,
        38_985,
        {"filtered": 7838},
    ),
    Case(
        "france_no2_daily",
        "causal_urban/grenoble_lez/treated_no2_daily.csv.gz",
        5836,
        2,
        5836,
        {},
    ),
    Case(
        "france_no2_daily",
        "causal_urban/grenoble_lez/donors_no2_daily.csv.gz",
        28_678,
        10,
        28_678,
        {},
    ),
    Case("chmi_temperature", "weather/plzen_11450-T.csv.gz", 7854, 1, 7854, {"filtered": 23_562}),
    Case("chmi_precipitation", "weather/plzen_11450-SRA.csv.gz", 7854, 1, 7854, {}),
    Case("freiburg_parking", "parking/parkapi/freiburg.json", 19, 19, 38, {}),
    Case("freiburg_parking", "parking/parkapi/freiburg_p_r_sensors.json", 5, 5, 10, {}),
    Case("konstanz_parking", "parking/parkapi/konstanz.json", 11, 11, 22, {}),
    Case(
        "ulm_parking_spots",
        "parking/parkapi/ulm-sensors_realtime-parking-spots.json",
        44,
        44,
        44,
        {},
    ),
]


def content(recorded: Callable[[str], bytes], path: str) -> bytes:
    """A recorded file as a connector gets it: without gzip, a tar stays a tar."""
    import gzip

    data = recorded(path)
    return gzip.decompress(data) if path.endswith(".tar.gz") else data


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.rsplit("/", 1)[-1])
def test_counts_and_readings_both_ways(
    case: Case, drive: Any, recorded: Callable[[str], bytes]
) -> None:
    data = content(recorded, case.path)
    run = drive(connector, options={"mapping": case.mapping})
    run.feed(data)
    assert run.records == case.rows
    assert sum(run.entities.values()) == case.entities
    assert run.findings == case.findings
    by_row = readings(run.documents)
    assert len(by_row) == case.readings
    if not case.readings:
        return
    columns = drive(connector, options={"mapping": case.mapping})
    by_column = [
        (
            row["entity_id"],
            row["attr"],
            row["dataset_id"],
            row["unit_code"],
            int(row["observed_at"].timestamp()),
            meant(row),
        )
        for batch in batches(data, columns.situation)
        for row in batch.to_pylist()
    ]
    assert sorted(by_column, key=str) == sorted(by_row, key=str)
    assert columns.findings.keys() == case.findings.keys()


def meant(row: dict[str, Any]) -> Any:
    """The value in the one column that is filled."""
    filled = [row[name] for name in ("number", "text", "json") if row[name] is not None]
    assert len(filled) == 1
    return json.loads(row["json"]) if row["json"] is not None else filled[0]


def readings(documents: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Every value with a time, comparable to a row of a batch."""
    from datetime import datetime

    found = []
    for document in documents:
        for name, given in document.items():
            for instance in given if isinstance(given, list) else [given]:
                if isinstance(instance, dict) and "observedAt" in instance:
                    at = int(datetime.fromisoformat(instance["observedAt"]).timestamp())
                    dataset, unit = instance.get("datasetId"), instance.get("unitCode")
                    value = instance["value"]
                    found.append((document["id"], name, dataset, unit, at, value))
    return found


def test_every_shipped_mapping_is_used_here() -> None:
    assert shipped().keys() - {case.mapping for case in CASES} == {"dresden_free_spaces"}


def test_all_of_sofia(drive: Any, recorded: Callable[[str], bytes]) -> None:
    run = drive(connector, options={"mapping": SOFIA}, bounds=(23.1, 42.4, 23.7, 42.9))
    for case in CASES[:9]:
        run.feed(recorded(case.path))
    assert run.records == 19_521
    assert run.entities == {"WasteContainer": 19_520}
    states = [d["stateText"]["value"] for d in run.state.values() if "stateText" in d]
    assert states.count("ЗА ОБСУЖВАНЕ") == 97
    ashes = [d for d in run.state.values() if d["containerType"]["value"] == "110 – СГУРИЯ"]
    assert len(ashes) == 169
    assert {d["binCapacity"]["value"] for d in ashes} == {110}


def test_all_of_pardubice(drive: Any, recorded: Callable[[str], bytes]) -> None:
    needed("bikeshare/pardubice/2022-12.csv.gz")
    rows, stations = 0, set()
    for path in sorted((DATA / "bikeshare/pardubice").glob("2*.csv.gz")):
        run = drive(connector, options={"mapping": "pardubice_bikes"})
        for batch in batches(path.read_bytes(), run.situation):
            rows += batch.num_rows
            stations |= set(batch.column("entity_id").unique().to_pylist())
        assert run.findings == {}
    assert rows == 2_024_933
    assert len(stations) == 41


def test_autumn_hour_of_pardubice_is_read_as_summer_time(drive: Any) -> None:
    rows = b"dt,uid,bikes_available_to_rent\n2021-10-31 02:48:17,1,3\n2021-10-31 03:00:00,1,4\n"
    run = drive(connector, options={"mapping": "pardubice_bikes"})
    times = [d["availableBikeNumber"]["observedAt"] for d in run.feed(rows)]
    assert times == ["2021-10-31T00:48:17Z", "2021-10-31T02:00:00Z"]


@pytest.mark.parametrize(
    ("year", "rows", "outliers"),
    [(2020, 148_648, 1), (2021, 225_182, 4), (2024, 233_235, 0)],
)
def test_dresden_wide_tables(
    drive: Any, recorded: Callable[[str], bytes], year: int, rows: int, outliers: int
) -> None:
    run = drive(connector, options={"mapping": "dresden_free_spaces"})
    data = recorded(f"parking/dresden/free_spaces_hourly_{year}.csv.gz")
    found = list(batches(data, run.situation))
    assert sum(batch.num_rows for batch in found) == rows
    assert run.findings.get("out-of-range", 0) == outliers
    parks = set(connector_ids(drive, recorded))
    assert {batch.column("entity_id")[0].as_py() for batch in found} <= parks


def connector_ids(drive: Any, recorded: Callable[[str], bytes]) -> list[str]:
    """The ids of the car parks in the static file."""
    run = drive(connector, options={"mapping": "dresden_car_parks"})
    return [d["id"] for d in run.feed(recorded("parking/dresden/car_parks.csv"))]


def test_praha_sections_by_part_of_the_day(drive: Any, recorded: Callable[[str], bytes]) -> None:
    run = drive(connector, options={"mapping": "praha_parked_cars"})
    run.feed(content(recorded, "parking/praha/P18_parked_cars_monthly.tar.gz"))
    months = {
        d["occupancy"]["observedAt"] for d in run.documents if "datasetId" not in d["occupancy"]
    }
    assert len(months) == 47
    parts = {d["occupancy"].get("datasetId", "default") for d in run.documents}
    assert parts == {"default", *(f"urn:ngsi-ld:Dataset:{part}" for part in "NWX")}
    assert {d["location"]["value"]["type"] for d in run.documents} == {"Polygon"}
    shares = [d["occupancy"]["value"] for d in run.documents]
    assert (min(shares), max(shares)) == (0.03, 0.99)
