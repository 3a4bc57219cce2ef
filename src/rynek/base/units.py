"""Unit codes of UN/CEFACT Recommendation 20, as `unitCode` carries them, and how they are shown."""

from __future__ import annotations

from typing import Final

KMH: Final = "KMH"
MTS: Final = "MTS"
CEL: Final = "CEL"
P1: Final = "P1"
SEC: Final = "SEC"
MIN: Final = "MIN"
HUR: Final = "HUR"
DAY: Final = "DAY"
MMT: Final = "MMT"
CMT: Final = "CMT"
MTR: Final = "MTR"
KMT: Final = "KMT"
MTK: Final = "MTK"
LTR: Final = "LTR"
MTQ: Final = "MTQ"
KGM: Final = "KGM"
TNE: Final = "TNE"
WTT: Final = "WTT"
KWT: Final = "KWT"
KWH: Final = "KWH"
VLT: Final = "VLT"
AMP: Final = "AMP"
DD: Final = "DD"
C62: Final = "C62"
DECIBEL: Final = "2N"
PPM: Final = "59"
LUX: Final = "LUX"
HECTOPASCAL: Final = "A97"
MICROGRAM_PER_M3: Final = "GQ"
MILLIGRAM_PER_M3: Final = "GP"
MM_PER_HOUR: Final = "H67"
WATT_PER_M2: Final = "D54"
MILLISECOND: Final = "C26"
PER_MINUTE: Final = "C94"
MEGABYTE: Final = "4L"
GIGABYTE: Final = "E34"

SYMBOLS: Final[dict[str, str]] = {
    KMH: "km/h",
    MTS: "m/s",
    CEL: "°C",
    P1: "%",
    SEC: "s",
    MIN: "min",
    HUR: "h",
    DAY: "d",
    MMT: "mm",
    CMT: "cm",
    MTR: "m",
    KMT: "km",
    MTK: "m²",
    LTR: "l",
    MTQ: "m³",
    KGM: "kg",
    TNE: "t",
    WTT: "W",
    KWT: "kW",
    KWH: "kWh",
    VLT: "V",
    AMP: "A",
    DD: "°",
    C62: "",
    DECIBEL: "dB",
    PPM: "ppm",
    LUX: "lx",
    HECTOPASCAL: "hPa",
    MICROGRAM_PER_M3: "µg/m³",
    MILLIGRAM_PER_M3: "mg/m³",
    MM_PER_HOUR: "mm/h",
    WATT_PER_M2: "W/m²",
    MILLISECOND: "ms",
    PER_MINUTE: "/min",
    MEGABYTE: "MB",
    GIGABYTE: "GB",
}


def symbol(code: str) -> str:
    """How a unit is written beside a number; a code not listed here is shown as it is."""
    return SYMBOLS.get(code, code)
