"""Writing entities: forms, projections, languages, GeoJSON, and the codec; all of it comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.context.formats import (
    View,
    body_with_context,
    decode,
    encode_body,
    encode_times,
    join_bodies,
    parse_entity,
    render_attribute,
    render_collection,
    render_entity,
    render_feature,
)
from rynek.context.formats.members import LANG_STRING, UNITS
from rynek.context.jsonld import CORE_URL, compile_context, core_context
from rynek.context.language import choose_language
from rynek.context.model import DEFAULT_VOCAB, LOCATION, NGSI_LD, Entity, Instance

CTX = core_context()
POINT = {"type": "Point", "coordinates": [16.92, 52.41]}
URN = "urn:ngsi-ld:X:1"
DOCUMENT: dict[str, Any] = {
    "id": URN,
    "type": ["X", "Y"],
    "scope": ["/PL", "/PL/Poznan"],
    "location": {"type": "GeoProperty", "value": POINT},
    "speed": {
        "type": "Property",
        "value": 12.5,
        "unitCode": "KMH",
        "observedAt": "2026-11-22T10:00:00Z",
        "accuracy": {"type": "Property", "value": 3},
    },
    "name": {"type": "LanguageProperty", "languageMap": {"en": "bin", "pl": "kosz"}},
    "kind": {"type": "VocabProperty", "vocab": "bus"},
    "stops": {"type": "ListRelationship", "objectList": [{"object": URN}]},
    "raw": {"type": "JsonProperty", "json": {"id": 5}},
    "path": {"type": "ListProperty", "valueList": [1, 2]},
    "route": {"type": "Relationship", "object": "urn:r:1", "objectType": "Route"},
    "level": [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": 2, "datasetId": "urn:d:1"},
    ],
    "address": {"type": "Property", "value": {"street": "x"}},
}
ENTITY = parse_entity(DOCUMENT, CTX, now=1_000_000)


def rendered(**options: Any) -> dict[str, Any]:
    return render_entity(ENTITY, CTX, View(**options))


def test_normalized_is_what_came_in() -> None:
    assert rendered() == DOCUMENT
    assert json.loads(encode_body(ENTITY, CTX)) == DOCUMENT


def test_concise() -> None:
    got = rendered(form="concise")
    assert got["location"] == POINT
    assert got["speed"] == {
        "value": 12.5,
        "unitCode": "KMH",
        "observedAt": "2026-11-22T10:00:00Z",
        "accuracy": 3,
    }
    assert got["name"] == {"languageMap": {"en": "bin", "pl": "kosz"}}
    assert got["level"] == [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}]
    assert got["route"] == {"object": "urn:r:1", "objectType": "Route"}


def test_simplified() -> None:
    got = rendered(form="simplified")
    assert got == {
        "id": URN,
        "type": ["X", "Y"],
        "scope": ["/PL", "/PL/Poznan"],
        "location": POINT,
        "speed": 12.5,
        "name": {"languageMap": {"en": "bin", "pl": "kosz"}},
        "kind": {"vocab": "bus"},
        "stops": [URN],
        "raw": {"json": {"id": 5}},
        "path": [1, 2],
        "route": "urn:r:1",
        "level": {"dataset": {"@none": 1, "urn:d:1": 2}},
        "address": {"street": "x"},
    }


def test_system_times() -> None:
    got = rendered(sys_attrs=True)
    assert got["createdAt"] == got["speed"]["modifiedAt"] == "1970-01-01T00:00:01Z"
    assert got["speed"]["accuracy"]["createdAt"] == "1970-01-01T00:00:01Z"


def test_projections() -> None:
    speed = DEFAULT_VOCAB + "speed"
    assert rendered(attrs={speed}).keys() == {"id", "type", "scope", "speed"}
    assert rendered(pick={"id", speed}).keys() == {"id", "speed"}
    assert rendered(omit={"scope", "type", speed}).keys() == DOCUMENT.keys() - {
        "scope",
        "type",
        "speed",
    }
    level = {"type": "Property", "value": 2, "datasetId": "urn:d:1"}
    assert rendered(dataset_ids={"urn:d:1"}) == {
        k: DOCUMENT[k] for k in ("id", "type", "scope")
    } | {"level": level}
    assert rendered(dataset_ids={"@none"})["level"] == {"type": "Property", "value": 1}


def test_one_language() -> None:
    assert rendered(lang="pl")["name"] == {"type": "Property", "value": "kosz", "lang": "pl"}
    assert rendered(lang="pl", form="simplified")["name"] == "kosz"
    assert rendered(lang="pl", form="concise")["name"] == {"value": "kosz", "lang": "pl"}
    assert rendered(lang="pl")["speed"] == DOCUMENT["speed"]


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("pl", "pl"), ("PL", "pl"), ("pl-PL", "pl"), ("de,pl;q=0.5", "pl"), ("en", "en-GB"),
        ("de", "@none"), ("*", "@none"), ("pl;q=0.2,en-GB;q=0.9", "en-GB"), ("pl;q=x", "@none"),
        ("pl;q=0", "@none"), ("", "@none"),
    ],
)  # fmt: skip
def test_the_best_language(wanted: str, got: str) -> None:
    assert choose_language(["@none", "en-GB", "pl"], wanted) == got


def test_without_a_default_the_first_language_stands_in() -> None:
    assert choose_language(["uk", "pl"], "de") == "uk"


def test_feature() -> None:
    got = render_feature(ENTITY, CTX)
    assert (got["id"], got["type"], got["geometry"]) == (URN, "Feature", POINT)
    assert got["properties"] == {k: v for k, v in DOCUMENT.items() if k != "id"}
    other = render_feature(ENTITY, CTX, View("simplified"), geometry_property=NGSI_LD + "nowhere")
    assert other["geometry"] is None
    assert other["properties"]["speed"] == 12.5


def test_the_default_instance_is_the_geometry() -> None:
    far = {"type": "Point", "coordinates": [0, 0]}
    raw = [{"value": far, "datasetId": "urn:d:1"}, {"value": POINT}]
    entity = parse_entity({"id": URN, "type": "X", "location": raw}, CTX, now=1)
    assert render_feature(entity, CTX)["geometry"] == POINT
    assert render_feature(entity, CTX, View(dataset_ids={"urn:d:1"}))["geometry"] == far
    collection = render_collection([entity, ENTITY], CTX)
    assert collection["type"] == "FeatureCollection"
    assert len(collection["features"]) == 2


def test_another_context_gives_other_names() -> None:
    other = compile_context([{"v": DEFAULT_VOCAB + "speed", "Bus": DEFAULT_VOCAB + "bus"}], None)
    got = render_entity(ENTITY, other)
    assert got["v"] == DOCUMENT["speed"]
    assert got["kind"] == {"type": "VocabProperty", "vocab": "Bus"}
    assert parse_entity(got, other, now=1_000_000) == ENTITY


def test_bytes() -> None:
    body = encode_body(ENTITY, CTX)
    assert json.loads(body_with_context(body, CTX)) == DOCUMENT | {"@context": CORE_URL}
    assert json.loads(join_bodies([body, body])) == [DOCUMENT, DOCUMENT]
    assert join_bodies([]) == b"[]"


def test_times_list_only_what_differs() -> None:
    assert encode_times(ENTITY) == b"[1000000,1000000]"
    entity = parse_entity(DOCUMENT, CTX, now=5)
    entity.modified_at = 9
    entity.attrs[DEFAULT_VOCAB + "speed"][0] = Instance("Property", 1, created_at=5, modified_at=9)
    for name in entity.attrs:
        if name not in (DEFAULT_VOCAB + "speed", DEFAULT_VOCAB + "level", LOCATION):
            for instance in entity.attrs[name]:
                instance.modified_at = 9
    entity.attrs[DEFAULT_VOCAB + "level"][1].modified_at = 9
    assert json.loads(encode_times(entity)) == [
        5,
        9,
        {LOCATION: [5, 5], DEFAULT_VOCAB + "level": {"": [5, 5], "urn:d:1": [5, 9]}},
    ]
    assert decode(encode_body(entity, CTX), encode_times(entity), CTX) == entity


def test_one_attribute_that_moves_does_not_list_the_others() -> None:
    entity = parse_entity(DOCUMENT, CTX, now=5)
    entity.modified_at = 9
    entity.attrs[DEFAULT_VOCAB + "speed"][0] = Instance("Property", 1, created_at=5, modified_at=9)
    times = encode_times(entity)
    assert json.loads(times) == [5, 9, 5, {DEFAULT_VOCAB + "speed": [5, 9]}]
    assert decode(encode_body(entity, CTX), times, CTX) == entity
    entity.expires_at = "2030-01-01T00:00:00Z"
    times = encode_times(entity)
    assert json.loads(times)[-1] == [[[], entity.expires_at]]
    assert decode(encode_body(entity, CTX), times, CTX) == entity


# --- anything that can be an entity -------------------------------------------------------------

TIMES = st.sampled_from(
    ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.123Z", "1999-01-01T00:00:00.5Z"]
)
URIS = st.sampled_from(["urn:a:1", "https://example.org/x", "urn:ngsi-ld:Stop:Łódź"])
IRIS = st.sampled_from(
    [DEFAULT_VOCAB + "speed", DEFAULT_VOCAB + "швидкість", NGSI_LD + "status", LOCATION,
     "https://smartdatamodels.org/name", "http://purl.org/dc/terms/title", "urn:x:attr",
     NGSI_LD + "hasObject", DEFAULT_VOCAB + "type", DEFAULT_VOCAB + "value", DEFAULT_VOCAB + "id"]
)  # fmt: skip
SUB_IRIS = IRIS.filter(lambda iri: iri != NGSI_LD + "hasObject")
ATTR_IRIS = IRIS.filter(lambda iri: iri != LOCATION)
SCALARS = (
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS.filter(lambda v: v != "urn:ngsi-ld:null"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(["type", "value", "object", "dataset", "vocab", "coordinates"]),
            inner | st.sampled_from(["Property", "Point", "Relationship"]),
            max_size=3,
        )
    ),
    max_leaves=8,
) | st.just(POINT)
BY_KIND: dict[str, st.SearchStrategy[Any]] = {
    "Property": VALUES,
    "GeoProperty": st.just(POINT),
    "Relationship": URIS | st.lists(URIS, min_size=1, max_size=3),
    "LanguageProperty": st.dictionaries(
        st.sampled_from(["en", "uk", "@none"]),
        st.text() | st.lists(st.text(), max_size=2),
        min_size=1,
    ),
    "VocabProperty": IRIS | st.lists(IRIS, min_size=1, max_size=2),
    "JsonProperty": VALUES.filter(lambda v: isinstance(v, (dict, list))),
    "ListProperty": st.lists(VALUES, max_size=3),
    "ListRelationship": st.lists(URIS, max_size=3),
}


@st.composite
def instances(draw: st.DrawFn, depth: int = 0, place: bool = False) -> list[Instance]:
    datasets = draw(st.lists(st.none() | URIS, min_size=1, max_size=3, unique=True))
    kind = "GeoProperty" if place else draw(st.sampled_from(sorted(BY_KIND)))
    refers = "Relationship" in kind
    out = []
    for dataset in datasets:
        subs = None
        if depth < 2 and draw(st.booleans()):
            subs = draw(st.dictionaries(SUB_IRIS, instances(depth + 1), min_size=1, max_size=2))
        types = st.just(LANG_STRING) if kind == "LanguageProperty" else IRIS
        out.append(
            Instance(
                kind,
                draw(BY_KIND[kind]),
                dataset,
                draw(st.none() | TIMES),
                draw(st.none() | st.sampled_from(["KMH", "C62"])) if kind in UNITS else None,
                draw(st.none() | st.lists(IRIS, min_size=1, max_size=2)) if refers else None,
                None if refers else draw(st.none() | types),
                draw(st.none() | TIMES),
                subs,
                3,
                3,
            )
        )
    return out


PROOFS = st.fixed_dictionaries(
    {},
    optional={
        NGSI_LD + "ngsildproof": st.just(
            [
                Instance(
                    "Property",
                    {"type": "DataIntegrityProof"},
                    created_at=3,
                    modified_at=3,
                    sealed={"entityIdSealed": "urn:a:1", "entityTypeSealed": DEFAULT_VOCAB + "X"},
                )
            ]
        ),
        LOCATION: instances(place=True),
    },
)
ENTITIES = st.builds(
    lambda attrs, more, *rest: Entity(rest[0], rest[1], attrs | more, *rest[2:]),
    st.dictionaries(ATTR_IRIS, instances(), max_size=3),
    PROOFS,
    URIS,
    st.lists(IRIS, min_size=1, max_size=2, unique=True),
    st.none() | st.just(["/PL"]) | st.just(["/PL", "/UA/Kyiv_1"]),
    st.none() | TIMES,
    st.just(3),
    st.just(3),
)
CONTEXTS = st.sampled_from(
    [
        CTX,
        compile_context(
            [
                {
                    "speed": "https://smartdatamodels.org/name",
                    "s": NGSI_LD + "status",
                    "x": "urn:x:attr",
                }
            ],
            "https://example.org/c.jsonld",
        ),
    ]
)


@given(ENTITIES, CONTEXTS, st.sampled_from(["normalized", "concise"]))
def test_what_is_rendered_reads_as_the_same_entity(entity: Entity, ctx: Any, form: Any) -> None:
    document = json.loads(json.dumps(render_entity(entity, ctx, View(form, sys_attrs=True))))
    assert parse_entity(document, ctx, now=3) == entity


@given(ENTITIES, CONTEXTS)
def test_what_is_stored_is_read_back(entity: Entity, ctx: Any) -> None:
    body = encode_body(entity, ctx)
    assert decode(body, encode_times(entity), ctx) == entity
    assert json.loads(body) == json.loads(json.dumps(render_entity(entity, ctx)))


@given(ENTITIES, CONTEXTS)
def test_times_of_attributes_of_attributes_are_kept(entity: Entity, ctx: Any) -> None:
    for count, instance in enumerate(every_instance(entity.attrs)):
        instance.created_at, instance.modified_at = 3 + count % 3, 4 + count % 5
    assert decode(encode_body(entity, ctx), encode_times(entity), ctx) == entity


def every_instance(attrs: dict[str, list[Instance]]) -> Iterator[Instance]:
    for found in attrs.values():
        for instance in found:
            yield instance
            yield from every_instance(instance.subs or {})


@given(ENTITIES, CONTEXTS)
def test_a_simplified_document_reads_as_what_it_shows(entity: Entity, ctx: Any) -> None:
    """The simplified form is lossy, but reading and showing it again changes nothing (§4.5.4)."""
    for instance in every_instance(entity.attrs):
        if instance.kind in ("Property", "ListProperty", "JsonProperty"):
            instance.value = [1, "x"] if instance.kind != "JsonProperty" else {"type": "x"}
    document = json.loads(json.dumps(render_entity(entity, ctx, View("simplified"))))
    again = parse_entity(document, ctx, now=3, lenient=True)
    assert render_entity(again, ctx, View("simplified")) == document


@given(ENTITIES)
def test_every_form_renders(entity: Entity) -> None:
    render_entity(entity, CTX, View("simplified", sys_attrs=True, lang="uk"))
    for shown in entity.attrs.values():
        render_attribute(shown, CTX, View("concise", lang="uk"))
    json.dumps(render_feature(entity, CTX, View("simplified")))
