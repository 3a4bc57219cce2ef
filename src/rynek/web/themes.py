"""The one table from entity type to map theme: colour, icon, and the attributes that speak.

A theme is never told by its colour alone: each has its own shape, glyph and word.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

N_ = str  # marks words for the message catalogues without translating them here

Icon = str
"""An SVG path in a 24 x 24 box, drawn white on the theme's colour."""


class Theme(msgspec.Struct, frozen=True):
    """One layer of the map.

    `colour` has a contrast of at least 4.5:1 to white; `dark` is its lighter sister for dark
    pages. `shape` is the outline of the marker, `glyph` what stands in it (an SVG path).
    `stale_after` (seconds) applies where a feed says nothing itself.
    """

    key: str
    word: str
    colour: str
    dark: str
    shape: str
    glyph: Icon
    visible: bool = True
    stale_after: float = 3600.0


class TypeRule(msgspec.Struct, frozen=True):
    """How entities of one type appear.

    `number` and `total` name the attributes of the label and its capacity (short names, the
    first one present wins); `level` one that already is a share from 0 to 1. `label` names texts
    for the marker (a line number). `role` is "thing" (on map and list), "stop" (on the map from
    close by) or "reference" (schedule and bookkeeping: counted, not listed).
    """

    theme: str
    number: tuple[str, ...] = ()
    total: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    role: str = "thing"
    moves: bool = False


_BUS = "M6 4h12a2 2 0 0 1 2 2v11h-2v2h-3v-2H9v2H6v-2H4V6a2 2 0 0 1 2-2zm0 3v5h12V7zm1 7v2h2v-2zm8 0v2h2v-2z"
_BIKE = (
    "M6 11a5 5 0 1 0 5 5 5 5 0 0 0-5-5zm0 2.2A2.8 2.8 0 1 1 3.2 16 2.8 2.8 0 0 1 6 13.2zM18 11a5 5 0"
    " 1 0 5 5 5 5 0 0 0-5-5zm0 2.2a2.8 2.8 0 1 1-2.8 2.8 2.8 2.8 0 0 1 2.8-2.8zM10 5h4l3 7h-2l-2-5h-3z"
    "M9 9h2l3 6h-3z"
)
_PARKING = "M7 3h6.5a5.5 5.5 0 0 1 0 11H10v7H7zm3 3v5h3.2a2.5 2.5 0 0 0 0-5z"
_BIN = "M9 3h6v2h5v2H4V5h5zM5 8h14l-1.2 13H6.2zm4 3 .4 7h1.6l-.3-7zm4.3 0-.3 7h1.6l.4-7z"
_BOLT = "M13 2 5 13h5l-1 9 9-12h-6z"
_CLOUD = "M7 18a5 5 0 0 1-.6-9.96A6 6 0 0 1 18 9.5 4.3 4.3 0 0 1 17.6 18z"
_BARS = "M4 20V12h4v8zm6 0V4h4v16zm6 0V9h4v11z"
_LAMP = "M12 2a7 7 0 0 1 4 12.7V17H8v-2.3A7 7 0 0 1 12 2zM8.5 18.5h7V20h-7zM10 21h4v1.5h-4z"
_DOT = "M12 7a5 5 0 1 1 0 10 5 5 0 0 1 0-10z"

THEMES: Final[tuple[Theme, ...]] = (
    Theme("transport", N_("Transport"), "#0b62c4", "#5aa9ff", "circle", _BUS, stale_after=600.0),
    Theme("bikes", N_("Bikes"), "#18794e", "#4cc38a", "hexagon", _BIKE),
    Theme("parking", N_("Parking"), "#5746af", "#a99ff5", "square", _PARKING, stale_after=86_400.0),
    Theme("waste", N_("Waste"), "#7d5a14", "#d9b36a", "shield", _BIN, stale_after=172_800.0),
    Theme("charging", N_("Charging"), "#b03a0a", "#ff9b61", "octagon", _BOLT),
    Theme("air", N_("Air and weather"), "#0b7285", "#5fd0e3", "drop", _CLOUD, stale_after=10_800.0),
    Theme("traffic", N_("Traffic"), "#b8174b", "#ff8fab", "triangle", _BARS, stale_after=3600.0),
    Theme("lighting", N_("Lighting"), "#7a5d00", "#f0d060", "diamond", _LAMP),
    Theme("other", N_("Other"), "#535d68", "#b3bdc7", "dot", _DOT, stale_after=86_400.0),
)
THEME_INDEX: Final[dict[str, int]] = {theme.key: i for i, theme in enumerate(THEMES)}
OTHER: Final = THEME_INDEX["other"]

