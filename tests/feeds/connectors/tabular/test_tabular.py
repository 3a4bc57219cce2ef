"""Reading tables of any kind: formats, encodings, odd cells, bounds, and tables without mapping."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rynek.feeds.connectors.tabular import batches, connector, parse, propose_mapping
from rynek.feeds.contract import FeedConfig, Findings, Situation

MAP = {
    "type": "Device",
    "id": "{id}",
    "time": {"column": "time", "zone": "Europe/Prague"},
    "location": {"lon": "lon", "lat": "lat", "required": False},
    "attribute": [
        {"name": "level", "column": "level", "kind": "number", "scale": 0.01, "unit": "C62"},
        {"name": "name", "column": "name", "static": True},
    ],
}
ROWS = [
    {"id": "1", "time": "2026-01-01 12:00:00", "lon": 14.4, "lat": 50.1, "level": 50, "name": "Ž"},
    {"id": "2", "time": "2026-07-01 12:00:00", "lon": 14.5, "lat": 50.2, "level": 7, "name": "ě"},
]
LEVELS = {
    "urn:ngsi-ld:Device:x:1": (0.5, "2026-01-01T11:00:00Z", [14.4, 50.1], "Ž"),
    "urn:ngsi-ld:Device:x:2": (0.07, "2026-07-01T10:00:00Z", [14.5, 50.2], "ě"),
}


def as_csv(separator: str, encoding: str, decimal: str = ".") -> bytes:
    lines = [separator.join(ROWS[0])]
    lines += [separator.join(str(v).replace(".", decimal) for v in row.values()) for row in ROWS]
    return "\n".join(lines).encode(encoding)


def as_xlsx() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(list(ROWS[0]))
    for row in ROWS:
        book.active.append(list(row.values()))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def as_geojson() -> bytes:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [row["lon"], row["lat"]]},
            "properties": {k: v for k, v in row.items() if k not in ("lon", "lat")},
        }
        for row in ROWS
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def meant(documents: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        d["id"]: (
            d["level"]["value"],
            d["level"]["observedAt"],
            d["location"]["value"]["coordinates"],
            d["name"]["value"],
        )
        for d in documents
    }


@pytest.mark.parametrize(
    "data",
    [
        as_csv(",", "utf-8"),
        as_csv(";", "utf-8-sig"),
        as_csv("\t", "cp1250"),
        as_csv("|", "utf-16"),
        json.dumps(ROWS).encode(),
        json.dumps({"meta": {"a": [1]}, "data": ROWS}).encode(),
        "\n".join(json.dumps(row) for row in ROWS).encode(),
        as_xlsx(),
    ],
    ids=["comma", "semicolon", "tab-cp1250", "pipe-utf16", "array", "inside", "lines", "xlsx"],
)
def test_the_same_table_in_every_format(drive: Any, data: bytes) -> None:
    assert meant(drive(connector, options={"map": MAP}).feed(data)) == LEVELS


def test_geojson_geometry(drive: Any) -> None:
    mapping = MAP | {"location": {"geometry": True}}
    assert meant(drive(connector, options={"map": mapping}).feed(as_geojson())) == LEVELS


def test_decimal_comma_and_cyrillic_in_cp1251(drive: Any) -> None:
    table = "номер;стойност;име\n1;1 234,5;Контейнер за отпадъци\n".encode("cp1251")
    mapping = {
        "type": "WasteContainer",
        "id": "{номер}",
        "table": {"decimal": ","},
        "attribute": [
            {"name": "weight", "column": "стойност", "kind": "number", "static": True},
            {"name": "name", "column": "име", "static": True},
        ],
    }
    run = drive(connector, options={"map": mapping})
    made = run.feed(table)[0]
    assert made["weight"]["value"] == 1234.5
    assert made["name"]["value"] == "Контейнер за отпадъци"
    assert run.findings == {"encoding-guessed": 1}


def test_odd_rows_and_cells_are_counted_in_both_ways(drive: Any) -> None:
    table = (
        b"id,time,lon,lat,level,name\n"
        b"1,2026-01-01 12:00:00,,,x,a\n"  # no place, bad number
        b",2026-01-01 12:00:00,,,5,b\n"  # no id
        b"3,soon,,,5,c\n"  # bad time
        b"4,2026-01-01\n"  # short
        b"5,2026-01-01 12:00:00,0,0,,e\n"  # zero place, no number
        b"6,2026-01-01 12:00:00,200,1,9,f\n"  # impossible place
    )
    run = drive(connector, options={"map": MAP})
    assert [d["id"][-1] for d in run.feed(table)] == ["1", "5", "6"]
    assert run.findings == {
        "short-row": 1,
        "bad-value": 1,
        "no-id": 1,
        "bad-time": 1,
        "position-missing": 1,
        "position-zero": 1,
        "position-invalid": 1,
    }
    columns = drive(connector, options={"map": MAP})
    even = table.replace(b"4,2026-01-01\n", b"")
    assert sum(batch.num_rows for batch in batches(even, columns.situation)) == 1
    assert columns.findings == {"bad-value": 1, "no-id": 1, "bad-time": 1}
    ragged = drive(connector, options={"map": MAP})
    assert sum(batch.num_rows for batch in batches(table, ragged.situation)) == 1
    assert ragged.findings == run.findings


def test_wkt_template_constant_values_range_and_datasets(drive: Any) -> None:
    mapping = {
        "type": "OnStreetParking",
        "id": "{zone}-{nr}",
        "scope": "praha",
        "location": {"wkt": "place"},
        "time": {"column": "t"},
        "filter": [{"column": "kind", "values": ["keep"]}],
        "attribute": [
            {"name": "occupancy", "column": "share", "kind": "number", "min": 0, "max": 1,
             "dataset": "{part}", "default_dataset": "day"},
            {"name": "status", "column": "state", "values": {"o": "open", "c": "closed"}},
            {"name": "name", "template": "{zone} {nr}", "static": True},
            {"name": "category", "value": ["public"], "static": True},
        ],
    }  # fmt: skip
    table = (
        b"zone,nr,place,t,kind,share,part,state\n"
        b"P1,7,POINT (14.4 50.1),1767225600,keep,0.5,day,o\n"
        b"P1,7,POINT(14.4 50.1),1767225600,keep,0.6,night,x\n"
        b"P1,8,POINT(14.4 50.1),1767225600,keep,1.2,day,c\n"
        b"P1,9,POINT(14.4 50.1),1767225600,drop,0.2,day,c\n"
    )
    run = drive(connector, options={"map": mapping})
    first, second, third = run.feed(table)
    assert first["id"] == "urn:ngsi-ld:OnStreetParking:praha:P1-7"
    assert first["occupancy"] == {
        "type": "Property",
        "value": 0.5,
        "observedAt": "2026-01-01T00:00:00Z",
    }
    assert second["occupancy"]["datasetId"] == "urn:ngsi-ld:Dataset:night"
    assert first["name"]["value"] == "P1 7"
    assert (first["status"]["value"], "status" in second) == ("open", False)
    assert "occupancy" not in third
    expected = {"filtered": 1, "unknown-value": 1, "out-of-range": 1}
    assert run.findings == expected
    columns = drive(connector, options={"map": mapping})
    found = [row for b in batches(table, columns.situation) for row in b.to_pylist()]
    assert [row["dataset_id"] for row in found if row["attr"] == "occupancy"] == [
        None,
        "urn:ngsi-ld:Dataset:night",
    ]
    assert columns.findings == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('type = "A"\nid = "x"', "names no column"),
        ('type = "A"\nid = "{x}"\nwrong = 1', "wrong"),
        ('type = "A"\nid = "{x}"\n[[attribute]]\nname = "a"', "one of column"),
        ('type = "A"\nid = "{x}"\n[wide]\ncolumns = "("', "pattern"),
        ('type = "A"\nid = "{x}"\n[location]', "location"),
        ("type = ", "mapping"),
    ],
)
def test_wrong_mappings_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_unknown_mapping_lists_the_known(drive: Any) -> None:
    with pytest.raises(ValueError, match="sofia_waste_containers"):
        drive(connector, options={"mapping": "nowhere"}).feed(b"a,b\n1,2\n")


def test_without_mapping_rows_are_counted_and_a_hint_is_given(
    drive: Any, recorded: Callable[[str], bytes]
) -> None:
    run = drive(connector)
    assert run.feed(recorded("waste/sofia_containers/RKP.csv")) == []
    assert run.records == 614
    (hint,) = run.situation.findings.all()
    assert hint.code == "no-mapping"
    assert "sofia_waste_containers" in hint.example
    assert "Long (longitude)" in hint.example


@pytest.mark.parametrize(
    ("path", "time", "lon"),
    [
        ("waste/wyndham_smart_bins_2018-2021.csv.gz", "timestamp", None),
        ("geo/kyiv_streets.csv.gz", None, None),
        ("causal_urban/grenoble_lez/treated_no2_daily.csv.gz", "date", "lon"),
        ("counters/seattle_fremont_bridge_hourly_2012-2015.csv.gz", "Date", None),
        ("parking/parkapi/konstanz.json", "attributes.updated", "attributes.lon"),
        ("charging/south_tyrol_echarging_stations.json.gz", None, "scoordinate.x"),
    ],
)
def test_a_proposal_is_a_mapping_that_works(
    drive: Any, recorded: Callable[[str], bytes], path: str, time: str | None, lon: str | None
) -> None:
    data = recorded(path)
    text = propose_mapping(data)
    mapping = parse(text)
    assert (mapping.time.column if mapping.time else None) == time
    assert (mapping.location.lon if mapping.location else None) == lon
    import tomllib

    run = drive(connector, options={"map": tomllib.loads(text)})
    assert len(run.feed(data)) > 0


def test_one_broken_time_makes_no_column_of_texts() -> None:
    rows = ["id;seen;level", *(f"{n};0{n}.03.2026 07:30;{n}" for n in range(1, 8)), "8;?;n/a"]
    text = propose_mapping("\n".join(rows).encode())
    mapping = parse(text)
    assert mapping.time is not None
    assert (mapping.time.column, mapping.time.format) == ("seen", "%d.%m.%Y %H:%M")
    assert "# of the values 1 of 8 is none: row 8: '?'" in text
    level = next(one for one in mapping.attribute if one.column == "level")
    assert level.kind == "number"
    assert "1 of 8 is none: row 8: 'n/a'" in text


def test_texts_among_which_some_look_like_numbers_stay_texts() -> None:
    rows = ["id;house", *(f"{n};{n}{'a' if n % 5 == 0 else ''}" for n in range(1, 40))]
    mapping = parse(propose_mapping("\n".join(rows).encode()))
    assert next(one for one in mapping.attribute if one.column == "house").kind == "text"


def test_geojson_without_mapping_proposes_geometry(recorded: Callable[[str], bytes]) -> None:
    mapping = parse(propose_mapping(recorded("geo/kyiv_traffic_signals.geojson.gz")))
    assert mapping.location is not None
    assert mapping.location.geometry


def test_workbook_with_a_million_columns_is_cut_and_counted(drive: Any) -> None:
    data = as_xlsx()
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for info in old.infolist():
            inner = old.read(info)
            if info.filename.endswith("sheet1.xml"):
                inner = inner.replace(b'ref="A1:F3"', b'ref="A1:XFD3"')
            new.writestr(info, inner)
    run = drive(connector, options={"map": MAP})
    assert meant(run.feed(stream.getvalue())) == LEVELS
    assert run.findings == {"columns-cut": 1}


@pytest.mark.parametrize(
    "data", [b"", b"<html></html>", b"PK\x03\x04junk", b"\x00\x01\x02\x03", b'{"a": 1}', b"[1,"]
)
def test_what_is_no_table_is_refused(drive: Any, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a"):
        drive(connector).feed(data)


def test_too_many_columns_and_too_long_cells_are_refused(drive: Any) -> None:
    with pytest.raises(ValueError, match="columns"):
        drive(connector).feed(b",".join(b"c%d" % n for n in range(3000)) + b"\n")
    with pytest.raises(ValueError, match="line 2"):
        drive(connector).feed(b"a,b\n" + b"x" * 70_000 + b",1\n")


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)


@settings(max_examples=60)
@given(st.lists(st.lists(cells, min_size=1, max_size=5), max_size=6))
def test_any_rows_give_the_same_count_both_ways(table: list[list[str]]) -> None:
    import csv

    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["id", "time", "level", "name"])
    writer.writerows(table)
    mapping = {k: v for k, v in MAP.items() if k != "location"} | {"table": {"separator": ","}}
    config = FeedConfig(name="x", kind="tabular", source="x", options={"map": mapping})
    data = stream.getvalue().encode()

    def fresh() -> Situation:
        return Situation(config, 0, Findings(), {})

    one, other = fresh(), fresh()
    made = [d for row in connector.decode(data, one) for d in connector.map(row, one)]
    timed = sum("level" in document for document in made)
    assert sum(batch.num_rows for batch in batches(data, other)) == timed


@given(st.binary(max_size=80))
def test_any_bytes_give_rows_or_a_refusal(data: bytes) -> None:
    situation = Situation(FeedConfig(name="x", kind="tabular", source="x"), 0, Findings(), {})
    try:
        rows = list(connector.decode(data, situation))
    except ValueError:
        return
    assert all(isinstance(row, dict) for row in rows)
