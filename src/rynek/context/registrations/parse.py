"""Documents and fragments of registrations → the model (CIM 009 §5.2.9, §5.5.4, §5.5.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.context.formats.values import Invalid, name_iri, null_inside, refuse_nulls, shown
from rynek.context.jsonld import CompiledContext
from rynek.context.model import NGSI_LD, NULL
from rynek.context.registrations import members
from rynek.context.registrations.model import (
    AUXILIARY,
    EXCLUSIVE,
    Management,
    Registration,
)

__all__ = ["parse_registration", "patched_registration"]

REGISTRATION: Final = "ContextSourceRegistration"
MAX_PROPERTIES: Final = 200
_REQUIRED: Final = ("information", "endpoint")
# Read-only members are ignored (Table 5.2.9-2), and those of the system (§4.8).
_IGNORED: Final = frozenset(
    ("@context", "status", "timesSent", "timesFailed", "lastSuccess", "lastFailure",
     "createdAt", "modifiedAt", "deletedAt")
)  # fmt: skip
_RETRIEVAL: Final = frozenset(("retrieveOps", "retrieveEntity", "queryEntity"))

_Fields = dict[str, Any]
# Member of the document → (field of the model, check). A check gets the value and the @context.
_MEMBERS: Final[dict[str, tuple[str, Callable[[Any, CompiledContext], Any]]]] = {
    "endpoint": ("endpoint", members.endpoint),
    "information": ("information", members.information),
    "mode": ("mode", members.mode),
    "registrationName": ("name", members.plain_text),
    "description": ("description", members.plain_text),
    "operations": ("operations", members.operations),
    "tenant": ("tenant", members.header_text),
    "contextSourceInfo": ("context_source_info", members.context_source_info),
    "contextSourceAlias": ("context_source_alias", members.pseudonym),
    "datasetId": ("dataset_ids", members.dataset_ids),
    "scope": ("scopes", members.scopes),
    "observationInterval": ("observation_interval", members.interval),
    "managementInterval": ("management_interval", members.interval),
    "location": ("location", members.geometry),
    "observationSpace": ("observation_space", members.geometry),
    "operationSpace": ("operation_space", members.geometry),
    "expiresAt": ("expires_at", members.date_time),
    "refreshRate": ("refresh_rate", members.duration),
    "management": ("management", members.management),
}
_FIELD_DEFAULTS: Final[_Fields] = {"management": Management(), "mode": "inclusive"}


def parse_registration(
    document: dict[str, Any], ld: CompiledContext, *, make_id: Callable[[], str], now: int
) -> Registration:
    """A whole registration (§5.9.2); `make_id` gives one where the document has none.

    `now` is in epoch µs. BadRequestData says which member breaks which rule.
    """
    registration_id: Any = document.get("id", document.get("@id"))
    if not {"id", "@id"} & document.keys():
        registration_id = make_id()
    elif not members.is_identifier(registration_id):
        raise BadRequestData(f"id is not a URI: {shown(registration_id)}")
    if document.get("type", document.get("@type")) != REGISTRATION:
        raise BadRequestData(f'type must be "{REGISTRATION}"')
    fields = _read(document, ld, nulls=False)
    for member in _REQUIRED:
        if _MEMBERS[member][0] not in fields:
            raise BadRequestData(f"{member} is missing")
    made = Registration(id=registration_id, created_at=now, modified_at=now, **fields)
    return _checked(made, now)


def patched_registration(
    current: Registration, fragment: dict[str, Any], ld: CompiledContext, *, now: int
) -> Registration:
    """`current` with the members of a fragment in the place of its own; the NGSI-LD Null deletes
    one (§5.5.8). BadRequestData when the fragment, or what comes of it, breaks a rule."""
    for member in ("id", "@id"):
        if fragment.get(member, current.id) != current.id:
            raise BadRequestData("the id of a registration cannot be changed")
    for member in ("type", "@type"):
        if fragment.get(member, REGISTRATION) != REGISTRATION:
            raise BadRequestData(f'type must be "{REGISTRATION}"')
    fields = _read(fragment, ld, nulls=True)
    merged = current.properties | fields.get("properties", {})
    fields["properties"] = {name: value for name, value in merged.items() if value != NULL}
    made = msgspec.structs.replace(current, modified_at=now, **fields)
    return _checked(made, now)


def _read(document: dict[str, Any], ld: CompiledContext, *, nulls: bool) -> _Fields:
    """Fields of the model that the document speaks of; deleted ones have their default."""
    fields: _Fields = {}
    own: dict[str, Any] = {}
    for member, value in document.items():
        if member in _IGNORED or member in ("id", "@id", "type", "@type"):
            continue
        try:
            known = _MEMBERS.get(member)
            if known is None:
                iri = name_iri(ld.attribute, "name", member)
                own[iri] = _own(iri, value, nulls=nulls)
            else:
                _take(fields, member, value, ld, nulls=nulls)
        except Invalid as error:
            # "information" and "[0]" make one step of the path.
            inner = error.path.pop() if error.path and error.path[-1][0] == "[" else ""
            error.path.append(member[:80] + inner)
            raise error.problem() from None
    if len(own) > MAX_PROPERTIES:
        raise BadRequestData(f"more than {MAX_PROPERTIES} additional members")
    if own:
        fields["properties"] = own
    return fields


def _take(fields: _Fields, member: str, value: Any, ld: CompiledContext, *, nulls: bool) -> None:
    """One member of the standard."""
    field, check = _MEMBERS[member]
    if value == NULL:
        if not nulls:
            raise Invalid("the NGSI-LD Null is only for fragments")
        if member in _REQUIRED:
            raise Invalid("cannot be deleted")
        taken = _FIELD_DEFAULTS.get(field)
    else:
        if value is None:
            raise Invalid("null is not a value")
        found = null_inside(value)
        if found is not None:
            raise Invalid(f"null is not a value (§5.2.1), and {found.lstrip('.')} is one")
        taken = check(value, ld)
    fields[field] = taken
    if member == "expiresAt":
        fields["expires"] = None if taken is None else members.micros(taken)
    elif member == "mode":
        fields["mode_given"] = value != NULL


def _own(iri: str, value: Any, *, nulls: bool) -> Any:
    """An additional member: any JSON value but null."""
    if iri in _MEMBER_IRIS:
        raise Invalid("a member of the standard goes by its short name")
    if value is None:
        raise Invalid("null is not a value")
    if value == NULL:
        if not nulls:
            raise Invalid("the NGSI-LD Null is only for fragments")
    elif isinstance(value, (dict, list)):
        refuse_nulls(value)
    return value


_MEMBER_IRIS: Final = frozenset(
    NGSI_LD + member for member in (*_MEMBERS, *_IGNORED) if member[0] != "@"
)


def _checked(made: Registration, now: int) -> Registration:
    """The rules that several members make together (§4.3.6.2, §4.3.6.3, §5.9.2.4)."""
    if made.expires is not None and made.expires <= now:
        raise BadRequestData(f"expiresAt: {made.expires_at} is in the past")
    if made.mode == EXCLUSIVE:
        _check_exclusive(made)
    if made.mode == AUXILIARY and not _RETRIEVAL.issuperset(made.operations or ()):
        allowed = ", ".join(sorted(_RETRIEVAL))
        raise BadRequestData(f"operations: with mode auxiliary only {allowed} are allowed")
    return made


def _check_exclusive(made: Registration) -> None:
    for position, info in enumerate(made.information):
        where = f"information[{position}]"
        if not info.entities or any(one.id is None for one in info.entities):
            raise BadRequestData(f"{where}: mode exclusive needs the id of each entity")
        if not info.names:
            raise BadRequestData(
                f"{where}: mode exclusive needs propertyNames or relationshipNames"
            )
