"""What findings of feeds ("odd" records) mean, in words."""

from __future__ import annotations

from typing import Final

from rynek.web.i18n import Translator
from rynek.web.pages.labels import humanised

__all__ = ["FINDINGS", "finding_text"]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


FINDINGS: Final[dict[str, str]] = {
    "alert-without-text": N_("alerts without a text"),
    "bad-bearing": N_("directions outside 0 to 360 degrees"),
    "bad-record": N_("records that cannot be read"),
    "bad-route": N_("lines that cannot be read"),
    "bad-speed": N_("speeds that cannot be right"),
    "bad-time": N_("times that cannot be read"),
    "count-differs": N_("stated number differs from what was counted"),
    "delay-missing": N_("updates without a delay"),
    "delay-outlier": N_("delays too large to be believed"),
    "docked-vehicle": N_("bikes listed one by one although docked"),
    "duplicate-id": N_("identifiers used twice"),
    "entity-deleted": N_("records marked as deleted"),
    "entity-empty": N_("records without content"),
    "header-in-future": N_("message dated in the future"),
    "header-without-time": N_("message without a date"),
    "ids-change": N_("identifiers that change with each poll, as intended by the source"),
    "ids-unstable": N_("identifiers that change although they should not"),
    "information-without-status": N_("stations without a current state"),
    "no-last-updated": N_("no date of the last update"),
    "no-poll-time": N_("no time of the poll"),
    "not-installed": N_("stations that are not installed"),
    "one-way": N_("stations that only rent out or only take back"),
    "out-of-bounds": N_("positions outside the city"),
    "out-of-service": N_("out of service"),
    "outside-bounds": N_("positions outside the city"),
    "over-capacity": N_("more than there is room for"),
    "parked": N_("vehicles that stand still"),
    "position-missing": N_("without a position"),
    "position-outside": N_("positions outside the city"),
    "position-zero": N_("positions at zero degrees, where no city is"),
    "route-unknown": N_("lines that the timetable does not know"),
    "several-readings": N_("several readings of one thing; the newest counts"),
    "speed-impossible": N_("speeds that cannot be right"),
    "stale": N_("readings that are out of date"),
    "stale-position": N_("positions that are out of date"),
    "station-gone": N_("stations that disappeared"),
    "station-new": N_("new stations"),
    "status-without-information": N_("states of stations that are not described"),
    "stop-unknown": N_("stops that the timetable does not know"),
    "stop-without-id": N_("stops without an identifier"),
    "time-ahead": N_("times ahead of the clock"),
    "time-backwards": N_("times that run backwards"),
    "time-in-future": N_("times in the future"),
    "time-missing": N_("without a time"),
    "too-many-records": N_("more records than are allowed; the rest was left out"),
    "trip-cancelled": N_("cancelled trips"),
    "trip-unknown": N_("trips that the timetable does not know"),
    "unknown-route": N_("lines that the timetable does not know"),
    "update-twice": N_("trips updated twice in one message"),
    "update-without-vehicle": N_("updates that name no vehicle"),
    "vehicle-id-changed": N_("vehicles whose identifier changed"),
    "vehicle-twice": N_("vehicles listed twice in one message"),
    "vehicle-without-id": N_("vehicles without an identifier"),
    "years-old": N_("readings that are years old"),
}


def finding_text(t: Translator, code: str) -> str:
    """What the finding says; the code as words where it has no text yet."""
    return t(FINDINGS[code]) if code in FINDINGS else humanised(code).lower()
