"""Errors that carry a problem-details type (RFC 9457; NGSI-LD types from CIM 009 §5.5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rynek.base.messages import Message

_NGSI_LD = "https://uri.etsi.org/ngsi-ld/errors/"


class Problem(Exception):
    """An error a client may see: `type` URI, HTTP status, short title and a detail that helps.

    Raise a subclass; `status` and `slug` are class attributes so that handlers never guess.
    A detail that is a message can be said in every language (`message`).
    `headers` go with the answer; `registration_id` names the registered source that it is about,
    in results of several parts (CIM 009 §5.2.17).
    """

    headers: Sequence[tuple[bytes, bytes]] = ()
    registration_id: str | None = None
    status = 500
    slug = "InternalError"
    title = "Internal error"

    def __init__(
        self, detail: str | Message = "", *, title: str | None = None, **extra: object
    ) -> None:
        self.message = None if isinstance(detail, str) else detail
        self.detail = str(detail)
        super().__init__(self.detail or self.title)
        self.title = title or type(self).title
        self.extra = extra

    @property
    def type(self) -> str:
        """The problem type as a URI."""
        return _NGSI_LD + self.slug

    def body(self) -> dict[str, object]:
        """The members of the problem document (RFC 9457 §3.1)."""
        members: dict[str, object] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail or self.title,
        }
        return members | self.extra


class InvalidRequest(Problem):
    """The request is syntactically or structurally wrong (not JSON, unknown parameter …)."""

    status = 400
    slug = "InvalidRequest"
    title = "Invalid request"


class BadRequestData(Problem):
    """The request parses but its content breaks the standard."""

    status = 400
    slug = "BadRequestData"
    title = "Bad request data"


class AlreadyExists(Problem):
    """Something with that identifier is there already."""

    status = 409
    slug = "AlreadyExists"
    title = "Already exists"


class Conflict(Problem):
    """The operation conflicts with what is there (CIM 009 §5.5.2)."""

    status = 409
    slug = "Conflict"
    title = "Conflict"


class ResourceNotFound(Problem):
    """No such entity, attribute, context, cursor …"""

    status = 404
    slug = "ResourceNotFound"
    title = "Resource not found"


class NonexistentTenant(Problem):
    """The tenant named by the request does not exist (CIM 009 §5.5.10)."""

    status = 404
    slug = "NonexistentTenant"
    title = "Nonexistent tenant"


class OperationNotSupported(Problem):
    """A part of the standard that this version does not do; docs list it as a gap."""

    status = 422
    slug = "OperationNotSupported"
    title = "Operation not supported"


class TooComplexQuery(Problem):
    """The query is beyond the configured limits."""

    status = 403
    slug = "TooComplexQuery"
    title = "Too complex query"


class TooManyResults(Problem):
    """The answer would be beyond the configured limits."""

    status = 403
    slug = "TooManyResults"
    title = "Too many results"


class LdContextNotAvailable(Problem):
    """A remote @context could not be had (CIM 009 §6.3.2)."""

    status = 504
    slug = "LdContextNotAvailable"
    title = "JSON-LD context not available"


class MethodNotAllowed(Problem):
    """The resource is there, but not for this method."""

    status = 405
    slug = "InvalidRequest"
    title = "Method not allowed"


class NotAcceptable(Problem):
    """No representation that the client accepts."""

    status = 406
    slug = "InvalidRequest"
    title = "Not acceptable"


class UnsupportedMediaType(Problem):
    """The body's media type is not one the operation takes."""

    status = 415
    slug = "InvalidRequest"
    title = "Unsupported media type"


class LengthRequired(Problem):
    """A request that has to have a body came without one and without its length."""

    status = 411
    slug = "InvalidRequest"
    title = "Length required"


class RequestTimeout(Problem):
    """The body came too slowly."""

    status = 408
    slug = "InvalidRequest"
    title = "Request timeout"


class PayloadTooLarge(Problem):
    """The body is larger than the configured bound."""

    status = 413
    slug = "InvalidRequest"
    title = "Payload too large"


class Unauthorized(Problem):
    """A token is needed and none, or a wrong one, was given."""

    status = 401
    slug = "Unauthorized"
    title = "Token required"


class Forbidden(Problem):
    """The token does not carry the scope that the operation needs."""

    status = 403
    slug = "Forbidden"
    title = "Not allowed"


class Unavailable(Problem):
    """The service cannot do this now (starting, stopping, disk full); try again later."""

    status = 503
    slug = "InternalError"
    title = "Service unavailable"


class InsufficientStorage(Problem):
    """The disk (or a quota) is full: nothing of the request was kept (RFC 4918 §11.5)."""

    status = 507
    slug = "InternalError"
    title = "No room left on the disk"


class Damaged(Unavailable):
    """A file of the data folder is damaged: what needs it cannot be answered, the rest can."""

    title = "A file is damaged"


class OutgoingRefused(Problem):
    """The outgoing guard refused or gave up on a request to another host."""

    status = 502
    slug = "InternalError"
    title = "Outgoing request refused"


class BadGateway(Problem):
    """A context source failed to do its part (CIM 009 §6.3.17)."""

    status = 502
    slug = "InternalError"
    title = "A context source failed"


class GatewayTimeout(Problem):
    """A context source did not answer in time (CIM 009 §6.3.17)."""

    status = 504
    slug = "InternalError"
    title = "A context source did not answer in time"


class LoopDetected(Problem):
    """Registrations of context sources lead back to where the request came from (CIM 009 §6.3.17)."""

    status = 508
    slug = "InternalError"
    title = "Loop detected"
