"""Tests of values in SQL never contradict the exact test of an instance (CIM 009 §4.9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.history.support import T0, ListLog, change, iri
from tests.history.test_follow import with_history

from rynek.context import Entity, Instance, Query, parse_geo, parse_q, terms_of, value_test
from rynek.context import geo_test as place_test
from rynek.history import History, Selection
from rynek.history.decode import get_value, put_value
from rynek.history.schema import Reading

VALUES: list[Instance] = [
    *(Instance("Property", value) for value in (
        0, 3, 3.5, -2, 2**60, "x", "y", "3", "", "2020-01-01", "2020-01-01T00:00:00Z", "10:00:00",
        "it's", True, False, [1, 3], ["x"], [], {"k": 1}, {"@type": "DateTime", "@value": "2020-01-01T00:00:00Z"},
    )),
    Instance("Property", "3", value_type="https://uri.etsi.org/ngsi-ld/Date"),
    Instance("Property", 3, value_type="https://example.org/number"),
    Instance("Relationship", "urn:a:1"),
    Instance("Relationship", ["urn:a:1", "urn:a:2"]),
    Instance("LanguageProperty", {"en": "x", "pl": "y"}),
    Instance("JsonProperty", {"k": 3}),
    Instance("JsonProperty", 3),
    Instance("VocabProperty", iri("x")),
    Instance("ListProperty", [3, 4]),
    Instance("ListRelationship", ["urn:a:1"]),
    Instance("GeoProperty", {"type": "Point", "coordinates": [3.0, 4.0]}),
    Instance("GeoProperty", {"type": "LineString", "coordinates": [[0.0, 0.0], [3.0, 4.0]]}),
    Instance("Property", 3, subs={iri("b"): [Instance("Property", 5)]}),
]  # fmt: skip
QUERIES = [
    "a", "a==3", "a!=3", "a>1", "a>=3", "a<3", "a<=3.5", "a==1,3", "a!=1,3", "a==1..3.2", "a!=1..3.2",
    'a=="x"', 'a!="x"', 'a>"w"', 'a<="x"', 'a=="x","y"', 'a!="x","y"', 'a=="3"', 'a=="it\'s"',
    'a=="2020-01-01"', "a==2020-01-01", "a>2019-01-01T00:00:00Z", "a==true", "a!=false", "a==urn:a:1",
    "a!=urn:a:1", "a~=^x", "a!~=x", "a[k]==1", 'a[en]=="x"', "a.b>1", "a.valueType", "a.observedAt>2027-01-01T00:00:00Z", "a.observedAt<2027-01-01T00:00:00Z",
]  # fmt: skip


def fill(log: ListLog) -> dict[str, Instance]:
    """One entity for each value."""
    found = {}
    for number, instance in enumerate(VALUES):
        entity_id = f"urn:x:{number:02d}"
        log.write(change("create", entity_id, {"a": instance}, at=T0))
        found[entity_id] = instance
    return found


@pytest.mark.parametrize("of", ["every kind", "numbers"])
@pytest.mark.parametrize("where", ["above", "table", "known table"])
def test_sql_is_never_wrong_about_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, of: str
) -> None:
    log = ListLog()
    if of == "numbers":
        numbers = [Instance("Property", v, observed_at="2026-03-10T12:00:00Z") for v in (0, 3, 4.5)]
        monkeypatch.setattr("tests.history.test_values.VALUES", numbers)
    facts = fill(log)

    async def test(history: History) -> None:
        if where != "above":
            await history.flush()
        if where == "known table":
            history._questions.warm(history._lake.snapshot.parts(), 9)
        for text in QUERIES:
            node = parse_q(text, iri)
            (term,) = terms_of(node)
            ((passed, unsure),) = await history.passing(Selection(), [value_test(term)])
            query = Query(q=node)
            for entity_id, instance in facts.items():
                exact = query.matches(Entity(entity_id, [], {iri("a"): [instance]}))
                case = (text, instance)
                assert entity_id not in passed or exact, case
                assert entity_id in passed or entity_id in unsure or not exact, case

    with_history(tmp_path, test, log)


def test_numbers_and_texts_are_decided_by_sql_alone(tmp_path: Path) -> None:
    log = ListLog()
    for number, value in enumerate([1, 5, "x", "y"]):
        log.write(change("create", f"urn:x:{number}", {"a": Instance("Property", value)}, at=T0))

    async def test(history: History) -> None:
        wanted = {"a>3": {"1"}, "a!=1": {"1", "2", "3"}, 'a=="x"': {"2"}, "a": {"0", "1", "2", "3"}}
        for text, ids in wanted.items():
            (term,) = terms_of(parse_q(text, iri))
            ((passed, unsure),) = await history.passing(Selection(), [value_test(term)])
            assert ({one[-1] for one in passed}, unsure) == (ids, set()), text

    with_history(tmp_path, test, log)


@pytest.mark.parametrize(
    ("georel", "kind", "coordinates"),
    [
        ("near;maxDistance==1000", "Point", "[3,4]"),
        ("near;minDistance==1000", "Point", "[3,4]"),
        ("intersects", "Point", "[3,4]"),
        ("within", "Polygon", "[[[2,3],[4,3],[4,5],[2,5],[2,3]]]"),
        ("disjoint", "Point", "[9,9]"),
    ],
)
def test_places_outside_the_box_are_out(
    tmp_path: Path, georel: str, kind: str, coordinates: str
) -> None:
    log = ListLog()
    facts = fill(log)

    async def test(history: History) -> None:
        await history.flush()
        query = Query(geo=parse_geo(georel, kind, coordinates, "a", iri))
        ((passed, unsure),) = await history.passing(Selection(), [place_test(query)])
        assert not passed
        for entity_id, instance in facts.items():
            entity: Any = Entity(entity_id, [], {iri("a"): [instance]})
            assert entity_id in unsure or not query.matches(entity)

    with_history(tmp_path, test, log)


@pytest.mark.parametrize("place", [[1, 2], [-8, 41.5], [2.0**60, 0]])
def test_a_point_comes_back_as_it_was_written(place: list[float]) -> None:
    row = Reading(1, "urn:x", "T", "a", None, "GeoProperty", T0, True, T0)
    put_value(row, "GeoProperty", {"type": "Point", "coordinates": place})
    assert row.lon is not None
    assert repr(get_value(row)["coordinates"]) == repr(place)
