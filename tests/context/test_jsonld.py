"""Compiled contexts against the published Smart Data Models and a full JSON-LD processor."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyld import jsonld as reference
from tests.recorded import DATA, needed

from rynek.base.errors import BadRequestData
from rynek.context.jsonld import (
    CompiledContext,
    compile_context,
    core_context,
    is_core_url,
    link_header,
    parse_link_header,
)
from rynek.context.jsonld.core import core_terms
from rynek.context.model import DEFAULT_VOCAB, NGSI_LD

MODELS = sorted((DATA / "smart_data_models").glob("*/context.jsonld"))
KEYWORDS = {"id", "type"}


def load(path: Path) -> dict[str, Any]:
    terms: dict[str, Any] = json.loads(path.read_text())["@context"]
    return terms


def test_the_models_are_there() -> None:
    needed("smart_data_models")
    assert len(MODELS) == 14


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_names_of_published_models_survive_there_and_back(path: Path) -> None:
    terms = load(path)
    ctx = compile_context([terms], "https://example.org/c.jsonld")
    for term in terms.keys() | core_terms().keys():
        if term[0] == "@" or term in KEYWORDS:
            continue
        iri = ctx.expand_term(term)
        assert ctx.expand_term(ctx.compact_iri(iri)) == iri
        foreign = core_context().compact_iri(iri)
        assert core_context().expand_term(foreign) == iri


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
def test_the_full_algorithm_expands_names_the_same_way(path: Path) -> None:
    terms = {k: v for k, v in load(path).items() if ":" not in k}
    local = {k: v for k, v in core_terms().items() if k != "ngsildproof"}
    names = [t for t in terms if t[0] != "@" and t not in KEYWORDS and t not in core_terms()]
    document = {
        "@context": [terms, local],
        **{name: {"value": 1} for name in names},
        "zzz": {"value": 1},
    }
    (expanded,) = reference.expand(document)
    ctx = compile_context([terms], "https://example.org/c.jsonld")
    assert {ctx.expand_term(name) for name in [*names, "zzz"]} == set(expanded)


@given(st.text(min_size=1, max_size=40), st.integers(0, 13))
def test_whatever_expands_compacts_to_something_that_expands_to_it(name: str, model: int) -> None:
    needed("smart_data_models")
    ctx = _compiled(MODELS[model])
    try:
        iri = ctx.expand_term(name)
    except BadRequestData:
        return
    assert ctx.expand_term(ctx.compact_iri(iri)) == iri


_MEMORY: dict[Path, CompiledContext] = {}


def _compiled(path: Path) -> CompiledContext:
    if path not in _MEMORY:
        _MEMORY[path] = compile_context([load(path)], None)
    return _MEMORY[path]


def test_core_terms_cannot_be_redefined() -> None:
    ctx = compile_context([{"location": "http://ex.org/place", "speed": "http://ex.org/v"}], None)
    assert ctx.expand_term("location") == NGSI_LD + "location"
    assert ctx.expand_term("speed") == "http://ex.org/v"
    assert ctx.compact_iri("http://ex.org/place") == "http://ex.org/place"


def test_the_vocabulary_of_a_user_counts_inside_definitions_only() -> None:
    ctx = compile_context([{"@vocab": "http://ex.org/", "v": {"@id": "speed"}}], None)
    assert ctx.expand_term("v") == "http://ex.org/speed"
    assert ctx.expand_term("other") == DEFAULT_VOCAB + "other"


@pytest.mark.parametrize(
    ("name", "iri"),
    [
        ("speed", DEFAULT_VOCAB + "speed"),
        ("ex:speed", "http://ex.org/#speed"),
        ("no:speed", "no:speed"),
        ("https://a.b/c", "https://a.b/c"),
        ("urn:ngsi-ld:x", "urn:ngsi-ld:x"),
        ("flat:speed", "flat:speed"),
        ("forced:speed", "http://ex.org/forcedspeed"),
        ("description", "http://purl.org/dc/terms/description"),
    ],
)
def test_expansion(name: str, iri: str) -> None:
    ctx = compile_context(
        [
            {
                "ex": "http://ex.org/#",
                "flat": "http://ex.org/flat",
                "forced": {"@id": "http://ex.org/forced", "@prefix": True},
            }
        ],
        None,
    )
    assert ctx.expand_term(name) == iri
    assert ctx.expand_term(ctx.compact_iri(iri)) == iri


def test_the_shortest_term_wins_then_the_first() -> None:
    ctx = compile_context(
        [{"bb": "http://ex.org/x", "aa": "http://ex.org/x", "ccc": "http://ex.org/x"}], None
    )
    assert ctx.compact_iri("http://ex.org/x") == "aa"


def test_a_name_taken_by_another_term_is_not_used_for_compaction() -> None:
    ctx = compile_context([{"speed": "http://ex.org/speed"}], None)
    name = ctx.compact_iri(DEFAULT_VOCAB + "speed")
    assert name == "ngsi-ld:default-context/speed"
    assert (
        ctx.expand_term(name) == ctx.expand_term(DEFAULT_VOCAB + "speed") == DEFAULT_VOCAB + "speed"
    )


def test_a_prefix_that_hides_absolute_iris_is_an_error_when_it_matters() -> None:
    ctx = compile_context([{"urn": "http://ex.org/#"}], None)
    with pytest.raises(BadRequestData, match="prefixed"):
        ctx.compact_iri("urn:x:1")


@pytest.mark.parametrize(
    "name", ["", "@id", "a b", "a(b)", 'a"b', "a;b", "a<b", "a?b", "a&b", "x" * 3000]
)
def test_illegal_names_of_attributes(name: str) -> None:
    with pytest.raises(BadRequestData):
        core_context().attribute(name)


@pytest.mark.parametrize(
    "name", ["speed", "швидкість", "teplota_1", "PM2.5", "open311:type", "http://ex.org/a"]
)
def test_legal_names_of_attributes(name: str) -> None:
    ctx = core_context()
    assert ctx.expand_term(ctx.compact_iri(ctx.attribute(name))) == ctx.attribute(name)


def test_members_cannot_be_attributes_by_their_iri() -> None:
    ctx = core_context()
    with pytest.raises(BadRequestData):
        ctx.attribute(NGSI_LD + "createdAt")
    with pytest.raises(BadRequestData):
        ctx.sub_attribute(NGSI_LD + "hasValue")


def test_terms_mapped_to_nothing_and_resets() -> None:
    ctx = compile_context([{"x": "http://ex.org/x"}, None, {"y": None}], None)
    assert ctx.expand_term("x") == DEFAULT_VOCAB + "x"
    with pytest.raises(BadRequestData):
        ctx.expand_term("y")


def test_protected_terms() -> None:
    protected = {"@protected": True, "x": "http://ex.org/x"}
    compile_context([protected, {"x": "http://ex.org/x"}], None)
    with pytest.raises(BadRequestData, match="protected"):
        compile_context([protected, {"x": "http://ex.org/other"}], None)


def test_a_stored_context_is_the_same_context() -> None:
    needed("smart_data_models")
    ctx = compile_context([load(MODELS[0])], ["https://example.org/c.jsonld", {"a": "http://b/"}])
    again = CompiledContext.load(ctx.dump())
    assert (again.id, again.member, again.terms) == (ctx.id, ctx.member, ctx.terms)
    assert again.id != core_context().id


def test_coercion_and_terms_for_people_who_look() -> None:
    assert core_context().coercion("vocab") == "@vocab"
    assert core_context().coercion("datasetId") == "@id"
    assert core_context().terms["location"] == NGSI_LD + "location"


def test_core_urls() -> None:
    base = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context"
    assert all(is_core_url(base + tail) for tail in (".jsonld", "-v1.0.jsonld", "-v1.9.jsonld"))
    assert not any(is_core_url(base + tail) for tail in ("", "-v2.jsonld", ".jsonld#x"))


def test_link_header() -> None:
    url = "https://example.org/a,b;c.jsonld"
    assert parse_link_header(link_header(url)) == url
    assert parse_link_header(f'<x>; rel="next", {link_header(url)}') == url
    assert parse_link_header('<x>; rel="next"') is None
    with pytest.raises(BadRequestData, match="more than one"):
        parse_link_header(f"{link_header(url)}, {link_header('http://other/')}")
    with pytest.raises(BadRequestData):
        parse_link_header("https://example.org/c.jsonld")


@given(st.text(max_size=200))
def test_any_link_header_is_read_or_refused(value: str) -> None:
    with contextlib.suppress(BadRequestData):
        parse_link_header(value)
