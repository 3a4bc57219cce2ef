"""Lamps and meters: hours of the day, growth of meters, totals, counts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.history.support import HOUR, ListLog, change, number
from tests.indicators.kpi.support import made_history, values

from rynek.context import Instance
from rynek.history import History

ZONE = "Europe/Prague"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1e6)


def text(value: str, moment: int) -> Instance:
    return Instance(kind="Property", value=value, observed_at=number(0, moment).observed_at)


def computed(
    folder: Path, changes: list[tuple[int, str, str, dict[str, Any]]], names: list[str], period: str
) -> dict[str, Any]:
    async def fill(_: History, log: ListLog) -> None:
        for moment, kind, own, attrs in sorted(changes, key=lambda one: one[0]):
            own_id = f"urn:ngsi-ld:{kind}:x:{own}"
            log.write(change("update", own_id, attrs, at=moment, kind=kind))

    return values(made_history(folder / "h", ZONE, fill), names, period, ZONE)


def test_lamps_by_day_and_by_night(tmp_path: Path) -> None:
    """On the day the clocks go forward too, hours are those of the city. One lamp burns all day,
    the other goes on at 18 h and off at 2 h."""
    changes: list[tuple[int, str, str, dict[str, Any]]] = []
    for day in ("2026-03-28", "2026-03-29", "2026-03-30"):
        for hour in range(24):
            moment = at(f"{day}T{hour:02}:00:00")
            state = "on" if hour >= 18 or hour < 2 else "off"
            changes += [
                (moment, "Streetlight", "1", {"powerState": text("on", moment)}),
                (moment, "Streetlight", "2", {
                    "powerState": text(state, moment),
                    "status": text("ok" if hour < 12 else "defectiveLamp", moment),
                    "powerConsumption": number(60 if state == "on" else 0, moment, unit_code="WTT"),
                }),
            ]  # fmt: skip
    names = ["lights-on-by-day", "lights-off-at-night", "lights-working", "light-power"]
    found = computed(tmp_path, changes, names, "2026-03-29")
    assert {one.status for one in found.values()} == {"ok"}
    assert found["lights-on-by-day"].value == pytest.approx(50)
    assert found["lights-on-by-day"].coverage == pytest.approx(1)
    # Between 0 and 4 h that day has three hours; one of the lamps is off from 2 (now 3) h on.
    assert found["lights-off-at-night"].value == pytest.approx(100 / 6)
    assert found["lights-working"].value == pytest.approx(100 * 11 / 23)
    assert found["light-power"].value == pytest.approx(60 * 8 / 23)


def test_growth_of_meters(tmp_path: Path) -> None:
    """10 kWh in each hour; a meter that was changed gives nothing for that step; of the step that
    the period begins in only its part counts."""
    first, start = at("2026-03-09T23:30:00"), at("2026-03-10T00:00:00")
    kind, name = "StreetlightControlCabinet", "energyConsumed"
    readings = [(first + n * HOUR, 5000 + 10 * n) for n in range(13)]
    readings += [(first + n * HOUR, 10 * n) for n in range(13, 25)]
    changes = [
        (moment, kind, "1", {name: number(kwh, moment, unit_code="KWH")})
        for moment, kwh in readings
    ]
    one = computed(tmp_path, changes, ["lighting-energy"], "2026-03-10")["lighting-energy"]
    assert one.status == "ok"
    assert one.value == pytest.approx(240)
    assert one.coverage == pytest.approx(1)
    assert one.readings == 24
    assert start < one.first


def test_meters_in_other_units_give_no_number(tmp_path: Path) -> None:
    moment = at("2026-03-10T00:00:00")
    changes = [
        (moment + n * HOUR, "ThreePhaseAcMeasurement", "1",
         {"totalActiveEnergyImport": number(n, moment + n * HOUR, unit_code="WHR")})
        for n in range(24)
    ]  # fmt: skip
    one = computed(tmp_path, changes, ["energy-metered"], "2026-03-10")["energy-metered"]
    assert (one.status, one.value) == ("contradictory data", None)
    assert "WHR, where KWH is meant" in str(one.why)
