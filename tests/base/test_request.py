"""The id of a request: given by the client where it is safe, else made, once."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from rynek.base.log import JsonLines, TextLines
from rynek.base.request import CURRENT, OVER, id_of, request_id

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"headers": list(headers)}


def test_a_given_id_is_taken_over() -> None:
    assert id_of(scope((b"host", b"x"), (b"x-request-id", b"a/b:c-1"))) == "a/b:c-1"
    assert id_of(scope((b"traceparent", TRACE))) == "4bf92f3577b34da6a3ce929d0e0e4736"
    both = scope((b"traceparent", TRACE), (b"x-request-id", b"mine"))
    assert id_of(both) == "mine"


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"x-request-id", b""),),
        ((b"x-request-id", b"a" * 129),),
        ((b"x-request-id", b"a\nlevel=error"),),
        ((b"x-request-id", "ž".encode()),),
        ((b"traceparent", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01"),),
        ((b"traceparent", TRACE.upper()),),
        ((b"traceparent", TRACE[:-1]),),
    ],
)
def test_what_is_not_safe_gets_an_id_of_ours(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    asked = scope(*headers)
    made = id_of(asked)
    assert len(made) == 32
    assert id_of(asked) == made
    assert id_of(scope(*headers)) != made


def test_log_lines_carry_the_id_until_the_request_is_over() -> None:
    record = logging.LogRecord("rynek.test", logging.INFO, "", 0, "read", (), None)
    asked = scope((b"x-request-id", b"quoted-1"))
    token = CURRENT.set(asked)
    try:
        assert TextLines().format(record).endswith("read  request=quoted-1")
        assert '"request":"quoted-1"' in JsonLines().format(record)
        asked[OVER] = True
        assert "request" not in TextLines().format(record)
        assert request_id() == ""
    finally:
        CURRENT.reset(token)
    assert request_id() == ""
