"""Requests in the words of another @context, within a registration (CIM 009 §4.3.6.1, §4.3.6.6)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rynek.context.distribution.names import (
    translate_attribute,
    translate_document,
    translate_params,
)
from rynek.context.distribution.queries import query_document
from rynek.context.distribution.via import is_endless, passed, with_via
from rynek.context.jsonld.build import compile_context
from rynek.context.query import format_q, parse_q

X = "https://x.test/"
OURS = compile_context([{n: X + n for n in ("Room", "Hall", "a", "b", "c", "v")}], None)
THEIRS = compile_context(
    [{"Zimmer": X + "Room", "Saal": X + "Hall", "A": X + "a", "B": X + "b", "V": X + "v"}], None
)


def test_every_parameter_with_names() -> None:
    params = {
        "type": "(Room;Hall),urn:x:T",
        "attrs": "a,b",
        "pick": "id,type,a",
        "omit": "scope",
        "q": 'a.b[c.d]=="a";(b>5|a.observedAt>=2026-01-01T00:00:00Z)',
        "geoproperty": "a",
        "id": "urn:a",
        "scopeQ": "/a",
        "drop": "a",
    }
    assert translate_params(params, OURS, THEIRS) == {
        "type": "(Zimmer;Saal),urn:x:T",
        "attrs": "A,B",
        "pick": "id,type,A",
        "omit": "scope",
        "q": 'A.B[c.d]=="a";(B>5|A.observedAt>=2026-01-01T00:00:00Z)',
        "geoproperty": "A",
        "id": "urn:a",
        "scopeQ": "/a",
        "drop": "A",
    }


def test_documents_keep_what_is_no_name() -> None:
    document = {
        "@context": "https://x.test/c",
        "id": "urn:a",
        "type": ["Room", "Hall"],
        "scope": "/a",
        "a": [
            {"value": {"a": {"type": "Room"}}, "datasetId": "urn:a", "b": {"object": "urn:a"}},
            {"type": "VocabProperty", "vocab": ["Room", "a"]},
        ],
        "b": {"type": "Relationship", "object": "urn:a", "objectType": "Room"},
        "c": "a",
        "v": {"type": "Point", "coordinates": [1, 2]},
        X + "other": "urn:ngsi-ld:null",
    }
    assert translate_document(document, OURS, THEIRS) == {
        "id": "urn:a",
        "type": ["Zimmer", "Saal"],
        "scope": "/a",
        "A": [
            {"value": {"a": {"type": "Room"}}, "datasetId": "urn:a", "B": {"object": "urn:a"}},
            {"type": "VocabProperty", "vocab": ["Zimmer", "A"]},
        ],
        "B": {"type": "Relationship", "object": "urn:a", "objectType": "Zimmer"},
        X + "c": "a",
        "V": {"type": "Point", "coordinates": [1, 2]},
        X + "other": "urn:ngsi-ld:null",
    }
    bare = {"a": {"value": 1, "b": 2}}
    assert translate_document(bare, OURS, THEIRS, simplified=True) == {"A": {"value": 1, "b": 2}}
    assert translate_attribute({"b": {"value": 1}, "@context": []}, OURS, THEIRS) == {
        "B": {"value": 1}
    }


names = st.sampled_from(["a", "b", "v"])
values = st.recursive(
    st.one_of(st.integers(), st.text(max_size=5), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)
instances = st.recursive(
    st.builds(lambda value: {"type": "Property", "value": value}, values),
    lambda inner: st.builds(
        lambda one, subs: {"value": one} | subs, values, st.dictionaries(names, inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.dictionaries(names, instances, max_size=3))
def test_there_and_back_is_the_same(attrs: dict[str, object]) -> None:
    document = {"id": "urn:a", "type": "Room"} | attrs
    there = translate_document(document, OURS, THEIRS)
    assert translate_document(there, THEIRS, OURS) == document


@given(st.sampled_from(["a", "a.b", "a[x]", "b.unitCode", "a.b.observedAt"]), st.integers())
def test_conditions_mean_the_same(path: str, number: int) -> None:
    text = f"{path}>{number}"
    told = translate_params({"q": text}, OURS, THEIRS)["q"]
    back = translate_params({"q": told}, THEIRS, OURS)["q"]
    assert format_q(parse_q(back, OURS.expand_term)) == text


def test_a_query_as_a_document() -> None:
    url, document = query_document({
        "type": "Room", "id": "urn:a,urn:b", "idPattern": "x", "limit": "5", "q": "a>1",
        "attrs": "a,b", "georel": "near;maxDistance==1", "geometry": "Point",
        "coordinates": "[1,2]", "options": "sysAttrs", "scopeQ": "/a", "datasetId": "urn:d",
    })  # fmt: skip
    assert url == {"limit": "5", "options": "sysAttrs"}
    assert document == {
        "type": "Query",
        "entities": [{"type": "Room", "id": ["urn:a", "urn:b"], "idPattern": "x"}],
        "geoQ": {"georel": "near;maxDistance==1", "geometry": "Point", "coordinates": [1, 2]},
        "q": "a>1",
        "attrs": ["a", "b"],
        "scopeQ": "/a",
        "datasetId": ["urn:d"],
    }


def test_via() -> None:
    assert passed({}) == frozenset()
    assert passed({"via": "1.1 a, HTTP/2 b (by c, or d),e"}) == {"a", "b", "e"}
    assert with_via({"via": "1.1 a"}, "b") == "1.1 a, 1.1 b"
    assert is_endless({"via": ", ".join(["1.1 x"] * 100)})
