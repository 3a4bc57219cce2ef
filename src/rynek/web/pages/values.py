"""Values as people read them: numbers with units, times, places, lists, texts in a language."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from rynek.base.clock import parse_iso
from rynek.base.units import symbol
from rynek.context import DEFAULT_VOCAB, Entity, Instance
from rynek.web.i18n import Translator
from rynek.web.pages.labels import VALUES, type_name

__all__ = [
    "as_number",
    "moment",
    "name_of",
    "place_of",
    "short",
    "title_of",
    "told_id",
    "written",
]

NAMES: Final = ("name", "stationName", "stopName", "title", "headsign", "label", "alternateName")
_LINES: Final = ("lineName", "routeShortName")
_LONGEST: Final = 400
_PLACE: Final = re.compile(r"(-?\d{1,3}\.\d{4,20}),(-?\d{1,3}\.\d{4,20})(|[,;].*)")


def short(iri: str) -> str:
    """An expanded name without its vocabulary: what stands after the last `/` or `#`."""
    if iri.startswith(DEFAULT_VOCAB):
        return iri[len(DEFAULT_VOCAB) :]
    return iri.rstrip("/#").replace("#", "/").rsplit("/", 1)[-1] or iri


def moment(iso: str | None) -> int | None:
    """An ISO time as epoch microseconds; None where there is none that can be read."""
    if not iso:
        return None
    try:
        return parse_iso(iso)
    except ValueError:
        return None


def as_number(value: Any) -> float | None:
    """A JSON number (or a typed one) as float; None for anything else, also for true/false."""
    if isinstance(value, dict):
        value = value.get("@value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _in_language(value: dict[str, Any], language: str) -> Any:
    for key in (language, "en", "@none"):
        if key in value:
            return value[key]
    return next(iter(value.values()), "")


def name_of(entity: Entity, language: str) -> str:
    """The entity's name in the language, or the last part of its id."""
    by_name = {short(iri): iri for iri in entity.attrs}
    for candidate in NAMES:
        instance = entity.default(by_name[candidate]) if candidate in by_name else None
        if instance is None:
            continue
        value = instance.value
        if instance.kind == "LanguageProperty" and isinstance(value, dict):
            value = _in_language(value, language)
        if isinstance(value, str) and value.strip():
            return value.strip()[:200]
    return entity.id.rsplit(":", 1)[-1] or entity.id


def title_of(t: Translator, entity: Entity) -> str:
    """A heading that says what it is also where the name is but a number ("1/1", "455")."""
    name = name_of(entity, t.language)
    if sum(letter.isalpha() for letter in name) > 2:
        return name
    line = next((entity.default(i) for i in entity.attrs if short(i) in _LINES), None)
    if line is not None and isinstance(line.value, str) and line.value.strip():
        return t("Line %(line)s", line=line.value.strip()[:40]) + f" · {name}"
    return f"{type_name(t, short(entity.types[0]))} {told_id(name)}"


def told_id(own: str) -> str:
    """The last part of an id as people read it: a place in it is rounded to some ten metres."""
    found = _PLACE.fullmatch(own)
    if found is None:
        return own
    lat, lon, rest = float(found[1]), float(found[2]), found[3].strip(" ,;")
    place = f"({lat:.4f}, {lon:.4f})"
    return f"{rest} {place}" if rest else place


def place_of(value: Any) -> tuple[float, float] | None:
    """Longitude and latitude of a GeoJSON geometry: its point, or the middle of its box."""
    if not isinstance(value, dict):
        return None
    found: list[tuple[float, float]] = []
    _gather(value.get("coordinates"), found, 5)
    if not found:
        return None
    lons, lats = [p[0] for p in found], [p[1] for p in found]
    lon, lat = (min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2
    return (lon, lat) if abs(lon) <= 180 and abs(lat) <= 90 else None


def _gather(part: Any, found: list[tuple[float, float]], depth: int) -> None:
    if not isinstance(part, list) or not part or depth == 0:
        return
    if all(isinstance(item, int | float) for item in part[:2]) and len(part) > 1:
        found.append((float(part[0]), float(part[1])))
        return
    for item in part:
        _gather(item, found, depth - 1)


def written(t: Translator, instance: Instance, zone: str) -> str:
    """An instance's value for people, with its unit."""
    value = instance.value
    if instance.kind == "LanguageProperty" and isinstance(value, dict):
        value = _in_language(value, t.language)
    if instance.kind == "GeoProperty":
        return _place(t, value)
    if instance.kind == "VocabProperty":
        names = [short(str(item)) for item in (value if isinstance(value, list) else [value])]
        return ", ".join(_word(t, name) for name in names)[:_LONGEST]
    if instance.unit_code == "SEC" and (seconds := as_number(value)) is not None:
        return _seconds(t, seconds)
    text = _plain(t, value, zone)
    unit = symbol(instance.unit_code) if instance.unit_code else ""
    return f"{text}\u00a0{unit}" if unit else text


def _seconds(t: Translator, seconds: float) -> str:
    if abs(seconds) < 120:
        return f"{t.number(seconds, 1)}\u00a0s"
    return f"{t.number(seconds / 60, 1)}\u00a0min"


def _place(t: Translator, value: Any) -> str:
    place = place_of(value)
    if place is None:
        return _plain(t, value, "UTC")
    written_at = f"{t.number(place[1], 5)}; {t.number(place[0], 5)}"
    kind = value.get("type", "Point")
    return written_at if kind == "Point" else f"{kind} · {written_at}"


def _plain(t: Translator, value: Any, zone: str) -> str:
    if isinstance(value, dict) and "@value" in value:
        value = value["@value"]
    if isinstance(value, bool):
        return t("yes") if value else t("no")
    if isinstance(value, int | float):
        return t.number(value)
    if isinstance(value, str):
        at = moment(value) if len(value) >= 20 and value[4:5] == "-" else None
        return t.moment(at, zone) if at is not None else _word(t, value)[:_LONGEST]
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(_plain(t, item, zone) for item in value[:50])[:_LONGEST]
    if isinstance(value, dict) and all(isinstance(item, str | int) for item in value.values()):
        return ", ".join(str(item) for item in value.values())[:_LONGEST]
    return json.dumps(value, ensure_ascii=False)[:_LONGEST]


def _word(t: Translator, value: str) -> str:
    return t(VALUES[value]) if value in VALUES else value
