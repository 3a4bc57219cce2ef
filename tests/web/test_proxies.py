"""What a proxy tells is taken from proxies that are trusted, and from nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.web.proxies import Proxies

TRUSTED = Proxies(["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"])


def request(peer: str, **told: str) -> dict[str, Any]:
    headers = [(b"host", b"inner:8026")]
    headers += [(f"x-forwarded-{name}".encode(), value.encode()) for name, value in told.items()]
    return {"type": "http", "client": (peer, 5000), "scheme": "http", "headers": headers}


def heard(peer: str, **told: str) -> tuple[str, str, str]:
    """Client address, scheme and host as the service sees them."""
    scope = TRUSTED.heard(request(peer, **told))
    hosts = [value.decode() for name, value in scope["headers"] if name == b"host"]
    assert len(hosts) == 1
    return scope["client"][0], scope["scheme"], hosts[0]


def test_a_trusted_proxy_is_believed() -> None:
    told = {"for": "203.0.113.7", "proto": "https", "host": "city.example"}
    for peer in ("127.0.0.1", "10.9.8.7", "::1", "fd00::5", "::ffff:10.1.1.1"):
        assert heard(peer, **told) == ("203.0.113.7", "https", "city.example")


def test_nobody_else_is() -> None:
    told = {"for": "203.0.113.7", "proto": "https", "host": "evil.example"}
    assert heard("192.0.2.1", **told) == ("192.0.2.1", "http", "inner:8026")


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.0.0.3", "203.0.113.7"),
        ("10.0.0.4, 10.0.0.3", "10.0.0.4"),
        ("203.0.113.7, rubbish", "127.0.0.1"),
        ("2001:db8::7", "2001:db8::7"),
        ("", "127.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(chain: str, client: str) -> None:
    assert heard("127.0.0.1", **{"for": chain})[0] == client


def test_of_several_words_the_last_counts_and_nonsense_does_not() -> None:
    assert heard("::1", proto="http, https", host="evil.example, city.example:8443")[1:] == (
        "https",
        "city.example:8443",
    )
    assert heard("::1", proto="gopher", host="a/b?c")[1:] == ("http", "inner:8026")


@given(
    st.text(st.characters(codec="latin-1"), max_size=80), st.sampled_from(["for", "proto", "host"])
)
def test_whatever_is_told_the_request_stays_one(text: str, name: str) -> None:
    scope = request("::1")
    scope["headers"].append((f"x-forwarded-{name}".encode(), text.encode("latin-1")))
    found = TRUSTED.heard(scope)
    assert found["scheme"] in {"http", "https"}
    assert found["client"][1] == 5000
    assert b"\n" not in dict(found["headers"])[b"host"]
