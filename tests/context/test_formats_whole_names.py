"""Members of the standard by the IRIs that the core @context gives them (CIM 009 §4.4, §5.5.7)."""

from __future__ import annotations

from typing import Any

import pytest

from rynek.base.errors import BadRequestData
from rynek.context.formats import (
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_partial,
    parse_temporal,
    short_members,
)
from rynek.context.jsonld import compile_context, core_context
from rynek.context.model import DEFAULT_VOCAB, NGSI_LD

CTX = core_context()
A = DEFAULT_VOCAB + "a"
AT = "2026-11-22T10:00:00Z"
WHOLE = {
    "type": NGSI_LD + "Property",
    NGSI_LD + "hasValue": {"@value": 3},
    NGSI_LD + "observedAt": [{"@type": NGSI_LD + "DateTime", "@value": AT}],
    "ngsi-ld:unitCode": "CEL",
    NGSI_LD + "datasetId": {"@id": "urn:d:1"},
    DEFAULT_VOCAB + "b": {NGSI_LD + "hasObject": {"@id": "urn:x:1"}},
}
SHORT = {
    "type": "Property",
    "value": 3,
    "observedAt": AT,
    "unitCode": "CEL",
    "datasetId": "urn:d:1",
    "b": {"object": "urn:x:1"},
}


def test_an_entity_reads_as_with_short_names() -> None:
    head = {"id": "urn:x:9", "type": "X"}
    whole = head | {NGSI_LD + "scope": "/a", NGSI_LD + "expiresAt": AT, "a": WHOLE, "c": [WHOLE]}
    short = head | {"scope": "/a", "expiresAt": AT, "a": SHORT, "c": [SHORT]}
    assert parse_entity(whole, CTX, now=1) == parse_entity(short, CTX, now=1)
    assert parse_temporal(head | {"a": [WHOLE]}, CTX) == parse_temporal(head | {"a": [SHORT]}, CTX)
    system = head | {NGSI_LD + "createdAt": "1999-01-01T00:00:00Z"}
    assert parse_entity(system, CTX, now=1) == parse_entity(head, CTX, now=1)


def test_fragments_and_attributes_read_so_too() -> None:
    fragment = parse_fragment({"a": WHOLE}, CTX, now=1)
    assert fragment == parse_fragment({"a": SHORT}, CTX, now=1)
    assert parse_attribute(WHOLE, CTX, now=1) == parse_attribute(SHORT, CTX, now=1)
    part = {NGSI_LD + "observedAt": AT}
    assert parse_partial(part, CTX, now=1) == parse_partial({"observedAt": AT}, CTX, now=1)
    concise = parse_fragment({"a": {NGSI_LD + "hasValue": 3}}, CTX, now=1)
    assert concise == parse_fragment({"a": {"value": 3}}, CTX, now=1)


def test_what_a_user_context_maps_to_a_member_is_the_member() -> None:
    ctx = compile_context([{"seen": NGSI_LD + "observedAt"}], "https://example.org/c")
    got = parse_fragment({"a": {"type": "Property", "value": 1, "seen": AT}}, ctx, now=1)
    (instance,) = got.attrs[A]
    assert instance.observed_at == AT
    assert instance.subs is None


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"value": 1, NGSI_LD + "hasValue": 2}, "value: stands twice"),
        ({"value": 1, NGSI_LD + "observedAt": 5}, "observedAt is not a DateTime"),
        ({"value": 1, NGSI_LD + "observedAt": AT, "observedAt": AT}, "observedAt: stands twice"),
    ],
)
def test_what_is_wrong_stays_wrong(raw: Any, says: str) -> None:
    with pytest.raises(BadRequestData, match=says):
        parse_fragment({"a": raw}, CTX, now=1)


def test_values_are_left_alone() -> None:
    value = {NGSI_LD + "observedAt": "x", "k": [{NGSI_LD + "hasValue": 1}]}
    ((kept,),) = parse_fragment({"a": {"value": value}}, CTX, now=1).attrs.values()
    assert kept.value == value


def test_other_data_types() -> None:
    whole = {
        "type": NGSI_LD + "Subscription",
        NGSI_LD + "entities": [{"type": "Bus", "ngsi-ld:idPattern": "a.*"}],
        NGSI_LD + "notification": {NGSI_LD + "endpoint": {NGSI_LD + "uri": {"@id": "http://h/n"}}},
        "own": {NGSI_LD + "uri": 1},
    }
    assert short_members(whole, CTX) == {
        "type": "Subscription",
        "entities": [{"type": "Bus", "idPattern": "a.*"}],
        "notification": {"endpoint": {"uri": "http://h/n"}},
        "own": {NGSI_LD + "uri": 1},
    }
    with pytest.raises(BadRequestData, match="endpoint: stands twice"):
        short_members({"endpoint": 1, NGSI_LD + "endpoint": 2}, CTX)
