"""Entities in expanded and flattened form (JSON-LD 1.1 §9), made by the reference processor."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pyld import jsonld as reference

from rynek.base.errors import BadRequestData
from rynek.context import single_node
from rynek.context.formats import (
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_temporal,
    short_members,
)
from rynek.context.jsonld import compile_context, core_context
from rynek.context.jsonld.core import core_terms
from rynek.context.model import NGSI_LD, Instance

AT = "2026-11-22T10:00:00Z"
HEAD = {"id": "urn:x:9", "type": "Bus"}
USER = {"velocity": "https://example.org/speed", "Car": "https://example.org/Car"}
CTX = compile_context([USER], "https://example.org/c")
# The core context but for the definition that leads to another document.
CORE = {name: item for name, item in core_terms().items() if name != "ngsildproof"}

ATTRIBUTES: dict[str, Any] = {
    "number": {"type": "Property", "value": 3, "observedAt": AT, "unitCode": "KMH"},
    "fraction": {"type": "Property", "value": 2.5},
    "truth": {"type": "Property", "value": False},
    "words": {"type": "Property", "value": "x", "valueType": "Code"},
    "array": {"type": "Property", "value": [1, "b", True]},
    "object": {"type": "Property", "value": {"street": "A", "no": {"n": [1, 2], "s": "b"}}},
    "typed": {"type": "Property", "value": {"@type": "DateTime", "@value": AT}},
    "velocity": {"type": "Property", "value": 1, "b": {"type": "Relationship", "object": "urn:y:1"}},
    "link": {"type": "Relationship", "object": "urn:y:1", "objectType": "Car"},
    "links": {"type": "Relationship", "object": ["urn:y:1", "urn:y:2"]},
    "texts": {"type": "LanguageProperty", "languageMap": {"en": "a", "pl": ["b", "c"]}},
    "kind": {"type": "VocabProperty", "vocab": "Car"},
    "kinds": {"type": "VocabProperty", "vocab": ["Car", "Tram"]},
    "raw": {"type": "JsonProperty", "json": {"a": [{"b": None}], "@id": 1}},
    "items": {"type": "ListProperty", "valueList": [1, 2, 1]},
    "item": {"type": "ListProperty", "valueList": [1]},
    "stops": {"type": "ListRelationship", "objectList": [{"object": "urn:y:1"}, {"object": "urn:y:2"}]},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 50.5]}},
    "area": {
        "type": "GeoProperty",
        "value": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
    },
    "several": [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": 2, "datasetId": "urn:d:1"},
    ],
    "ends": {"type": "Property", "value": 1, "expiresAt": AT},
    "concise": {"value": 1, "b": 2},
    "bare": 5,
    "bares": [1, "a"],
    "fields": {"street": "A", "no": {"n": [1, 2]}},
    "operationSpace": {"type": "Point", "coordinates": [1, 2]},
}  # fmt: skip


def expanded(document: dict[str, Any]) -> dict[str, Any]:
    """The node that the reference makes of it."""
    (node,) = reference.expand(copy.deepcopy(document) | {"@context": [USER, CORE]})
    return node  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_expanded_attribute_reads_as_the_normalized_one(name: str) -> None:
    document = HEAD | {name: ATTRIBUTES[name]}
    whole = expanded(document)
    assert parse_entity(whole, CTX, now=1) == parse_entity(document, CTX, now=1)
    (raw,) = (item for member, item in whole.items() if member[0] != "@")
    want = parse_attribute(ATTRIBUTES[name], CTX, now=1)
    assert parse_attribute(raw, CTX, now=1) == want
    fragment = {member: item for member, item in whole.items() if member[0] != "@"}
    before = want[0]
    for allow in (False, True):
        got = parse_fragment(
            fragment, CTX, now=1, allow_null=allow, partial=allow, stored=lambda _: before
        )
        assert list(got.attrs.values()) == [want]
    instances = list(parse_temporal(whole, CTX).attrs.values())
    assert instances == list(parse_temporal(document, CTX).attrs.values())


def test_a_whole_entity_also_flattened() -> None:
    document = HEAD | {"scope": ["/a/b", "/c"], "expiresAt": AT, **ATTRIBUTES}
    want = parse_entity(document, CTX, now=1)
    node = expanded(document)
    assert parse_entity(node, CTX, now=1) == want
    assert single_node([node]) == node
    assert single_node({"@context": "x", "@graph": [node]}) == {"@context": "x", **node}
    flat = reference.flatten([node])
    assert len(flat) > len(ATTRIBUTES)
    assert parse_entity(single_node({"@context": "x", "@graph": flat}), CTX, now=1) == want


def test_nulls_delete_in_fragments_alone() -> None:
    null = "urn:ngsi-ld:null"
    raw = {NGSI_LD + "hasValue": [{"@value": null}]}
    for item in ([raw], [{"@value": null}]):
        fragment = parse_fragment({"a": item}, CTX, now=1, allow_null=True)
        ((instance,),) = fragment.attrs.values()
        assert instance.value == null
        with pytest.raises(BadRequestData, match="NGSI-LD Null"):
            parse_fragment({"a": item}, CTX, now=1)


def test_what_is_wrong_is_named() -> None:
    for raw, says in (
        ([{"@type": [NGSI_LD + "Property"]}], "a Property needs the member 'value'"),
        ([{NGSI_LD + "hasObject": [{"@value": 5}]}], "object is not a URI: 5"),
        ([{NGSI_LD + "hasLanguageMap": [{"@id": "urn:x:1"}]}], "languageMap is not an object"),
        (
            [{NGSI_LD + "hasLanguageMap": [{"@value": "x", "@language": ["en"]}]}],
            "languageMap is not an object",
        ),
    ):
        with pytest.raises(BadRequestData, match=says):
            parse_entity(HEAD | {"a": raw}, CTX, now=1)


@pytest.mark.parametrize(
    "raw",
    [
        [{"https://example.org/a": []}, {"https://example.org/a": []}],
        [{"@type": "https://example.org/t", "@value": one} for one in (1, 2)],
        [{"@index": "a"}, {"@index": "b"}],
    ],
)
def test_what_has_no_shorter_form_is_a_value_as_it_is(raw: list[dict[str, Any]]) -> None:
    """It looks expanded however often it is read."""
    ((one,),) = parse_entity(HEAD | {"a": raw}, CTX, now=1).attrs.values()
    assert one.value == raw
    assert parse_attribute(raw, CTX, now=1) == [one]
    ((other,),) = parse_temporal({"a": raw}, CTX).attrs.values()
    assert other.value == raw
    ((other,),) = parse_fragment({"a": raw}, CTX, now=1, stored=lambda _: one).attrs.values()
    assert other.value == raw
    for lenient in (False, True):
        wrong = HEAD | {"a": raw, "b": {"type": "Property"}}
        with pytest.raises(BadRequestData, match="b: a Property needs the member 'value'"):
            parse_entity(wrong, CTX, now=1, lenient=lenient)


def test_a_graph_of_several_entities_is_none() -> None:
    two = [{"@id": "urn:x:1"}, {"@id": "urn:x:2"}]
    assert single_node(two) is two
    lost = [{"@id": "urn:x:1"}, {"@id": "_:b0"}]
    with pytest.raises(BadRequestData, match="does not lead to"):
        single_node(lost)
    twice = [{"@id": "urn:x:1", "a": [{"@id": "_:b0"}, {"@id": "_:b0"}]}, {"@id": "_:b0"}]
    with pytest.raises(BadRequestData, match="in two places"):
        single_node(twice)
    circle = [{"@id": "urn:x:1", "a": {"@id": "_:b"}}, {"@id": "_:b", "c": {"@id": "_:b"}}]
    with pytest.raises(BadRequestData, match="in two places"):
        single_node(circle)
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    with pytest.raises(BadRequestData, match="nests more than"):
        single_node([{"@id": "urn:x:1", "a": deep}, {"@id": "_:b"}])


def test_a_kind_that_is_there_is_no_reason_to_take_an_instance_for_a_value() -> None:
    """A merge keeps the kind of bare values alone (§5.6.17.4)."""
    before = Instance("ListProperty", [1])
    raw = [{"@type": [NGSI_LD + "ListProperty"], NGSI_LD + "hasValueList": [{"@list": []}]}]
    for one in (raw, raw[0]):
        got = parse_fragment({"a": one}, core_context(), now=1, stored=lambda _: before)
        assert [item.value for (item,) in got.attrs.values()] == [[]]
    whole = {NGSI_LD + "hasValue": 3}
    got = parse_fragment({"a": whole}, core_context(), now=1, stored=lambda _: None)
    assert [item.value for (item,) in got.attrs.values()] == [3]


DOCUMENTS: dict[str, dict[str, Any]] = {
    "Subscription": {
        "entities": [{"type": NGSI_LD + "default-context/Bus", "idPattern": "a.*"}],
        "watchedAttributes": ["velocity"],
        "notificationTrigger": ["entityCreated", "entityDeleted"],
        "q": "velocity>1",
        "geoQ": {"geometry": "Point", "coordinates": [1, 2], "georel": "near;maxDistance==1"},
        "throttling": 5,
        "isActive": False,
        "expiresAt": AT,
        "notification": {
            "attributes": ["velocity", "b"],
            "endpoint": {"uri": "http://h/n", "receiverInfo": [{"key": "a", "value": "b"}]},
        },
    },
    "ContextSourceRegistration": {
        "information": [
            {"entities": [{"id": "urn:x:1", "type": NGSI_LD + "default-context/Bus"}]},
            {"propertyNames": ["velocity"], "relationshipNames": ["b", "c"]},
        ],
        "observationInterval": {"startAt": AT},
        "location": {"type": "Point", "coordinates": [1, 50]},
        "operations": ["federationOps"],
        "endpoint": "http://h/",
    },
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_other_data_types(kind: str) -> None:
    document = {"type": kind, **DOCUMENTS[kind]}
    whole = expanded(document)
    assert whole["@type"] == [NGSI_LD + kind]

    def named(item: Any) -> Any:
        """Names as expansion leaves them: IRIs, which are as good."""
        if isinstance(item, dict):
            return {name: named(inner) for name, inner in item.items()}
        if isinstance(item, list):
            return [CTX.expand_term(one) if one in NAMES else named(one) for one in item]
        return item

    got = short_members(whole, CTX)
    assert got.pop("@type") == kind
    assert got == {name: named(item) for name, item in document.items() if name != "type"}


NAMES = ("velocity", "b", "c")
