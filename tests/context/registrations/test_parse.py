"""Documents of registrations: what comes in goes out, and nothing breaks the reader."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.errors import BadRequestData
from rynek.context import core_context
from rynek.context.registrations import (
    Registration,
    parse_registration,
    patched_registration,
    render_registration,
)

LD = core_context()
NOW = 1_700_000_000_000_000
MEMBERS = [
    "id", "type", "endpoint", "information", "mode", "registrationName", "description",
    "operations", "tenant", "contextSourceInfo", "contextSourceAlias", "datasetId", "scope",
    "observationInterval", "managementInterval", "location", "observationSpace",
    "operationSpace", "expiresAt", "refreshRate", "management", "owner", "status",
]  # fmt: skip

names = st.sampled_from(["Vehicle", "speed", "https://x.test/a", "brandName"])
uris = st.sampled_from(["urn:a:1", "urn:b:2", "http://x.test/3"])
entities = st.fixed_dictionaries(
    {"type": names | st.lists(names, min_size=2, max_size=3, unique=True)},
    optional={"id": uris, "idPattern": st.sampled_from(["^urn", ".*", "[0-9]+$"])},
)
some_names = st.lists(names, min_size=1, max_size=3)
infos = st.fixed_dictionaries(
    {},
    optional={
        "entities": st.lists(entities, min_size=1, max_size=3),
        "propertyNames": some_names,
        "relationshipNames": some_names,
    },
).filter(bool)
times = st.sampled_from(["2020-01-01T00:00:00Z", "2021-06-01T12:30:00.5Z"])
places = st.builds(
    lambda lon, lat: {"type": "Point", "coordinates": [lon, lat]},
    st.integers(-180, 180),
    st.integers(-90, 90),
)
registrations = st.fixed_dictionaries(
    {
        "id": uris,
        "type": st.just("ContextSourceRegistration"),
        "endpoint": st.sampled_from(["http://a.test", "https://b.test:8080/ngsi-ld"]),
        "information": st.lists(infos, min_size=1, max_size=3),
    },
    optional={
        "mode": st.sampled_from(["inclusive", "redirect"]),
        "registrationName": st.text(min_size=1, max_size=20).filter(lambda t: "null" not in t),
        "operations": st.lists(
            st.sampled_from(["retrieveOps", "createEntity", "updateOps"]), min_size=1, unique=True
        ),
        "tenant": st.just("north"),
        "contextSourceInfo": st.lists(
            st.fixed_dictionaries({"key": st.just("X-A"), "value": st.sampled_from("abc")}),
            min_size=1,
            max_size=3,
        ),
        "contextSourceAlias": st.just("a.test"),
        "datasetId": st.lists(uris | st.just("@none"), min_size=1, max_size=3),
        "scope": st.sampled_from(["/a", ["/a", "/b/c"]]),
        "observationInterval": st.fixed_dictionaries({"startAt": st.just("2019-01-01T00:00:00Z")},
                                                     optional={"endAt": times}),
        "location": places,
        "operationSpace": places,
        "expiresAt": st.just("2999-01-01T00:00:00Z"),
        "refreshRate": st.sampled_from(["PT1M", "P1Y2M3DT4H5M6.7S", "P2W"]),
        "management": st.fixed_dictionaries(
            {"timeout": st.integers(1, 10**6) | st.floats(0.1, 1e6)},
            optional={"localOnly": st.booleans(), "cacheDuration": st.just("PT5S")},
        ),
        "owner": st.recursive(
            st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        ),
    },
)  # fmt: skip
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-10, 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["urn:ngsi-ld:null", "ContextSourceRegistration", "urn:a:1", "exclusive"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text(max_size=6)
        | st.sampled_from(["id", "type", "entities", "propertyNames", "startAt", "key", "value",
                           "idPattern", "coordinates", "timeout", "cacheDuration"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


def read(document: dict[str, Any]) -> Registration:
    """Parse under the core context."""
    return parse_registration(document, LD, make_id=lambda: "urn:made:1", now=NOW)


def written(made: Registration) -> Any:
    """As it goes out."""
    return msgspec.json.decode(msgspec.json.encode(render_registration(made, LD)))


@given(registrations)
def test_a_document_comes_out_as_it_went_in(document: dict[str, Any]) -> None:
    made = read(document)
    assert written(made) == document
    kept = msgspec.json.decode(msgspec.json.encode(made), type=Registration)
    assert kept == made
    assert kept.supported == made.supported


@given(st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=8), anything, max_size=8))
def test_nothing_but_bad_request_comes_of_rubbish(document: dict[str, Any]) -> None:
    with contextlib.suppress(BadRequestData):
        read(document)


@given(
    registrations,
    st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=8), anything, max_size=3),
)
def test_nothing_but_bad_request_comes_of_one_bad_member(
    document: dict[str, Any], rubbish: dict[str, Any]
) -> None:
    with contextlib.suppress(BadRequestData):
        read(document | rubbish)
    with contextlib.suppress(BadRequestData):
        patched_registration(read(document), rubbish, LD, now=NOW)


@given(registrations, registrations)
def test_a_fragment_takes_the_place_of_what_it_names(
    before: dict[str, Any], fragment: dict[str, Any]
) -> None:
    merged = before | fragment | {"id": before["id"]}
    changed = patched_registration(read(before), fragment | {"id": before["id"]}, LD, now=NOW)
    assert written(changed) == merged
    gone = patched_registration(
        changed,
        {
            name: "urn:ngsi-ld:null"
            for name in merged
            if name not in ("id", "type", "endpoint", "information")
        },
        LD,
        now=NOW,
    )
    assert set(render_registration(gone, LD)) == {"id", "type", "endpoint", "information"}


def test_default_operations_and_groups() -> None:
    base = {
        "id": "urn:a:1",
        "type": "ContextSourceRegistration",
        "endpoint": "http://a.test",
        "information": [{"propertyNames": ["p"]}],
    }
    plain = read(base)
    assert plain.supports("queryEntity")
    assert plain.supports("createSubscription")
    assert not plain.supports("createEntity")
    assert not plain.supports("queryTemporal")
    temporal = read(base | {"observationInterval": {"startAt": "2020-01-01T00:00:00Z"}})
    assert temporal.supports("queryTemporal")
    some = read(base | {"operations": ["updateOps", "deleteEntity"]})
    assert some.supported == {
        "updateEntity", "updateAttrs", "replaceEntity", "replaceAttrs", "deleteEntity",
    }  # fmt: skip
    auxiliary = read(base | {"mode": "auxiliary"})
    assert auxiliary.supports("retrieveEntity")
    assert not auxiliary.supports("createSubscription")
    assert auxiliary.info_value("accept") is None
    assert read(base | {"contextSourceInfo": []}).context_source_info == ()
