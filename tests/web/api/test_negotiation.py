"""What headers say is read without surprises, whatever they hold."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from rynek.base.errors import BadRequestData, InvalidRequest, NotAcceptable
from rynek.context import parse_link_header
from rynek.web.api.call import GEO_JSON, JSON, JSON_LD
from rynek.web.api.conformance import preferred_version
from rynek.web.api.negotiation import accepted, takes_gzip
from rynek.web.api.parameters import allowed
from rynek.web.api.params import parse_query_string
from rynek.web.api.shapes import SHAPES

HEADER = st.text(
    st.sampled_from(list('application/json+ld geo*;,q=0.1 "\\<>rel:context#gzip\x80\t')),
    max_size=60,
)
RANGES = st.sampled_from(
    ["application/json", "application/ld+json", "application/geo+json", "application/*", "*/*", "text/html"]
)  # fmt: skip


@given(HEADER, st.booleans(), st.booleans())
def test_any_accept_header_has_an_answer(header: str, geojson: bool, strict: bool) -> None:
    with contextlib.suppress(NotAcceptable):
        assert accepted(header, geojson=geojson, strict=strict) in (JSON, JSON_LD, GEO_JSON)
    assert takes_gzip(header) in (True, False)
    preferred_version(header)


@given(
    st.lists(st.tuples(RANGES, st.integers(0, 3)), min_size=1, max_size=5, unique_by=lambda p: p[0])
)
def test_the_weight_of_the_most_specific_range_decides(ranges: list[tuple[str, int]]) -> None:
    header = ", ".join(f"{name};q=0.{weight}" for name, weight in ranges)
    weights = dict(ranges)

    def weight(media: bytes) -> int:
        names = (media.decode(), "application/*", "*/*")
        return next((weights[name] for name in names if name in weights), 0)

    offers = [JSON, JSON_LD, GEO_JSON]
    best = max(offers, key=lambda offer: (weight(offer), -offers.index(offer)))
    try:
        found = accepted(header, geojson=True)
    except NotAcceptable:
        assert not any(weight(offer) for offer in offers)
    else:
        assert found == best


@given(HEADER)
def test_any_link_header_is_read_or_refused(header: str) -> None:
    with contextlib.suppress(BadRequestData):
        parse_link_header(header)


@given(st.binary(max_size=80), st.sampled_from(sorted(SHAPES)))
def test_any_query_string_is_read_or_refused(raw: bytes, operation: str) -> None:
    with contextlib.suppress(InvalidRequest):
        allowed(operation).check(parse_query_string(raw))


def test_nothing_between_two_ampersands_is_nothing() -> None:
    assert parse_query_string(b"&a=1&&b=%26+2&") == {"a": "1", "b": "& 2"}
