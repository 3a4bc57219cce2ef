"""Documents and fragments of subscriptions → the model (CIM 009 §5.2.12, §5.5.4, §5.5.8, §5.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData, Problem
from rynek.context.formats import View
from rynek.context.formats.values import Invalid, null_inside, shown
from rynek.context.jsonld import CompiledContext
from rynek.context.jsonld.names import is_uri
from rynek.context.model import NULL
from rynek.context.query import Projection, Query, parse_projection, parse_q
from rynek.context.subscriptions import members
from rynek.context.subscriptions.model import (
    DEFAULT_TRIGGERS,
    Endpoint,
    Member,
    Subscription,
)

__all__ = ["SUBSCRIPTION", "Given", "assemble", "check_identity", "read", "whole"]

SUBSCRIPTION: Final = "Subscription"
# The members of a Subscription that clients give; others are ignored, those of Table 5.2.12-2 and
# of the system (§4.8) because the standard says so.
MEMBERS: Final = (
    "subscriptionName", "description", "entities", "watchedAttributes", "notificationTrigger",
    "timeInterval", "q", "geoQ", "temporalQ", "csf", "scopeQ", "lang", "datasetId", "expandValues", "jsonKeys",
    "localOnly", "splitEntities", "throttling", "expiresAt", "isActive", "jsonldContext",
    "ngsildConformance", "notification",
)  # fmt: skip
_REQUIRED: Final = ("notification",)
_TEMPORAL: Final = "temporalQ"
_NOTIFICATION: Final = (
    "attributes", "pick", "omit", "format", "join", "joinLevel", "showChanges", "sysAttrs",
    "endpoint",
)  # fmt: skip
_ENDPOINT: Final = ("uri", "accept", "cooldown", "timeout", "notifierInfo", "receiverInfo")
_FORMS: Final = {
    "normalized": "normalized",
    "concise": "concise",
    "simplified": "simplified",
    "keyValues": "simplified",
}
_JOINS: Final = ("flat", "inline", "@none")
_MAX_JOIN_LEVEL: Final = 32

Given = dict[str, Member | None]


def read(
    document: Mapping[str, Any], ld: CompiledContext, *, fragment: bool, sources: bool = False
) -> Given:
    """The known members of a document with the @context their names are from; None for one that a
    fragment deletes by the NGSI-LD Null (or, as in a merge patch, null). `sources`: it is about
    registrations and may have temporalQ, which is theirs to read."""
    given: Given = {}
    for name in MEMBERS:
        if name not in document:
            continue
        value = document[name]
        if value == NULL or value is None:
            if not fragment:
                raise BadRequestData(f"{name}: null is not a value, and deletes only in a fragment")
            if name in _REQUIRED:
                raise BadRequestData(f"{name}: cannot be deleted")
            given[name] = None
        else:
            kept = _without_output(name, value)
            _refuse_nulls(name, kept, fragment=fragment)
            given[name] = Member(kept, ld)
    if not sources and document.get(_TEMPORAL) is not None:
        raise BadRequestData(f"{_TEMPORAL}: is only for subscriptions to registrations (§5.2.12)")
    return given


def check_identity(document: Mapping[str, Any], *, expected: str | None) -> str | None:
    """The id of a document, if it has one. BadRequestData when its type is no Subscription's, or
    id or type is wrong; `expected` is the id of the subscription that a fragment changes."""
    found: str | None = document.get("id", document.get("@id"))
    there = "id" in document or "@id" in document
    if there and (type(found) is not str or not is_uri(found) or found == NULL):
        raise BadRequestData(f"id is not a URI: {shown(found)}")
    if expected is not None and found not in (None, expected):
        raise BadRequestData("the id of a subscription cannot be changed")
    kind = document.get("type", document.get("@type"))
    if kind != SUBSCRIPTION and not (kind is None and expected is not None):
        raise BadRequestData(f'type must be "{SUBSCRIPTION}", it is {shown(kind)}')
    return found


def _refuse_nulls(name: str, value: Any, *, fragment: bool) -> None:
    """BadRequestData for a null inside of a member (§5.2.1); a fragment may take members of the
    notification away."""
    parts = {"": value}
    if fragment and name == "notification" and type(value) is dict:
        parts = {f".{key}": item for key, item in value.items()}
    for step, part in parts.items():
        found = null_inside(part)
        if found is not None:
            raise BadRequestData(f"{name}{step}{found}: null is not a value (§5.2.1)")


def _without_output(name: str, value: Any) -> Any:
    """A member without what only the system says (Table 5.2.14.2-1)."""
    if name != "notification" or type(value) is not dict:
        return value
    kept = {key: value[key] for key in _NOTIFICATION if key in value}
    endpoint = kept.get("endpoint")
    if type(endpoint) is dict:
        kept["endpoint"] = {key: endpoint[key] for key in _ENDPOINT if key in endpoint}
    return kept


def whole(given: Given) -> dict[str, Member]:
    """The members that are there; BadRequestData when a mandatory one is missing."""
    found = {name: member for name, member in given.items() if member is not None}
    for name in _REQUIRED:
        if name not in found:
            raise BadRequestData(f"{name} is missing")
    return found


def assemble(
    subscription_id: str,
    given: dict[str, Member],
    *,
    notify_ld: CompiledContext,
    link: str,
    tenant: str | None = None,
    via: tuple[str, ...] = (),
    created_at: int = 0,
    modified_at: int = 0,
) -> Subscription:
    """The subscription that these members make. BadRequestData names the member that breaks a
    rule; a time in the past is none here."""
    reader = _Reader(given)
    params = reader.check("notification", _params, required=True)
    assert params is not None
    made = Subscription(
        id=subscription_id,
        members=given,
        selectors=reader.check("entities", members.selectors) or (),
        query=reader.query(params.links),
        triggers=reader.value("notificationTrigger", members.triggers) or DEFAULT_TRIGGERS,
        watched=reader.check("watchedAttributes", members.attribute_names),
        csf=reader.q("csf", 0) is not None,
        time_interval=reader.value("timeInterval", members.interval),
        throttling=reader.value("throttling", members.above_zero),
        is_active=reader.value("isActive", members.flag) is not False,
        expires=reader.value("expiresAt", members.expiry),
        endpoint=params.endpoint,
        view=msgspec.structs.replace(
            params.view,
            lang=reader.value("lang", members.plain),
            dataset_ids=reader.value("datasetId", members.dataset_ids),
        ),
        join=params.join,
        join_level=params.join_level,
        show_changes=params.show_changes,
        conformance=reader.value("ngsildConformance", members.conformance),
        notify_ld=notify_ld,
        link=link,
        tenant=tenant,
        via=via,
        created_at=created_at,
        modified_at=modified_at,
    )
    reader.others()
    _check_together(made, given)
    return made


def _check_together(made: Subscription, given: dict[str, Member]) -> None:
    """The rules that several members make together (Table 5.2.12-1)."""
    told = given["localOnly"].value if "localOnly" in given else None
    local = told is True
    if told is False and any(one.types is None for one in made.selectors):
        raise BadRequestData('localOnly: type "*" is for local entities, false contradicts it')
    if not local and not made.selectors and made.watched is None:
        raise BadRequestData("entities or watchedAttributes is needed, unless localOnly is true")
    if made.time_interval is None:
        return
    for name in ("watchedAttributes", "throttling"):
        if name in given:
            raise BadRequestData(f"{name}: not together with timeInterval")
    if not made.selectors and not local:
        raise BadRequestData("entities is needed with timeInterval, unless localOnly is true")


class _Reader:
    """Checks members one by one; each problem names its member."""

    def __init__(self, given: dict[str, Member]) -> None:
        self._given = given

    def check(
        self, name: str, check: Callable[[Any, CompiledContext], Any], *, required: bool = False
    ) -> Any:
        """A member whose names need its @context; None when it is not there."""
        member = self._given.get(name)
        if member is None:
            if required:
                raise BadRequestData(f"{name} is missing")
            return None
        try:
            return check(member.value, member.ld)
        except Invalid as error:
            raise members.at(name, error).problem() from None

    def value(self, name: str, check: Callable[[Any], Any]) -> Any:
        """A member that has no names in it."""
        if name not in self._given:
            return None
        return self.check(name, lambda value, _: check(value))

    def q(self, name: str, links: int) -> Any:
        """A query string (§4.9)."""
        if name not in self._given:
            return None
        expanded = str(self.value("expandValues", members.plain) or "").split(",")

        def parse(value: Any, ld: CompiledContext) -> Any:
            try:
                return parse_q(members.plain(value), ld.expand_term, expanded, links)
            except BadRequestData as problem:
                raise Invalid(problem.detail) from None

        return self.check(name, parse)

    def query(self, links: int) -> Query:
        """What subscribed entities must meet."""
        return Query(
            q=self.q("q", links),
            geo=self.check("geoQ", members.geo),
            scope=self.value("scopeQ", members.scope),
        )

    def others(self) -> None:
        """Members that are only checked and shown."""
        for name in (
            "subscriptionName",
            "description",
            "expandValues",
            "jsonKeys",
            "jsonldContext",
        ):
            self.value(name, members.plain)
        for name in ("localOnly", "splitEntities"):
            self.value(name, members.flag)


class _Params(msgspec.Struct):
    """NotificationParams (§5.2.14.1), parsed."""

    endpoint: Endpoint
    view: View
    join: str | None
    join_level: int
    show_changes: bool

    @property
    def links(self) -> int:
        """How many relationships q and projections may follow."""
        return self.join_level if self.join else 0


def _params(value: Any, ld: CompiledContext) -> _Params:
    given = members.mapping(value)
    if "endpoint" not in given:
        raise Invalid("has no endpoint")

    def read_one(name: str, check: Callable[[Any], Any]) -> Any:
        if name not in given:
            return None
        try:
            return check(given[name])
        except Invalid as error:
            raise members.at(name, error) from None

    join = read_one("join", _join)
    level = read_one("joinLevel", _join_level) or 1
    form: Any = read_one("format", _form) or "normalized"
    show_changes = read_one("showChanges", members.flag) is True
    if show_changes and form == "simplified":
        raise members.at("showChanges", Invalid("cannot be true with format keyValues"))
    links = level if join else 0
    pick = read_one("pick", lambda one: _projection("pick", one, ld, links))
    omit = read_one("omit", lambda one: _projection("omit", one, ld, links))
    view = View(
        form=form,
        sys_attrs=read_one("sysAttrs", members.flag) is True,
        attrs=read_one("attributes", lambda one: _attributes(one, ld)),
        pick=pick.members | pick.attrs if pick else None,
        omit=omit.members | (omit.attrs - omit.linked.keys()) if omit else None,
        pick_linked=pick.linked if pick else {},
        omit_linked=omit.linked if omit else {},
    )
    return _Params(read_one("endpoint", members.endpoint), view, join, level, show_changes)


def _form(value: Any) -> str:
    if type(value) is not str or value not in _FORMS:
        raise Invalid(f"is none of {', '.join(sorted(_FORMS))}: {shown(value)}")
    return _FORMS[value]


def _join(value: Any) -> str | None:
    if type(value) is not str or value not in _JOINS:
        raise Invalid(f"is none of {', '.join(_JOINS)}: {shown(value)}")
    return None if value == "@none" else value


def _join_level(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= _MAX_JOIN_LEVEL:
        raise Invalid(f"is not a whole number from 1 to {_MAX_JOIN_LEVEL}: {shown(value)}")
    return value


def _attributes(value: Any, ld: CompiledContext) -> frozenset[str]:
    for one in members.items(value):
        if one in ("id", "type", "scope", "@id", "@type"):
            raise Invalid(f"{one} is no attribute; pick can name it")
    return members.attribute_names(value, ld)


def _projection(name: str, value: Any, ld: CompiledContext, links: int) -> Projection:
    for one in members.items(value):
        members.plain(one)
    try:
        return parse_projection(name, ",".join(value), ld.expand_term, links)
    except Problem as problem:
        raise Invalid(problem.detail) from None
