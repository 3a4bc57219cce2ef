"""How many of what: the nouns of entity types in the plural form that a number asks for."""

from __future__ import annotations

from typing import Final

from rynek.web.i18n import Translator
from rynek.web.pages.labels import type_name

__all__ = ["NOUNS", "counted", "noun"]


def ngettext(one: str, many: str) -> tuple[str, str]:
    """Mark both forms for the catalogues; they are translated where they are shown."""
    return one, many


NOUNS: Final[dict[str, tuple[str, str]]] = {
    "AirQualityObserved": ngettext("air quality station", "air quality stations"),
    "BikeHireDockingStation": ngettext("bike station", "bike stations"),
    "Building": ngettext("building", "buildings"),
    "CrowdFlowObserved": ngettext("pedestrian counter", "pedestrian counters"),
    "Device": ngettext("device", "devices"),
    "EVChargingStation": ngettext("charging station", "charging stations"),
    "GtfsAgency": ngettext("transport operator", "transport operators"),
    "GtfsRoute": ngettext("line", "lines"),
    "GtfsStation": ngettext("station", "stations"),
    "GtfsStop": ngettext("stop", "stops"),
    "GtfsTrip": ngettext("trip", "trips"),
    "ItemFlowObserved": ngettext("traffic counter", "traffic counters"),
    "NoiseLevelObserved": ngettext("noise meter", "noise meters"),
    "OffStreetParking": ngettext("car park", "car parks"),
    "OnStreetParking": ngettext("street with parking", "streets with parking"),
    "ParkingMeter": ngettext("parking meter", "parking meters"),
    "ParkingSpot": ngettext("parking place", "parking places"),
    "Streetlight": ngettext("street light", "street lights"),
    "TrafficFlowObserved": ngettext("traffic counter", "traffic counters"),
    "Vehicle": ngettext("vehicle", "vehicles"),
    "WasteContainer": ngettext("waste container", "waste containers"),
    "WasteContainerIsle": ngettext("waste collection point", "waste collection points"),
    "WeatherObserved": ngettext("weather station", "weather stations"),
}
"""Short names of types → what one and what several of them are called."""


def noun(t: Translator, name: str, count: int) -> str:
    """What `count` entities of a type (short name) are called; its name where it has no noun."""
    forms = NOUNS.get(name)
    return t.n(*forms, count) if forms else type_name(t, name)


def counted(t: Translator, name: str, count: int) -> str:
    """Such as "5 lines"; "Road sign: 5" for a type without a noun."""
    number = t.number(count, 0)
    return (
        f"{number} {noun(t, name, count)}" if name in NOUNS else f"{type_name(t, name)}: {number}"
    )
