"""Cards and their answers as NGSI-LD entities (ETSI GS CIM 009 §4.5.1, normalized)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rynek.base.clock import to_iso
from rynek.base.ids import urn
from rynek.practices.cards.answers import Result
from rynek.practices.cards.doors import Seen
from rynek.practices.cards.model import Card

__all__ = ["CONTEXT", "ESTIMATE", "PRACTICE", "entities", "entity_ids"]

PRACTICE: Final = "UrbanPractice"
ESTIMATE: Final = "EffectEstimate"
CONTEXT: Final = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"


def entities(
    seen: Seen, answers: Mapping[str, Result], *, context: bool = True
) -> list[dict[str, Any]]:
    """The card (UrbanPractice) and an EffectEstimate for each answer, which `refersTo` it.

    Made of what is `seen` and nothing else. Terms beyond the core's are in the default vocabulary.
    """
    found = [_practice(seen)]
    for key, answer in answers.items():
        found.append(_estimate(seen, key, answer))
    if context:
        for each in found:
            each["@context"] = CONTEXT
    return found


def entity_ids(card_id: str, keys: list[str]) -> list[str]:
    """The ids that `entities` gives."""
    return [urn(PRACTICE, card_id), *(urn(ESTIMATE, card_id, key) for key in keys)]


def _practice(seen: Seen) -> dict[str, Any]:
    card = seen.card
    made: dict[str, Any] = {
        "id": urn(PRACTICE, seen.id),
        "type": PRACTICE,
        "title": _said(card.title),
        "description": _said(card.summary),
        "theme": _value(card.theme),
        "cluster": _value(card.cluster),
        "practiceStatus": _value(card.status),
        "verdict": _value(card.verdict.outcome),
        "verdictReason": _said(card.verdict.reason),
        "cardVersion": _value(seen.written.version),
        "dateLastReported": _value({"@type": "DateTime", "@value": to_iso(seen.written.at)}),
    }
    for name, text in (("problem", card.problem), ("done", card.done), ("limits", card.limits)):
        if text:
            made[name] = _said(text)
    if card.city is not None:
        made["country"] = _value(card.city.country)
        if card.city.name:
            made["cityName"] = _said(card.city.name)
        if card.city.population is not None:
            made["population"] = _value(card.city.population)
    if card.technology:
        made["technology"] = _value(card.technology)
    if card.costs:
        made["costs"] = _value(_costs(card))
    made |= _location(card)
    return made


def _estimate(seen: Seen, key: str, answer: Result) -> dict[str, Any]:
    found = answer.document
    made: dict[str, Any] = {
        "id": urn(ESTIMATE, seen.id, key),
        "type": ESTIMATE,
        "refersTo": {"type": "Relationship", "object": urn(PRACTICE, seen.id)},
        "outcome": _value(found.get("outcome")),
        "design": _value(found.get("design")),
        "effect": _value(found.get("effect")),
        "effectPercent": _value(found.get("effect_percent")),
        "standardError": _value(found.get("standard_error")),
        "interval": _value(found.get("interval")),
        "pValue": _value(found.get("p_value")),
        "evidenceLevel": _value(found.get("level")),
        "sentence": _said(found.get("sentences") or {}),
        "inputDigest": _value(answer.input),
        "specificationDigest": _value(answer.specification),
        "answerNumber": _value(answer.number),
    }
    return {
        name: value
        for name, value in made.items()
        if not isinstance(value, dict) or value.get("value", 0) is not None
    }


def _value(value: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value}


def _said(text: Mapping[Any, str]) -> dict[str, Any]:
    return {"type": "LanguageProperty", "languageMap": dict(text)}


def _costs(card: Card) -> list[dict[str, Any]]:
    return [
        {
            "kind": each.kind,
            "what": dict(each.what),
            "amount": each.amount,
            "currency": each.currency,
            "year": each.year,
            "period": each.period,
        }
        for each in card.costs
    ]


def _location(card: Card) -> dict[str, Any]:
    points = [[each.longitude, each.latitude] for each in card.places if each.longitude is not None]
    if not points:
        return {}
    geometry = (
        {"type": "Point", "coordinates": points[0]}
        if len(points) == 1
        else {"type": "MultiPoint", "coordinates": points}
    )
    return {"location": {"type": "GeoProperty", "value": geometry}}
