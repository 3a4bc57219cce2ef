"""From a subscription to what it looks for among registrations (CIM 009 §5.11.2.4, §5.12)."""

from __future__ import annotations

from typing import Any, Final

from rynek.base.clock import parse_iso
from rynek.base.errors import BadRequestData
from rynek.context.formats.values import Invalid, moment, shown
from rynek.context.query import parse_q
from rynek.context.registrations import RegistrationSpec, TemporalSpan, csf_test
from rynek.context.registrations.watched import SourceSelector
from rynek.context.subscriptions import Subscription

__all__ = ["TEMPORAL", "selector_of"]

TEMPORAL: Final = "temporalQ"
_RELATIONS: Final = ("before", "after", "between")
_OBSERVED: Final = "observedAt"
_MANAGED: Final = frozenset(("createdAt", "modifiedAt", "deletedAt"))


def selector_of(one: Subscription, *, strict: bool = True) -> SourceSelector:
    """The registrations that a subscription is about. BadRequestData names what is wrong. Without
    `strict` those that say no place or scope may have entities anywhere.

    Without watched attributes, or without attributes in the notification, all attributes match
    (§5.11.2.4); a subscription to no entities in particular is then about its watched ones.
    """
    watched = one.watched or frozenset()
    shown_attrs = one.view.attrs
    names = frozenset(shown_attrs) if shown_attrs else frozenset()
    attrs = watched | names if watched and names else frozenset()
    if not one.selectors:
        attrs = watched | names
    datasets = one.view.dataset_ids
    common: dict[str, Any] = {
        "attrs": tuple(sorted(attrs)),
        "dataset_ids": None if datasets is None else tuple(datasets),
        "geo": one.query.geo,
        "scope": one.query.scope,
        "temporal": _span(one),
        "strict": strict,
        "via": one.via,
    }
    specs = tuple(
        RegistrationSpec(
            types=selector.types,
            ids=None if selector.ids is None else tuple(sorted(selector.ids)),
            id_pattern=selector.id_pattern if selector.ids is None else None,
            **common,
        )
        for selector in one.selectors
    )
    csf = one.members.get("csf")
    test = None
    if csf is not None:
        test = csf_test(parse_q(csf.value, csf.ld.expand_term), csf.ld)
    return SourceSelector(specs or (RegistrationSpec(**common),), test)


def _span(one: Subscription) -> TemporalSpan | None:
    """The time that temporalQ is about (§5.2.21); None without one."""
    member = one.members.get(TEMPORAL)
    if member is None:
        return None
    try:
        return _read_span(member.value)
    except Invalid as error:
        raise BadRequestData(f"{TEMPORAL}: {error}") from None


def _read_span(given: Any) -> TemporalSpan:
    if type(given) is not dict:
        raise Invalid(f"is not an object: {shown(given)}")
    relation = given.get("timerel")
    if relation not in _RELATIONS:
        raise Invalid(f"timerel is none of {', '.join(_RELATIONS)}: {shown(relation)}")
    if "timeAt" not in given:
        raise Invalid("has no timeAt")
    at = parse_iso(moment("timeAt", given["timeAt"]))
    name = given.get("timeproperty", _OBSERVED)
    if type(name) is not str or (name != _OBSERVED and name not in _MANAGED):
        raise Invalid(f"timeproperty is none of the standard's: {shown(name)}")
    observed = name == _OBSERVED
    if relation == "between":
        if "endTimeAt" not in given:
            raise Invalid("has no endTimeAt, which timerel between needs")
        return TemporalSpan(at, parse_iso(moment("endTimeAt", given["endTimeAt"])), observed)
    if relation == "before":
        return TemporalSpan(None, at, observed)
    return TemporalSpan(at, None, observed)
