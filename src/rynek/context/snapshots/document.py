"""The Snapshot data type (CIM 009 §5.2.41, §5.2.42): documents → values → documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal
from uuid import uuid4

import msgspec

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, Problem
from rynek.base.ids import is_uri
from rynek.context.formats.values import Invalid, null_inside
from rynek.context.model import NULL, Entity, Instance
from rynek.context.query import Query, parse_q
from rynek.context.subscriptions.members import endpoint
from rynek.context.subscriptions.model import Endpoint

Status = Literal["preparing", "success", "partial", "empty", "failure"]
DetailStatus = Literal["success", "empty", "failure"]

PRIORITY: Final = 5
_PRIORITIES: Final = range(1, 11)
_MAX_QUERIES: Final = 100
_QUERIES: Final = "snapshotQueries"
_TEMPORAL: Final = "snapshotTemporalQueries"
MEMBERS: Final = frozenset(
    ("id", "type", _QUERIES, _TEMPORAL, "snapshotLifetime", "snapshotPriority", "endpoint",
     "receiverInfo", "snapshotStatus", "snapshotQueriesDetails", "snapshotTemporalQueriesDetails",
     "createdAt", "modifiedAt", "expiresAt", "lastUsedAt")
)  # fmt: skip


_GIVEN: Final = (
    "id", _QUERIES, _TEMPORAL, "snapshotLifetime", "snapshotPriority", "endpoint", "receiverInfo",
)  # fmt: skip


class Detail(msgspec.Struct, omit_defaults=True):
    """ExecutionResultDetails (§5.2.42): what became of one query."""

    status: DetailStatus
    problem: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """As the standard writes it."""
        told: dict[str, Any] = {"resultStatus": self.status}
        return told if self.problem is None else told | {"problemDetails": self.problem}


class Snapshot(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One snapshot. `key` is its folder's name; queries are as the client wrote them; `lifetime` is
    the wish in ISO 8601; times are epoch microseconds."""

    id: str
    key: str
    created_at: int
    modified_at: int
    expires_at: int
    last_used_at: int
    queries: list[dict[str, Any]] | None = None
    temporal_queries: list[dict[str, Any]] | None = None
    lifetime: str | None = None
    priority: int = PRIORITY
    endpoint: str | None = None
    receiver_info: list[dict[str, str]] | None = None
    tenant: str | None = None
    status: Status = "preparing"
    details: list[Detail] = []
    temporal_details: list[Detail] = []

    def target(self) -> Endpoint | None:
        """Where it is told what becomes of it, as deliveries know it."""
        return _endpoint(self.endpoint, self.receiver_info)


def new_snapshot(
    document: Mapping[str, Any], *, now: int, lifetime: Callable[[str | None], int], clone: bool
) -> Snapshot:
    """A snapshot as a client asks for it; `lifetime` turns an ISO 8601 wish into microseconds.

    BadRequestData for what §5.2.41 does not allow. A clone has no queries of its own.
    """
    if document.get("type") != "Snapshot":
        raise BadRequestData('the body must be of type "Snapshot"')
    null = null_inside({name: document[name] for name in _GIVEN if name in document})
    if null is not None:
        raise BadRequestData(f"{null[1:]}: null is not a value (§5.2.1)")
    if clone:
        _refuse_queries(document, "a clone has the queries of its original")
    queries, temporal = _queries(document, _QUERIES), _queries(document, _TEMPORAL)
    if not clone and queries is None and temporal is None:
        raise BadRequestData(f"a snapshot needs {_QUERIES} or {_TEMPORAL}")
    snapshot_id = document.get("id")
    if snapshot_id is None:
        snapshot_id = f"urn:ngsi-ld:Snapshot:{uuid4()}"
    elif not isinstance(snapshot_id, str) or not is_uri(snapshot_id):
        raise BadRequestData(f"id is not a URI: {str(snapshot_id)[:100]!r}")
    made = Snapshot(
        id=snapshot_id,
        key=uuid4().hex[:16],
        created_at=now,
        modified_at=now,
        expires_at=now,
        last_used_at=now,
        queries=queries,
        temporal_queries=temporal,
    )
    _take(made, document, lifetime)
    made.expires_at = now + lifetime(made.lifetime)
    return made


def changed_snapshot(
    old: Snapshot, fragment: Mapping[str, Any], *, now: int, lifetime: Callable[[str | None], int]
) -> Snapshot:
    """The snapshot after an update (§5.16.4, §5.5.8); BadRequestData for members that cannot be
    changed. What only we write is ignored."""
    if fragment.get("type", "Snapshot") != "Snapshot" or fragment.get("id", old.id) != old.id:
        raise BadRequestData("the body is not of this snapshot: id and type do not change")
    _refuse_queries(fragment, "the queries of a snapshot do not change")
    made = msgspec.structs.replace(old, modified_at=now)
    _take(made, fragment, lifetime)
    if "snapshotLifetime" in fragment:
        made.expires_at = now + lifetime(made.lifetime)
    return made


