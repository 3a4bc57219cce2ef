"""What holds for any document: never an error of ours, batches equal single operations, the laws of
merge patch (CIM 009 §5.5.12, §5.6; RFC 7396)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rynek.context.formats.values import MAX_VALUE_DEPTH
from rynek.context.operations.merge import merged_value

from .conftest import Ask

NULL: Final = "urn:ngsi-ld:null"
ID: Final = "urn:ngsi-ld:Thing:1"
OTHER: Final = "urn:ngsi-ld:Thing:2"

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        [NULL, "@none", "Property", "Relationship", "GeoProperty", "LanguageProperty", "Point",
         "VocabProperty", "JsonProperty", "ListProperty", "ListRelationship", ID, OTHER, "Thing",
         "2026-11-22T10:00:00Z", "/a/b", "urn:d:1", "ngsi-ld:Property", "C62"]
    )
)  # fmt: skip
KEYS = st.text(max_size=5) | st.sampled_from(
    ["id", "@id", "type", "@type", "scope", "expiresAt", "value", "object", "languageMap", "vocab",
     "json", "valueList", "objectList", "dataset", "datasetId", "observedAt", "unitCode", "valueType",
     "objectType", "coordinates", "location", "createdAt", "@context", "@value", "ngsildproof",
     "entityIdSealed", "a", "b", "en", "@none", "previousValue", "instanceId", "lang"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
POINT: Final = {"type": "Point", "coordinates": [1.5, 2.5]}
TEXTS = st.sampled_from(["x", "y", ID, NULL])
# Attributes of each kind, whole, in part, or deleted; most of them are right.
ATTRS = st.builds(
    lambda value, more: value | more if isinstance(value, dict) else value,
    st.one_of(
        st.builds(lambda v: {"type": "Property", "value": v}, JSON),
        st.builds(lambda v: {"value": v}, TEXTS | st.just(POINT) | st.just({"x": 2, "y": NULL})),
        st.builds(lambda v: {"object": v}, TEXTS),
        st.builds(lambda v: {"languageMap": {"en": v}}, TEXTS),
        st.builds(lambda v: {"vocab": v}, TEXTS),
        st.builds(lambda v: {"json": {"a": v}}, TEXTS),
        st.builds(lambda v: {"valueList": [v]}, TEXTS),
        st.builds(lambda v: {"objectList": [v]}, TEXTS),
        st.just(POINT),
        st.just({}),
        TEXTS,
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "datasetId": st.sampled_from(["urn:d:1", "@none"]),
            "unitCode": st.sampled_from(["C62", NULL]),
            "observedAt": st.sampled_from(["2026-11-22T10:00:00Z", NULL]),
            "sub": TEXTS | st.just({"value": 1}),
        },
    ),
)  # fmt: skip
# Documents that get past the first checks.
BODIES = st.builds(
    lambda base, attrs: base | attrs,
    st.fixed_dictionaries({}, optional={"id": st.sampled_from([ID, OTHER]),
                                        "type": st.sampled_from(["Thing", ["Thing", "Bin"]])}),
    st.dictionaries(
        st.sampled_from(["a", "b", "location", "ex:c"]), ATTRS | st.lists(ATTRS, max_size=2) | JSON,
        max_size=3,
    ),
)  # fmt: skip
OPERATIONS: Final = [
    ("POST", "entities"), ("PUT", f"entities/{ID}"), ("PATCH", f"entities/{ID}"),
    ("POST", f"entities/{ID}/attrs"), ("POST", f"entities/{ID}/attrs?options=noOverwrite"),
    ("PATCH", f"entities/{ID}/attrs"), ("PATCH", f"entities/{ID}/attrs/a"),
    ("PUT", f"entities/{ID}/attrs/a"), ("PATCH", f"entities/{ID}?format=simplified&lang=en"),
    ("PATCH", f"entities/{ID}/attrs?format=simplified"),
    ("POST", "entityOperations/create"), ("POST", "entityOperations/upsert"),
    ("POST", "entityOperations/upsert?options=update"), ("POST", "entityOperations/update"),
    ("POST", "entityOperations/merge"), ("POST", "entityOperations/delete"),
]  # fmt: skip
SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=40)


@SLOW
@given(operation=st.sampled_from(OPERATIONS), body=JSON | BODIES)
def test_any_json_is_done_or_refused(ask: Ask, operation: tuple[str, str], body: Any) -> None:
    method, path = operation
    ask("POST", "entities", {"id": ID, "type": "Thing", "a": 1})
    if path.startswith("entityOperations"):
        body = [body]
    answer = ask(method, path, body)
    assert answer.status_code in (201, 204, 207, 400, 404, 409, 504), answer.text
    if answer.status_code >= 400:
        problem = answer.json()
        assert problem["type"].startswith("https://uri.etsi.org/ngsi-ld/errors/")
        assert problem["detail"]
        assert len(answer.content) < 4000
    for query in ("", "?format=concise", "?format=simplified&options=sysAttrs"):
        shown = ask("GET", f"entities/{ID}{query}")
        assert shown.status_code in (200, 404), shown.text
        assert NULL not in shown.json() if shown.status_code == 200 else True


@SLOW
@given(BODIES)
def test_what_was_created_can_be_written_again(ask: Ask, body: dict[str, Any]) -> None:
    """What answers in normalized or concise form is a body that changes nothing (§4.5.1)."""
    body = body | {"id": ID, "type": body.get("type", "Thing")}
    ask("DELETE", f"entities/{ID}", tenant="again")
    if ask("POST", "entities", body, tenant="again").status_code != 201:
        return
    first = ask("GET", f"entities/{ID}", tenant="again").json()
    for form in ("normalized", "concise"):
        shown = ask("GET", f"entities/{ID}?format={form}", tenant="again").json()
        put = ask("PUT", f"entities/{ID}", shown, tenant="again")
        assert put.status_code == 204, (form, shown, put.text)
        assert ask("GET", f"entities/{ID}", tenant="again").json() == first, form
    if NULL in json.dumps(first):
        return  # raw JSON may hold it; in a merge it deletes
    merged = ask("PATCH", f"entities/{ID}", first, tenant="again")
    assert merged.status_code == 204, merged.text
    assert ask("GET", f"entities/{ID}", tenant="again").json() == first


SINGLE: Final[dict[str, Callable[[Ask, str, dict[str, Any]], httpx.Response]]] = {
    "create": lambda ask, tenant, body: ask("POST", "entities", body, tenant),
    "update": lambda ask, tenant, body: ask("POST", f"entities/{body['id']}/attrs", body, tenant),
    "merge": lambda ask, tenant, body: ask("PATCH", f"entities/{body['id']}", body, tenant),
}


@SLOW
@given(st.sampled_from(sorted(SINGLE)), st.lists(BODIES, min_size=1, max_size=4))
def test_a_batch_is_its_single_operations(
    ask: Ask, verb: str, bodies: list[dict[str, Any]]
) -> None:
    many = [{"id": ID, "type": "Thing"} | body for body in bodies]
    for tenant in ("alone", "together"):
        ask("DELETE", "entities?type=*", tenant=tenant)
        ask(
            "POST",
            "entities",
            {"id": OTHER, "type": "Thing", "a": 1, "b": {"value": {"x": 1}}},
            tenant,
        )
    alone = [SINGLE[verb](ask, "alone", body).status_code for body in many]
    together = ask("POST", f"entityOperations/{verb}", many, "together")
    assert together.status_code in (201, 204, 207)
    if together.status_code == 207:
        failed = [one["error"]["status"] for one in together.json()["errors"]]
        # Errors of reading come before those of writing; so compare them without their order.
        assert sorted(failed) == sorted(status for status in alone if status >= 400)
    else:
        assert all(status < 400 for status in alone)
    for id_ in (ID, OTHER):
        got = [ask("GET", f"entities/{id_}", tenant=t).json() for t in ("alone", "together")]
        assert got[0].get("title") == got[1].get("title")
        assert got[0] == got[1]


# --- merge patch ----------------------------------------------------------------------------------

VALUES = st.recursive(
    st.booleans() | st.integers(0, 9) | st.text(max_size=3).filter(lambda text: text != NULL),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abcd"), inner),
    max_leaves=12,
)
PATCHES = st.recursive(
    st.booleans() | st.integers(0, 9) | st.just(NULL),
    lambda inner: (
        st.lists(st.integers(0, 9), max_size=2) | st.dictionaries(st.sampled_from("abcd"), inner)
    ),
    max_leaves=12,
)


def reference(target: Any, patch: Any) -> Any:
    """RFC 7396 §2, word for word, with the NGSI-LD Null for null."""
    if not isinstance(patch, dict):
        return patch
    if not isinstance(target, dict):
        target = {}
    target = dict(target)
    for name, value in patch.items():
        if value == NULL:
            target.pop(name, None)
        else:
            target[name] = reference(target.get(name), value)
    return target


@given(VALUES, PATCHES)
def test_values_merge_as_in_rfc_7396(value: Any, patch: Any) -> None:
    merged = merged_value(value, patch)
    assert merged == reference(value, patch)
    assert merged_value(merged, patch) == merged
    if isinstance(patch, dict):
        assert NULL not in json.dumps(merged)
        assert merged_value(value, {}) == (value if isinstance(value, dict) else {})


@SLOW
@given(VALUES.filter(lambda v: isinstance(v, dict)), PATCHES)
def test_a_merge_through_http_is_the_merge_of_its_values(ask: Ask, value: Any, patch: Any) -> None:
    ask("DELETE", f"entities/{ID}", tenant="merge")
    ask("POST", "entities", {"id": ID, "type": "Thing", "a": {"value": value}}, "merge")
    answer = ask("PATCH", f"entities/{ID}", {"a": {"type": "Property", "value": patch}}, "merge")
    assert answer.status_code == 204, answer.text
    got = ask("GET", f"entities/{ID}", tenant="merge").json()
    if patch == NULL:
        assert "a" not in got
    else:
        assert got["a"]["value"] == reference(value, patch)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [50, MAX_VALUE_DEPTH, MAX_VALUE_DEPTH + 2, 990, 10_000, 200_000])
def test_depth_is_bounded(ask: Ask, opening: str, depth: int) -> None:
    ask("POST", "entities", {"id": ID, "type": "Thing"}, tenant="deep")
    closing = "]" if opening == "[" else "}"
    value = opening * depth + "1" + closing * depth
    for text in (value, f'{{"type": "Property", "value": {value}}}',
                 f'{{"type": "JsonProperty", "json": {value}}}',
                 f'{{"type": "ListProperty", "valueList": [{value}]}}',
                 f'{{"type": "Relationship", "object": {value}}}'):  # fmt: skip
        body = f'{{"id": "{ID}", "type": "Thing", "a": {text}}}'
        answers = [
            ask("POST", "entityOperations/upsert", f"[{body}]".encode(), tenant="deep"),
            ask("PATCH", f"entities/{ID}", body.encode(), tenant="deep"),
        ]
        for answer in answers:
            assert answer.status_code in (201, 204, 207, 400), answer.text
        if depth > MAX_VALUE_DEPTH:
            assert answers[1].status_code == 400
