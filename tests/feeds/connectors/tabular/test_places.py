"""Numbers, coordinates in national systems, items of lists, pages of an API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rynek.feeds.connectors.tabular import connector, parse
from rynek.feeds.kit.reference import reference

MAP: dict[str, Any] = {"type": "Device", "id": "{id}", "location": {"lon": "x", "lat": "y"}}


@pytest.mark.parametrize(
    ("crs", "x", "y", "lon", "lat"),
    [
        ("EPSG:5514", -742000, -1043200, 14.43282, 50.08679),
        ("EPSG:5513", 1043200, 742000, 14.43282, 50.08679),
        ("ESRI:102067", 742000, 1043200, 14.43282, 50.08679),
        ("EPSG:2180", 637512, 487000, 21.01420, 52.23185),
        ("urn:ogc:def:crs:EPSG::7801", 322000, 4730000, 23.32773, 42.68488),
        ("25834", 460000, 4960000, 20.49431, 44.79228),
        ("102100", 1605300.1, 6461200.2, 14.42066, 50.08610),
    ],
)
def test_national_coordinates_become_degrees(
    crs: str, x: float, y: float, lon: float, lat: float
) -> None:
    system = reference(crs)
    assert system is not None
    assert system.degrees(x, y) == pytest.approx((lon, lat), abs=2e-5)


def test_a_wrong_system_and_exchanged_axes_are_told(drive: Any) -> None:
    run = drive(
        connector, options={"map": MAP | {"location": MAP["location"] | {"crs": "EPSG:2180"}}}
    )
    run.feed(b"id,x,y\n1,5806999,637400\n2,637512,487000\n3,,\n4,a,b\n")
    assert run.findings == {"position-outside": 1, "position-missing": 1, "position-invalid": 1}
    assert reference("urn:ogc:def:crs:OGC:1.3:CRS84") is reference("EPSG:4326") is None
    with pytest.raises(ValueError, match="crs 'Krovak'"):
        reference("Krovak")
    with pytest.raises(ValueError, match="not in the registry"):
        reference("EPSG:999999")


def test_esri_json_says_its_own_system(drive: Any) -> None:
    document = {
        "spatialReference": {"wkid": 102067, "latestWkid": 5514},
        "fields": [{"name": "OBJECTID"}, {"name": "FREE"}, {"name": "A"}],
        "features": [{"attributes": {"OBJECTID": 1}, "geometry": {"x": -742000, "y": -1043200}}],
    }
    place = {"lon": "geometry.x", "lat": "geometry.y"}
    run = drive(
        connector, options={"map": MAP | {"id": "{attributes.OBJECTID}", "location": place}}
    )
    (made,) = run.feed(json.dumps(document).encode())
    assert made["location"]["value"]["coordinates"] == pytest.approx([14.43282, 50.08679], abs=2e-5)


def test_columns_in_degrees_stay_beside_geometries_in_metres(drive: Any) -> None:
    document = {
        "spatialReference": {"wkid": 5514},
        "features": [
            {"id": 1, "x": 14.5, "y": 50.1, "_crs": "EPSG:1"},
            {"id": 2, "x": -742000, "y": -1043200},
        ],
    }
    run = drive(connector, options={"map": MAP})
    places = [made["location"]["value"]["coordinates"] for made in run.feed(_bytes(document))]
    assert places[0] == [14.5, 50.1]
    assert places[1] == pytest.approx([14.43282, 50.08679], abs=2e-5)
    # What a source calls so itself is a column like others.
    (made,) = run.feed(_bytes([{"id": 3, "x": 14.5, "y": 50.1, "_crs": {"type": "name"}}]))
    assert made["location"]["value"]["coordinates"] == [14.5, 50.1]
    assert run.findings == {}


def _bytes(document: Any) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("0.125", ",", None),  # no thousands begin with 0
        ("1.234,5", ",", 1234.5),
        ("1\u202f234", ",", 1234),
        ("−3,5", ",", -3.5),
        ("1'234.5", ".", 1234.5),
        ("1,234,567", ".", 1234567),
        ("12.5", ",", None),  # 125 it never was
        ("1,234", ".", None),  # either 1234 or 1.234
        ("<0,5", ",", None),
        ("12 5", ",", None),
    ],
)
def test_a_number_is_read_one_way_or_not_at_all(
    drive: Any, text: str, decimal: str, value: float | None
) -> None:
    rule = {"name": "v", "column": "v", "kind": "number"}
    mapping = {"type": "Device", "id": "{id}", "attribute": [rule], "table": {"decimal": decimal}}
    run = drive(connector, options={"map": mapping})
    run.feed(f"id;v\nA;{text}\n".encode())
    assert run.documents[0].get("v", {}).get("value") == value
    assert run.findings == ({} if value is not None else {"bad-value": 1})


OCPI = {
    "data": [
        {
            "id": "LOC1",
            "coordinates": {"latitude": "50.0812", "longitude": "14.4212"},
            "evses": [
                {"uid": "3256", "status": "AVAILABLE", "last_updated": "2026-11-20T08:00:00Z"},
                {"uid": "3257", "status": "CHARGING", "last_updated": "2026-11-20T08:01:00Z"},
            ],
        },
        {"id": "LOC2", "coordinates": {"latitude": "50.1", "longitude": "14.4"}},
    ],
    "status_code": 1000,
    "timestamp": "2026-11-20T08:02:00Z",
}


def test_every_item_of_a_list_makes_a_row(drive: Any) -> None:
    mapping = {
        "type": "EVChargingStation",
        "id": "{id}-{evses.uid}",
        "table": {"each": "evses"},
        "time": {"column": "evses.last_updated"},
        "location": {"lon": "coordinates.longitude", "lat": "coordinates.latitude"},
        "attribute": [{"name": "status", "column": "evses.status"}],
    }
    run = drive(connector, options={"map": mapping})
    made = run.feed(json.dumps(OCPI).encode())
    assert [(d["id"].rsplit(":", 1)[1], d["status"]["value"]) for d in made] == [
        ("LOC1-3256", "AVAILABLE"),
        ("LOC1-3257", "CHARGING"),
    ]
    assert made[1]["status"]["observedAt"] == "2026-11-20T08:01:00Z"
    assert run.findings == {"no-items": 1}


def records(first: int = 0) -> list[dict[str, Any]]:
    return [{"id": n, "x": 14, "y": 50} for n in (first, first + 1)]


PAGES: list[tuple[str, Any, list[str]]] = [
    (
        "/api/3/action/datastore_search?resource_id=abc&limit=2",
        {"result": {"records": records(), "total": 5}},
        ["offset=2", "offset=4"],
    ),
    ("/records?limit=2", {"total_count": 3, "results": records()}, ["offset=2"]),
    ("/search/?rows=2", {"nhits": 4, "records": records()}, ["start=2"]),
    (
        "/FeatureServer/0/query?where=1=1",
        {"exceededTransferLimit": True, "features": records()},
        ["resultOffset=2", "resultOffset=4", "resultOffset=6"],
    ),
    (
        "/v1.1/Things?$top=2",
        {"value": records(), "@iot.count": 5, "@iot.nextLink": "https://h/v1.1/Things?$top=2&$skip=2"},
        ["$skip=2", "$skip=4"],
    ),
    ("/measurements?limit=2", {"meta": {"found": 5, "limit": 2, "page": 1}, "results": records()},
     ["page=2", "page=3"]),
    ("/getData/52?size=2", {"Lista": records(), "totalPages": 3}, ["page=1", "page=2"]),
    ("/wfs?count=2", {"type": "FeatureCollection", "numberMatched": 4, "features": records()},
     ["startIndex=2"]),
    ("/resource/abc.json?$limit=2", records(), ["$offset=2", "$offset=4", "$offset=6"]),
    ("/records?limit=2&offset=2", {"total_count": 4, "results": records()}, []),
    ("/list?size=2", {"data": records(), "page": 1, "totalPages": 3}, ["page=2", "page=3"]),
    ("/resource/whole.json?$limit=1", records(), []),
    ("/resource/abc.json", records(), []),
]  # fmt: skip


@pytest.mark.parametrize(("path", "document", "asked"), PAGES, ids=lambda value: str(value)[:30])
def test_further_pages_are_asked_for(
    drive: Any, path: str, document: Any, asked: list[str]
) -> None:
    run = drive(connector, source=f"https://h{path}", options={"map": MAP})
    wanted = run.connector.follow(json.dumps(document).encode(), run.situation)
    assert [url.rsplit("&" if "&" in url else "?", 1)[1] for _, url in wanted] == asked
    assert all(url.startswith(f"https://h{path.split('?', maxsplit=1)[0]}") for _, url in wanted)


def test_a_member_that_stands_several_times_in_the_url_stays(drive: Any) -> None:
    source = "https://h/records?refine=a:1&refine=b:2&limit=2&offset=0"
    run = drive(connector, source=source, options={"map": MAP})
    document = {"total_count": 3, "results": records()}
    ((_, url),) = run.connector.follow(json.dumps(document).encode(), run.situation)
    assert url == "https://h/records?refine=a:1&refine=b:2&limit=2&offset=2"


def test_the_next_page_is_where_the_first_was_and_links_without_a_number_are_told(
    drive: Any,
) -> None:
    run = drive(connector, source="https://h/frost/Things?$top=2", options={"map": MAP})
    link = "http://10.0.0.1:8080/FROST-Server/v1.1/Things?$top=2&$skipFilter=id+gt+2"
    data = json.dumps({"value": records(), "@iot.nextLink": link}).encode()
    ((part, url),) = run.connector.follow(data, run.situation)
    assert url == "https://h/frost/Things?$top=2&$skipFilter=id+gt+2"
    assert run.findings == {}
    run.feed(data, part)
    assert run.findings == {"more-pages": 1}


def test_a_server_that_gives_the_first_page_again_is_told(drive: Any) -> None:
    run = drive(connector, source="https://h/records", options={"map": MAP})
    pages = [records(2), records(4), records(0)]
    for given in (pages, pages, [pages[2]] * 3):
        told = run.findings.get("pages-alike", 0)
        for part, results in zip(("page-1", "page-2", ""), given, strict=True):
            run.feed(json.dumps({"total_count": 6, "results": results}).encode(), part)
    assert (told, run.findings) == (0, {"pages-alike": 2})


def test_a_page_in_a_file_says_that_it_is_not_all(drive: Any) -> None:
    run = drive(connector, source="ckan.json", options={"map": MAP})
    data = json.dumps(PAGES[0][1]).encode()
    assert run.connector.follow(data, run.situation) == ()
    run.feed(data)
    assert run.findings == {"more-pages": 1}


def test_as_many_pages_as_there_are_until_the_last_is_not_full(drive: Any) -> None:
    path = PAGES[3][0]
    run = drive(connector, source=f"https://h{path}", options={"map": MAP})
    for count in (3, 6, 12):
        data = json.dumps({"exceededTransferLimit": True, "features": records(count)}).encode()
        run.situation.part = ""
        assert len(run.connector.follow(data, run.situation)) == count
        run.feed(data, f"page-{count}")
    assert run.findings == {"more-pages": 3}
    run.feed(b'{"features": []}', "page-12")
    assert run.findings == {"more-pages": 3}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('type = "A"\nid = "x"\n', "single = true"),
        ('type = "A"\nid = "{x}"\nsingle = true\n', "single = true"),
        ('type = "A"\nid = "{x}"\n[location]\nlon = "x"\n', "location needs one of"),
        ('type = "A"\nid = "{x}"\n[location]\nlatlon = "x"\ncrs = "5514x"\n', "EPSG:5514"),
        ('type = "A"\nid = "{x}"\n[time]\nzone = "UTC"\n', "time needs one of"),
        ('type = "A"\nid = "{x}"\n[[attribute]]\nname = "id"\ncolumn = "x"\n', "another"),
    ],
)
def test_a_mapping_that_makes_no_sense_says_why(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse(text)
