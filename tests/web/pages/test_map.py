"""The map's HTTP face: page without script, views, legend, search, stream, base map."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.clock import parse_iso
from rynek.web.basemap import layers_for, read_layer
from rynek.web.live_lines import _scheduled_steps
from rynek.web.pages.map import parse_box

LAYERS = {
    layer.name for tenant in ("praha", "poznan", "kyiv", "krakow") for layer in layers_for(tenant)
}


def test_the_page_reads_without_script(client: httpx.Client) -> None:
    page = client.get("/c/poznan/").text
    assert "Things known here: 544." in page
    assert re.search(r"<h2>Transport\s*<span class=\"muted\">544", page)
    assert page.count('href="/c/poznan/entities/urn:ngsi-ld:Vehicle:vehicles:') == 15
    for source in ("Natural Earth", "© OpenStreetMap contributors, ODbL", "GUGiK PRG"):
        assert source in page
    assert page.count("<h1") == 1
    assert not re.search(r">\s*urn:ngsi-ld:[^<]*</a>", page)
    polish = client.get("/c/poznan/?lang=pl").text
    assert "Granica miasta: © autorzy OpenStreetMap, ODbL" in polish
    assert "City boundary" not in polish


def test_page_data_cannot_break_out_of_its_element(client: httpx.Client) -> None:
    page = client.get("/c/oslo/").text
    data = page.split('id="page-data">')[1].split("</script>")[0]
    assert "<" not in data
    assert json.loads(data)["tenant"] == "oslo"


def test_a_view_holds_what_is_in_it(client: httpx.Client) -> None:
    answer = client.get("/c/poznan/map/features?bbox=16.9,52.39,16.95,52.42&zoom=14")
    assert answer.headers["content-type"].startswith("application/geo+json")
    view = answer.json()
    assert 0 < view["total"] == len(view["features"]) < 544
    for item in view["features"]:
        lon, lat = item["geometry"]["coordinates"]
        assert 16.9 <= lon <= 16.95
        assert 52.39 <= lat <= 52.42
        assert item["properties"]["theme"] == "transport"
    few = client.get("/c/poznan/map/features?limit=10&zoom=11").json()
    assert few["clustered"]
    assert sum(f["properties"].get("count", 1) for f in few["features"]) == 544
    assert client.get("/c/poznan/map/features?themes=none").json()["total"] == 0


@pytest.mark.parametrize(
    "query",
    ["bbox=1,2,3", "bbox=a,b,c,d", "bbox=0,9,1,1", "bbox=nan,0,1,1", "zoom=x", "zoom=nan",
     "themes=flowers", "status=sleepy", "limit=many", "limit=" + "9" * 400],
)  # fmt: skip
def test_a_wrong_question_is_told_so(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/c/poznan/map/features?{query}")
    assert answer.status_code in (200, 400) if query.startswith("limit=9") else 400
    if answer.status_code == 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


@given(st.lists(st.floats(-1000, 1000), min_size=4, max_size=4))
def test_a_box_is_made_of_real_degrees(parts: list[float]) -> None:
    west, south, east, north = parts
    text = ",".join(map(str, parts))
    if south > north:
        with pytest.raises(ValueError, match="south"):
            parse_box(text)
        return
    box = parse_box(text)
    assert box is not None
    assert -180 <= box[0] <= 180
    assert -180 <= box[2] <= 180
    if east - west >= 360:
        assert box == (-180.0, south, 180.0, north)


def test_legend_and_search(client: httpx.Client) -> None:
    legend = client.get("/c/oslo/map/legend").json()
    # One of the forty stations has no status on that day.
    assert legend["themes"]["bikes"]["total"] == 39
    found = client.get("/c/poznan/map/search", params={"q": "701/11"}).json()["features"]
    assert [item["properties"]["label"] for item in found] == ["701"]
    assert client.get("/c/poznan/map/search?q=" + "x" * 5000).json()["features"] == []


def test_the_network_counts_every_city(client: httpx.Client) -> None:
    client.get("/c/oslo/map/legend")
    cities = {f["properties"]["id"]: f for f in client.get("/map/network").json()["features"]}
    assert cities["poznan"]["geometry"]["coordinates"] == [16.93, 52.41]
    assert cities["poznan"]["properties"]["total"] == 544
    assert cities["poznan"]["properties"]["url"] == "/c/poznan/"
    # Oslo's settings name no centre: it is where its stations are.
    lon, lat = cities["oslo"]["geometry"]["coordinates"]
    assert 10.6 < lon < 10.9
    assert 59.8 < lat < 60.0


def read_event(lines: Iterator[str], wanted: str) -> tuple[str, dict[str, Any]]:
    """The id and data of the next event of that name."""
    number, name = "", ""
    for line in lines:
        if line.startswith("id: "):
            number = line[4:]
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: ") and name == wanted:
            return number, json.loads(line[6:])
    raise AssertionError(f"the stream ended without {wanted}")


def test_a_write_reaches_the_stream_and_a_returning_reader(client: httpx.Client) -> None:
    def move(lon: float) -> None:
        body = {
            "id": "urn:ngsi-ld:Vehicle:test:1",
            "type": "Vehicle",
            "location": {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": [lon, 59.9]},
            },
        }
        answer = client.post(
            "/ngsi-ld/v1/entityOperations/upsert", json=[body], headers={"NGSILD-Tenant": "oslo"}
        )
        assert answer.status_code in (201, 204)

    with client.stream("GET", "/c/oslo/map/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        read_event(lines, "hello")
        move(10.71)
        number, frame = read_event(lines, "changes")
        (moved,) = frame["features"]
        assert moved["geometry"]["coordinates"] == [10.71, 59.9]
        move(10.72)
        read_event(lines, "changes")
    with client.stream("GET", "/c/oslo/map/stream", headers={"Last-Event-ID": number}) as stream:
        _, missed = read_event(stream.iter_lines(), "changes")
        (moved,) = missed["features"]
        assert moved["geometry"]["coordinates"] == [10.72, 59.9]
    with client.stream("GET", "/c/oslo/map/stream?last=1") as stream:
        read_event(stream.iter_lines(), "resync")


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_base_layer_is_valid_and_cached(client: httpx.Client, name: str) -> None:
    body, tag = read_layer(name)
    shapes = json.loads(body)
    assert shapes["type"] == "FeatureCollection"
    assert shapes["features"]
    tenant = next(
        t for t in ("poznan", "praha", "kyiv", "krakow") if name in {x.name for x in layers_for(t)}
    )
    if tenant != "poznan":
        assert client.get(f"/c/poznan/map/base/{name}.geojson").status_code == 404
        return
    path = f"/c/poznan/map/base/{name}.geojson"
    answer = client.get(path)
    assert answer.headers["etag"] == f'"{tag}"'
    assert answer.content == body
    assert client.get(path, headers={"If-None-Match": f'"{tag}"'}).status_code == 304


def test_the_base_map_is_small_and_every_layer_names_its_source() -> None:
    sizes = [len(read_layer(name)[0]) for name in LAYERS]
    assert sum(sizes) < 1_500_000
    for tenant in ("praha", "poznan", "kyiv", "krakow"):
        for layer in layers_for(tenant):
            assert layer.licence not in ("", "unknown")
            assert layer.attribution
            assert layer.publisher


def test_no_path_leads_out_of_the_base_map(client: httpx.Client) -> None:
    for name in ("../SOURCES", "..%2f..%2fthemes", "nothing"):
        assert client.get(f"/c/poznan/map/base/{name}.geojson").status_code == 404


def test_without_a_schedule_there_are_no_lines_and_nobody_is_due(client: httpx.Client) -> None:
    assert client.get("/c/oslo/map/lines.geojson").json()["features"] == []
    due = client.get("/c/oslo/map/scheduled").json()
    assert (due["features"], due["total"]) == ([], 0)


class _Tables:
    def __init__(self, **tables: pa.Table) -> None:
        self._tables = tables

    def get(self, _group: str, table: str, columns: list[str] | None = None) -> pa.Table:
        found = self._tables[table]
        return found.select(columns) if columns else found


def test_streets_follow_stops_where_a_schedule_has_no_shapes() -> None:
    """Each pair of neighbouring stops once, in either direction; never from one trip to the next."""
    shapes = pa.table({"shape_id": pa.array([], pa.string()), "lon": pa.array([], pa.float64()),
                       "lat": pa.array([], pa.float64())})  # fmt: skip
    stops = pa.table({"lon": [13.0, 13.1, 13.2], "lat": [49.0, 49.1, 49.2]})
    times = pa.table({"trip": [0, 0, 0, 1, 1], "stop": [0, 1, 2, 1, 0]})
    steps = _scheduled_steps(_Tables(shapes=shapes, stops=stops, stop_times=times), "any")
    assert steps.tolist() == [[13.0, 49.0, 13.1, 49.1], [13.1, 49.1, 13.2, 49.2]]


def test_the_repository_keeps_no_layer_without_an_entry() -> None:
    folder = Path(__file__).parents[3] / "src/rynek/web/basemap"
    entries = (folder / "SOURCES.toml").read_text(encoding="utf-8")
    for path in folder.glob("*.geojson"):
        assert f'name = "{path.stem}"' in entries


def test_the_clock_of_the_stream_is_the_tenants(client: httpx.Client) -> None:
    with client.stream("GET", "/c/poznan/map/stream") as stream:
        _, told = read_event(stream.iter_lines(), "hello")
    assert int(str(told["now"])) * 1000 > parse_iso("2026-01-01T00:00:00Z")
    assert told["speed"] == 1.0