def _refuse_queries(document: Mapping[str, Any], reason: str) -> None:
    if _QUERIES in document or _TEMPORAL in document:
        raise BadRequestData(reason)


def _queries(document: Mapping[str, Any], name: str) -> list[dict[str, Any]] | None:
    given = document.get(name)
    if given is None:
        return None
    if not isinstance(given, list) or not given or len(given) > _MAX_QUERIES:
        raise BadRequestData(f"{name} must be an array of 1 to {_MAX_QUERIES} queries")
    for one in given:
        if not isinstance(one, dict) or one.get("type") != "Query":
            raise BadRequestData(f'{name} must be an array of objects of type "Query"')
        if ("temporalQ" in one) != (name == _TEMPORAL):
            raise BadRequestData(f"temporalQ belongs into each of {_TEMPORAL}, and only there")
    return given


def _take(
    made: Snapshot, document: Mapping[str, Any], lifetime: Callable[[str | None], int]
) -> None:
    """The members that a client may set; the NGSI-LD Null takes one away."""
    given = {name: None if document[name] == NULL else document[name] for name in
             ("snapshotLifetime", "snapshotPriority", "endpoint", "receiverInfo")
             if name in document}  # fmt: skip
    if "snapshotLifetime" in given:
        wish = given["snapshotLifetime"]
        if wish is not None and not isinstance(wish, str):
            raise BadRequestData("snapshotLifetime must be an ISO 8601 duration")
        lifetime(wish)
        made.lifetime = wish
    if "snapshotPriority" in given:
        priority = given["snapshotPriority"]
        if priority is not None and (type(priority) is not int or priority not in _PRIORITIES):
            raise BadRequestData("snapshotPriority must be a number from 1 to 10")
        made.priority = PRIORITY if priority is None else priority
    if "endpoint" in given:
        made.endpoint = given["endpoint"]
    if "receiverInfo" in given:
        made.receiver_info = given["receiverInfo"]
    if "endpoint" in given or "receiverInfo" in given:
        _endpoint(made.endpoint, made.receiver_info)


def _endpoint(address: Any, info: Any) -> Endpoint | None:
    """The endpoint with its receiverInfo; BadRequestData when it is none."""
    if address is None:
        if info is not None:
            raise BadRequestData("receiverInfo needs an endpoint")
        return None
    told: dict[str, Any] = {"uri": address}
    if info is not None:
        told["receiverInfo"] = info
    try:
        return endpoint(told)
    except Invalid as error:
        raise error.problem() from None


def status_of(details: Sequence[Detail]) -> Status:
    """The status of a snapshot whose queries came out like this (§5.16.1.4)."""
    found = {one.status for one in details}
    if found == {"success"}:
        return "success"
    if "success" in found:
        return "partial"
    return "empty" if "empty" in found else "failure"


def failed(problem: Problem) -> Detail:
    """What became of a query that raised."""
    return Detail("failure", problem.body())


def render_snapshot(one: Snapshot) -> dict[str, Any]:
    """Snapshot (§5.2.41) without "@context"."""
    told: dict[str, Any] = {"id": one.id, "type": "Snapshot"}
    if one.queries is not None:
        told[_QUERIES] = one.queries
    if one.temporal_queries is not None:
        told[_TEMPORAL] = one.temporal_queries
    if one.lifetime is not None:
        told["snapshotLifetime"] = one.lifetime
    told["snapshotPriority"] = one.priority
    if one.endpoint is not None:
        told["endpoint"] = one.endpoint
    if one.receiver_info is not None:
        told["receiverInfo"] = one.receiver_info
    told["snapshotStatus"] = one.status
    if one.details:
        told["snapshotQueriesDetails"] = [detail.document() for detail in one.details]
    if one.temporal_details:
        told["snapshotTemporalQueriesDetails"] = [d.document() for d in one.temporal_details]
    for name, moment in (("createdAt", one.created_at), ("modifiedAt", one.modified_at),
                         ("expiresAt", one.expires_at), ("lastUsedAt", one.last_used_at)):  # fmt: skip
        told[name] = to_iso(moment)
    return told


def snapshot_test(text: str) -> Callable[[Snapshot], bool]:
    """The test that `q` over members of Snapshot makes (§4.9); BadRequestData for other names."""

    def name(short: str) -> str:
        if short not in MEMBERS:
            raise BadRequestData(f"q: {short[:60]!r} is no member of a Snapshot")
        return short

    query = Query(q=parse_q(text, name))
    return lambda one: query.matches(_as_entity(one))


def _as_entity(one: Snapshot) -> Entity:
    """The snapshot as what `q` tests: members as properties."""
    told = render_snapshot(one)
    attrs = {name: [Instance("Property", value)] for name, value in told.items()}
    return Entity(
        one.id, ["Snapshot"], attrs, None, told["expiresAt"], one.created_at, one.modified_at
    )
