"""What is said to who sent what is no request, and in place of an answer that failed (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from rynek.base.errors import Problem

_HEAD: Final = (
    b"HTTP/1.1 %d %b\r\nconnection: close\r\ncontent-type: application/problem+json\r\n"
    b"content-length: %d\r\n%b"
)
FAILED: Final = "the answer failed; the log of the service tells of it"
_URL_HINT: Final = " (RFC 3986: what is no printable ASCII has to be percent-encoded in an address)"


class Refused(Exception):
    """Raised within the parser to end it: a status and what is wrong."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def reason_of(error: BaseException) -> Refused:
    """Why the parser has ended: what we raised within it, or what it says itself."""
    if isinstance(error.__context__, Refused):
        return error.__context__
    # llhttp's reasons are constants: nothing of what was sent stands in them.
    hint = _URL_HINT if "url" in str(error) else ""
    return Refused(400, f"this is no HTTP/1 request: {error}{hint}")


def refusal(status: int, detail: str, date: bytes, *, is_head: bool = False) -> bytes:
    """The whole answer; `date` is the end of its head."""
    phrase = HTTPStatus(status).phrase
    problem = Problem(detail, title=phrase)
    problem.status = status
    problem.slug = "InvalidRequest" if status < 500 else "InternalError"
    body = msgspec.json.encode(problem.body())
    head = _HEAD % (status, phrase.encode(), len(body), date)
    return head if is_head else head + body


def check_head(version: str, told: dict[bytes, bytes]) -> None:
    """Refused, where the head of a request is none of HTTP/1 (RFC 9112 §§2.3, 3.2, 6.1)."""
    if version not in {"1.1", "1.0"}:
        raise Refused(505, f"HTTP/1.1 is spoken here, and HTTP/1.0, not {version}")
    if b"host" not in told and version == "1.1":
        raise Refused(400, "the header Host is missing")
    if told.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise Refused(501, "the only transfer coding that is known here is chunked")


def says_continue(version: str, told: dict[bytes, bytes]) -> bool:
    """Whether the client waits to be told to send its body (RFC 9110 §10.1.1)."""
    return version != "1.0" and told[b"expect"].lower() == b"100-continue"
