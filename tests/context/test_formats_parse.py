"""Reading entities, fragments and attributes: the three forms, and what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.errors import BadRequestData
from rynek.context.formats import (
    MAX_DEPTH,
    is_null,
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_partial,
)
from rynek.context.jsonld import core_context
from rynek.context.model import DEFAULT_VOCAB, LOCATION, NGSI_LD, NULL, Entity, Instance

CTX = core_context()
POINT = {"type": "Point", "coordinates": [16.92, 52.41]}
URN = "urn:ngsi-ld:X:1"


def entity(**attrs: Any) -> Entity:
    return parse_entity({"id": URN, "type": "X", **attrs}, CTX, now=7)


def one(raw: Any) -> Instance:
    (instance,) = entity(a=raw).attrs[DEFAULT_VOCAB + "a"]
    assert (instance.created_at, instance.modified_at) == (7, 7)
    return instance


def kind_and_value(raw: Any) -> tuple[str, Any]:
    instance = one(raw)
    return instance.kind, instance.value


def test_an_entity() -> None:
    got = parse_entity(
        {
            "id": URN,
            "type": ["X", "Y", "X"],
            "scope": "/PL/Poznan",
            "expiresAt": "2027-01-01T00:00:00Z",
            "createdAt": "1999-01-01T00:00:00Z",
            "location": POINT,
            "@context": "https://example.org/read-elsewhere",
        },
        CTX,
        now=9,
    )
    assert got == Entity(
        URN,
        [DEFAULT_VOCAB + "X", DEFAULT_VOCAB + "Y"],
        {LOCATION: [Instance("GeoProperty", POINT, created_at=9, modified_at=9)]},
        ["/PL/Poznan"],
        "2027-01-01T00:00:00Z",
        9,
        9,
    )


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        ({"type": "Property", "value": 5}, "Property", 5),
        ({"value": 5}, "Property", 5),
        (5, "Property", 5),
        (False, "Property", False),
        ("text", "Property", "text"),
        ([1, 2], "Property", [1, 2]),
        ([], "Property", []),
        ([{"a": 1}], "Property", [{"a": 1}]),
        ([{"type": "Stop", "value": 1}], "Property", [{"type": "Stop", "value": 1}]),
        ({"type": "Property", "value": POINT}, "Property", POINT),
        ({"type": "GeoProperty", "value": POINT}, "GeoProperty", POINT),
        ({"value": POINT}, "GeoProperty", POINT),
        (POINT, "GeoProperty", POINT),
        ({"type": "Relationship", "object": URN}, "Relationship", URN),
        ({"object": [URN, "urn:b:2"]}, "Relationship", [URN, "urn:b:2"]),
        ({"languageMap": {"en": "bin", "pl": ["kosz"]}}, "LanguageProperty", {"en": "bin", "pl": ["kosz"]}),
        ({"type": "VocabProperty", "vocab": "bus"}, "VocabProperty", DEFAULT_VOCAB + "bus"),
        ({"vocab": ["bus", "Point"]}, "VocabProperty",
         [DEFAULT_VOCAB + "bus", "https://purl.org/geojson/vocab#Point"]),
        ({"json": {"a": None}}, "JsonProperty", {"a": None}),
        ({"type": "JsonProperty", "json": [None, NULL]}, "JsonProperty", [None, NULL]),
        ({"valueList": [1, [2]]}, "ListProperty", [1, [2]]),
        ({"objectList": [{"object": URN}, "urn:b:2"]}, "ListRelationship", [URN, "urn:b:2"]),
        ({"type": NGSI_LD + "Property", "value": 1}, "Property", 1),
        ({"type": "ngsi-ld:Property", "value": 1}, "Property", 1),
    ],
)  # fmt: skip
def test_kinds_in_normalized_concise_and_simplified_form(raw: Any, kind: str, value: Any) -> None:
    assert kind_and_value(raw) == (kind, value)


def test_members_of_an_instance() -> None:
    got = one(
        {
            "value": 5,
            "unitCode": "KMH",
            "observedAt": "2026-11-22T10:00:00,25Z",
            "expiresAt": "2026-12-22T10:00:00.5Z",
            "datasetId": "urn:ngsi-ld:Dataset:gps",
            "valueType": "DateTime",
            "createdAt": "1999-01-01T00:00:00Z",
            "instanceId": "urn:ngsi-ld:Instance:1",
            "accuracy": {"value": 3, "unitCode": "MTR", "by": {"object": URN}},
        }
    )
    assert (got.unit_code, got.observed_at, got.expires_at) == (
        "KMH",
        "2026-11-22T10:00:00.25Z",
        "2026-12-22T10:00:00.5Z",
    )
    assert (got.dataset_id, got.value_type) == ("urn:ngsi-ld:Dataset:gps", NGSI_LD + "DateTime")
    assert got.subs is not None
    accuracy = got.subs[DEFAULT_VOCAB + "accuracy"][0]
    assert (accuracy.value, accuracy.unit_code) == (3, "MTR")
    assert accuracy.subs is not None
    assert accuracy.subs[DEFAULT_VOCAB + "by"][0].kind == "Relationship"


def test_object_types() -> None:
    assert one({"object": URN, "objectType": "Y"}).object_type == [DEFAULT_VOCAB + "Y"]


def test_several_instances() -> None:
    raw = [
        {"value": 1},
        {"value": 2, "datasetId": "urn:d:1"},
        {"type": "Property", "value": 3, "datasetId": "urn:d:2"},
    ]
    instances = entity(a=raw).attrs[DEFAULT_VOCAB + "a"]
    assert [(i.value, i.dataset_id) for i in instances] == [
        (1, None),
        (2, "urn:d:1"),
        (3, "urn:d:2"),
    ]


def test_several_instances_in_simplified_form() -> None:
    instances = entity(a={"dataset": {"@none": {"vocab": "y"}, "urn:d:1": {"vocab": "x"}}}).attrs[
        DEFAULT_VOCAB + "a"
    ]
    assert [(i.kind, i.dataset_id) for i in instances] == [
        ("VocabProperty", None),
        ("VocabProperty", "urn:d:1"),
    ]
    with pytest.raises(BadRequestData, match="one type"):
        entity(a={"dataset": {"@none": 1, "urn:d:1": {"vocab": "x"}}})


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "not a JSON object"),
        ({"type": "X"}, "no id"),
        ({"id": "x", "type": "X"}, "id: id is not a URI"),
        ({"id": 5, "type": "X"}, "id is not a URI"),
        ({"id": "urn:a b", "type": "X"}, "id is not a URI"),
        ({"id": URN}, "no type"),
        ({"id": URN, "type": []}, "type"),
        ({"id": URN, "type": [5]}, "type"),
        ({"id": URN, "type": ""}, "type"),
        ({"id": URN, "type": "a b"}, "legal"),
        ({"id": URN, "type": "X", "scope": "/a//b"}, "scope: not a scope"),
        ({"id": URN, "type": "X", "scope": 5}, "scope"),
        ({"id": URN, "type": "X", "a b": 1}, "legal"),
        ({"id": URN, "type": "X", "@value": 1}, "@value"),
        ({"id": URN, "type": "X", "a": 1, DEFAULT_VOCAB + "a": 2}, "twice"),
        ({"id": URN, "type": "X", NGSI_LD + "observedAt": 2}, "not the name"),
    ],
)  # fmt: skip
def test_entities_that_are_none(document: Any, says: str) -> None:
    with pytest.raises(BadRequestData, match=says):
        parse_entity(document, CTX, now=1)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (None, "^a: null"),
        ({"type": "Property", "value": None}, "^a: null"),
        ({"type": "Property"}, "needs the member 'value'"),
        ({"type": "Relationship", "value": URN}, "needs the member 'object'"),
        ({"type": "Relationship", "object": "nowhere"}, "object is not a URI"),
        ({"type": "Relationship", "object": []}, "empty"),
        ({"type": "Propperty", "value": 5}, "'Propperty' is not a type of attribute"),
        ({"type": 5, "value": 5}, "not a type of attribute"),
        ({"type": "GeoProperty", "value": "here"}, "^a: a geometry"),
        ({"type": "Point", "coordinates": [200, 0]}, "^a: "),
        ({"languageMap": {}}, "languageMap"),
        ({"languageMap": {"en": 5}}, "languageMap"),
        ({"vocab": 5}, "vocab"),
        ({"vocab": "@none"}, "vocab"),
        ({"valueList": 5}, "valueList"),
        ({"objectList": [5]}, "object is not a URI"),
        ({"value": 1, "observedAt": "yesterday"}, "observedAt is not a DateTime .*: 'yesterday'"),
        ({"value": 1, "observedAt": "2026-11-22"}, "DateTime"),
        ({"value": 1, "observedAt": "2026-11-22T10:00:00"}, "DateTime"),
        ({"value": 1, "observedAt": "2026-13-22T10:00:00Z"}, "DateTime"),
        ({"value": 1, "observedAt": "2026-W47-7T10:00:00Z"}, "DateTime"),
        ({"value": 1, "observedAt": 5}, "DateTime"),
        ({"value": 1, "unitCode": 5}, "unitCode"),
        ({"value": 1, "datasetId": "x"}, "datasetId is not a URI"),
        ({"object": URN, "objectType": 5}, "objectType"),
        ({"value": 1, "b": {"c": {"value": None}, "value": 2}}, r"^a\.b\.c: null"),
        ({"value": 1, "b c": 1}, r"^a\.b c: "),
        ({"value": 1, NGSI_LD + "hasValue": 1}, "value: stands twice"),
        ({"value": 1, "b": 1, DEFAULT_VOCAB + "b": 1}, "twice"),
        ([{"value": 1}, {"value": 2}], "same datasetId"),
        ([{"value": 1, "datasetId": "urn:d:1"}, {"value": 2, "datasetId": "urn:d:1"}], "same"),
        ({"dataset": {}}, "without any instance"),
        (NULL, "only for fragments"),
        ({"value": NULL}, "only for fragments"),
        ({"languageMap": {"en": NULL}}, "only for fragments"),
    ],
)  # fmt: skip
def test_attributes_that_are_none(raw: Any, says: str) -> None:
    with pytest.raises(BadRequestData, match=says):
        entity(a=raw)


def test_depth_is_bounded() -> None:
    raw: Any = 1
    for _ in range(MAX_DEPTH + 2):
        raw = {"value": 1, "b": raw}
    with pytest.raises(BadRequestData, match="deep"):
        entity(a=raw)


def test_a_fragment_needs_neither_id_nor_type() -> None:
    fragment = parse_fragment({"a": 1}, CTX, now=3)
    assert (fragment.id, fragment.types, fragment.scopes) == (None, None, None)
    assert fragment.attrs[DEFAULT_VOCAB + "a"][0].value == 1


def test_the_null_of_fragments() -> None:
    fragment = parse_fragment(
        {
            "a": NULL,
            "b": {"type": "Relationship", "object": NULL},
            "c": {"languageMap": {"@none": NULL}},
            "d": {"value": 1, "observedAt": NULL, "unitCode": NULL, "e": NULL},
            "location": {"type": "GeoProperty", "value": NULL},
            "scope": NULL,
            "expiresAt": NULL,
        },
        CTX,
        now=1,
        allow_null=True,
    )
    nulls = {iri for iri, (instance,) in fragment.attrs.items() if is_null(instance)}
    assert nulls == {DEFAULT_VOCAB + "a", DEFAULT_VOCAB + "b", DEFAULT_VOCAB + "c", LOCATION}
    (d,) = fragment.attrs[DEFAULT_VOCAB + "d"]
    assert (d.observed_at, d.unit_code) == (NULL, NULL)
    assert d.subs is not None
    assert is_null(d.subs[DEFAULT_VOCAB + "e"][0])
    assert (fragment.scopes, fragment.expires_at) == ([NULL], NULL)


def test_a_merge_may_touch_members_only() -> None:
    fragment = parse_fragment(
        {"a": {"unitCode": "KMH"}, "b": {"type": "Relationship", "c": 5}}, CTX, now=1, partial=True
    )
    (a,) = fragment.attrs[DEFAULT_VOCAB + "a"]
    (b,) = fragment.attrs[DEFAULT_VOCAB + "b"]
    assert (a.kind, a.value, a.unit_code) == ("", msgspec.UNSET, "KMH")
    assert (b.kind, b.value) == ("Relationship", msgspec.UNSET)


def test_a_simplified_merge_keeps_the_kinds_of_the_entity() -> None:
    stored = {
        DEFAULT_VOCAB + "r": Instance("Relationship", URN),
        DEFAULT_VOCAB + "v": Instance("VocabProperty", DEFAULT_VOCAB + "x"),
        DEFAULT_VOCAB + "l": Instance("LanguageProperty", {"pl": "y"}),
        DEFAULT_VOCAB + "j": Instance("JsonProperty", {}),
        DEFAULT_VOCAB + "w": Instance("Property", 5),
    }
    fragment = parse_fragment(
        {
            "r": URN,
            "v": "bus",
            "l": {"en": "x"},
            "j": {"a": 1},
            "w": POINT,
            "p": {"unitCode": "is a value here"},
        },
        CTX,
        now=1,
        partial=True,
        simplified=True,
        stored=stored.get,
    )
    kinds = {iri.rpartition("/")[2]: (i.kind, i.value) for iri, (i,) in fragment.attrs.items()}
    assert kinds == {
        "r": ("Relationship", URN),
        "v": ("VocabProperty", DEFAULT_VOCAB + "bus"),
        "l": ("LanguageProperty", {"en": "x"}),
        "j": ("JsonProperty", {"a": 1}),
        "w": ("Property", POINT),
        "p": ("Property", {"unitCode": "is a value here"}),
    }


def test_one_attribute() -> None:
    assert parse_attribute({"value": 3}, CTX, now=1)[0].value == 3
    with pytest.raises(BadRequestData, match=r"^speed: "):
        parse_attribute({"type": "Property"}, CTX, now=1, name="speed")


def test_a_partial_update() -> None:
    before = Instance("Property", 5)
    got = parse_partial({"unitCode": "KMH"}, CTX, now=1, before=before)
    assert (got.kind, got.value, got.unit_code) == ("Property", msgspec.UNSET, "KMH")
    got = parse_partial({"object": URN}, CTX, now=1)
    assert (got.kind, got.value) == ("Relationship", URN)
    with pytest.raises(BadRequestData):
        parse_partial([{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}], CTX, now=1)
    link = Instance("Relationship", URN)
    with pytest.raises(BadRequestData, match=r"^a: a Relationship has no member 'unitCode'"):
        parse_partial({"unitCode": "KMH"}, CTX, now=1, name="a", before=link)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.sampled_from([NULL, "Property", "Relationship", "GeoProperty", "Point", URN]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text(max_size=6)
        | st.sampled_from(
            ["type", "value", "object", "languageMap", "vocab", "json", "valueList", "objectList",
             "dataset", "datasetId", "observedAt", "unitCode", "objectType", "coordinates", "id",
             "scope", "expiresAt", "@value", "@id", "@type", "@list", "@index", "@language",
             "x:a", "x:b", *(NGSI_LD + name for name in ("hasValue", "hasLanguageMap", "Property"))]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@given(JSON, st.booleans(), st.booleans(), st.booleans())
def test_any_json_is_read_or_refused(
    doc: Any, nulls: bool, partial: bool, simplified: bool
) -> None:
    try:
        parse_fragment(doc, CTX, now=1, allow_null=nulls, partial=partial, simplified=simplified,
                       stored={DEFAULT_VOCAB + "a": Instance("Relationship", URN)}.get)  # fmt: skip
        parse_entity({"id": URN, "type": "X", "a": doc}, CTX, now=1)
    except BadRequestData:
        pass
