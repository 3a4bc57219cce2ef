"""Service alerts → `Alert` (dataModel.Alert)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.transit import gtfs_realtime_pb2 as pb

from rynek.base.clock import MICRO
from rynek.feeds.connectors.gtfs_rt.decode import AlertRecord
from rynek.feeds.contract import Document, Situation
from rynek.feeds.kit import document, language, moment, prop, provenance, rel, urn

MAX_INFORMED = 200
_SEVERITY = {
    pb.Alert.INFO: "informational",
    pb.Alert.WARNING: "medium",
    pb.Alert.SEVERE: "critical",
}
_CAUSE = pb.Alert.Cause
_EFFECT = pb.Alert.Effect


def alert_documents(record: AlertRecord, scope: str, situation: Situation) -> Iterator[Document]:
    """The Alert entity; texts in several languages become a LanguageProperty."""
    alert, config = record.alert, situation.config
    observed = record.header or None
    if not alert.header_text.translation and not alert.description_text.translation:
        situation.findings.add("alert-without-text", "warning", record.key)
    periods = alert.active_period
    starts = [period.start for period in periods if period.start]
    ends = [period.end for period in periods]
    informed = _informed(record, scope, situation)
    yield document(
        urn("Alert", scope, record.key),
        "Alert",
        category=prop("traffic"),
        subCategory=prop(_EFFECT.Name(alert.effect)) if alert.HasField("effect") else None,
        cause=prop(_CAUSE.Name(alert.cause)) if alert.HasField("cause") else None,
        severity=prop(_SEVERITY.get(alert.severity_level, "informational"), observed),
        name=_text(alert.header_text, observed),
        description=_text(alert.description_text, observed),
        page=_text(alert.url, observed),
        validFrom=prop(moment(min(starts) * MICRO)) if starts else None,
        validTo=prop(moment(max(ends) * MICRO)) if ends and all(ends) else None,
        dateIssued=prop(moment(observed)) if observed is not None else None,
        appliesTo=rel(informed) if informed else None,
        alertSource=provenance(config)["source"],
        **provenance(config),
    )


def _text(translated: Any, observed: int | None) -> dict[str, Any] | None:
    texts = {item.language or "und": item.text for item in translated.translation if item.text}
    if not texts:
        return None
    if len(texts) == 1:
        return prop(next(iter(texts.values())), observed)
    return language(texts, observed)


def _informed(record: AlertRecord, scope: str, situation: Situation) -> list[str]:
    """Ids of the routes, stops and agencies that the alert is about."""
    schedule = record.schedule
    where = schedule.scope if schedule is not None else scope
    found: dict[str, None] = {}
    for selector in record.alert.informed_entity[:MAX_INFORMED]:
        if selector.route_id:
            if schedule is not None and selector.route_id not in schedule.routes:
                situation.findings.add("route-unknown", "warning", selector.route_id)
            found[urn("GtfsRoute", where, selector.route_id)] = None
        elif selector.stop_id:
            found[urn("GtfsStop", where, selector.stop_id)] = None
        elif selector.agency_id:
            found[urn("GtfsAgency", where, selector.agency_id)] = None
    return list(found)
