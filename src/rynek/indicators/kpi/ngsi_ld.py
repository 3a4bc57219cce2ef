"""Values as NGSI-LD entities: KeyPerformanceIndicator of Smart Data Models, marked as derived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from rynek.base.clock import to_iso
from rynek.base.ids import urn
from rynek.indicators.definition import Definition
from rynek.indicators.kpi.period import Period
from rynek.indicators.kpi.value import LEVEL, Value

__all__ = ["KPI", "entity_id", "value_entity"]

KPI: Final = "KeyPerformanceIndicator"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FREQUENCIES: Final = {
    "day": "daily", "week": "weekly", "month": "monthly", "quarter": "quarterly", "year": "yearly",
}  # fmt: skip


def entity_id(city: str, one: Definition, period: Period) -> str:
    """The URN of the entity that holds a city's values of an indicator for periods so long."""
    return urn(KPI, city, one.id, _FREQUENCIES.get(period.kind, "once"))


def value_entity(value: Value, city: str, now: int) -> dict[str, Any]:
    """A value as a normalized entity in short names; one for each city, indicator and length of
    period, so that its history has a value for each period (observed at the period's end).

    Without a value there is no `kpiValue`, and `status` and `statusReason` say why. `derivedFrom`
    leads back to the readings.
    """
    one, period = value.definition, value.period
    frequency = _FREQUENCIES.get(period.kind, "once")
    made: dict[str, Any] = {
        "id": entity_id(city, one, period),
        "type": KPI,
        "name": {"type": "LanguageProperty", "languageMap": one.name},
        "description": {"type": "LanguageProperty", "languageMap": one.description},
        "category": _value(["quantitative"]),
        "process": _value(one.theme),
        "organization": _value(city),
        "calculatedBy": _value("rynek"),
        "calculationMethod": _value("automatic"),
        "calculationPeriod": _value(
            {
                "from": _day(period.start, period.zone),
                "to": _day(max(period.end - 1, period.start), period.zone),
            }
        ),
        "updatedAt": _value({"@type": "DateTime", "@value": to_iso(now)}),
    }
    if frequency != "once":
        made["calculationFrequency"] = _value(frequency)
    if one.standard:
        made["standard"] = _value(one.standard)
    return made | _origin(value) | _figures(value)


def _origin(value: Value) -> dict[str, Any]:
    origin = value.provenance
    about = {"entityType": origin.type} if origin.type else {}
    attrs = {"attrs": origin.attribute.split(", ")} if origin.attribute else {}
    data = {"aggregatedData": _value([about | attrs])} if about else {}
    return data | {
        "derived": _value(True),
        "derivedFrom": _value(
            {
                "table": origin.table,
                "version": origin.version,
                "files": origin.files,
                "readings": value.readings,
                "entities": len(value.things),
                "from": to_iso(origin.since),
                "before": to_iso(origin.before),
                "querySha256": origin.digest,
            }
        ),
    }


def _figures(value: Value) -> dict[str, Any]:
    at = to_iso(value.period.end)
    made = {
        "status": _value(value.status, observedAt=at),
        "coverage": _value(value.coverage, observedAt=at, unitCode="C62"),
    }
    if value.why is not None:
        made["statusReason"] = _value(str(value.why), observedAt=at)
    if value.value is not None:
        unit = value.definition.unit_code
        number = made["kpiValue"] = _value(value.value, observedAt=at, unitCode=unit)
        if value.per is not None:
            number["dividedBy"] = _value(msgspec.to_builtins(value.per))
        if value.standard_error is not None and value.interval is not None:
            number["standardError"] = _value(value.standard_error)
            number["interval"] = _value(list(value.interval))
            number["intervalLevel"] = _value(LEVEL)
    return made


def _value(value: Any, **members: str) -> dict[str, Any]:
    return {"type": "Property", "value": value, **members}


def _day(moment: int, zone: str) -> str:
    local = (_EPOCH + timedelta(microseconds=moment)).astimezone(ZoneInfo(zone))
    return local.date().isoformat()