STATUS_WORDS: Final[dict[str, str]] = {
    "current": N_("Up to date"),
    "moving": N_("Moving"),
    "parked": N_("Standing"),
    "stale": N_("Out of date"),
    "undated": N_("No time given"),
}

_VEHICLE = TypeRule(
    "transport",
    label=("lineName", "routeShortName", "lineNumber", "routeId", "refRoute", "hasRoute"),
    number=("delay",),
    moves=True,
)
_STATION = TypeRule(
    "bikes",
    number=("availableBikeNumber", "num_bikes_available", "availableVehicleNumber"),
    total=("totalSlotNumber", "capacity"),
)
_PARKED = TypeRule(
    "parking",
    number=("availableSpotNumber", "occupiedSpotNumber"),
    total=("totalSpotNumber", "totalSlotNumber"),
    level=("occupancyRate", "occupancy"),
)
_REFERENCE = TypeRule("transport", role="reference")

RULES: Final[dict[str, TypeRule]] = {
    "Vehicle": _VEHICLE,
    "GtfsStop": TypeRule("transport", role="stop"),
    "GtfsStation": TypeRule("transport", role="stop"),
    "GtfsAccessPoint": TypeRule("transport", role="reference"),
    "GtfsAgency": _REFERENCE,
    "GtfsRoute": _REFERENCE,
    "GtfsShape": _REFERENCE,
    "GtfsTrip": _REFERENCE,
    "GtfsService": _REFERENCE,
    "GtfsCalendarRule": _REFERENCE,
    "GtfsCalendarDateRule": _REFERENCE,
    "GtfsStopTime": _REFERENCE,
    "ArrivalEstimation": _REFERENCE,
    "BikeHireDockingStation": _STATION,
    "station_information": _STATION,
    "station_status": _STATION,
    "BikeLane": TypeRule("bikes"),
    "OnStreetParking": _PARKED,
    "OffStreetParking": _PARKED,
    "ParkingGroup": _PARKED,
    "ParkingSpot": TypeRule("parking", label=("status",)),
    "ParkingMeter": TypeRule("parking"),
    "WasteContainer": TypeRule("waste", level=("fillingLevel",)),
    "WasteContainerIsle": TypeRule("waste"),
    "EVChargingStation": TypeRule(
        "charging", number=("availableCapacity", "availableSpotNumber"), total=("capacity",)
    ),
    "AirQualityObserved": TypeRule(
        "air", number=("airQualityIndex", "aqi", "PM10", "pm10", "PM25", "pm25", "NO2", "no2")
    ),
    "WeatherObserved": TypeRule("air", number=("temperature",)),
    "NoiseLevelObserved": TypeRule("air", number=("LAeq",)),
    "TrafficFlowObserved": TypeRule("traffic", number=("intensity", "averageVehicleSpeed")),
    "ItemFlowObserved": TypeRule("traffic", number=("intensity",)),
    "CrowdFlowObserved": TypeRule("traffic", number=("peopleCount",)),
    "RoadAccident": TypeRule("traffic"),
    "Road": TypeRule("traffic", role="reference"),
    "RoadSegment": TypeRule("traffic", role="reference"),
    "Streetlight": TypeRule("lighting", label=("powerState",), level=("illuminanceLevel",)),
    "StreetlightGroup": TypeRule("lighting"),
    "StreetlightControlCabinet": TypeRule("lighting"),
    "Alert": TypeRule("other"),
    "KeyPerformanceIndicator": TypeRule("other", role="reference"),
}
_DEFAULT = TypeRule("other")
SPOKEN: Final[tuple[str, ...]] = tuple(
    sorted({name for rule in RULES.values() for name in rule.number + rule.total + rule.level})
)
"""Every attribute that a marker or its card may speak of (short names)."""


@lru_cache(maxsize=4096)
def short_name(iri: str) -> str:
    """The last part of an IRI: what people call the type or attribute."""
    return iri[max(iri.rfind("/"), iri.rfind("#")) + 1 :]


def rule_of(types: list[str]) -> tuple[str, TypeRule]:
    """The short type name and rule of an entity; of several types the first known one wins."""
    for iri in types:
        name = short_name(iri)
        rule = RULES.get(name)
        if rule is not None:
            return name, rule
    return (short_name(types[0]) if types else "Thing"), _DEFAULT


def theme_of(types: list[str]) -> Theme:
    """The theme of an entity with these types; "other" for types the table does not know."""
    return THEMES[THEME_INDEX[rule_of(types)[1].theme]]
