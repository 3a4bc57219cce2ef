"""NGSI-LD in every representation: the Smart Data Models examples, and a broker's pages."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recorded import DATA, needed

from rynek.context import VALUE_MEMBER
from rynek.feeds.connectors.ngsild import connector
from rynek.feeds.contract import FeedConfig, Findings, Situation
from rynek.feeds.registry import complete

MODELS = DATA / "smart_data_models"
EXAMPLES = sorted(MODELS.glob("*/*/example*.json*"))
BROKER = "https://broker.example"


def config(**settings: Any) -> FeedConfig:
    return FeedConfig(**({"name": "x", "kind": "ngsild", "source": BROKER} | settings))


def test_all_smart_data_models_examples(drive: Any) -> None:
    needed("smart_data_models")
    run = drive(connector)
    for path in EXAMPLES:
        made = run.feed(path.read_bytes())
        assert len(made) == 1
        for name, value in made[0].items():
            if name not in ("id", "type", "scope"):
                for instance in value if isinstance(value, list) else [value]:
                    assert VALUE_MEMBER[instance["type"]] in instance, (path, name)
    assert run.records == 145
    assert len(run.entities) == 34
    assert run.findings == {"ngsi-v2": 503, "id-no-uri": 16}


@pytest.mark.parametrize("model", ["Weather/WeatherObserved", "Transportation/EVChargingStation"])
def test_normalized_and_simplified_say_the_same(drive: Any, model: str) -> None:
    found = []
    for name in ("example-normalized.jsonld", "example.jsonld"):
        run = drive(connector, provider="City")
        (made,) = run.feed((MODELS / model / name).read_bytes())
        assert made["type"] == model.split("/")[1]
        assert made["location"]["type"] == "GeoProperty"
        assert made["location"]["value"]["type"] == "Point"
        assert "dataProvider" in made
        assert "@context" not in made
        found.append(made)
    assert found[0].keys() == found[1].keys()
    numbers = [
        {k: v["value"] for k, v in made.items() if isinstance(v, dict) and _is_number(v)}
        for made in found
    ]
    assert numbers[0] == numbers[1] != {}


def _is_number(attribute: dict[str, Any]) -> bool:
    return isinstance(attribute.get("value"), int | float)


def test_ngsi_v2_is_read_and_said(drive: Any) -> None:
    run = drive(connector)
    path = MODELS / "Parking/OffStreetParking/example-normalized.json"
    (made,) = run.feed(path.read_bytes())
    assert made["id"] == "urn:ngsi-ld:OffStreetParking:porto-ParkingLot-23889"
    assert made["location"]["type"] == "GeoProperty"
    assert run.findings == {"ngsi-v2": 25, "id-no-uri": 1}


def test_concise_with_parts_instances_and_iris(drive: Any) -> None:
    entity = {
        "id": "urn:ngsi-ld:Vehicle:1",
        "type": "https://smartdatamodels.org/dataModel.Transportation/Vehicle",
        "https://uri.etsi.org/ngsi-ld/default-context/speed": {
            "value": 50,
            "unitCode": "KMH",
            "observedAt": "2026-01-01T10:00:00+01:00",
            "accuracy": 0.5,
        },
        "level": [{"value": 1, "datasetId": "urn:a"}, {"type": "Property", "value": 2}],
        "owner": {"object": "urn:ngsi-ld:Org:1"},
        "name": {"languageMap": {"en": "a", "pl": "b"}},
        "location": {"type": "Point", "coordinates": [1, 2]},
        "note": None,
        "source": {"value": "theirs"},
        "createdAt": "2026-01-01T00:00:00Z",
    }
    run = drive(connector)
    (made,) = run.feed(json.dumps(entity).encode())
    assert made == {
        "id": "urn:ngsi-ld:Vehicle:1",
        "type": "Vehicle",
        "speed": {
            "type": "Property",
            "value": 50,
            "unitCode": "KMH",
            "observedAt": "2026-01-01T09:00:00Z",
            "accuracy": {"type": "Property", "value": 0.5},
        },
        "level": [
            {"type": "Property", "value": 1, "datasetId": "urn:a"},
            {"type": "Property", "value": 2},
        ],
        "owner": {"type": "Relationship", "object": "urn:ngsi-ld:Org:1"},
        "name": {"type": "LanguageProperty", "languageMap": {"en": "a", "pl": "b"}},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}},
        "source": {"type": "Property", "value": "theirs"},
    }
    assert run.findings == {"term-shortened": 1, "null-value": 1}


def test_array_lines_and_bad_records(drive: Any) -> None:
    good = {"id": "urn:ngsi-ld:A:1", "type": "A", "x": 1}
    array, lines = drive(connector), drive(connector)
    array.feed(json.dumps([good, {"id": "urn:x:1"}, 3, good]).encode())
    assert array.entities == {"A": 1}
    assert array.findings == {"bad-record": 2}
    lines.feed(b"\n".join([json.dumps(good).encode(), b"{oops", json.dumps(good).encode()]))
    assert lines.records == 2
    assert lines.findings == {"bad-record": 1}


def test_request_from_options() -> None:
    asked = complete(
        config(
            options={
                "types": ["Vehicle", "GtfsStop"],
                "q": "speed>50",
                "tenant": "kyiv",
                "context": "https://models.example/context.jsonld",
                "limit": 100,
            }
        )
    )
    assert asked.source == (
        f"{BROKER}/ngsi-ld/v1/entities?type=Vehicle,GtfsStop&q=speed%3E50&limit=100"
    )
    assert asked.headers["NGSILD-Tenant"] == "kyiv"
    assert asked.headers["Link"].startswith("<https://models.example/context.jsonld>; rel=")
    assert complete(asked) == asked


@pytest.mark.parametrize("options", [{}, {"types": ["A"], "limit": 0}])
def test_request_that_says_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="option"):
        complete(config(options=options))


def test_pages_are_followed_and_more_in_the_next_poll() -> None:
    asked = complete(config(options={"types": ["A"], "limit": 2}))
    situation = Situation(asked, 0, Findings(), {})
    full = json.dumps([{"id": f"urn:a:{n}", "type": "A"} for n in range(2)]).encode()
    half = json.dumps([{"id": "urn:a:9", "type": "A"}]).encode()
    assert list(connector.follow(half, situation)) == []
    pages = list(connector.follow(full, situation))
    assert [url.rsplit("offset=")[1] for _, url in pages] == ["2", "4", "6"]
    for part, _ in pages:
        situation.part = part
        assert len(list(connector.decode(full, situation))) == 2
    assert [f.code for f in situation.findings.all()] == ["more-pages"]
    assert len(connector.follow(full, situation)) == 6
    situation.memory["pages"] = 1000
    assert len(connector.follow(full, situation)) == 31


def test_files_are_not_paged(drive: Any) -> None:
    run = drive(connector, options={"limit": 1})
    data = json.dumps([{"id": "urn:a:1", "type": "A"}]).encode()
    assert list(connector.follow(data, run.situation)) == []


def test_sniff_and_refusals(drive: Any) -> None:
    needed("smart_data_models")
    sure = Counter(connector.sniff(path.read_bytes()[:65536], path.name) > 0.5 for path in EXAMPLES)
    assert sure[True] >= 110
    assert connector.sniff(b"a,b", "x.csv") == 0
    for bad in (b"", b"{", b"3", b"a,b"):
        with pytest.raises(ValueError, match="NGSI-LD"):
            drive(connector).feed(bad)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "value", "object", "id", "observedAt", "x"]), inner
        )
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["id", "type", "@type", "a", "location"]), values))
def test_any_object_gives_a_document_or_is_counted(entity: dict[str, Any]) -> None:
    situation = Situation(FeedConfig(name="x", kind="ngsild", source="f"), 0, Findings(), {})
    data = json.dumps(entity).encode()
    for record in connector.decode(data, situation):
        for made in connector.map(record, situation):
            assert ":" in made["id"]
            assert made["type"]


@pytest.mark.parametrize(
    ("kind", "value", "geometry"),
    [
        ("geo:point", "50.1, 14.4", {"type": "Point", "coordinates": [14.4, 50.1]}),
        (
            "geo:line",
            ["50,14", "51,15"],
            {"type": "LineString", "coordinates": [[14, 50], [15, 51]]},
        ),
        (
            "geo:box",
            ["50,14", "51,15"],
            {
                "type": "Polygon",
                "coordinates": [[[14, 50], [15, 50], [15, 51], [14, 51], [14, 50]]],
            },
        ),
        ("geo:point", "somewhere", None),
        ("geo:json", "50.1, 14.4", None),
    ],
)
def test_simple_places_of_ngsi_v2(drive: Any, kind: str, value: Any, geometry: Any) -> None:
    run = drive(connector)
    entity = {"id": "bin1", "type": "Bin", "location": {"type": kind, "value": value}}
    (made,) = run.feed(json.dumps([entity]).encode())
    assert made.get("location", {}).get("value") == geometry
    assert run.findings.get("bad-attribute", 0) == (geometry is None)
