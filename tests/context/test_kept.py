"""How long a fetched @context counts as fresh (CIM 009 §6.3.16, RFC 9111 §4.2)."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.clock import MICRO
from rynek.context.kept import context_namespace, freshness

NOW = 1_780_000_000
HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "max-age=300"}, 300),
        ({"cache-control": "public, Max-Age=300, s-maxage=60"}, 60),
        ({"cache-control": "max-age=300", "age": "100"}, 200),
        ({"cache-control": "max-age=300", "age": "900"}, 0),
        ({"cache-control": "max-age=300", "expires": formatdate(NOW + 9, usegmt=True)}, 300),
        ({"cache-control": "no-cache"}, 0),
        ({"cache-control": "max-age=99999999999999999999"}, 365 * DAY),
        ({"cache-control": "max-age=soon"}, DAY),
        ({"expires": formatdate(NOW + 90, usegmt=True)}, 90),
        ({"expires": "0"}, 0),
        ({"expires": formatdate(NOW - 90, usegmt=True)}, 0),
        ({"last-modified": formatdate(NOW - 100 * HOUR, usegmt=True)}, 10 * HOUR),
        ({"last-modified": formatdate(NOW - 60, usegmt=True)}, HOUR),
        ({"last-modified": formatdate(NOW - 900 * DAY, usegmt=True)}, DAY),
        ({}, DAY),
    ],
)
def test_how_long(headers: dict[str, str], seconds: int) -> None:
    assert freshness(headers, NOW * MICRO).expires == (NOW + seconds) * MICRO


@given(st.dictionaries(
    st.sampled_from(["cache-control", "expires", "last-modified", "age", "etag"]),
    st.text(max_size=30) | st.sampled_from(["max-age=-1", 'max-age="5"', "s-maxage=", "max-age=5,,"]),
))  # fmt: skip
def test_any_headers_give_a_time_within_a_year(headers: dict[str, str]) -> None:
    expires = freshness(headers, NOW * MICRO).expires
    assert NOW * MICRO <= expires <= (NOW + 365 * DAY) * MICRO


@pytest.mark.parametrize(
    ("local_id", "tenant"),
    [
        ("urn:ngsi-ld:Context:0123", ""),
        ("urn:ngsi-ld:Context:oslo:0123", "oslo"),
        ("https://example.org/c.jsonld", ""),
        ("0123", ""),
        ("a:b", ""),
    ],
)
def test_whose_a_local_id_is(local_id: str, tenant: str) -> None:
    assert context_namespace(local_id) == tenant
