"""Query parameters of temporal retrieval → values (CIM 009 §4.11, §4.5.19, §6.18.3.2)."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from rynek.base.clock import parse_iso
from rynek.base.errors import BadRequestData
from rynek.base.ids import is_uri
from rynek.context import (
    SCOPE,
    CompiledContext,
    TemporalQuery,
    TimeProperty,
    parse_attrs,
    parse_moment,
    parse_projection,
)
from rynek.history import METHODS, parse_duration
from rynek.web.api.call import Call
from rynek.web.api.params import number
from rynek.web.api.temporal_form import Form, TemporalView

_TIME_PROPERTIES: Final[dict[str, TimeProperty]] = {
    "observedAt": "observedAt",
    "createdAt": "createdAt",
    "modifiedAt": "modifiedAt",
    "deletedAt": "deletedAt",
}
_FORMS: Final[dict[str, Form]] = {
    "normalized": "normalized",
    "concise": "concise",
    "temporalValues": "temporalValues",
    "aggregatedValues": "aggregatedValues",
}
_OTHER_OPTIONS: Final = frozenset(("sysAttrs", "count"))
_MAX_PERIODS: Final = 100_000
_NO_TIME: Final = re.compile(r"P(?=.)(0+[YMWD])*(T(0+[HMS])+)?")


class Aggregation(msgspec.Struct, frozen=True):
    """Which methods, over periods of which length (ISO 8601; None: the whole range)."""

    methods: tuple[str, ...]
    period: str | None
    most: int = _MAX_PERIODS


def temporal_query(params: dict[str, str], ld: CompiledContext, *, required: bool) -> TemporalQuery:
    """timerel, timeAt, endTimeAt, timeproperty, lastN, attrs and datasetId.

    "before" is < timeAt, "after" is >= timeAt, "between" is >= timeAt and < endTimeAt (§4.11).
    """
    relation = params.get("timerel")
    if relation is None and (required or "timeAt" in params or "endTimeAt" in params):
        raise BadRequestData("timerel and timeAt are needed")
    start, end = (None, None) if relation is None else _interval(relation, params)
    name = params.get("timeproperty", "observedAt")
    if name not in _TIME_PROPERTIES:
        raise BadRequestData(
            f"timeproperty: {name[:40]!r} is none of {', '.join(_TIME_PROPERTIES)}"
        )
    last_n = number(params, "lastN", 0) if "lastN" in params else None
    if last_n == 0:
        raise BadRequestData("lastN must be a number from 1 on")
    return TemporalQuery(
        start=start,
        end=end,
        time_property=_TIME_PROPERTIES[name],
        attrs=_attributes(params, ld),
        dataset_ids=_datasets(params),
        last_n=last_n,
        observed_only=relation is not None and name == "observedAt",
    )


def _interval(relation: str, params: dict[str, str]) -> tuple[int | None, int | None]:
    if "timeAt" not in params:
        raise BadRequestData(f"timerel={relation[:20]} needs timeAt")
    at = _moment("timeAt", params)
    if relation == "between":
        if "endTimeAt" not in params:
            raise BadRequestData("timerel=between needs endTimeAt")
        return at, _moment("endTimeAt", params)
    if "endTimeAt" in params:
        raise BadRequestData("endTimeAt is for timerel=between only")
    if relation == "before":
        return None, at
    if relation == "after":
        return at, None
    raise BadRequestData(f"timerel: {relation[:40]!r} is none of before, after, between")


def _moment(name: str, params: dict[str, str]) -> int:
    return parse_iso(parse_moment(name, params[name]))


def _attributes(params: dict[str, str], ld: CompiledContext) -> tuple[str, ...]:
    if params.get("attrs"):
        return tuple(parse_attrs(params["attrs"], ld.expand_term))
    if params.get("pick"):
        projection = parse_projection("pick", params["pick"], ld.expand_term)
        scope = [SCOPE] if "scope" in projection.members else []
        return tuple(sorted({*projection.attrs, *scope}))
    return ()


def _datasets(params: dict[str, str]) -> tuple[str | None, ...] | None:
    text = params.get("datasetId")
    if not text:
        return None
    names = text.split(",")
    for name in names:
        if name != "@none" and not is_uri(name):
            raise BadRequestData(f"datasetId: {name[:100]!r} is not a URI")
    return tuple(None if name == "@none" else name for name in names)


def temporal_view(call: Call) -> TemporalView:
    """options, format, lang, pick, omit and timeproperty."""
    given = call.params.get("options", "").split(",")
    forms = {_FORMS[word] for word in given if word in _FORMS}
    for word in call.options:
        if word not in _FORMS and word not in _OTHER_OPTIONS:
            raise BadRequestData(
                f"options/format: {word[:40]!r} is not known for temporal entities"
            )
    if len(forms) > 1:
        raise BadRequestData(f"options: only one of {', '.join(sorted(forms))} at once")
    form: Form = forms.pop() if forms else "normalized"
    form = _FORMS.get(call.params.get("format", ""), form)  # format wins over options (§6.3.12)
    return TemporalView(
        form=form,
        sys_attrs="sysAttrs" in call.options,
        lang=call.params.get("lang"),
        time_property=_TIME_PROPERTIES.get(call.params.get("timeproperty", ""), "observedAt"),
        pick=_members(call, "pick"),
        omit=_members(call, "omit"),
    )


def _members(call: Call, name: str) -> frozenset[str] | None:
    text: Any = call.params.get(name)
    if not text:
        return None
    projection = parse_projection(name, text, call.ld.expand_term)
    return projection.members | projection.attrs


def aggregation(call: Call, form: Form) -> Aggregation | None:
    """AggrMethods and aggrPeriodDuration; None when other forms are asked for."""
    if form != "aggregatedValues":
        return None
    text = call.params.get("aggrMethods")
    if not text:
        raise BadRequestData("aggregatedValues needs aggrMethods")
    methods = tuple(dict.fromkeys(text.split(",")))
    for method in methods:
        if method not in METHODS:
            raise BadRequestData(f"aggrMethods: {method[:40]!r} is none of {', '.join(METHODS)}")
    period = call.params.get("aggrPeriodDuration")
    if period is not None and _NO_TIME.fullmatch(period):
        period = None  # a duration of 0 spans the whole range (§4.5.19.1)
    if period is not None:
        parse_duration(period)
    return Aggregation(methods, period)
